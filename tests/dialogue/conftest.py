from __future__ import annotations

import pytest

from visavis.dialogue.encoder import Encoder
from visavis.dialogue.knowledge import load
from visavis.dialogue.retrieval import Index


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    return Encoder()


@pytest.fixture(scope="session")
def shipped(encoder: Encoder) -> Index:
    return Index(load(), encoder)
