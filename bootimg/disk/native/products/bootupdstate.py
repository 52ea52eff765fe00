"""bootupd's state file, /boot/bootupd-state.json, as serde writes it (src/model.rs, SavedState)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from bootimg.disk.native.products.bootupdversions import Behaviour
from bootimg.manifest.model import Json
from bootimg.untrusted.jsonfile import parse_object
from bootimg.untrusted.tree import Malformed

# What chrono writes for a time in UTC; it writes the same again for what it has read in this form.
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.(\d{3}|\d{6}|\d{9}))?Z")
GRUB = "grub2"
"""The bootloader's package, by the folder that it has in usr/lib/efi."""
OTHER_LOADERS = ("grub-cc", "systemd-boot")
"""The packages of the other bootloaders that bootupd knows."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """What bootupd says of content: `versions` has name and version of packages; None if that is not known.

    `default` is the bootloader that is chosen among several.
    """

    timestamp: str
    version: str
    versions: tuple[tuple[str, str], ...] | None = None
    default: str | None = None

    def without_other_loaders(self) -> Metadata:
        """The same of GRUB alone, as bootupd notes it when it installs GRUB."""
        kept = [each for each in self.version.split(",") if not each.startswith(OTHER_LOADERS)]
        versions = self.versions
        if versions is not None:
            versions = tuple(each for each in versions if each[0] not in OTHER_LOADERS)
        return Metadata(self.timestamp, ",".join(kept), versions, self.default)

    @property
    def loaders(self) -> list[str]:
        """The packages of bootloaders among the versions."""
        return [name for name, _ in self.versions or () if name in (GRUB, *OTHER_LOADERS)]


@dataclass(frozen=True, slots=True)
class Installed:
    """A file of the ESP: its path in the payload, its size, its SHA-512 in hexadecimal."""

    source: str
    size: int
    sha512: str


@dataclass(frozen=True, slots=True)
class Component:
    """What the state file has of a component: metadata, and the files of EFI by their path below EFI."""

    found: Metadata
    files: Mapping[str, Installed] | None = None


def read_metadata(data: bytes) -> Metadata:
    """The update metadata of a component; Malformed says what is wrong with it."""
    fields = parse_object(data)
    timestamp = fields.required("timestamp", str)
    if _TIME.fullmatch(timestamp) is None:
        raise Malformed(f"its time {timestamp!r:.40} is not in the form that bootupd writes")
    rows = fields.objects("versions")
    versions = tuple((each.required("name", str), each.required("rpm_evr", str)) for each in rows)
    return Metadata(
        timestamp,
        fields.required("version", str),
        None if fields.is_absent("versions") else versions,
        fields.take("default-bootloader", str),
    )


def own_metadata(version: str, seconds: int) -> Metadata:
    """What bootupd says of the static configuration: its own version, and the time of its program."""
    return Metadata(datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), version)


def state_json(behaviour: Behaviour, components: Mapping[str, Component], static: Metadata | None) -> bytes:
    """The state file of a disk with these components, by their names: BIOS, EFI."""
    state = {
        "installed": {name: _component(behaviour, components[name]) for name in sorted(components)},
        "pending": None,
        "static-configs": _metadata(behaviour, static) if static is not None else None,
    }
    return json.dumps(state, ensure_ascii=False, separators=(",", ":")).encode()


def _component(behaviour: Behaviour, component: Component) -> Json:
    files = component.files
    return {
        "meta": _metadata(behaviour, component.found),
        "filetree": None if files is None else {"children": _tree(behaviour, files)},
        "adopted-from": None,
    }


def _metadata(behaviour: Behaviour, found: Metadata) -> Json:
    fields: Json = {"timestamp": found.timestamp, "version": found.version}
    if behaviour.versions:
        fields["versions"] = _versions(found.versions)
    if behaviour.chooses:
        fields["default-bootloader"] = found.default
    return fields


def _versions(found: tuple[tuple[str, str], ...] | None) -> list[Json] | None:
    return None if found is None else [{"name": name, "rpm_evr": evr} for name, evr in found]


def _tree(behaviour: Behaviour, files: Mapping[str, Installed]) -> Json:
    return {path: _file(behaviour, files[path]) for path in sorted(files, key=str.encode)}


def _file(behaviour: Behaviour, found: Installed) -> Json:
    source: Json = {"source": found.source} if behaviour.payload_from_usr else {}
    return source | {"size": found.size, "sha512": f"sha512:{found.sha512}"}
