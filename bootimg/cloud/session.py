"""What the sessions of all SDKs share: the means of a job, and calls that bootimg repeats."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection
from typing import Self, TypeVar

from bootimg.cloud.answers import AnswerError
from bootimg.cloud.task import Means

Value = TypeVar("Value")


class Session:
    """The base of an uploader's session with its SDK."""

    def __init__(self, means: Means) -> None:
        self.means = means

    @property
    def dry_run(self) -> bool:
        """Whether calls that change something are only listed."""
        return self.means.calls.dry_run

    def at(self, means: Means) -> Self:
        """The same session, working with the means of a job."""
        other = copy.copy(self)
        other.means = means
        return other

    def repeated(self, what: str, work: Callable[[], Value], expected: Collection[str | int] = ()) -> Value:
        """The result of `work`, which is repeated for failures that pass; `what` names it.

        An answer with a code or status of `expected` is raised as `AnswerError`, others as what they mean.
        """
        try:
            return self.means.retry.call(what, work)
        except AnswerError as error:
            if error.is_one_of(expected):
                raise
            raise error.error from None
