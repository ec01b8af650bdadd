"""Pairs in the formats of DA-2K and AI4VA, in small files of ours, against counts by hand."""

import json
import sys

import numpy as np
import pytest

import evaluation as script
from comics_depth.evaluation.pairs import median_inside, read_pairs
from comics_depth.images import write_image
from common.errors import UserError


@pytest.fixture
def da2k(tmp_path):
    """Two scene types; points are [row, column]."""
    pairs = {
        "images/indoor/a.jpg": [
            {"point1": [9, 1], "point2": [1, 1], "closer_point": "point1"},
            {"point1": [9, 8], "point2": [2, 8], "closer_point": "point2"},
        ],
        "images/non_real/b.png": [{"point1": [5, 5], "point2": [5, 6], "closer_point": "point1"}],
    }
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps(pairs))
    return path


@pytest.fixture
def ai4va(tmp_path):
    def segment(category, box, inter, intra, polygon=False):
        x, y, w, h = box
        corners = [x, y, x + w, y, x + w, y + h, x, y + h]
        shape = {"segmentation": [corners]} if polygon else {"segmentation": [], "bbox": box}
        depths = {"Interdepth": inter, "Intradepth": intra}
        return {"image_id": 7, "category_id": category, "attributes": depths, **shape}

    document = {
        "images": [{"id": 7, "file_name": "series/page.jpg", "width": 10, "height": 10}],
        "annotations": [
            segment(1, [0, 6, 3, 3], 1, 1),
            segment(1, [5, 6, 3, 3], 1, 2, polygon=True),
            segment(2, [0, 0, 9, 2], 2, 1),
            {"image_id": 7, "category_id": 2, "attributes": {}, "bbox": [1, 1, 2, 2]},
        ],
    }
    path = tmp_path / "ai4va.json"
    path.write_text(json.dumps(document))
    return path


def ramp():
    """The lower, the nearer; columns 5 and 6 of a row are alike."""
    return np.repeat(np.arange(10, dtype=np.float32)[:, None], 10, axis=1)


def predict(folder, names, depth):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        np.save(folder / f"{name}.npy", depth)
    return folder


def run(monkeypatch, capsys, *words):
    monkeypatch.setattr(sys, "argv", ["evaluation.py", *map(str, words)])
    script.main()
    return capsys.readouterr().out


def test_counts_of_da2k(da2k):
    frames, kinds, _ = read_pairs(da2k, "smallest")
    assert kinds == ("inter_objects", "against_height", "indoor", "non_real")
    assert [frame.name for frame in frames] == ["indoor/a", "non_real/b"]
    first, second = (frame.count(ramp()) for frame in frames)
    # right, wrong, tied; the second pair of `a` has its nearer point above, so a ramp has it wrong
    assert first.tolist() == [[1, 1, 0], [0, 1, 0], [1, 1, 0], [0, 0, 0]]
    assert second.tolist() == [[0, 0, 1], [0, 0, 1], [0, 0, 0], [0, 0, 1]]


def test_counts_of_ai4va(ai4va):
    frames, kinds, note = read_pairs(ai4va, "smallest")
    assert kinds == ("inter_objects", "against_height", "intra_object", "series")
    assert "smallest counts as nearest" in note
    assert frames[0].count(ramp()).tolist() == [[2, 0, 0], [0, 0, 0], [0, 0, 1], [2, 0, 0]]
    other, _, note = read_pairs(ai4va, "largest")
    assert "largest counts as nearest" in note
    assert other[0].count(ramp()).tolist() == [[0, 2, 0], [0, 2, 0], [0, 0, 1], [0, 2, 0]]


def test_a_segment_has_its_median():
    depth = ramp()
    box = np.array([(2, 2), (4, 2), (4, 6), (2, 6)])
    depth[3, 3] = 100
    assert median_inside(depth, [box], "here") == 4
    assert median_inside(depth, [np.array([(1, 8)])], "here") == 8
    with pytest.raises(UserError, match="here: lies outside the depth map of 10x10"):
        median_inside(depth, [np.array([(1, 10)])], "here")


def test_pairs_are_scored_with_a_column_for_each_scene(da2k, tmp_path, monkeypatch, capsys):
    """Ties, intervals, columns and the paired test, by the command line."""
    names = ("indoor/a", "non_real/b")
    own = predict(tmp_path / "own", names, ramp())
    other = predict(tmp_path / "other", names, -ramp() + np.arange(10) * 0.01)
    out = tmp_path / "scores.json"
    said = run(monkeypatch, capsys, "predictions", own, "--pairs", da2k, "--json", out)
    head, _, row = said.splitlines()[:3]
    assert "| indoor | non_real |" in head and "| own | all | 0.250 [0.000, 0.500] (2)" in row
    scores = json.loads(out.read_text())
    assert scores["inter_objects"] | {"compared": None} == scores["inter_objects"]
    assert (scores["inter_objects"]["ties"], scores["inter_objects"]["pooled"]) == (1, 1 / 3)
    assert (scores["indoor"]["mean"], scores["non_real"]["mean"]) == (0.5, 0)
    said = run(monkeypatch, capsys, "compare", other, own, "--pairs", da2k)
    assert "| other | all | 0.250" in said
    run(monkeypatch, capsys, "compare", other, own, "--pairs", da2k, "--json", out)
    rows = json.loads(out.read_text())["rows"]
    assert rows["other"]["all"]["inter_objects"]["compared"]["difference"] == 0
    assert rows["other"]["all"]["indoor"]["compared"]["p"] is None  # one image


def test_what_does_not_fit_is_said(da2k, tmp_path, monkeypatch, capsys):
    own = predict(tmp_path / "own", ["indoor/a"], ramp())
    with pytest.raises(UserError, match=r"no prediction for 1 of 2 frames \(non_real/b\)"):
        run(monkeypatch, capsys, "predictions", own, "--pairs", da2k)
    predict(own, ["non_real/b"], ramp())
    write_image(tmp_path / "images/indoor/a.jpg", np.zeros((20, 20, 3), np.uint8))
    with pytest.raises(UserError, match="expected 20x20 pixels, the size of frame indoor/a"):
        run(monkeypatch, capsys, "predictions", own, "--pairs", da2k)
    da2k.write_text('{"a.jpg": [{"point1": [1, 2], "point2": [3, 4], "closer_point": "left"}]}')
    with pytest.raises(UserError, match="expected pairs of DA-2K or AI4VA"):
        read_pairs(da2k, "smallest")
    da2k.write_text("{}")
    with pytest.raises(UserError, match="found none"):
        read_pairs(da2k, "smallest")
    with pytest.raises(UserError, match="--pairs goes with"):
        run(monkeypatch, capsys, "all", "--pairs", da2k)
