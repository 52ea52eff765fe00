"""The files that Kubernetes' parts are configured with."""

from __future__ import annotations

from pathlib import Path
from string import Template

HERE = Path(__file__).parent


def write(name: str, target: Path, **values: object) -> Path:
    """A file of this folder with its $names filled in."""
    target.write_text(Template((HERE / name).read_text()).substitute(values))
    return target
