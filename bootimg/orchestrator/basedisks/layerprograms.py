"""The appliance on the tool tree, where a build needs programs of the layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bootimg import process
from bootimg.appliance import Appliance, Drive
from bootimg.appliance.interpreter import guestfs_python
from bootimg.layer.tar.squashfs import PACKAGES
from bootimg.layer.tree.merged import Tree
from bootimg.orchestrator.basedisks.applianceimages import tool_tree_image
from bootimg.orchestrator.basedisks.foreign import refuse_foreign_programs
from bootimg.orchestrator.work import Work
from bootimg.vm.probe import choose_accelerator
from bootimg.vm.qemu import require_system

_TOOLS = "tools"


def require_appliance() -> None:
    """Require the programs and bindings that the appliance and the image of the tool tree take."""
    guestfs_python()
    require_system()
    for program in ("mksquashfs", "sqfstar"):
        process.require(program, packages=PACKAGES)


def start_on_tools(
    work: Work,
    tools: Tree,
    drives: Sequence[Drive],
    *,
    log: str,
    why: str,
    meanwhile: Callable[[], None] = lambda: None,
) -> Appliance:
    """Start it with these drives; `log` is the end of its log's name, `why` says what it is for."""
    refuse_foreign_programs(work.request.arch, "programs of the layer have to run")
    cache, events = work.cache, work.events
    accelerator = choose_accelerator(work.request.accelerator, cache, events)
    events.message(f"{why}: {accelerator.name} ({accelerator.reason})")
    tool_tree = Drive(_TOOLS, tool_tree_image(tools, cache, events), readonly=True)
    return Appliance.start(
        [*drives, tool_tree],
        tool_tree=_TOOLS,
        log=cache.folder("logs") / f"appliance-{log}.log",
        accelerator=accelerator,
        cache=cache,
        events=events,
        on_failure=work.request.on_failure,
        meanwhile=meanwhile,
    )
