"""``visavis bench avatar``: the figures are there and hang together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from visavis.avatar.pack import Pack
from visavis.bench import avatar


def test_report_of_one_size(pack: Pack) -> None:
    figures = avatar.measure(pack, ((320, 568),), seconds=1.0)["sizes"]["320x568"]
    assert 0 < figures["compose_ms"] <= figures["compose_p99_ms"]
    assert figures["encode_ms"] > 0
    # A sleeper who lies still is neither warped nor encoded.
    assert figures["asleep_ms_per_s"] < 0.5 * figures["idle_ms_per_s"]


def test_json(pack_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("visavis.avatar.pack.SHIPPED", pack_path.parent)
    monkeypatch.setattr(avatar, "SIZES", ((64, 112),))
    monkeypatch.setattr(avatar, "SPOKEN", 0.2)
    avatar.run(json=True, folders=(pack_path.parent,))
    report = json.loads(capsys.readouterr().out)
    assert report["avatar"] == "synthetic"
    assert set(report["sizes"]["64x112"]) >= {"compose_ms", "encode_ms", "idle_ms_per_s", "asleep_ms_per_s"}
    avatar.run(folders=(pack_path.parent,))
    assert "compose_ms" in capsys.readouterr().out
