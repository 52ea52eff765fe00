"""Tests whether the appliance's kernel mounts the filesystems that a real layer's tools make."""

from __future__ import annotations

from bootimg.appliance import Appliance, Drive
from bootimg.arch import Arch
from bootimg.atomic import temporary_folder
from bootimg.cache import Cache
from bootimg.doctor.finding import MachineFinding, Status
from bootimg.errors import BootimgError
from bootimg.events import Events
from bootimg.layer.fetching.fetch import RegistryOptions, fetch
from bootimg.layer.tree.merged import open_tree
from bootimg.orchestrator.basedisks.applianceimages import tool_tree_image
from bootimg.sizes import GIB
from bootimg.untrusted.limits import DEFAULT, Limits
from bootimg.vm.probe import choose_accelerator

NAME, PURPOSE = "layer-filesystems", "the kernel mounts what the layer's tools make"
MAKERS = (
    ("xfs", ("mkfs.xfs", "-q", "-f")),
    ("ext4", ("mkfs.ext4", "-q", "-F")),
    ("vfat", ("mkfs.fat", "-I")),
)
DEADLINE = 120.0


def mounts_of_layer(
    reference: str,
    cache: Cache,
    events: Events,
    accel: str,
    registry: RegistryOptions,
    limits: Limits = DEFAULT,
) -> MachineFinding:
    """Make each filesystem with the layer's tools in the appliance, mount it, and report which failed."""
    arch = Arch.of_machine()
    image = fetch(reference, arch=arch, cache=cache, events=events, registry=registry, limits=limits)
    tools = tool_tree_image(open_tree(image, cache, events), cache, events)
    with temporary_folder("bootimg-doctor-") as folder:
        disk = folder / "disk.raw"
        with disk.open("wb") as handle:
            handle.truncate(GIB)
        with Appliance.start(
            [Drive("disk", disk), Drive("tools", tools, readonly=True)],
            tool_tree="tools",
            log=cache.folder("logs") / "doctor.log",
            accelerator=choose_accelerator(accel, cache, events),
            cache=cache,
            events=events,
        ) as vm:
            faults = [fault for name, words in MAKERS if (fault := _fault(vm, name, words))]
    detail = "; ".join(faults) or f"{', '.join(name for name, _ in MAKERS)} made by {reference}"
    return MachineFinding(
        name=NAME, status=Status.FAULT if faults else Status.OK, purpose=PURPOSE, detail=detail
    )


def _fault(vm: Appliance, name: str, words: tuple[str, ...]) -> str | None:
    try:
        vm.run([*words, vm.device("disk")], timeout=DEADLINE)
        vm.run(["mkdir", "-p", "/run/probe"], timeout=DEADLINE)
        vm.run(["mount", "-t", name, vm.device("disk"), "/run/probe"], timeout=DEADLINE)
        vm.run(["umount", "/run/probe"], timeout=DEADLINE)
    except BootimgError as error:
        if error.id != "appliance-command-failed":
            raise
        return f"{name}: {' '.join(error.context[:-1])}"
    return None
