"""Small stand-in layers of foreign architectures, made as data: no program of theirs is executed."""

from __future__ import annotations

from tests.layer.small.build import small_layer

__all__ = ["small_layer"]
