"""Writes docs/avatar-pack.schema.json: the JSON schema of a pack's manifest, from the model that reads it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "avatar-pack.schema.json"


def schema() -> str:
    """The schema as text."""
    sys.path.insert(0, str(ROOT))
    from visavis.avatar.manifest import Manifest

    found = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Manifest.model_json_schema()}
    return json.dumps(found, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


if __name__ == "__main__":
    TARGET.write_text(schema(), encoding="utf-8")
    print(TARGET)
