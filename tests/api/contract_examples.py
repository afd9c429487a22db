"""All examples: importing this imports every ``examples_<group>.py`` beside it."""

from __future__ import annotations

import importlib
from pathlib import Path

from contract_world import EXAMPLES

for _path in sorted(Path(__file__).parent.glob("examples_*.py")):
    importlib.import_module(_path.stem)

__all__ = ["EXAMPLES"]
