"""boto3's errors as errors that a person can act on, or as failures that may pass."""

from __future__ import annotations

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

_THROTTLED = (
    "Throttling", "ThrottlingException", "ThrottledException", "RequestLimitExceeded", "RequestThrottled",
    "RequestThrottledException", "TooManyRequestsException", "SlowDown", "BandwidthLimitExceeded",
    "EC2ThrottledException", "ConcurrentLimitExceededException", "PriorRequestNotComplete",
    "ResourceLimitExceeded", "InternalError", "InternalFailure", "InternalServerException",
    "ServiceUnavailable", "Unavailable", "RequestTimeout", "RequestTimeoutException",
)  # fmt: skip
_REFUSED = (
    "AuthFailure", "UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId",
    "SignatureDoesNotMatch", "ExpiredToken", "ExpiredTokenException", "RequestExpired", "InvalidToken",
    "OptInRequired", "Blocked",
)  # fmt: skip
_DENIED = ("UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "AllAccessDisabled", "403")
_MAY_APPEAR = (
    "InvalidAMIID.NotFound", "InvalidAMIID.Unavailable", "InvalidSnapshot.NotFound",
    "ResourceNotFoundException",
)  # fmt: skip


class AwsError(AnswerError):
    """An answer of AWS that says no; `code` is AWS's."""


@contextmanager
def converted(what: str, *, fresh: bool, scrub: Callable[[str], str]) -> Iterator[None]:
    """Convert the SDK's errors in the body.

    `what` names the call.  With `fresh` the call is about something that was made just now, which AWS may not
    find yet.  `scrub` removes the credentials from a text.
    """
    from botocore import exceptions, parsers

    try:
        yield
    except exceptions.ClientError as error:
        raise _of_answer(what, error.response, fresh, scrub) from None
    except (
        exceptions.NoCredentialsError,
        exceptions.PartialCredentialsError,
        exceptions.CredentialRetrievalError,
        exceptions.ProfileNotFound,
        exceptions.TokenRetrievalError,
        exceptions.UnauthorizedSSOTokenError,
    ) as error:
        raise no_credentials(scrub(str(error))) from None
    except exceptions.ParamValidationError as error:
        raise _failed(what, "a parameter is invalid", [scrub(str(error))[:400]]) from None
    except (exceptions.BotoCoreError, parsers.ResponseParserError) as error:
        raise TransientError(scrub(str(error))[:300]) from None


def no_credentials(why: str) -> BootimgError:
    """The error for an SDK that finds no credentials."""
    return credentials_missing(
        "AWS",
        [why[:300]],
        "set AWS_PROFILE, AWS_ACCESS_KEY_ID or a web identity, or write ~/.aws/credentials",
    )


def _of_answer(what: str, answer: dict[str, Any], fresh: bool, scrub: Callable[[str], str]) -> Exception:
    code = str(answer.get("Error", {}).get("Code", ""))
    said = scrub(str(answer.get("Error", {}).get("Message", "")))[:300]
    meta = answer.get("ResponseMetadata", {})
    status = int(meta.get("HTTPStatusCode", 0))
    if code in _THROTTLED or status == 429 or status >= 500 or (fresh and code in _MAY_APPEAR):
        after = wait_of(meta.get("HTTPHeaders", {}).get("retry-after", ""))
        return TransientError(f"{code or status} {said}".strip(), after)
    if code in _REFUSED:
        return credentials_refused(
            f"AWS refuses the credentials of {what}: {code}",
            said,
            "renew them, and check that the region is in their partition and enabled; the same command"
            " continues where it stopped",
        )
    if code in _DENIED:
        return permission_missing(
            what, f"{code}: {said}", "docs/clouds/aws.md has the policy that bootimg needs"
        )
    if code == "NoSuchBucket":
        return bucket_missing(what, "check `bucket`; bootimg does not make buckets")
    return _failed(what, code or f"status {status}", [said], code)


def _failed(what: str, why: str, context: Sequence[str], code: str = "") -> AwsError:
    return AwsError(request_failed(what, why, context), code=code)
