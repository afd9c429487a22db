from __future__ import annotations

from pathlib import Path

import pytest
import synthetic

from visavis.avatar import cache
from visavis.avatar.pack import Pack


@pytest.fixture(scope="session", autouse=True)
def _scenes(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What is prepared stays in the tests' own folder."""
    cache.configure(tmp_path_factory.mktemp("scenes"))


@pytest.fixture(scope="session")
def pack_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthetic.make_pack(tmp_path_factory.mktemp("packs") / "synthetic.zip")


@pytest.fixture(scope="session")
def pack(pack_path: Path) -> Pack:
    return Pack.open(pack_path)
