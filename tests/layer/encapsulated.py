"""The form `encapsulated`: the tree as an ostree commit, exported by ostree-ext into one layer a package."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

from tests.layer import contract, tools
from tests.layer.chunks import chunks
from tests.layer.content import Content
from tests.layer.oci import pack_directory
from tests.layer.recipe import Request
from tests.layer.sandbox import run_as_root
from tests.layer.tree import Change, write_change


def pack(request: Request, content: Content, work: Path, output: Path) -> None:
    """Write the archive; `work` is an empty folder."""
    tree = content.complete(request)
    with tarfile.open(work / "tree.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        write_change(Change(tree), archive)
    # What ostree-ext says of the commit it says itself.
    labels = contract.without_ostree(content.labels(request))
    asked = {
        "version": request.full_version,
        "input_hash": content.input_hash,
        "labels": labels,
        "chunks": chunks(tree, content.recipe),
    }
    (work / "asked.json").write_text(json.dumps(asked))
    run_as_root("commit", [work, tools.program(tools.OSTREE_EXT)])
    pack_directory(work / "oci", output)
