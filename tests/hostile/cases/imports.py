"""Layers below every limit, through the whole import into a repository, and those just beyond."""

from __future__ import annotations

from pathlib import Path

from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.events import Events
from bootimg.layer.fetching.fetch import fetch
from bootimg.layer.importing.importer import import_layer
from bootimg.layer.tree.merged import open_tree
from tests.hostile.case import ACCEPTED, case
from tests.hostile.cases.layers import records
from tests.hostile.making import header, image, image_of_blobs, squeeze, tar
from tests.support.layers import oci

OVER = "image-over-budget"
MANY = 10_000


def imported(folder: Path) -> None:
    """The import of the OCI directory `image`."""
    cache = Cache(folder / "cache")
    found = fetch(str(folder / "image"), arch=Arch.X86_64, cache=cache, events=Events())
    tree = open_tree(found, cache, Events())
    import_layer(found, tree, repo=folder / "repo", cache=cache, events=Events())


@case(imported, "layer-attributes-too-large")
def imported_large_attributes(folder: Path) -> None:
    """a file with attributes of 85 KB, which no file system keeps, imported"""
    image(folder, tar([records(1000, 60), header("f")]))


@case(imported, ACCEPTED)
def imported_attributes(folder: Path) -> None:
    """one pax header of 50 attributes for 25 000 files, imported"""
    image(folder, tar([records(50, 20), *(header(f"f{each}") for each in range(25_000))]))


@case(imported, ACCEPTED)
def imported_directories(folder: Path) -> None:
    """a path of 255 new directories 110 times, the most that is accepted, imported"""
    image(folder, tar(header(f"{each:03}/{'d/' * 253}{each}") for each in range(110)))


@case(imported, f"{OVER}/metadata")
def imported_again_in_each_layer(folder: Path) -> None:
    """10 000 new directories behind links, into which each of 100 layers puts files, imported"""
    deep = [header(f"{each:02}/{'d/' * 253}x") for each in range(40)]
    links = [header(f"l{each}", b"2", link=f"{each:02}/{'d/' * 253}") for each in range(40)]
    layers = [tar(header(f"l{each}/{layer}") for each in range(40)) for layer in range(100)]
    image(folder, tar([*deep, *links]), *layers)


@case(imported, ACCEPTED)
def imported_opaque_whiteouts(folder: Path) -> None:
    """10 000 opaque whiteouts over 10 000 files of a lower layer, imported"""
    files = tar(header(f"d/{each}") for each in range(MANY))
    image(folder, files, tar([header("d/.wh..wh..opq")] * MANY))


@case(imported, ACCEPTED)
def imported_long_paths(folder: Path) -> None:
    """50 000 paths of 4 KB, imported"""
    names = "/".join(["d" * 200] * 19)
    image(folder, tar(header(f"{names}/{each:0200}") for each in range(50_000)))


@case(imported, ACCEPTED, seconds=60)
def imported_layers(folder: Path) -> None:
    """390 layers of 1000 files, imported"""
    image(folder, *(tar(header(f"{layer}/{each}") for each in range(1000)) for layer in range(390)))


@case(imported, ACCEPTED, seconds=60)
def imported_one_layer_often(folder: Path) -> None:
    """the same layer of 20 000 files 20 times, imported"""
    layer = tar(header(f"d/{each}") for each in range(20_000))
    image_of_blobs(folder, [(squeeze([layer]), oci.digest(layer))] * 20)
