"""Programs of other Debian releases, unpacked and run through their own loader and libraries."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bootimg import process
from bootimg.disk.native import NATIVE_PROGRAMS
from tests.layer import store
from tests.layer.debian import find_mirror, proxy_options

_FOLDERS = ("usr/sbin", "usr/bin", "sbin", "bin")
_LIBRARIES = ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu")
_LOADER = "ld-linux-x86-64.so.2"
_SHARE = "usr/share"


@dataclass(frozen=True)
class DebianPrograms:
    """Programs of a release; `packages` by program.

    `data` are the folders of /usr/share that they need, `options` the first arguments of each program, where
    "{root}" is the folder that has usr.  All lies in the tests' cache under `name`, the suite and a digest of
    what makes it: two sets of programs that share a name never take each other's folder.
    """

    suite: str
    name: str
    packages: Mapping[str, str]
    data: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def _place(self) -> Path:
        made_from = [
            sorted(self.packages.items()),
            self.data,
            sorted(self.options.items()),
            Path(__file__).read_text("utf-8"),
        ]
        digest = hashlib.sha256(json.dumps(made_from).encode()).hexdigest()[:16]
        return store.test_cache() / "debian-programs" / f"{self.name}-{self.suite}-{digest}"

    def why_not(self) -> str | None:
        """Why they are not available here, or None: they are there or can be fetched."""
        if self._place.exists() or process.find("mmdebstrap"):
            return None
        return "mmdebstrap is not installed"

    def folder(self) -> Path:
        """The folder with the programs, fetched if it is not there.

        Raises `program-missing` without mmdebstrap, `program-failed` without a mirror.
        """
        place = self._place
        place.parent.mkdir(parents=True, exist_ok=True)
        with store.locked(place.parent):
            if not place.exists():
                store.made_folder(place, partial(self._unpack, place))
        return place / "bin"

    def content(self, program: str) -> bytes:
        """The bytes of a program."""
        root = self.folder().with_name("root")
        return (root / _within(root, program)).read_bytes()

    def _unpack(self, place: Path, output: Path) -> None:
        root = output / "root"
        mmdebstrap = process.require("mmdebstrap", packages="mmdebstrap")
        include = ",".join(sorted({*self.packages.values()}))
        options = (f"--aptopt={option}" for option in ("Apt::Install-Recommends false", *proxy_options()))
        # The date of a suite in development may have passed; its signature is checked like the others'.
        source = f"deb [check-valid-until=no] {find_mirror().main} {self.suite} main"
        process.run(
            [mmdebstrap, "--quiet", "--variant=extract", "--format=directory", "--architectures=amd64",
             f"--include={include}", *options, self.suite, root, source],
            timeout=1800,
        )  # fmt: skip
        shutil.rmtree(root / "var")
        for unused in (root / _SHARE).iterdir():
            if unused.name not in self.data:
                shutil.rmtree(unused)
        (output / "bin").mkdir()
        for name in self.packages:
            script = output / "bin" / name
            arguments = self.options.get(name, "").format(root=place / "root")
            script.write_text(_script(place / "root", root, name, arguments))
            script.chmod(0o755)


def xfs_programs(suite: str) -> DebianPrograms:
    """xfs_repair and xfs_db."""
    return DebianPrograms(suite, "xfsprogs", dict.fromkeys(("xfs_repair", "xfs_db"), "xfsprogs"))


def ostree_program(suite: str) -> DebianPrograms:
    """The program ostree."""
    return DebianPrograms(suite, "ostree", {"ostree": "ostree"})


def native_programs(suite: str) -> DebianPrograms:
    """The programs that a native base disk is made with."""
    return DebianPrograms(suite, "native", NATIVE_PROGRAMS)


def xz_program(suite: str) -> DebianPrograms:
    """The program xz."""
    return DebianPrograms(suite, "xz", {"xz": "xz-utils"})


def erofs_programs() -> DebianPrograms:
    """mkfs.erofs and dump.erofs that are new enough for every layer: those of sid."""
    return DebianPrograms("sid", "erofs", dict.fromkeys(("mkfs.erofs", "dump.erofs"), "erofs-utils"))


def squashfs_programs() -> DebianPrograms:
    """sqfstar and unsquashfs that are new enough for every layer: those of Debian 13."""
    return DebianPrograms("trixie", "squashfs", dict.fromkeys(("sqfstar", "unsquashfs"), "squashfs-tools"))


def qemu_for_s390x() -> DebianPrograms:
    """QEMU 10 for s390x, with its firmware."""
    program, data = "qemu-system-s390x", ("qemu",)
    return DebianPrograms("trixie", "qemu", {program: program}, data, {program: "-L {root}/usr/share/qemu"})


def _script(final: Path, root: Path, name: str, options: str) -> str:
    """A script that starts a program in `root`, which will be at `final`, by the release's own loader."""
    libraries = [each for each in _LIBRARIES if (root / each).is_dir()]
    loader = next(each for each in libraries if os.path.lexists(root / each / _LOADER))
    words = [final / loader / _LOADER, "--argv0", name]
    words += ["--library-path", ":".join(str(final / each) for each in libraries)]
    words += [final / _within(root, name), *options.split()]
    # mtools converts names with the C library's modules.
    modules = shlex.quote(str(final / libraries[0] / "gconv"))
    return f'#!/bin/sh\nexport GCONV_PATH={modules}\nexec {shlex.join(map(str, words))} "$@"\n'


def _within(root: Path, program: str) -> str:
    return next(f"{each}/{program}" for each in _FOLDERS if os.path.lexists(root / each / program))
