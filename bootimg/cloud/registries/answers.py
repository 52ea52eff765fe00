"""What a registry's answers mean."""

from __future__ import annotations

from bootimg.errors import BootimgError, ExitCode
from bootimg.printable import printable
from bootimg.untrusted.jsonfile import find_object


def said(body: bytes) -> list[str]:
    """The errors in an answer's body, as lines."""
    errors = (find_object(body) or {}).get("errors")
    found = [each for each in errors if isinstance(each, dict)] if isinstance(errors, list) else []
    lines = [f"{each.get('code', '')}: {each.get('message', '')}" for each in found[:3]]
    return [printable(line)[:300] for line in lines] or [printable(body[:200].decode(errors="replace"))]


def refused(repository: str, body: bytes, *, login: bool) -> BootimgError:
    """The error for a registry that wants a login, or another one."""
    if any(line.startswith("DENIED") for line in said(body)):
        return forbidden(repository, "do this in", body)
    if not login:
        return BootimgError(
            "cloud-credentials-missing",
            f"the registry of {repository} asks for a login, and there is none",
            hint="log in with `skopeo login HOST`, or give the file with --authfile or REGISTRY_AUTH_FILE",
            exit_code=ExitCode.ENVIRONMENT,
        )
    return BootimgError(
        "cloud-credentials-refused",
        f"the registry of {repository} does not accept the login",
        context=[line for line in said(body) if line],
        hint="log in again: `skopeo login HOST`; the same command continues where it stopped",
        exit_code=ExitCode.ENVIRONMENT,
    )


def forbidden(repository: str, what: str, body: bytes = b"") -> BootimgError:
    """The error for a login that lacks a right."""
    return BootimgError(
        "cloud-permission-missing",
        f"the login may not {what} {repository}",
        context=[line for line in said(body) if line],
        hint="give it the right to write there; docs/clouds/registries.md says which rights are needed",
    )


def failed(repository: str, what: str, status: int, body: bytes) -> BootimgError:
    """The error for an answer that has no page of its own."""
    return BootimgError(
        "cloud-request-failed",
        f"the registry refused to {what} {repository}: status {status}",
        context=[line for line in said(body) if line],
        hint="--dry-run lists the calls with their parameters",
    )


def undeletable(repository: str, status: int) -> BootimgError:
    """The error for a registry that has deletion switched off."""
    return BootimgError(
        "registry-deletion-unsupported",
        f"the registry of {repository} does not delete",
        context=[f"it answered with status {status}"],
        hint="switch deletion on in the registry, or delete in its web interface",
    )
