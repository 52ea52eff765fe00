"""The node image that `bootimg run --overlay` lays over what it boots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bootimg.cli.commands.run.media import Opened
from bootimg.cli.output.session import App
from bootimg.untrusted.limits import Limits
from bootimg.vm.image import is_iso

if TYPE_CHECKING:
    from bootimg.layer.fetching.fetch import RegistryOptions
    from bootimg.orchestrator.nodeimage import NodeImage


def laid_over(
    reference: str, found: Opened, app: App, registry: RegistryOptions, limits: Limits
) -> NodeImage:
    """The node image, which is built on the layer of what is booted: else `node-image-other-base`."""
    from bootimg.checks.bootedsystem import BootedKind
    from bootimg.orchestrator.nodeimage import Booted, Preparation

    kind = BootedKind.DISK
    if found.live:
        kind = BootedKind.ISO if is_iso(found.root) else BootedKind.ROOTFS
    booted = Booted(file=found.root, kind=kind, arch=found.arch, build=found.build)
    return Preparation(app.cache, app.events, registry, limits).prepare(reference, booted)
