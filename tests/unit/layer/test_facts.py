"""What a build reads of a layer, and the layers no disk is made of."""

import json
from pathlib import Path

import pytest

from bootimg.arch import Arch
from bootimg.cache import Cache
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Events
from bootimg.layer.declared.facts import LayerFacts, read_facts
from bootimg.layer.declared.imagejson import parse_image_json
from bootimg.layer.fetching.fetch import fetch
from bootimg.layer.tree.merged import open_tree
from tests.support.layers import oci


def facts(folder: Path, layer: bytes, labels: dict[str, str] = oci.LABELS) -> LayerFacts:
    layout, cache = oci.Layout(folder / "image"), Cache(folder / "cache")
    layout.add([layer], labels=labels)
    image = fetch(str(layout.path), arch=Arch.X86_64, cache=cache, events=Events())
    return read_facts(image, open_tree(image, cache, Events()))


def refused(folder: Path, layer: bytes, labels: dict[str, str] = oci.LABELS) -> str:
    with pytest.raises(BootimgError) as error:
        facts(folder, layer, labels)
    return error.value.id


def test_facts(tmp_path: Path) -> None:
    found = facts(
        tmp_path,
        oci.bootable(
            oci.file("usr/bin/bootupctl"),
            oci.file("usr/share/coreos-assembler/platforms.json", b'{"qemu": {"kernel_arguments": ["a"]}}'),
            oci.file("etc/selinux/config", b"# x\nSELINUX=enforcing\nSELINUXTYPE=targeted\n"),
            oci.file("etc/selinux/targeted/contexts/files/file_contexts", b""),
        ),
    )
    assert (found.version, found.osname, found.stream) == ("9.6.20261101-0", "rhcos", "rhel-9.6")
    assert (found.kernel_version, found.selinux_policy, found.has_bootupd) == (oci.KERNEL, "targeted", True)
    assert found.platforms["qemu"].kernel_arguments == ("a",)
    assert found.os_release == {"NAME": "Stand-in", "VERSION_ID": "9.6", "VARIANT_ID": "coreos"}


def test_a_symlink_is_no_second_kernel(tmp_path: Path) -> None:
    link = oci.symlink("usr/lib/modules/current", oci.KERNEL)
    assert facts(tmp_path, oci.bootable(link)).kernel_version == oci.KERNEL


def test_what_is_optional_may_be_missing(tmp_path: Path) -> None:
    labels = {k: v for k, v in oci.LABELS.items() if not k.startswith("com.coreos")}
    found = facts(tmp_path, oci.bootable(oci.file("etc/selinux/config", b"SELINUXTYPE=targeted\n")), labels)
    assert (found.platforms, found.selinux_policy, found.has_bootupd) == ({}, None, False)
    assert (found.osname, found.stream) == ("custom", "")


@pytest.mark.parametrize(
    ("layer", "id"),
    [
        (oci.bootable(kernels=[]), "kernel-missing"),
        (oci.bootable(kernels=["6.1", "6.2"]), "kernel-ambiguous"),
        (oci.bootable(oci.file("usr/lib/modules/6.1/vmlinuz"), kernels=[]), "initramfs-missing"),
        (oci.tar(oci.file("usr/lib/modules/6.1/vmlinuz")), "image-json-missing"),
        (oci.bootable(image_json=b"{"), "image-json-malformed"),
        (oci.bootable(image_json=b'{"size": 4, "bootc-install-to-fs": true}'), "install-path-unsupported"),
        (oci.bootable(oci.folder("sysroot/ostree/repo")), "layer-form-unsupported"),
        (
            oci.bootable(oci.file("usr/share/coreos-assembler/platforms.json", b"[]")),
            "platforms-json-malformed",
        ),
        (
            oci.bootable(
                oci.file("etc/selinux/config", b"SELINUXTYPE=../../etc/selinux/x\nSELINUXTYPE =targeted\n")
            ),
            "selinux-config-malformed",
        ),
        (oci.bootable(oci.file("etc/os-release", b"ID=a\nID=b\n")), "os-release-malformed"),
        (
            oci.bootable(oci.file("usr/lib/ostree/prepare-root.conf", b"[a]\nb=c\nb=d\n")),
            "prepare-root-malformed",
        ),
    ],
)
def test_refusals(layer: bytes, id: str, tmp_path: Path) -> None:
    assert refused(tmp_path, layer) == id


def test_a_version_is_needed(tmp_path: Path) -> None:
    assert refused(tmp_path, oci.bootable(), {"ostree.bootable": "1"}) == "layer-version-missing"


@pytest.mark.parametrize("label", ["com.coreos.osname", "org.opencontainers.image.version"])
@pytest.mark.parametrize(
    "value", ["../../../etc/x", "a/b", ".hidden", "a\nb", "a\0b", "-rf", "\ud800", "x" * 101]
)
def test_a_label_that_files_are_named_after_stays_in_its_folder(
    label: str, value: str, tmp_path: Path
) -> None:
    assert refused(tmp_path, oci.bootable(), {**oci.LABELS, label: value}) == "layer-label-invalid"


def test_image_json_is_typed_and_keeps_the_rest() -> None:
    found = parse_image_json(
        b'{"size": 16, "extra-kargs": ["a=b"], "compressor": "xz", "platform-compressor": {"aws": "gzip"},'
        b' "container-imgref": "ostree-image-signed:docker://x", "vmware-hw-version": 15}'
    )
    assert (found.size, found.extra_kargs, found.compressor) == (16, ("a=b",), "xz")
    assert found.platform_compressor == {"aws": "gzip"}
    assert found.container_imgref == "ostree-image-signed:docker://x"
    assert found.others == {"vmware-hw-version": 15}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("extra-karg", ["a"]),
        ("Size", 16),
        ("aws-volumetype", "gp3"),
        ("include", "image-default.yaml"),
        ("x" * 500, 1),
        ("rootfs", "ext4verity"),
        ("rootfs", None),
        ("rootfs-args", "-m bigtime=0"),
        ("bootfs", "btrfs"),
        ("bootfs_metadata_csum_seed", False),
        ("composefs", True),
        ("composefs", "unsigned"),
        ("luks_rootfs", "yes"),
        ("ignition-network-kcmdline", ["ip=dhcp"]),
        ("deploy-via-container", False),
    ],
)
def test_what_image_json_asks_for_and_nobody_does_is_refused(key: str, value: object) -> None:
    with pytest.raises(BootimgError) as error:
        parse_image_json(json.dumps({"size": 16, key: value}).encode())
    assert (error.value.id, error.value.exit_code) == ("image-json-unsupported", ExitCode.USAGE)
    assert key[:40] in error.value.context[0]
    assert len(str(error.value.context)) < 300


def test_the_keys_of_coreos_assembler_s_versions_are_known() -> None:
    found = parse_image_json(
        b'{"size": 10, "rootfs": "xfs", "rootfs-args": "", "bootfs": "ext4", "composefs": false,'
        b' "bootfs_metadata_csum_seed": true, "deploy-via-container": true, "ostree-remote": "fedora",'
        b' "ostree-format": "oci-chunked", "ignition-network-kcmdline": [], "squashfs-compression": "zstd",'
        b' "live-rootfs-fstype": "erofs", "live-rootfs-fsoptions": "-zlzma", "aws-volume-type": "gp3"}'
    )
    assert set(found.others) == {
        "squashfs-compression", "live-rootfs-fstype", "live-rootfs-fsoptions", "aws-volume-type"}  # fmt: skip


@pytest.mark.parametrize(
    ("path", "text", "refused"),
    [
        ("usr/lib/ostree/prepare-root.conf", "[composefs]\nenabled = verity\n", True),
        ("usr/lib/ostree/prepare-root.conf", "[composefs]\nenabled=signed\nkeypath=/x\n", True),
        ("etc/ostree/prepare-root.conf", "[composefs]\nenabled = verity\n", True),
        ("usr/lib/ostree/prepare-root.conf", "[composefs]\nenabled = yes\n[sysroot]\nreadonly=true\n", False),
        ("usr/lib/ostree/prepare-root.conf", "[etc]\ntransient = true\n", False),
        ("usr/lib/ostree/prepare-root.conf", "# none\n", False),
    ],
)
def test_fs_verity_is_refused_where_the_root_is_xfs(
    path: str, text: str, refused: bool, tmp_path: Path
) -> None:
    layer = oci.bootable(oci.file(path, text.encode()))
    if not refused:
        assert facts(tmp_path, layer)
        return
    with pytest.raises(BootimgError) as error:
        facts(tmp_path, layer)
    assert error.value.id == "install-config-unsupported"
    assert f"/{path}: composefs.enabled" in error.value.context[0]


def test_the_arguments_of_all_files_together_have_to_fit(tmp_path: Path) -> None:
    long = "a=" + "x" * 520
    members = (
        oci.file("usr/lib/bootc/install/1.toml", f"[install]\nkargs = ['{long}']".encode()),
        oci.file("usr/lib/bootc/kargs.d/1.toml", f"kargs = ['{long}']".encode()),
    )
    platforms = oci.file(
        "usr/share/coreos-assembler/platforms.json", json.dumps({"x": {"kernel_arguments": [long]}}).encode()
    )
    assert facts(tmp_path / "1", oci.bootable(*members)).kargs_d == (long,)
    with pytest.raises(BootimgError) as error:
        facts(tmp_path / "2", oci.bootable(*members, platforms))
    assert (error.value.id, error.value.exit_code) == ("kernel-arguments-too-long", ExitCode.USAGE)


@pytest.mark.parametrize(
    "data",
    [b"[]", b'{"size": "16"}', b'{"size": true}', b'{"size": 0}', b'{"extra-kargs": "x"}', b"\xff",
     b'{"extra-kargs": [1]}', b'{"bootc-install-to-fs": "yes"}', b"[" * 100_000],
)  # fmt: skip
def test_image_json_that_is_malformed(data: bytes) -> None:
    with pytest.raises(BootimgError) as error:
        parse_image_json(data)
    assert error.value.id == "image-json-malformed"
