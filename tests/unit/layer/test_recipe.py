"""The parts of the stand-in layer that need no Debian mirror."""

from __future__ import annotations

import hashlib
import io
import json
import sqlite3
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard

from bootimg import process
from bootimg.arch import Arch
from tests.layer import (
    Flavour,
    Form,
    Request,
    UnsupportedError,
    Variant,
    contract,
    debian,
    rpmdb,
    store,
    tree,
)
from tests.layer.oci import Compression, write_archive, write_layer
from tests.layer.recipe import CHANGED_VERSION, DEFAULT_VERSION, read_recipe
from tests.layer.rpmdb import Evr
from tests.layer.tree import Change, Node, Tree, difference, file_node, put

DIRECTORY = Node(tarfile.DIRTYPE, 0o755, 0, 0)


def make(**files: bytes) -> Tree:
    made: Tree = {}
    for name, content in files.items():
        path = name.replace("__", "/")
        put(made, path, file_node(path, content))
    return made


def shape(one: Tree) -> dict[str, tuple[object, ...]]:
    return {path: node.fingerprint for path, node in one.items()}


@pytest.mark.parametrize("flavour", Flavour)
@pytest.mark.parametrize("form", Form)
def test_an_invalid_version_is_refused(flavour: Flavour, form: Form) -> None:
    Request(flavour, form).check()
    with pytest.raises(UnsupportedError):
        Request(flavour, form, version="9.6").check()


def test_the_changed_variant_is_a_later_version() -> None:
    assert Request().full_version == DEFAULT_VERSION
    assert Request(variant=Variant.CHANGED).full_version == CHANGED_VERSION > DEFAULT_VERSION
    assert Request(version="10.2.20261101-3").rhel_version == "10.2"


def test_only_the_composefs_variant_has_another_recipe() -> None:
    base, other = read_recipe(), read_recipe(variant=Variant.COMPOSEFS)
    assert read_recipe(variant=Variant.CHANGED) == base
    assert debian.preferences(other) == debian.preferences(base).replace(
        base.grub_pin, f"{base.grub_pin} src:ostree src:composefs"
    )
    assert other.packages == base.packages
    assert other.rpms.items() - base.rpms.items() == {("composefs-libs", "libcomposefs1")}


def test_a_foreign_layer_has_its_own_kernel_and_no_bios() -> None:
    own, foreign = read_recipe(), read_recipe(arch=Arch.AARCH64)
    assert set(own.packages) ^ set(foreign.packages) == {
        "linux-image-amd64", "linux-image-arm64", "grub-efi-amd64-bin", "grub-efi-arm64-bin", "grub-pc-bin",
        "isolinux", "syslinux-common",
    }  # fmt: skip
    assert (foreign.rpms["grub2-efi-aa64"], foreign.rpms["shim-aa64"]) == (
        "grub-efi-arm64-bin",
        "shim-signed",
    )
    assert set(foreign.rpms.values()) <= {*own.rpms.values(), "linux-image-arm64", "grub-efi-arm64-bin"}
    assert not foreign.isolinux
    request = Request(arch=Arch.AARCH64)
    assert request.file_name == f"rhcos-{DEFAULT_VERSION}-ostree.aarch64.ociarchive"
    platforms = json.loads(contract.files(request)["usr/share/coreos-assembler/platforms.json"])
    assert platforms["qemu"] == {"kernel_arguments": ["console=tty0", "console=ttyAMA0,115200n8"]}


@pytest.mark.parametrize(
    "request_",
    [
        Request(arch=Arch.S390X),
        Request(Flavour.COREOS, arch=Arch.AARCH64),
        Request(form=Form.ENCAPSULATED, arch=Arch.AARCH64),
        Request(variant=Variant.COMPOSEFS, arch=Arch.AARCH64),
    ],
)
def test_what_is_not_made_of_a_foreign_architecture_is_refused(request_: Request) -> None:
    Request(arch=Arch.AARCH64, variant=Variant.CHANGED).check()
    with pytest.raises(UnsupportedError, match=request_.arch):
        request_.check()


def test_version_invariants_of_labels_and_os_release() -> None:
    request = Request()
    labels = contract.labels(request, "6.12", "0" * 64)
    lines = contract.os_release(request).splitlines()
    fields = {name: value.strip("'\"") for name, _, value in (line.partition("=") for line in lines)}
    assert labels["containers.bootc"] == labels["ostree.bootable"] == "1"
    assert labels["org.opencontainers.image.version"] == fields["OSTREE_VERSION"] == fields["IMAGE_VERSION"]
    assert labels["com.coreos.stream"] == f"rhel-{fields['VERSION_ID']}"
    assert labels["com.coreos.osname"] == "rhcos"
    assert (fields["ID"], fields["VARIANT_ID"]) == ("rhel", "coreos")
    assert "OPENSHIFT_VERSION" not in fields


def test_disk_size_and_consoles() -> None:
    files = contract.files(Request())
    image = json.loads(files["usr/share/coreos-assembler/image.json"])
    platforms = json.loads(files["usr/share/coreos-assembler/platforms.json"])
    assert image["size"] == 4 and "selinux=0" in image["extra-kargs"] and "compressor" not in image
    assert platforms["qemu"]["kernel_arguments"][-1] == "console=ttyS0,115200n8"
    assert platforms["openstack"]["kernel_arguments"][-1] == "console=tty0"
    assert "grub_commands" not in platforms["azure"] and "metal" not in platforms


def test_only_grubs_suite_may_be_past_its_date() -> None:
    recipe = read_recipe()
    lines = debian.Mirror("http://mirror/debian", "http://mirror/security").sources(recipe)
    late = [line for line in lines if "check-valid-until=no" in line]
    assert len(late) == 1 and f" {recipe.grub_suite} " in late[0]
    assert all(f"signed-by={recipe.keyring}" in line and "trusted" not in line for line in lines)


@pytest.mark.parametrize(
    ("version", "good"), [("2.14-4", True), ("2.14~rc1-1", True), ("2.12-9", False), ("2.9-1", False)]
)
def test_grub_has_to_know_blscfg(version: str, good: bool) -> None:
    if good:
        debian.check_grub({"grub-efi-amd64-bin": version}, read_recipe())
    else:
        with pytest.raises(UnsupportedError, match="blscfg"):
            debian.check_grub({"grub-efi-amd64-bin": version}, read_recipe())


@pytest.mark.parametrize(
    ("version", "evr"),
    [
        ("6.12.117-1", Evr(0, "6.12.117", "1")),
        ("2:2.20250213-13~deb13u1", Evr(2, "2.20250213", "13~deb13u1")),
        ("1.51~1+deb13u1+16.1-2~deb13u1", Evr(0, "1.51~1+deb13u1+16.1", "2~deb13u1")),
        ("1:4.0-beta-2", Evr(1, "4.0.beta", "2")),
        ("2026f", Evr(0, "2026f", "1")),
    ],
)
def test_debian_versions_as_rpm_has_them(version: str, evr: Evr) -> None:
    assert Evr.of_debian(version) == evr


def test_dpkg_status() -> None:
    status = "Package: a\nStatus: ok\nDescription: x\n more: text\nVersion: 1-2\n\nPackage: b\nVersion: 3\n"
    assert rpmdb.installed_versions(status) == {"a": "1-2", "b": "3"}


@pytest.mark.skipif(not process.find("rpmbuild"), reason="rpmbuild is not installed")
@pytest.mark.parametrize("arch", [Arch.X86_64, Arch.AARCH64])
def test_rpm_reads_the_database(arch: Arch, tmp_path: Path) -> None:
    packages = {"kernel": Evr(0, "6.12.117", "1"), "shim-x64": Evr(1, "16.1", "2~deb13u1")}
    database = tmp_path / "rpmdb.sqlite"
    database.write_bytes(rpmdb.make_rpmdb(packages, arch))
    query = ["rpm", f"--dbpath={tmp_path}", "-qa", "--qf", "%{NAME} %{EPOCH} %{EVR} %{ARCH}\n"]
    listed = process.run(query).stdout.decode().splitlines()
    assert sorted(listed) == [f"kernel 0 0:6.12.117-1 {arch}", f"shim-x64 1 1:16.1-2~deb13u1 {arch}"]
    with sqlite3.connect(database) as connection:
        assert connection.execute("select count(*) from Packages").fetchone() == (2,)


def test_a_difference_turns_one_tree_into_the_other() -> None:
    lower = make(
        a=b"1", d__kept=b"k", d__gone=b"g", o__x=b"x", o__y__z=b"z", s__deep__file=b"f", was__dir=b"w"
    )
    upper = make(a=b"2", d__kept=b"k", o__n=b"n", new__file=b"f")
    upper["was"] = Node(tarfile.SYMTYPE, 0o777, 0, 0, target="a")
    change = difference(lower, upper)
    assert change.removed == ("d/gone", "s")
    assert change.opaque == ("o",)
    assert "d/kept" not in change.put and "was" in change.put
    assert shape(change.apply(lower)) == shape(upper)


def test_a_changed_mode_or_xattr_is_a_difference_a_time_is_not() -> None:
    lower = make(a=b"1")
    assert not difference(lower, dict(lower)).put
    assert difference(lower, {"a": replace(lower["a"], mode=0o4755)}).put
    assert difference(lower, {"a": file_node("a", b"1", xattrs={"user.x": "1"})}).put


def test_all_names_of_a_hard_link_are_in_one_layer(tmp_path: Path) -> None:
    node = replace(file_node("a", b"same"), names=("d/a", "e/b"))
    upper: Tree = {"d": DIRECTORY, "d/a": node, "e": DIRECTORY, "e/b": node}
    change = difference(make(d__a=b"same"), upper)
    path = tmp_path / "layer.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        tree.write_change(change, archive)
    with tarfile.open(path) as archive:
        assert archive.getmember("e/b").linkname == "d/a"
        read = tree.read_tree(archive, lambda path: True)
        assert read["d/a"] is read["e/b"] and read["d/a"].read() == b"same"


def test_an_archive_holds_what_its_digests_say(tmp_path: Path) -> None:
    blobs = tmp_path / "blobs"
    blobs.mkdir()
    change = Change(make(a=b"1"), removed=("d/gone",), opaque=("o",))
    layers = [write_layer(change, each, blobs, each) for each in Compression]
    output = tmp_path / "x.ociarchive"
    write_archive(layers, {"containers.bootc": "1"}, "2026-11-01T00:00:00Z", blobs, output, Arch.AARCH64)
    with tarfile.open(output) as archive:
        found = {m.name: archive.extractfile(m).read() for m in archive}  # type: ignore[union-attr]
    index = json.loads(found["index.json"])
    manifest = json.loads(found[f"blobs/sha256/{index['manifests'][0]['digest'][7:]}"])
    for blob in [manifest["config"], *manifest["layers"]]:
        data = found[f"blobs/sha256/{blob['digest'][7:]}"]
        assert (len(data), hashlib.sha256(data).hexdigest()) == (blob["size"], blob["digest"][7:])
    config = json.loads(found[f"blobs/sha256/{manifest['config']['digest'][7:]}"])
    assert config["architecture"] == "arm64"
    packed = found[f"blobs/sha256/{layers[1].digest[7:]}"]
    plain = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(packed)).read()
    assert config["rootfs"]["diff_ids"][1] == f"sha256:{hashlib.sha256(plain).hexdigest()}"
    with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
        assert archive.getnames() == ["o/.wh..wh..opq", "d/.wh.gone", "a"]


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail(output: Path) -> None:
        output.write_text("half")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        store.made(tmp_path / "x", fail)
    assert not list(tmp_path.iterdir())


def test_a_key_changes_with_a_files_executable_bit(tmp_path: Path) -> None:
    (tmp_path / "script").write_text("x")
    (tmp_path / "script").chmod(0o644)
    before = store.key(tmp_path)
    (tmp_path / "script").chmod(0o755)
    assert store.key(tmp_path) != before


def test_a_link_and_a_file_with_its_target_as_content_have_different_keys(tmp_path: Path) -> None:
    (tmp_path / "unit").symlink_to("../unit")
    before = store.key(tmp_path)
    (tmp_path / "unit").unlink()
    (tmp_path / "unit").write_text("../unit")
    assert store.key(tmp_path) != before
