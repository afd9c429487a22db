"""The packages of ``node/packages.toml``, fetched once: by name and version from npm's registry, checked against their checksums.

``python tests/clients/node_packages.py`` fetches them (tools/setup.sh tests does). npm itself is only asked where its registry
is; NPM_CONFIG_REGISTRY says so, too. Packages have no install scripts here: nothing but their files is unpacked.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "node"
_MODULES = FOLDER / "node_modules"
_STAMP = _MODULES / ".of"
_TIMEOUT_S = 30.0


class NotFetched(Exception):
    """The packages are not here, and cannot be had now; the message says why."""


def ensure() -> Path:
    """The folder ``node_modules``, with every package in it.

    Raises:
        NotFetched: no registry is known, or it does not answer.
        ValueError: a package is not the one whose checksum is on record.
    """
    listed = (FOLDER / "packages.toml").read_bytes()
    mark = hashlib.sha256(listed).hexdigest()
    if _STAMP.is_file() and _STAMP.read_text() == mark:
        return _MODULES
    packages = tomllib.loads(listed.decode())
    registry = _registry()
    # Made aside and moved: an interrupted run leaves nothing that looks complete.
    fresh = Path(tempfile.mkdtemp(prefix="node_modules-", dir=FOLDER))
    try:
        with ThreadPoolExecutor(8) as pool:
            jobs = [pool.submit(_fetch, registry, name, one, fresh / name) for name, one in packages.items()]
            for job in jobs:
                job.result()
        (fresh / _STAMP.name).write_text(mark)
        shutil.rmtree(_MODULES, ignore_errors=True)
        fresh.replace(_MODULES)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return _MODULES


def _registry() -> str:
    if told := os.environ.get("NPM_CONFIG_REGISTRY"):
        return told.rstrip("/")
    npm = shutil.which("npm")
    if npm is None:
        raise NotFetched("npm is not installed, and NPM_CONFIG_REGISTRY does not say where its registry is")
    done = subprocess.run([npm, "config", "get", "registry"], capture_output=True, text=True, timeout=_TIMEOUT_S)
    registry = done.stdout.strip().rstrip("/")
    if done.returncode or not registry.startswith(("https://", "http://")):
        raise NotFetched("npm does not say where its registry is")
    return registry


def _fetch(registry: str, name: str, package: dict[str, Any], folder: Path) -> None:
    url = f"{registry}/{name}/-/{name.rpartition('/')[2]}-{package['version']}.tgz"
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:
            content = answer.read()
    except OSError as error:
        raise NotFetched(f"npm's registry does not give {name} {package['version']}: {error}") from None
    kind, _, wanted = package["integrity"].partition("-")
    if base64.b64encode(hashlib.new(kind, content).digest()).decode() != wanted:
        raise ValueError(f"{name} {package['version']} is not what packages.toml says: its {kind} differs")
    folder.mkdir(parents=True)
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for member in archive:
            # "package/" in most; whatever it is called, it is not part of the package.
            member.name = member.name.partition("/")[2]
            if member.isfile() and member.name:
                archive.extract(member, folder, filter="data")


if __name__ == "__main__":
    try:
        ensure()
    except NotFetched as error:
        sys.exit(f"the Node client's packages: {error}")
