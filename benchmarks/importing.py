"""`python -m benchmarks.importing IMAGE`: fetches and imports a layer, and prints the times as JSON.

It is a separate program so that its memory can be measured in the same way as a build's.  The cache is
$BOOTIMG_CACHE.
"""

from __future__ import annotations

import json
import sys
import time

from bootimg.arch import Arch
from bootimg.cache import Cache, default_root
from bootimg.events import Events
from bootimg.layer.declared.facts import read_facts
from bootimg.layer.fetching.fetch import fetch
from bootimg.layer.importing.importer import import_layer
from bootimg.layer.tree.merged import open_tree


def main(reference: str) -> None:
    """Import one layer."""
    cache, events = Cache(default_root()), Events()
    started = time.monotonic()
    image = fetch(reference, arch=Arch.of_machine(), cache=cache, events=events)
    tree = open_tree(image, cache, events)
    opened = time.monotonic()
    imgref = read_facts(image, tree).image_json.container_imgref
    commit = import_layer(
        image, tree, repo=cache.folder("repo"), cache=cache, events=events, imgref=imgref
    )  # fmt: skip
    print(
        json.dumps(
            {
                "open-seconds": opened - started,
                "import-seconds": commit.seconds,
                "objects": commit.objects,
                "new-objects": commit.new_objects,
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1])
