"""Python of another architecture with what bootimg imports, run by QEMU's user-mode emulation.

Everything is Debian's or PyPI's, unpacked as data and kept in the tests' cache: no package is installed, and
no program is registered with the kernel.
"""

from __future__ import annotations

import shutil
import sys
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import distribution, version
from pathlib import Path

from bootimg import process
from bootimg.arch import Arch
from tests.layer import store
from tests.layer.debian import find_mirror, proxy_options

ROOT = Path(__file__).parents[3]
_SUITE, _PYTHON = "bookworm", "3.11"
# What the writers of file systems import, for architectures without wheels.  zlib-ng, which only compresses,
# is not among it.  Not all mirrors have the stable suites of these architectures.
_NEWER_SUITE = "forky"
_MODULES = ("python3", "python3-isal", "python3-yaml", "python3-zstandard", "python3-simpleeval")
_MACHINES_WITH_WHEELS = (Arch.X86_64, Arch.AARCH64)
# What bootimg imports, in the versions that this process has: other ones could write other bytes.
_WHEELS = ("Jinja2", "click", "isal", "PyYAML", "rich", "simpleeval", "zlib-ng", "zstandard")
_PACKAGES = {"bootimg": "bootimg", "bootimg_platforms": "platforms", "bootimg_uploaders": "uploaders",
             "bootimg_manifests": "osbuild-manifests", "bootimg_pipelines": "pipelines",
             "tests": "tests"}  # fmt: skip
_PLATFORMS = ("manylinux2014_{0}", "manylinux_2_17_{0}", "manylinux_2_28_{0}")
_DEBIAN_SITE = "usr/lib/python3/dist-packages"
_HOUR = 3600.0


@dataclass(frozen=True)
class ForeignPython:
    """A Python for `arch`: whole where PyPI has wheels, else with what the writers of file systems need."""

    arch: Arch

    @property
    def emulator(self) -> str:
        """The name of QEMU's program."""
        return f"qemu-{self.arch}-static"

    def why_not(self) -> str | None:
        """Why it cannot be had here, or None: it is there or can be fetched."""
        if self._place.exists():
            return None
        if self._has_wheels and sys.version_info[:2] != tuple(map(int, _PYTHON.split("."))):
            return f"Debian's Python for {self.arch} is {_PYTHON}, this one is another"
        return None if process.find("mmdebstrap") else "mmdebstrap is not installed"

    def run(self, tree: Path, *words: str | Path) -> bytes:
        """The output of Python with these arguments; `tree` is a folder of `installed`."""
        place = self._folder()
        root = place / "root"
        argv = [place / self.emulator, "-L", root, root / "usr/bin/python3", *words]
        env = {
            "PYTHONPATH": f"{tree}:{place / 'site' if self._has_wheels else root / _DEBIAN_SITE}",
            "PYTHONHOME": str(root / "usr"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        return process.run(argv, env=env, timeout=_HOUR).stdout

    @property
    def _has_wheels(self) -> bool:
        return self.arch in _MACHINES_WITH_WHEELS

    @property
    def _place(self) -> Path:
        versions = {name: version(name) for name in _WHEELS}
        key = store.key(self.arch.value, _SUITE, versions, Path(__file__))
        return store.test_cache() / "foreign-python" / f"{self.arch}-{key}"

    def _folder(self) -> Path:
        place = self._place
        place.parent.mkdir(parents=True, exist_ok=True)
        with store.locked(place.parent):
            return place if place.exists() else store.made_folder(place, self._fetch)

    def _fetch(self, output: Path) -> None:
        suite, packages = (_SUITE, ("python3",)) if self._has_wheels else (_NEWER_SUITE, _MODULES)
        _unpack(output / "root", self.arch.row.names.debian, packages, suite)
        for unused in ("usr/share", "var", "boot"):
            shutil.rmtree(output / "root" / unused, ignore_errors=True)
        # Suites since Debian 13 leave these to a hook; the loader is looked for in them.
        for name in ("lib", "lib64"):
            if not (output / "root" / name).exists() and (output / "root/usr" / name).exists():
                (output / "root" / name).symlink_to(f"usr/{name}")
        here = Arch.of_machine().row.names.debian
        _unpack(output / "emulators", here, ["qemu-user-static"])
        shutil.move(output / "emulators/usr/bin" / self.emulator, output / self.emulator)
        shutil.rmtree(output / "emulators")
        if self._has_wheels:
            _fetch_wheels(output, self.arch)


def installed(folder: Path) -> Path:
    """A folder that has bootimg, its plugins and these tests as if they were installed there."""
    for name, source in _PACKAGES.items():
        (folder / name).symlink_to(ROOT / source)
    own = distribution("bootimg")
    info = folder / f"bootimg-{own.version}.dist-info"
    info.mkdir()
    for name in ("METADATA", "entry_points.txt"):
        (info / name).write_text(own.read_text(name) or "")
    return folder


def _unpack(root: Path, debian: str, packages: Iterable[str], suite: str = _SUITE) -> None:
    program = process.require("mmdebstrap", packages="mmdebstrap")
    options = (f"--aptopt={option}" for option in ("Apt::Install-Recommends false", *proxy_options()))
    process.run(
        [program, "--quiet", "--variant=extract", "--format=directory", "--skip=check/qemu",
         f"--architectures={debian}", f"--include={','.join(packages)}", *options, suite, root,
         f"deb [check-valid-until=no] {find_mirror().main} {suite} main"],
        timeout=_HOUR,
    )  # fmt: skip


def _fetch_wheels(output: Path, arch: Arch) -> None:
    folder, name = output / "wheels", arch.row.names.rpm
    platforms = (word for each in _PLATFORMS for word in ("--platform", each.format(name)))
    wheels = [f"{each}=={version(each)}" for each in _WHEELS]
    process.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:",
         "--python-version", _PYTHON, *platforms, "--dest", folder, *wheels],
        timeout=_HOUR,
    )  # fmt: skip
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(output / "site")
    shutil.rmtree(folder)
