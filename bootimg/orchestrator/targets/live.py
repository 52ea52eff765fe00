"""Live media: an ISO, and the files that boot the same system from the network."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from bootimg import process
from bootimg.appliance.appliance import MEMORY_MIB
from bootimg.builds.meta import image_entry
from bootimg.disk.bootloaders.efi_grub import efi_payload
from bootimg.disk.native import NATIVE_PROGRAMS
from bootimg.formats import Compressor, Packing
from bootimg.formats.output import Written
from bootimg.jobs import Stop
from bootimg.live.bootways.cdboot import require_layer_kernel
from bootimg.live.bootways.openfirmware import live_core
from bootimg.live.features import brings_installer, require_features
from bootimg.live.filledtemplate import filled_template
from bootimg.live.inputs import LiveNames
from bootimg.live.iso.bootrow import boot_row
from bootimg.live.iso.efiboot import one_vendor
from bootimg.live.iso.volumeid import volume_id
from bootimg.live.media import make_live
from bootimg.live.programs.choice import ChosenMaker
from bootimg.live.programs.known import dotted
from bootimg.live.roottree import require_checksum
from bootimg.live.template import has_template, missing_template, read_template
from bootimg.orchestrator.artifacts.cost import memory_of
from bootimg.orchestrator.basedisks.layerprograms import require_appliance
from bootimg.orchestrator.recipes.prepare import Layer
from bootimg.orchestrator.refusals import refuse_unmade, unmade
from bootimg.orchestrator.request import Artifact, Request
from bootimg.orchestrator.space import tree_bytes
from bootimg.orchestrator.step import Need, Why
from bootimg.orchestrator.survey import Survey
from bootimg.orchestrator.targets.image import by_osbuild
from bootimg.orchestrator.targets.liveinputs import live_inputs, other_builds, syslinux_of
from bootimg.orchestrator.targets.liveprogram import (
    maker_for_build,
    maker_for_plan,
    need_of_appliance,
    options_of,
)
from bootimg.orchestrator.targets.madewith import record_release
from bootimg.orchestrator.targets.target import Target
from bootimg.orchestrator.work import Work
from bootimg.platform import platforms
from bootimg.sizes import MIB
from bootimg.targets import LIVE

_ISO, _KERNEL, _INITRAMFS, _ROOTFS = LIVE.meta_keys


@dataclass(frozen=True, slots=True)
class Live(Target):
    """Makes the four files from the system as data, and from the metal images that it can install."""

    declared = LIVE
    title = "make the live ISO and the files for network boots"

    @property
    def base_sector_sizes(self) -> tuple[int, ...]:
        """Those of the metal images."""
        return tuple(sorted({platforms()[name].sector_size for name in LIVE.made_from}))

    def impossible(self, request: Request, layer: Layer | None) -> str | None:
        """Why, if osbuild makes the images, or if the layer has no boot menus."""
        if by_osbuild(request):
            return "osbuild does not make them: use --builder own"
        if layer is not None and not has_template(layer.tree):
            return missing_template().context[0]
        return None

    def require(self, request: Request) -> None:
        """Require an architecture whose live media can be made, and bootimg's own builder."""
        refuse_unmade(self.declared, request.arch)
        if (reason := self.impossible(request, None)) is not None:
            raise unmade(self.declared, reason)

    def require_layer(self, request: Request, layer: Layer) -> None:
        """Require what the files are made of.

        That is known options of the root file system, syslinux, EFI programs, the template, a kernel that can
        be started, its checksum, coreos-installer's directives, a volume id, GRUB for Open Firmware.
        """
        options_of(request, layer)
        row = boot_row(request.arch)
        syslinux_of(layer, row)
        vendor = None
        if row.has_efi_image:
            folders = efi_payload(layer.tree)
            vendor = one_vendor(name for each in folders for name in layer.tree.listdir(each))
        # The arguments are not known yet, so they may still make the areas too large.
        filled_template(row, read_template(layer.tree), (), vendor)
        if row.has_cdboot_image:
            require_layer_kernel(layer.tree)
        require_checksum(layer.tree)
        require_features(layer.tree)
        volume = volume_id(layer.facts.osname, layer.facts.version, other_builds(request.builds, layer))
        if row.boot_script:
            live_core(layer.tree, volume)

    def require_tools(self, survey: Survey) -> None:
        """Require the programs that lay out the system, and one that makes the root file system.

        They also edit /boot of the metal images.
        """
        for program, package in NATIVE_PROGRAMS.items():
            process.require(program, packages=package)
        chosen = maker_for_plan(survey)
        if chosen is not None and chosen.here is None:
            require_appliance()

    def why(self, survey: Survey) -> Why:
        """Why: the build lacks files; with the program that makes the root file system."""
        found = Target.why(self, survey)
        chosen = None if found.cached else maker_for_plan(survey)
        return found if chosen is None else Why(f"{found.text}; {chosen.text}")

    def way(self, survey: Survey) -> str:
        """Whether the appliance makes the root file system, which takes longer."""
        chosen = maker_for_plan(survey)
        return "" if chosen is None else _way(chosen)

    def need(self, survey: Survey) -> Need:
        """The file system, the rootfs image and the ISO at the same time, each as large as the tree."""
        if survey.has(self.declared):
            return Need()
        return Need(builds=3 * tree_bytes(survey.image, survey.tree)) + need_of_appliance(survey)

    def memory(self, work: Work) -> int:
        """What compressing the osmet files takes, or the appliance."""
        appliance = 0 if maker_for_build(work).here else MEMORY_MIB * MIB
        return max(memory_of(Packing(Compressor.XZ)), appliance)

    def made_with(self, work: Work) -> Mapping[str, Mapping[str, str]]:
        """The program of the root file system, and the syslinux of an ISO that has it."""
        chosen = maker_for_build(work)
        rootfs = {chosen.maker.name: f"{dotted(chosen.version) or 'unknown'}{_whose(not chosen.here)}"}
        return {_ISO: rootfs | _syslinux(work), _INITRAMFS: rootfs, _ROOTFS: rootfs}

    def existing(self, work: Work) -> tuple[Artifact, ...] | None:
        """The files that the build has, with the same note as new ones."""
        found = Target.existing(self, work)
        return None if found is None else tuple(_noted(work, each) for each in found)

    def make(self, work: Work, stop: Stop) -> tuple[Artifact, ...]:
        """Make the files and list them in meta.json."""
        started, build, scratch = time.monotonic(), work.build, work.build.scratch / "live"
        scratch.mkdir()
        names = [file.file_name(work.layer.facts.osname, build.id, build.arch) for file in LIVE.files]
        iso, kernel, initramfs, rootfs = names
        with work.events.step(self.name, "making live media") as step:
            step.way = _way(maker_for_build(work))
            made = make_live(
                live_inputs(work, scratch, stop),
                LiveNames(iso=iso, kernel=kernel, initramfs=initramfs, rootfs=rootfs),
                scratch,
                work.events,
            )
        written = (made.iso, made.kernel, made.initramfs, made.rootfs)
        artifacts = tuple(
            _publish(work, file.key, each, started) for file, each in zip(LIVE.files, written, strict=True)
        )
        if not work.request.draft:
            record_release(work, self)
        return artifacts


def _publish(work: Work, key: str, output: Written, started: float) -> Artifact:
    output = replace(output, path=work.build.publish(output.path, output.path.name))
    work.build.replace_image(key, image_entry(output, skip_compression=True))
    return _noted(work, Artifact.of(key, output, started))


def _syslinux(work: Work) -> dict[str, str]:
    row = boot_row(work.request.arch)
    if not row.syslinux:
        return {}
    found = syslinux_of(work.layer, row)
    return {"syslinux": f"{found.identity}{_whose(found.of_layer)}"}


def _noted(work: Work, artifact: Artifact) -> Artifact:
    """The ISO says whether it can install."""
    if artifact.key != _ISO or brings_installer(work.layer.tree):
        return artifact
    return replace(artifact, note="it cannot install: the layer has no coreos-installer")


def _way(chosen: ChosenMaker) -> str:
    return "" if chosen.here else "appliance"


def _whose(of_layer: bool) -> str:
    return " of the layer" if of_layer else " of the machine"
