"""The SDKs' errors as errors that a person can act on, or as failures that may pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

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

_PASSING = (
    "InternalError", "LastTokenProcessing", "OperationConflict", "RequestTimeout", "ServiceUnavailable",
    "SystemBusy", "UnknownError",
)  # fmt: skip
_REFUSED = (
    "InvalidAccessKeyId", "InvalidSecurityToken", "SecurityTokenExpired", "SignatureDoesNotMatch",
    "IncompleteSignature", "InvalidAccountStatus",
)  # fmt: skip
_DENIED = ("AccessDenied", "Forbidden", "NoPermission", "UnauthorizedOperation")


class AliyunError(AnswerError):
    """An answer of Alibaba Cloud that says no; `code` is its own."""


@contextmanager
def converted(what: str, scrub: Callable[[str], str]) -> Iterator[None]:
    """Convert the SDKs' errors in the body.

    `what` names the call, `scrub` removes the credentials from a text.
    """
    import requests
    from alibabacloud_credentials.exceptions import CredentialException
    from alibabacloud_oss_v2 import exceptions as oss
    from alibabacloud_tea_openapi.exceptions import AlibabaCloudException
    from darabonba.exceptions import RetryError, UnretryableException

    try:
        yield
    except AlibabaCloudException as error:
        # The SDK has milliseconds, from the header that Alibaba Cloud has for this.
        wish = min(float(getattr(error, "retry_after", None) or 0) / 1000, 300.0)
        code, status = str(error.code or ""), int(error.status_code or 0)
        raise _of_answer(what, code, scrub(str(error.message)), status, wish) from None
    except oss.OperationError as error:
        raise _of_storage(what, error.unwrap(), scrub) from None
    except CredentialException as error:
        raise no_credentials(scrub(str(error))) from None
    except UnretryableException as error:
        inner = error.inner_exception
        if isinstance(inner, CredentialException):
            raise no_credentials(scrub(str(inner))) from None
        # The connection, or an answer that is no JSON.
        if isinstance(inner, (RetryError, OSError, RuntimeError, ValueError)):
            raise TransientError(scrub(str(inner))[:300]) from None
        raise inner from None
    except (oss.BaseError, requests.RequestException) as error:
        raise TransientError(scrub(str(error))[:300]) from None


def no_credentials(why: str) -> BootimgError:
    """The error for an SDK that finds no credentials."""
    return credentials_missing(
        "Alibaba Cloud",
        [why[:300]],
        "set ALIBABA_CLOUD_ACCESS_KEY_ID with its secret or ALIBABA_CLOUD_PROFILE, or write"
        " ~/.aliyun/config.json",
    )


def _of_storage(what: str, error: Exception, scrub: Callable[[str], str]) -> Exception:
    from alibabacloud_oss_v2 import exceptions as oss

    if isinstance(error, BootimgError):
        return error
    if isinstance(error, oss.CredentialsBaseError):
        return no_credentials(scrub(str(error)))
    if not isinstance(error, oss.ServiceError):
        return TransientError(scrub(str(error))[:300])
    headers: Mapping[str, str] = {key.lower(): value for key, value in (error.headers or {}).items()}
    wish = wait_of(headers.get("retry-after", ""))
    code, status = str(error.code or ""), int(error.status_code or 0)
    # The SDK's own word for an answer that does not say what is wrong.
    code = str(status) if code == "BadErrorResponse" else code
    return _of_answer(what, code, scrub(str(error.message or "")), status, wish)


def _of_answer(what: str, code: str, said: str, status: int, wish: float) -> Exception:
    said, family = said[:300], code.partition(".")[0]
    if family in (*_PASSING, "Throttling") or status == 429 or status >= 500:
        return TransientError(f"{code or status} {said}".strip(), wish)
    if family in _REFUSED:
        return credentials_refused(f"Alibaba Cloud refuses the credentials of {what}: {code}", said)
    if family in _DENIED or status == 403:
        return permission_missing(
            what, f"{code}: {said}", "docs/clouds/aliyun.md has the policy that bootimg needs"
        )
    if code == "NoSuchBucket":
        return bucket_missing(
            what, "check `bucket`, which has to be in the primary region; bootimg does not make buckets"
        )
    return _failed(what, code or f"status {status}", [said], code or str(status))


def _failed(what: str, why: str, context: Sequence[str], code: str = "") -> AliyunError:
    return AliyunError(request_failed(what, why, context), code=code)
