"""Who makes the root file system of live media: this machine's program, or the layer's in the appliance."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from bootimg.appliance import Appliance, Drive
from bootimg.arch import Arch
from bootimg.jobs import Stop
from bootimg.layer.tree.merged import Tree
from bootimg.live.fsoptions import FsType, RootfsOptions, draft_options, rootfs_options
from bootimg.live.programs.choice import ChosenMaker, choose_maker, require_here
from bootimg.live.programs.known import MAKERS
from bootimg.live.programs.oflayer import OfLayer
from bootimg.live.programs.program import Program, ThisMachines
from bootimg.orchestrator.basedisks.applianceimages import tool_tree_path
from bootimg.orchestrator.basedisks.layerprograms import start_on_tools
from bootimg.orchestrator.recipes.prepare import Layer
from bootimg.orchestrator.request import Request
from bootimg.orchestrator.space import appliance_bytes, tree_bytes
from bootimg.orchestrator.step import Need
from bootimg.orchestrator.survey import Survey
from bootimg.orchestrator.work import Work
from bootimg.rpmdb.package import Package


def options_of(request: Request, layer: Layer) -> RootfsOptions:
    """The layer's options, or quicker ones for a draft; raises `live-rootfs-unsupported`."""
    options = rootfs_options(layer.facts.image_json.others)
    return draft_options(options) if request.draft else options


def maker_for_plan(survey: Survey) -> ChosenMaker | None:
    """The program that a build will use; None until the layer is read.  Raises `live-program-too-old`."""
    if survey.opened is None:
        return None
    layer = survey.opened.layer
    options = options_of(survey.request, layer)
    return choose_for(survey.request.arch, options.fstype, layer.tree, survey.opened.system.packages)


def maker_for_build(work: Work) -> ChosenMaker:
    """The program that a build uses."""
    options = options_of(work.request, work.layer)
    return choose_for(work.request.arch, options.fstype, work.layer.tree, work.system.packages)


def choose_for(arch: Arch, fstype: FsType, tree: Tree, packages: Sequence[Package] | None) -> ChosenMaker:
    """The program; the layer's own is none where it is for another architecture than this machine's."""
    if arch is Arch.of_machine():
        return choose_maker(fstype, tree, packages)
    here = require_here(MAKERS[fstype])
    return ChosenMaker(MAKERS[fstype], here.version, here)


def program_of(work: Work, stop: Stop) -> Program:
    """That program, ready to run; it ends when the stop is requested."""
    chosen = maker_for_build(work)
    if chosen.here is not None:
        return ThisMachines(stop.check)
    why = f"the layer's {chosen.maker.name} runs in the appliance"
    return OfLayer(partial(_start, work, why, stop), stop.check)


def need_of_appliance(survey: Survey) -> Need:
    """Its own files, and the tool tree that it runs the program on."""
    chosen = maker_for_plan(survey)
    if survey.tree is None or chosen is None or chosen.here is not None:
        return Need()
    kept = tool_tree_path(survey.tree, survey.cache).exists()
    tools = 0 if kept else tree_bytes(survey.image, survey.tree)
    return Need(cache=tools + appliance_bytes(survey.cache))


def _start(work: Work, why: str, stop: Stop, drives: Sequence[Drive]) -> Appliance:
    return start_on_tools(work, work.layer.tree, drives, log="live", why=why, meanwhile=stop.check)
