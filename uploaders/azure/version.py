"""An image version as Azure describes it, and the request that changes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .client import Json
from .naming import region_name

_READ_ONLY = ("publishedDate", "sizeInGB")


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """An image version as Azure describes it."""

    answer: Json

    @property
    def state(self) -> str:
        """The state of the last change."""
        return str(self.answer.get("properties", {}).get("provisioningState", ""))

    @property
    def publishing(self) -> Json:
        """Where it is, and whether it is the latest of its definition."""
        return dict(self.answer.get("properties", {}).get("publishingProfile", {}))

    @property
    def targets(self) -> dict[str, Json]:
        """The regions it is in or on its way to, by their short names."""
        return {region_name(each["name"]): each for each in self.publishing.get("targetRegions") or ()}

    @property
    def replicas(self) -> dict[str, Json]:
        """The states of the copies, by the short names of their regions."""
        status = self.answer.get("properties", {}).get("replicationStatus") or {}
        return {region_name(each["region"]): each for each in status.get("summary") or ()}

    def changed(self, publishing: Mapping[str, Any]) -> Json:
        """The request that changes its publishing; all else stays."""
        properties = self.answer["properties"]
        profile = {key: value for key, value in publishing.items() if key not in _READ_ONLY}
        body: Json = {
            "location": self.answer["location"],
            "tags": self.answer.get("tags") or {},
            "properties": {
                "publishingProfile": profile,
                "storageProfile": _writable(properties["storageProfile"]),
            },
        }
        if safety := properties.get("safetyProfile"):
            allowed = "allowDeletionOfReplicatedLocations"
            body["properties"]["safetyProfile"] = {key: safety[key] for key in (allowed,) if key in safety}
        return body


def _writable(value: Any) -> Any:  # noqa: ANN401
    """A part of an answer without what only Azure writes."""
    if isinstance(value, dict):
        return {key: _writable(each) for key, each in value.items() if key not in _READ_ONLY}
    return [_writable(each) for each in value] if isinstance(value, list) else value
