"""Errors of Google's SDK as errors that a person can act on, or as failures that may pass."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from bootimg.cloud.plugin import (
    AnswerError,
    BootimgError,
    TransientError,
    credentials_missing,
    credentials_refused,
    permission_missing,
    request_failed,
    wait_of,
)

_BUSY = ("rateLimitExceeded", "userRateLimitExceeded", "operationRateLimitExceeded", "resourceNotReady",
         "concurrentOperationsLimitExceeded")  # fmt: skip
_PASSING = (408, 429)


class GcpError(AnswerError):
    """An answer of Google that says no, with HTTP's status."""


@contextmanager
def converted(what: str, scrub: Callable[[str], str]) -> Iterator[None]:
    """Convert the SDK's errors in the body.

    `what` names the call.  `scrub` removes the credentials from a text.
    """
    from google.api_core import exceptions as api
    from google.auth import exceptions as auth
    from google.protobuf.json_format import ParseError
    from requests import exceptions as http

    try:
        yield
    except api.GoogleAPICallError as error:
        raise of_answer(what, error.response, int(error.code or 0), scrub(str(error.message))) from None
    except auth.DefaultCredentialsError as error:
        raise no_credentials(scrub(str(error))) from None
    except auth.TransportError as error:
        raise TransientError(scrub(str(error))[:300]) from None
    except auth.GoogleAuthError as error:
        if error.retryable:
            raise TransientError(scrub(str(error))[:300]) from None
        raise _refused(what, scrub(str(error))[:300]) from None
    except (http.RequestException, ParseError) as error:
        raise TransientError(scrub(str(error))[:300]) from None


def no_credentials(why: str) -> BootimgError:
    """The error for an SDK that finds no credentials."""
    return credentials_missing(
        "Google",
        [why[:300]],
        "set GOOGLE_APPLICATION_CREDENTIALS, use a workload identity, or run"
        " `gcloud auth application-default login`",
    )


def of_answer(what: str, answer: Any, status: int, said: str) -> Exception:  # noqa: ANN401
    """What the answer with an HTTP status means; `answer` is the response of `requests`, or None."""
    reasons = _reasons(answer)
    headers = {} if answer is None else answer.headers
    # A good answer that the SDK cannot use was cut off.
    passing = status >= 500 or 200 <= status < 300 or status in _PASSING
    if passing or any(each in _BUSY for each in reasons):
        why = f"{status} {said}".strip()[:300]
        return TransientError(why, wait_of(str(headers.get("Retry-After", ""))))
    if status == 401:
        return _refused(what, said[:300])
    if status == 403:
        hint = "docs/clouds/gcp.md lists the permissions that bootimg needs"
        return GcpError(permission_missing(what, said[:300], hint), status=status)
    return failed(what, status, [", ".join(reasons), said[:300]])


def failed(what: str, status: int, context: Sequence[str]) -> GcpError:
    """The error for a call that Google refuses."""
    return GcpError(request_failed(what, f"status {status}", context), status=status)


def _refused(what: str, said: str) -> BootimgError:
    return credentials_refused(f"Google refuses the credentials of {what}", said)


def _reasons(answer: Any) -> list[str]:  # noqa: ANN401
    """The reasons of an answer in Google's form; empty if it has another form."""
    if answer is None:
        return []
    try:
        errors = json.loads(answer.content)["error"]["errors"]
        return [str(each["reason"]) for each in errors]
    except (ValueError, TypeError, KeyError, RecursionError):
        return []
