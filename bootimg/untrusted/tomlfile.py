"""TOML, in UTF-8 as its specification says."""

from __future__ import annotations

import tomllib

from bootimg.sizes import KIB
from bootimg.untrusted.node import Fields, Node
from bootimg.untrusted.tree import Malformed, Refuse, clean_tree, require_size

LIMIT = 16 * KIB
"""Bytes; the files that a layer has are some hundred long, and tomllib takes minutes for some of a MiB."""


def parse_toml(data: bytes, refuse: Refuse = Malformed) -> Fields:
    """The table in a file's bytes; the error is `refuse`'s."""
    require_size(data, LIMIT, refuse)
    try:
        return Node(clean_tree(tomllib.loads(data.decode())), refuse).fields()
    except RecursionError:
        raise refuse("it is nested too deeply") from None
    except Malformed as error:
        raise refuse(str(error)) from None
    except ValueError as error:
        raise refuse(f"it is not TOML: {str(error)[:200]}") from None
