"""A real registry on loopback."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def serving_registry(folder: Path, http: str = "", more: str = "", *, delete: bool = False) -> Iterator[str]:
    """A registry on loopback that keeps its files in `folder`; `http` and `more` are YAML of its config.

    With `delete` it deletes manifests.
    """
    program = shutil.which("docker-registry")
    if not program:
        pytest.skip("docker-registry is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    config, deletion = folder / "registry.yml", str(delete).lower()
    config.write_text(
        f"version: 0.1\nlog: {{level: error}}\nhttp: {{addr: {address}{http}}}\n"
        f"storage:\n  filesystem: {{rootdirectory: {folder}/registry}}\n"
        f"  delete: {{enabled: {deletion}}}\n{more}"
    )
    child = subprocess.Popen([program, "serve", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not answers(int(address.rpartition(":")[2])):
            assert child.poll() is None, "docker-registry has ended"
            time.sleep(0.1)
        yield address
    finally:
        child.terminate()
        child.wait()


def answers(port: int) -> bool:
    """Whether something on loopback takes connections."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
