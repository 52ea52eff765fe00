"""Live media: the four files of one target, each in turn, because each needs those before it.

The rootfs image holds the osmet files, the initramfs the checksums of the rootfs image, the ISO all of them.
Source: the live stage of osbuild.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bootimg.atomic import enough_space
from bootimg.events import Events
from bootimg.formats.compression.writer import Packing, open_output
from bootimg.formats.output import DigestingFile, Written, data_length
from bootimg.live.bootways.cdboot import cdboot_files
from bootimg.live.bootways.lpar import lpar_files
from bootimg.live.bootways.openfirmware import open_firmware_files
from bootimg.live.cpio import Member
from bootimg.live.features import features_json, has_installer
from bootimg.live.filledtemplate import filled_template
from bootimg.live.initramfs import overlay, write_initramfs
from bootimg.live.inputs import LiveInputs, LiveNames
from bootimg.live.iso.bootrow import boot_row
from bootimg.live.iso.efiboot import efi_vendor, make_efi_image
from bootimg.live.iso.liveiso import LiveIso, Part
from bootimg.live.iso.tree import IsoFile
from bootimg.live.iso.writer import content_length, write_iso
from bootimg.live.kargs import live_arguments
from bootimg.live.miniso.pack import with_miniso
from bootimg.live.osmet.pack import pack_osmet
from bootimg.live.rootfs import write_filesystem
from bootimg.live.rootfsimage import RootfsImage, write_image
from bootimg.live.roottree import live_root
from bootimg.sysroot.entries import HostFile
from bootimg.sysroot.kernel import find_kernel
from bootimg.sysroot.objects import FileObject


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveFiles:
    """The finished files, in the scratch folder."""

    iso: Written
    kernel: Written
    initramfs: Written
    rootfs: Written


def make_live(inputs: LiveInputs, names: LiveNames, scratch: Path, events: Events) -> LiveFiles:
    """Make the four files in `scratch`.

    Raises the errors of the parts, such as `live-template-invalid`, `live-kernel-hmac-missing`,
    `volume-id-invalid`, `no-space-left`.
    """
    if not inputs.syslinux.of_layer:
        events.message(
            "the ISO gets this machine's syslinux, whose version decides on the ISO's bytes", "warning"
        )
    maker = _Maker(inputs, names, scratch, events)
    with enough_space(scratch):
        rootfs = maker.rootfs(list(maker.osmets()))
        kernel = maker.kernel()
        initramfs = maker.initramfs(rootfs.want_rootfs)
        iso = maker.iso(kernel, initramfs, rootfs.written)
    return LiveFiles(iso=iso, kernel=kernel, initramfs=initramfs, rootfs=rootfs.written)


class _Maker:
    """One making of live media."""

    def __init__(self, inputs: LiveInputs, names: LiveNames, scratch: Path, events: Events) -> None:
        self._inputs, self._names, self._scratch, self._events = inputs, names, scratch, events
        self._features = features_json(inputs.commit)
        (_, kernel), (_, initramfs), *_ = find_kernel(inputs.commit).files
        assert isinstance(kernel, FileObject)
        assert isinstance(initramfs, FileObject)
        self._kernel, self._initramfs = kernel, initramfs

    def osmets(self) -> Iterator[Member]:
        """An osmet file for each metal image; none if the layer has no program that reads it."""
        if not has_installer(self._inputs.commit):
            self._events.message(
                "the layer has no coreos-installer: the live system cannot install", "warning"
            )
            return
        for metal in self._inputs.metals:
            name = f"{metal.name}.osmet"
            with (
                metal.open() as disk,
                self._events.step("osmet", f"packing {metal.name}", total=data_length(disk)) as step,
            ):
                written = pack_osmet(
                    disk,
                    self._scratch / name,
                    description=self._inputs.description,
                    architecture=str(self._inputs.arch),
                    step=step,
                )
            yield Member(name, written.path)

    def rootfs(self, osmets: list[Member]) -> RootfsImage:
        """The rootfs image; what it was made of is removed."""
        inputs, filesystem = self._inputs, self._scratch / "rootfs"
        with self._events.step("rootfs", f"making the {inputs.rootfs.fstype} of the live system"):
            write_filesystem(
                live_root(inputs.system, inputs.esp),
                filesystem,
                inputs.rootfs,
                identity=inputs.identity,
                epoch=inputs.epoch,
                program=inputs.program,
            )
        path = self._scratch / self._names.rootfs
        with self._events.step("rootfs-image", self._names.rootfs):
            image = write_image(path, filesystem, inputs.rootfs.fstype, inputs.build_id, osmets)
        for used in (filesystem, *(each.content for each in osmets)):
            if isinstance(used, Path):
                used.unlink()
        return image

    def kernel(self) -> Written:
        """The layer's kernel, unchanged."""
        path = self._scratch / self._names.kernel
        with path.open("wb") as handle, DigestingFile(handle) as out:
            for piece in self._inputs.commit.objects.read(self._kernel):
                out.write(piece)
            return out.finish(path)

    def initramfs(self, want_rootfs: bytes) -> Written:
        """The layer's initramfs, and what makes it a live one."""
        with self._events.step("initramfs", self._names.initramfs):
            return write_initramfs(
                self._scratch / self._names.initramfs,
                self._inputs.commit.objects.read(self._initramfs),
                overlay(self._inputs.build_id, self._features, want_rootfs),
            )

    def iso(self, kernel: Written, initramfs: Written, rootfs: Written) -> Written:
        """The ISO, with the data for a minimal one."""
        live = self._live_iso(kernel, initramfs, rootfs)
        layout = with_miniso(live.layout(), live.minimal_layout())
        path = self._scratch / self._names.iso
        with (
            self._events.step("iso", self._names.iso, total=content_length(layout)) as step,
            open_output(path, Packing()) as output,
        ):
            write_iso(layout, output, step)
            return output.finish(path)

    def _live_iso(self, kernel: Written, initramfs: Written, rootfs: Written) -> LiveIso:
        inputs, volume, row = self._inputs, self._inputs.volume, boot_row(self._inputs.arch)
        programs = inputs.efi_programs
        tree = filled_template(
            row,
            inputs.template,
            live_arguments(inputs.arguments, volume.id),
            efi_vendor(programs) if row.has_efi_image else None,
        )
        efi_image = b""
        if row.has_efi_image:
            efi_image = make_efi_image(programs, volume.id, volume.set_id, volume.epoch, self._scratch)
        return LiveIso(
            arch=inputs.arch,
            volume=volume,
            template=tree.files,
            kargs_info=tree.kargs.json(),
            features=self._features,
            kernel=_part(kernel),
            initrd=_part(initramfs),
            rootfs=_part(rootfs),
            efi_image=efi_image,
            syslinux=inputs.syslinux.files,
            boot_files=[*self._boot_files(tree.kargs.default, kernel, initramfs)],
        )

    def _boot_files(self, arguments: str, kernel: Written, initramfs: Written) -> Iterator[IsoFile]:
        """What starts the ISO of an architecture that has neither syslinux nor UEFI."""
        inputs, row = self._inputs, boot_row(self._inputs.arch)
        if row.boot_script:
            yield from open_firmware_files(inputs.tree, inputs.volume)
        if row.has_cdboot_image:
            yield from cdboot_files(self._scratch, kernel.path, initramfs.path, arguments)
            yield from lpar_files(initramfs.size, row.parameter_files)


def _part(written: Written) -> Part:
    return Part(HostFile(str(written.path), 0), written.size)
