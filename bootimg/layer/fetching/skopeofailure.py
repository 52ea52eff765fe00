"""What skopeo's failures mean."""

from __future__ import annotations

import re
from collections.abc import Callable

from bootimg import process
from bootimg.errors import BootimgError, ExitCode
from bootimg.layer.image.imagename import invalid_reference, split_name
from bootimg.layer.image.reference import not_found

OTHER = "layer-read-failed"
"""The error id of a failure that no pattern matches."""

Meaning = Callable[[str, str], BootimgError]
_QUOTED = re.compile('"[^"]*"')


def explain(done: process.Completed, reference: str) -> BootimgError:
    """The error for what skopeo's last line reports."""
    if done.returncode < 0:
        return process.failure(done)
    message = _message(done.stderr.decode(errors="replace"))
    text = _without_names(message, reference).lower()
    found = next((meaning for pattern, meaning in _MEANINGS if re.search(pattern, text)), _other)
    return found(reference, message[:500])


def _message(text: str) -> str:
    lines = text.strip().splitlines() or [""]
    match = re.search(r'msg="((?:[^"\\]|\\.)*)"', lines[-1])
    return re.sub(r"(\\[nt]|\s)+", " ", match[1].replace('\\"', '"')).strip() if match else lines[-1]


def _without_names(message: str, reference: str) -> str:
    """The message without the image's name: an image may be called `timeout` or `denied`."""
    message = _QUOTED.sub("", message)
    repository = split_name(reference.rpartition("//")[2])[0]
    # A name without a registry could be any word of the message.
    return message.replace(repository, "") if "/" in repository else message


def _credentials(reference: str, message: str) -> BootimgError:
    return BootimgError(
        "registry-credentials-invalid",
        f"the credentials for the registry of {reference} cannot be read",
        context=[message],
        hint="correct the file of --authfile or REGISTRY_AUTH_FILE, or log in again: `skopeo login HOST`",
        exit_code=ExitCode.USAGE,
    )


def _certificates(reference: str, message: str) -> BootimgError:
    return BootimgError(
        "registry-certificates-invalid",
        f"the certificates for the registry of {reference} cannot be used",
        context=[message],
        hint="--cert-dir holds NAME.crt of the registry's CA, and NAME.cert with NAME.key of the client",
        exit_code=ExitCode.USAGE,
    )


def _invalid(reference: str, message: str) -> BootimgError:
    return invalid_reference(f"skopeo refuses {reference[:200]}: {message}")


def _policy(reference: str, message: str) -> BootimgError:
    return BootimgError(
        "layer-policy-refused",
        f"this machine's signature policy does not allow reading {reference}",
        context=[message],
        hint="correct policy.json in ~/.config/containers or /etc/containers: see containers-policy.json(5)",
        exit_code=ExitCode.ENVIRONMENT,
    )


def _unauthorized(reference: str, message: str) -> BootimgError:
    return BootimgError(
        "layer-unauthorized",
        f"the registry does not allow reading {reference}",
        context=[message],
        hint="log in with `skopeo login HOST`, or give the credentials file with --authfile",
    )


def _untrusted(reference: str, message: str) -> BootimgError:
    return BootimgError(
        "registry-untrusted",
        f"the identity of the registry of {reference} cannot be verified",
        context=[message],
        hint="give its CA with --cert-dir; --tls-verify=false only on networks you trust",
    )


def _unreachable(reference: str, message: str) -> BootimgError:
    return BootimgError(
        "registry-unreachable",
        f"the registry of {reference} cannot be reached",
        context=[message],
        hint="check the name, the network and the proxy settings (HTTPS_PROXY)",
    )


def _failed(reference: str, message: str) -> BootimgError:
    return BootimgError(
        "registry-failed",
        f"the registry of {reference} answers with an error",
        context=[message],
        hint="wait a moment and run the same command again: what was fetched is kept",
    )


def _other(reference: str, message: str) -> BootimgError:
    return BootimgError(
        "layer-read-failed",
        f"skopeo cannot read {reference}",
        context=[message],
        hint="try it by hand: skopeo inspect --raw REFERENCE",
    )


# The first match counts.  An HTTP status must be a whole word: digests and ports can contain its digits.
_MEANINGS: tuple[tuple[str, Meaning], ...] = (
    (r"getting username and password|getting credentials|unmarshaling json at|\bauth file\b", _credentials),
    (r"client (?:certificate|key) |readdirent|failed to find any pem|private key does not match",
     _certificates),
    (r"invalid reference|invalid repository name|must be lowercase|does not look like an image id"
     r"|path name is not absolute|both a tag and digest|: invalid port", _invalid),
    (r"trust policy|policy\.json|source image rejected|is rejected by policy", _policy),
    (r"manifest unknown|name unknown|\b404\b|identifier is not an image|does not resolve to an image"
     r"|not found|no such image|no descriptor found", not_found),
    (r"unauthorized|authentication required|(?<!permission )\bdenied\b|\b40[13]\b", _unauthorized),
    (r"x509|certificate|http response to https client", _untrusted),
    (r"no such host|connection (?:refused|reset)|time-?out|timed out|deadline exceeded|unreachable|\beof\b"
     r"|no route to host|proxyconnect|server misbehaving|name resolution|unsupported protocol scheme"
     r"|\btls: ", _unreachable),
    (r"toomanyrequests|too many requests|\b429\b|\b50[0-4]\b|internal server error|bad gateway"
     r"|service unavailable", _failed),
)  # fmt: skip
