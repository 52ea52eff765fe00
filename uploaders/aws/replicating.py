"""The verb replicate: copies of the image in other regions of its partition, with tags and permissions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bootimg.cloud.plugin import BootimgError, Done, Entry, ExitCode, Means, PlaceJob, Task

from .client import Aws
from .images import Image, add_tags, find_image, image_by_id, wait_available
from .naming import image_name, image_tags, specification, tags_of
from .permissions import Permissions, for_both, grant, permissions_of

_STEP = "copy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """The image that is copied."""

    region: str
    image: Image
    tags: Mapping[str, str]
    permissions: Permissions


def plan_replication(task: Task, means: Means) -> Sequence[PlaceJob]:
    """A job for each region that has no image yet."""
    aws = Aws(task.settings, means)
    entry = _source_entry(aws, task)
    regions = _regions(aws, task, str(entry["name"]))
    recorded = {each["name"] for each in task.entries}
    missing = [region for region in regions if region not in recorded]
    if not missing:
        return []
    original = _original(aws, task, entry)
    return [PlaceJob(each, _job(aws, each, task, original)) for each in missing]


def _job(aws: Aws, region: str, task: Task, original: Original) -> Callable[[Means], Done]:
    return lambda means: _copy(aws.at(means), region, task, original)


def _source_entry(aws: Aws, task: Task) -> Entry:
    """The entry to copy from: that of the primary region, else the first of its partition."""
    entries = task.needed_entries()
    region = task.settings.text("primary_region") or str(entries[0]["name"])
    same = [each for each in entries if each["name"] == region]
    others = [each for each in entries if aws.partition(each["name"]) == aws.partition(region)]
    found = same or others
    if not found:
        raise BootimgError(
            "cloud-nothing-uploaded",
            f"build {task.build} ({task.arch}) has no image in the partition of {region}",
            context=[f"it has images in {', '.join(str(each['name']) for each in entries)}"],
            hint="upload it there first: bootimg upload --account …",
            exit_code=ExitCode.USAGE,
        )
    return found[0]


def _regions(aws: Aws, task: Task, source: str) -> list[str]:
    """The regions of the settings, else all that the account has enabled; without the skipped ones."""
    skipped, wanted = task.settings.texts("skipped_regions"), task.settings.texts("regions")
    home = aws.partition(source)
    for each in wanted:
        if aws.partition(each) != home:
            raise task.settings.invalid(f"{each} is not in the partition of {source}")
    if not wanted:
        answer = aws.read("ec2", source, "DescribeRegions", AllRegions=False)
        names = sorted(str(each["RegionName"]) for each in answer["Regions"])
        wanted = tuple(each for each in names if aws.partition(each) == home)
        if left_out := [each for each in wanted if each in skipped]:
            aws.means.events.message(f"skipped_regions leaves out {', '.join(left_out)}")
    return [each for each in dict.fromkeys(wanted) if each not in skipped and each != source]


def _original(aws: Aws, task: Task, entry: Entry) -> Original:
    region = str(entry["name"])
    image = image_by_id(aws, region, str(entry[task.upload.id_field]))
    answer = aws.read("ec2", region, "DescribeSnapshots", SnapshotIds=[image.snapshot])
    tags = {**tags_of(answer["Snapshots"][0]), **image.tags, **image_tags(task)}
    # Tags with this prefix are AWS's own.
    tags = {key: value for key, value in tags.items() if not key.startswith("aws:")}
    return Original(
        region=region,
        image=image,
        tags=tags,
        permissions=permissions_of(aws, region, image.id, image.snapshot),
    )


def _copy(aws: Aws, region: str, task: Task, original: Original) -> Done:
    found = find_image(aws, region, task)
    image_id = _start(aws, region, task, original) if found is None else found.id
    if aws.dry_run and found is None:
        grant(aws, region, image_id, "<its snapshot>", original.permissions, for_both(()))
        return Done(f"a copy of {original.image.id}")
    with aws.means.events.step(region, f"{image_name(task)} from {original.region}", total=None) as step:
        image = wait_available(aws, region, image_id)
        step.result(image.id, cached=found is not None)
    if found is None:
        aws.means.journal.note(_STEP, "done", _subject(region, task), image=image.id)
    changed = _complete(aws, region, task, original, image)
    entry = {"name": region, task.upload.id_field: image.id, "snapshot": image.snapshot}
    return Done(f"{image.id} from {image.snapshot}", entry, cached=found is not None and not changed)


def _subject(region: str, task: Task) -> str:
    return f"{region} {image_name(task)} {task.content.sha256}"


def _start(aws: Aws, region: str, task: Task, original: Original) -> str:
    token = "<token>" if aws.dry_run else aws.means.journal.token(_STEP, _subject(region, task))
    answer = aws.write(
        "ec2", region, "CopyImage", instead={"ImageId": "<the new image>"}, ClientToken=token,
        Name=image_name(task), Description=original.image.description, SourceRegion=original.region,
        SourceImageId=original.image.id, TagSpecifications=specification(original.tags, "image", "snapshot"),
    )  # fmt: skip
    return str(answer["ImageId"])


def _complete(aws: Aws, region: str, task: Task, original: Original, image: Image) -> bool:
    """Give the copy the tags and permissions of its original; whether it lacked any."""
    answer = aws.read("ec2", region, "DescribeSnapshots", fresh=True, SnapshotIds=[image.snapshot])
    changed = add_tags(aws, region, image.id, image.tags, original.tags)
    changed |= add_tags(aws, region, image.snapshot, tags_of(answer["Snapshots"][0]), original.tags)
    changed |= grant(aws, region, image.id, image.snapshot, original.permissions)
    # AWS allows copies of the same name: an earlier run may have begun another one.
    find_image(aws, region, task)
    return changed
