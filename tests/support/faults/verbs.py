"""The verbs whose storage fails, and the folder that they work in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.builds.filebuilds import make_file_build
from tests.support.clouds.cloudbuilds import BUILD
from tests.support.layers import oci
from tests.unit.builds.test_meta import make_build

HERE = "{}"
"""Stands for the folder in the words of a verb."""

_BUILDS = ("-o", "{}/builds")
VERBS: Mapping[str, Sequence[str]] = {
    "builds list": ("builds", "list", *_BUILDS, "--json"),
    "builds show": ("builds", "show", BUILD, *_BUILDS, "--json"),
    "builds prune": ("builds", "prune", "--keep-last", "1", *_BUILDS),
    "builds push": ("builds", "push", "s3://bucket/new/builds", *_BUILDS, "--build", BUILD),
    "builds fetch": ("builds", "fetch", "s3://bucket/old/builds", "-o", "{}/out/builds", "--arch", "x86_64",
                     "--artifact", "all"),
    "manifest": ("manifest", "{}/image", "--arch", "x86_64", "--size", "8G"),
    "plan": ("plan", "{}/image", "--arch", "x86_64", *_BUILDS, "--json"),
    "stream generate": ("stream", "generate", f"x86_64={BUILD}", *_BUILDS, "--name", "rhel-9.6",
                        "--no-signatures", "--output", "{}/out/stream.json"),
    "compress": ("compress", BUILD, *_BUILDS, "--compressor", "gzip"),
    "sign": ("sign", BUILD, *_BUILDS, "--command", "{}/signer"),
    "browse": ("browse", "--builds", "{}/builds", "--output", "{}/out/site"),
    "cache list": ("cache", "list", "--json"),
    "cache gc": ("cache", "gc", "--all"),
    "verify": ("verify", "9.6.20261001-0", *_BUILDS, "--purity", "off", "--json"),
    "inspect build": ("inspect", BUILD, *_BUILDS, "--json"),
    "inspect image": ("inspect", "{}/image", "--arch", "x86_64", "--json"),
    "version next": ("version", "next", "--stream", "rhel-9.6", *_BUILDS),
    "build": ("build", "{}/image", "--arch", "x86_64", "-o", "{}/out/builds", "--until", "archive"),
}  # fmt: skip

CHEAP = ("builds list", "builds prune", "manifest", "stream generate", "compress", "cache gc", "plan")
"""What a short run tries."""


def make_start(folder: Path) -> None:
    """What each verb starts with: two builds, one in a bucket, a layer, a signer, something in the cache."""
    make_build(folder / "builds", "9.6.20261001-0")
    make_file_build(folder / "builds", "qemu")
    make_build(folder / "bucket/old/builds", "9.6.20261001-0")
    (folder / "builds-disk.raw").unlink()
    oci.Layout(folder / "image").add([oci.bootable()])
    signer = folder / "signer"
    signer.write_text('#!/bin/sh\necho signed > "$1.sig"\n')
    signer.chmod(0o755)
    for name in ("tmp", "out", "cache/locks", "cache/probe/one"):
        (folder / name).mkdir(parents=True)
    (folder / "cache/probe/one/file").write_text("kept")
    (folder / "cache/CACHEDIR.TAG").write_text("Signature: 8a477f597d28d172789f06886806bc55\n")


def uses_bucket(verb: str) -> bool:
    """Whether the verb has to do with the bucket."""
    return any(word.startswith("s3:") for word in VERBS[verb])


def words_of(verb: str, folder: Path) -> list[str]:
    """The words of a verb that works in the folder."""
    return [word.replace(HERE, str(folder)) for word in VERBS[verb]]
