"""The builds that the arguments of a command line name, their stream, and its default URL."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bootimg.arch import Arch
from bootimg.builds.names import is_plain_name
from bootimg.errors import BootimgError, ExitCode
from bootimg.printable import printable
from bootimg.streams.metadata.buildmeta import Built
from bootimg.streams.metadata.download import require_http
from bootimg.streams.metadata.sources import LocalBuilds, RemoteBuilds, Wanted

RHCOS = "https://rhcos.mirror.openshift.com/art/storage/prod/streams"
FCOS = "https://builds.coreos.fedoraproject.org/prod/streams"


def read_builds(words: Sequence[str], builds: Path, url: str | None, name: str | None) -> Sequence[Built]:
    """The builds that `words` name, in the local tree, or in the stream `name` below `url`.

    A word is ARCH=BUILD.  For the local tree it can also be a build with all its architectures; without
    words it is `latest`.
    """
    if url is not None:
        remote = RemoteBuilds(require_http(url), stream_name(name, []))
        return [remote.build(each) for each in wanted_builds(words)]
    local = LocalBuilds(builds)
    found: list[Built] = []
    for word in words or ["latest"]:
        whole = "/" in word or "=" not in word
        found += local.every_arch(word) if whole else [local.build(each) for each in wanted_builds([word])]
    for arch in {each.meta.basearch for each in found}:
        if len([each for each in found if each.meta.basearch == arch]) > 1:
            raise _invalid(f"{arch} is named twice")
    return found


def wanted_builds(words: Sequence[str]) -> Sequence[Wanted]:
    """The builds of words ARCH=ID, each architecture once; `stream-argument-invalid` otherwise."""
    found: dict[Arch, Wanted] = {}
    for word in words:
        arch, equals, build = word.partition("=")
        if not equals:
            raise _invalid(f"{word!r:.200} is not ARCH=BUILD, such as x86_64=9.6.20250513-0")
        wanted = wanted_build(arch, build)
        if wanted.arch in found:
            raise _invalid(f"{wanted.arch} is named twice")
        found[wanted.arch] = wanted
    return [*found.values()]


def wanted_build(arch: str, build: str) -> Wanted:
    """A build from untrusted names."""
    if not is_plain_name(build):
        raise _invalid(f"{build!r:.200} cannot be a build's id")
    return Wanted(Arch.parse(arch), build)


def stream_name(name: str | None, builds: Sequence[Built]) -> str:
    """The stream's name: the given one, else that of all builds.

    `stream-argument-invalid` for a name that cannot be part of a URL, `stream-name-missing` without a name.
    """
    names = sorted({each.meta.stream or "" for each in builds}) if name is None else [name]
    if len(names) != 1 or not names[0]:
        raise BootimgError(
            "stream-name-missing",
            "the stream's name is not known",
            context=[f"{each.name}: {printable(each.meta.stream or 'no stream')}" for each in builds],
            hint="set it with --name, such as --name rhel-9.6",
            exit_code=ExitCode.USAGE,
        )
    if not is_plain_name(names[0]):
        raise _invalid(f"{names[0]!r:.200} cannot be a stream's name")
    return names[0]


def published_base(builds: Sequence[Built]) -> str:
    """The default URL where builds of this system are published."""
    return FCOS if all(each.meta.name == "fedora-coreos" for each in builds) else RHCOS


def _invalid(message: str) -> BootimgError:
    return BootimgError(
        "stream-argument-invalid",
        message,
        hint="`bootimg stream --help` describes the arguments of each command",
        exit_code=ExitCode.USAGE,
    )
