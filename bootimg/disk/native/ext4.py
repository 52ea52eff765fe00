"""An empty ext4 by mke2fs, with a pinned set of features: /boot of a base disk."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bootimg import process
from bootimg.disk.e2fsprogs import PACKAGE, fixed_time
from bootimg.disk.filesystems import optional_features
from bootimg.manifest.recipe import Ext4

_FEATURES = (
    "has_journal", "ext_attr", "resize_inode", "dir_index", "filetype", "extent", "64bit", "flex_bg",
    "sparse_super", "large_file", "huge_file", "dir_nlink", "extra_isize", "metadata_csum",
)  # fmt: skip
_JOURNAL_MIB = 8
_SMALL_BLOCK = 1024


def make_ext4(image: Path, options: Ext4, *, sector_size: int, epoch: int) -> None:
    """Make the file system in `image`, a file of its size; `epoch` (seconds) becomes all its times.

    Everything is pinned that mke2fs takes from its version, its configuration or the clock.
    """
    program = process.require("mke2fs", packages=PACKAGE)
    with tempfile.NamedTemporaryFile() as configuration:
        env = {**fixed_time(epoch), "MKE2FS_CONFIG": configuration.name}
        argv: list[process.Argument] = [
            program,
            *_switches(options, max(_SMALL_BLOCK, sector_size)),
            image.name,
        ]
        process.run(argv, cwd=image.parent, env=env, timeout=120)


def _switches(options: Ext4, block_size: int) -> list[str]:
    label = ["-L", options.label] if options.label else []
    extended = f"hash_seed={options.uuid},lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0"
    return [
        "-q", "-F", "-t", "ext4", "-b", str(block_size), "-I", "256", "-i", "4096", "-G", "16", "-m", "5",
        "-J", f"size={_JOURNAL_MIB}", "-O", ",".join(["none", *_features(options)]), "-U", options.uuid,
        *label, "-E", extended,
    ]  # fmt: skip


def _features(options: Ext4) -> list[str]:
    """The pinned features, and those of newer versions that the recipe asks for."""
    newer = optional_features(options)
    return [*_FEATURES, *(name for name, enabled in newer.items() if enabled)]
