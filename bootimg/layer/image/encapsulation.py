"""Images that `ostree container encapsulate` made: which of their layers hold the ostree commit.

The rules are those of ostree-rs-ext 0.15: the label `ostree.final-diffid` names the last layer of the
commit, the first layer has the commit itself, and what comes after the last is derived from it, as a
Containerfile's `FROM` gives it.  The label `ostree.commit` says which commit it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from bootimg.errors import BootimgError
from bootimg.layer.image.fetched import Image

COMMIT_LABEL = "ostree.commit"
FINAL_LABEL = "ostree.final-diffid"


@dataclass(frozen=True, slots=True)
class Encapsulation:
    """The first `base` layers hold the commit `commit` (None where no label names it)."""

    commit: str | None
    base: int


def encapsulation(image: Image) -> Encapsulation | None:
    """What the image's labels say, or None of an image in the plain form.

    `layer-form-unsupported` where the labels do not fit the layers.
    """
    commit, final = image.labels.get(COMMIT_LABEL), image.labels.get(FINAL_LABEL)
    if final is None:
        if commit is not None:
            raise unlabelled(f"it has the label {COMMIT_LABEL}, and not {FINAL_LABEL}")
        return None
    found = [number for number, blob in enumerate(image.layers) if blob.diff_id == final]
    if len(found) != 1:
        raise unlabelled(f"its label {FINAL_LABEL} is {final[:80]!r}: {len(found)} of its layers are that")
    return Encapsulation(commit, found[0] + 1)


def unlabelled(why: str) -> BootimgError:
    """The error for an image of which nothing says where the ostree commit in it ends."""
    return BootimgError(
        "layer-form-unsupported",
        "the image holds an ostree commit, and its labels do not say which of its layers make it up",
        context=[why],
        hint="keep the labels where the image is copied or derived, and do not squash its layers",
    )


def invalid(what: str) -> BootimgError:
    """The error for an image that is no encapsulated commit, though its labels say so."""
    return BootimgError(
        "layer-encapsulation-invalid",
        f"the image is not the encapsulated ostree commit that its labels announce: {what}",
        hint="make it again with `ostree container encapsulate`, or copy it again from where it was made",
    )
