"""What an installation by bootc needs of the layer, and what no installation puts on the disk.

Both are by the source of bootc 1.16 and by a run of it.  bootc looks for a program when it needs it,
minutes after the virtual machine has started; here all are looked for before that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bootimg.arch import Arch
from bootimg.errors import BootimgError, ExitCode
from bootimg.layer.ostree.derived import PREPARE_ROOT
from bootimg.layer.tree.merged import Tree

BOUND_IMAGES = "usr/lib/bootc/bound-images.d"
# A layer in ostree's own layout has its /etc in /usr/etc.
_PREPARE_ROOT_ETC = ("etc/ostree/prepare-root.conf", "usr/etc/ostree/prepare-root.conf")
_MOST = 5
_GRUB_ARCHES = frozenset(arch for arch in Arch if arch.row.has_grub)


@dataclass(frozen=True, slots=True)
class Need:
    """One of `paths` has to be there; `package` brings it, and `why` says who asks for it."""

    paths: tuple[str, ...]
    package: str
    why: str
    arches: frozenset[Arch] = frozenset(Arch)


def _program(name: str, package: str, why: str, arches: frozenset[Arch] = frozenset(Arch)) -> Need:
    return Need((f"usr/bin/{name}", f"usr/sbin/{name}"), package, why, arches)


NEEDS = (
    _program("bootc", "bootc", "it installs the layer"),
    _program("podman", "podman", "bootc makes the storage of bound images with it"),
    _program("skopeo", "skopeo", "bootc reads the image with it"),
    # Where GRUB does not boot, bootc runs zipl.
    _program("bootupctl", "bootupd", "bootc installs the bootloader with it", _GRUB_ARCHES),
    _program("unshare", "util-linux (Fedora: util-linux-core)", "bootimg starts bootc with it"),
    Need((PREPARE_ROOT, *_PREPARE_ROOT_ETC), "the layer's own configuration", "bootc ends without it"),
)
"""What an installation by bootc needs of the layer."""


def require_bootc(tree: Tree, arch: Arch) -> None:
    """Refuse a layer that its own bootc could not install: `install-path-unsupported`."""
    missing = [need for need in NEEDS if arch in need.arches and not any(map(tree.exists, need.paths))]
    if missing:
        raise BootimgError(
            "install-path-unsupported",
            "the layer asks to be installed by bootc (`bootc-install-to-fs: true`) and lacks what that needs",
            context=[f"no /{need.paths[0]}: {need.why}; it comes from {need.package}" for need in missing],
            hint="put it into the layer, or set `bootc-install-to-fs` of image.json to false",
        )


def refuse_bound_images(tree: Tree) -> None:
    """Refuse a layer that binds container images to itself: they would not be on the disk."""
    names = tree.listdir(BOUND_IMAGES)
    if names:
        raise BootimgError(
            "bound-images-unsupported",
            f"the layer binds container images to itself, which bootimg does not put on the disk: "
            f"/{BOUND_IMAGES} has {len(names)}",
            context=list(_shown(names)),
            hint="remove them where the layer is made: podman then pulls the images when their units start",
            exit_code=ExitCode.USAGE,
        )


def _shown(names: list[str]) -> Iterator[str]:
    yield from (f"/{BOUND_IMAGES}/{name[:200]}" for name in names[:_MOST])
    if len(names) > _MOST:
        yield f"and {len(names) - _MOST} more"
