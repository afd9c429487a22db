import itertools

import pytest

from visavis.media.clock import SampleClock


class FakeTime:
    def __init__(self) -> None:
        self.time = 100.0

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds


@pytest.fixture
def world() -> FakeTime:
    return FakeTime()


@pytest.fixture
def clock(world: FakeTime) -> SampleClock:
    return SampleClock(now=world.now, sleep=world.sleep)


async def test_deadlines_are_absolute(clock: SampleClock, world: FakeTime) -> None:
    clock.start()
    for tick in range(1, 251):
        assert await clock.wait(tick * 1920) == pytest.approx(0, abs=1e-9)
        world.time += 0.013  # work between the ticks must not add up
    assert world.time == pytest.approx(110.0 + 0.013)
    assert clock.lateness.late == 0
    assert clock.lateness.ticks == 250


async def test_held_up_producer_catches_up_without_a_burst(clock: SampleClock, world: FakeTime) -> None:
    clock.start()
    await clock.wait(1920)
    world.time += 0.2  # a stall of five frames: 160 ms late at the second tick
    returns = []
    for tick in range(2, 12):
        await clock.wait(tick * 1920)
        returns.append(world.time)
    gaps = [b - a for a, b in itertools.pairwise(returns)]
    assert min(gaps) >= 0.020 - 1e-9, "never faster than twice real time"
    assert returns[-1] == pytest.approx(100 + 11 * 0.04), "and back on time in the end"
    assert clock.lateness.slips == 0
    assert clock.lateness.late > 0
    assert clock.lateness.worst_s == pytest.approx(0.16)


async def test_hopeless_lag_slips(clock: SampleClock, world: FakeTime) -> None:
    clock.start()
    await clock.wait(1920)
    world.time += 3.0
    assert await clock.wait(2 * 1920) == pytest.approx(2.96)
    before = world.time
    assert await clock.wait(3 * 1920) == pytest.approx(0)
    assert world.time - before == pytest.approx(0.04)
    assert clock.lateness.slips == 1
    assert clock.lateness.slipped_s == pytest.approx(2.96)
    assert clock.samples == 3 * 1920
