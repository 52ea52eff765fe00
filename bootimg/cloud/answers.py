"""What the answers of clouds mean for people: the errors that all uploaders share."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from bootimg.errors import BootimgError, ExitCode

RENEW = "renew them; the same command continues where it stopped"


class AnswerError(Exception):
    """An answer of a cloud that says no, which the caller may expect.

    `error` is what it means for people, `code` the cloud's own word and `status` HTTP's, where
    they are known.
    """

    def __init__(self, error: BootimgError, *, code: str = "", status: int = 0) -> None:
        super().__init__(code or str(status))
        self.error, self.code, self.status = error, code, status

    def is_one_of(self, expected: Collection[str | int]) -> bool:
        """Whether its code or its status is among these."""
        return self.code in expected or self.status in expected


def credentials_missing(sdk: str, said: Iterable[str], hint: str) -> BootimgError:
    """The error for an SDK that finds no credentials."""
    return BootimgError(
        "cloud-credentials-missing",
        f"the SDK of {sdk} finds no credentials",
        context=_lines(said),
        hint=hint,
        exit_code=ExitCode.ENVIRONMENT,
    )


def credentials_refused(message: str, said: str, hint: str = RENEW) -> BootimgError:
    """The error for credentials that the cloud does not accept."""
    return BootimgError(
        "cloud-credentials-refused",
        message,
        context=_lines([said]),
        hint=hint,
        exit_code=ExitCode.ENVIRONMENT,
    )


def permission_missing(what: str, said: str, hint: str) -> BootimgError:
    """The error for credentials that may not make the call `what`."""
    message = f"the credentials may not do {what}"
    return BootimgError("cloud-permission-missing", message, context=[said], hint=hint)


def bucket_missing(what: str, hint: str, kind: str = "bucket") -> BootimgError:
    """The error for a call `what` about a bucket that does not exist; `kind` is the cloud's word for it."""
    return BootimgError(
        "cloud-bucket-missing", f"the {kind} of {what} does not exist", hint=hint, exit_code=ExitCode.USAGE
    )


def request_failed(what: str, why: str, said: Iterable[str]) -> BootimgError:
    """The error for a call `what` that the cloud refuses for any other reason."""
    return BootimgError(
        "cloud-request-failed",
        f"{what} failed: {why}",
        context=_lines(said),
        hint="--dry-run lists the calls with their parameters",
    )


def _lines(said: Iterable[str]) -> list[str]:
    return [line for line in said if line]
