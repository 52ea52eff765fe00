"""Images of a project: found by name, made, waited for, changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bootimg.cloud.plugin import BootimgError, Task, few_pages

from .client import TIMEOUT, Gcp
from .faults import GcpError
from .naming import SHA256, image_name, label_of

ACTIVE, DEPRECATED = "ACTIVE", "DEPRECATED"
_EVERY, _LONGEST = 10.0, 2 * 60 * 60.0
_READY = "READY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image; `status` is that of its making, `state` that of its deprecation."""

    name: str
    status: str
    address: str = ""
    family: str = ""
    state: str = ACTIVE
    labels: Mapping[str, str] = field(default_factory=dict)
    fingerprint: str = ""
    is_planned: bool = False


def find_image(gcp: Gcp, project: str, name: str) -> Image | None:
    """The project's image of a name; None if there is none."""

    def look() -> Image:
        return as_image(gcp.on_images("get", project=project, image=name)())

    try:
        return gcp.read(f"compute.images.get of {name} in {project}", look, expected=(404,))
    except GcpError:
        return None


def find_ours(gcp: Gcp, task: Task) -> Image | None:
    """The image of the task's name, if it is of this build; None if there is none.

    Error: `cloud-image-foreign`.
    """
    name = image_name(task)
    image = find_image(gcp, gcp.project, name)
    if image is None:
        return None
    recorded = [each["image"] for each in task.entries if each.get("project", gcp.project) == gcp.project]
    has = image.labels.get(SHA256)
    if has == label_of(task.content.sha256) or (has is None and name in recorded):
        return image
    raise BootimgError(
        "cloud-image-foreign",
        f"{gcp.project} has another image of the name {name}",
        context=[
            f"its label {SHA256} is {has or 'missing'}, and meta.json does not list it",
            f"the artifact of this build is {task.content.sha256}",
        ],
        hint="find out whose it is; delete it, or give the build another id",
    )


def listed_image(gcp: Gcp, project: str, name: str) -> Image:
    """An image that meta.json lists; `cloud-image-missing` if the project does not have it."""
    image = find_image(gcp, project, name)
    if image is None:
        raise BootimgError(
            "cloud-image-missing",
            f"{project} does not have the image {name}, which meta.json lists",
            hint="it was deleted, or it belongs to another project: check the credentials",
        )
    return image


def images_of_family(gcp: Gcp, project: str, family: str) -> list[Image]:
    """The project's images in a family, deprecated ones too."""

    what = f"compute.images.list of the family {family} in {project}"

    def look() -> list[Image]:
        found = gcp.on_images("list", project=project, filter=f'family = "{family}"')()
        return [as_image(each) for page in few_pages(found.pages, what) for each in page.items]

    return gcp.read(what, look)


def wait_ready(gcp: Gcp, project: str, name: str) -> Image:
    """The image once it can be used; `cloud-image-failed` if Google gives it up."""

    def look() -> Image | None:
        image = find_image(gcp, project, name)
        if image is None or image.status in ("FAILED", "DELETING"):
            raise failed_image(project, name, [] if image is None else [f"it is {image.status}"])
        return image if image.status == _READY else None

    return gcp.means.retry.wait_for(f"the image {name} in {project}", look, every=_EVERY, longest=_LONGEST)


def wait_done(gcp: Gcp, project: str, operation: Any, name: str) -> None:  # noqa: ANN401
    """Wait for the end of an operation on an image; `cloud-image-failed` if it failed."""
    what = f"{operation.operation_type} of {name} in {project}"

    def ask() -> Any:  # noqa: ANN401
        return gcp.clients.operations.get(
            project=project, operation=operation.name, retry=None, timeout=TIMEOUT
        )

    def look() -> Any:  # noqa: ANN401
        found = gcp.read(f"the look at {what}", ask)
        return found if found.status.name == "DONE" else None

    done = gcp.means.retry.wait_for(what, look, every=_EVERY, longest=_LONGEST)
    said = [f"{each.code}: {each.message}" for each in done.error.errors]
    if said:
        raise failed_image(project, name, [gcp.scrub(each)[:300] for each in said])


def failed_image(project: str, name: str, context: list[str]) -> BootimgError:
    """The error for an image that Google could not make or change."""
    return BootimgError(
        "cloud-image-failed",
        f"Google could not make or change the image {name} in {project}",
        context=context,
        hint="run the same command again; an image that is FAILED has to be deleted before",
    )


def change(gcp: Gcp, project: str, name: str, operation: str, parameters: Mapping[str, Any],
           call: Callable[[], Any]) -> None:  # fmt: skip
    """Make a call that changes an image, and wait for its end."""
    shown = {"image": name, **parameters}
    begun = gcp.write(f"compute.images.{operation}", shown, call, None)
    if begun is not None:
        wait_done(gcp, project, begun, name)


def set_state(gcp: Gcp, project: str, name: str, state: str, replacement: str = "") -> None:
    """Set the state of an image's deprecation, with the address of the image that replaces it."""
    status = {"state": state, **({"replacement": replacement} if replacement else {})}
    call = gcp.on_images("deprecate_unary", project=project, image=name, deprecation_status_resource=status)
    change(gcp, project, name, "deprecate", status, call)


def set_family(gcp: Gcp, project: str, name: str, family: str) -> None:
    """Put an image into a family."""
    resource = {"family": family}
    call = gcp.on_images("patch_unary", project=project, image=name, image_resource=resource)
    change(gcp, project, name, "patch", resource, call)


def set_labels(gcp: Gcp, project: str, image: Image, labels: Mapping[str, str]) -> None:
    """Replace the labels of an image."""
    resource = {"labels": dict(labels), "label_fingerprint": image.fingerprint}
    call = gcp.on_images("set_labels_unary", project=project, resource=image.name,
                         global_set_labels_request_resource=resource)  # fmt: skip
    change(gcp, project, image.name, "setLabels", {"labels": dict(labels)}, call)


def as_image(answer: Any) -> Image:  # noqa: ANN401
    """The SDK's image as ours."""
    return Image(
        name=answer.name,
        status=answer.status,
        address=answer.self_link,
        family=answer.family,
        state=answer.deprecated.state or ACTIVE,
        labels=dict(answer.labels),
        fingerprint=answer.label_fingerprint,
    )
