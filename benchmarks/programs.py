"""Runs modules of this project as programs."""

from __future__ import annotations

import os
import subprocess
import sys


def run_python(module: str, *arguments: str, **environment: str) -> bytes:
    """The stdout of `python -m MODULE`; a failure is a CalledProcessError with its stderr."""
    argv = [sys.executable, "-m", module, *arguments]
    return subprocess.run(argv, env={**os.environ, **environment}, check=True, capture_output=True).stdout
