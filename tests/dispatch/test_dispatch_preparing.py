"""What workers are told of rooms, to be synthesised ahead, and when they rest."""

from __future__ import annotations

import json

from dispatch_desk import Desk, job, open_desk, say

from visavis.dispatch import local
from visavis.session.sayable import Sayable
from visavis.session.spec import VoiceSpec


def what(text: str) -> Sayable:
    return Sayable(voices=[VoiceSpec()], default_language="en", languages=["en"], first=[text])


async def told(desk: Desk, job_id: str) -> tuple[dict[str, str], list[bool]]:
    """What the job's worker was told so far: the first words of each room, and when to rest."""
    await desk.dispatcher.command(job_id, say("told"))
    turn = await desk.until(lambda event: event.kind == "turn" and event.job_id == job_id)
    desk.events.remove(turn)
    return json.loads(turn.heard), json.loads(turn.answered)


async def test_every_worker_is_told_what_rooms_may_say_and_what_they_may_not_any_more() -> None:
    async with open_desk(workers=2, sessions_per_worker=1) as desk:
        desk.dispatcher.prepare("p1", {"a": what("Hello from a."), "b": what("Hello from b.")})
        desk.dispatcher.prepare("p2", {"a": what("Hello from another project.")})
        await desk.run(job("one"), job("two"))
        for job_id in ("one", "two"):
            rooms, _ = await told(desk, job_id)
            assert rooms == {
                "p1/a": "Hello from a.",
                "p1/b": "Hello from b.",
                "p2/a": "Hello from another project.",
            }
        desk.dispatcher.prepare("p1", {"b": what("New words.")})
        rooms, _ = await told(desk, "one")
        assert rooms == {"p1/b": "New words.", "p2/a": "Hello from another project."}


async def test_a_worker_that_starts_later_is_told_as_well() -> None:
    async with open_desk(ready=False) as desk:
        desk.dispatcher.prepare("p1", {"a": what("Hello from a.")})
        await desk.dispatcher.ready()
        await desk.run(job("one"))
        assert (await told(desk, "one"))[0] == {"p1/a": "Hello from a."}


async def test_of_very_many_rooms_the_last_ones_are_told() -> None:
    async with open_desk() as desk:
        await desk.run(job("one"))
        most = local.ROOMS_PREPARED
        for number in range(most + 3):
            desk.dispatcher.prepare(f"p{number}", {"a": what("Hello.")})
        rooms, _ = await told(desk, "one")
        assert list(rooms) == [f"p{number}/a" for number in range(3, most + 3)]


async def test_a_room_with_too_much_to_say_is_left_out() -> None:
    async with open_desk() as desk:
        desk.dispatcher.prepare("p1", {"a": what("long " * 300_000), "b": what("Hello from b.")})
        await desk.run(job("one"))
        assert (await told(desk, "one"))[0] == {"p1/b": "Hello from b."}


async def test_a_worker_without_a_job_rests_while_another_has_one() -> None:
    async with open_desk(workers=2, sessions_per_worker=2) as desk:
        await desk.run(job("first"))
        assert (await told(desk, "first"))[1] == [], "it hears for itself when nobody speaks"
        await desk.run(job("second"))
        assert (await told(desk, "second"))[1] == [True, False]
        await desk.dispatcher.stop("first")
        await desk.finished("first")
        await desk.dispatcher.stop("second")
        await desk.finished("second")
        await desk.run(job("third"), job("fourth"))
        rests = sorted([(await told(desk, job_id))[1] for job_id in ("third", "fourth")], key=len)
        assert all(rest.count(True) == rest.count(False) for rest in rests), "whoever has a job does not rest"
