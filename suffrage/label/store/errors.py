"""What the labelling store refuses, with the HTTP status that says why."""

from __future__ import annotations

from suffrage.core.errors import SuffrageError


class LabelError(SuffrageError):
    """A rater's request that cannot be done; `status` is the HTTP status of the answer.

    403 not theirs, 404 unknown, 409 already judged or skipped, 410 too late, 422 no vote of its
    kind, 429 too fast.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status
