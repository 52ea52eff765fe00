import json
import os
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bootimg import process
from bootimg.disk.blsentry import append_options, remove_options
from bootimg.disk.bootpatch import (
    BootEdits,
    Patch,
    console_cfg,
    make_patch,
    platform_edits,
    read_boot_files,
)
from bootimg.disk.ext4edit import Ext4Image
from bootimg.disk.extents import FileSource, copy_sparse, data_chunks
from bootimg.errors import BootimgError
from bootimg.platform import Console
from bootimg.sizes import MIB

START, LENGTH = 3 * MIB, 48 * MIB
BOOT_T = "system_u:object_r:boot_t:s0"
ENTRY = """title Stand-in 9.6 (ostree:0)
version 1
options rw $ignition_firstboot ostree=/ostree/boot.1/standin/abc/0
linux /boot/ostree/standin-abc/vmlinuz-6.12
initrd /boot/ostree/standin-abc/initramfs-6.12.img
grub_users ""
"""
PLATFORMS = json.dumps({"qemu": {"kernel_arguments": ["console=tty0"]}}).encode()
CONSOLE = Console(
    ("serial --speed=115200", "terminal_input serial console"), ("console=tty0", "console=ttyS0")
)
QEMU = platform_edits("qemu", CONSOLE, platforms_json=PLATFORMS, label=BOOT_T)

needs_e2fsprogs = pytest.mark.skipif(
    not (process.find("debugfs") and process.find("mke2fs")), reason="e2fsprogs is not installed"
)
pytestmark = needs_e2fsprogs


@dataclass(frozen=True)
class Disk:
    path: Path
    scratch: Path

    def patch(self, edits: BootEdits) -> Patch:
        with FileSource(self.path) as source:
            return make_patch(source, START, LENGTH, edits, scratch=self.scratch)

    def patched(self, edits: BootEdits, name: str = "patched") -> "Disk":
        copy = self.path.with_name(name)
        with FileSource(self.path) as source:
            copy_sparse(source, copy)
        self.patch(edits).apply(copy)
        return replace(self, path=copy)

    def partition(self, name: str = "p3") -> Ext4Image:
        image = self.scratch / name
        with FileSource(self.path) as source:
            copy_sparse(source, image, offset=START, length=LENGTH)
        return Ext4Image(image)


def make_disk(folder: Path, tree: Path, *, entry: str = ENTRY, size: int = LENGTH) -> Disk:
    (tree / "loader.1" / "entries").mkdir(parents=True)
    (tree / "loader").symlink_to("loader.1")
    (tree / "loader.1/entries/ostree-1-standin.conf").write_text(entry, errors="surrogateescape")
    (tree / "boot").symlink_to(".")
    (tree / "ostree").mkdir()
    (tree / "ostree/vmlinuz").write_bytes(os.urandom(MIB))
    (tree / "ignition.firstboot").touch()
    image, disk = folder / "boot.img", folder / "disk"
    with image.open("wb") as file:
        file.truncate(size)
    features = ["-O", "metadata_csum_seed", "-L", "boot", "-U", "96d15588-3596-4b3c-adca-a2ff7279ea63"]
    owner = ["-E", "root_owner=0:0"]
    process.run(["mke2fs", "-q", "-t", "ext4", *features, *owner, "-d", tree, image])
    label = folder / "label"
    label.write_bytes(BOOT_T.encode() + b"\0")
    paths = ["/", "/loader.1/entries/ostree-1-standin.conf", "/grub2"]
    commands = [f"ea_set -f {label} {path} security.selinux" for path in paths]
    names = ["/loader.1", "/loader.1/entries", paths[1]]
    commands += [f"set_inode_field {name} {field} 0" for name in names for field in ("uid", "gid")]
    process.run(["debugfs", "-w", "-f", "-", image], input="\n".join(commands).encode() + b"\n")
    with disk.open("wb") as file:
        file.truncate(START + size + MIB)
    with FileSource(image) as source, disk.open("r+b") as file:
        for at, length in data_chunks(source, 0, size, MIB):
            file.seek(START + at)
            file.write(source.read(at, length))
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    return Disk(disk, scratch)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Disk:
    """Made once; a test takes a copy."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "tree/grub2").mkdir(parents=True)
    return make_disk(folder, folder / "tree")


@pytest.fixture
def disk(made: Disk, tmp_path: Path) -> Disk:
    disk, scratch = tmp_path / "disk", tmp_path / "scratch"
    scratch.mkdir()
    with FileSource(made.path) as source:
        copy_sparse(source, disk)
    return Disk(disk, scratch)


@pytest.mark.parametrize("name", ["a b", "a,b", "a?b=c", "LABEL=x", 'a"b', "a\nb", "a:b", "%d", "-o"])
def test_the_folder_of_temporary_files_has_any_name(disk: Disk, name: str) -> None:
    (disk.scratch / name).mkdir()
    assert replace(disk, scratch=disk.scratch / name).patch(QEMU) == disk.patch(QEMU)


def test_a_platform_is_what_the_edits_say(disk: Disk) -> None:
    patched = disk.patched(QEMU)
    with FileSource(patched.path) as source:
        files = read_boot_files(source, START, LENGTH, scratch=disk.scratch)
    assert files.options == (
        "rw", "$ignition_firstboot", "ostree=/ostree/boot.1/standin/abc/0",
        "ignition.platform.id=qemu", "console=tty0", "console=ttyS0",
    )  # fmt: skip
    assert list(files.entries) == ["ostree-1-standin.conf"]
    before = [line for line in ENTRY.splitlines() if not line.startswith("options")]
    after = files.entries["ostree-1-standin.conf"].splitlines()
    assert [line for line in after if not line.startswith("options")] == before
    assert files.console_cfg == (
        "\n# CONSOLE-SETTINGS-START\nserial --speed=115200\nterminal_input serial console\n"
        "# CONSOLE-SETTINGS-END\n"
    )
    assert files.platforms_json == PLATFORMS
    assert files.firstboot == b""


def test_an_entry_that_is_not_utf_8_keeps_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "tree/grub2").mkdir(parents=True)
    odd = ENTRY.replace("Stand-in", "\udcff\udcfe")
    disk = make_disk(tmp_path, tmp_path / "tree", entry=odd)
    with FileSource(disk.patched(QEMU).path) as source:
        (entry,) = read_boot_files(source, START, LENGTH, scratch=disk.scratch).entries.values()
    assert entry.encode(errors="surrogateescape").startswith(b"title \xff\xfe 9.6")
    assert "ignition.platform.id=qemu" in entry


def test_modes_owners_and_labels_are_right(disk: Disk) -> None:
    image = disk.patched(QEMU).partition()
    for path, mode in (
        ("/loader/entries/ostree-1-standin.conf", 0o100644),
        ("/grub2/console.cfg", 0o100644),
        ("/coreos", 0o040755),
        ("/coreos/platforms.json", 0o100644),
    ):
        inode = image.inode(path)
        assert inode is not None
        assert (inode.mode, inode.uid, inode.gid) == (mode, 0, 0), path
        assert image.label(path) == BOOT_T, path
    value = disk.scratch / "raw-label"
    process.run(["debugfs", "-R", f"ea_get -f {value} /coreos security.selinux", image.path])
    assert value.read_bytes() == BOOT_T.encode() + b"\0"


def test_e2fsck_is_content_and_only_partition_3_changes(disk: Disk) -> None:
    patch = disk.patch(QEMU)
    assert patch.blocks
    assert all(START <= offset < START + LENGTH and offset % 4096 == 0 for offset, _ in patch.blocks)
    assert all(len(data) == 4096 for _, data in patch.blocks)
    assert patch.length < MIB
    image = disk.patched(QEMU).partition()
    assert process.run(["e2fsck", "-fn", image.path], check=False).returncode == 0


def test_the_base_disk_is_only_read_and_the_patch_is_the_same_again(disk: Disk) -> None:
    before = disk.path.read_bytes()
    disk.path.chmod(0o444)
    first = disk.patch(QEMU)
    time.sleep(1.1)
    assert disk.patch(QEMU) == first
    assert disk.path.read_bytes() == before
    assert list(disk.scratch.iterdir()) == []


def test_all_entries_get_the_arguments_in_order(disk: Disk) -> None:
    extra = disk.scratch / "extra.conf"
    extra.write_text("title b\noptions  only\tone \nlinux /x\n")
    image = disk.partition()
    commands = f"cd /loader/entries\nwrite {extra} ostree-2-standin.conf\nwrite {extra} notes.txt\n"
    process.run(["debugfs", "-w", "-f", "-", image.path], input=commands.encode())
    with disk.path.open("r+b") as file:
        file.seek(START)
        file.write(image.path.read_bytes())
    patched = disk.patched(BootEdits(("a=1", "b")))
    with FileSource(patched.path) as source:
        files = read_boot_files(source, START, LENGTH, scratch=disk.scratch)
    options = [line for text in files.entries.values() for line in text.splitlines() if "options" in line]
    assert [line.split()[-2:] for line in options] == [["a=1", "b"], ["a=1", "b"]]
    assert patched.partition().content("/loader/entries/notes.txt") == extra.read_bytes()


def test_without_grub2_there_is_no_console_cfg(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    bare = make_disk(tmp_path, tmp_path / "tree").patched(QEMU)
    with FileSource(bare.path) as source:
        files = read_boot_files(source, START, LENGTH, scratch=bare.scratch)
    assert files.console_cfg is None
    assert files.platforms_json == PLATFORMS


def test_a_second_edit_replaces_files_and_keeps_labels(disk: Disk) -> None:
    once = disk.patched(QEMU, "once")
    other = BootEdits(("more",), ("x",), b"{}", label="system_u:object_r:other_t:s0")
    image = once.patched(other, "twice").partition()
    assert image.content("/coreos/platforms.json") == b"{}"
    assert image.content("/grub2/console.cfg") == console_cfg(["x"]).encode()
    assert image.label("/grub2/console.cfg") == BOOT_T
    image.check_clean()


def test_no_edits_no_patch(disk: Disk) -> None:
    assert disk.patch(BootEdits()) == Patch()


def test_options_are_appended_to_options_lines_alone() -> None:
    entry = "title options here\noptions a b  \noptions\tc\nlinux /l\noptionsx d"
    assert append_options(entry, ["x", "y"]) == (
        "title options here\noptions a b x y\noptions\tc x y\nlinux /l\noptionsx d\n"
    )
    assert append_options("options a", ["x"]) == "options a x\n"
    quoted = append_options('options a="1  2"\n', ["x", 'y="3  4"'])
    assert quoted == 'options a="1  2" x y="3  4"\n'
    assert remove_options(quoted, ("x", 'y="3  4"')) == 'options a="1  2"\n'
    assert append_options(entry, []) == entry


def test_a_full_partition_is_an_error_that_names_the_file(disk: Disk) -> None:
    with pytest.raises(BootimgError) as caught:
        disk.patch(BootEdits(platforms_json=os.urandom(60 * MIB)))
    assert caught.value.id == "boot-edit-failed"
    assert "/boot/coreos/platforms.json" in caught.value.message


def test_a_filesystem_damaged_before_is_found(disk: Disk) -> None:
    image = disk.partition()
    process.run(["debugfs", "-w", "-R", "set_inode_field /ostree/vmlinuz links_count 7", image.path])
    with disk.path.open("r+b") as file:
        file.seek(START)
        file.write(image.path.read_bytes())
    with pytest.raises(BootimgError) as caught:
        disk.patch(QEMU)
    assert caught.value.id == "boot-filesystem-damaged"
    assert any("ref count" in line for line in caught.value.context)


@pytest.mark.parametrize(("offset", "layout", "value", "id"), [
    (1024 + 0x38, "<H", 0, "boot-partition-unreadable"),
    (1024 + 0x60, "<I", 0x2C6, "boot-filesystem-damaged"),
])  # fmt: skip
def test_all_but_a_clean_ext4_is_refused(disk: Disk, offset: int, layout: str, value: int, id: str) -> None:
    with disk.path.open("r+b") as file:
        file.seek(START + offset)
        file.write(struct.pack(layout, value))
    with pytest.raises(BootimgError) as caught:
        disk.patch(QEMU)
    assert caught.value.id == id


def test_no_entry_to_edit_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    empty = make_disk(tmp_path, tmp_path / "tree", entry="title x\nlinux /l\n")
    with pytest.raises(BootimgError) as caught:
        empty.patch(QEMU)
    assert caught.value.id == "boot-entry-missing"


@contextmanager
def mounted(disk: Path, point: Path, options: str = "rw") -> Iterator[Path]:
    """The partition mounted by the kernel."""
    point.mkdir()
    where = f"loop,{options},offset={START},sizelimit={LENGTH}"
    done = subprocess.run(["mount", "-o", where, disk, point], capture_output=True)
    if done.returncode:
        pytest.skip(f"loop mounts do not work here: {done.stderr.decode().strip()}")
    try:
        yield point
    finally:
        subprocess.run(["umount", point], check=True)


def listing(root: Path) -> dict[str, tuple[object, ...]]:
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        labels = {name: os.getxattr(path, name, follow_symlinks=False)
                  for name in os.listxattr(path, follow_symlinks=False)}  # fmt: skip
        found[str(path.relative_to(root))] = (status.st_mode, status.st_uid, status.st_gid, content, labels)
    return found


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")
def test_the_offline_edit_equals_one_made_on_the_mounted_filesystem(disk: Disk, tmp_path: Path) -> None:
    offline = disk.patched(QEMU)
    with mounted(disk.path, tmp_path / "kernel") as boot:
        entry = boot / "loader/entries/ostree-1-standin.conf"
        entry.write_text(append_options(entry.read_text(), QEMU.kernel_arguments))
        (boot / "grub2/console.cfg").write_text(console_cfg(CONSOLE.grub_commands))
        (boot / "coreos").mkdir(mode=0o755)
        (boot / "coreos/platforms.json").write_bytes(PLATFORMS)
        for name in ("grub2/console.cfg", "coreos", "coreos/platforms.json"):
            os.setxattr(boot / name, "security.selinux", BOOT_T.encode() + b"\0")
        by_kernel = listing(boot)
    with mounted(offline.path, tmp_path / "offline", "ro") as boot:
        assert listing(boot) == by_kernel


def test_options_of_one_platform_give_way_to_another_s() -> None:
    entry = "title x\noptions root=a ignition.platform.id=metal\ninitrd /i\n"
    bare = remove_options(entry, ("ignition.platform.id=metal",))
    assert bare == "title x\noptions root=a\ninitrd /i\n"
    assert remove_options(entry, ()) == entry


def test_options_that_end_otherwise_are_not_cut() -> None:
    with pytest.raises(BootimgError) as error:
        remove_options("options rw ignition.platform.id=metal quiet\n", ("ignition.platform.id=metal",))
    assert error.value.id == "boot-entry-changed"
