"""What C libraries and programs read: package databases, SELinux policies, file systems."""

from __future__ import annotations

import os
from pathlib import Path

from bootimg import process
from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.disk.bootpatch import BootEdits, make_patch, read_boot_files
from bootimg.disk.extents import FileSource
from bootimg.disk.unmounted import deployments
from bootimg.disk.xfsread import XfsImage
from bootimg.events import Events
from bootimg.layer.fetching.fetch import RegistryOptions, fetch
from bootimg.layer.importing.selabels import labels
from bootimg.layer.tree.merged import open_tree
from bootimg.rpmdb.ofimage import PackageSource
from bootimg.sizes import MIB, TIB
from tests.hostile.case import case
from tests.support.layers import oci
from tests.unit.disk.test_bootpatch import ENTRY
from tests.unit.disk.test_hostile_boot import ENTRIES, partition
from tests.unit.layer.test_selabels import CONTEXTS, FILES, LARGE, ODD_CONFIG, SLOW
from tests.unit.rpmdb.test_database import COLUMN, EXPENSIVE, PLACE, database, unfolding

BAD_DATABASE, OVERSIZED = "rpmdb-unreadable", "boot-partition-oversized"
BAD_POLICY = "selinux-policy-unreadable"


def packages(folder: Path) -> None:
    """The packages of the OCI directory `image`."""
    source = PackageSource(
        arch=Arch.X86_64, cache=Cache(folder / "cache"), events=Events(), registry=RegistryOptions()
    )
    source.tree(str(folder / "image"))


def labelling(folder: Path) -> None:
    """The labels of a hundred paths by the policy of the OCI directory `image`."""
    cache = Cache(folder / "cache")
    image = fetch(str(folder / "image"), arch=Arch.X86_64, cache=cache, events=Events())
    keys = [(f"/x{'a' * 20}{each}", 0o100644) for each in range(100)]
    labels(open_tree(image, cache, Events()), "targeted", keys, cache)


def boot(folder: Path) -> None:
    """The boot loader entries of the file system `partition`."""
    with FileSource(folder / "partition") as source:
        read_boot_files(source, 0, source.size, scratch=folder)


def editing(folder: Path) -> None:
    """An edit of them."""
    with FileSource(folder / "partition") as source:
        make_patch(source, 0, source.size, BootEdits(("a=b",)), scratch=folder)


def root(folder: Path) -> None:
    """The deployments of the XFS `root`."""
    list(deployments(XfsImage(folder / "root")))


def _image(folder: Path, *members: oci.Member) -> None:
    oci.Layout(folder / "image").add([oci.bootable(*members)])


@case(packages, BAD_DATABASE, quick=True)
def expensive_view(folder: Path) -> None:
    """a package database whose Packages is a view with expensive functions"""
    _image(folder, oci.file(PLACE, database(folder / "made", f"CREATE VIEW Packages AS {EXPENSIVE}")))


@case(packages, BAD_DATABASE, quick=True)
def computed_column(folder: Path) -> None:
    """a package database whose headers are computed when they are read"""
    rows = (f"CREATE TABLE Packages {COLUMN}", "INSERT INTO Packages (x) VALUES (1)")
    _image(folder, oci.file(PLACE, database(folder / "made", *rows)))


@case(packages, BAD_DATABASE, seconds=40)
def unfolding_table(folder: Path) -> None:
    """a package database of 8 MiB with 216 000 headers of 8 MiB"""
    _image(folder, oci.file(PLACE, unfolding(folder)))


def _policy(folder: Path, contexts: str) -> None:
    _image(
        folder,
        oci.file("etc/selinux/config", ODD_CONFIG),
        oci.file(f"{FILES}/file_contexts", (CONTEXTS + contexts).encode()),
    )


@case(labelling, BAD_POLICY)
def large_policy(folder: Path) -> None:
    """an SELinux policy of 1 MB that libselinux compiles to 400 MB"""
    _policy(folder, LARGE)


@case(labelling, BAD_POLICY, seconds=60)
def slow_policy(folder: Path) -> None:
    """an SELinux policy of ten thousand expressions that try every way to match"""
    _policy(folder, SLOW)


@case(boot, OVERSIZED, quick=True)
def sparse_entry(folder: Path) -> None:
    """a boot loader entry of a terabyte that is a hole"""
    path = f"{ENTRIES}/a.conf"
    partition(folder, {path: ENTRY.encode()}, f"set_inode_field /{path} size {TIB}")


@case(boot, OVERSIZED)
def many_entries(folder: Path) -> None:
    """five thousand boot loader entries"""
    partition(folder, {f"{ENTRIES}/{each}.conf": ENTRY.encode() for each in range(5000)})


@case(editing, "boot-entry-malformed", quick=True)
def two_readings_of_an_entry(folder: Path) -> None:
    """a boot loader entry with two lines of options"""
    partition(folder, {f"{ENTRIES}/a.conf": f"{ENTRY}options root=/dev/evil\n".encode()})


@case(root, "deployments-too-many")
def many_deployments(folder: Path) -> None:
    """an XFS with two thousand deployments"""
    with (folder / "root").open("wb") as file:
        os.truncate(file.fileno(), 400 * MIB)
    lines = ["x", "0 0", *("d--755 0 0", "ostree d--755 0 0", "deploy d--755 0 0", "os d--755 0 0")]
    lines += ["deploy d--755 0 0", *(f"{each:064}.0 d--755 0 0\n$" for each in range(2000)), *"$$$$$"]
    (folder / "prototype").write_text("\n".join([*lines, ""]))
    process.run(["mkfs.xfs", "-q", "-p", folder / "prototype", folder / "root"])
