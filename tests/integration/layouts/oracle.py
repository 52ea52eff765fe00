"""The ecosystem's own deploy, `ostree container image deploy` of ostree-ext, on a scratch sysroot.

Everything here runs as root on this machine: the commits have owners and labels, the sysroot is bare.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bootimg.layer.ostree.libostree import interpreter
from tests.layer import tools
from tests.support.layers import oci

STATEROOT = "rhcos"
TARGET = "ostree-unverified-registry:quay.example/os/rhcos:latest"
KARGS = ("rw", "mitigations=auto,nosmt")
_COMMIT = """
import json, sys, gi
gi.require_version("OSTree", "1.0")
from gi.repository import Gio, OSTree
repo = OSTree.Repo.new(Gio.File.new_for_path(sys.argv[1]))
repo.open(None)
_, commit, _ = repo.load_commit(sys.argv[2])
metadata, subject, body = (commit.get_child_value(number).unpack() for number in (0, 3, 4))
json.dump([metadata, OSTree.commit_get_parent(commit), OSTree.commit_get_timestamp(commit), subject, body],
          sys.stdout)
"""


def require() -> None:
    """Skip, with the reason, where the real tool cannot run."""
    if os.geteuid() != 0:
        pytest.skip("needs root: ostree's sysroots have real owners and labels")
    for program in ("ostree", "skopeo"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")
    if reason := tools.why_not(tools.OSTREE_EXT):
        pytest.skip(f"ostree-ext cannot be compiled: {reason}")


def run(*argv: str | Path) -> str:
    return subprocess.run([*map(str, argv)], check=True, stdout=subprocess.PIPE, text=True).stdout


def libostree_version() -> tuple[int, int]:
    match = re.search(r"Version: '(\d+)\.(\d+)'", run("ostree", "--version"))
    assert match
    return int(match[1]), int(match[2])


def commit(root: Path, repo: Path) -> str:
    """Commit a folder as rpm-ostree would, with the labels of its own policy."""
    run("ostree", f"--repo={repo}", "init", "--mode=bare-user")
    return run(
        "ostree", f"--repo={repo}", "commit", "--branch=b", "--subject=Tiny", "--bootable",
        "--timestamp=2026-01-01T00:00:00Z", f"--selinux-policy={root}", f"--tree=dir={root}",
        "--add-metadata-string=version=9.6.20261101-0", "--fsync=false",
    ).strip()  # fmt: skip


def encapsulate(repo: Path, output: Path, chunks: int) -> Path:
    """Export the commit into an OCI directory: one layer, or one for the commit and `chunks` for files."""
    labels = [f"--label={name}={value}" for name, value in oci.LABELS.items() if name != "ostree.bootable"]
    split = [f"--contentmeta={_content_meta(repo, chunks)}"] if chunks else []
    run(tools.program(tools.OSTREE_EXT), "container", "encapsulate", f"--repo={repo}", *labels, *split,
        "b", f"oci:{output}")  # fmt: skip
    return output


def _content_meta(repo: Path, chunks: int) -> Path:
    listed = run("ostree", f"--repo={repo}", "ls", "-R", "-C", "b").splitlines()
    sums = sorted({line.split(maxsplit=5)[4] for line in listed if not line.startswith("d")})
    names = [f"chunk{number}" for number in range(chunks)]
    meta = {
        "version": 1,
        "layers": {name: name for name in names},
        "mapping": {each: names[number % chunks] for number, each in enumerate(sums)},
    }
    described = repo.with_name("contentmeta.json")
    described.write_text(json.dumps(meta))
    return described


def derive(layout: Path, layers: Sequence[bytes]) -> Path:
    """Add layers to the image of an OCI directory, as a Containerfile would."""
    index = json.loads((layout / "index.json").read_bytes())
    manifest = json.loads(_blob(layout, index["manifests"][0]["digest"]).read_bytes())
    config = json.loads(_blob(layout, manifest["config"]["digest"]).read_bytes())
    added = oci.Layout.__new__(oci.Layout)
    added.blobs = layout / "blobs/sha256"
    for data in layers:
        packed = oci.compress(data, "gzip")
        manifest["layers"].append(oci.descriptor(f"{oci.OCI}layer.v1.tar+gzip", added.blob(packed), packed))
        config["rootfs"]["diff_ids"].append(oci.digest(data))
        config["history"].append({"created_by": "RUN"})
    settings = json.dumps(config).encode()
    manifest["config"] = oci.descriptor(f"{oci.OCI}config.v1+json", added.blob(settings), settings)
    data = json.dumps(manifest).encode()
    index["manifests"] = [oci.descriptor(f"{oci.OCI}manifest.v1+json", added.blob(data), data)]
    (layout / "index.json").write_text(json.dumps(index))
    return layout


def _blob(layout: Path, digest: str) -> Path:
    return layout / "blobs/sha256" / digest.removeprefix("sha256:")


@dataclass(frozen=True)
class Sysroot:
    """A sysroot with one deployment."""

    path: Path

    @property
    def repo(self) -> Path:
        return self.path / "ostree/repo"

    @property
    def refs(self) -> dict[str, str]:
        """The commits of the images' and layers' refs."""
        heads = self.repo / "refs/heads"
        files = [path for path in heads.glob("ostree/container/**/*") if path.is_file()]
        return {str(path.relative_to(heads)): path.read_text().strip() for path in files}

    @property
    def origin(self) -> str:
        return next(self.path.glob("ostree/deploy/*/deploy/*.origin")).read_text().strip()

    @property
    def entry(self) -> list[str]:
        """The boot entry, without what names the commit."""
        text = next(self.path.glob("boot/loader/entries/*.conf")).read_text()
        return sorted(
            re.sub(r"(ostree[/=][^ ]*/)[^/ ]+-[0-9a-f]{64}|/[0-9a-f]{64}/", r"\1", text).splitlines()
        )

    @property
    def root(self) -> Path:
        return next(path for path in self.path.glob("ostree/deploy/*/deploy/*") if path.is_dir())


def empty_sysroot(path: Path) -> Sysroot:
    (path / "boot").mkdir(parents=True)
    run("ostree", "admin", "init-fs", "--modern", path)
    run("ostree", "admin", "os-init", STATEROOT, f"--sysroot={path}")
    return Sysroot(path)


def removable(sysroot: Sysroot) -> Sysroot:
    """The sysroot without the flag that ostree sets on a deployment, so that the test's folder can go."""
    run("chattr", "-i", sysroot.root)
    return sysroot


def deploy(image: str, path: Path) -> Sysroot:
    """What the real tool leaves."""
    sysroot = empty_sysroot(path)
    run(tools.program(tools.OSTREE_EXT), "container", "image", "deploy", f"--sysroot={path}",
        f"--stateroot={STATEROOT}", f"--imgref=ostree-unverified-image:{image}",
        f"--target-imgref={TARGET}", *(f"--karg={karg}" for karg in KARGS))  # fmt: skip
    return removable(sysroot)


def tree_of(repo: Path, ref: str) -> list[str]:
    """Every path with mode, owner and checksums, which cover content, xattrs and labels."""
    return run("ostree", f"--repo={repo}", "ls", "-R", "-C", ref).splitlines()


def commit_of(repo: Path, ref: str) -> Mapping[str, Any]:
    """What a commit says beside its tree; the documents in it are parsed, for their keys have no order."""
    checksum = run("ostree", f"--repo={repo}", "rev-parse", ref).strip()
    found = run(interpreter(), "-I", "-c", _COMMIT, repo, checksum)
    metadata, parent, timestamp, subject, body = json.loads(found)
    for key in ("ostree.manifest", "ostree.container.image-config"):
        if key in metadata:
            metadata[key] = json.loads(metadata[key])
    return {
        "metadata": metadata, "parent": parent, "timestamp": timestamp, "subject": subject, "body": body,
    }  # fmt: skip
