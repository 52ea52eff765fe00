"""The options that mean the same for every verb.

`@common` goes directly under `@click.command()` and passes `app: App` by name; the others are
decorators for the verbs that have them.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

from bootimg import defaults
from bootimg.arch import Arch
from bootimg.atomic import blocking_file
from bootimg.cache import Cache, default_root
from bootimg.cli.output.session import App, Session
from bootimg.cli.output.sinks import open_events
from bootimg.sizes import parse_duration, parse_size
from bootimg.storage import storage_errors
from bootimg.untrusted.limits import DEFAULT, Limit, Limits

if TYPE_CHECKING:
    from bootimg.platform import Platform

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
_ACCEL = "bootimg.accel"
PLAIN_EVENTS = "bootimg.plain-events"
"""Key in a click context's `meta`: true if a verb itself uses the terminal while steps run."""


class SizeType(click.ParamType[int]):
    """A size such as 10G, in bytes."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:  # noqa: ANN401
        """Bytes of the text; raises `size-malformed`."""
        return value if isinstance(value, int) else parse_size(value)


class DurationType(click.ParamType[int]):
    """A duration such as 30d, in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:  # noqa: ANN401
        """Seconds of the text; raises `duration-malformed`."""
        return value if isinstance(value, int) else parse_duration(value)


class RenamedChoice(click.Choice[str]):
    """A choice that still takes old names of its values, without listing them."""

    def __init__(self, choices: Sequence[str], *, old: Mapping[str, str]) -> None:
        super().__init__(choices)
        self._old = old

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ANN401
        """The value, by its present name."""
        return super().convert(self._old.get(value, value), param, ctx)


class ArchType(click.ParamType[Arch]):
    """An architecture by its RPM or OCI name."""

    name = "arch"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Arch:  # noqa: ANN401
        """The architecture; raises `arch-unknown`."""
        return value if isinstance(value, Arch) else Arch.parse(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The architectures that begin with the text."""
        return [CompletionItem(arch.value) for arch in Arch if arch.startswith(incomplete)]


class FolderType(click.Path):
    """The path of a folder that exists or can be made."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, file_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401
        """The path; a usage error if one of its folders is a file."""
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        found = blocking_file(path)
        if found is not None:
            self.fail(f"Directory {str(path)!r} cannot exist: {str(found)!r} is not a directory.", param, ctx)
        return path


folder_type = FolderType()
size_type, duration_type = SizeType(), DurationType()

arch_option = click.option(
    "--arch",
    type=ArchType(),
    default=Arch.of_machine,
    show_default="this machine's",
    envvar="BOOTIMG_ARCH",
    show_envvar=True,
    help="Architecture of the image.",
)
"""Passes `arch: Arch`."""


def _remember_accel(ctx: click.Context, parameter: click.Parameter, value: str) -> None:
    ctx.meta[_ACCEL] = value


accel_option = click.option(
    "--accel",
    type=click.Choice(["auto", "kvm", "tcg"]),
    default=defaults.ACCELERATOR,
    show_default=True,
    envvar="BOOTIMG_ACCEL",
    show_envvar=True,
    expose_value=False,
    callback=_remember_accel,
    help="How virtual machines run.",
)
"""Passes nothing: `app.accel` has the choice."""

builds_option = click.option(
    "-o",
    "--builds",
    type=folder_type,
    default=defaults.BUILDS,
    show_default=True,
    metavar="DIR",
    envvar="BOOTIMG_BUILDS",
    show_envvar=True,
    help="The tree of builds.",
)
"""Passes `builds: Path`."""


def _complete_platforms(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    from bootimg.targets import every_target

    before, comma, last = incomplete.rpartition(",")
    known = (each.name for each in every_target() if each.on_request and each.obstacle is None)
    names = [name for name in ["all", *known] if name.startswith(last)]
    return [CompletionItem(before + comma + name) for name in names]


def split_names(ctx: click.Context, parameter: click.Parameter, value: Iterable[str]) -> tuple[str, ...]:
    """A callback: the names of an option that takes several, each once."""
    names = [name.strip() for words in value for name in words.split(",")]
    return tuple(dict.fromkeys(name for name in names if name))


platform_option = click.option(
    "-p",
    "--platform",
    "platforms",
    multiple=True,
    default=defaults.PLATFORMS,
    show_default=True,
    metavar="NAME[,NAME…]|all",
    callback=split_names,
    shell_complete=_complete_platforms,
    envvar="BOOTIMG_PLATFORM",
    show_envvar=True,
    help="Platforms to make images for; repeatable.",
)
"""Passes `platforms: tuple[str, ...]`, in the order given and without repetition."""


def chosen_platforms(names: Iterable[str], arch: Arch) -> list[Platform]:
    """The platforms named by `-p`; `all` means every platform that exists for `arch`.

    Raises `platform-unknown` and `platform-arch-unsupported`.
    """
    from bootimg.platform import platform, platforms

    found: dict[str, Platform] = {}
    for name in names:
        if name == "all":
            known = platforms().values()
            found.update((each.name, each) for each in known if arch in each.arches and each.buildable)
        else:
            found[name] = platform(name, arch)
    return list(found.values())


def registry_options(function: Decorated) -> Decorated:
    """skopeo's options for registries; passes `registry: RegistryOptions`."""

    @functools.wraps(function)
    def with_registry(
        *args: Any,  # noqa: ANN401
        authfile: Path | None,
        cert_dir: Path | None,
        tls_verify: bool,
        **kwargs: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        from bootimg.layer.fetching.fetch import RegistryOptions

        registry = RegistryOptions(authfile=authfile, cert_dir=cert_dir, tls_verify=tls_verify)
        return function(*args, registry=registry, **kwargs)

    decorated: Any = with_registry
    for option in reversed(_REGISTRY):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]


def _with_limits(ctx: click.Context, parameter: click.Parameter, value: Iterable[str]) -> Limits:
    # Commas only separate in the environment's variable.
    return DEFAULT.with_texts(text for words in value for text in words.split(","))


limit_option = click.option(
    "--limit",
    "limits",
    multiple=True,
    metavar="NAME=VALUE",
    callback=_with_limits,
    envvar="BOOTIMG_LIMIT",
    show_envvar=True,
    help=f"Raise a limit on what is read, for images that are honestly huge; repeatable: {', '.join(Limit)}.",
)
"""Passes `limits: Limits`."""

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
_REGISTRY = (
    click.option("--authfile", type=_FILE, envvar="BOOTIMG_AUTHFILE", show_envvar=True,
                 help="File with credentials for registries, as for skopeo."),
    click.option("--cert-dir", type=_FOLDER, envvar="BOOTIMG_CERT_DIR", show_envvar=True,
                 help="Folder with certificates for registries, as for skopeo."),
    click.option("--tls-verify", type=bool, default=defaults.TLS_VERIFY, show_default=True,
                 envvar="BOOTIMG_TLS_VERIFY", show_envvar=True, help="Check the registry's certificate."),
)  # fmt: skip

keyrings_option = click.option(
    "--keyring",
    "keyrings",
    type=_FILE,
    multiple=True,
    metavar="FILE",
    envvar="BOOTIMG_KEYRING",
    show_envvar=True,
    help="A keyring of gpg whose keys count; repeatable.  [default: the user's, with every key in it]",
)
"""Passes `keyrings: tuple[Path, ...]`."""

force_option = click.option("-f", "--force", is_flag=True, help="Make existing artifacts again.")
"""Passes `force: bool`."""

dry_run_option = click.option("-n", "--dry-run", is_flag=True, help="Show what would be done; do nothing.")
"""Passes `dry_run: bool`."""

jobs_option = click.option(
    "-j",
    "--jobs",
    type=click.IntRange(min=1),
    default=defaults.jobs,
    show_default="the number of CPUs",
    metavar="N",
    envvar="BOOTIMG_JOBS",
    show_envvar=True,
    help="Number of jobs at a time.",
)
"""Passes `jobs: int`."""

_COMMON = (
    click.option("--json", is_flag=True, help="Print the result as one JSON document."),
    click.option("--events", type=click.Choice(["ndjson"]), envvar="BOOTIMG_EVENTS", show_envvar=True,
                 help="Print progress events as JSON lines, on stderr."),
    click.option("--events-fd", type=click.IntRange(min=0), metavar="N", envvar="BOOTIMG_EVENTS_FD",
                 show_envvar=True, help="Write these events to file descriptor N instead."),
    click.option("-q", "--quiet", is_flag=True, help="Print only warnings and errors."),
    click.option("-v", "--verbose", count=True, help="Print more details."),
    click.option("--no-color", is_flag=True, help="Do not use colours (see also NO_COLOR, FORCE_COLOR)."),
    click.option("--cache", type=folder_type, default=default_root,
                 show_default="~/.cache/bootimg", metavar="DIR", envvar="BOOTIMG_CACHE", show_envvar=True,
                 help="Folder for what is kept between builds."),
)  # fmt: skip


def common(function: Decorated) -> Decorated:
    """The options every verb has; passes `app: App` by name and closes it when the verb ends."""

    @functools.wraps(function)
    def with_app(
        *args: Any,  # noqa: ANN401
        json: bool,
        events: str | None,
        events_fd: int | None,
        quiet: bool,
        verbose: int,
        no_color: bool,
        cache: Path,
        **kwargs: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        context = click.get_current_context()
        session = context.find_object(Session) or Session()
        machine = events is not None or events_fd is not None
        session.machine_stderr = machine and events_fd in (None, 2)
        color = _wants_color(no_color)
        with (
            ExitStack() as resources,
            open_events(
                machine=machine,
                fd=events_fd,
                quiet=quiet,
                verbose=verbose,
                color=color,
                plain=context.meta.get(PLAIN_EVENTS, False),
            ) as sent,
            # Inside of the events, which tell machines of an error too.
            storage_errors(),
        ):
            session.app = App(
                events=sent,
                idle_cache=Cache(cache.absolute()),
                json=json,
                accel=context.meta.get(_ACCEL, defaults.ACCELERATOR),
                quiet=quiet,
                verbose=verbose,
                color=color,
                resources=resources,
            )
            return function(*args, app=session.app, **kwargs)

    decorated: Any = with_app
    for option in reversed(_COMMON):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]


def _wants_color(no_color: bool) -> bool | None:
    """NO_COLOR (no-color.org) and FORCE_COLOR count if they are not empty; the flag takes precedence."""
    if no_color or os.environ.get("NO_COLOR"):
        return False
    return True if os.environ.get("FORCE_COLOR") else None
