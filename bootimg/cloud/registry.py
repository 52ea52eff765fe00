"""The installed uploaders: plugins, found by entry points of the group `bootimg.uploaders`."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points

from bootimg.cloud.task import Uploader
from bootimg.errors import BootimgError, ExitCode
from bootimg.platform import Platform

GROUP = "bootimg.uploaders"


def uploader_of(platform: Platform) -> Uploader:
    """The uploader of a platform; `uploader-missing` if it has none or it is not installed."""
    found = find_uploader(platform.uploader) if platform.uploader else None
    if found is None:
        why = f"the plugin {platform.uploader} is not installed" if platform.uploader else "it names none"
        raise BootimgError(
            "uploader-missing",
            f"the platform {platform.name} has no uploader: {why}",
            hint=f"platforms with one: {', '.join(uploader_names()) or 'none'}",
            exit_code=ExitCode.USAGE,
        )
    return found


def uploader_names() -> tuple[str, ...]:
    """The names of the installed uploaders."""
    return tuple(sorted({each.name for each in entry_points(group=GROUP)}))


@cache
def find_uploader(name: str) -> Uploader | None:
    """The uploader of that name; None if it is not installed, `uploader-broken` if it cannot be loaded."""
    points = {each.value: each for each in entry_points(group=GROUP) if each.name == name}
    if not points:
        return None
    if len(points) > 1:
        raise _broken(name, f"more than one plugin provides it: {', '.join(sorted(points))}")
    (point,) = points.values()
    try:
        found = point.load()
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise _broken(name, f"{point.value}: {type(error).__name__}: {error}") from None
    if not isinstance(found, Uploader) or found.name != name:
        raise _broken(name, f"{point.value} is {found!r:.80}, not an Uploader of that name")
    return found


def _broken(name: str, why: str) -> BootimgError:
    return BootimgError(
        "uploader-broken",
        f"the uploader {name} cannot be loaded",
        context=[why],
        hint="repair or uninstall its package; other clouds are not affected",
        exit_code=ExitCode.ENVIRONMENT,
    )
