"""prepare-root.conf (ostree-prepare-root(1)): ostree reads it at a deployment, the initramfs at boot."""

from __future__ import annotations

from functools import partial

from bootimg.errors import BootimgError, ExitCode
from bootimg.untrusted.keyfile import KeyFile, parse_key_file


def parse_prepare_root(data: bytes, path: str) -> KeyFile:
    """The values by group and key; `prepare-root-malformed` where programs would not agree about them.

    `path` is the file's in the image, for the message.
    """
    return parse_key_file(data, partial(_malformed, path))


def _malformed(path: str, why: str) -> BootimgError:
    return BootimgError(
        "prepare-root-malformed",
        f"/{path} of the image is not what all programs read alike: {why}",
        hint="write it as groups of `key=value` lines, and each group and key once",
        exit_code=ExitCode.USAGE,
    )
