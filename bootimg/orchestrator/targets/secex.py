"""The image for Secure Execution, with the public key that encrypts Ignition configs for it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bootimg import process
from bootimg.arch import Arch
from bootimg.builds.meta import image_entry
from bootimg.disk.composite import Composite
from bootimg.disk.native import NATIVE_PROGRAMS
from bootimg.disk.zipl.stage3 import layer_stage3
from bootimg.errors import BootimgError, ExitCode
from bootimg.formats import Compressor, Packing, data_length
from bootimg.formats.output import Written
from bootimg.jobs import Stop
from bootimg.manifest.recipe import PlatformDisk
from bootimg.orchestrator.artifacts.compressors import artifact_compressor
from bootimg.orchestrator.artifacts.cost import memory_of
from bootimg.orchestrator.artifacts.packaging import Packer
from bootimg.orchestrator.artifacts.platformimage import platform_patch
from bootimg.orchestrator.artifacts.stoppable import StoppableSource
from bootimg.orchestrator.recipes.prepare import Layer
from bootimg.orchestrator.refusals import refuse_unmade, unmade
from bootimg.orchestrator.request import Artifact, Request
from bootimg.orchestrator.step import Need
from bootimg.orchestrator.survey import Survey
from bootimg.orchestrator.targets.image import by_osbuild
from bootimg.orchestrator.targets.target import Target
from bootimg.orchestrator.work import Work
from bootimg.platform import Platform, platform
from bootimg.secex.disk import SecureDisk
from bootimg.secex.hostimage import find_program
from bootimg.secex.ignitionkey import GPG_PACKAGE, make_key_pair, require_memory_folder
from bootimg.sizes import MIB
from bootimg.targets import SECEX

_UNSEEN = "nobody has seen an image of bootimg's run as a Secure Execution guest"
_NO_KEY = "the image is encrypted for machines, and none is named"
_INITRAMFS = 512 * MIB
"""Bytes of memory: the initramfs, once more with the key, and the encrypted image."""


@dataclass(frozen=True, slots=True)
class Secex(Target):
    """Makes both files from the disk of QEMU's platform, as coreos-assembler does."""

    declared = SECEX
    title = "make the image for Secure Execution"

    @property
    def base_sector_sizes(self) -> tuple[int, ...]:
        """That of QEMU's disks."""
        return (_qemu().sector_size,)

    def impossible(self, request: Request, layer: Layer | None) -> str | None:
        """Why: it is experimental, no machine may decrypt it, or osbuild makes the images."""
        if not request.experimental:
            return f"{_UNSEEN}: --experimental allows it"
        if not request.host_keys:
            return f"{_NO_KEY}: --hostkey names one"
        return "osbuild does not make it: use --builder own" if by_osbuild(request) else None

    def require(self, request: Request) -> None:
        """Require that it is allowed, and host key documents; `experimental-only`, `hostkey-missing`."""
        refuse_unmade(self.declared, request.arch)
        if not request.experimental:
            raise _experimental()
        if not request.host_keys:
            raise _no_key(_NO_KEY)
        for path in request.host_keys:
            if not path.is_file():
                raise _no_key(f"{path} is no file")
        if (reason := self.impossible(request, None)) is not None:
            raise unmade(self.declared, reason)

    def require_layer(self, request: Request, layer: Layer) -> None:
        """Require zipl's third stage and a known compressor."""
        layer_stage3(layer.tree)
        _compressor(request, layer)

    def require_tools(self, survey: Survey) -> None:
        """Require the programs that edit and check /boot, pvimg, gpg, and a folder in memory."""
        for program, package in NATIVE_PROGRAMS.items():
            process.require(program, packages=package)
        find_program()
        process.require("gpg", packages=GPG_PACKAGE)
        require_memory_folder()

    def need(self, survey: Survey) -> Need:
        """The disk twice: the hash trees have less than the file systems."""
        return Need() if survey.has(self.declared) else Need(builds=2 * survey.base_bytes)

    def memory(self, work: Work) -> int:
        """What the initramfs takes, or its packing."""
        return max(_INITRAMFS, memory_of(_packing(work)))

    def suffix(self, survey: Survey) -> str:
        """The compressor's suffix; empty until the layer, which may choose the compressor, is read."""
        return "" if survey.layer is None else _compressor(survey.request, survey.layer).suffix

    def made_with(self, work: Work) -> Mapping[str, Mapping[str, str]]:
        """The program that encrypts."""
        program = find_program()
        done = process.run([program, "--version"], check=False, timeout=60)
        text = (done.stdout + done.stderr).decode(errors="replace")
        version = next((word for word in text.split() if word[:1].isdigit()), "unknown")
        return {self.declared.files[0].key: {program.name: version}}

    def make(self, work: Work, stop: Stop) -> tuple[Artifact, ...]:
        """Make both files and list them in meta.json."""
        started, scratch, facts = time.monotonic(), work.build.scratch / self.name, work.layer.facts
        scratch.mkdir()
        image, key = (
            file.file_name(facts.osname, work.build.id, work.build.arch, suffix)
            for file, suffix in zip(self.declared.files, (_packing(work).compressor.suffix, ""), strict=True)
        )
        keys = make_key_pair(f"Secure Execution (secex) {work.build.id}")
        written = _written(work, scratch, image, keys.private, stop)
        _publish(work, self.declared.files[1].key, _file(scratch / key, keys.public), skip_compression=True)
        written = _publish(work, self.declared.files[0].key, written, skip_compression=False)
        return (Artifact.of(self.declared.files[0].key, written, started),)


def _written(work: Work, scratch: Path, name: str, private_key: bytes, stop: Stop) -> Written:
    qemu = _qemu()
    base = work.results.bases[qemu.sector_size]
    recipe = work.results.recipes[qemu.sector_size]
    disk = recipe.platforms[qemu.name]
    assert disk.zipl is not None
    # The firmware starts the encrypted image: /boot needs no record.
    patch = platform_patch(base, qemu, replace(disk, zipl=None), work.layer, scratch)
    with Composite(base.path, patch) as source:
        secure = SecureDisk(
            source=source,
            layer_digest=work.layer.image.digest,
            stage3=layer_stage3(work.layer.tree),
            entry=disk.zipl.kernel,
            host_keys=[path.absolute() for path in work.request.host_keys],
            private_key=private_key,
            size=disk.size,
            epoch=recipe.source_epoch,
        )
        with secure.assembled(scratch) as assembled:
            return _packed(work, qemu, disk, StoppableSource(assembled, stop), scratch / name)


def _packed(work: Work, qemu: Platform, disk: PlatformDisk, source: StoppableSource, out: Path) -> Written:
    with work.events.step(SECEX.name, out.name, total=data_length(source)) as step:
        return Packer(work.layer, _packing(work), step).write(qemu, disk, source, out)


def _publish(work: Work, key: str, output: Written, *, skip_compression: bool) -> Written:
    output = replace(output, path=work.build.publish(output.path, output.path.name))
    work.build.replace_image(key, image_entry(output, skip_compression=skip_compression))
    return output


def _file(path: Path, content: bytes) -> Written:
    path.write_bytes(content)
    return Written(path, len(content), hashlib.sha256(content).hexdigest())


def _qemu() -> Platform:
    return platform(SECEX.made_from[0], Arch.S390X)


def _packing(work: Work) -> Packing:
    return Packing(_compressor(work.request, work.layer))


def _compressor(request: Request, layer: Layer) -> Compressor:
    return artifact_compressor(request, _qemu(), layer.facts.image_json)


def _experimental() -> BootimgError:
    return BootimgError(
        "experimental-only",
        f"{SECEX.name} is experimental",
        context=[_UNSEEN],
        hint="allow it with --experimental, and start it on such a machine before you publish it",
        exit_code=ExitCode.USAGE,
    )


def _no_key(why: str) -> BootimgError:
    return BootimgError(
        "hostkey-missing",
        f"{SECEX.name} needs the host key document of the machine that is to start it",
        context=[why],
        hint="name it with --hostkey FILE; give the option again for each further machine",
        exit_code=ExitCode.USAGE,
    )
