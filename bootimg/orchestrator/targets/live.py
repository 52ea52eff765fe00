"""Live media: an ISO, and the files that boot the same system from the network."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bootimg import process
from bootimg.builds.index import read_index
from bootimg.builds.meta import image_entry
from bootimg.disk.bootloaders.efi_grub import efi_payload
from bootimg.disk.composite import Composite
from bootimg.disk.extents import Source
from bootimg.disk.layer_deploy import DeployWay
from bootimg.disk.native import NATIVE_PROGRAMS
from bootimg.disk.native.bootloader import efi_programs
from bootimg.formats import Compressor, Packing
from bootimg.formats.output import Written
from bootimg.jobs import Stop
from bootimg.live.features import require_features
from bootimg.live.fsoptions import rootfs_options
from bootimg.live.inputs import LiveInputs, LiveNames, Metal
from bootimg.live.iso.bootrow import BootRow, boot_row
from bootimg.live.iso.efiboot import one_vendor
from bootimg.live.iso.syslinux import Syslinux, find_syslinux
from bootimg.live.iso.volumeid import volume_id
from bootimg.live.media import make_live
from bootimg.live.programs import require_maker
from bootimg.live.roottree import require_checksum
from bootimg.live.template import iso_tree, read_template
from bootimg.orchestrator.artifacts.cost import memory_of
from bootimg.orchestrator.artifacts.platformimage import platform_patch
from bootimg.orchestrator.artifacts.stoppable import StoppableSource
from bootimg.orchestrator.basedisks.making import base_inputs
from bootimg.orchestrator.basedisks.nativedisks import lay_out_natively
from bootimg.orchestrator.recipes.prepare import Layer
from bootimg.orchestrator.refusals import refuse_unmade, unmade
from bootimg.orchestrator.request import Artifact, Request
from bootimg.orchestrator.space import tree_bytes
from bootimg.orchestrator.step import Need
from bootimg.orchestrator.survey import Survey
from bootimg.orchestrator.targets.image import by_osbuild
from bootimg.orchestrator.targets.target import Target
from bootimg.orchestrator.work import Work
from bootimg.platform import Platform, platforms
from bootimg.sysroot.unsupported import NativeUnsupportedError
from bootimg.targets import LIVE, image_of

_SECTOR_SIZE = 512
"""Of the disk whose tree the live system has."""


@dataclass(frozen=True, slots=True)
class Live(Target):
    """Makes the four files from the system as data, and from the metal images that it can install."""

    declared = LIVE
    title = "make the live ISO and the files for network boots"

    @property
    def base_sector_sizes(self) -> tuple[int, ...]:
        """Those of the metal images."""
        return tuple(sorted({platforms()[name].sector_size for name in LIVE.made_from}))

    def require(self, request: Request) -> None:
        """Require an architecture whose live media can be made, and bootimg's own builder."""
        refuse_unmade(self.declared, request.arch)
        if by_osbuild(request):
            raise unmade(self.declared, "osbuild does not make them: use --builder own")

    def require_layer(self, request: Request, layer: Layer) -> None:
        """Require what the files are made of.

        That is known options and a program for them, syslinux, EFI programs, the template, a checksum of the
        kernel, coreos-installer's directives, a volume id.
        """
        options = rootfs_options(layer.facts.image_json.others)
        row = boot_row(request.arch)
        _syslinux(layer, row)
        vendor = None
        if row.has_efi_image:
            folders = efi_payload(layer.tree)
            vendor = one_vendor(name for each in folders for name in layer.tree.listdir(each))
        # The arguments are not known yet, so they may still make the areas too large.
        iso_tree(read_template(layer.tree), (), vendor)
        require_checksum(layer.tree)
        require_features(layer.tree)
        volume_id(layer.facts.osname, layer.facts.version, _other_builds(request.builds, layer))
        require_maker(options.fstype)

    def require_tools(self, survey: Survey) -> None:
        """Require the programs that lay out the system, and that edit /boot of the metal images."""
        for program, package in NATIVE_PROGRAMS.items():
            process.require(program, packages=package)

    def need(self, survey: Survey) -> Need:
        """The file system, the rootfs image and the ISO at the same time, each as large as the tree."""
        if survey.has(self.declared):
            return Need()
        return Need(builds=3 * tree_bytes(survey.image, survey.tree))

    def memory(self, work: Work) -> int:
        """What compressing the osmet files takes."""
        return memory_of(Packing(Compressor.XZ))

    def make(self, work: Work, stop: Stop) -> tuple[Artifact, ...]:
        """Make the files and list them in meta.json."""
        started, build, scratch = time.monotonic(), work.build, work.build.scratch / "live"
        scratch.mkdir()
        names = [file.file_name(work.layer.facts.osname, build.id, build.arch) for file in LIVE.files]
        iso, kernel, initramfs, rootfs = names
        made = make_live(
            _inputs(work, scratch, stop),
            LiveNames(iso=iso, kernel=kernel, initramfs=initramfs, rootfs=rootfs),
            scratch,
            work.events,
        )
        written = (made.iso, made.kernel, made.initramfs, made.rootfs)
        return tuple(
            _publish(work, file.key, each, started) for file, each in zip(LIVE.files, written, strict=True)
        )


def _publish(work: Work, key: str, output: Written, started: float) -> Artifact:
    output = replace(output, path=work.build.publish(output.path, output.path.name))
    work.build.replace_image(key, image_entry(output, skip_compression=True))
    return Artifact.of(key, output, started)


def _inputs(work: Work, scratch: Path, stop: Stop) -> LiveInputs:
    layer, results, build = work.layer, work.results, work.build
    recipe, commit = results.recipes[_SECTOR_SIZE], results.commit
    assert commit is not None
    try:
        wanted, native = lay_out_natively(
            work, base_inputs(work, recipe, DeployWay.NATIVE, commit, scratch), scratch
        )
    except NativeUnsupportedError as error:
        raise error.error from None
    return LiveInputs(
        arch=build.arch,
        osname=layer.facts.osname,
        build_id=build.id,
        other_builds=_other_builds(build.builds, layer),
        description=layer.facts.os_release.get("PRETTY_NAME", layer.facts.osname),
        identity=layer.image.digest,
        epoch=recipe.source_epoch,
        commit=wanted.commit,
        system=native.system,
        esp=native.bootloader.esp,
        efi_programs=efi_programs(wanted.commit, layer.tree, wanted.now),
        arguments=wanted.sysroot.deploy.kernel_opts,
        rootfs=rootfs_options(layer.facts.image_json.others),
        metals=[_metal(work, platforms()[name], stop) for name in LIVE.made_from],
        template=read_template(layer.tree),
        syslinux=_syslinux(layer, boot_row(build.arch)),
    )


def _other_builds(builds: Path, layer: Layer) -> list[str]:
    ids = [str(each["id"]) for each in read_index(builds)["builds"]]
    return [each for each in ids if each != layer.facts.version]


def _syslinux(layer: Layer, row: BootRow) -> Syslinux:
    tree = layer.tree
    return find_syslinux(lambda path: tree.read(path) if tree.exists(path) else None, row)


def _metal(work: Work, metal: Platform, stop: Stop) -> Metal:
    (file,) = image_of(metal).files
    return Metal(
        file.file_name(work.layer.facts.osname, work.build.id, work.build.arch),
        lambda: _disk(work, metal, stop),
    )


@contextmanager
def _disk(work: Work, metal: Platform, stop: Stop) -> Iterator[Source]:
    """The platform's disk, as its image has it."""
    base = work.results.bases[metal.sector_size]
    disk = work.results.recipes[metal.sector_size].platforms[metal.name]
    patch = platform_patch(base, metal, disk, work.layer, work.build.scratch)
    with Composite(base.path, patch, disk.size) as source:
        yield StoppableSource(source, stop)
