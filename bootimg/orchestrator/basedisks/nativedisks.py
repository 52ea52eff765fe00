"""Base disks that bootimg writes without the appliance: `--deploy native`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from bootimg.appliance import Appliance, Drive
from bootimg.disk.base import BaseInputs
from bootimg.disk.layer_deploy import DeployWay
from bootimg.disk.native.base import Native, open_native, prepare_native, write_native
from bootimg.disk.native.products.choice import maker_of, products_as_data
from bootimg.disk.native.products.products import Products
from bootimg.disk.native.products.store import kept_products
from bootimg.layer.tree.merged import Tree
from bootimg.orchestrator.basedisk import BaseDisk, keep_base
from bootimg.orchestrator.basedisks.layerprograms import start_on_tools
from bootimg.orchestrator.work import Work
from bootimg.sysroot.unsupported import NativeUnsupportedError
from bootimg.sysroot.wanted import Wanted


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
    _, native = lay_out_natively(work, inputs, scratch)
    disk = scratch / key / "disk.raw"
    disk.parent.mkdir()
    write_native(native, disk, work.events)
    return keep_base(work.cache, key, inputs, disk, DeployWay.NATIVE)


def lay_out_natively(work: Work, inputs: BaseInputs, scratch: Path) -> tuple[Wanted, Native]:
    """The system that is deployed, and the disk that it makes, as data; NativeUnsupportedError."""
    wanted = open_native(inputs, work.cache.folder("repo"))
    made = _products(work, inputs, scratch)
    with work.events.step("deploy", "laying out the system") as step:
        native = prepare_native(inputs, wanted, made, work.cache)
        step.result(f"{len(native.system.root)} files")
    return wanted, native


def _products(work: Work, inputs: BaseInputs, scratch: Path) -> Products | None:
    """What the layer's bootupd leaves: kept, made in the appliance, or written as data; None without it."""
    arch = work.request.arch
    maker = maker_of(inputs.recipe, inputs.tools, arch)
    if maker is None:
        return products_as_data(inputs.recipe, inputs.tools, arch, work.cache.folder("tmp"))
    start = partial(_start, work, inputs.tools, maker.key)
    return kept_products(maker, work.cache, work.events, start, scratch)


def _start(work: Work, tools: Tree, key: str, drives: Sequence[Drive]) -> Appliance:
    why = "the appliance makes the bootloader once"
    return start_on_tools(work, tools, drives, log=f"bootloader-{key[:16]}", why=why)
