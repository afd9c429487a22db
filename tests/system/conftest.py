from __future__ import annotations

from collections.abc import Iterator

import pytest
from running import Cloud, RunningServer, serving

from visavis.settings import Settings
from visavis.speech.factory import create_recogniser
from visavis.speech.types import Recogniser


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One server with two workers for all tests that do not break it."""
    with serving(tmp_path_factory.mktemp("shared") / "data", workers="2") as running:
        yield running


@pytest.fixture(scope="session")
def cloud(server: RunningServer) -> Cloud:
    return server.cloud()


@pytest.fixture(scope="session")
def recogniser() -> Recogniser:
    """To tell what sound says."""
    return create_recogniser(Settings())
