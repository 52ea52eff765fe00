"""Installing by bootc: the command line and its surroundings, and what is refused of what bootc did."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from bootimg.appliance import Appliance
from bootimg.arch import Arch
from bootimg.build.install import bootc_imgref
from bootimg.build.plan import make_plan
from bootimg.build.prepare import Layer, read_layer, render_manifest
from bootimg.build.recipe import make_recipes
from bootimg.build.request import Request
from bootimg.cache import Cache
from bootimg.disk import bootc
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Events
from bootimg.layer.fetch import fetch
from bootimg.layer.tree import open_tree
from bootimg.manifest.model import Manifest
from bootimg.manifest.reader import read_recipe
from bootimg.manifest.recipe import Bootc, Recipe
from bootimg.platform import platform

from . import oci
from .manifests import by_bootc

IMAGE_JSON = {"size": 4, "bootc-install-to-fs": True, "extra-kargs": ["mitigations=auto,nosmt"]}
IMGREF = "ostree-unverified-registry:quay.io/example/os:latest"
BY_OSTREE: dict[str, Any] = {"bootc-install-to-fs": False}
ENTRY = "/sysroot/boot/loader/entries/ostree-1.conf"
GOOD = {
    "/sysroot/ostree/deploy/default/deploy/abc.0": "",
    ENTRY: "title CoreOS\noptions rw $ignition_firstboot ostree=/ostree/boot.1/default/abc/0\n",
    "/sysroot/.bootc-aleph.json": "{}",
}


class Recorder:
    """In the place of the appliance: notes what is run and put, and answers for the files it has."""

    log = "/log"

    def __init__(self, files: Mapping[str, str]) -> None:
        self.files = dict(files)
        self.calls: list[tuple[str, ...]] = []
        self.environments: list[Mapping[str, str]] = []

    def run(
        self, argv: Sequence[str], *, timeout: float, env: Mapping[str, str] | None = None, **_: object
    ) -> bytes:
        self.calls.append(tuple(argv))
        self.environments.append(env or {})
        return "\n".join(self.files).encode() if argv[0] == "sh" else b""

    def put(self, path: str, data: bytes, mode: int = 0o644) -> None:
        self.calls.append(("put", path, data.decode(), f"{mode:o}"))

    def get(self, path: str) -> bytes:
        return self.files[path].encode()

    def device(self, label: str, partition: int | None = None) -> str:
        return f"/dev/{label}{partition or ''}"


def recorded(recorder: Recorder) -> Appliance:
    return cast(Appliance, recorder)


@pytest.fixture
def recipe() -> Recipe:
    return read_recipe(Manifest.from_json(by_bootc()))


@pytest.fixture
def options(recipe: Recipe) -> Bootc:
    assert recipe.bootc
    return replace(recipe.bootc, root_mount_spec="", boot_mount_spec="")


def test_the_command_line_is_the_stage_s(options: Bootc) -> None:
    assert bootc.install_argv(options, "oci:/layer", "/sysroot") == [
        *("bootc", "install", "to-filesystem", "--source-imgref", "oci:/layer"),
        *("--skip-fetch-check", "--generic-image"),
        *("--karg", "$ignition_firstboot", "--karg", "mitigations=auto,nosmt"),
        *("--target-imgref", "quay.io/example/os:latest", "--stateroot", "rhcos"),
        *("--root-mount-spec=", "--boot-mount-spec=", "--bootupd-skip-boot-uuid", "/sysroot"),
    ]


def test_what_is_left_open_is_left_to_bootc(options: Bootc) -> None:
    bare = replace(
        options,
        kernel_args=(),
        target_imgref=None,
        stateroot=None,
        root_mount_spec=None,
        boot_mount_spec="LABEL=boot",
        skip_boot_uuid=False,
    )
    assert bootc.install_argv(bare, "oci:/layer", "/sysroot")[5:] == [
        *("--skip-fetch-check", "--generic-image", "--boot-mount-spec=LABEL=boot", "/sysroot")
    ]


def test_the_layer_is_mounted_and_bootc_gets_its_environment(options: Bootc) -> None:
    vm = Recorder({})
    bootc.install(recorded(vm), replace(options, ssh_keys=("ssh-ed25519 AAAA",)), "/dev/layer")
    names = [call[0] for call in vm.calls]
    assert names == ["mkdir", "mount", "put", "bootc", "umount"]
    assert vm.calls[1] == ("mount", "-o", "ro", "/dev/layer", "/run/bootimg-layer")
    assert vm.calls[2][2:] == ("ssh-ed25519 AAAA\n", "600")
    command = vm.calls[3]
    assert command[4] == "oci:/run/bootimg-layer"
    assert command[command.index("--root-ssh-authorized-keys") + 1] == vm.calls[2][1]
    assert vm.environments[2] == {"BOOTC_SKIP_SELINUX_HOST_CHECK": "true"}


def test_stamp_and_links_come_after_a_fresh_mount_and_are_labelled(recipe: Recipe, options: Bootc) -> None:
    vm = Recorder(GOOD)
    bootc.finish(recorded(vm), recipe, options, "disk")
    calls = vm.calls
    assert [call[:2] for call in calls[:3]] == [
        ("umount", "/sysroot/boot/efi"),
        ("umount", "/sysroot/boot"),
        ("umount", "/sysroot"),
    ]
    assert [call[4] for call in calls[3:6]] == ["/sysroot", "/sysroot/boot", "/sysroot/boot/efi"]
    assert ("put", "/sysroot/boot/ignition.firstboot", "", "644") in calls
    links = [call[2:] for call in calls if call[0] == "ln"]
    assert links == [
        (".bootc-aleph.json", "/sysroot/.coreos-aleph-version.json"),
        (".bootc-aleph.json", "/sysroot/.aleph-version.json"),
    ]
    labelled = [call[-1] for call in calls if call[0] == "setfiles"]
    assert labelled == ["/sysroot/boot/ignition.firstboot", links[0][1], links[1][1]]
    assert [call[0] for call in calls[-3:]] == ["fsck.fat", "e2fsck", "xfs_repair"]


@pytest.mark.parametrize(
    ("files", "what"),
    [
        ({}, "a deployment is missing"),
        ({key: value for key, value in GOOD.items() if key != ENTRY}, "a boot entry is missing"),
        ({key: value for key, value in GOOD.items() if "aleph" not in key}, "the aleph is missing"),
        (GOOD | {"/sysroot/boot/loader/entries/b.conf": ""}, "2 times a boot entry"),
        (GOOD | {ENTRY: "options rw root=UUID=1 boot=UUID=2"}, "the boot entry has root=UUID=1"),
    ],
)
def test_what_bootc_did_is_looked_at(
    files: dict[str, str], what: str, recipe: Recipe, options: Bootc
) -> None:
    vm = Recorder(files)
    with pytest.raises(BootimgError) as error:
        bootc.finish(recorded(vm), recipe, options, "disk")
    assert error.value.id == "bootc-incomplete"
    assert what in error.value.context
    assert not any(call[0] in ("put", "ln") for call in vm.calls)


def test_a_root_argument_that_was_asked_for_is_none_too_many(recipe: Recipe, options: Bootc) -> None:
    asked = replace(options, root_mount_spec="LABEL=root")
    vm = Recorder(GOOD | {ENTRY: "options rw root=LABEL=root"})
    bootc.finish(recorded(vm), recipe, asked, "disk")


@pytest.mark.parametrize(
    "imgref",
    [
        "ostree-unverified-registry:quay.io/example/os:latest",
        "ostree-unverified-image:docker://quay.io/example/os:latest",
        "ostree-image-signed:registry:quay.io/example/os:latest",
        "ostree-image-signed:docker://quay.io/example/os:latest",
    ],
)
def test_bootc_is_told_the_image_s_name(imgref: str) -> None:
    assert bootc_imgref(imgref) == "quay.io/example/os:latest"


@pytest.mark.parametrize(
    "imgref",
    ["ostree-image-signed:oci-archive:/os.ociarchive", "ostree-remote-registry:fedora:quay.io/example/os"],
)
def test_what_bootc_cannot_be_told_is_refused(imgref: str) -> None:
    with pytest.raises(BootimgError) as error:
        bootc_imgref(imgref)
    assert (error.value.id, error.value.exit_code) == ("bootc-imgref-unsupported", ExitCode.USAGE)


def layer_of(
    tmp_path: Path, *files: oci.Member, imgref: str | None = IMGREF, **image_json: object
) -> tuple[Request, Layer]:
    layout = oci.Layout(tmp_path / "image")
    text = json.dumps(IMAGE_JSON | image_json).encode()
    layout.add([oci.bootable(oci.file("usr/bin/bootc", b"", 0o755), *files, image_json=text)])
    arch = Arch.X86_64
    request = Request(
        reference=str(layout.path),
        arch=arch,
        platforms=(platform("qemu", arch),),
        builds=tmp_path / "builds",
        target_imgref=imgref,
        accelerator="tcg",
    )
    cache = Cache(tmp_path / "cache")
    image = fetch(request.reference, arch=arch, cache=cache, events=Events())
    return request, read_layer(request, image, open_tree(image, cache, Events()))


def install_of(request: Request, layer: Layer) -> Bootc:
    found = make_recipes(request, layer, Path("/layer.ociarchive"), "0" * 64)[512].bootc
    assert found
    return found


def test_image_json_has_the_layer_installed_by_bootc(tmp_path: Path) -> None:
    request, layer = layer_of(tmp_path)
    found = install_of(request, layer)
    assert found.target_imgref == "quay.io/example/os:latest"
    assert found.kernel_args == ("$ignition_firstboot", "mitigations=auto,nosmt")
    assert (found.stateroot, found.root_mount_spec, found.boot_mount_spec) == (None, "", "")
    assert found.skip_boot_uuid
    document = render_manifest(request, layer, Path("/layer.ociarchive"), "0" * 64)
    assert "tree" not in [each["name"] for each in document["pipelines"]]


def test_image_json_may_name_the_image_alone(tmp_path: Path) -> None:
    request, layer = layer_of(tmp_path, imgref=None, **{"container-imgref": "quay.io/example/os:next"})
    assert install_of(request, layer).target_imgref == "quay.io/example/os:next"


def test_a_layer_from_a_directory_needs_an_image_to_follow(tmp_path: Path) -> None:
    request, layer = layer_of(tmp_path, imgref=None)
    with pytest.raises(BootimgError) as error:
        install_of(request, layer)
    assert error.value.id == "bootc-imgref-unsupported"
    with pytest.raises(BootimgError):
        make_plan(request, Cache(tmp_path / "cache"))


def test_the_layer_s_own_configuration_is_followed(tmp_path: Path) -> None:
    config = b"""[install]
stateroot = "rhcos"
root-mount-spec = "LABEL=root"
boot-mount-spec = ""
kargs = ["quiet"]
[install.bootupd]
skip-boot-uuid = false
"""
    request, layer = layer_of(tmp_path, oci.file("usr/lib/bootc/install/50-own.toml", config))
    found = install_of(request, layer)
    assert (found.stateroot, found.root_mount_spec, found.boot_mount_spec) == ("rhcos", "LABEL=root", "")
    assert not found.skip_boot_uuid
    # bootc reads its kernel arguments by itself.
    assert "quiet" not in found.kernel_args


def test_ostree_follows_what_it_can_of_it(tmp_path: Path) -> None:
    config = b"""[install]
kargs = ["quiet"]
root-mount-spec = ""
[install.ostree]
bls-append-except-default = "other"
"""
    request, layer = layer_of(tmp_path, oci.file("usr/lib/bootc/install/50-own.toml", config), **BY_OSTREE)
    sysroot = make_recipes(request, layer, Path("/layer.ociarchive"), "0" * 64)[512].sysroot
    assert sysroot
    assert sysroot.deploy.kernel_opts == ("rw", "$ignition_firstboot", "quiet", "mitigations=auto,nosmt")
    assert sysroot.repo_config["sysroot.bls-append-except-default"] == "other"


@pytest.mark.parametrize(
    "line",
    [
        'karg-deletes = ["rw"]',
        'stateroot = "other"',
        'root-mount-spec = "LABEL=root"',
        'boot-mount-spec = "LABEL=boot"',
        "bootupd = {skip-boot-uuid = false}",
    ],
)
def test_ostree_refuses_what_it_would_not_follow(line: str, tmp_path: Path) -> None:
    config = f"[install]\n{line}\n".encode()
    request, layer = layer_of(tmp_path, oci.file("usr/lib/bootc/install/50-own.toml", config), **BY_OSTREE)
    with pytest.raises(BootimgError) as error:
        make_recipes(request, layer, Path("/layer.ociarchive"), "0" * 64)
    assert (error.value.id, error.value.exit_code) == ("install-config-unsupported", ExitCode.USAGE)
