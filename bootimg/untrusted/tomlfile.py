"""TOML, in UTF-8 as its specification says."""

from __future__ import annotations

import tomllib

from bootimg.sizes import KIB
from bootimg.untrusted.node import Fields, Node
from bootimg.untrusted.tree import Malformed, Refuse, clean_tree, refusing, require_size

LIMIT = 16 * KIB
"""Bytes; the files that a layer has are some hundred long, and tomllib takes minutes for some of a MiB."""


def parse_toml(data: bytes, refuse: Refuse = Malformed) -> Fields:
    """The table in a file's bytes; the error is `refuse`'s."""
    require_size(data, LIMIT, refuse)
    with refusing("TOML", refuse):
        return Node(clean_tree(tomllib.loads(data.decode())), refuse).fields()
