"""Images that `ostree container encapsulate` made: which of their layers hold the ostree commit.

The rules are those of ostree-rs-ext 0.15.  The first layer holds the commit object.  The label
`ostree.final-diffid` names the last layer of the commit.  Layers after that one are derived, for example
by a Containerfile's `FROM`.  The label `ostree.commit` names the commit.
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
    """What the image's labels declare; None for an image in the plain form.

    Raises `layer-form-unsupported` if the labels do not match the layers.
    """
    commit, final = image.labels.get(COMMIT_LABEL), image.labels.get(FINAL_LABEL)
    if final is None:
        if commit is not None:
            raise unlabelled(f"it has the label {COMMIT_LABEL} but not {FINAL_LABEL}")
        return None
    found = [number for number, blob in enumerate(image.layers) if blob.diff_id == final]
    if len(found) != 1:
        raise unlabelled(f"its label {FINAL_LABEL} is {final[:80]!r}: {len(found)} of its layers have it")
    return Encapsulation(commit, found[0] + 1)


def unlabelled(why: str) -> BootimgError:
    """The error for an image whose labels do not tell which layers belong to its ostree commit."""
    return BootimgError(
        "layer-form-unsupported",
        "the image holds an ostree commit, but its labels do not tell which layers belong to it",
        context=[why],
        hint="keep the labels where the image is copied or derived, and do not squash its layers",
    )


def invalid(what: str) -> BootimgError:
    """The error for an image whose labels declare an encapsulated commit that it does not hold."""
    return BootimgError(
        "layer-encapsulation-invalid",
        f"the image is not the encapsulated ostree commit that its labels announce: {what}",
        hint="make it again with `ostree container encapsulate`, or copy it again from where it was made",
    )
