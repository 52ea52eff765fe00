"""Small live ISOs of our own, for tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bootimg.arch import Arch
from bootimg.formats.compression.writer import Packing, open_output
from bootimg.formats.output import Written
from bootimg.live.iso.bootrow import boot_row
from bootimg.live.iso.descriptors import Volume
from bootimg.live.iso.layout import IsoLayout
from bootimg.live.iso.liveiso import LiveIso, Part
from bootimg.live.iso.syslinux import find_syslinux
from bootimg.live.iso.writer import write_iso

EPOCH = 1_700_000_000
VOLUME = Volume(id="rhcos-9.6.20261101-0", set_id="rhcos-9.6.20261101-0", epoch=EPOCH)
DEFAULT = f"mitigations=auto coreos.liveiso={VOLUME.id} ignition.firstboot ignition.platform.id=metal"
AREA = DEFAULT.encode() + b"\n" + b"#" * 1023
GRUB = (
    b"set timeout=0\nmenuentry live {\n linux /images/pxeboot/vmlinuz %s# COREOS_KARG_EMBED_AREA\n}\n" % AREA
)
ISOLINUX = b"serial 0\ndefault live\nlabel live\n append %s# COREOS_KARG_EMBED_AREA\n" % AREA
FEATURES = b'{"installer-config": true, "live-initrd-network": true}\n'
SMALL = bytes(64) + b"\xfb\xc0\x78\x70" + b"isolinux" * 500
"""An isolinux.bin that only has its signature."""


def kargs_info(template: Mapping[str, bytes]) -> bytes:
    """kargs.json for files that have the area."""
    files = [
        {"path": path, "offset": data.index(DEFAULT.encode()), "pad": "#", "end": "\n"}
        for path, data in sorted(template.items())
        if AREA in data
    ]
    return json.dumps({"default": DEFAULT, "files": files, "size": len(AREA)}).encode()


def part(data: bytes) -> Part:
    """Content of a file."""
    return Part(data, len(data))


def live_iso(*, template: Mapping[str, bytes] | None = None, **changes: Any) -> LiveIso:  # noqa: ANN401
    """A live ISO of a few KiB that has no programs in it."""
    files = template or {
        "EFI/redhat/grub.cfg": GRUB,
        "isolinux/isolinux.cfg": ISOLINUX,
        "zipl.prm": b"dropped",
    }
    names = [*boot_row(Arch.X86_64).syslinux, "isohdpfx.bin"]
    made = LiveIso(
        arch=Arch.X86_64,
        volume=VOLUME,
        template=files,
        kargs_info=kargs_info(files),
        features=FEATURES,
        kernel=part(b"the kernel"),
        initrd=part(b"the initramfs" * 300),
        rootfs=part(b"the rootfs" * 5000),
        efi_image=b"an EFI boot image" * 1000,
        syslinux={name: name.encode() * 100 for name in names}
        | {"isolinux.bin": SMALL, "isohdpfx.bin": bytes(432)},
    )
    return replace(made, **changes)


def write(layout: IsoLayout, path: Path) -> Written:
    """Write an ISO to a file."""
    with open_output(path, Packing()) as output:
        write_iso(layout, output)
        return output.finish(path)


def written_iso(path: Path, **changes: Any) -> Path:  # noqa: ANN401
    """A small ISO as a file."""
    return write(live_iso(**changes).layout(), path).path


def host_syslinux() -> Mapping[str, bytes]:
    """syslinux's files of this machine; BootimgError if they are not installed."""
    return find_syslinux(lambda _: None, boot_row(Arch.X86_64)).files
