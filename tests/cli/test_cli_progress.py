"""What long work shows while it runs."""

from __future__ import annotations

import io

import pytest

from visavis.cli import progress
from visavis.cli.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Its only entry is the time."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()], ids=["file", "terminal"])
def test_quick_work_shows_nothing(clock: list[float], stream: io.StringIO) -> None:
    with Progress("models", stream) as bar:
        for done in range(10):
            clock[0] += 0.04
            bar.step(done, 10, "a")
    assert stream.getvalue() == ""


def test_a_bar_on_a_terminal_that_is_gone_at_the_end(clock: list[float]) -> None:
    stream = Terminal()
    with Progress("models", stream) as bar:
        clock[0] += 1
        bar.step(0, 4, "first")
        bar.step(1, 4, "second")
        bar.step(4, 4, "")
        steps = stream.getvalue().split("\r\033[K")[1:]
    assert steps == [
        "models " + "░" * 24 + "   0% first",
        "models " + "█" * 6 + "░" * 18 + "  25% second",
        "models " + "█" * 24 + " 100% ",
    ]
    assert stream.getvalue().endswith("\r\033[K")
    assert "\n" not in stream.getvalue()


def test_a_line_every_five_seconds_elsewhere(clock: list[float]) -> None:
    stream = io.StringIO()
    with Progress("models", stream) as bar:
        for second in range(12):
            clock[0] += 1
            bar.step(second, 12, f"part {second}")
    assert stream.getvalue() == "models   0% part 0\nmodels  42% part 5\nmodels  83% part 10\n"


def test_work_without_steps_and_work_that_fails(clock: list[float]) -> None:
    stream = Terminal()

    def work() -> None:
        with Progress("models", stream) as bar:
            clock[0] += 1
            bar.step(0, 0, "nothing")
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        work()
    assert "100% nothing" in stream.getvalue()
    assert stream.getvalue().endswith("\r\033[K"), "the error is written on a clean line"
