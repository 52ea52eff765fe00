"""moto's AWS, made as strict as AWS in what uploads need: states, tokens, checksums, attributes of images.

moto lacks ImportSnapshot and the deprecation of images; both are here as AWS documents them.  The requests of
all of them are validated against botocore's model.
"""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, EmptyResult
from moto.ebs.models import EBSBackend, EBSSnapshot, ebs_backends
from moto.ebs.responses import EBSResponse
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import ec2_backends
from moto.ec2.models.amis import Ami
from moto.ec2.responses import EC2Response
from moto.moto_api._internal import mock_random
from moto.s3.models import s3_backends
from moto.server import ThreadedMotoServer

ACCOUNT = "123456789012"
BLOCK = 512 << 10
Json = dict[str, Any]


class StrictAmi(Ami):
    """An image with the attributes of its registration; it is pending for as many looks as `pending`."""

    attributes: Json
    pending = 0

    @property
    def state(self) -> str:
        if self._state == "available" and self.pending > 0:
            self.pending -= 1
            return "pending"
        return self._state

    @state.setter
    def state(self, value: str) -> None:
        self._state = value

    @property
    def block_device_mappings(self) -> list[Json]:
        found: list[Json] = self.attributes["BlockDeviceMappings"]
        return found

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        words = "".join(word.capitalize() for word in name.split("_"))
        try:
            return self.__dict__["attributes"][words]
        except KeyError:
            raise AttributeError(name) from None


@dataclass
class StrictAws:
    """What the tests see and set.

    `failing` are regions in which CopyImage is refused, with the error's code.  `imports` are the requests of
    ImportSnapshot, `import_states` what its task says, look by look.
    """

    url: str = ""
    failing: dict[str, str] = field(default_factory=dict)
    imports: list[Json] = field(default_factory=list)
    import_states: list[str] = field(default_factory=lambda: ["active", "completed"])
    tasks: dict[str, Json] = field(default_factory=dict)
    registered: list[Json] = field(default_factory=list)
    copies: list[Json] = field(default_factory=list)
    tokens: dict[tuple[str, str], Any] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def images(self, region: str) -> list[StrictAmi]:
        """The account's images in a region."""
        return [each for each in ec2_backends[ACCOUNT][region].amis.values() if isinstance(each, StrictAmi)]

    def snapshots(self, region: str) -> list[Any]:
        """The account's snapshots in a region."""
        return list(ec2_backends[ACCOUNT][region].snapshots.values())

    def register(self, region: str, name: str, tags: Json) -> Json:
        """An image with a snapshot of its own, as an upload would leave them; its entry in meta.json."""
        backend = ec2_backends[ACCOUNT][region]
        snapshot = backend.create_snapshot(backend.create_volume(size=1, zone_name=f"{region}a").id, name)
        snapshot.add_tags(tags)
        devices = [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot.id}}]
        attributes = {"Name": name, "Architecture": "x86_64", "BootMode": "uefi",
                      "RootDeviceName": "/dev/xvda", "BlockDeviceMappings": devices}  # fmt: skip
        image = _make_image(backend, attributes, tags, 0)
        return {"name": region, "hvm": image.id, "snapshot": snapshot.id}

    def disk(self, region: str, snapshot: str, size: int) -> bytes:
        """The content of a snapshot that was written block by block."""
        blocks = ebs_backends[ACCOUNT][region].snapshots[snapshot].blocks
        data = bytearray(size)
        for index, block in blocks.items():
            piece = block.block_data[: size - index * BLOCK]
            data[index * BLOCK : index * BLOCK + len(piece)] = piece
            assert not any(block.block_data[len(piece) :])
        return bytes(data)

    def blocks(self, region: str, snapshot: str) -> set[int]:
        """The numbers of a snapshot's blocks."""
        return set(ebs_backends[ACCOUNT][region].snapshots[snapshot].blocks)


_MODELS = botocore.session.get_session()


def _validated(service: str, operation: str, parameters: Json) -> Json:
    shape = _MODELS.get_service_model(service).operation_model(operation).input_shape
    report = ParamValidator().validate(parameters, shape)
    if report.has_errors():
        error = report.generate_report()
        raise InvalidBlockError(error) if service == "ebs" else EC2ClientError("InvalidRequest", error)
    return parameters


def _given(response: Any, operation: str) -> Json:  # noqa: ANN401
    return _validated("ec2", operation, dict(response.params))


def _tags(parameters: Json, kind: str) -> dict[str, str]:
    found = [each for each in parameters.get("TagSpecifications", ()) if each["ResourceType"] == kind]
    return {tag["Key"]: tag["Value"] for each in found for tag in each["Tags"]}


class InvalidBlockError(ServiceException):
    """EBS's answer to a wrong request; moto finds the service by the name of the module."""

    __module__ = "moto.ebs.exceptions"
    code = "ValidationException"


def _check(good: bool, why: str) -> None:
    if not good:
        raise InvalidBlockError(why)


def _refuse(code: str, text: str = "refused") -> EC2ClientError:
    return EC2ClientError(code, text)


def _make_image(backend: Any, attributes: Json, tags: dict[str, str], pending: int) -> StrictAmi:  # noqa: ANN401
    image_id = f"ami-{mock_random.get_random_hex(17)}"
    image = StrictAmi(backend, image_id, name=attributes["Name"], description=attributes.get("Description"))
    backend.snapshots.pop(image.ebs_snapshot.id)
    image.attributes = attributes
    image.architecture, image.boot_mode = attributes["Architecture"], attributes["BootMode"]
    image.root_device_name = attributes["RootDeviceName"]
    image.add_tags(tags)
    image.pending = pending
    backend.amis[image_id] = image
    return image


def _with_snapshot(device: Json, snapshot: str) -> Json:
    return {**device, "Ebs": {**device["Ebs"], "SnapshotId": snapshot}} if "Ebs" in device else device


def _patch_images(aws: StrictAws, patch: pytest.MonkeyPatch) -> None:
    def register_image(response: Any) -> ActionResult:  # noqa: ANN401
        with aws.lock:
            given, backend = _given(response, "RegisterImage"), response.ec2_backend
            aws.registered.append(given)
            if any(each.name == given["Name"] for each in backend.amis.values()):
                raise _refuse("InvalidAMIName.Duplicate")
            (root,) = [each["Ebs"] for each in given["BlockDeviceMappings"] if "Ebs" in each]
            if backend.get_snapshot(root["SnapshotId"]).status != "completed":
                raise _refuse("InvalidSnapshot.NotFound")
            image = _make_image(backend, given, _tags(given, "image"), 1)
            return ActionResult({"ImageId": image.id})

    def copy_image(response: Any) -> ActionResult:  # noqa: ANN401
        with aws.lock:
            given, backend = _given(response, "CopyImage"), response.ec2_backend
            region = backend.region_name
            if region in aws.failing:
                raise _refuse(aws.failing[region])
            if (region, given["ClientToken"]) in aws.tokens:
                return ActionResult({"ImageId": aws.tokens[region, given["ClientToken"]]})
            aws.copies.append({**given, "Region": region})
            source: Any = ec2_backends[ACCOUNT][given["SourceRegion"]].amis[given["SourceImageId"]]
            volume = backend.create_volume(size=1, zone_name=f"{region}a")
            snapshot = backend.create_snapshot(volume.id, f"Copied for {given['SourceImageId']}")
            snapshot.add_tags(_tags(given, "snapshot"))
            devices = [_with_snapshot(each, snapshot.id) for each in source.block_device_mappings]
            attributes = {**source.attributes, "Name": given["Name"], "BlockDeviceMappings": devices}
            image = _make_image(backend, attributes, _tags(given, "image"), 1)
            aws.tokens[region, given["ClientToken"]] = image.id
            return ActionResult({"ImageId": image.id})

    def enable_image_deprecation(response: Any) -> ActionResult:  # noqa: ANN401
        given = _given(response, "EnableImageDeprecation")
        image = response.ec2_backend.amis[given["ImageId"]]
        image.attributes["DeprecationTime"] = f"{given['DeprecateAt']:%Y-%m-%dT%H:%M:00.000Z}"
        return ActionResult({"Return": True})

    def disable_image_deprecation(response: Any) -> ActionResult:  # noqa: ANN401
        given = _given(response, "DisableImageDeprecation")
        response.ec2_backend.amis[given["ImageId"]].attributes.pop("DeprecationTime")
        return ActionResult({"Return": True})

    def modify_snapshot_attribute(response: Any) -> EmptyResult:  # noqa: ANN401
        given = _given(response, "ModifySnapshotAttribute")
        for each in given["CreateVolumePermission"]["Add"]:
            users, groups = ([each[key]] if key in each else [] for key in ("UserId", "Group"))
            response.ec2_backend.add_create_volume_permission(given["SnapshotId"], users, groups)
        return EmptyResult()

    def delete_snapshot(response: Any) -> EmptyResult:  # noqa: ANN401
        given, backend = _given(response, "DeleteSnapshot"), response.ec2_backend
        users = [
            image.id
            for image in backend.amis.values()
            if isinstance(image, StrictAmi)
            and any(
                each.get("Ebs", {}).get("SnapshotId") == given["SnapshotId"]
                for each in image.block_device_mappings
            )
        ]
        if users:
            raise _refuse("InvalidSnapshot.InUse", f"{given['SnapshotId']} is currently in use by {users[0]}")
        backend.delete_snapshot(given["SnapshotId"])
        return EmptyResult()

    for each in (register_image, copy_image, enable_image_deprecation, disable_image_deprecation,
                 modify_snapshot_attribute, delete_snapshot):  # fmt: skip
        patch.setattr(EC2Response, each.__name__, each, raising=False)


def _patch_imports(aws: StrictAws, patch: pytest.MonkeyPatch) -> None:
    def import_snapshot(response: Any) -> ActionResult:  # noqa: ANN401
        with aws.lock:
            given = _given(response, "ImportSnapshot")
            if given["ClientToken"] in aws.tokens:
                return ActionResult(aws.tasks[aws.tokens[given["ClientToken"]]])
            place = given["DiskContainer"]["UserBucket"]
            data = s3_backends[ACCOUNT]["aws"].get_object(place["S3Bucket"], place["S3Key"])
            if data is None:
                raise _refuse("InvalidParameter", "the object does not exist")
            aws.imports.append({**given, "Data": data.value})
            task_id = f"import-snap-{mock_random.get_random_hex(17)}"
            tags = _tags(given, "import-snapshot-task")
            aws.tasks[task_id] = {
                "ImportTaskId": task_id,
                "Description": given["Description"],
                "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
                "SnapshotTaskDetail": {"Status": "pending", "Progress": "0"},
            }
            aws.tokens[given["ClientToken"]] = task_id
            return ActionResult(aws.tasks[task_id])

    def describe_import_snapshot_tasks(response: Any) -> ActionResult:  # noqa: ANN401
        with aws.lock:
            given = _given(response, "DescribeImportSnapshotTasks")
            wanted = given.get("ImportTaskIds")
            found = [each for key, each in aws.tasks.items() if wanted is None or key in wanted]
            if wanted and aws.import_states:
                _advance(found[0]["SnapshotTaskDetail"], aws.import_states.pop(0), response.ec2_backend)
            return ActionResult({"ImportSnapshotTasks": found})

    def _advance(detail: Json, state: str, backend: Any) -> None:  # noqa: ANN401
        detail |= {"Status": state, "Progress": "40"}
        if state == "completed":
            volume = backend.create_volume(size=1, zone_name=f"{backend.region_name}a")
            detail["SnapshotId"] = backend.create_snapshot(volume.id, "imported").id
        if state == "deleted":
            detail["StatusMessage"] = "ClientError: the disk is no VMDK"

    patch.setattr(EC2Response, "import_snapshot", import_snapshot, raising=False)
    patch.setattr(
        EC2Response, "describe_import_snapshot_tasks", describe_import_snapshot_tasks, raising=False
    )


def _patch_blocks(aws: StrictAws, patch: pytest.MonkeyPatch) -> None:
    begin, finish = EBSBackend.start_snapshot, EBSBackend.complete_snapshot

    def start_snapshot(response: EBSResponse) -> ActionResult:
        with aws.lock:
            given = _validated("ebs", "StartSnapshot", dict(response.params))
            backend = response.ebs_backend
            token = (backend.region_name, given["ClientToken"])
            if token not in aws.tokens:
                found = begin(backend, given["VolumeSize"], [], given.get("Description", ""))
                found.ec2 = ec2_backends[ACCOUNT][backend.region_name].snapshots[found.snapshot_id]  # type: ignore[attr-defined]
                found.ec2.add_tags({each["Key"]: each["Value"] for each in given["Tags"]})  # type: ignore[attr-defined]
                found.ec2.status = "pending"  # type: ignore[attr-defined]
                aws.tokens[token] = found
            snapshot: EBSSnapshot = aws.tokens[token]
            return ActionResult({"SnapshotId": snapshot.snapshot_id, "Status": snapshot.status,
                                 "VolumeSize": snapshot.volume_size, "BlockSize": BLOCK})  # fmt: skip

    def put_snapshot_block(
        backend: EBSBackend,
        snapshot_id: str,
        block_index: int,
        block_data: bytes,
        checksum: str,
        checksum_algorithm: str,
        data_length: int,
    ) -> tuple[str, str]:
        snapshot = backend.snapshots[snapshot_id]
        digest = base64.b64encode(hashlib.sha256(block_data).digest()).decode()
        _check(snapshot.status == "pending", "the snapshot is complete")
        _check(len(block_data) == BLOCK == int(data_length), "the block's length")
        _check((digest, "SHA256") == (checksum, checksum_algorithm), "the block's checksum")
        _check(0 <= int(block_index) < snapshot.volume_size * 2048, "the block's number")
        snapshot.put_block(int(block_index), block_data, checksum, checksum_algorithm, BLOCK)
        return checksum, checksum_algorithm

    def complete_snapshot(response: EBSResponse) -> ActionResult:
        given, snapshots = dict(response.params), response.ebs_backend.snapshots
        snapshot = snapshots[response._get_param("SnapshotId")]
        digests = [base64.b64decode(block.checksum or "") for _, block in sorted(snapshot.blocks.items())]
        total = base64.b64encode(hashlib.sha256(b"".join(digests)).digest()).decode()
        given_sum = (given.get("Checksum"), given.get("ChecksumAggregationMethod"))
        _check(snapshot.status == "pending", "the snapshot is complete")
        _check(int(given["ChangedBlocksCount"]) == len(snapshot.blocks), "the number of blocks")
        _check(given_sum == (total, "LINEAR"), "the checksum")
        snapshot.ec2.status = "completed"  # type: ignore[attr-defined]
        return ActionResult({"Status": finish(response.ebs_backend, snapshot.snapshot_id)})

    patch.setattr(EBSResponse, "start_snapshot", start_snapshot)
    patch.setattr(EBSResponse, "complete_snapshot", complete_snapshot)
    patch.setattr(EBSBackend, "put_snapshot_block", put_snapshot_block)


@contextmanager
def strict_aws(host: str = "127.0.0.1", port: int = 0) -> Iterator[StrictAws]:
    """A running server; on any free port if it is 0."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
        aws = StrictAws()
        for change in (_patch_images, _patch_imports, _patch_blocks):
            change(aws, patch)
        server = ThreadedMotoServer(host, port, verbose=False)
        server.start()
        served_host, served_port = server.get_host_and_port()
        aws.url = f"http://{served_host}:{served_port}"
        try:
            yield aws
        finally:
            server.stop()
            for backends in (ec2_backends, ebs_backends, s3_backends):
                backends.reset()
