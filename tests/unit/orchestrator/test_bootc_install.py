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
from bootimg.cache import Cache
from bootimg.checks.system import system_of_image
from bootimg.disk import bootc
from bootimg.disk.size import metal_size_mib
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Events
from bootimg.layer.declared.bootcneeds import require_bootc
from bootimg.layer.declared.facts import read_facts
from bootimg.layer.fetching.fetch import fetch
from bootimg.layer.tree.merged import open_tree
from bootimg.manifest.model import Manifest
from bootimg.manifest.reader import read_recipes
from bootimg.manifest.recipe import Bootc, Recipe
from bootimg.orchestrator.opening import Opened
from bootimg.orchestrator.plan import make_plan, plan_of
from bootimg.orchestrator.recipes.installation import bootc_imgref
from bootimg.orchestrator.recipes.prepare import Layer, read_layer, render_manifest
from bootimg.orchestrator.recipes.recipes import make_recipes
from bootimg.orchestrator.recipes.variables import disk_sizes_mib
from bootimg.orchestrator.request import Request
from bootimg.orchestrator.survey import Survey
from bootimg.platform import platform
from bootimg.sizes import MIB
from tests.support.layers import oci
from tests.support.layers.manifests import by_bootc

IMAGE_JSON = {"size": 4, "bootc-install-to-fs": True, "extra-kargs": ["mitigations=auto,nosmt"]}
IMGREF = "ostree-unverified-registry:quay.io/example/os:latest"
BY_OSTREE: dict[str, Any] = {"bootc-install-to-fs": False}
ENTRY = "/sysroot/boot/loader/entries/ostree-1.conf"
ALEPH = "/sysroot/.bootc-aleph.json"
GOOD = {
    "/sysroot/ostree/deploy/default/deploy/abc.0": "",
    ENTRY: "title CoreOS\noptions rw $ignition_firstboot ostree=/ostree/boot.1/default/abc/0\n",
    ALEPH: '{"image": "/run/bootimg-layer", "kernel": "6.1.0-host", "digest": "sha256:ab", "selinux": "off"}',
}


class Recorder:
    """In the place of the appliance: notes what is run and put, and answers for the files it has."""

    log = "/log"

    def __init__(self, files: Mapping[str, str]) -> None:
        self.files = dict(files)
        self.calls: list[tuple[str, ...]] = []

    def run(self, argv: Sequence[str], *, timeout: float, **_: object) -> bytes:
        self.calls.append(tuple(argv))
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
    return read_recipes(Manifest.from_json(by_bootc()))[512]


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


def test_the_layer_is_mounted_and_bootc_runs_below_a_pid_1_of_its_root(options: Bootc) -> None:
    vm = Recorder({})
    bootc.install(recorded(vm), replace(options, ssh_keys=("ssh-ed25519 AAAA",)), "/dev/layer")
    names = [call[0] for call in vm.calls]
    assert names == ["mkdir", "mount", "put", "unshare", "umount"]
    assert vm.calls[1] == ("mount", "-o", "ro", "/dev/layer", "/run/bootimg-layer")
    assert vm.calls[2][2:] == ("ssh-ed25519 AAAA\n", "600")
    # The shell is PID 1 and stays it: bootc refuses to be.
    space, command = vm.calls[3][:8], vm.calls[3][8:]
    assert space == ("unshare", "--fork", "--pid", "--mount-proc", "sh", "-c", '"$@"; exit $?', "sh")
    assert command[:3] == ("bootc", "install", "to-filesystem")
    assert command[4] == "oci:/run/bootimg-layer"
    assert command[command.index("--root-ssh-authorized-keys") + 1] == vm.calls[2][1]


def test_what_follows_comes_after_a_fresh_mount_and_is_labelled(recipe: Recipe, options: Bootc) -> None:
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
    labelled = [call for call in calls if call[0] == "setfiles"]
    assert [call[-1] for call in labelled] == ["/sysroot/boot", ALEPH, links[0][1], links[1][1]]
    # The ESP has no attributes.
    assert labelled[0][2:6] == ("-r", "/sysroot", "-e", "/sysroot/boot/efi")
    assert calls.index(labelled[0]) > calls.index(("put", "/sysroot/boot/ignition.firstboot", "", "644"))
    assert [call[0] for call in calls[-3:]] == ["fsck.fat", "e2fsck", "xfs_repair"]


def test_the_aleph_names_the_image_and_nothing_of_this_machine(recipe: Recipe, options: Bootc) -> None:
    vm = Recorder(GOOD)
    bootc.finish(recorded(vm), recipe, options, "disk")
    (aleph,) = [call[2] for call in vm.calls if call[:2] == ("put", ALEPH)]
    assert json.loads(aleph) == {
        "image": "quay.io/example/os:latest",
        "digest": "sha256:ab",
        "selinux": "off",
    }


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000])
def test_an_aleph_that_is_no_object_is_refused(text: str, recipe: Recipe, options: Bootc) -> None:
    with pytest.raises(BootimgError) as error:
        bootc.finish(recorded(Recorder(GOOD | {ALEPH: text})), recipe, options, "disk")
    assert error.value.id == "bootc-incomplete"


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
    layout.add([oci.bootable(*oci.for_bootc(), *files, image_json=text)])
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


def refusal(tmp_path: Path, layer: bytes) -> BootimgError:
    """What a layer is refused with before anything but itself is read."""
    folder = oci.Layout(tmp_path / "image")
    folder.add([layer])
    cache = Cache(tmp_path / "cache")
    image = fetch(str(folder.path), arch=Arch.X86_64, cache=cache, events=Events())
    with pytest.raises(BootimgError) as error:
        read_facts(image, open_tree(image, cache, Events()))
    return error.value


@pytest.mark.parametrize(
    ("missing", "package"),
    [("bootc", "bootc"), ("podman", "podman"), ("skopeo", "skopeo"), ("bootupctl", "bootupd"),
     ("unshare", "util-linux"), ("prepare-root.conf", "configuration")],
)  # fmt: skip
def test_what_bootc_needs_of_the_layer_is_looked_for(missing: str, package: str, tmp_path: Path) -> None:
    layer = oci.bootable(*oci.for_bootc(missing), image_json=json.dumps(IMAGE_JSON).encode())
    error = refusal(tmp_path, layer)
    assert error.id == "install-path-unsupported"
    (line,) = error.context
    assert missing in line
    assert package in line


def test_prepare_root_conf_may_be_in_etc(tmp_path: Path) -> None:
    files = [*oci.for_bootc("prepare-root.conf"), oci.file("etc/ostree/prepare-root.conf")]
    layout = oci.Layout(tmp_path / "image")
    layout.add([oci.bootable(*files)])
    cache = Cache(tmp_path / "cache")
    image = fetch(str(layout.path), arch=Arch.X86_64, cache=cache, events=Events())
    require_bootc(open_tree(image, cache, Events()), Arch.X86_64)


def test_s390x_needs_no_bootupd(tmp_path: Path) -> None:
    layout = oci.Layout(tmp_path / "image")
    layout.add([oci.bootable(*oci.for_bootc("bootupctl"))])
    cache = Cache(tmp_path / "cache")
    tree = open_tree(fetch(str(layout.path), arch=Arch.X86_64, cache=cache, events=Events()), cache, Events())
    require_bootc(tree, Arch.S390X)
    with pytest.raises(BootimgError):
        require_bootc(tree, Arch.X86_64)


@pytest.mark.parametrize("by_bootc", [True, False])
def test_bound_images_are_refused_in_either_way(by_bootc: bool, tmp_path: Path) -> None:
    folder, units = "usr/lib/bootc/bound-images.d", "usr/share/containers/systemd"
    names = [f"app{number}.image" for number in range(7)]
    links = [oci.symlink(f"{folder}/{name}", f"/{units}/{name}") for name in names]
    text = json.dumps(IMAGE_JSON | {"bootc-install-to-fs": by_bootc}).encode()
    error = refusal(tmp_path, oci.bootable(*oci.for_bootc(), *links, image_json=text))
    assert (error.id, error.exit_code) == ("bound-images-unsupported", ExitCode.USAGE)
    assert list(error.context) == [*(f"/{folder}/app{number}.image" for number in range(5)), "and 2 more"]


def test_an_empty_folder_binds_nothing(tmp_path: Path) -> None:
    layer_of(tmp_path, oci.folder("usr/lib/bootc/bound-images.d"))


def test_a_layer_that_bootc_labels_has_room_for_its_objects_three_times(tmp_path: Path) -> None:
    policy = [
        oci.file("etc/selinux/config", b"SELINUX=enforcing\nSELINUXTYPE=targeted\n"),
        oci.file("etc/selinux/targeted/contexts/files/file_contexts", b""),
    ]
    big = oci.file("usr/big", bytes(64 * MIB), xattrs={"security.selinux": b"system_u:object_r:usr_t:s0\0"})
    request, layer = layer_of(tmp_path, big, *policy)
    native = replace(layer.facts, image_json=replace(layer.facts.image_json, bootc_install_to_fs=False))
    bare = replace(layer.facts, selinux_policy=None)
    sizes = [disk_sizes_mib(request, layer.tree, facts)[0] for facts in (layer.facts, native, bare)]
    assert sizes[1] == sizes[2] == metal_size_mib(layer.tree, Arch.X86_64)
    # 140 % of 64 MiB twice more, and the blocks of what else is in the layer.
    assert 2 * 64 * 1.4 <= sizes[0] - sizes[1] <= 2 * 64 * 1.4 + 2
    # The plan counts the room that the base disk takes by the same rule.
    opened = Opened(layer, system_of_image(layer.image, layer.tree, tmp_path))
    (in_cache, _) = plan_of(Survey(request, layer.image, opened, Cache(tmp_path / "cache"))).spaces
    assert in_cache.need >= (sizes[0] - 513) * MIB


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
