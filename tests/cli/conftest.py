from __future__ import annotations

import sys
from pathlib import Path

# The synthetic avatar pack of the avatar's tests.
sys.path.append(str(Path(__file__).parents[1] / "avatar"))
