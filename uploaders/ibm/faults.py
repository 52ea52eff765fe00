"""The SDK's errors as errors that a person can act on, or as failures that may pass."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

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

ABSENT = ("404", "NoSuchKey", "NoSuchUpload", "NotFound")
_PASSING = ("InternalError", "OperationAborted", "RequestTimeout", "ServiceUnavailable", "SlowDown")
_REFUSED = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "401")
_DENIED = ("AccessDenied", "403")
_STATUS = re.compile(r"HttpCode\((\d+)\)")


class CosError(AnswerError):
    """An answer of the object storage that says no; `code` is its own."""


@contextmanager
def converted(what: str, scrub: Callable[[str], str]) -> Iterator[None]:
    """Convert the SDK's errors in the body.

    `what` names the call, `scrub` removes the credentials from a text.
    """
    # The SDK fetches tokens with requests, and lets its errors through.
    import requests
    from ibm_botocore import exceptions, parsers

    try:
        yield
    except exceptions.ClientError as error:
        raise _of_answer(what, error.response, scrub) from None
    except exceptions.CredentialRetrievalError as error:
        raise _of_token(scrub(str(error))) from None
    except (
        exceptions.NoCredentialsError,
        exceptions.PartialCredentialsError,
        exceptions.ProfileNotFound,
        exceptions.ConfigParseError,
    ) as error:
        raise no_credentials(scrub(str(error))) from None
    except exceptions.ParamValidationError as error:
        raise _failed(what, "a parameter is invalid", [scrub(str(error))[:400]]) from None
    except (exceptions.BotoCoreError, parsers.ResponseParserError, requests.RequestException) as error:
        raise TransientError(scrub(str(error))[:300]) from None


def no_credentials(why: str) -> BootimgError:
    """The error for an SDK that finds no credentials."""
    return credentials_missing(
        "IBM Cloud",
        [why[:300]],
        "set IBM_API_KEY_ID or COS_CREDENTIALS_FILE, or write ~/.bluemix/cos_credentials",
    )


def _of_token(why: str) -> Exception:
    """The error for a token that IBM's IAM does not give."""
    found = _STATUS.search(why)
    status = int(found[1]) if found else 0
    if status == 429 or status >= 500:
        return TransientError(why[:300])
    return _refused("a token", why[:300])


def _of_answer(what: str, answer: dict[str, Any], scrub: Callable[[str], str]) -> Exception:
    code = str(answer.get("Error", {}).get("Code", ""))
    said = scrub(str(answer.get("Error", {}).get("Message", "")))[:300]
    meta = answer.get("ResponseMetadata", {})
    status = int(meta.get("HTTPStatusCode", 0))
    if code in _PASSING or status == 429 or status >= 500:
        wish = wait_of(meta.get("HTTPHeaders", {}).get("retry-after", ""))
        return TransientError(f"{code or status} {said}".strip(), wish)
    if code in _REFUSED:
        return _refused(what, f"{code}: {said}")
    if code in _DENIED:
        return permission_missing(
            what,
            f"{code}: {said}",
            "docs/clouds/ibmcloud.md has the roles that bootimg needs; a revoked token looks the same",
        )
    if code == "NoSuchBucket":
        return bucket_missing(
            what, "`bucket` is without the region, which is appended to it; bootimg does not make buckets"
        )
    return _failed(what, code or f"status {status}", [said], code)


def _refused(what: str, why: str) -> BootimgError:
    return credentials_refused(f"IBM Cloud refuses the credentials for {what}", why)


def _failed(what: str, why: str, context: Sequence[str], code: str = "") -> CosError:
    return CosError(request_failed(what, why, context), code=code)
