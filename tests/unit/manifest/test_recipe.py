"""The recipe is the whole manifest: its values, and that nothing can change without being noticed."""

from __future__ import annotations

import pytest

from bootimg.arch import Arch
from bootimg.errors import BootimgError, ExitCode
from bootimg.manifest.model import Json, Manifest
from bootimg.manifest.reader import read_recipes
from bootimg.manifest.recipe import (
    Aleph,
    Attribute,
    BiosTarget,
    Bootc,
    Bootupd,
    ContainerSource,
    Deploy,
    Directory,
    Ext4,
    Fat,
    Ignition,
    Labels,
    Link,
    Mount,
    PlatformDisk,
    Recipe,
    Xfs,
    Zipl,
)
from bootimg.sizes import MIB
from tests.support.layers.manifestchanges import MANIFESTS, changes, unnoticed
from tests.support.layers.manifests import (
    CONTAINER,
    DIGEST,
    by_bootc,
    fetched_by_osbuild,
    pipeline,
    rendered,
)

DEPLOYMENT_MOUNT: Json = {
    "name": "ostree.deployment",
    "type": "org.osbuild.ostree.deployment",
    "options": {"source": "mount", "deployment": {"default": True}},
}


def recipe_of(document: Json) -> Recipe:
    return read_recipes(Manifest.from_json(document))[512]


@pytest.mark.parametrize(("offset", "name"), [*enumerate(MANIFESTS)])
def test_no_change_of_the_manifest_goes_unnoticed(offset: int, name: str) -> None:
    """A sample, another one of each manifest; tests/integration/layers/test_manifest_changes.py tries all."""
    assert not unnoticed(MANIFESTS[name](), slice(offset, None, 13))


def test_every_kind_of_change_is_tried() -> None:
    names = [name for name, _ in changes(rendered())]
    assert len(names) > 2000
    for wanted in (
        "pipelines/2/source-epoch: 1659397332",
        "pipelines/2/stages: twice 3",
        "pipelines/3/stages: without 1",
        "pipelines/3/stages: swapped 5",
        "pipelines/3/stages/1/options/partitions/0: unknown key",
        "pipelines/3/stages/4/options/agcount: None",
        "pipelines/3/stages/9/options/static-configs: 1",
    ):
        assert wanted in names


@pytest.mark.parametrize(
    ("kind", "where", "extra"),
    [
        ("bootupd", "mounts", DEPLOYMENT_MOUNT),
        ("copy", "mounts", DEPLOYMENT_MOUNT),
        ("mkfs.ext4", "options", {"extra-mkfs-option": 1}),
        ("mkfs.xfs", "options", {"agcount": None}),
        ("ostree.config", "options", {"config": {"sysroot": {"readonly": "true"}}}),
        ("ostree.config", "options", {"config": {"core": {"mode": "bare"}}}),
        ("copy", "options", {"remove_destination": True}),
        ("sfdisk", "options", {"preserve": True}),
        ("truncate", "options", {"size": "20G"}),
        ("mkfs.xfs", "devices", {"journal": {"type": "org.osbuild.loopback"}}),
    ],
)
def test_what_is_not_done_is_refused(kind: str, where: str, extra: Json) -> None:
    document = rendered()
    stage = next(
        each
        for each in pipeline(document, "raw-image")["stages"] + pipeline(document, "tree")["stages"]
        if each["type"] == f"org.osbuild.{kind}"
    )
    if where == "mounts":
        stage[where].insert(1, extra)
    else:
        stage[where] = {**stage.get(where, {}), **extra}
    with pytest.raises(BootimgError) as caught:
        recipe_of(document)
    assert caught.value.id == "manifest-stage-unsupported"
    assert caught.value.exit_code is ExitCode.USAGE
    assert f"org.osbuild.{kind}" in caught.value.context[0]


@pytest.mark.parametrize("kind", ["org.osbuild.rpm", "truncate", ""])
def test_stage_of_another_kind_is_refused(kind: str) -> None:
    document = rendered()
    pipeline(document, "raw-image")["stages"].append({"type": kind})
    with pytest.raises(BootimgError) as caught:
        recipe_of(document)
    assert caught.value.id == "manifest-stage-unsupported"


@pytest.mark.parametrize(
    "document", [{}, {"version": "1", "pipelines": []}, {"version": "2", "pipelines": [3]}]
)
def test_what_is_no_manifest_is_refused(document: Json) -> None:
    with pytest.raises(BootimgError) as caught:
        recipe_of(document)
    assert caught.value.id == "manifest-malformed"


ROOT_TYPES = {
    Arch.X86_64: "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709",
    Arch.AARCH64: "B921B045-1DF0-41C3-AF44-4C6F280D3FAE",
    Arch.PPC64LE: "C31C45E6-3F39-412E-80FB-4809C4980599",
    Arch.S390X: "5EEAD9A9-FE09-4A1E-A1D7-520D00531306",
}
ESP_ARCHES = (Arch.X86_64, Arch.AARCH64)


@pytest.mark.parametrize("arch", Arch)
def test_disk_and_filesystems(arch: Arch) -> None:
    recipe = recipe_of(rendered(arch))
    assert (recipe.disk.label, recipe.disk.uuid) == ("gpt", "00000000-0000-4000-a000-000000000001")
    assert (recipe.disk.sector_size, recipe.disk.size) == (512, 2500 * MIB)
    parts = {part.number: part for part in recipe.disk.partitions}
    assert (parts[3].name, parts[3].type) == ("boot", "BC13C2FF-59E6-4262-A352-B275FD6F7172")
    assert (parts[3].size, parts[4].name, parts[4].type) == (384 * 2048, "root", ROOT_TYPES[arch])
    # Without UUIDs of their own: the builder chooses them.
    assert {part.uuid for part in parts.values()} == {None}
    assert {part.number for part in parts.values() if part.bootable} == (
        {1} if arch in (Arch.X86_64, Arch.PPC64LE) else set()
    )
    fat = (Fat(2, "7B7795E7", "EFI-SYSTEM"),) if arch in ESP_ARCHES else ()
    ext4 = Ext4(3, "96d15588-3596-4b3c-adca-a2ff7279ea63", "boot", metadata_csum_seed=True)
    xfs = Xfs(4, "910678ff-f77e-4a7d-8d53-86f2ac47a823", "root", agcount=2)
    assert recipe.filesystems == (*fat, ext4, xfs)


@pytest.mark.parametrize("arch", Arch)
def test_what_is_mounted_labelled_and_made(arch: Arch) -> None:
    recipe = recipe_of(rendered(arch))
    efi = arch in ESP_ARCHES
    assert recipe.mounts == (Mount(4, "/"), Mount(3, "/boot"), *([Mount(2, "/boot/efi")] if efi else []))
    assert recipe.directories == (
        Directory(4, "/boot", 0o755),
        *([Directory(3, "/efi", 0o755)] if efi else []),
    )
    contexts = "etc/selinux/targeted/contexts/files/file_contexts"
    assert recipe.labels == (Labels("/", (4,), contexts), Labels("/boot/", (4, 3), contexts))
    assert recipe.sysroot
    assert recipe.sysroot.labels == Labels("/", (), contexts)
    assert recipe.attributes == (Attribute("/", immutable=True),)
    assert recipe.source == ContainerSource(f"sha256:{DIGEST}", "file:///srv/layer.ociarchive")


@pytest.mark.parametrize("arch", Arch)
def test_sysroot(arch: Arch) -> None:
    sysroot = recipe_of(rendered(arch)).sysroot
    assert sysroot
    zipl, efi = arch is Arch.S390X, arch in ESP_ARCHES
    assert (sysroot.source_epoch, sysroot.osname, sysroot.label_deployment) == (1659397331, "rhcos", True)
    common = {"sysroot.readonly": "true", "sysroot.bootprefix": "true", "sysroot.bootloader": "none"}
    grub = {} if zipl else {"sysroot.bls-append-except-default": 'grub_users=""'}
    assert sysroot.repo_config == common | grub
    assert sysroot.repo_config_after == ({"sysroot.bootloader": "zipl"} if zipl else {})
    assert sysroot.directories == ((Directory(None, "/boot/efi", 0o755),) if efi else ())
    assert sysroot.ignition == Ignition("/boot", ())
    firstboot = () if zipl else ("$ignition_firstboot",)
    assert sysroot.deploy == Deploy(
        "ostree-unverified-registry:quay.io/example/os:latest",
        ("rw", *firstboot, "mitigations=auto,nosmt"),
        ("/boot", "/boot/efi") if efi else ("/boot",),
    )
    cleared = (Attribute("/", immutable=False),) if arch in (Arch.PPC64LE, Arch.S390X) else ()
    assert sysroot.deployment_attributes == cleared
    assert sysroot.aleph == Aleph(coreos_compat=True)


def test_bootloaders() -> None:
    assert {arch: recipe_of(rendered(arch)).bootloader for arch in Arch} == {
        Arch.X86_64: Bootupd(static_configs=True, bios=BiosTarget(None)),
        Arch.AARCH64: Bootupd(static_configs=True, bios=None),
        Arch.PPC64LE: Bootupd(static_configs=True, bios=BiosTarget(1)),
        Arch.S390X: None,
    }


@pytest.mark.parametrize("arch", Arch)
def test_platforms(arch: Arch) -> None:
    found = recipe_of(rendered(arch)).platforms
    assert list(found) == ["qemu", "plain"]
    zipl = Zipl("1", ("ignition.firstboot",), 2048) if arch is Arch.S390X else None
    name = "rhcos-9.6.20261101-0"
    assert found["qemu"] == PlatformDisk(
        "qemu",
        "qemu",
        16384 * MIB,
        zipl,
        f"{name}-qemu.{arch}.qcow2",
        "qcow2",
        {"compat": "1.1", "compression": False},
    )
    assert found["plain"].filename == f"{name}-plain.{arch}.raw"
    assert (found["plain"].format, found["plain"].format_options) == ("raw", {})


def test_layer_that_osbuild_fetches() -> None:
    source = recipe_of(fetched_by_osbuild()).source
    assert source == ContainerSource(CONTAINER.digest, CONTAINER.name)


def test_no_policy_no_labels() -> None:
    recipe = recipe_of(rendered(selinux_policy=None))
    assert recipe.sysroot
    assert (recipe.labels, recipe.sysroot.labels, recipe.sysroot.label_deployment) == ((), None, False)


@pytest.mark.parametrize("arch", Arch)
def test_installation_by_bootc(arch: Arch) -> None:
    recipe, by_ostree = recipe_of(by_bootc(arch)), recipe_of(rendered(arch))
    firstboot = () if arch is Arch.S390X else ("$ignition_firstboot",)
    assert recipe.bootc == Bootc(
        target_imgref="quay.io/example/os:latest",
        kernel_args=(*firstboot, "mitigations=auto,nosmt"),
        stateroot="rhcos",
        root_mount_spec="LABEL=root",
        boot_mount_spec="LABEL=boot",
        skip_boot_uuid=True,
        ssh_keys=(),
        ignition=Ignition("/boot", ()),
        links=(
            Link("/.coreos-aleph-version.json", ".bootc-aleph.json"),
            Link("/.aleph-version.json", ".bootc-aleph.json"),
        ),
    )
    assert (recipe.sysroot, recipe.bootloader, recipe.attributes) == (None, None, ())
    for part in ("disk", "filesystems", "mounts", "directories", "labels", "platforms", "source"):
        assert getattr(recipe, part) == getattr(by_ostree, part)


@pytest.mark.parametrize(
    ("option", "value"),
    [("composefs", True), ("bootloader", "systemd"), ("bootloader", "none"), ("kernel-args", ["a", 1])],
)
def test_what_bootc_would_do_otherwise_is_refused(option: str, value: object) -> None:
    document = by_bootc()
    stages = pipeline(document, "raw-image")["stages"]
    stages[next(i for i, s in enumerate(stages) if "bootc" in s["type"])]["options"][option] = value
    with pytest.raises(BootimgError) as error:
        recipe_of(document)
    assert error.value.id == "manifest-stage-unsupported"


def test_a_layer_is_deployed_or_installed_but_not_both() -> None:
    both, neither = by_bootc(), by_bootc()
    both["pipelines"].insert(2, pipeline(rendered(), "tree"))
    raw = pipeline(neither, "raw-image")
    raw["stages"] = [stage for stage in raw["stages"] if "bootc" not in stage["type"]]
    for document in (both, neither):
        with pytest.raises(BootimgError) as error:
            recipe_of(document)
        assert error.value.id == "manifest-stage-unsupported"
