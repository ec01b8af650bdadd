"""The error that a user can mend, and how it is counted where many files are read."""

import contextlib
from collections.abc import Iterator


class UserError(Exception):
    """Something the user can mend: one line that says what is wrong and what to do next."""


@contextlib.contextmanager
def counted(skipped: list[str]) -> Iterator[None]:
    """What the user can mend in one of many files goes to `skipped` and does not stop the
    others."""
    try:
        yield
    except UserError as error:
        skipped.append(str(error))
