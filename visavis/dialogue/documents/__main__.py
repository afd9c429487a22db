"""Reads one document in a process of its own: its bytes on standard input, its segments as JSON on standard output.

``python -m visavis.dialogue.documents '{"type": "md", "size": 500, "by_title": true, "separators": [], "most": null}'`` answers
``{"segments": [[title, text], ...]}``, or ``{"error": "..."}`` for a document that cannot be read.
"""

from __future__ import annotations

import json
import resource
import sys
from typing import Final

from visavis.dialogue.documents.blocks import DocumentError
from visavis.dialogue.documents.reading import read
from visavis.dialogue.documents.segmenting import Rule, segments

_MEMORY: Final = 1024 * 1024 * 1024
_CPU_S: Final = 60


def main() -> None:
    """Read, cut, answer; stopped by the kernel when it takes too much memory or time."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    asked = json.loads(sys.argv[1])
    rule = Rule(asked["size"], asked["by_title"], tuple(asked["separators"]))
    try:
        found = segments(read(asked["type"], sys.stdin.buffer.read()), rule, asked["most"])
        answer: dict[str, object] = {"segments": [[one.title, one.text] for one in found]}
    except DocumentError as error:
        answer = {"error": str(error)}
    except (MemoryError, RecursionError):
        answer = {"error": "reading it takes too much memory"}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
