"""The verb retire: the image that meta.json lists, deleted with its object.  What is gone is done."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bootimg.cloud.plugin import BootimgError, Done, Entry, Means, PlaceJob, Task

from .client import Gcp
from .faults import GcpError
from .images import find_image, wait_done
from .naming import SHA256, image_name, label_of, place_in
from .objects import delete_object
from .visibility import project_of


def plan_retirement(task: Task, means: Means) -> Sequence[PlaceJob]:
    """A job for the image of meta.json."""
    entries = task.needed_entries()
    gcp = Gcp(task.settings, means)
    return [PlaceJob(project_of(gcp, each), _job(gcp, task, each)) for each in entries]


def _job(gcp: Gcp, task: Task, entry: Entry) -> Callable[[Means], Done]:
    project, name = project_of(gcp, entry), str(entry["image"])

    def work(means: Means) -> Done:
        own = gcp.at(means)
        done = _delete_image(own, task, project, name)
        place = place_in(str(entry["url"]))
        # Objects of another naming may belong to anybody.
        if place is not None and place[1].rpartition("/")[2] == f"{image_name(task)}.tar.gz":
            done += ["object deleted"] if delete_object(own, *place) else []
        return Done(f"{name}: {', '.join(done) or 'was gone'}", cached=not done)

    return work


def _delete_image(gcp: Gcp, task: Task, project: str, name: str) -> list[str]:
    image = find_image(gcp, project, name)
    if image is None:
        return []
    has, wanted = image.labels.get(SHA256), label_of(task.content.sha256)
    if name != image_name(task) or has not in (None, wanted):
        raise BootimgError(
            "cloud-image-foreign",
            f"{name} in {project}, which meta.json lists, is not the image of this build",
            context=[f"that would be {image_name(task)}, with the label {SHA256}={wanted}",
                     f"its label is {has or 'missing'}"],
            hint="nothing was deleted; find out whose it is, and correct meta.json",
        )  # fmt: skip
    request = {"project": project, "image": name}
    call = gcp.on_images("delete_unary", **request)
    try:
        begun = gcp.write("compute.images.delete", request, call, None, expected=(404,))
    except GcpError:
        # The answer to an earlier call was lost.
        return ["image deleted"]
    if begun is not None:
        wait_done(gcp, project, begun, name)
    return ["image deleted"]
