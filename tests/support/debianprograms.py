"""Programs of other Debian releases, unpacked and run through their own loader and libraries."""

from __future__ import annotations

import shlex
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bootimg import process
from tests.layer import store
from tests.layer.debian import find_mirror

_PROGRAMS = {"xfsprogs": ("usr/sbin", ("xfs_repair", "xfs_db")), "ostree": ("usr/bin", ("ostree",))}
_LIBRARIES = "usr/lib/x86_64-linux-gnu"
_UNUSED = ("usr/share", "var")


@dataclass(frozen=True)
class Package:
    """A package of a release, in the tests' cache."""

    suite: str
    name: str

    @property
    def _place(self) -> Path:
        return store.test_cache() / "debian-programs" / f"{self.name}-{self.suite}"

    def why_not(self) -> str | None:
        """Why it cannot be had here, or None: it is there or can be fetched."""
        if self._place.exists() or process.find("mmdebstrap"):
            return None
        return "mmdebstrap is not installed"

    def programs(self) -> Path:
        """The folder with the programs, fetched if it is not there; `program-failed` where that fails."""
        place = self._place
        place.parent.mkdir(parents=True, exist_ok=True)
        with store.locked(place.parent):
            if not place.exists():
                store.made_folder(place, partial(self._unpack, place))
        return place / "bin"

    def content(self, program: str) -> bytes:
        """The bytes of a program."""
        folder, _ = _PROGRAMS[self.name]
        return (self.programs().with_name("root") / folder / program).read_bytes()

    def _unpack(self, place: Path, output: Path) -> None:
        apt = "--aptopt=Apt::Install-Recommends false"
        argv: list[str | Path] = ["mmdebstrap", "--quiet", "--variant=extract", "--architectures=amd64", apt]
        # The date of a suite in development may have passed; its signature is checked like the others'.
        source = f"deb [check-valid-until=no] {find_mirror().main} {self.suite} main"
        root = output / "root"
        process.run([*argv, "--format=directory", f"--include={self.name}", self.suite, root, source],
                    timeout=1800)  # fmt: skip
        for unused in _UNUSED:
            shutil.rmtree(root / unused)
        (output / "bin").mkdir()
        [loader] = root.glob(f"{_LIBRARIES}/ld-linux-x86-64.so.2")
        folder, names = _PROGRAMS[self.name]
        for name in names:
            final = place / "root"
            words = [final / loader.relative_to(root), "--argv0", name]
            words += ["--library-path", final / _LIBRARIES, final / folder / name]
            script = output / "bin" / name
            script.write_text(f'#!/bin/sh\nexec {shlex.join(map(str, words))} "$@"\n')
            script.chmod(0o755)
