"""Manifests, tags and referrers of one repository: the OCI distribution specification 1.1."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from bootimg.atomic import temporary_folder
from bootimg.cloud.calls import Call
from bootimg.cloud.registries.answers import failed, undeletable
from bootimg.cloud.registries.asking import Asking, require
from bootimg.cloud.registries.transport import LIMIT, Answer
from bootimg.cloud.task import Means
from bootimg.layer.fetching.skopeo import RegistryOptions, skopeo
from bootimg.layer.image.blobs import verified
from bootimg.layer.image.fetched import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, digest_of
from bootimg.layer.image.imagename import invalid_reference, name_fault
from bootimg.untrusted.jsonfile import find_object

Value = TypeVar("Value")
_ACCEPT = ", ".join((OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST))
_WRITE = "pull,push"
_DELETE = "delete,pull,push"
_INSPECT_TIMEOUT = 120.0
_GONE = (404, 410)


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest or a list in the registry."""

    data: bytes
    media_type: str

    @property
    def digest(self) -> str:
        """Its digest."""
        return digest_of(self.data)


class Repository:
    """One repository.  Reading repeats what fails for a passing reason; writing is also a call of the log."""

    def __init__(self, name: str, options: RegistryOptions, means: Means) -> None:
        if fault := name_fault(name):
            raise invalid_reference(f"{name[:200]!r} is not a repository ({fault})")
        self.name, self.options, self.means = name, options, means
        self._asking = Asking(name, options)

    def manifest(self, reference: str) -> Manifest | None:
        """The manifest of a tag or digest, None if there is none; it has the digest that was asked for."""
        what = f"reading {self._named(reference)}"
        path = f"manifests/{_quoted(reference)}"
        answer = self._ask(what, "GET", path, headers={"Accept": _ACCEPT})
        if answer.status in _GONE:
            return None
        require(self.name, answer, "read", 200)
        if len(answer.body) > LIMIT:
            raise failed(self.name, f"send a manifest of at most {LIMIT >> 20} MiB from", answer.status, b"")
        if reference.startswith("sha256:"):
            verified(reference, answer.body)
        declared = (find_object(answer.body) or {}).get("mediaType")
        media_type = answer.headers.get("content-type", "").partition(";")[0].strip()
        return Manifest(answer.body, declared if isinstance(declared, str) else media_type)

    def has(self, digest: str) -> bool:
        """Whether the repository has a manifest of the digest."""
        answer = self._ask(f"looking for {self._named(digest)}", "HEAD", f"manifests/{_quoted(digest)}",
                           headers={"Accept": _ACCEPT})  # fmt: skip
        if answer.status in _GONE:
            return False
        require(self.name, answer, "read", 200)
        return True

    def config(self, digest: str) -> bytes:
        """The config of the image with this digest; skopeo follows the registry to where its blobs are."""
        name = f"{self.name}@{digest}"
        words = ["inspect", "--raw", "--config", *self.options.arguments(), f"docker://{name}"]
        with temporary_folder("bootimg-inspect-") as folder:
            return skopeo(words, name, scratch=folder, timeout=_INSPECT_TIMEOUT)

    def put(self, reference: str, data: bytes, media_type: str, **facts: object) -> None:
        """Store a manifest under a tag or its digest; `facts` are for the log of calls."""
        what, path = f"writing {self._named(reference)}", f"manifests/{_quoted(reference)}"

        def put() -> None:
            answer = self._ask(
                what, "PUT", path, headers={"Content-Type": media_type}, body=data, actions=_WRITE
            )
            require(self.name, answer, "write to", 200, 201, 202)

        self._write("PutManifest", {"reference": self._named(reference), "digest": digest_of(data), **facts},
                    put)  # fmt: skip

    def delete(self, digest: str, **facts: object) -> bool:
        """Delete a manifest with all its tags; whether it was there.

        `registry-deletion-unsupported` if the registry has deletion switched off.
        """
        what = f"deleting {self._named(digest)}"

        def delete() -> bool:
            answer = self._ask(what, "DELETE", f"manifests/{_quoted(digest)}", actions=_DELETE)
            if answer.status in (400, 405):
                raise undeletable(self.name, answer.status)
            if answer.status not in _GONE:
                require(self.name, answer, "delete from", 200, 202)
            return answer.status not in _GONE

        return self._write(
            "DeleteManifest", {"reference": self._named(digest), **facts}, delete, instead=True
        )

    def listed_referrers(self, digest: str) -> list[dict[str, Any]] | None:
        """What refers to a manifest; None without the referrers API, where the fallback tag says it."""
        answer = self._ask(f"asking {self.name} for referrers", "GET", f"referrers/{_quoted(digest)}",
                           headers={"Accept": OCI_INDEX})  # fmt: skip
        listed = (find_object(answer.body) or {}).get("manifests")
        if answer.status != 200 or not isinstance(listed, list):
            return None
        return [each for each in listed if isinstance(each, dict)]

    def write(self, operation: str, parameters: Mapping[str, Any], work: Callable[[], None]) -> None:
        """Do something that changes the repository by another way than this API."""
        self._write(operation, parameters, lambda: self.means.retry.call(operation, work))

    def at(self, means: Means) -> Repository:
        """The same repository, with a job's own means."""
        found = copy.copy(self)
        found.means = means
        return found

    def _named(self, reference: str) -> str:
        return f"{self.name}{'@' if reference.startswith('sha256:') else ':'}{reference}"

    def _ask(self, what: str, method: str, path: str, **more: Any) -> Answer:  # noqa: ANN401
        return self._asking.ask(self.means.retry, what, method, path, **more)

    def _write(
        self,
        operation: str,
        parameters: Mapping[str, Any],
        work: Callable[[], Value],
        instead: Any = None,  # noqa: ANN401
    ) -> Value:
        call = Call(place=self.name, operation=operation, parameters=parameters)
        done: Value = self.means.calls.make(call, work, instead)
        return done


def _quoted(reference: str) -> str:
    return quote(reference, safe=":")
