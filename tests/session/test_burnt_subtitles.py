"""Subtitles in the picture: the decoded stream of the real stage shows what has sounded, and nothing of what was cut."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from stage_film import FPS, Luma, Show, film

from visavis.avatar import cache, scenery
from visavis.avatar.layout import Layout, Place, Subtitles, TextStyle
from visavis.avatar.pack import SHIPPED, Pack, find
from visavis.motion import Director
from visavis.session.script import STAGE_RATE, Utterance
from visavis.session.subtitles import timed

BOX = Place(10, 560, 340, 70)
LAYOUT = Layout(360, 640, subtitles=Subtitles(BOX, TextStyle(size=21, stroke=1)))
TEXT = "Alpha bravo, charlie delta."
SOUND = [("ɑ", 0.2, 0.9), ("o", 0.9, 1.6), ("", 1.6, 1.9), ("ɑ", 1.9, 2.6), ("o", 2.6, 3.2), ("", 3.2, 3.4)]
"""After "bravo," there is a pause."""
STARTS = [word.start for word in timed(TEXT, "en", SOUND, 3.4, True)]
"""When its words begin, seconds of its sound: the client is told of them then, too (bot-tts-text)."""
NEXT = "Echo."


class Now(Executor):
    """Does at once what it is given: the film's clock does not wait for threads that draw letters."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(fn(*args, **kwargs))
        return done


@pytest.fixture(autouse=True)
def _letters_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenery, "_WORKERS", Now())


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    cache.configure(tmp_path_factory.mktemp("scenes"))
    return find("default", (SHIPPED,))


def lettered(picture: Luma) -> npt.NDArray[np.intp]:
    """The columns of the box with white letters."""
    box = picture[int(BOX.y) : int(BOX.y + BOX.height), int(BOX.x) : int(BOX.x + BOX.width)]
    return np.flatnonzero((box > 225).any(axis=0))


def words(columns: npt.NDArray[np.intp]) -> int:
    """How many words stand there: a blank is wider than what lies between letters."""
    return 1 + int((np.diff(columns) > 7).sum()) if len(columns) else 0


def shown(pack: Pack, cut: float | None) -> tuple[npt.NDArray[np.float64], list[Luma], float]:
    """The film of the sentence, cut so many seconds after its beginning and followed by another, and when it began."""
    began = 0.0

    async def play(show: Show) -> None:
        nonlocal began
        await show.until(0.6)
        first, sound = Utterance(TEXT, "en", "one"), np.full(round(3.4 * STAGE_RATE), 2000, np.int16)
        await show.stage.push(first, sound, SOUND)
        show.stage.finish(first)
        while not show.spoken:
            await show.until(show.stage.now + 0.02)
        began = show.spoken[0][0]
        if cut is None:
            await show.until(began + 4.0)
            return
        await show.until(began + cut)
        show.stage.clear()
        await show.until(began + cut + 0.4)
        await show.say(NEXT, "en", np.full(STAGE_RATE, 2000, np.int16), [("ɑ", 0.0, 0.9), ("", 0.9, 1.0)])
        await show.until(show.stage.now + 0.3)

    show = film(lambda: Show(pack, LAYOUT, Director(np.random.default_rng(7))), play)
    return *show.reel.decoded(), began


def test_words_appear_with_their_sound_and_stay_where_they_stand(pack: Pack) -> None:
    times, pictures, began = shown(pack, None)
    counts = [words(lettered(picture)) for picture in pictures]
    for number, start in enumerate(STARTS, 1):
        first = next(at for at, count in zip(times, counts, strict=True) if count >= number)
        assert -0.001 <= first - (began + start) <= 1.5 / FPS, f"word {number} with its sound"
    assert counts[-1] == 0, "and with the last sound they go"
    left = {int(lettered(picture)[0]) for picture, count in zip(pictures, counts, strict=True) if count}
    assert max(left) - min(left) <= 2, "what stands does not move"


def test_what_was_cut_is_never_shown(pack: Pack) -> None:
    times, pictures, began = shown(pack, 1.2)
    counts = np.array([words(lettered(picture)) for picture in pictures])
    assert counts.max() == 2, "charlie and delta were not said"
    after = counts[times > began + 1.2 + 2 / FPS]
    assert after[0] == 0
    assert after.max() == 1, "the next sentence alone"
