"""A disk as bootimg makes it breaks no rule; each thing that is wrong with one is found, and named."""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootimg import process
from bootimg.arch import Arch
from bootimg.checks.bootrules import boot_findings
from bootimg.checks.disk import disk_findings
from bootimg.checks.disksystem import labels_of, system_of_deployment
from bootimg.checks.layouts import DISK_GUID, FILESYSTEMS, LAYOUTS, PREP, ExpectedLayout
from bootimg.checks.purity import Purity, purity
from bootimg.checks.tablerules import layout_of, table_findings
from bootimg.disk.bootprogram import has_boot_code
from bootimg.disk.extents import FileSource, copy_sparse, data_chunks
from bootimg.disk.gpt import Gpt, Partition, write_gpt
from bootimg.disk.inspection import inspect_disk
from bootimg.disk.xfsread import XfsImage
from bootimg.sizes import GIB, MIB
from tests.support.arches import openfirmware
from tests.support.layers import oci
from tests.support.layers.manifests import rendered
from tests.unit.checks.test_builds import WILD
from tests.unit.checks.test_versions import RELEASE, VERSION, pivoting
from tests.unit.rpmdb.test_database import STATUS, database, header

X86 = LAYOUTS[0]
COMMIT = "ab" * 32
ROOT = f"ostree/deploy/rhcos/deploy/{COMMIT}.0"
OPTIONS = "rw $ignition_firstboot ostree=/ostree/boot.1/rhcos/abc/0 ignition.platform.id=qemu console=ttyS0"
ENTRY = f"title Stand-in\nversion 1\noptions {OPTIONS}\nlinux /boot/vmlinuz\ninitrd /boot/initramfs.img\n"
CONSOLE = "\n# CONSOLE-SETTINGS-START\n\n# CONSOLE-SETTINGS-END\n"
TOOLS = ("mke2fs", "mkfs.xfs", "xfs_db", "mkfs.fat", "debugfs", "blkid", "qemu-img")
needs_tools = pytest.mark.skipif(not all(map(process.find, TOOLS)), reason=f"needs {', '.join(TOOLS)}")
Json = dict[str, Any]
Files = Mapping[str, bytes | str | None]
"""By path: a file's content, a link's target as a text, None for a folder."""
GONE = b"gone"
"""In the place of a content: the file is left out."""

BOOT: Files = {
    "loader/entries/ostree-1.conf": ENTRY.encode(),
    "grub2/console.cfg": CONSOLE.encode(),
    "ignition.firstboot": b"",
}


def aleph(**labels: str) -> bytes:
    image = {"image-labels": {**oci.LABELS, **labels}}
    return json.dumps({"version": VERSION, "container-image": image}).encode()


def root_files(folder: Path) -> dict[str, bytes | str | None]:
    """A root filesystem that breaks no rule."""
    release = "".join(f"{name}={value}\n" for name, value in RELEASE.items())
    blob = header(name="bash", version="1", release="1", arch="x86_64")
    made: dict[str, bytes | str | None] = {
        ".aleph-version.json": aleph(),
        ".coreos-aleph-version.json": ".aleph-version.json",
        f"{ROOT}.origin": b"[origin]\ncontainer-image-reference=ostree-unverified-registry:quay.io/x\n",
        f"{ROOT}/etc/os-release": "../usr/lib/os-release",
        f"{ROOT}/usr/lib/os-release": release.encode(),
        f"{ROOT}/usr/share/rpm/rpmdb.sqlite": database(folder / "made.sqlite", blobs=(blob,)),
    }
    return made | {f"{ROOT}/{path}": b"" for path in pivoting()}


def protofile(files: Files, folder: Path) -> Path:
    """mkfs.xfs' description of a tree."""
    tree: Json = {}
    for number, (path, content) in enumerate(sorted(files.items())):
        *parents, name = path.split("/")
        place = tree
        for parent in parents:
            place = place.setdefault(parent, {})
        if content is None:
            place.setdefault(name, {})
            continue
        if isinstance(content, str):
            place[name] = f"l--777 0 0 {content}"
        else:
            (folder / f"file-{number}").write_bytes(content)
            place[name] = f"---644 0 0 {folder}/file-{number}"
    found = folder / "protofile"
    found.write_text("\n".join(["/", "0 0", "d--755 0 0", *lines(tree), "$", ""]))
    return found


def lines(tree: Json) -> list[str]:
    made = []
    for name, what in tree.items():
        made += [f"{name} {what}"] if isinstance(what, str) else [f"{name} d--755 0 0", *lines(what), "$"]
    return made


@dataclass(frozen=True)
class Disk:
    """A disk to make; what is not given breaks no rule."""

    root: Files
    boot: Files
    tail: int = MIB
    guid: str = DISK_GUID
    uuids: Mapping[str, str] | None = None

    def make(self, folder: Path) -> Path:
        disk, at, parts = folder / "disk.raw", 1, []
        for place in X86.places:
            size = (place.size or 320 * MIB) // MIB
            made = Partition(
                place.number, place.name, uuid.UUID(place.type_guid), uuid.uuid4(), at * 2048, size * 2048
            )
            parts.append(made)
            at += size
        sectors = at * 2048 + self.tail // 512
        write_gpt(disk, Gpt(uuid.UUID(self.guid), sectors, tuple(parts)))
        tree = folder / "boot-tree"
        for path, content in self.boot.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                (tree / path).write_bytes(content)
        ids = {name: each.uuid for name, each in FILESYSTEMS.items()} | dict(self.uuids or {})
        proto = protofile(self.root, folder)
        commands = {
            "EFI-SYSTEM": [
                "mkfs.fat",
                "-n",
                "EFI-SYSTEM",
                "-i",
                ids["EFI-SYSTEM"].replace("-", ""),
            ],
            "boot": ["mke2fs", "-q", "-t", "ext4", "-L", "boot", "-U", ids["boot"], "-d", str(tree)],
            "root": ["mkfs.xfs", "-q", "-L", "root", "-m", f"uuid={ids['root']}", "-p", str(proto)],
        }
        for each in parts:
            if each.name in commands:
                part = folder / each.name
                with part.open("wb") as handle:
                    handle.truncate(each.sectors * 512)
                process.run([*commands[each.name], part])
                with FileSource(part) as source, disk.open("r+b") as target:
                    for offset, length in data_chunks(source, 0, source.size, MIB):
                        target.seek(each.start * 512 + offset)
                        target.write(source.read(offset, length))
                part.unlink()
        return disk


def disk_of(folder: Path, **changes: Any) -> Disk:  # noqa: ANN401
    """Its `root` and `boot` are changes too: a file that is GONE is left out."""
    folder.mkdir(exist_ok=True)
    root = root_files(folder) | dict(changes.pop("root", {}))
    boot = dict(BOOT) | dict(changes.pop("boot", {}))
    whole = Disk(
        {k: v for k, v in root.items() if v is not GONE}, {k: v for k, v in boot.items() if v is not GONE}
    )
    return replace(whole, **changes)


def scratch(folder: Path) -> Path:
    made = folder / f"scratch-{uuid.uuid4().hex}"
    made.mkdir()
    return made


def broken(disk: Path, folder: Path, **options: Any) -> list[tuple[str, str]]:  # noqa: ANN401
    found = disk_findings(disk, "raw", scratch(folder), **options)
    return [(each.rule.value, each.evidence) for each in found]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disk that breaks no rule; a test that changes it takes a copy."""
    if not all(map(process.find, TOOLS)):
        pytest.skip(f"needs {', '.join(TOOLS)}")
    folder = tmp_path_factory.mktemp("disk")
    return disk_of(folder).make(folder)


@pytest.fixture(scope="module")
def document(good: Path) -> Json:
    return inspect_disk(good, "raw", scratch(good.parent))


def test_a_good_disk(good: Path, tmp_path: Path) -> None:
    assert broken(good, tmp_path) == []


def entry_of(document: Json) -> Json:
    found: Json = document["boot"]["entries"][0]
    return found


def without(word: str) -> Callable[[Json], Any]:
    return lambda d: entry_of(d).update(options=[each for each in entry_of(d)["options"] if word not in each])


@pytest.mark.parametrize(
    ("change", "rule", "evidence"),
    [
        (lambda d: d.update({"disk-guid": str(uuid.UUID(int=9))}), "disk-stamp", str(uuid.UUID(int=9))),
        (lambda d: d["partitions"].pop(0), "partition-layout", "none"),
        (lambda d: d["partitions"][0].update(name="BIOS"), "partition-layout", "BIOS"),
        (lambda d: d["partitions"][3].update(type=X86.places[2].type_guid), "partition-layout",
         X86.places[2].type_guid),
        (lambda d: d["partitions"].append({**d["partitions"][0], "number": 5, "name": "data"}),
         "partition-layout", "data"),
        (lambda d: d["partitions"][2].update(size=MIB), "partition-size", f"{MIB} bytes"),
        (lambda d: d.update({"virtual-size": d["virtual-size"] - 512}), "disk-tail",
         f"{MIB - 512} bytes after the last partition"),
        (lambda d: d["partitions"][3].update(filesystem={**d["partitions"][3]["filesystem"], "type": "ext4"}),
         "filesystem-type", "type: ext4"),
        (lambda d: d["partitions"][2].update(filesystem={**d["partitions"][2]["filesystem"], "label": None}),
         "filesystem-label", "label: None"),
        (lambda d: d["partitions"][1].update(filesystem={**d["partitions"][1]["filesystem"], "uuid": "1-2"}),
         "filesystem-stamp", "uuid: 1-2"),
        (lambda d: d["boot"]["entries"].clear(), "bls-entry", "none"),
        (lambda d: d["boot"]["entries"].append(entry_of(d)), "bls-entry", "ostree-1.conf, ostree-1.conf"),
        (lambda d: entry_of(d).pop("linux"), "bls-entry", "no linux"),
        (lambda d: entry_of(d).update(initrd=[]), "bls-entry", "no initrd"),
        (lambda d: entry_of(d).update(fault="options stands twice"), "bls-entry", "options stands twice"),
        (without("ostree="), "bls-ostree", "ostree: none"),
        (lambda d: entry_of(d)["options"].append("ostree=/x"), "bls-ostree",
         "ostree: /ostree/boot.1/rhcos/abc/0, /x"),
        (lambda d: entry_of(d)["options"].append("root=UUID=1"), "bls-root", "root=UUID=1"),
        (lambda d: entry_of(d)["options"].append("boot=LABEL=boot"), "bls-root", "boot=LABEL=boot"),
        (without("$ignition"), "bls-firstboot", "no $ignition_firstboot"),
        (lambda d: entry_of(d)["options"].append("a=$b"), "bls-argument", "a=$b"),
        (lambda d: entry_of(d)["options"].append('x="a b'), "bls-argument", 'x="a b'),
        (lambda d: entry_of(d)["options"].append("$ignition_firstboot_too"), "bls-argument",
         "$ignition_firstboot_too"),
        (lambda d: entry_of(d).update(options=[*entry_of(d)["options"], *("a" * 500,) * 4]), "bls-argument",
         f"{len(' '.join(OPTIONS.split())) + 4 * 501} characters"),
        (without("ignition.platform"), "ignition-platform", "platforms: none"),
        (lambda d: entry_of(d)["options"].append("ignition.platform.id=aws"), "ignition-platform",
         "platforms: qemu, aws"),
        (lambda d: entry_of(d).update(options=[w.replace("=qemu", "=x") for w in entry_of(d)["options"]]),
         "platform-unheard-of", "ignition.platform.id=x"),
        (lambda d: d["boot"].update({"console-markers": False}), "console-markers", "no markers"),
        (lambda d: d["boot"].update({"first-boot": False}), "firstboot-stamp", "none"),
    ],
)  # fmt: skip
def test_what_a_disk_has_wrong(
    document: Json, change: Callable[[Json], Any], rule: str, evidence: str
) -> None:
    wrong = copy.deepcopy(document)
    change(wrong)
    layout = layout_of(wrong)
    assert layout is X86
    found = [*table_findings(wrong, layout), *boot_findings(wrong["boot"], layout.arch)]
    assert (rule, evidence) in [(each.rule.value, each.evidence) for each in found]
    assert {each.rule.value for each in found} == {rule}


@needs_tools
def test_a_disk_for_google_has_whole_gib(tmp_path: Path) -> None:
    boot = {"loader/entries/ostree-1.conf": ENTRY.replace("id=qemu", "id=gcp").encode()}
    disk = disk_of(tmp_path, boot=boot).make(tmp_path)
    assert broken(disk, tmp_path) == [("disk-size", f"{disk.stat().st_size} bytes")]
    with disk.open("r+b") as file:
        file.truncate(GIB)
    assert broken(disk, tmp_path) == []


def test_s390x_has_no_grub(document: Json) -> None:
    wrong = copy.deepcopy(document)
    without("$ignition")(wrong)
    wrong["boot"]["console-markers"] = False
    assert [*boot_findings(wrong["boot"], Arch.S390X)] == []


@pytest.mark.parametrize("layout", LAYOUTS[:4], ids=lambda each: str(each.arch))
def test_the_layouts_are_those_of_the_recipes(layout: ExpectedLayout) -> None:
    """A disk with the partitions that an architecture's manifest writes has its layout, and no fault."""
    stages = [each for pipeline in rendered(layout.arch)["pipelines"] for each in pipeline.get("stages", ())]
    table = next(each["options"] for each in stages if each["type"] == "org.osbuild.sfdisk")
    assert table["uuid"].lower() == DISK_GUID
    document: Json = {"disk-guid": DISK_GUID, "virtual-size": 1 << 40, "partitions": []}
    for number, each in enumerate(table["partitions"], 1):
        name = each["name"]
        known = FILESYSTEMS.get(name)
        document["partitions"].append({
            "number": each.get("partnum", number), "name": name, "type": each["type"].lower(),
            "offset": 0, "size": each["size"] * 512, "boot-code": True,
            "filesystem": known and {"type": known.type, "label": name, "uuid": known.uuid},
        })  # fmt: skip
    assert layout_of(document) is layout
    assert [*table_findings(document, layout)] == []
    made = json.dumps([each["options"] for each in stages if each["type"].startswith("org.osbuild.mkfs.")])
    for name in {place.name for place in layout.places} & FILESYSTEMS.keys():
        assert FILESYSTEMS[name].uuid.replace("-", "") in made.replace("-", "")


def test_a_prep_partition_without_a_program_is_found() -> None:
    layout = next(each for each in LAYOUTS if each.arch is Arch.PPC64LE)
    partitions: list[Json] = [
        {"number": each.number, "name": each.name, "type": each.type_guid, "offset": 0,
         "size": each.size or MIB, "boot-code": None, "filesystem": None}
        for each in layout.places
    ]  # fmt: skip
    document: Json = {"disk-guid": DISK_GUID, "virtual-size": 1 << 40, "partitions": partitions}
    faults = ((False, 1), (True, 0))
    for code, count in faults:
        partitions[0]["boot-code"] = code
        found = [each for each in table_findings(document, layout) if each.rule == "boot-code"]
        assert [each.where for each in found] == ["partition 1"] * count


@pytest.mark.parametrize(
    ("kind", "start", "code"),
    [
        (PREP, openfirmware.kernel_image()[:512], True),
        (PREP, b"", False),
        (PREP, bytes(512), False),
        (PREP, b"\x7fELF\x02\x01\x01" + bytes(505), False),
        (X86.places[0].type_guid, b"\x52" * 512, True),
        (X86.places[0].type_guid, bytes(512), False),
        (X86.places[1].type_guid, b"\x52" * 512, None),
    ],
)
def test_boot_code_is_what_the_firmware_looks_for(kind: str, start: bytes, code: bool | None) -> None:
    assert has_boot_code(uuid.UUID(kind), start) is code


@needs_tools
def test_what_a_root_has_wrong(tmp_path: Path) -> None:
    cases: dict[str, tuple[Files, list[tuple[str, str]]]] = {
        "no aleph": (
            {".aleph-version.json": GONE, ".coreos-aleph-version.json": GONE},
            [("aleph", "none"), ("aleph", "none"), ("version-label", "none")],
        ),
        "one name and no origin": (
            {".coreos-aleph-version.json": GONE, f"{ROOT}.origin": b"[origin]\n"},
            [("origin", "no container-image-reference"), ("aleph", "none")],
        ),
        "other version": (
            {".aleph-version.json": aleph(**{"org.opencontainers.image.version": "9.6.20261101-1"})},
            [("aleph", f"{VERSION}, 9.6.20261101-1"), ("os-release-version", f"OSTREE_VERSION={VERSION}"),
             ("os-release-version", f"IMAGE_VERSION={VERSION}")],
        ),
        "not JSON": (
            {".aleph-version.json": b"{"},
            [("aleph", "version: None"), ("version-label", "none")],
        ),
    }  # fmt: skip
    for name, (change, wanted) in cases.items():
        folder = tmp_path / name.replace(" ", "-")
        disk = disk_of(folder, root=change).make(folder)
        assert broken(disk, folder) == wanted, name
        disk.unlink()


@needs_tools
def test_what_bootc_installed_has_an_aleph_of_its_own(tmp_path: Path) -> None:
    root = {
        ".bootc-aleph.json": json.dumps({"image": "x", "version": VERSION}).encode(),
        ".aleph-version.json": ".bootc-aleph.json",
        ".coreos-aleph-version.json": ".bootc-aleph.json",
    }
    assert broken(disk_of(tmp_path, root=root).make(tmp_path), tmp_path) == []


@needs_tools
def test_openshift_on_a_disk(tmp_path: Path) -> None:
    blobs = tuple(
        header(name=name, version="1", release="1", arch="x86_64")
        for name in ("bash", "openshift-clients", *(f"pad-{number}-{'x' * 1000}" for number in range(1100)))
    )
    data = database(tmp_path / "ocp.sqlite", blobs=blobs)
    # More than the reader of small files takes.
    assert len(data) > 1 << 20
    root = {
        f"{ROOT}/usr/share/rpm/rpmdb.sqlite": data,
        f"{ROOT}/usr/bin/oc": b"",
        f"{ROOT}/usr/lib/systemd/system/kubelet.service": "/dev/null",
        f"{ROOT}/etc/motd": b"Part of OpenShift 5.0",
        ".aleph-version.json": aleph(**{"io.openshift.metalayer": "true"}),
    }
    disk = disk_of(tmp_path, root=root).make(tmp_path)
    assert broken(disk, tmp_path) == [
        ("ocp-package", "openshift-clients-1-1.x86_64"),
        ("ocp-file", "/usr/bin/oc"),
        ("ocp-unit", "/usr/lib/systemd/system/kubelet.service"),
        ("ocp-label", "io.openshift.metalayer=true"),
        ("ocp-motd", "Part of OpenShift 5.0"),
    ]
    assert broken(disk, tmp_path, mode=Purity.OFF) == []
    allow = ("openshift-*", "kubelet.service", "/etc/motd", "io.openshift.metalayer")
    assert broken(disk, tmp_path, allow=allow) == []


@needs_tools
@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"usr/share/rpm/rpmdb.sqlite": b"none"}, [("packages-unreadable", "rpmdb-unreadable")]),
        ({"usr/share/rpm/rpmdb.sqlite": GONE}, [("packages-missing", "none")]),
        ({"usr/share/rpm/rpmdb.sqlite": GONE, "usr/share/rpm/Packages.db": b"x"},
         [("packages-unreadable", "rpmdb-unreadable")]),
        ({"usr/share/rpm/rpmdb.sqlite": GONE,
          "usr/share/dpkg-db/status": STATUS.replace("bash", "cri-o").encode()},
         [("ocp-package", "cri-o-")]),
        ({"usr/share/rpm/rpmdb.sqlite": GONE, "usr/share/dpkg-db/status": b"none\n"},
         [("packages-unreadable", "rpmdb-unreadable")]),
    ],
)  # fmt: skip
def test_packages_on_a_disk(tmp_path: Path, change: Json, wanted: list[tuple[str, str]]) -> None:
    root = {f"{ROOT}/{path}": content for path, content in change.items()}
    image = xfs(tmp_path, disk_of(tmp_path, root=root).root)
    system = system_of_deployment(image, f"/{ROOT}", "x", tmp_path)
    found = [(each.rule.value, each.evidence) for each in purity(system)]
    assert [rule for rule, _ in found] == [rule for rule, _ in wanted]
    assert all(one[1].startswith(other[1]) for one, other in zip(found, wanted, strict=True))


def xfs(folder: Path, files: Files) -> XfsImage:
    """A filesystem in a file of its own."""
    image = folder / "xfs"
    with image.open("wb") as handle:
        handle.truncate(320 * MIB)
    process.run(["mkfs.xfs", "-q", "-p", str(protofile(files, folder)), image])
    return XfsImage(image)


def test_a_disk_is_called_after_what_is_on_it(good: Path, tmp_path: Path) -> None:
    wanted = {f"rhcos-{VERSION}-qemu.x86_64.raw": [], "rhcos-qemu.raw": ["file-name"],
              f"rhcos-{VERSION}1-qemu.x86_64.raw.gz": ["file-name"]}  # fmt: skip
    for name, rules in wanted.items():
        assert [rule for rule, _ in broken(good, tmp_path, name=name)] == rules, name


@given(st.dictionaries(st.sampled_from(["version", "container-image"]), WILD), WILD)
def test_whatever_an_aleph_has_labels_are_texts_or_not_known(document: Json, labels: object) -> None:
    for each in (document, {"container-image": {"image-labels": labels}}, {"labels": labels}):
        found = labels_of(each)
        assert found is None or all(isinstance(word, str) for pair in found.items() for word in pair)


def test_the_labels_in_bootc_s_aleph_are_read() -> None:
    assert labels_of({"image": "quay.io/x", "labels": {"containers.bootc": "1"}}) == {"containers.bootc": "1"}
    assert labels_of({"image": "quay.io/x"}) is None


@needs_tools
def test_deployments_are_counted(tmp_path: Path) -> None:
    two = {f"ostree/deploy/rhcos/deploy/{COMMIT}.1": None}
    found = broken(disk_of(tmp_path, root=two).make(tmp_path), tmp_path)
    assert found[0] == ("deployment", f"rhcos: {COMMIT}, rhcos: {COMMIT}")
    folder = tmp_path / "none"
    folder.mkdir()
    disk = replace(
        disk_of(folder), root={".aleph-version.json": aleph(), ".coreos-aleph-version.json": b"{}"}
    )
    assert broken(disk.make(folder), folder) == [("deployment", "none")]


@needs_tools
def test_filesystems_and_files_on_a_disk_of_its_own(tmp_path: Path) -> None:
    ids = {"root": str(uuid.UUID(int=7)), "EFI-SYSTEM": "1234-ABCD"}
    boot = {"grub2/console.cfg": b"serial\n", "ignition.firstboot": GONE}
    disk = disk_of(tmp_path, uuids=ids, boot=boot, tail=2 * MIB, guid=str(uuid.UUID(int=9))).make(tmp_path)
    assert broken(disk, tmp_path) == [
        ("disk-stamp", str(uuid.UUID(int=9))),
        ("filesystem-stamp", "uuid: 1234-ABCD"),
        ("filesystem-stamp", f"uuid: {uuid.UUID(int=7)}"),
        ("console-markers", "no markers"),
        ("firstboot-stamp", "none"),
    ]


@needs_tools
@pytest.mark.parametrize("size", [0, 1000, 8 * MIB])
def test_what_is_no_disk(tmp_path: Path, size: int) -> None:
    (tmp_path / "x").write_bytes(bytes(size))
    [(rule, evidence)] = broken(tmp_path / "x", tmp_path)
    assert rule == "disk-unreadable"
    assert evidence.startswith("gpt-damaged")


def test_a_root_that_cannot_be_read(good: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk.raw"
    with FileSource(good) as source:
        copy_sparse(source, disk)
    with disk.open("r+b") as handle:
        # The version of the superblock of XFS.
        handle.seek(513 * MIB + 100)
        handle.write(b"\0\x09")
    [(rule, evidence)] = broken(disk, tmp_path)
    assert rule == "root-unreadable"
    assert evidence.startswith("root-filesystem-unreadable")


@needs_tools
def test_a_folder_of_an_xfs_that_is_not_there_is_empty(tmp_path: Path) -> None:
    found = xfs(tmp_path, {"a/b": b"x" * 3_000_000, "a/c": None})
    assert found.listing("/a") == {"b": "regular", "c": "directory"}
    assert [found.listing(path) for path in ("/a/c", "/none", "/a/none/deeper")] == [{}, {}, {}]
    assert found.copy("/a/b", tmp_path / "copy", 4_000_000)
    assert (tmp_path / "copy").read_bytes() == b"x" * 3_000_000
    assert not found.copy("/a/none", tmp_path / "copy", 1)
