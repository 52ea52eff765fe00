"""/usr/lib/bootc/kargs.d/*.toml: kernel arguments that belong to the layer (bootc's "Kernel arguments").

bootc applies them when it installs.  An update by bootc applies only what differs between the files of the
old and the new layer, so a disk that was made without them would never get them.
"""

from __future__ import annotations

from functools import partial

from bootimg.arch import Arch
from bootimg.errors import BootimgError, ExitCode
from bootimg.kernelarg import KernelArgument, parse_arguments
from bootimg.layer.declared.bootcfile import is_for
from bootimg.layer.tar.entry import Kind
from bootimg.layer.tree.merged import Tree
from bootimg.untrusted.tomlfile import parse_toml

FOLDER = "usr/lib/bootc/kargs.d"
_KARGS = "kargs"


def read_kargs_d(tree: Tree, arch: Arch) -> tuple[KernelArgument, ...]:
    """The arguments for this architecture, in the order of the files' names.

    Errors: `kargs-file-malformed` for what bootc would not read, `kernel-argument-invalid`.
    """
    found: list[KernelArgument] = []
    folder = tree.resolve(FOLDER) or FOLDER
    for name in tree.listdir(folder):
        # bootc goes by the extension alone: `.toml` is a name without one.
        if name.endswith(".toml") and name != ".toml":
            found += _read(tree, f"{folder}/{name}", arch)
    return tuple(found)


def _read(tree: Tree, path: str, arch: Arch) -> tuple[KernelArgument, ...]:
    # An installation by bootc follows a symlink, its update does not.
    if tree.entries[path].kind is not Kind.FILE:
        raise _malformed(path, "it is no regular file")
    document = parse_toml(tree.read(path), partial(_malformed, path))
    matches, kargs = is_for(document, arch), document.needed(_KARGS).each(str)
    document.finish()
    return parse_arguments(kargs, f"/{path}: {_KARGS}") if matches else ()


def _malformed(path: str, what: str) -> BootimgError:
    return BootimgError(
        "kargs-file-malformed",
        "a file of kernel arguments is not what bootc takes",
        context=[f"/{path}: {what}"],
        hint='write it as TOML: kargs = ["quiet"] and, if need be, match-architectures = ["x86_64"]',
        exit_code=ExitCode.USAGE,
    )
