"""GRUB's modules: what they need, by the list beside them (moddep.lst), and their copy in /boot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bootimg.appliance import Appliance
from bootimg.disk.bootloaders.bootloader import BOOT
from bootimg.errors import BootimgError

MODULE = ".mod"
"""How the name of a module's file ends."""
DEPENDENCIES = "moddep.lst"
"""A line for each module: its name, a colon, and the modules that it needs, separated by blanks."""


def with_dependencies(wanted: Iterable[str], listed: str) -> tuple[str, ...]:
    """The modules and what they need, each once and after its own needs; `listed` is the content of the list.

    The order is that of grub-mkimage, which takes the last need of a module first.  `grub-image-invalid` if
    modules need each other.
    """
    needs = _parse(listed)
    order: dict[str, None] = {}
    waiting: set[str] = set()
    stack = [(name, False) for name in reversed([*wanted])]
    while stack:
        name, complete = stack.pop()
        if name in order:
            continue
        if complete:
            order[name] = None
            continue
        if name in waiting:
            raise _circular(name)
        waiting.add(name)
        stack.append((name, True))
        stack += [(need, False) for need in needs.get(name, ())]
    return tuple(order)


def is_boot_file(name: str) -> bool:
    """Whether a file of the modules' folder belongs in /boot too."""
    return name.endswith((MODULE, ".lst"))


def copy_modules(vm: Appliance, folder: str, names: Iterable[str], target: str) -> None:
    """Copy those of the files `names` in a folder of the tools that belong in `target`, below /boot."""
    wanted = [f"/{folder}/{name}" for name in names if is_boot_file(name)]
    vm.run(["mkdir", "-p", f"{BOOT}/{target}"], timeout=60)
    vm.run(["cp", *wanted, f"{BOOT}/{target}"], timeout=120)


def _parse(listed: str) -> Mapping[str, list[str]]:
    lines = (line.partition(":") for line in listed.splitlines())
    return {name: needs.split() for name, _, needs in lines}


def _circular(name: str) -> BootimgError:
    return BootimgError(
        "grub-image-invalid",
        f"GRUB's module {name!r:.80} depends on itself, by the layer's {DEPENDENCIES}",
        hint="install all of GRUB in one version in the layer",
    )
