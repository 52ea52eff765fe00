"""Base disks that bootimg writes without the appliance: `--deploy native`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bootimg.disk.base import BaseInputs
from bootimg.disk.bootloaders.bios_grub import BiosImages
from bootimg.disk.layer_deploy import DeployWay
from bootimg.disk.native.base import prepare_native, write_native
from bootimg.disk.native.grubcore import bios_images, images_by_appliance
from bootimg.orchestrator.basedisk import BaseDisk, keep_base
from bootimg.orchestrator.basedisks.applianceimages import tool_tree_image
from bootimg.orchestrator.work import Work
from bootimg.sysroot.unsupported import NativeUnsupportedError
from bootimg.vm.probe import choose_accelerator


def native_disks(work: Work, wanted: Mapping[str, BaseInputs], scratch: Path) -> dict[str, BaseDisk]:
    """Make and seal the disks that the native way can make, by their keys.

    A message says why a disk is missing from the result; the appliance makes it.
    """
    made = {}
    for key, inputs in wanted.items():
        try:
            made[key] = _native_disk(work, key, inputs, scratch)
        except NativeUnsupportedError as error:
            work.events.message(f"the appliance makes the base disk: {error.reason}")
    return made


def _native_disk(work: Work, key: str, inputs: BaseInputs, scratch: Path) -> BaseDisk:
    cache, events = work.cache, work.events
    with events.step("deploy", "laying out the system") as step:
        native = prepare_native(inputs, cache.folder("repo"), cache)
        step.result(f"{len(native.system.root)} files")
    bios = None
    if native.has_bios:
        bios = bios_images(inputs.tools, cache, events, lambda: _make_images(work, inputs))
    disk = scratch / key / "disk.raw"
    disk.parent.mkdir()
    write_native(native, disk, bios, events)
    return keep_base(cache, key, inputs, disk, DeployWay.NATIVE)


def _make_images(work: Work, inputs: BaseInputs) -> BiosImages:
    """Have the appliance make GRUB's core image, which the cache lacks."""
    cache, events = work.cache, work.events
    accelerator = choose_accelerator(work.request.accelerator, cache, events)
    events.message(f"the appliance makes GRUB's core image once: {accelerator.name} ({accelerator.reason})")
    return images_by_appliance(
        inputs.tools,
        tool_tree_image(inputs.tools, cache, events),
        log=cache.folder("logs") / f"appliance-grubcore-{inputs.tools.digest[:16]}.log",
        accelerator=accelerator,
        cache=cache,
        events=events,
        on_failure=work.request.on_failure,
    )
