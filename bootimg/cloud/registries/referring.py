"""What refers to a disk that is pulled: listed under the fallback tag, or by the registry itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bootimg.cloud.registries.asking import Asking
from bootimg.cloud.registries.manifests import fallback_tag
from bootimg.cloud.registries.tags import is_digest
from bootimg.cloud.retry import Retry
from bootimg.errors import BootimgError
from bootimg.layer.fetching.skopeo import RegistryOptions
from bootimg.layer.image.fetched import OCI_INDEX
from bootimg.untrusted.jsonfile import find_object

_PATIENCE = 30.0
Descriptors = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Referring:
    """Looks for what refers to manifests of a repository."""

    repository: str
    options: RegistryOptions
    retry: Retry

    def of(self, digest: str, read: Callable[[str], bytes]) -> Descriptors:
        """The descriptors; `read` gets the manifest of a name, by skopeo, which knows mirrors."""
        try:
            return descriptors_in(read(f"{self.repository}:{fallback_tag(digest)}"))
        except BootimgError as error:
            if error.id != "layer-not-found":
                raise
        return self._by_registry(digest)

    def _by_registry(self, digest: str) -> Descriptors:
        """Those that the registry lists; none, with a warning, where it cannot be asked."""
        retry, headers = replace(self.retry, budget=min(self.retry.budget, _PATIENCE)), {"Accept": OCI_INDEX}
        try:
            what = f"asking {self.repository} for referrers"
            asking = Asking(self.repository, self.options)
            answer = asking.ask(retry, what, "GET", f"referrers/{digest}", headers=headers)
        except BootimgError as error:
            text = f"{self.repository} cannot be asked for what refers to it: {error.message}"
            self.retry.events.message(text, "warning")
            return []
        return descriptors_in(answer.body) if answer.status == 200 else []


def descriptors_in(data: bytes) -> Descriptors:
    """The descriptors of a list that name a manifest; what is no list has none."""
    listed = (find_object(data) or {}).get("manifests")
    entries = listed if isinstance(listed, list) else []
    return [each for each in entries if isinstance(each, dict) and is_digest(each.get("digest"))]
