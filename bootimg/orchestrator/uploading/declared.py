"""The values of a layer's image.json that uploads need."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bootimg.builds.find import Build
from bootimg.builds.record import read_record
from bootimg.cache import Cache
from bootimg.errors import BootimgError, ExitCode
from bootimg.events import Events
from bootimg.layer.declared.imagejson import PATH, parse_image_json
from bootimg.layer.fetching.fetch import fetch
from bootimg.layer.tree.merged import open_tree
from bootimg.targets import LAYER_KEY
from bootimg.untrusted.files import read_start
from bootimg.untrusted.limits import Limits
from bootimg.untrusted.tree import LIMIT

Declared = Mapping[str, Any]


def declared_by(build: Build, cache: Cache, events: Events, limits: Limits) -> Declared | None:
    """What bootimg.json records, else what the layer's archive has; None if the build has neither."""
    recorded = read_record(build.path).image_json
    if recorded is not None:
        return recorded
    entry = build.images.get(LAYER_KEY)
    archive = build.path / str(entry["path"]) if entry else None
    if archive is None or not archive.is_file():
        return None
    image = fetch(str(archive.absolute()), arch=build.arch, cache=cache, events=events, limits=limits)
    tree = open_tree(image, cache, events)
    return parse_image_json(tree.read(PATH)).others if tree.exists(PATH) else {}


def declared_in(path: Path) -> Declared:
    """The values in an image.json that the user names."""
    try:
        data = read_start(path, LIMIT, any_kind=True)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "the file name is invalid"
        raise BootimgError(
            "image-json-unknown",
            f"{path} cannot be read: {why}",
            hint="name the layer's image.json with --image-json",
            exit_code=ExitCode.USAGE,
        ) from None
    return parse_image_json(data).others
