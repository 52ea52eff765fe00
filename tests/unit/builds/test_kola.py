"""kola finds its images in a build of ours.

What it reads (coreos-assembler: mantle/cmd/kola/options.go, mantle/util, pkg/builds):
`builds/latest/<arch>/meta.json`, strictly, so that a key it does not know is an error; the distribution
by `name`; the image of the platform qemu by `images.qemu.path`, that of qemu-iso by `images.live-iso.path`,
and for installations the live kernel, initramfs and rootfs and the metal images, all beside meta.json.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bootimg.arch import Arch
from bootimg.builds.expected import expect
from bootimg.builds.folder import open_build
from bootimg.builds.layout import artifact_name
from bootimg.builds.meta import image_entry, layer_meta
from bootimg.builds.record import RECORD
from bootimg.platform import platforms
from tests.unit.builds.test_meta import DATA, identity, make_build, written

READ = {
    "qemu": "qcow2", "metal": "raw", "metal4k": "raw",
    "live-iso": "iso", "live-kernel": "", "live-initramfs": "img", "live-rootfs": "img",
}  # fmt: skip
DISTRIBUTIONS = {"rhcos", "scos", "fedora-coreos"}


def kola_build(builds: Path, arch: Arch) -> None:
    """A build with everything that kola reads."""
    make_build(builds, "1", arch)
    with open_build(builds, "1", arch) as build:
        for key, suffix in READ.items():
            name = artifact_name("rhcos", "1", key, arch, suffix)
            made = written(build.scratch / name, key.encode())
            build.publish(made.path, name)
            build.replace_image(key, image_entry(made, skip_compression=key.startswith("live-")))
        expect(build.path, READ)


def strict(meta: dict[str, Any]) -> None:
    """Go's decoder with DisallowUnknownFields; the types are generated from the schema."""
    path = DATA / "meta-v1.schema.json"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    schema = json.loads(path.read_text())
    assert set(meta) <= set(schema["properties"])
    assert set(meta["images"]) <= set(schema["properties"]["images"]["properties"])
    for entry in meta["images"].values():
        assert set(entry) <= set(schema["definitions"]["artifact"]["properties"])


@pytest.mark.parametrize("arch", Arch)
def test_kola_finds_qemu_metal_and_live(tmp_path: Path, arch: Arch) -> None:
    kola_build(tmp_path, arch)
    folder = tmp_path / "latest" / arch
    meta = json.loads((folder / "meta.json").read_text())
    strict(meta)
    assert meta["name"] in DISTRIBUTIONS
    assert meta["buildid"] == "1"
    assert meta["coreos-assembler.basearch"] == arch
    for key in READ:
        file = folder / meta["images"][key]["path"]
        assert file.parent == folder, "the path is a file's name alone"
        assert file.read_bytes() == key.encode()
    # kola takes the distribution of an image that is given by its path from the file's name.
    assert meta["images"]["qemu"]["path"].startswith(f"{meta['name']}-")


def test_what_meta_json_has_no_key_for_is_kept_beside_it(tmp_path: Path) -> None:
    kola_build(tmp_path, Arch.X86_64)
    folder = tmp_path / "1" / "x86_64"
    assert json.loads((folder / RECORD).read_text())["asked"] == sorted(READ)
    assert not any(key.startswith("bootimg") for key in json.loads((folder / "meta.json").read_text()))


def test_all_that_a_layer_and_the_platforms_put_into_meta_json_is_known(tmp_path: Path) -> None:
    labels = {
        "org.opencontainers.image.source": "https://example.org/x",
        "org.opencontainers.image.revision": "f00ba",
        "org.opencontainers.image.description": "d",
        "com.coreos.stream": "rhel-9.6",
    }
    meta = layer_meta(identity(labels=labels))
    entry = image_entry(written(tmp_path / "x", b"x"), skip_compression=True)
    meta["images"] = {each.image_key: entry for each in platforms().values()}
    strict(meta)
