"""Alibaba Cloud on the loopback interface: OSS as moto's S3 with OSS's headers, and ECS's images.

OSS speaks the XML of S3, with headers of other names.  The requests for ECS are validated against the models
of its SDK, which Alibaba generates from the description of the API; answers have the shapes of these models.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from alibabacloud_ecs20140526 import models
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.s3.models import S3Backend, s3_backends

from tests.support.clouds.s3server import serving_s3

ACCOUNT = "123456789012"
ACCESS_KEY, SECRET_KEY = "LTAIaccessEXAMPLE", "aliyunsecretEXAMPLE"
HOME = "us-east-1"
Json = dict[str, Any]
Start = Callable[[str, list[tuple[str, str]]], Any]
_LIST = re.compile(r"(.+?)\.(\d+)(?:\.(.+))?")
_ERROR = "<Error><Code>{}</Code><Message>{}</Message><RequestId>1</RequestId></Error>"


class Refused(Exception):
    """An answer that says no."""

    def __init__(self, status: int, code: str, text: str = "refused") -> None:
        super().__init__(code)
        self.status, self.code, self.text = status, code, text


@dataclass
class StrictAliyun:
    """What the tests see and set.

    `images` are those of ECS by region and id, in the form of its answers.  `failing` are regions to which it
    refuses to copy, with the error's code.  `pending` is for how many looks a new image is not ready, `ends`
    the state that it has then.  `refused` is the code with which all keys are refused.
    """

    url: str = ""
    images: dict[str, dict[str, Json]] = field(default_factory=dict)
    snapshots: dict[str, set[str]] = field(default_factory=dict)
    shared: dict[str, list[str]] = field(default_factory=dict)
    regions: list[str] = field(default_factory=lambda: [HOME, "eu-central-1", "ap-southeast-1"])
    failing: dict[str, str] = field(default_factory=dict)
    imports: list[Json] = field(default_factory=list)
    copies: list[Json] = field(default_factory=list)
    tokens: dict[tuple[str, str], str] = field(default_factory=dict)
    waits: dict[str, int] = field(default_factory=dict)
    pending: int = 1
    ends: str = "Available"
    refused: str = ""
    lock: threading.RLock = field(default_factory=threading.RLock)

    def make_bucket(self, name: str) -> None:
        """Make a bucket, as its owner does."""
        self._storage.create_bucket(name, "us-east-1")

    def keys(self, bucket: str) -> list[str]:
        """The names of the objects of a bucket."""
        return sorted(self._storage.buckets[bucket].keys)

    def uploads(self, bucket: str) -> list[str]:
        """The open uploads of a bucket."""
        return list(self._storage.buckets[bucket].multiparts)

    def only(self, region: str = HOME) -> Json:
        """The one image of a region."""
        (found,) = self.images.get(region, {}).values()
        return found

    def tags(self, region: str = HOME) -> dict[str, str]:
        """The tags of the one image of a region."""
        return {each["TagKey"]: each["TagValue"] for each in self.only(region)["Tags"]["Tag"]}

    def data(self, bucket: str, key: str) -> bytes:
        """The content of an object."""
        found = self._storage.get_object(bucket, key)
        if found is None:
            raise Refused(404, "InvalidOSSObject.NotFound")
        content: bytes = found.value
        return content

    @property
    def _storage(self) -> S3Backend:
        found: S3Backend = s3_backends[ACCOUNT]["aws"]
        return found


def _given(action: str, query: dict[str, list[str]]) -> Json:
    """The parameters of a request, which the model of the SDK knows all."""
    found: Json = {}
    for key, (text, *_) in query.items():
        value: Any = {"true": True, "false": False}.get(text.lower(), text)
        match = _LIST.fullmatch(key)
        if match is None:
            found[key] = value
            continue
        name, number, member = match.groups()
        items = found.setdefault(name, {})
        if member:
            items.setdefault(int(number), {})[member] = int(text) if text.isdigit() else text
        else:
            items[int(number)] = text
    known = {
        key: [value[each] for each in sorted(value)] if isinstance(value, dict) else value
        for key, value in found.items()
    }
    model = getattr(models, f"{action}Request")()
    accepted = {key: each for key, each in model.from_map(known).to_map().items() if each != []}
    if accepted != known:
        raise Refused(400, "InvalidParameter", f"{sorted(set(known) - set(accepted))}")
    return known


class _Ecs:
    """The actions of ECS."""

    def __init__(self, aliyun: StrictAliyun) -> None:
        self.aliyun = aliyun

    def answer(self, action: str, given: Json) -> Json:
        """The answer to an action."""
        found: Json = getattr(self, action)(given)
        return {"RequestId": "1", **found}

    def ImportImage(self, given: Json) -> Json:
        region, token = given["RegionId"], given["ClientToken"]
        if (region, token) in self.aliyun.tokens:
            return {"ImageId": self.aliyun.tokens[region, token]}
        (disk,) = given["DiskDeviceMapping"]
        data = self.aliyun.data(disk["OSSBucket"], disk["OSSObject"])
        size = int.from_bytes(data[24:32], "big")
        if data[:4] != b"QFI\xfb" or disk["Format"] != "qcow2" or disk["DiskImageSize"] << 30 < size:
            raise Refused(400, "InvalidDiskImageSize")
        self.aliyun.imports.append({**given, "Data": data})
        return {"ImageId": self._make(region, given["ImageName"], given), "TaskId": "t-1"}

    def CopyImage(self, given: Json) -> Json:
        region, token = given["DestinationRegionId"], given["ClientToken"]
        if region in self.aliyun.failing:
            raise Refused(400, self.aliyun.failing[region])
        if (region, token) in self.aliyun.tokens:
            return {"ImageId": self.aliyun.tokens[region, token]}
        if self._image(given)["Status"] != "Available":
            raise Refused(403, "IncorrectImageStatus")
        self.aliyun.copies.append(given)
        return {"ImageId": self._make(region, given["DestinationImageName"], given)}

    def DescribeImages(self, given: Json) -> Json:
        assert given["ImageOwnerAlias"] == "self"
        found, states = [], given["Status"].split(",")
        for key, image in self.aliyun.images.get(given["RegionId"], {}).items():
            if key == given.get("ImageId", key) and given.get("ImageName", "") in image["ImageName"]:
                self._advance(image)
                found += [dict(image)] if image["Status"] in states else []
        return {"Images": {"Image": found}, "TotalCount": len(found)}

    def DescribeRegions(self, given: Json) -> Json:
        return {"Regions": {"Region": [{"RegionId": each} for each in self.aliyun.regions]}}

    def DescribeImageSharePermission(self, given: Json) -> Json:
        accounts = self.aliyun.shared.get(self._image(given)["ImageId"], [])
        return {"Accounts": {"Account": [{"AliyunId": each} for each in accounts]}, "TotalCount": 1}

    def ModifyImageSharePermission(self, given: Json) -> Json:
        image = self._image(given)
        if image["Status"] not in ("Available", "Deprecated"):
            raise Refused(403, "IncorrectImageStatus")
        assert len(given.get("AddAccount", ())) <= 10
        image["IsPublic"] = given.get("IsPublic", image["IsPublic"])
        self.aliyun.shared.setdefault(image["ImageId"], []).extend(given.get("AddAccount", ()))
        return {}

    def ModifyImageAttribute(self, given: Json) -> Json:
        self._image(given)["Status"] = given["Status"]
        return {}

    def DeleteImage(self, given: Json) -> Json:
        image = self._image(given)
        if image["IsPublic"]:
            raise Refused(403, "ImageIsPublic")
        del self.aliyun.images[given["RegionId"]][image["ImageId"]]
        return {}

    def DeleteSnapshot(self, given: Json) -> Json:
        for each in self.aliyun.snapshots.values():
            if given["SnapshotId"] in each:
                each.remove(given["SnapshotId"])
                return {}
        raise Refused(404, "InvalidSnapshotId.NotFound")

    def _image(self, given: Json) -> Json:
        found = self.aliyun.images.get(given["RegionId"], {}).get(given["ImageId"])
        if found is None:
            raise Refused(404, "InvalidImageId.NotFound")
        return found

    def _make(self, region: str, name: str, given: Json) -> str:
        images = self.aliyun.images.setdefault(region, {})
        if any(each["ImageName"] == name for each in images.values()):
            raise Refused(400, "InvalidImageName.Duplicated")
        number = len(self.aliyun.imports) + len(self.aliyun.copies)
        image, snapshot = f"m-{region}-{number}", f"s-{region}-{number}"
        tags = [{"TagKey": each["Key"], "TagValue": each["Value"]} for each in given["Tag"]]
        images[image] = {
            "ImageId": image, "ImageName": name, "Status": "Creating", "IsPublic": False,
            "Tags": {"Tag": tags}, "DiskDeviceMappings": {"DiskDeviceMapping": [{"SnapshotId": snapshot}]},
        }  # fmt: skip
        self.aliyun.snapshots.setdefault(region, set()).add(snapshot)
        self.aliyun.waits[image] = self.aliyun.pending
        self.aliyun.tokens[region, given["ClientToken"]] = image
        return image

    def _advance(self, image: Json) -> None:
        if image["Status"] == "Creating":
            self.aliyun.waits[image["ImageId"]] -= 1
            if self.aliyun.waits[image["ImageId"]] < 0:
                image["Status"] = self.aliyun.ends


def _ecs(aliyun: StrictAliyun, environ: Json, start: Start) -> Iterable[bytes]:
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    try:
        if aliyun.refused or f"Credential={ACCESS_KEY}" not in environ.get("HTTP_AUTHORIZATION", ""):
            raise Refused(404, aliyun.refused or "InvalidAccessKeyId.NotFound", f"signed with {SECRET_KEY}")
        action = environ["HTTP_X_ACS_ACTION"]
        with aliyun.lock:
            document = _Ecs(aliyun).answer(action, _given(action, query))
            status = 200
    except Refused as error:
        status, document = error.status, {"RequestId": "1", "Code": error.code, "Message": error.text}
    start(f"{status} x", [("Content-Type", "application/json")])
    return [json.dumps(document).encode()]


def _check_part(environ: Json) -> None:
    data = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    environ["wsgi.input"] = io.BytesIO(data)
    if environ.get("HTTP_CONTENT_MD5") != base64.b64encode(hashlib.md5(data).digest()).decode():
        raise Refused(400, "InvalidDigest")


def _translated(environ: Json, backend: Callable[..., Iterable[bytes]], start: Start) -> Iterable[bytes]:
    """moto's answer with the headers and the XML of OSS."""
    head: list[Any] = []

    def keep(status: str, headers: list[tuple[str, str]], *more: Any) -> None:  # noqa: ANN401
        head[:] = [status, headers]

    body = re.sub(rb' xmlns="[^"]*"', b"", b"".join(backend(environ, keep)))
    body = body.replace(b"ListPartsResponse", b"ListPartsResult")
    status, headers = head
    own = [(key.lower().replace("x-amz-meta-", "x-oss-meta-"), value) for key, value in headers]
    if environ["REQUEST_METHOD"] == "HEAD":
        if status.startswith("404"):
            error = _ERROR.format("NoSuchKey", "The specified key does not exist.").encode()
            own.append(("x-oss-err", base64.b64encode(error).decode()))
    else:
        own = [(key, str(len(body)) if key == "content-length" else value) for key, value in own]
    start(status, own)
    return [body]


def _application(aliyun: StrictAliyun) -> Callable[[Json, Start], Iterable[bytes]]:
    backend = DomainDispatcherApplication(create_backend_app)

    def answer(environ: Json, start: Start) -> Iterable[bytes]:
        if "HTTP_X_ACS_ACTION" in environ:
            return _ecs(aliyun, environ, start)
        try:
            if aliyun.refused or f"Credential={ACCESS_KEY}/" not in environ.get("HTTP_AUTHORIZATION", ""):
                raise Refused(403, aliyun.refused or "InvalidAccessKeyId")
            if "partNumber=" in environ.get("QUERY_STRING", ""):
                _check_part(environ)
        except Refused as error:
            start(f"{error.status} x", [("Content-Type", "application/xml")])
            return [_ERROR.format(error.code, error.text).encode()]
        for key in [each for each in environ if each.startswith("HTTP_X_OSS_META_")]:
            environ[key.replace("X_OSS_META", "X_AMZ_META")] = environ[key]
        # moto knows the service by the signature.
        environ["HTTP_AUTHORIZATION"] = "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/s3/aws4_request"

        return _translated(environ, backend, start)

    return answer


@contextmanager
def strict_aliyun() -> Iterator[StrictAliyun]:
    """A running server."""
    aliyun = StrictAliyun()
    with serving_s3(_application(aliyun)) as aliyun.url:
        yield aliyun
