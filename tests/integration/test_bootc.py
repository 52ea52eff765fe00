"""A base disk made by bootc in the real appliance; in the place of bootc a program that notes what it sees.

bootc itself is not to be had here.  The stand-in looks at its arguments, environment, mounts and source,
leaves what bootc leaves, and ends as bootc does: with the file systems read-only.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from bootimg import process
from bootimg.arch import Arch
from bootimg.cache import Cache, default_root
from bootimg.disk.base import BaseInputs, make_base_disk
from bootimg.disk.gpt import Gpt
from bootimg.errors import BootimgError
from bootimg.events import Events
from bootimg.layer.archive import write_layout_image
from bootimg.layer.fetch import fetch
from bootimg.layer.importer import ImportedCommit
from bootimg.layer.tree import open_tree
from bootimg.manifest.model import Manifest
from bootimg.manifest.reader import read_recipe
from bootimg.manifest.render import BootcOptions
from bootimg.vm.probe import choose_accelerator
from tests.unit import oci
from tests.unit.manifests import rendered

pytestmark = pytest.mark.real
PROGRAMS = ("sh", "env", "cat", "mount", "umount", "mkdir", "chmod", "ls", "ln", "touch", "mkfs.ext4",
            "mkfs.xfs", "mkfs.fat", "e2fsck", "xfs_repair", "fsck.fat", "fstrim")  # fmt: skip
SEEN = "/sysroot/boot/seen"
# bootc imports the layer by itself.
UNUSED = ImportedCommit("0" * 64, "", {}, 0, 0, 0, 0, 0.0, {})
BOOTC = f"""#!/bin/sh
set -e
mkdir -p {SEEN} /sysroot/ostree/deploy/default/deploy/0123.0 /sysroot/boot/loader/entries
for word in "$@"; do echo "$word"; done > {SEEN}/argv
env > {SEEN}/env
cat /proc/mounts > {SEEN}/mounts
source=${{4#oci:}}
cat $source/oci-layout $source/index.json > {SEEN}/source
ls $source/blobs/sha256 > {SEEN}/blobs
ls /dev/sda /dev/null /proc/self/stat /sys/block > {SEEN}/host
touch /var/tmp/writable /tmp/writable
echo "options rw ROOT ostree=/ostree/boot.1/default/0123/0" > /sysroot/boot/loader/entries/ostree-1.conf
echo '{{}}' > /sysroot/.bootc-aleph.json
for target in /sysroot/boot/efi /sysroot/boot /sysroot; do mount -o remount,ro $target; done
"""


@pytest.fixture(scope="module")
def cache() -> Cache:
    """The tests' own cache: the appliance in it is made once."""
    default = default_root().parent / "bootimg-tests"
    return Cache(Path(os.environ.get("BOOTIMG_TEST_CACHE", default)) / "bootimg")


def tool_tree(root: Path, bootc: str) -> Path:
    """A squashfs of this machine's programs, what they are linked with, and the stand-in."""
    for folder in ("dev", "proc", "sys", "tmp", "run", "var", "etc", "sysroot", "usr/bin", "lib64"):
        (root / folder).mkdir(parents=True)
    (root / "bin").symlink_to("usr/bin")
    (root / "usr/bin/bootc").write_text(bootc)
    (root / "usr/bin/bootc").chmod(0o755)
    for name in PROGRAMS:
        found = process.find(name)
        assert found, name
        shutil.copy(found, root / "usr/bin" / name)
        for word in process.run(["ldd", found.resolve()]).stdout.decode().split():
            if word.startswith("/"):
                target = root / word.lstrip("/")
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(word, target)
    output = root.parent / "tools.squashfs"
    process.run(["mksquashfs", root, output, "-no-progress", "-all-root"])
    return output


def make(folder: Path, cache: Cache, *, kargs: str) -> tuple[Path, Gpt, str]:
    """The disk, its partition table and the digest of the image that it was made from."""
    document = rendered(
        selinux_policy=None,
        metal_image_size_mb=1024,
        container_imgref="quay.io/example/os:latest",
        bootc=BootcOptions(stateroot="default"),
    )
    layout = oci.Layout(folder / "image")
    layout.add([oci.bootable()])
    own = Cache(folder / "cache")
    image = fetch(str(layout.path), arch=Arch.X86_64, cache=own, events=Events())
    tree = open_tree(image, own, Events())
    layer_image, disk = folder / "layer.squashfs", folder / "disk.raw"
    write_layout_image(image, own, layer_image)
    inputs = BaseInputs(
        recipe=read_recipe(Manifest.from_json(document)),
        image=image,
        tree=tree,
        commit=UNUSED,
        tools=tree,
        tool_tree=tool_tree(folder / "root", BOOTC.replace("ROOT", kargs)),
        source_image=layer_image,
    )
    gpt = make_base_disk(
        inputs,
        disk,
        log=folder / "log",
        accelerator=choose_accelerator("auto", cache),
        cache=cache,
        events=Events(),
    )
    return disk, gpt, image.digest.removeprefix("sha256:")


class Boot:
    """The boot partition of a disk, read by debugfs."""

    def __init__(self, disk: Path, gpt: Gpt) -> None:
        start, length = gpt.span(3)
        self.image = disk.with_name("boot.img")
        with disk.open("rb") as source, self.image.open("wb") as target:
            source.seek(start)
            target.write(source.read(length))

    def command(self, words: str) -> str:
        done = subprocess.run(["debugfs", "-R", words, self.image], capture_output=True, check=True)
        return done.stdout.decode()

    def text(self, path: str) -> str:
        return self.command(f"cat {path}")


def test_a_disk_that_is_installed_by_bootc(tmp_path: Path, cache: Cache) -> None:
    disk, gpt, digest = make(tmp_path, cache, kargs="$ignition_firstboot")
    boot = Boot(disk, gpt)
    assert boot.text("/seen/argv").splitlines() == [
        *("install", "to-filesystem", "--source-imgref", "oci:/run/bootimg-layer"),
        *("--skip-fetch-check", "--generic-image"),
        *("--karg", "$ignition_firstboot", "--karg", "mitigations=auto,nosmt"),
        *("--target-imgref", "quay.io/example/os:latest", "--stateroot", "default"),
        *("--root-mount-spec=", "--boot-mount-spec=", "--bootupd-skip-boot-uuid", "/sysroot"),
    ]
    assert "BOOTC_SKIP_SELINUX_HOST_CHECK=true" in boot.text("/seen/env").splitlines()
    mounts = {line.split()[1]: line.split()[2:4] for line in boot.text("/seen/mounts").splitlines()}
    for path, kind in (("/sysroot", "xfs"), ("/sysroot/boot", "ext4"), ("/sysroot/boot/efi", "vfat")):
        assert [value[0] for name, value in mounts.items() if name.endswith(path)][-1:] == [kind]
    (source,) = [value for path, value in mounts.items() if path.endswith("/run/bootimg-layer")]
    assert source[0] == "squashfs"
    assert source[1].split(",")[0] == "ro"
    # The image itself, its manifest by the digest that the registry knows.
    assert digest in boot.text("/seen/source")
    assert digest in boot.text("/seen/blobs").split()
    assert "/dev/sda" in boot.text("/seen/host")
    # What came after bootc, on file systems that it left read-only.
    assert "Size: 0" in boot.command("stat /ignition.firstboot")
    assert "ostree-1.conf" in boot.command("ls /loader/entries")


def test_a_bootc_that_passes_over_the_options_is_found_out(tmp_path: Path, cache: Cache) -> None:
    with pytest.raises(BootimgError) as error:
        make(tmp_path, cache, kargs="root=UUID=910678ff-f77e-4a7d-8d53-86f2ac47a823")
    assert error.value.id == "bootc-incomplete"
