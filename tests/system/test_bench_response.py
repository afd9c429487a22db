"""``visavis bench response``: a short run in a real Chromium, and what is refused before one begins."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from visavis.bench.response import recordings
from visavis.bench.response.report import PARTS
from visavis.cli.main import app

DEMO = Path(__file__).parents[2] / "demo" / "questions" / "en.wav"
KNOWLEDGE = """
format: visavis-knowledge
version: 1
entries:
  - id: tongues
    questions: {en: ["Which languages can you speak?", "What languages do you know?"]}
    answers: {en: I speak English and nothing else. That has to do for today.}
  - id: hours
    questions: {en: ["When are you open?", "What are the opening hours?"]}
    answers: {en: We are open from nine to five.}
"""
QUESTION = {
    "file": "a.wav",
    "kind": "question",
    "language": "en",
    "starts_s": 0.05,
    "ends_s": 1.7,
    "expect": ["tongues"],
}
Invoke = Callable[..., Any]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of recordings without a manifest, with somebody's knowledge beside them."""
    (tmp_path / "knowledge.yaml").write_text(KNOWLEDGE)
    for name in ("a.wav", "b.wav"):
        shutil.copy(DEMO, tmp_path / name)
    return tmp_path


def write(folder: Path, *entries: dict[str, Any], **more: Any) -> None:
    manifest = {"format": "visavis-recordings", "version": 1, "recordings": list(entries), **more}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def bench(folder: Path, *more: str) -> Any:
    given = ["--recordings", str(folder), "--knowledge", str(folder / "knowledge.yaml"), "--cold", "--json", *more]
    return CliRunner().invoke(app, ["bench", "response", *given])


@pytest.mark.system
@pytest.mark.browser
@pytest.mark.timeout(240)
def test_a_short_run_has_all_figures_and_counts_a_wrong_answer(folder: Path) -> None:
    wrong = {**QUESTION, "file": "b.wav", "expect": ["hours"], "group": "trap"}
    cough = recordings.load(recordings.SHIPPED).sounds[0]
    shutil.copy(recordings.SHIPPED / cough.file, folder)
    write(folder, QUESTION, wrong, cough.model_dump(mode="json", exclude_none=True))
    picture = folder / "split.png"
    done = bench(folder, "--turns", "3", "--plot", str(picture))
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert list(report)[:9] == [
        "turns", "response_ms", "barge_in_ms", "lips_stop_ms", "false_interruptions", "false_ends", "late_frames",
        "av_offset_ms", "correct",
    ]  # fmt: skip
    assert report["turns"] == 3
    # a.wav, b.wav and a.wav again: all are answered with what is known of languages, which is wrong for b.wav.
    assert report["correct"] == pytest.approx(2 / 3, abs=0.001)
    assert report["by_group"]["trap"]["correct"] == 0
    assert [turn["correct"] for turn in report["list"]] == [True, False, True]
    assert 200 < report["response_ms"]["p50"] <= report["response_ms"]["p95"] < 15_000
    # The first answer is cut short by the second question, and both voice and lips stop.
    assert report["barge_ins"]["counted"] == 1
    assert 50 < report["barge_in_ms"]["p50"] < 3000
    assert 50 < report["lips_stop_ms"]["p50"] < 3000
    assert abs(report["av_offset_ms"]) < 300
    assert 0 <= report["late_frames"] <= 1
    assert 5 < report["fps"] < 30
    split = report["split_ms"]["all"]
    assert list(split) == list(PARTS)
    assert report["stored_answers"] == "cold"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "turn 3 of 3, p50 " in done.stderr
    assert "b.wav" in done.stderr
    assert "WRONG" in done.stderr


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({**QUESTION, "file": "../a.wav"}, "../a.wav file: String should match pattern"),
        ({**QUESTION, "file": "none.wav"}, "none.wav: cannot be read: No such file"),
        ({**QUESTION, "starts_s": 3}, "a.wav: starts_s is not before ends_s"),
        ({**QUESTION, "ends_s": 30}, "a.wav: ends_s is 30.0, and the file has 1.8"),
        ({**QUESTION, "ends_s": "soon"}, "a.wav ends_s: Input should be a valid number"),
        ({**QUESTION, "expect": []}, "a.wav: a question needs what it expects"),
        ({**QUESTION, "expect": ["nowhere"]}, "a.wav: the knowledge has no entry 'nowhere'"),
        ({**QUESTION, "language": "xx"}, "a.wav language: Input should be"),
        ({**QUESTION, "command": "rm"}, "a.wav command: Extra inputs are not permitted"),
        ({**QUESTION, "kind": "sound"}, "no question is listed"),
        ({**QUESTION, "file": "knowledge.yaml"}, "knowledge.yaml: not sound that can be decoded"),
    ],
)
def test_a_recording_that_cannot_be_used_is_named_with_its_reason(
    folder: Path, entry: dict[str, Any], reason: str
) -> None:
    write(folder, entry)
    refused = bench(folder)
    assert refused.exit_code == 1
    assert reason in str(refused.exception)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "manifest.json: cannot be read: No such file or directory"),
        ("recordings:", "manifest.json: not JSON"),
        ("[" * 100_000, "manifest.json: not JSON"),
        ("[]", "manifest.json: the file: Input should be a valid dictionary"),
        ('{"format": "visavis-recordings", "version": 2, "recordings": []}', "version: Input should be 1"),
        ("[" + " " * recordings.MAX_MANIFEST + "]", "manifest.json: larger than 4 MiB"),
    ],
)
def test_a_manifest_that_is_none_is_refused(folder: Path, content: str | None, reason: str) -> None:
    if content is not None:
        (folder / "manifest.json").write_text(content)
    refused = bench(folder)
    assert refused.exit_code == 1
    assert reason in str(refused.exception)


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        (("--turns", "0"), "--turns 0: wanted 1 to 10000"),
        (("--llm-delay-ms", "-1"), "--llm-delay-ms -1: wanted 0 to 60000"),
        (("--plot", "/nowhere/a.png"), "there is no folder /nowhere"),
        (("--plot", "a.txt"), "wanted a .png, .svg or .pdf"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_it_begins(
    folder: Path, option: tuple[str, str], reason: str
) -> None:
    write(folder, QUESTION)
    refused = bench(folder, *option)
    assert refused.exit_code == 1
    assert reason in str(refused.exception)


def test_the_shipped_recordings_are_whole() -> None:
    shipped = recordings.load(recordings.SHIPPED)
    for language in ("en", "zh"):
        those = [each for each in shipped.questions if each.language == language]
        assert len(those) >= 24
        assert {each.group for each in those} >= {"short", "long", "noise", "pause", "um"}
        assert {pause for each in those for pause in each.pauses_s} >= {0.4, 0.7, 1.0}
        assert all(each.snr_db == 10 for each in those if each.group == "noise")
        assert any(each.language == language for each in shipped.sounds)
    assert {each.group for each in shipped.sounds} == {"cough", "keyboard", "backchannel"}
    assert sum(len(shipped.content(each)) for each in (*shipped.questions, *shipped.sounds)) < 6e6
