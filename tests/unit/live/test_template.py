"""The template of an ISO: arguments in their places, areas found, hostile templates refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bootimg.errors import BootimgError
from bootimg.kernelarg import KernelArgument
from bootimg.live.iso.infofiles import LARGEST_KARGS
from bootimg.live.template import PATH, IsoTree, iso_tree, read_template
from tests.unit.live.layers import AREA, GRUB, ISOLINUX, TAIL, layer_tree

KARGS = (KernelArgument("rw"), KernelArgument("coreos.liveiso=rhcos-9"))


def made(folder: Path, files: dict[str, str | bytes], vendor: str | None = "redhat") -> IsoTree:
    contents = {path: data.encode() if isinstance(data, str) else data for path, data in files.items()}
    return iso_tree(read_template(layer_tree(folder, contents)), KARGS, vendor)


def test_the_arguments_are_in_their_places(tmp_path: Path) -> None:
    """Both menus, with EFI's folder of the vendor, and kargs.json as osbuild writes it."""
    tree = made(
        tmp_path,
        {GRUB: f"linux {AREA}initrd", ISOLINUX: f"  append x {AREA}", f"{PATH}/README-devel.md": "no",
         f"{PATH}/splash.png": b"\xff\0", f"{PATH}/zipl.prm": f"@@KERNEL-ARGS@@{TAIL}"},
    )  # fmt: skip
    line = " ".join(KARGS)
    assert set(tree.files) == {"EFI/redhat/grub.cfg", "isolinux/isolinux.cfg", "splash.png", "zipl.prm"}
    assert tree.files["zipl.prm"].decode() == line + TAIL
    assert tree.files["splash.png"] == b"\xff\0"
    size = len(line) + 1070
    assert json.loads(tree.kargs.json()) == {
        "default": f"{line}{TAIL}".strip(),
        "files": [
            {"path": "EFI/redhat/grub.cfg", "offset": 6, "pad": "#", "end": "\n"},
            {"path": "isolinux/isolinux.cfg", "offset": 11, "pad": "#", "end": "\n"},
        ],
        "size": size,
    }
    assert (
        tree.kargs.json()
        == json.dumps(json.loads(tree.kargs.json()), indent=2, sort_keys=True).encode() + b"\n"
    )
    for path, offset in tree.kargs.offsets.items():
        data = tree.files[path]
        assert data[offset : offset + size].rstrip(b"#").decode() == line + TAIL
        assert data[offset + size :].startswith(b"# COREOS_KARG_EMBED_AREA\n")


def test_without_uefi_no_folder_is_renamed(tmp_path: Path) -> None:
    """Architectures without it need no grub.cfg."""
    assert set(made(tmp_path, {ISOLINUX: AREA}, None).files) == {"isolinux/isolinux.cfg"}


@pytest.mark.parametrize(
    "files",
    [
        {GRUB: "linux @@KERNEL-ARGS@@\n"},
        {GRUB: f"{AREA.replace('1023', '')[-30:]}@@KERNEL-ARGS@@"},
        {GRUB: AREA, ISOLINUX: AREA.replace("metal", "other")},
        {GRUB: AREA, ISOLINUX: AREA.replace("####", "#", 1)},
        {GRUB: AREA.replace("metal", "m\u00e9tal")},
        {GRUB: AREA, f"{PATH}/images/x": "x"},
        {GRUB: AREA, f"{PATH}/Coreos/kargs.json": "x"},
        {GRUB: AREA, f"{PATH}/EFI/fedora/grub.cfg": AREA},
        {ISOLINUX: AREA},
        {GRUB: AREA, f"{PATH}/big": b"x" * (9 << 20)},
        {GRUB: AREA, f"{PATH}/EFI/redhat/x": "1", f"{PATH}/EFI/vendor/x": "2"},
    ],
)
def test_a_template_that_cannot_be_used_is_refused(files: dict[str, str | bytes], tmp_path: Path) -> None:
    """No area, one before its arguments, different areas, reserved folders, two vendors, size."""
    with pytest.raises(BootimgError, match="live-template-invalid"):
        made(tmp_path, files)


def test_a_symlink_is_refused(tmp_path: Path) -> None:
    """It could name any file."""
    tree = layer_tree(tmp_path, {GRUB: AREA.encode(), f"{PATH}/x": "/etc/passwd"})
    with pytest.raises(BootimgError, match="it is a symlink") as caught:
        read_template(tree)
    assert caught.value.id == "live-template-invalid"


def test_a_layer_without_a_template_is_refused(tmp_path: Path) -> None:
    """The error says where it belongs."""
    with pytest.raises(BootimgError, match="live-template-missing") as caught:
        made(tmp_path, {"usr/x": "y"})
    assert PATH in "".join(caught.value.context)


def test_arguments_that_make_the_area_too_large_are_refused(tmp_path: Path) -> None:
    """coreos-installer would not edit it; one byte less is fine."""
    templates = {GRUB.removeprefix(f"{PATH}/"): AREA.encode()}
    room = LARGEST_KARGS - 1070 - len(" coreos.liveiso=v")
    for length in (room, room + 1):
        arguments = (KernelArgument("a" * length), KernelArgument("coreos.liveiso=v"))
        if length == room:
            assert iso_tree(templates, arguments, "redhat").kargs.size == LARGEST_KARGS
        else:
            with pytest.raises(BootimgError, match="live-arguments-too-long"):
                iso_tree(templates, arguments, "redhat")
