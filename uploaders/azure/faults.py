"""The SDK's errors as errors that a person can act on, or as failures that may pass."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bootimg.cloud.plugin import (
    AnswerError,
    BootimgError,
    TransientError,
    bucket_missing,
    credentials_missing,
    credentials_refused,
    permission_missing,
    request_failed,
    wait_of,
)

if TYPE_CHECKING:
    from azure.core.exceptions import HttpResponseError

_BUSY = ("ServerBusy", "OperationTimedOut", "InternalError", "Md5Mismatch", "RetryableError",
         "AnotherOperationInProgress", "OperationPreempted")  # fmt: skip
_REFUSED = ("AuthenticationFailed", "InvalidAuthenticationInfo", "ExpiredAuthenticationToken",
            "InvalidAuthenticationToken", "InvalidAuthenticationTokenTenant", "AccountIsDisabled",
            "NoAuthenticationInformation")  # fmt: skip
_NO_CONTAINER = ("ContainerNotFound", "ContainerBeingDeleted", "ContainerDisabled")
_SECRET = re.compile(r"(?i)\b(sig=|AccountKey=|SharedAccessSignature=|Bearer )[^&;\s'\"]+")


class AzureError(AnswerError):
    """An answer of Azure that says no; `code` is Azure's."""


def without_signatures(text: str) -> str:
    """A text without the parts that are secret wherever they stand: signatures and keys."""
    return _SECRET.sub(r"\1[hidden]", text)


@contextmanager
def converted(what: str, *, scrub: Callable[[str], str]) -> Iterator[None]:
    """Convert the SDK's errors in the body.

    `what` names the call.  `scrub` removes the credentials from a text.
    """
    from azure.core import exceptions

    try:
        yield
    except exceptions.ClientAuthenticationError as error:
        if error.response is None:
            raise no_credentials(scrub(str(error))) from None
        raise _of_answer(what, error, scrub) from None
    except exceptions.HttpResponseError as error:
        raise _of_answer(what, error, scrub) from None
    except exceptions.AzureError as error:
        # Lost connections, answers that were cut off, checksums that differ.
        raise TransientError(scrub(str(error))[:300]) from None


def no_credentials(why: str) -> BootimgError:
    """The error for an SDK that finds no credentials."""
    lines = [line.strip() for line in why.splitlines() if line.strip()]
    return credentials_missing(
        "Azure",
        [line[:300] for line in lines[:8]],
        "log in with `az login`, or set AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET, or use"
        " a workload or managed identity",
    )


def _of_answer(what: str, error: HttpResponseError, scrub: Callable[[str], str]) -> Exception:
    code, said = _code(error), scrub(str(error.message or ""))[:300]
    status = int(error.status_code or 0)
    headers = getattr(error.response, "headers", None) or {}
    if code in _BUSY or status in (0, 408, 429) or status >= 500 or status < 300:
        after = wait_of(str(headers.get("Retry-After", "")))
        return TransientError(f"{code or status} {said}".strip(), after)
    if status == 401 or code in _REFUSED:
        return credentials_refused(
            f"Azure refuses the credentials of {what}: {code or status}",
            said,
            "renew them, and check tenant and subscription; the same command continues where it stopped",
        )
    if status == 403:
        return permission_missing(
            what, f"{code}: {said}", "docs/clouds/azure.md has the rights that bootimg needs"
        )
    if code in _NO_CONTAINER:
        return bucket_missing(
            what,
            "check `storage_account` and `storage_container`; bootimg does not make containers",
            "container",
        )
    return _failed(what, code, status, [said])


def _code(error: HttpResponseError) -> str:
    """The code of a storage answer, which is in a header, or of a compute answer, which is in the body."""
    found = getattr(error, "error_code", None) or getattr(error.error, "code", None)
    return str(getattr(found, "value", found) or "")


def _failed(what: str, code: str, status: int, context: Sequence[str]) -> AzureError:
    error = request_failed(what, code or f"status {status}", context)
    return AzureError(error, code=code, status=status)
