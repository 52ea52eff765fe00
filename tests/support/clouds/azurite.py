"""Azurite, Microsoft's emulator of storage: the npm package, installed once, started on a free port."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from tests.layer.store import locked, test_cache

VERSION = "3.37.0"
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The key that Azurite documents for its one account."""


def azurite_program() -> Path:
    """The program `azurite-blob`, installed outside the tree; skips the test where npm is missing."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("npm is not installed, which brings Azurite")
    packages = test_cache() / "npm"
    packages.mkdir(parents=True, exist_ok=True)
    folder = packages / f"azurite-{VERSION}"
    with locked(packages):
        if not folder.is_dir() and (reason := _failure(npm, folder)):
            pytest.skip(f"npm cannot install Azurite here: {reason}")
    return folder / "node_modules" / ".bin" / "azurite-blob"


@cache
def _failure(npm: str, folder: Path) -> str | None:
    """Install it; returns npm's words if it fails, which without a network takes npm minutes."""
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    argv: list[str | Path] = [npm, "install", "--prefix", partial, "--no-save", "--no-audit", "--no-fund",
                              "--ignore-scripts", "--omit=optional", f"azurite@{VERSION}"]  # fmt: skip
    done = subprocess.run(argv, capture_output=True, text=True, timeout=900)
    if done.returncode:
        return done.stderr[-300:]
    partial.rename(folder)
    return None


def connection_string(url: str) -> str:
    """The connection string of a server at this URL."""
    scheme = url.partition(":")[0]
    return (
        f"DefaultEndpointsProtocol={scheme};AccountName={ACCOUNT};AccountKey={KEY};"
        f"BlobEndpoint={url}/{ACCOUNT};"
    )


@contextmanager
def azurite(*options: str | Path) -> Iterator[str]:
    """The URL of a running server, which keeps its data in memory."""
    argv = [azurite_program(), "--blobHost", "127.0.0.1", "--blobPort", "0", "--inMemoryPersistence",
            "--silent", "--disableTelemetry", "--skipApiVersionCheck", "--disableProductStyleUrl",
            *options]  # fmt: skip
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout
    try:
        heard = ""
        for line in process.stdout:
            heard += line
            if found := re.search(r"listens on (https?://[\d.]+:\d+)", line):
                yield found[1]
                return
        pytest.fail(f"Azurite did not start: {heard}")
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()
