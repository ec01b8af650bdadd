"""Scores of inverse depth against depth orderings: pure functions on arrays and points."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from scipy.stats import bootstrap, permutation_test

from comics_depth.data.orderings import Point
from common.errors import UserError

# kind of pairs -> what a reader sees; see count_pairs
KINDS = {
    "inter_objects": "inter-objects",
    "against_height": "against height",
    "without_background": "without background",
    "intra_object": "intra-object",
}
PROTOCOLS = ("corrected", "original")
RIGHT, TIED = 0, 2  # columns of the counts; 1 is wrong
RESAMPLES = 10_000
SEED = 0  # the same counts always give the same interval and p-value


def count_pairs(
    inverse_depth: np.ndarray,
    points: Sequence[Point],
    frame: str,
    counted: np.ndarray | None = None,
) -> np.ndarray:
    """Pairs of points that inverse depth (H, W), any scale, orders right, wrong or not at all: int
    (4, 3), a row for each of KINDS. A pair is right if its nearer point has strictly more. Kinds:

    * inter_objects: different object levels;
    * against_height: of these, the pairs whose nearer point is not lower in the picture (y of the
      nearer <= y of the farther), where the cue "lower is nearer" fails;
    * without_background: of these, the pairs whose farther point is not on the frame's last object
      level (easy skies);
    * intra_object: same object level, different intra levels.

    counted: bool (P, P), the pairs that alone count (default: all). Raises UserError naming `frame`
    if a point lies outside the map."""
    height, width = inverse_depth.shape
    level, intra, x, y = np.array(points, dtype=np.int64).reshape(-1, 4).T
    for point in np.flatnonzero((x < 0) | (x >= width) | (y < 0) | (y >= height)):
        raise UserError(
            f"frame {frame}: the point x={x[point]} y={y[point]} lies outside the depth map of"
            f" {width}x{height} pixels; predict at the frame's size, or correct the ordering"
        )
    depth = inverse_depth[y, x]
    inter = level[:, None] < level  # rows: nearer point, columns: farther point
    kinds = (
        inter,
        inter & (y[:, None] <= y),
        inter & (level < level.max(initial=0)),
        (level[:, None] == level) & (intra[:, None] < intra),
    )
    kinds = kinds if counted is None else [kind & counted for kind in kinds]
    return count_outcomes(kinds, depth[:, None], depth)


def count_outcomes(kinds: Iterable[np.ndarray], near: np.ndarray, far: np.ndarray) -> np.ndarray:
    """How many pairs of each kind (bool arrays) have near > far, near < far, near = far: int
    (kinds, 3)."""
    outcomes = (near > far, near < far, near == far)
    return np.array([[np.count_nonzero(kind & outcome) for outcome in outcomes] for kind in kinds])


def accuracies(counts: np.ndarray) -> np.ndarray:
    """Share of right pairs per image, (images,) from counts (images, 3) that hold a pair each."""
    return counts[:, RIGHT] / counts.sum(axis=1)


def interval(values: np.ndarray) -> tuple[float | None, float | None]:
    """95 % percentile bootstrap interval (Efron 1979) of the mean of `values` (images,); None
    without any."""
    if len(values) < 2:
        return (float(values[0]),) * 2 if len(values) else (None, None)
    found = bootstrap(
        (values,),
        np.mean,
        n_resamples=RESAMPLES,
        batch=1000,
        method="percentile",
        rng=np.random.default_rng(SEED),
    ).confidence_interval
    return float(found.low), float(found.high)


def share_right(counts: np.ndarray) -> dict[str, Any]:
    """Of counts (images, outcomes), the right ones first: `mean` share over the images that have a
    pair (`frames`) with `ci_low`, `ci_high`, and `pooled` over `pairs`; None without a pair."""
    counts = counts[counts.any(axis=1)]
    accuracy = accuracies(counts)
    low, high = interval(accuracy)
    pairs = int(counts.sum())
    return {
        "mean": float(accuracy.mean()) if pairs else None,
        "ci_low": low,
        "ci_high": high,
        "pooled": int(counts[:, RIGHT].sum()) / pairs if pairs else None,
        "pairs": pairs,
        "frames": len(accuracy),
    }


def sign_flip_p(difference: np.ndarray) -> float | None:
    """Two-sided p-value of the mean of paired differences (images,) under random signs."""
    if len(difference) < 2:
        return None
    test = permutation_test(
        (difference,),
        np.mean,
        permutation_type="samples",
        vectorized=True,
        n_resamples=RESAMPLES - 1,
        batch=1000,
        rng=np.random.default_rng(SEED),
    )
    return float(test.pvalue)


def compare(
    accuracy: np.ndarray, baseline: np.ndarray, protocol: str = "corrected"
) -> dict[str, float | None]:
    """Accuracies (images,) against the baseline's of the same images: mean paired `difference` with
    `ci_low`, `ci_high` (bootstrap over images) and `p` (sign-flip test, not adjusted for the number
    of rows); `ratio` of the means and `decibel` = 10 log10(ratio). original: mean ratio and decibel
    of the images where the baseline has a right pair. None: not defined."""
    if len(accuracy) == 0:
        return dict.fromkeys(("difference", "ci_low", "ci_high", "p", "ratio", "decibel"))
    difference = accuracy - baseline
    low, high = interval(difference)
    if protocol == "original":
        above, below = accuracy, baseline
    else:
        above, below = accuracy.mean(keepdims=True), baseline.mean(keepdims=True)
    ratios = above[below > 0] / below[below > 0]
    defined = len(ratios) > 0
    return {
        "difference": float(difference.mean()),
        "ci_low": low,
        "ci_high": high,
        "p": sign_flip_p(difference),
        "ratio": float(ratios.mean()) if defined else None,
        "decibel": float(10 * np.log10(ratios).mean()) if defined and ratios.min() > 0 else None,
    }


def summarise(
    counts: np.ndarray,
    baseline: np.ndarray | None = None,
    protocol: str = "corrected",
    kinds: Iterable[str] = tuple(KINDS),
) -> dict[str, dict]:
    """Kind of pairs -> what `share_right` gives, `ties`, and `compared` (see `compare`; None
    without a baseline), of `counts` and `baseline` (images, kinds, 3) of the same images."""
    summary = {}
    for at, kind in enumerate(kinds):
        own = counts[:, at]
        kept = own.any(axis=1)
        compared = None
        if baseline is not None:
            compared = compare(accuracies(own[kept]), accuracies(baseline[kept, at]), protocol)
        ties = int(own[:, TIED].sum())
        summary[kind] = share_right(own) | {"ties": ties, "compared": compared}
    return summary


def eight_bit(inverse_depth: np.ndarray) -> np.ndarray:
    """Inverse depth as the 2020 code stored it, uint8 (H, W): divided by its maximum, clamped. Its
    faults are kept: negative values become 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.nan_to_num(inverse_depth.astype(np.float64) / inverse_depth.max(), nan=0.0)
    return np.round(np.clip(share, 0, 1) * 255).astype(np.uint8)
