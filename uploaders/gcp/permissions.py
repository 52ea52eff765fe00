"""Who may use an image: the members of a role in the image's IAM policy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bootimg.cloud.plugin import TransientError

from .client import Gcp

EVERYBODY = "allAuthenticatedUsers"
"""Everybody with a Google account: Google allows no more for images."""
_ROLE = "roles/compute.imageUser"


def grant(gcp: Gcp, project: str, image: str, members: Sequence[str], *, known_empty: bool = False) -> bool:
    """Let members use an image; whether one of them could not yet."""
    if not members:
        return False
    policy = None if known_empty else _policy(gcp, project, image)
    missing = _missing(policy, members)
    if not missing:
        return False
    parameters = {"image": image, "role": _ROLE, "members": missing}
    gcp.write("compute.images.setIamPolicy", parameters, lambda: _add(gcp, project, image, members), None)
    return True


def _policy(gcp: Gcp, project: str, image: str) -> Any:  # noqa: ANN401
    return gcp.read(f"compute.images.getIamPolicy of {image} in {project}", lambda: _get(gcp, project, image))


def _get(gcp: Gcp, project: str, image: str) -> Any:  # noqa: ANN401
    call = gcp.on_images(
        "get_iam_policy", project=project, resource=image, options_requested_policy_version=3
    )
    return call()


def _missing(policy: Any, members: Sequence[str]) -> list[str]:  # noqa: ANN401
    bindings = [] if policy is None else policy.bindings
    has = {member for each in bindings if _is_ours(each) for member in each.members}
    return [each for each in members if each not in has]


def _is_ours(binding: Any) -> bool:  # noqa: ANN401
    return bool(binding.role == _ROLE and not binding.condition.expression)


def _add(gcp: Gcp, project: str, image: str, members: Sequence[str]) -> None:
    """Add the members to the policy as it is now; its etag guards against changes meanwhile."""
    from google.api_core.exceptions import Conflict, PreconditionFailed

    policy = _get(gcp, project, image)
    missing = _missing(policy, members)
    if not missing:
        return
    found = next((each for each in policy.bindings if _is_ours(each)), None)
    if found is None:
        policy.bindings.append({"role": _ROLE, "members": missing})
    else:
        found.members.extend(missing)
    call = gcp.on_images("set_iam_policy", project=project, resource=image,
                         global_set_policy_request_resource={"policy": policy})  # fmt: skip
    try:
        call()
    except (Conflict, PreconditionFailed) as error:
        raise TransientError(f"the policy of {image} was changed meanwhile: {error.code}") from None
