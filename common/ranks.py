"""Processes that share the work of one command, on one machine or many."""

import os
from collections.abc import Sequence

from common.errors import UserError

FINISH = "the same command without RANK and WORLD_SIZE does what is left"


def rank_and_count() -> tuple[int, int]:
    """The number of this process, from 0, and how many share the work of its command: RANK and
    WORLD_SIZE, as accelerate launch, torchrun or a user set them. Raises UserError."""
    found = os.environ.get("RANK", "0"), os.environ.get("WORLD_SIZE", "1")
    if not all(map(str.isdecimal, found)) or not int(found[0]) < int(found[1]):
        expected = "expected RANK from 0 and below WORLD_SIZE"
        raise UserError(f"{expected}, found RANK={found[0]} WORLD_SIZE={found[1]}")
    return int(found[0]), int(found[1])


def my_share(items: Sequence) -> list:
    """What this process does of all items, done or not: every WORLD_SIZE-th. So it depends on
    nothing that others do, and one that was killed and started again has the same."""
    rank, count = rank_and_count()
    return list(items[rank::count])


def refuse_several(option: str) -> None:
    """Raises UserError where several processes share the work of the command."""
    if rank_and_count()[1] > 1:
        raise UserError(f"{option} is for one process, without RANK and WORLD_SIZE")
