"""The verb upload: the object, the image of it, its family, labels and permissions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from bootimg.cloud.plugin import BootimgError, Done, Means, PlaceJob, Task

from .client import TIMEOUT, Gcp
from .faults import GcpError
from .images import (
    ACTIVE,
    DEPRECATED,
    Image,
    failed_image,
    find_ours,
    set_family,
    set_labels,
    set_state,
    wait_done,
    wait_ready,
)
from .naming import (
    image_description,
    image_family,
    image_labels,
    image_name,
    members,
    object_address,
    object_place,
)
from .objects import put_file
from .permissions import EVERYBODY, grant

_ARCHES = {"x86_64": "X86_64", "aarch64": "ARM64"}
_FEATURES = ("VIRTIO_SCSI_MULTIQUEUE", "GVNIC", "UEFI_COMPATIBLE", "IDPF")
_FEATURES_OF = {"x86_64": ("SEV_CAPABLE", "SEV_SNP_CAPABLE", "TDX_CAPABLE", "SEV_LIVE_MIGRATABLE_V2")}
"""The features are those that coreos-assembler gives to its images."""
_LICENSES = ("https://compute.googleapis.com/compute/v1/projects/vm-options/global/licenses/enable-vmx",)
_STEP = "image"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What the settings say of the image."""

    name: str
    bucket: str
    key: str
    description: str
    family: str | None
    labels: Mapping[str, str]
    licenses: Sequence[str]
    members: Sequence[str]
    acl: str | None


def plan_upload(task: Task, means: Means) -> Sequence[PlaceJob]:
    """One job: images are global."""
    # All settings are read before anything is sent.
    bucket, key = object_place(task)
    given = members(task)
    wanted = _Wanted(
        name=image_name(task),
        bucket=bucket,
        key=key,
        description=image_description(task),
        family=image_family(task),
        labels=image_labels(task),
        licenses=task.settings.texts("licenses") or _LICENSES,
        members=(*given, EVERYBODY) if task.settings.flag("public") else given,
        acl=task.settings.text("acl"),
    )
    gcp = Gcp(task.settings, means)
    return [PlaceJob(gcp.project, lambda means: _upload(gcp.at(means), task, wanted))]


def _upload(gcp: Gcp, task: Task, wanted: _Wanted) -> Done:
    image = find_ours(gcp, task)
    made = image is None
    if image is None:
        with task.content.file() as path:
            put_file(gcp, wanted.bucket, wanted.key, path, task.content.sha256, wanted.acl)
        image = _insert(gcp, task, wanted)
    elif image.status != "READY":
        with _noted_failure(gcp, task):
            image = wait_ready(gcp, gcp.project, image.name)
    changed = _complete(gcp, image, wanted)
    entry = {
        "image": wanted.name,
        "url": object_address(wanted.bucket, wanted.key),
        "project": gcp.project,
        **({"family": wanted.family} if wanted.family else {}),
    }
    return Done(f"{wanted.name} in {gcp.project}", entry, cached=not (made or changed))


def _insert(gcp: Gcp, task: Task, wanted: _Wanted) -> Image:
    resource = {
        "name": wanted.name,
        "description": wanted.description,
        "architecture": _ARCHES[task.arch],
        "guest_os_features": [{"type_": each} for each in (*_FEATURES, *_FEATURES_OF.get(task.arch, ()))],
        "licenses": [_license(gcp, each) for each in wanted.licenses],
        "labels": dict(wanted.labels),
        "raw_disk": {"source": object_address(wanted.bucket, wanted.key)},
    }
    token = "<token>" if gcp.dry_run else gcp.means.journal.token(_STEP, _subject(gcp, task))
    call = gcp.on_images("insert_unary", project=gcp.project, request_id=token, image_resource=resource)
    try:
        begun = gcp.write("compute.images.insert", resource, call, None, expected=(409,))
    except GcpError:
        # An earlier call made it, and its answer was lost.
        return _made_before(gcp, task, wanted)
    if begun is None:
        return Image(name=wanted.name, status="READY", labels=wanted.labels, is_planned=True)
    with _noted_failure(gcp, task):
        wait_done(gcp, gcp.project, begun, wanted.name)
        image = wait_ready(gcp, gcp.project, wanted.name)
    gcp.means.journal.note(_STEP, "done", _subject(gcp, task))
    return image


def _subject(gcp: Gcp, task: Task) -> str:
    return f"{gcp.project} {image_name(task)} {task.content.sha256}"


@contextmanager
def _noted_failure(gcp: Gcp, task: Task) -> Iterator[None]:
    """Note that Google gave the image up: the token would lead to the same failed operation again."""
    try:
        yield
    except BootimgError as error:
        if error.id == "cloud-image-failed":
            gcp.means.journal.note(_STEP, "failed", _subject(gcp, task))
        raise


def _made_before(gcp: Gcp, task: Task, wanted: _Wanted) -> Image:
    if find_ours(gcp, task) is None:
        raise failed_image(gcp.project, wanted.name, ["Google says that it is there, and does not find it"])
    return wait_ready(gcp, gcp.project, wanted.name)


def _license(gcp: Gcp, name: str) -> str:
    """The address of a licence, which may be given by its name in the project."""
    if "/" in name:
        return name
    answer = gcp.read(
        f"compute.licenses.get of {name} in {gcp.project}",
        lambda: gcp.clients.licenses.get(project=gcp.project, license_=name, retry=None, timeout=TIMEOUT),
    )
    return str(answer.self_link)


def _complete(gcp: Gcp, image: Image, wanted: _Wanted) -> bool:
    """Give the image what it lacks; whether it lacked anything."""
    missing = {key: value for key, value in wanted.labels.items() if image.labels.get(key) != value}
    if missing:
        set_labels(gcp, gcp.project, image, {**image.labels, **missing})
    moved = wanted.family is not None and image.family != wanted.family
    if wanted.family is not None and moved:
        # Deprecated first: nobody who asks for the family gets an image before it is published.
        if image.state == ACTIVE:
            set_state(gcp, gcp.project, image.name, DEPRECATED)
        set_family(gcp, gcp.project, image.name, wanted.family)
    granted = grant(gcp, gcp.project, image.name, wanted.members, known_empty=image.is_planned)
    return bool(missing or moved or granted)
