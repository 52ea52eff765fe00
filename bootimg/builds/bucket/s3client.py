"""boto3's client, with its errors as BootimgError.  boto3 is an extra, so it is imported only on use."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from bootimg.errors import BootimgError, ExitCode
from bootimg.untrusted.sdkanswers import bound_botocore

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
ABSENT = ("404", "NoSuchKey", "NotFound")
CHANGED = ("412", "PreconditionFailed", "409", "ConditionalRequestConflict", *ABSENT)
NO_CONDITIONS = ("501", "NotImplemented")
DENIED = (
    "403", "401", "AccessDenied", "AllAccessDisabled", "InvalidAccessKeyId", "SignatureDoesNotMatch",
    "ExpiredToken", "InvalidToken", "AccessControlListNotSupported", "RequestTimeTooSkewed",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """A prefix in a bucket; `endpoint` is the URL of the server, None for Amazon's.

    With `unsigned` the requests are anonymous, which public buckets allow.
    """

    bucket: str
    prefix: str = ""
    endpoint: str | None = None
    unsigned: bool = False

    def key(self, path: str) -> str:
        """The object's key for a path below the prefix."""
        return f"{self.prefix}/{path}" if self.prefix else path


def parse_place(url: str, *, endpoint: str | None = None, unsigned: bool = False) -> Place:
    """Parse `s3://BUCKET/PREFIX`, or the same without `s3://`, as coreos-assembler writes it."""
    words = url.removeprefix("s3://")
    bucket, _, prefix = words.partition("/")
    good = _BUCKET.fullmatch(bucket) and "://" not in words and words.isprintable()
    if not good or any(part in ("", ".", "..") for part in prefix.strip("/").split("/") if prefix.strip("/")):
        raise BootimgError(
            "bucket-url-invalid",
            f"{url!r:.200} is not the URL of a bucket",
            hint="write it as s3://BUCKET/PREFIX, the folder of builds.json",
            exit_code=ExitCode.USAGE,
        )
    return Place(bucket, prefix.strip("/"), _endpoint(endpoint), unsigned)


def _endpoint(url: str | None) -> str | None:
    if not url:
        return None
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.username is None
    except ValueError:
        good = False
    if not good:
        raise BootimgError(
            "bucket-url-invalid",
            "the endpoint is not a URL of http or https, or it contains a password",
            hint="write it as https://s3.example.com; credentials go where boto3 looks for them",
            exit_code=ExitCode.USAGE,
        )
    return url


def connect(place: Place) -> Any:  # noqa: ANN401 - boto3 makes its classes when it runs
    """A client for the place; `boto3-missing` or `boto3-too-old` if the extra is not installed."""
    try:
        import boto3
        from botocore import UNSIGNED
        from botocore.config import Config
    except ImportError:
        raise BootimgError(
            "boto3-missing",
            "boto3 is not installed, and bootimg needs it for S3",
            hint="install bootimg with its extra: pipx install 'bootimg[s3]'",
            exit_code=ExitCode.ENVIRONMENT,
        ) from None
    config = Config(signature_version=UNSIGNED) if place.unsigned else None
    with refusals(f"s3://{place.bucket}", place):
        client = boto3.session.Session().client("s3", endpoint_url=place.endpoint, config=config)
    if "IfMatch" not in client.meta.service_model.operation_model("PutObject").input_shape.members:
        raise BootimgError(
            "boto3-too-old",
            f"boto3 {boto3.__version__} does not support conditional writes",
            hint="install boto3 1.35.69 or newer: pipx install 'bootimg[s3]'",
            exit_code=ExitCode.ENVIRONMENT,
        )
    bound_botocore(client)
    return client


@contextmanager
def refusals(url: str, place: Place) -> Iterator[None]:
    """Convert boto3's errors in the body into BootimgError with hints."""
    from boto3.exceptions import S3UploadFailedError
    from botocore import exceptions

    try:
        yield
    except exceptions.ClientError as error:
        raise _refused(url, place, code(error), str(error)) from None
    except S3UploadFailedError as error:
        cause = error.__context__
        found = code(cause) if isinstance(cause, exceptions.ClientError) else ""
        raise _refused(url, place, found, str(error)) from None
    except (
        exceptions.NoCredentialsError,
        exceptions.PartialCredentialsError,
        exceptions.CredentialRetrievalError,
        exceptions.ProfileNotFound,
        exceptions.TokenRetrievalError,
        exceptions.UnauthorizedSSOTokenError,
    ) as error:
        raise _no_credentials(str(error)) from None
    except exceptions.BotoCoreError as error:
        raise unreachable(url, str(error)) from None


def code(error: Any) -> str:  # noqa: ANN401 - ClientError, which has no types
    """The error code in the server's answer."""
    return str(error.response.get("Error", {}).get("Code", ""))


def unreachable(url: str, why: str) -> BootimgError:
    """The error for a server that does not answer, or closes the connection."""
    return BootimgError(
        "bucket-unreachable",
        f"{url} cannot be reached",
        context=[why[:400]],
        hint="check the network, the region and --endpoint-url; the same command continues where it stopped",
    )


def _no_credentials(why: str) -> BootimgError:
    return BootimgError(
        "bucket-credentials-missing",
        "boto3 finds no credentials",
        context=[why[:400]],
        hint="set AWS_PROFILE or AWS_ACCESS_KEY_ID, or write ~/.aws/credentials;"
        " --no-sign-request reads a public bucket",
        exit_code=ExitCode.ENVIRONMENT,
    )


def _refused(url: str, place: Place, found: str, why: str) -> BootimgError:
    if found == "NoSuchBucket":
        return BootimgError(
            "bucket-missing",
            f"the bucket {place.bucket} does not exist",
            hint="check its name and --endpoint-url; bootimg does not make buckets",
            exit_code=ExitCode.USAGE,
        )
    return BootimgError(
        "bucket-refused" if found in DENIED else "bucket-failed",
        f"the server refuses {url}: {found or 'no code'}",
        context=[why[:400]],
        hint="check the rights of the credentials, and --acl"
        if found in DENIED
        else "the same command continues where it stopped",
    )
