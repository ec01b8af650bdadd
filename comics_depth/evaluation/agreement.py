"""What people who ordered points of the same frames agree on."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from comics_depth.data.orderings import Point
from comics_depth.evaluation.metrics import share_right
from comics_depth.evaluation.scoring import OrderedFrame
from comics_depth.evaluation.table import shown_share
from common.errors import UserError

# of the longer side of the box around both people's points: what is farther apart is not one point
SAME_PLACE = 0.02
ANSWERS = ("same_order", "opposite_order", "first_only", "second_only", "neither")


def common_points(first: Sequence[Point], second: Sequence[Point]) -> tuple[np.ndarray, np.ndarray]:
    """Indices (C,) in two orderings of the points in common: each is the other's nearest, within
    SAME_PLACE."""
    a, b = (np.array(points, np.int64).reshape(-1, 4)[:, 2:] for points in (first, second))
    if not len(a) or not len(b):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    distance = np.linalg.norm(a[:, None] - b, axis=2)
    nearest = distance.argmin(axis=1)
    mutual = distance.argmin(axis=0)[nearest] == np.arange(len(a))
    limit = SAME_PLACE * np.ptp(np.concatenate([a, b]), axis=0).max()
    chosen = np.flatnonzero(mutual & (distance.min(axis=1) <= limit))
    return chosen, nearest[chosen]


def order(points: Sequence[Point], chosen: np.ndarray) -> np.ndarray:
    """(C, C): 1 where the chosen point of the row is nearer than that of the column, -1 where
    farther, 0 for a tie."""
    level, intra = np.array(points, np.int64).reshape(-1, 4)[chosen, :2].T
    objects = np.sign(level - level[:, None])
    return np.where(objects, objects, np.sign(intra - intra[:, None]))


def agreed_frames(frames: Sequence[OrderedFrame]) -> list[OrderedFrame]:
    """The frames with pairs that every annotator has put into the same order, which alone count,
    with places and levels of the first. Raises UserError if there is none."""
    found = []
    for frame in frames:
        first, *others = frame.orderings
        agreed = order(first, np.arange(len(first))) != 0
        for other in others:
            own, theirs = common_points(first, other)
            same = np.zeros_like(agreed)
            same[np.ix_(own, own)] = order(first, own) == order(other, theirs)
            agreed &= same
        if agreed.any():
            found.append(frame._replace(orderings=[first], agreed=agreed))
    if not found:
        raise UserError("there is no pair of points that all annotators have put into one order")
    return found


def count_answers(first: Sequence[Point], second: Sequence[Point]) -> np.ndarray:
    """Pairs of common points with each of ANSWERS, int (5,)."""
    own, theirs = common_points(first, second)
    pairs = np.triu_indices(len(own), 1)
    a, b = order(first, own)[pairs], order(second, theirs)[pairs]
    answers = (a * b > 0, a * b < 0, (a != 0) & (b == 0), (a == 0) & (b != 0), (a == 0) & (b == 0))
    return np.array([np.count_nonzero(answer) for answer in answers])


def agreement(frames: Sequence[OrderedFrame]) -> dict[str, Any]:
    """How alike two annotators have ordered the points that they have in common, as
    metrics.share_right: `order`, of pairs that both have ordered, `answer`, of all, ties too;
    `pairs` by ANSWERS; `frames` that both have ordered, and their `points`: the first's, the
    second's, common. Raises UserError if nothing is in common."""
    both = [frame.orderings for frame in frames if all(frame.orderings)]
    if not both:
        raise UserError("there is no frame that both annotators have ordered")
    counts = np.array([count_answers(*orderings) for orderings in both])
    if not counts.any():
        raise UserError(
            f"{len(both)} frames are ordered by both annotators, but in none of them have they"
            " clicked two or more points at the same places"
        )
    points = [
        (len(first), len(second), len(common_points(first, second)[0])) for first, second in both
    ]
    alike = counts[:, [0, 4]].sum(axis=1)
    return {
        "frames": len(both),
        "points": np.sum(points, axis=0).tolist(),
        "order": share_right(counts[:, :2]),
        "answer": share_right(np.stack([alike, counts.sum(axis=1) - alike], axis=1)),
        "pairs": dict(zip(ANSWERS, counts.sum(axis=0).tolist(), strict=True)),
    }


def agreement_text(found: dict[str, Any], first: str, second: str) -> str:
    """The agreement as a Markdown table and a line of counts."""
    order, answer = (
        f"{shown_share(found[kind], True)} | {found[kind]['pairs']}" for kind in ("order", "answer")
    )
    own, theirs, common = found["points"]
    same, opposite, first_only, second_only, neither = found["pairs"].values()
    return f"""\
| pairs | alike [95 %] (frames) | pairs in all |
|---|---|---|
| order given by both | {order} |
| all, ties too | {answer} |

{found["frames"]} frames ordered by both; {own} points of {first}, {theirs} of {second},
{common} at the same places. Pairs of these: {same} in the same order, {opposite} in the
opposite one, {first_only} ordered by {first} only, {second_only} by {second} only,
{neither} by neither (ties)."""
