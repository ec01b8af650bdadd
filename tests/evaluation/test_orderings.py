"""Depth models against orderings, and the depth from before."""

import numpy as np
import pytest
import torch

from comics_depth.cli import ModelSource
from comics_depth.data.depth_files import read_depth
from comics_depth.data.orderings import Point, write_ordering
from comics_depth.evaluation.orderings import (
    most_uncertain,
    ordering_validation,
    score_orderings,
    starting_depth,
)
from comics_depth.images import read_image, write_image
from comics_depth.paths import Layout
from common.files import read_json, write_json

CPU = torch.device("cpu")


class RedIsNear(torch.nn.Module):
    def forward(self, images):
        return images[:, 0]


class BlueIsNear(torch.nn.Module):
    def forward(self, images):
        return images[:, 2]


@pytest.fixture
def layout(tmp_path):
    """Frames that grow red to the right and blue to the left; near is right, but for one point of
    the first frame."""
    layout = Layout(tmp_path / "data", tmp_path / "runs")
    ramp = np.linspace(0, 255, 40, dtype=np.uint8)
    image = np.zeros((30, 40, 3), np.uint8)
    image[..., 0], image[..., 2] = ramp, ramp[::-1]
    points = [Point(1, 1, 38, 5), Point(2, 1, 20, 5), Point(3, 1, 2, 5)]
    for name, wrong in (("a", [Point(4, 1, 30, 5)]), ("b", [])):
        write_image(layout.frame(name), image)
        write_ordering(layout.ordering(name), [*points, *wrong])
    return layout


def orderings(layout):
    return {name: layout.ordering(name) for name in ("a", "b")}


def test_scores_are_means_over_frames(layout):
    scores = score_orderings(RedIsNear(), layout, orderings(layout), CPU)
    assert scores["inter_objects"] == pytest.approx((4 / 6 + 1) / 2)
    assert "intra_object" not in scores  # no frame has such a pair


def test_the_loss_to_choose_by_is_the_share_of_wrong_pairs(layout):
    validate = ordering_validation(BlueIsNear(), layout, orderings(layout))
    record = validate(CPU)
    assert record["val_loss"] == pytest.approx(1 - (2 / 6 + 0) / 2)
    assert record["val_inter_objects"] == pytest.approx(1 - record["val_loss"])


def test_depth_from_before_is_made_once_for_each_model(layout):
    folder = starting_depth(layout, ["a"], RedIsNear(), "red", CPU)
    first = read_depth(folder / "a.png")
    assert first[0, -1] > first[0, 0]
    starting_depth(layout, ["a", "b"], BlueIsNear(), "red", CPU)
    assert np.array_equal(read_depth(folder / "a.png"), first)  # kept
    starting_depth(layout, ["a"], BlueIsNear(), "blue", CPU)
    assert read_depth(folder / "a.png")[0, -1] < first[0, -1]
    assert not (folder / "b.png").exists()


class RedOrWhatIsLeft(torch.nn.Module):
    """Sure of red pictures, and of grey ones that what is on the left is near, however they lie."""

    resolution = 64

    def forward(self, images):
        assert not self.training
        return images[:, 0] - images[:, 1] + 0.1 * torch.linspace(1, 0, images.shape[-1])


def test_frames_come_in_the_order_of_disagreement_and_are_measured_once(layout, monkeypatch):
    seen = []

    def model(name, weights):
        seen.append(name)
        return RedOrWhatIsLeft()

    monkeypatch.setattr("comics_depth.evaluation.orderings.depth_model", model)
    write_image(layout.frame("grey"), np.full((30, 40, 3), 128, np.uint8))
    source, names = ModelSource("some"), ["a", "b", "grey"]
    assert most_uncertain(layout, names, source, 1) == ["grey"]
    assert most_uncertain(layout, names, source, 9) == ["grey", "a", "b"] and seen == ["some"]
    found = read_json(layout.uncertainty)["disagreement"]
    assert 0 < found["a"] == found["b"] < 0.5 < found["grey"]
    write_image(layout.frame("c"), np.full((30, 40, 3), 128, np.uint8))
    read = []
    monkeypatch.setattr(
        "comics_depth.evaluation.orderings.read_image", lambda p: read.append(p) or read_image(p)
    )
    most_uncertain(layout, [*names, "c"], source, 1)  # after an interruption
    assert read == [layout.frame("c")]
    most_uncertain(layout, ["a"], ModelSource("other"), 1)
    assert set(read_json(layout.uncertainty)["disagreement"]) == {"a"}
    write_json(layout.manifest, {})  # other frames
    most_uncertain(layout, ["b"], ModelSource("other"), 1)
    assert set(read_json(layout.uncertainty)["disagreement"]) == {"b"}
