"""Scores against cases computed by hand."""

import math

import numpy as np
import pytest

from comics_depth.data.orderings import Point
from comics_depth.evaluation.metrics import (
    KINDS,
    compare,
    count_pairs,
    eight_bit,
    interval,
    summarise,
)
from comics_depth.evaluation.rules import centre_is_nearer, chance, lower_is_nearer
from common.errors import UserError

KIND = {kind: at for at, kind in enumerate(KINDS)}

# near (level 1) below, two points of one object (level 2), far (level 3) at the bottom: a pair
# against the rule
POINTS = [Point(1, 1, 0, 2), Point(2, 1, 1, 1), Point(2, 2, 2, 1), Point(3, 1, 3, 3)]


def depth_of(*values: float) -> np.ndarray:
    """A 4x4 map with these values at POINTS."""
    depth = np.full((4, 4), -99.0)
    for point, value in zip(POINTS, values, strict=True):
        depth[point.y, point.x] = value
    return depth


def counts_of(*values: float) -> dict[str, list[int]]:
    return dict(zip(KINDS, count_pairs(depth_of(*values), POINTS, "p_1").tolist(), strict=True))


def test_a_perfect_map_has_every_pair_right():
    # inter: 1-2a 1-2b 1-3 2a-3 2b-3; against height: the three with the far, lowest point
    assert counts_of(9, 5, 4, -3) == {
        "inter_objects": [5, 0, 0],
        "against_height": [3, 0, 0],
        "without_background": [2, 0, 0],
        "intra_object": [1, 0, 0],
    }


def test_wrong_pairs_and_ties_are_told_apart():
    # 1-2a tie, 1-2b wrong, 1-3 right, 2a-3 right, 2b-3 right, intra 2a-2b wrong
    assert counts_of(5, 5, 6, 1) == {
        "inter_objects": [3, 1, 1],
        "against_height": [3, 0, 0],
        "without_background": [0, 1, 1],
        "intra_object": [0, 1, 0],
    }


def test_pairs_at_equal_height_are_against_height():
    points = [Point(1, 1, 0, 1), Point(2, 1, 3, 1), Point(2, 1, 0, 0)]
    counts = count_pairs(lower_is_nearer(4, 4), points, "p_1")
    assert counts[KIND["inter_objects"]].tolist() == [1, 0, 1]
    assert counts[KIND["against_height"]].tolist() == [0, 0, 1]
    assert (
        counts[KIND["intra_object"]].sum() == 0
    )  # same level of the same object: no order between them


def test_the_order_of_the_lines_does_not_matter():
    depth = depth_of(5, 5, 6, 1)
    assert np.array_equal(count_pairs(depth, POINTS, "f"), count_pairs(depth, POINTS[::-1], "f"))


@pytest.mark.parametrize("x, y", [(4, 0), (0, 4), (-1, 0), (0, -1)])
def test_a_point_outside_the_map_names_the_frame(x, y):
    with pytest.raises(UserError, match=rf"p_7.*x={x} y={y}.*4x4"):
        count_pairs(np.zeros((4, 4)), [Point(1, 1, 0, 0), Point(2, 1, x, y)], "p_7")


def test_an_empty_ordering_counts_nothing():
    assert not count_pairs(np.zeros((4, 4)), [], "p_1").any()


def table(*inter: tuple[int, int, int]) -> np.ndarray:
    """Counts of images with these inter-objects pairs and none of the other kinds."""
    counts = np.zeros((len(inter), 4, 3), dtype=int)
    counts[:, 0] = inter
    return counts


def test_mean_over_images_pooled_and_images_without_pairs():
    summary = summarise(table((1, 0, 1), (0, 0, 0), (8, 0, 0)))
    inter, intra = summary["inter_objects"], summary["intra_object"]
    assert inter["mean"] == pytest.approx(0.75) and inter["pooled"] == pytest.approx(0.9)
    assert (inter["pairs"], inter["ties"], inter["frames"]) == (10, 1, 2)
    assert intra == {
        "mean": None,
        "ci_low": None,
        "ci_high": None,
        "pooled": None,
        "pairs": 0,
        "ties": 0,
        "frames": 0,
        "compared": None,
    }


def test_the_interval_is_seeded_and_has_the_width_theory_gives():
    values = np.random.default_rng(1).normal(0.7, 0.1, 400)
    low, high = interval(values)
    assert (low, high) == interval(values)
    error = 1.96 * values.std() / math.sqrt(400)
    assert low == pytest.approx(values.mean() - error, abs=0.001)
    assert high == pytest.approx(values.mean() + error, abs=0.001)
    assert interval(np.full(5, 0.25)) == (0.25, 0.25)
    assert interval(np.array([])) == (None, None)


def test_ratio_and_decibel_are_those_of_the_means():
    compared = compare(np.array([0.0, 0.8, 1.0]), np.array([0.9, 0.0, 0.0]))
    assert compared["ratio"] == pytest.approx(2) and compared["decibel"] == pytest.approx(
        10 * math.log10(2)
    )
    assert compared["difference"] == pytest.approx(0.3)
    assert compare(np.array([0.0, 0.0]), np.array([0.5, 0.5]))["decibel"] is None
    assert compare(np.array([0.5, 0.5]), np.array([0.0, 0.0]))["ratio"] is None


def test_the_p_value_is_that_of_the_exact_sign_flip_test():
    # All five differences have one sign: 2 of the 2^5 assignments are as extreme.
    assert compare(np.full(5, 0.8), np.array([0.1, 0.2, 0.3, 0.4, 0.5]))["p"] == pytest.approx(
        2 / 32
    )
    assert compare(np.array([0.3, 0.6]), np.array([0.3, 0.6]))["p"] == 1
    rng = np.random.default_rng(0)
    assert compare(rng.normal(0.8, 0.1, 60), rng.normal(0.6, 0.1, 60))["p"] < 0.001


def test_the_original_protocol_drops_images_from_the_ratio_alone_and_averages_ratios():
    counts = table((2, 2, 0), (4, 0, 0), (1, 3, 0))
    baseline = table((4, 0, 0), (0, 4, 0), (1, 3, 0))  # the second image has no right pair
    corrected = summarise(counts, baseline)["inter_objects"]
    original = summarise(counts, baseline, "original")["inter_objects"]
    assert corrected["frames"] == original["frames"] == 3
    assert corrected["mean"] == original["mean"] == pytest.approx(1.75 / 3)
    assert corrected["compared"]["ratio"] == pytest.approx(1.75 / 1.25)
    assert original["compared"]["ratio"] == pytest.approx((0.5 + 1) / 2)
    assert original["compared"]["decibel"] == pytest.approx((10 * math.log10(0.5) + 0) / 2)
    assert original["compared"]["difference"] == corrected["compared"]["difference"]
    nothing_right = summarise(table((0, 4, 0)), table((1, 3, 0)), "original")["inter_objects"]
    assert nothing_right["compared"]["ratio"] == 0 and nothing_right["compared"]["decibel"] is None


def test_eight_bits_keep_the_faults_of_2020():
    assert eight_bit(np.array([[-5.0, 0.0], [5.0, 10.0]])).tolist() == [[0, 0], [128, 255]]
    assert eight_bit(np.array([[-5.0, -1.0]])).tolist() == [[255, 255]]
    assert eight_bit(np.zeros((1, 2))).tolist() == [[0, 0]]


def test_references():
    low, centre = lower_is_nearer(5, 3), centre_is_nearer(10, 20)
    assert (
        low.shape == (5, 3) and (np.diff(low, axis=0) > 0).all() and not np.diff(low, axis=1).any()
    )
    assert np.unravel_index(centre.argmax(), centre.shape) == (6, 10)
    first, second = (chance(6, 7, np.random.default_rng(3)) for _ in range(2))
    assert first.shape == (6, 7) and np.array_equal(first, second) and len(np.unique(first)) > 30
