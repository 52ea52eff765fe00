"""Compute Engine's images, as far as uploads need them, as Google documents them.

Requests are checked against Google's description of the API.  Images take a few looks until they are ready,
operations until they are done.
"""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.support.clouds.googleapi import BadRequestError, Call, Json, answer, parse

ADDRESS = "https://www.googleapis.com/compute/v1"
Check = Callable[[str], None]


@dataclass
class StrictCompute:
    """The images by project and name, and what the tests see and set.

    `inserted` are the images of all requests to make one.  `source` refuses an address without an archive of
    a disk.  `failure` is the error of the next operations that make an image.
    """

    source: Check = lambda address: None
    images: dict[tuple[str, str], Json] = field(default_factory=dict)
    policies: dict[tuple[str, str], Json] = field(default_factory=dict)
    operations: dict[str, Json] = field(default_factory=dict)
    inserted: list[Json] = field(default_factory=list)
    failure: Json | None = None
    _requests: dict[str, str] = field(default_factory=dict)
    _looks: dict[str, int] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def handle(self, method: str, target: str, body: bytes) -> Json:
        """The answer to a request; BadRequestError if Google would refuse it."""
        call = parse(method, target, body)
        name = "_" + call.id.removeprefix("compute.").replace(".", "_")
        with self._lock:
            work: Callable[[Call], Json] = getattr(self, name)
            return work(call)

    def image(self, project: str, name: str) -> Json:
        """An image; notFound if there is none."""
        found = self.images.get((project, name))
        if found is None:
            raise BadRequestError(404, "notFound", f"projects/{project}/global/images/{name} was not found")
        return found

    def _images_get(self, call: Call) -> Json:
        image = self.image(call.values["project"], call.values["image"])
        shown = dict(image)
        if image["status"] == "PENDING" and self._after_looks(image["name"], 2):
            image["status"] = "READY"
        return answer("Image", shown)

    def _after_looks(self, key: str, most: int) -> bool:
        self._looks[key] = self._looks.get(key, 0) + 1
        return self._looks[key] >= most

    def _images_list(self, call: Call) -> Json:
        _, _, family = call.values.get("filter", "").partition("family = ")
        of_project = [each for key, each in self.images.items() if key[0] == call.values["project"]]
        found = [each for each in of_project if each.get("family", "") == family.strip('"')]
        return answer("ImageList", {"items": found})

    def _images_insert(self, call: Call) -> Json:
        repeated = self._repeated(call)
        if repeated:
            return repeated
        project, image = call.values["project"], call.body
        if (project, image["name"]) in self.images:
            raise BadRequestError(409, "alreadyExists", f"The resource {image['name']} already exists")
        if any(
            not re.fullmatch("[-_a-z0-9]{0,63}", each) for pair in image["labels"].items() for each in pair
        ):
            raise BadRequestError(400, "invalid", "a label is invalid")
        self.source(image["rawDisk"]["source"])
        self.inserted.append(image)
        path = f"projects/{project}/global/images/{image['name']}"
        made = {**image, "status": "PENDING", "selfLink": f"{ADDRESS}/{path}", "labelFingerprint": "AAAA"}
        self._looks.pop(image["name"], None)
        if self.failure is None:
            self.images[project, image["name"]] = made
        return self._operation(call, "insert", self.failure)

    def _images_deprecate(self, call: Call) -> Json:
        image = self._ready(call)
        image["deprecated"] = call.body
        if call.body["state"] == "ACTIVE":
            del image["deprecated"]
        return self._operation(call, "deprecate")

    def _images_patch(self, call: Call) -> Json:
        unknown = set(call.body) - {"family", "description"}
        if unknown:
            raise BadRequestError(400, "invalid", f"cannot be changed: {unknown}")
        self._ready(call).update(call.body)
        return self._operation(call, "patch")

    def _images_delete(self, call: Call) -> Json:
        self._ready(call)
        del self.images[call.values["project"], call.values["image"]]
        return self._operation(call, "delete")

    def _images_setLabels(self, call: Call) -> Json:
        image = self.image(call.values["project"], call.values["resource"])
        if call.body["labelFingerprint"] != image["labelFingerprint"]:
            raise BadRequestError(412, "conditionNotMet", "the labels were changed meanwhile")
        image.update(labels=call.body["labels"], labelFingerprint=uuid.uuid4().hex)
        return self._operation(call, "setLabels")

    def _images_getIamPolicy(self, call: Call) -> Json:
        key = call.values["project"], call.values["resource"]
        self.image(*key)
        return answer("Policy", self.policies.get(key, {"etag": "ACAB", "version": 1}))

    def _images_setIamPolicy(self, call: Call) -> Json:
        key = call.values["project"], call.values["resource"]
        self.image(*key)
        policy = call.body["policy"]
        if policy["etag"] != self.policies.get(key, {"etag": "ACAB"})["etag"]:
            raise BadRequestError(412, "conditionNotMet", "the policy was changed meanwhile")
        self.policies[key] = {**policy, "etag": f"AC{uuid.uuid4().hex[:2]}"}
        return answer("Policy", self.policies[key])

    def _licenses_get(self, call: Call) -> Json:
        project, name = call.values["project"], call.values["license"]
        if name != "our-licence":
            raise BadRequestError(404, "notFound", f"{name} was not found")
        path = f"projects/{project}/global/licenses/{name}"
        return answer("License", {"name": name, "selfLink": f"{ADDRESS}/{path}"})

    def _globalOperations_get(self, call: Call) -> Json:
        operation = self.operations.get(call.values["operation"])
        if operation is None:
            raise BadRequestError(404, "notFound", "no such operation")
        if self._after_looks(operation["name"], 2):
            operation["status"] = "DONE"
        return answer(
            "Operation", {key: each for key, each in operation.items() if self._is_shown(operation, key)}
        )

    def _is_shown(self, operation: Json, key: str) -> bool:
        return key != "error" or operation["status"] == "DONE"

    def _ready(self, call: Call) -> Json:
        image = self.image(call.values["project"], call.values["image"])
        if image["status"] != "READY":
            raise BadRequestError(400, "resourceNotReady", "the image is not ready")
        return image

    def _repeated(self, call: Call) -> Json | None:
        """The operation of an earlier request with the same id."""
        known = self._requests.get(call.values.get("requestId", ""))
        return answer("Operation", self.operations[known]) if known else None

    def _operation(self, call: Call, kind: str, error: Json | None = None) -> Json:
        name = f"operation-{uuid.uuid4().hex[:12]}"
        made: dict[str, Any] = {"name": name, "operationType": kind, "status": "RUNNING"}
        if error is not None:
            made["error"] = {"errors": [error]}
        self.operations[name] = made
        if "requestId" in call.values:
            self._requests[call.values["requestId"]] = name
        return answer("Operation", {key: each for key, each in made.items() if key != "error"})
