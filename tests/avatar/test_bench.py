"""``visavis bench avatar``: the figures are there and hang together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from visavis.avatar.pack import Pack
from visavis.bench import avatar


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(avatar, "LOOPED", 2.0)


def test_report_of_one_size(pack: Pack) -> None:
    report = avatar.measure(pack, ((320, 568),), seconds=1.0)
    figures = report["sizes"]["320x568"]
    assert 0 < figures["compose_ms"] <= figures["compose_p99_ms"]
    assert figures["encode_ms"] > 0
    assert figures["share"] < 1
    # A loop that was encoded once costs far less than one that is drawn; a sleeper less than somebody awake.
    assert figures["warm_start_ms"] < figures["cold_start_ms"] + 50
    assert report["idle_ms_per_s"] < 0.5 * report["idle_drawn_ms_per_s"]
    assert report["asleep_ms_per_s"] < 2 * report["idle_ms_per_s"]
    assert report["client_render_ms_per_s"] > 0


def test_json(pack_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("visavis.avatar.pack.SHIPPED", pack_path.parent)
    monkeypatch.setattr(avatar, "SIZES", ((64, 112),))
    monkeypatch.setattr(avatar, "SPOKEN", 0.2)
    avatar.run(json=True, folders=(pack_path.parent,))
    report = json.loads(capsys.readouterr().out)
    assert report["avatar"] == "synthetic"
    assert set(report["sizes"]["64x112"]) >= {"compose_ms", "encode_ms"}
    assert set(report) >= {"sizes", "idle_ms_per_s", "asleep_ms_per_s", "client_render_ms_per_s"}
    avatar.run(folders=(pack_path.parent,))
    assert "compose_ms" in capsys.readouterr().out
