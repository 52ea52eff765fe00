"""What live media are made of, from a build: the system as data, the metal images, files of the layer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bootimg.builds.index import read_index
from bootimg.disk.composite import Composite
from bootimg.disk.extents import Source
from bootimg.disk.layer_deploy import DeployWay
from bootimg.disk.native.bootloader import efi_programs
from bootimg.jobs import Stop
from bootimg.live.inputs import LiveInputs, Metal
from bootimg.live.iso.bootrow import BootRow, boot_row
from bootimg.live.iso.syslinux import Syslinux, find_syslinux
from bootimg.live.template import read_template
from bootimg.orchestrator.artifacts.platformimage import platform_patch
from bootimg.orchestrator.artifacts.stoppable import StoppableSource
from bootimg.orchestrator.basedisks.making import base_inputs
from bootimg.orchestrator.basedisks.nativedisks import lay_out_natively
from bootimg.orchestrator.recipes.prepare import Layer
from bootimg.orchestrator.targets.liveprogram import options_of, program_of
from bootimg.orchestrator.work import Work
from bootimg.platform import Platform, platforms
from bootimg.sysroot.unsupported import NativeUnsupportedError
from bootimg.targets import LIVE, image_of

_SECTOR_SIZE = 512
"""Of the disk whose tree the live system has."""


def live_inputs(work: Work, scratch: Path, stop: Stop) -> LiveInputs:
    """The layer laid out; `scratch` is for what is made on the way."""
    layer, results, build = work.layer, work.results, work.build
    recipe, commit = results.recipes[_SECTOR_SIZE], results.commit
    row = boot_row(build.arch)
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
        other_builds=other_builds(build.builds, layer),
        description=layer.facts.os_release.get("PRETTY_NAME", layer.facts.osname),
        identity=layer.image.digest,
        epoch=recipe.source_epoch,
        tree=layer.tree,
        commit=wanted.commit,
        system=native.system,
        esp=native.bootloader.esp,
        efi_programs=efi_programs(wanted.commit, layer.tree, wanted.now) if row.has_efi_image else [],
        arguments=wanted.sysroot.deploy.kernel_opts,
        rootfs=options_of(work.request, layer),
        program=program_of(work, stop),
        metals=[_metal(work, platforms()[name], stop) for name in LIVE.made_from],
        template=read_template(layer.tree),
        syslinux=syslinux_of(layer, row),
    )


def other_builds(builds: Path, layer: Layer) -> list[str]:
    """The ids of the other builds of a tree, whose ISOs must have other volume ids."""
    ids = [str(each["id"]) for each in read_index(builds)["builds"]]
    return [each for each in ids if each != layer.facts.version]


def syslinux_of(layer: Layer, row: BootRow) -> Syslinux:
    """The layer's syslinux or this machine's."""
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
