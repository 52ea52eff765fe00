"""bootimg's own container image: made by buildah of its Containerfile, run by podman as a pod would be."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bootimg import process
from tests.layer import debian, store

Completed = subprocess.CompletedProcess[bytes]
ROOT = Path(__file__).parents[3]
USER = 1000740000
"""A uid as OpenShift gives them: of a range of the namespace's own, and in no passwd file."""
IMAGE = "localhost/bootimg:test"
PROGRAMS = ("buildah", "podman", "mmdebstrap")
BUILD_TIMEOUT, RUN_TIMEOUT = 3600, 2400
# What Debian's own image leaves out.
SLIM = (
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
)
AUTHORITIES = "/usr/local/share/ca-certificates"
# A test that is stopped takes its container with it: all of it is in one process namespace.
UNSHARE = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
# crun refuses a machine that has the old and the new tree of cgroups side by side, even if it is to use none.
SHELL = """
if [ -d /sys/fs/cgroup/unified ]; then
    umount --lazy /sys/fs/cgroup
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
fi
"$@"
"""
# The limits are podman's to lower only: root of a machine that is a container itself may not raise them.
ENGINE = """
[containers]
cgroups = "disabled"
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
"""
STORAGE = """
[storage]
driver = "overlay"
graphroot = "{folder}/storage"
runroot = "{run}/storage"
"""


def why_not() -> str | None:
    """Why no container can be made and run here; None if all that it takes is there."""
    if os.geteuid() != 0:
        return "runs containers with a uid of a pod's: needs root"
    missing = [program for program in PROGRAMS if not process.find(program)]
    return f"needs {', '.join(missing)}" if missing else None


@dataclass(frozen=True)
class Engine:
    """buildah and podman with a storage of the test cache's own: what they made is theirs to find again."""

    folder: Path

    @classmethod
    def of_cache(cls) -> Engine:
        folder = store.test_cache() / "containers"
        folder.mkdir(parents=True, exist_ok=True)
        engine = cls(folder)
        words = {"folder": folder, "run": engine.run_folder}
        for name, text in (("containers.conf", ENGINE), ("storage.conf", STORAGE)):
            (folder / name).write_text(text.format(**words))
        return engine

    @property
    def run_folder(self) -> Path:
        """What shall not outlive a reboot; podman wants the same folder each time."""
        return Path("/run/bootimg-tests") / hashlib.sha256(os.fspath(self.folder).encode()).hexdigest()[:16]

    def __call__(self, *argv: str | Path, timeout: float = BUILD_TIMEOUT) -> Completed:
        own = {"CONTAINERS_CONF": "containers.conf", "CONTAINERS_STORAGE_CONF": "storage.conf"}
        env = {**os.environ, **{name: str(self.folder / file) for name, file in own.items()}}
        words = [*UNSHARE, "sh", "-ec", SHELL, "sh", *map(str, argv)]
        return subprocess.run(words, env=env, capture_output=True, timeout=timeout)

    def do(self, *argv: str | Path) -> None:
        done = self(*argv)
        assert done.returncode == 0, f"{' '.join(map(str, argv))}\n{done.stderr.decode()[-4000:]}"

    def base(self) -> str:
        """Debian's image as far as it matters, made here: where this runs, no registry may be reached."""
        mirror, suite = debian.find_mirror(), suite_of(ROOT / "Containerfile")
        sources = [
            f"deb {mirror.main} {suite} main",
            f"deb {mirror.main} {suite}-updates main",
            f"deb {mirror.security} {suite}-security main",
        ]
        argv = [
            "mmdebstrap", "--quiet", "--variant=minbase",
            *(f"--dpkgopt={option}" for option in SLIM),
            *(f"--aptopt={option}" for option in debian.proxy_options()),
            *_trusting(Path(AUTHORITIES)),
        ]  # fmt: skip
        name = f"localhost/base:{store.key(argv, sources)}"
        with store.locked(self.folder):
            store.sweep(self.folder, "base.*")
            if self("podman", "image", "exists", name).returncode:
                with TemporaryDirectory(prefix="base.", dir=self.folder) as folder:
                    tar = Path(folder) / "base.tar"
                    self.do(*argv, suite, tar, *sources)
                    self.do("podman", "import", "--quiet", tar, name)
        return name

    def make(self, base: str) -> str:
        """The image; buildah does again only the steps whose input changed."""
        with store.locked(self.folder):
            # Working containers of killed builds: they would keep their images for ever.
            self.do("buildah", "rm", "--all")
            self.do(
                "buildah", "bud", "--layers", "--isolation=chroot", "--network=host", "--pull=false",
                f"--build-arg=BASE={base}", f"--tag={IMAGE}", f"--file={ROOT / 'Containerfile'}", ROOT,
            )  # fmt: skip
            # Earlier ones; an image that another run still has a container of stays.
            self("podman", "image", "prune", "--force")
        return IMAGE

    def run(
        self,
        *arguments: str,
        image: str,
        volumes: Mapping[str, Path] | None = None,
        options: Sequence[str] = (),
    ) -> Completed:
        """Run the image with what a pod has: no privileges, no device, no network, no place to write."""
        argv = [
            "podman", "run", "--rm", f"--user={USER}:0", "--cap-drop=all", "--security-opt=no-new-privileges",
            "--network=none", "--read-only", "--read-only-tmpfs=false", "--passwd=false", "--pull=never",
            f"--timeout={RUN_TIMEOUT}",
            *(f"--volume={outside}:{inside}" for inside, outside in (volumes or {}).items()),
            *options,
        ]  # fmt: skip
        return self(*argv, image, *arguments, timeout=RUN_TIMEOUT + 60)


def suite_of(containerfile: Path) -> str:
    """The Debian release that a Containerfile names."""
    found = re.search(r"^ARG BASE=\S+/debian:(\w+)-slim$", containerfile.read_text(), re.MULTILINE)
    assert found
    return found[1]


def _trusting(authorities: Path) -> Iterator[str]:
    """This machine's own certificate authorities: a proxy on the way to the packages may need them."""
    if found := sorted(authorities.glob("*.crt")):
        yield f'--setup-hook=mkdir -p "$1{AUTHORITIES}"'
        yield f'--setup-hook=cp {" ".join(map(str, found))} "$1{AUTHORITIES}/"'
