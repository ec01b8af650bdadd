"""Scores of inverse depth against depth orderings: pure functions on arrays and points."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import permutation_test

from comics_depth.data.orderings import Point
from common.errors import UserError

KINDS = ("inter_objects", "against", "without_farthest", "intra_object")
PROTOCOLS = ("corrected", "original")
RIGHT = 0  # column of the counts; the others are wrong and tied
RESAMPLES = 10_000
SEED = 0  # of every resampling here: the same counts always give the same interval and p-value


def count_pairs(inverse_depth: np.ndarray, points: Sequence[Point], frame: str) -> np.ndarray:
    """Pairs of points that a map orders right, wrong or not at all: int (4, 3), a row for each of
    KINDS, columns right, wrong, tied. `inverse_depth` is (H, W), larger = nearer, any scale; a pair
    is right if its nearer point has strictly more. The kinds:

    * inter_objects: different object levels;
    * against: of these, the pairs whose nearer point is not lower in the picture (y of the nearer
      <= y of the farther), which the rule "lower is nearer" cannot get;
    * without_farthest: of these, the pairs whose farther point is not on the frame's last object
      level (easy skies);
    * intra_object: same object level, different intra levels.

    Raises UserError naming `frame` if a point lies outside the map."""
    height, width = inverse_depth.shape
    level, intra, x, y = np.array(points, dtype=np.int64).reshape(-1, 4).T
    for point in np.flatnonzero((x < 0) | (x >= width) | (y < 0) | (y >= height)):
        raise UserError(
            f"frame {frame}: the point x={x[point]} y={y[point]} of its ordering lies outside the"
            f" depth map of {width}x{height} pixels; predict at the size of the frame, or mend the"
            " ordering"
        )
    depth = inverse_depth[y, x]
    inter = level[:, None] < level  # rows: nearer point, columns: farther point
    kinds = (
        inter,
        inter & (y[:, None] <= y),
        inter & (level < level.max(initial=0)),
        (level[:, None] == level) & (intra[:, None] < intra),
    )
    outcomes = (depth[:, None] > depth, depth[:, None] < depth, depth[:, None] == depth)
    return np.array([[np.count_nonzero(kind & outcome) for outcome in outcomes] for kind in kinds])


def accuracies(counts: np.ndarray) -> np.ndarray:
    """Share of right pairs per image, (images,) from counts (images, 3); NaN where an image has no
    pair."""
    pairs = counts.sum(axis=1)
    return np.divide(counts[:, RIGHT], pairs, out=np.full(len(counts), np.nan), where=pairs > 0)


def interval(values: np.ndarray) -> tuple[float | None, float | None]:
    """95 % percentile bootstrap interval (Efron 1979) of the mean of `values` (images,); None for
    both without any."""
    if len(values) == 0:
        return None, None
    rng = np.random.default_rng(SEED)
    blocks = [rng.integers(len(values), size=(RESAMPLES // 10, len(values))) for _ in range(10)]
    low, high = np.percentile(
        np.concatenate([values[block].mean(axis=1) for block in blocks]), (2.5, 97.5)
    )
    return float(low), float(high)


def compare(
    accuracy: np.ndarray, baseline: np.ndarray, protocol: str = "corrected"
) -> dict[str, float | None]:
    """Accuracies (images,) against the baseline's on the same images: mean paired `difference` with
    `ci_low` and `ci_high` (bootstrap over images) and `p` (two-sided sign-flip permutation test of
    the mean difference, not adjusted for the number of rows); `ratio` and `decibel` = 10
    log10(ratio).

    corrected: the ratio is that of the two means. original: the mean of the images' ratios, and the
    mean of the images' decibels. A value that is not defined (no image, a logarithm of 0) is
    None."""
    if len(accuracy) == 0:
        return dict.fromkeys(("difference", "ci_low", "ci_high", "p", "ratio", "decibel"))
    difference = accuracy - baseline
    low, high = interval(difference)
    p = None if len(difference) < 2 else 1.0
    if p and difference.any():
        p = float(
            permutation_test(
                (difference,),
                lambda values, axis: values.mean(axis=axis),
                permutation_type="samples",
                vectorized=True,
                n_resamples=RESAMPLES - 1,
                batch=1000,
                rng=np.random.default_rng(SEED),
            ).pvalue
        )
    if protocol == "original":
        ratios = accuracy / baseline
    else:
        ratios = (
            accuracy.mean(keepdims=True) / baseline.mean() if baseline.mean() > 0 else np.array([])
        )
    return {
        "difference": float(difference.mean()),
        "ci_low": low,
        "ci_high": high,
        "p": p,
        "ratio": float(ratios.mean()) if len(ratios) else None,
        "decibel": (
            float(10 * np.log10(ratios).mean()) if len(ratios) and ratios.min() > 0 else None
        ),
    }


def summarise(
    counts: np.ndarray, baseline: np.ndarray | None = None, protocol: str = "corrected"
) -> dict[str, dict]:
    """For each of KINDS: `mean` over images with `ci_low`, `ci_high`, `pooled` over pairs, `pairs`,
    `ties`, `frames` (images that have a pair of the kind: the others are left out of its mean), and
    `compared` (see `compare`; None without a baseline). `counts` and `baseline` are (images, 4, 3)
    of the same images; what no image defines is None.

    `protocol="original"` repeats the scorer of 2020 as far as its description goes. Of each kind it
    drops the images where the *baseline* has no right pair (from the mean as well as from the
    ratio), and averages ratios and decibels image by image. Where the 2020 code stopped at the
    logarithm of 0 (an image where the model has no right pair), `decibel` is None. Intervals,
    p-values and the kinds against and without_farthest are ours under either protocol."""
    summary = {}
    for at, kind in enumerate(KINDS):
        kept = counts[:, at].sum(axis=1) > 0
        if protocol == "original" and baseline is not None:
            kept &= baseline[:, at, RIGHT] > 0
        right, wrong, ties = (int(number) for number in counts[kept, at].sum(axis=0))
        pairs, accuracy = right + wrong + ties, accuracies(counts[kept, at])
        low, high = interval(accuracy)
        summary[kind] = {
            "mean": float(accuracy.mean()) if pairs else None,
            "ci_low": low,
            "ci_high": high,
            "pooled": right / pairs if pairs else None,
            "pairs": pairs,
            "ties": ties,
            "frames": len(accuracy),
            "compared": (
                None
                if baseline is None
                else compare(accuracy, accuracies(baseline[kept, at]), protocol)
            ),
        }
    return summary


def eight_bit(inverse_depth: np.ndarray) -> np.ndarray:
    """Inverse depth as the 2020 code stored it, uint8 (H, W): divided by its maximum, clamped to
    [0, 1], 255 levels, rounded. Kept with its faults: negative values become 0, a map without a
    positive value becomes one grey."""
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.nan_to_num(inverse_depth.astype(np.float64) / inverse_depth.max(), nan=0.0)
    return np.round(np.clip(share, 0, 1) * 255).astype(np.uint8)
