"""A base disk made by bootc in the real appliance; in the place of bootc a program that notes what it sees.

bootc is on no index that tests could get it from.  The stand-in refuses what bootc 1.16.9 refuses, with its
words: to be PID 1, and a /dev, /var/lib/containers, /var/tmp or /run/udev that is not PID 1's.  It
notes its arguments, mounts and source, reads the image by the real skopeo, looks for podman and bootupctl
where bootc starts them, leaves what bootc leaves without labels, and ends as bootc does: with the file
systems read-only.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from bootimg import process
from bootimg.arch import Arch
from bootimg.cache import Cache, default_root
from bootimg.checks.disksystem import aleph
from bootimg.disk import bootc
from bootimg.disk.base import BaseInputs, disk_gpt, make_base_disks
from bootimg.disk.gpt import Gpt
from bootimg.disk.layer_deploy import DeployWay
from bootimg.disk.xfsread import XfsImage
from bootimg.errors import BootimgError
from bootimg.events import Events
from bootimg.layer.fetching.archive import write_layout_image
from bootimg.layer.fetching.fetch import fetch
from bootimg.layer.importing.importer import ImportedCommit
from bootimg.layer.tree.merged import open_tree
from bootimg.manifest.model import Manifest
from bootimg.manifest.reader import read_recipes
from bootimg.manifest.render import BootcOptions
from bootimg.vm.probe import choose_accelerator
from tests.support.layers import oci
from tests.support.layers.manifests import rendered

pytestmark = pytest.mark.real
PROGRAMS = ("sh", "env", "cat", "mount", "umount", "mkdir", "chmod", "ls", "ln", "touch", "stat", "unshare",
            "skopeo", "setfiles", "mkfs.ext4", "mkfs.xfs", "mkfs.fat", "e2fsck", "xfs_repair", "fsck.fat",
            "fstrim")  # fmt: skip
# bootc starts them; what they do is not of interest here, only that they are found.
EMPTY = ("podman", "bootupctl")
FILE_CONTEXTS = "etc/selinux/targeted/contexts/files/file_contexts"
CONTEXTS = """/.* system_u:object_r:root_t:s0
/boot(/.*)? system_u:object_r:boot_t:s0
"""
# What bootupd writes.
BY_BOOTUPD = ("grub2/grub.cfg", "grub2/grubenv", "grub2/i386-pc/normal.mod", "bootupd-state.json")
SEEN = "/sysroot/boot/seen"
# bootc imports the layer by itself.
UNUSED = ImportedCommit("0" * 64, "", {}, 0, 0, 0, 0, 0.0, {})
BOOTC = f"""#!/bin/sh
set -e
fail() {{ echo "error: Installing to filesystem: $*" >&2; exit 1; }}
test $$ != 1 || fail "This command must be run with the podman --pid=host flag"
for path in /dev /var/lib/containers /var/tmp /run/udev; do
    mkdir -p $path
    what="Comparing filesystems at $path and /proc/1/root/$path"
    test -e /proc/1/root$path || fail "$what: No such file or directory (os error 2)"
    test "$(stat -f -c %i $path)" = "$(stat -f -c %i /proc/1/root$path)" || fail "$what: not the same"
done
manifest=$(skopeo --tmpdir /var/tmp inspect --raw "$4") || fail "Opening image"
found=$(command -v podman) || fail "Creating imgstorage: Initializing images: No such file or directory"
found=$(command -v bootupctl) || fail "bootupd is required for ostree-based installs"
mkdir -p {SEEN} /sysroot/ostree/deploy/default/deploy/0123.0 /sysroot/boot/loader/entries
for word in "$@"; do echo "$word"; done > {SEEN}/argv
echo $$ > {SEEN}/pid
cat /proc/mounts > {SEEN}/mounts
source=${{4#oci:}}
cat $source/oci-layout $source/index.json > {SEEN}/source
printf %s "$manifest" > {SEEN}/manifest
ls $source/blobs/sha256 > {SEEN}/blobs
ls /dev/sda /dev/null /proc/self/stat /sys/block > {SEEN}/host
touch /var/tmp/writable /tmp/writable
echo "options rw ROOT ostree=/ostree/boot.1/default/0123/0" > /sysroot/boot/loader/entries/ostree-1.conf
echo '{{"image":"'$source'","kernel":"'"$(cat /proc/sys/kernel/osrelease)"'","selinux":"disabled"}}' \
    > /sysroot/.bootc-aleph.json
mkdir -p /sysroot/boot/grub2/i386-pc
for name in {" ".join(BY_BOOTUPD)}; do echo > /sysroot/boot/$name; done
for target in /sysroot/boot/efi /sysroot/boot /sysroot; do mount -o remount,ro $target; done
"""


@pytest.fixture(scope="module")
def cache() -> Cache:
    """The tests' own cache: the appliance in it is made once."""
    default = default_root().parent / "bootimg-tests"
    return Cache(Path(os.environ.get("BOOTIMG_TEST_CACHE", default)) / "bootimg")


def tool_tree(root: Path, program: str) -> Path:
    """A squashfs of this machine's programs, what they are linked with, and the stand-in."""
    for folder in ("dev", "proc", "sys", "tmp", "run", "var", "etc", "sysroot", "usr/bin", "lib64"):
        (root / folder).mkdir(parents=True)
    (root / "bin").symlink_to("usr/bin")
    (root / "usr/bin/bootc").write_text(program)
    (root / "usr/bin/bootc").chmod(0o755)
    for name in PROGRAMS:
        copy_program(root, name)
    for name in EMPTY:
        (root / "usr/bin" / name).touch(0o755)
    contexts = root / FILE_CONTEXTS
    contexts.parent.mkdir(parents=True)
    contexts.write_text(CONTEXTS)
    output = root.parent / "tools.squashfs"
    process.run(["mksquashfs", root, output, "-no-progress", "-all-root"])
    return output


def copy_program(root: Path, name: str) -> None:
    """Put this machine's program and what it is linked with into a tree."""
    found = process.find(name)
    assert found, name
    shutil.copy(found, root / "usr/bin" / name)
    for word in process.run(["ldd", found.resolve()]).stdout.decode().split():
        if word.startswith("/"):
            target = root / word.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(word, target)


def make(folder: Path, cache: Cache, *, kargs: str) -> tuple[Path, Gpt, str]:
    """The disk, its partition table and the digest of the image that it was made from."""
    document = rendered(
        selinux_policy="targeted",
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
        way=DeployWay.APPLIANCE,
        recipe=read_recipes(Manifest.from_json(document))[512],
        image=image,
        tree=tree,
        commit=UNUSED,
        tools=tree,
        tool_tree=tool_tree(folder / "root", BOOTC.replace("ROOT", kargs)),
        source_image=layer_image,
    )
    make_base_disks(
        [(inputs, disk)],
        log=folder / "log",
        accelerator=choose_accelerator("auto", cache),
        cache=cache,
        events=Events(),
    )
    return disk, disk_gpt(inputs.recipe.disk, image.digest), image.digest.removeprefix("sha256:")


def partition(disk: Path, gpt: Gpt, number: int) -> Path:
    """A partition of a disk as a file of its own."""
    (start, length), image = gpt.span(number), disk.with_name(f"partition-{number}")
    words = [f"if={disk}", f"of={image}", "bs=1M", "iflag=skip_bytes,count_bytes", f"skip={start}"]
    process.run(["dd", *words, f"count={length}", "conv=sparse", "status=none"])
    return image


class Boot:
    """The boot partition of a disk, read by debugfs."""

    def __init__(self, disk: Path, gpt: Gpt) -> None:
        self.image = partition(disk, gpt, 3)

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
    # The first that the shell has started, which is PID 1.
    assert boot.text("/seen/pid") == "2\n"
    mounts = {line.split()[1]: line.split()[2:4] for line in boot.text("/seen/mounts").splitlines()}
    for path, kind in (("/sysroot", "xfs"), ("/sysroot/boot", "ext4"), ("/sysroot/boot/efi", "vfat")):
        assert [value[0] for name, value in mounts.items() if name.endswith(path)][-1:] == [kind]
    (source,) = [value for path, value in mounts.items() if path.endswith("/run/bootimg-layer")]
    assert source[0] == "squashfs"
    assert source[1].split(",")[0] == "ro"
    # The image itself, its manifest by the digest that the registry knows, as skopeo reads it there.
    assert hashlib.sha256(boot.text("/seen/manifest").encode()).hexdigest() == digest
    assert digest in boot.text("/seen/source")
    assert digest in boot.text("/seen/blobs").split()
    assert "/dev/sda" in boot.text("/seen/host")
    # What came after bootc, on file systems that it left read-only.
    assert "Size: 0" in boot.command("stat /ignition.firstboot")
    assert "ostree-1.conf" in boot.command("ls /loader/entries")
    for name in ("ignition.firstboot", "loader/entries/ostree-1.conf", *BY_BOOTUPD):
        assert "system_u:object_r:boot_t:s0" in boot.command(f"ea_get /{name} security.selinux"), name
    # Neither the appliance's path of the image nor the building machine's kernel.
    assert aleph(XfsImage(partition(disk, gpt, 4))) == {
        "image": "quay.io/example/os:latest",
        "selinux": "disabled",
    }


def test_bootc_refuses_the_appliance_s_own_process_1(
    tmp_path: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stand-in tells what the real one does where bootc runs in the virtual machine's PID namespace."""
    monkeypatch.setattr(bootc, "_OWN_PIDS", ())
    with pytest.raises(BootimgError) as error:
        make(tmp_path, cache, kargs="$ignition_firstboot")
    assert error.value.id == "appliance-command-failed"
    assert "Comparing filesystems at /var/lib/containers and /proc/1/root" in str(error.value.as_dict())


def test_a_bootc_that_passes_over_the_options_is_found_out(tmp_path: Path, cache: Cache) -> None:
    with pytest.raises(BootimgError) as error:
        make(tmp_path, cache, kargs="root=UUID=910678ff-f77e-4a7d-8d53-86f2ac47a823")
    assert error.value.id == "bootc-incomplete"
