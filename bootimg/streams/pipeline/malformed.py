"""The error for a streams file that is not what it should be, and the same as a warning."""

from __future__ import annotations

from bootimg.errors import BootimgError, ExitCode
from bootimg.printable import printable

_CANNOT = " cannot be used: "


def malformed_config(name: str, why: str) -> BootimgError:
    """`streams-file-malformed`: what is wrong with the streams file `name`."""
    return BootimgError(
        "streams-file-malformed",
        f"{printable(name)}{_CANNOT}{printable(why)[:400]}",
        hint="name the pipeline's config.yaml with --streams; docs/streams.md says what is read of it",
        exit_code=ExitCode.USAGE,
    )


def as_warning(error: BootimgError, name: str) -> str:
    """The same fault of the file `name` for people who need not mend it: no command uses that part."""
    return f"{printable(name)}: {error.message.removeprefix(f'{printable(name)}{_CANNOT}')}; it is not used"
