"""What is on the disk, read by other programs than those that made it."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from mmap import ACCESS_READ, mmap
from pathlib import Path

import pytest

from bootimg.layer.ostree.refs import image_ref
from tests.integration.conftest import Built, Workspace
from tests.support.layers.links import target_of

pytestmark = pytest.mark.real

MIB = 1 << 20
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts the disk on this machine: needs root")
RECIPE = {
    "BIOS-BOOT": ("21686148-6449-6E6F-744E-656564454649", 1, 1),
    "EFI-SYSTEM": ("C12A7328-F81F-11D2-BA4B-00A0C93EC93B", 2, 127),
    "boot": ("BC13C2FF-59E6-4262-A352-B275FD6F7172", 129, 384),
    "root": ("4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709", 513, None),
}


def output(*argv: str | Path) -> str:
    return subprocess.run([*map(str, argv)], check=True, capture_output=True, text=True).stdout


@dataclass(frozen=True)
class Disk:
    """The qemu image as a raw file, its /boot and root mounted read-only."""

    raw: Path
    root: Path
    boot: Path

    @property
    def deployment(self) -> Path:
        return next(path for path in self.root.glob("ostree/deploy/rhcos/deploy/*.0") if path.is_dir())


def partition(disk: Path, name: str) -> dict[str, int]:
    table = json.loads(output("sfdisk", "--json", disk))["partitiontable"]
    found = next(each for each in table["partitions"] if each["name"] == name)
    return {"offset": found["start"] * 512, "size": found["size"] * 512}


@contextmanager
def loop(disk: Path, name: str) -> Iterator[str]:
    span = partition(disk, name)
    device = output(
        "losetup", "--show", "-rf", "-o", str(span["offset"]), "--sizelimit", str(span["size"]), disk
    )
    try:
        yield device.strip()
    finally:
        output("losetup", "-d", device.strip())


@contextmanager
def mounted(device: str, options: str, folder: Path) -> Iterator[Path]:
    folder.mkdir()
    output("mount", "-o", options, device, folder)
    try:
        yield folder
    finally:
        output("umount", folder)


@pytest.fixture(scope="module")
def raw(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("raw") / "disk.raw"
    output("qemu-img", "convert", "-O", "raw", built.artifact("qemu"), target)
    return target


@pytest.fixture(scope="module")
def disk(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    folder = tmp_path_factory.mktemp("mounts")
    with ExitStack() as stack:
        root = stack.enter_context(loop(raw, "root"))
        boot = stack.enter_context(loop(raw, "boot"))
        yield Disk(
            raw,
            stack.enter_context(mounted(root, "ro,norecovery,nouuid", folder / "root")),
            stack.enter_context(mounted(boot, "ro,noload", folder / "boot")),
        )


def test_the_partition_table_is_the_recipe_s(built: Built) -> None:
    table = json.loads(output("sfdisk", "--json", built.base))["partitiontable"]
    assert table["label"] == "gpt"
    assert table["id"] == "00000000-0000-4000-A000-000000000001"
    last = built.base.stat().st_size // 512 - 2048
    assert [each["name"] for each in table["partitions"]] == list(RECIPE)
    for number, each in enumerate(table["partitions"], start=1):
        kind, start, size = RECIPE[each["name"]]
        assert each["node"].endswith(str(number))
        assert each["type"] == kind
        assert each["start"] == start * MIB // 512
        end = last if size is None else (start + size) * MIB // 512
        assert each["start"] + each["size"] == end
    assert "No problems found" in output("sgdisk", "-v", built.base)


def test_the_image_is_a_sound_qcow2(built: Built) -> None:
    info = json.loads(output("qemu-img", "info", "--output=json", built.artifact("qemu")))
    assert info["format"] == "qcow2"
    assert info["virtual-size"] == 4 << 30
    assert info["format-specific"]["data"]["compat"] == "1.1"
    output("qemu-img", "check", built.artifact("qemu"))


def test_only_boot_differs_from_the_base_disk(built: Built, raw: Path) -> None:
    boot = partition(raw, "boot")
    with built.base.open("rb") as base, raw.open("rb") as image:
        offset = 0
        while chunk := base.read(MIB):
            inside = boot["offset"] <= offset < boot["offset"] + boot["size"]
            assert inside or chunk == image.read(MIB) or image.seek(0, os.SEEK_CUR) is None
            offset += MIB
            image.seek(offset)


@as_root
def test_the_file_systems_are_clean_and_stamped(raw: Path) -> None:
    with loop(raw, "root") as root:
        output("xfs_repair", "-n", root)
        assert 'UUID="910678ff-f77e-4a7d-8d53-86f2ac47a823"' in output("blkid", "-p", root)
        assert "agcount=2" in output("xfs_db", "-r", "-c", "sb 0", "-c", "p agcount", root).replace(" ", "")
    with loop(raw, "boot") as boot:
        output("e2fsck", "-fn", boot)
        about = output("dumpe2fs", "-h", boot)
        assert "96d15588-3596-4b3c-adca-a2ff7279ea63" in about
        assert "metadata_csum_seed" in about
    with loop(raw, "EFI-SYSTEM") as esp:
        output("fsck.fat", "-n", esp)
        probed = output("blkid", "-p", esp)
        assert 'UUID="7B77-95E7"' in probed
        assert 'LABEL="EFI-SYSTEM"' in probed


@as_root
def test_boot_has_one_entry_with_the_arguments_in_order(disk: Disk) -> None:
    entries = list((disk.boot / "loader" / "entries").glob("*.conf"))
    assert [entry.name for entry in entries] == ["ostree-1.conf"]
    lines = dict(line.split(" ", 1) for line in entries[0].read_text().splitlines() if " " in line)
    options = lines["options"].split()
    image_json = json.loads((disk.deployment / "usr/share/coreos-assembler/image.json").read_bytes())
    base = ["rw", "$ignition_firstboot", *image_json["extra-kargs"]]
    assert options[: len(base)] == base
    assert options[len(base)].startswith("ostree=/ostree/boot.")
    tail = ["ignition.platform.id=qemu", "console=tty0", "console=ttyS0,115200n8"]
    assert options[len(base) + 1 :] == tail
    assert lines["linux"].startswith("/boot/ostree/rhcos-")
    assert (disk.boot / "boot").readlink() == Path()


@as_root
def test_boot_carries_the_stamps_and_the_platform_files(disk: Disk) -> None:
    assert (disk.boot / "ignition.firstboot").read_bytes() == b""
    layer = disk.deployment / "usr/share/coreos-assembler/platforms.json"
    assert (disk.boot / "coreos" / "platforms.json").read_bytes() == layer.read_bytes()
    console = (disk.boot / "grub2" / "console.cfg").read_text()
    qemu = json.loads(layer.read_bytes())["qemu"]["grub_commands"]
    expected = ["", "# CONSOLE-SETTINGS-START", *qemu, "# CONSOLE-SETTINGS-END"]
    assert console.splitlines() == expected


@as_root
def test_the_aleph_and_the_origin_name_the_image(disk: Disk, built: Built, layer: Path) -> None:
    aleph = json.loads((disk.root / ".aleph-version.json").read_bytes())
    assert (disk.root / ".coreos-aleph-version.json").readlink() == Path(".aleph-version.json")
    assert aleph["version"] == built.meta["ostree-version"]
    manifest = json.loads((built.path / built.meta["images"]["oci-manifest"]["path"]).read_bytes())
    assert aleph["container-image"]["image-digest"] == manifest["config"]["digest"]
    assert aleph["container-image"]["image-labels"]["com.coreos.osname"] == "rhcos"
    origin = disk.deployment.with_name(disk.deployment.name + ".origin").read_text()
    name = f"oci-archive:{layer.name}@sha256:{built.meta['images']['oci-manifest']['sha256']}"
    assert origin.splitlines()[1] == f"container-image-reference=ostree-unverified-image:{name}"
    assert aleph["container-image"]["image-name"] == name
    refs = output("ostree", "refs", f"--repo={disk.root}/ostree/repo", "--list").splitlines()
    assert image_ref(name) in refs


def test_no_path_of_this_machine_is_on_the_disk_or_in_the_records(
    built: Built, layer: Path, workspace: Workspace
) -> None:
    places = [layer.parent, workspace.cache, workspace.builds, Path.cwd()]
    shipped = [built.base, built.path / "meta.json", *built.path.glob("*.spdx.json")]
    assert len(shipped) == 3
    for file in shipped:
        with file.open("rb") as handle, mmap(handle.fileno(), 0, access=ACCESS_READ) as data:
            assert [place for place in places if data.find(os.fsencode(place)) >= 0] == [], file


@as_root
def test_the_repository_is_whole_and_configured(disk: Disk, built: Built) -> None:
    repo = disk.root / "ostree/repo"
    output("ostree", "fsck", f"--repo={repo}")
    commit = built.meta["ostree-commit"]
    assert disk.deployment.name == f"{commit}.0"
    refs = output("ostree", "refs", f"--repo={repo}", "--list").splitlines()
    assert any(ref.startswith("ostree/container/image/") for ref in refs)
    for key, value in {
        "readonly": "true",
        "bootloader": "none",
        "bootprefix": "true",
        "bls-append-except-default": 'grub_users=""',
    }.items():
        assert output("ostree", "config", "get", f"--repo={repo}", f"sysroot.{key}").strip() == value
    assert "i" in output("lsattr", "-d", disk.deployment).split()[0]


@as_root
def test_nothing_is_to_be_relabelled(disk: Disk) -> None:
    contexts = disk.deployment / "etc/selinux/default/contexts/files/file_contexts"
    stateroot = disk.deployment.parent.parent
    # It stands for the root directory, and ostree labels it so.
    [upper] = stateroot.glob("backing/*/root-transient/upper")
    assert os.getxattr(upper, "security.selinux") == os.getxattr(disk.deployment, "security.selinux")
    checks: list[tuple[Path, Path, list[Path]]] = [
        (disk.deployment, disk.deployment, [disk.deployment / "usr/etc"]),
        # ostree gives /usr/etc the labels of the /etc it becomes.
        (disk.deployment / "usr", disk.deployment / "usr/etc", []),
        (
            disk.root,
            disk.root,
            [disk.deployment, disk.root / "ostree/repo/objects", stateroot / "var", upper],
        ),
        (stateroot, stateroot / "var", []),
        (disk.boot.parent, disk.boot, []),
    ]
    for root, path, excluded in checks:
        words = [word for each in excluded for word in ("-e", str(each))]
        assert output("setfiles", "-n", "-v", "-F", "-r", root, *words, contexts, path) == ""
    unlabelled = [
        path
        for base in (disk.deployment, disk.boot)
        for path in [base, *base.rglob("*")]
        if "security.selinux" not in os.listxattr(path, follow_symlinks=False)
    ]
    assert unlabelled == []


@pytest.fixture(scope="module")
def unpacked(layer: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The layer's merged tree, as umoci unpacks it."""
    return unpack(layer, tmp_path_factory.mktemp("umoci"))


def unpack(layer: Path, folder: Path) -> Path:
    """Unpack a plain image's archive by umoci."""
    # umoci knows no zstd: skopeo decompresses, and compresses again with gzip.
    plain = f"dir:{folder / 'plain'}"
    output("skopeo", "copy", "--quiet", "--dest-decompress", f"oci-archive:{layer}", plain)
    output("skopeo", "copy", "--quiet", plain, f"oci:{folder / 'layout'}:layer")
    output("umoci", "unpack", "--image", f"{folder / 'layout'}:layer", folder / "bundle")
    return folder / "bundle" / "rootfs"


def described(root: Path, outside: tuple[str, ...]) -> dict[str, tuple[object, ...]]:
    """Every path below `root`: type and mode, owner, xattrs, content or target, and its hardlinks."""
    links: dict[int, list[str]] = {}
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if name.split("/")[0] in outside:
            continue
        status = path.lstat()
        content: object = None
        if stat.S_ISLNK(status.st_mode):
            content = target_of(path)
        elif stat.S_ISREG(status.st_mode):
            content = sha256(path.read_bytes()).hexdigest()
            links.setdefault(status.st_ino, []).append(name)
        xattrs = {
            key: os.getxattr(path, key, follow_symlinks=False)
            for key in os.listxattr(path, follow_symlinks=False)
            if key != "security.selinux"
        }
        found[name] = (status.st_mode, status.st_uid, status.st_gid, xattrs, content)
    return found


# Made by the deployment or filled at boot; /etc is compared as /usr/etc.
OUTSIDE = ("dev", "proc", "sys", "run", "tmp", "var", "boot", "sysroot", "etc")


def merged_tree(unpacked: Path) -> dict[str, tuple[object, ...]]:
    """A plain image's tree as it is deployed: /etc as /usr/etc."""
    expected = described(unpacked, OUTSIDE)
    etc = {f"usr/etc/{name}": value for name, value in described(unpacked / "etc", ()).items()}
    status = (unpacked / "etc").lstat()
    etc["usr/etc"] = (status.st_mode, status.st_uid, status.st_gid, {}, None)
    return expected | etc


@as_root
def test_the_deployed_tree_is_the_layer_s(disk: Disk, unpacked: Path) -> None:
    found, wanted = described(disk.deployment, OUTSIDE), merged_tree(unpacked)
    assert sorted(found) == sorted(wanted)
    assert {name: (found[name], wanted[name]) for name in wanted if found[name] != wanted[name]} == {}


@as_root
def test_the_esp_leads_to_boot(raw: Path) -> None:
    image = f"{raw}@@{partition(raw, 'EFI-SYSTEM')['offset']}"
    names = output("mdir", "-/", "-b", "-i", image, "::/EFI").upper()
    assert "BOOTX64.EFI" in names
    assert "GRUBX64.EFI" in names
    stub = next(line for line in names.splitlines() if line.endswith("GRUB.CFG"))
    assert "--label boot" in output("mtype", "-i", image, stub)


def test_meta_json_names_what_is_there(built: Built) -> None:
    images = built.meta["images"]
    assert set(images) == {"ostree", "oci-manifest", "qemu"}
    for entry in images.values():
        data = (built.path / entry["path"]).read_bytes()
        assert (len(data), sha256(data).hexdigest()) == (entry["size"], entry["sha256"])
    assert (built.path.parent.parent / "latest").readlink() == Path(built.document["build"])
    builds = json.loads((built.path.parent.parent / "builds.json").read_bytes())
    assert builds["builds"][0] == {"id": built.document["build"], "arches": ["x86_64"]}


def test_meta_json_is_valid(built: Built) -> None:
    import jsonschema

    schema = Path(__file__).parents[4] / "shared/data/meta-v1.schema.json"
    if not schema.exists():
        pytest.skip("there is no shared/data/meta-v1.schema.json beside the checkout")
    jsonschema.validate(built.meta, json.loads(schema.read_bytes()))


def test_the_archive_keeps_the_image_s_digest(built: Built, layer: Path) -> None:
    digests = {
        output("skopeo", "inspect", "--format", "{{.Digest}}", f"oci-archive:{path}")
        for path in (layer, built.artifact("ostree"))
    }
    assert len(digests) == 1


def test_a_second_build_makes_nothing_again(built: Built, workspace: Workspace, layer: Path) -> None:
    files = [path for path in built.path.iterdir() if not path.name.startswith(".")]
    before = {path: path.stat().st_mtime_ns for path in files}
    done = json.loads(workspace.bootimg("build", layer, "--json").stdout)
    assert [each["cached"] for each in done["artifacts"]] == [True, True]
    assert {path: path.stat().st_mtime_ns for path in files} == before
