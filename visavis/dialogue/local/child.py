"""The process of a local model: ``python -m visavis.dialogue.local.child``, told what to do on its standard input.

The first line is JSON: model (path), port, key, threads, context. It prints "ready" when it serves, and ends when its input does:
so it never outlives the server that started it, however that ended.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
from typing import Final

_NICE: Final = 10


def main() -> None:
    """Serve until standard input ends."""
    with contextlib.suppress(OSError):
        os.nice(_NICE)  # frames come first
    told = json.loads(sys.stdin.readline())
    llama = importlib.import_module("xllamacpp")
    params = llama.CommonParams()
    params.model.path = told["model"]
    params.model_alias = {"local"}
    params.hostnames = ["127.0.0.1"]
    params.port = told["port"]
    params.api_keys = [told["key"]]
    params.n_ctx = told["context"]
    params.n_parallel = 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = told["threads"]
    params.n_threads_http = 2
    params.ui = False
    params.endpoint_slots = False
    server = llama.Server(params)
    print("ready", flush=True)
    sys.stdin.read()
    del server


if __name__ == "__main__":
    main()
