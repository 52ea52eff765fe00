"""What the provenance of a build says: SLSA provenance, version 1 (slsa.dev/spec/v1.0/provenance).

It is a function of meta.json and bootimg.json alone, so it can be written again whenever they change, and
the same build gives the same bytes.  Therefore it has no times and no id of a run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import Any

from bootimg.builds.companions import Companion
from bootimg.builds.compressed import plain_name
from bootimg.builds.find import Build
from bootimg.builds.made import Made
from bootimg.builds.provenance.statement import SLSA, Statement
from bootimg.builds.record import Record
from bootimg.targets import ARCHIVE, EXTENSIONS, LAYER_KEY, MANIFEST_KEY

BUILD_TYPE = "pkg:pypi/bootimg#build/v1"
"""The kind of build, whose parameters docs/provenance.md describes."""
_LAYER = "layer"
_BUILDER = "pkg:pypi/bootimg@{}"
_IMAGE_JSON = "usr/share/coreos-assembler/image.json"
_CHECKSUM = "coreos-assembler.image-config-checksum"
_OF_LAYER = (*ARCHIVE.meta_keys, *EXTENSIONS.meta_keys)
Json = dict[str, Any]


def known_keys(build: Build, record: Record) -> list[str]:
    """The keys of those artifacts whose making is recorded, sorted; others are not bootimg's to vouch for."""
    layer = _OF_LAYER if record.source is not None else ()
    return sorted(key for key in build.images if key in record.made or key in layer)


def subjects(build: Build, record: Record) -> dict[str, str]:
    """The SHA-256 of each file, by name; of a compressed image also of the uncompressed one."""
    found: dict[str, str] = {}
    for key in known_keys(build, record):
        entry = build.images[key]
        found[str(entry["path"])] = str(entry["sha256"])
        plain = plain_name(entry)
        if plain is not None:
            found.setdefault(plain, str(entry["uncompressed-sha256"]))
    return found


def provenance(build: Build, record: Record, sbom: Companion | None) -> Statement | None:
    """The statement about a build; None if nothing of it is known to be made by bootimg."""
    made = {key: record.made[key] for key in known_keys(build, record) if key in record.made}
    about = subjects(build, record)
    if not about:
        return None
    definition = {
        "buildType": BUILD_TYPE,
        "externalParameters": _external(build, record, made),
        "internalParameters": _internal(build, made),
        "resolvedDependencies": [*_dependencies(build, record, made)],
    }
    program = version("bootimg")
    details = {
        "builder": {"id": _BUILDER.format(program), "version": {"bootimg": program}},
        "byproducts": [_byproduct(sbom)] if sbom else [],
    }
    return Statement(about, SLSA, {"buildDefinition": definition, "runDetails": details})


def _external(build: Build, record: Record, made: Mapping[str, Made]) -> Json:
    """What the user asked for."""
    image = record.source.image if record.source else None
    return {
        "verb": "build",
        **({"image": image} if image else {}),
        "arch": build.arch.value,
        **({"stream": record.stream} if record.stream else {}),
        **({"skip-disk-images": record.skip_reason} if record.skip_reason else {}),
        "artifacts": {key: _asked(each) for key, each in made.items()},
    }


def _asked(made: Made) -> Json:
    return {
        "target-imgref": made.target_imgref,
        **({"size": made.size} if made.size is not None else {}),
        **({"draft": True} if made.draft else {}),
    }


def _internal(build: Build, made: Mapping[str, Made]) -> Json:
    """What bootimg decided, and the versions of what it used."""
    return {
        "build": build.id,
        "ostree-commit": build.meta.get("ostree-commit"),
        "artifacts": {
            key: {
                "bootimg": each.bootimg,
                "deploy": each.deploy,
                "programs": dict(sorted(each.programs.items())),
            }
            for key, each in made.items()
        },
    }


def _dependencies(build: Build, record: Record, made: Mapping[str, Made]) -> Iterator[Json]:
    """The layer, its image.json, and the recipes, each with the digest that identifies it."""
    uri = record.source.uri if record.source else None
    if (layer := layer_digest(build)) is not None:
        where = {"uri": uri} if uri else {}
        yield {"name": _LAYER, **where, "digest": {"sha256": layer}}
    if isinstance(checksum := build.meta.get(_CHECKSUM), str):
        where = {"uri": f"{uri}#{_IMAGE_JSON}"} if uri else {}
        yield {"name": "image.json", **where, "digest": {"sha256": checksum}}
    for program, digest in sorted({(each.bootimg, each.recipe) for each in made.values() if each.recipe}):
        uri = f"{_BUILDER.format(program)}#osbuild-manifests"
        yield {"name": "recipes", "uri": uri, "digest": {"dirHash": digest}}


def layer_digest(build: Build) -> str | None:
    """The SHA-256 of the layer's manifest, else of its archive; None if the build has neither."""
    found = build.images.get(MANIFEST_KEY) or build.images.get(LAYER_KEY)
    return str(found["sha256"]) if found else None


def named_layer(statement: Statement) -> object:
    """The SHA-256 of the layer that a statement, which anyone may have written, names; None without one."""
    definition = statement.predicate.get("buildDefinition")
    listed = definition.get("resolvedDependencies") if isinstance(definition, dict) else None
    for each in listed if isinstance(listed, list) else ():
        if isinstance(each, dict) and each.get("name") == _LAYER and isinstance(each.get("digest"), dict):
            return each["digest"].get("sha256")
    return None


def _byproduct(sbom: Companion) -> Json:
    return {"name": sbom.path, "digest": {"sha256": sbom.sha256}, "mediaType": "application/spdx+json"}
