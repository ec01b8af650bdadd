"""What two annotators agree on, by hand, and scores against one, both, or what they agree on."""

import contextlib
import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest

import evaluation as script
from comics_depth.cli import run_main
from comics_depth.data.depth_files import write_depth
from comics_depth.data.orderings import Point, write_ordering
from comics_depth.evaluation.agreement import common_points, count_answers, order
from comics_depth.paths import Layout

# Both have clicked the first four places, 1 pixel apart; of the others each has one alone.
ANNA = [Point(1, 1, 10, 10), Point(2, 1, 90, 10), Point(2, 2, 90, 90), Point(2, 2, 10, 90)]
BERT = [Point(1, 1, 10, 11), Point(2, 1, 91, 10), Point(1, 2, 90, 91), Point(1, 2, 10, 89)]
ANNA_ALONE, BERT_ALONE = Point(3, 1, 50, 50), Point(1, 1, 40, 20)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Two frames that both have ordered, one of each alone; lower is nearer in all maps."""
    layout = Layout(tmp_path / "data", tmp_path / "runs")
    for name in ("a_1", "sub/b_1", "anna_1"):
        write_ordering(layout.orderings_of("anna") / f"{name}.txt", [ANNA_ALONE, *ANNA])
    for name in ("a_1", "bert_1"):
        write_ordering(layout.orderings_of("bert") / f"{name}.txt", [*BERT[::-1], BERT_ALONE])
    write_ordering(layout.orderings_of("bert") / "sub/b_1.txt", BERT[:2])
    rows = np.repeat(np.arange(100.0)[:, None], 100, axis=1)
    for name in ("a_1", "sub/b_1", "anna_1", "bert_1"):
        write_depth(tmp_path / "maps" / f"{name}.png", rows)
    return layout


def evaluation(layout: Layout, monkeypatch, *words: object, code: int = 0) -> str:
    roots = ("--data-root", layout.data_root, "--runs-root", layout.runs_root)
    monkeypatch.setattr(sys, "argv", ["evaluation.py", *map(str, (*words, *roots))])
    said, left = io.StringIO(), 0
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            run_main(script.main)
        except SystemExit as leaving:
            left = leaving.code
    assert left == code, said.getvalue()
    return said.getvalue()


def test_points_are_one_where_each_is_the_others_nearest_within_two_percent():
    places = [(0, 0), (100, 0), (100, 3), (0, 50)]  # the box is 100 wide, so 2 pixels are the limit
    others = [(101, 2), (0, 53), (2, 0), (1, 0)]
    first, second = ([Point(1, 1, *place) for place in both] for both in (places, others))
    own, theirs = common_points(first, second)
    assert (own.tolist(), theirs.tolist()) == ([0, 2], [3, 0])
    assert [found.tolist() for found in common_points(first, [])] == [[], []]


def test_an_order_is_between_objects_or_inside_one():
    points = [Point(2, 2, 0, 0), Point(1, 3, 0, 0), Point(2, 1, 0, 0), Point(2, 2, 0, 0)]
    expected = [[0, -1, -1, 0], [1, 0, 1, 1], [1, -1, 0, 1], [0, -1, -1, 0]]
    assert order(points, np.arange(4)).tolist() == expected
    assert order(points, np.array([3, 1])).tolist() == [[0, -1], [1, 0]]


def test_answers_by_hand():
    # 1 > 2, 1 > 3, 1 > 4 for both; 2 and 3, 2 and 4 in the opposite order; 3 and 4 a tie for both
    assert count_answers(ANNA, BERT).tolist() == [3, 2, 0, 0, 1]
    tied = [BERT[0], *(point._replace(object_level=1, intra_level=1) for point in BERT[1:])]
    assert count_answers(ANNA, tied).tolist() == [0, 0, 5, 0, 1]
    assert count_answers(tied, ANNA).tolist() == [0, 0, 0, 5, 1]
    assert count_answers(ANNA, [BERT_ALONE]).tolist() == [0] * 5


def test_agreement_is_printed_and_written(layout, tmp_path, monkeypatch):
    path = tmp_path / "agreement.json"
    bert = layout.orderings_of("bert")
    told = evaluation(layout, monkeypatch, "agreement", "anna", bert, "--json", path)
    found = json.loads(path.read_text())
    assert found["frames"] == 2 and found["points"] == [10, 7, 6]
    assert list(found["pairs"].values()) == [3 + 1, 2, 0, 0, 1]
    assert found["order"]["mean"] == pytest.approx((3 / 5 + 1) / 2)
    assert found["answer"]["mean"] == pytest.approx((4 / 6 + 1) / 2)
    assert (found["order"]["pairs"], found["answer"]["pairs"]) == (6, 7)
    assert found["order"]["pooled"] == pytest.approx(4 / 6)
    assert (found["order"]["ci_low"], found["order"]["ci_high"]) == (0.6, 1)
    assert "| order given by both | 0.800 [0.600, 1.000] (2) | 6 |" in told
    assert "4 in the same order, 2 in the opposite one, 0 ordered by anna only" in " ".join(
        told.split()
    )


def test_nothing_in_common_is_one_line(layout, tmp_path, monkeypatch):
    for name, points in {"anna_1": [BERT_ALONE], "a_1": [ANNA[0], BERT_ALONE]}.items():
        write_ordering(tmp_path / name / f"{name}.txt", points)
    for other, what in {
        "nobody": "depth-nobody: expected <frame>.txt, found no depth ordering",
        tmp_path / "anna_1": "1 frames are ordered by both annotators, but in none",
        tmp_path / "a_1": "1 frames are ordered by both annotators, but in none",
    }.items():
        told = evaluation(layout, monkeypatch, "agreement", "anna", other, code=2)
        assert what in told and told.count("\n") == 1
    told = evaluation(layout, monkeypatch, "agreement", tmp_path / "anna_1", "bert", code=2)
    assert "no frame that both" in told
    assert "two annotators" in evaluation(layout, monkeypatch, "agreement", "anna", code=2)


def scores(layout, monkeypatch, *options):
    path = layout.data_root / "scores.json"
    maps = layout.data_root.parent / "maps"
    options = (*options, "--json", path)
    told = evaluation(layout, monkeypatch, "predictions", maps, "--orderings", *options)
    found = json.loads(path.read_text())
    return told, {kind: (found[kind]["pairs"], found[kind]["frames"]) for kind in KINDS}, found


KINDS = ("inter_objects", "intra_object")


@pytest.fixture
def in_lists(layout):
    """All frames are validation frames."""
    layout.frame_list("test").write_text("")
    layout.frame_list("validation").write_text("a_1\nsub/b_1\nanna_1\nbert_1\n")


def test_scores_against_one_annotator_and_all(layout, in_lists, monkeypatch):
    # anna: 3 + 4 inter and 2 intra pairs a frame; bert: 4 and 4 of five points, 1 and 0 of two
    one = {name: scores(layout, monkeypatch, name)[1] for name in ("anna", "bert")}
    assert one["anna"] == {"inter_objects": (21, 3), "intra_object": (6, 3)}
    assert one["bert"] == {"inter_objects": (4 + 4 + 1, 3), "intra_object": (8, 2)}
    told, both, found = scores(layout, monkeypatch, "anna", "bert")
    assert both == {"inter_objects": (30, 4), "intra_object": (14, 4)}
    assert "Orderings: anna, bert." in told and list(found["splits"]) == ["validation"]


def test_scores_against_the_pairs_on_which_both_agree(layout, in_lists, monkeypatch):
    told, found, document = scores(layout, monkeypatch, "anna", "bert", "--agreed")
    assert found == {"inter_objects": (3 + 1, 2), "intra_object": (0, 0)}
    # the nearest point is in the top row, so lower is nearer has no pair right; one is a tie
    assert (document["inter_objects"]["mean"], document["inter_objects"]["ties"]) == (0, 2)
    assert "only pairs in the same order for all of them" in told
    _, swapped, _ = scores(layout, monkeypatch, "bert", "anna", "--agreed")
    assert swapped == {"inter_objects": (1 + 1, 2), "intra_object": (2, 1)}  # the kinds are bert's
    refused = ("predictions", "maps", "--orderings", "anna", "--agreed")
    assert "two annotators" in evaluation(layout, monkeypatch, *refused, code=2)
    write_ordering(layout.orderings_of("cleo") / "a_1.txt", [ANNA[0], ANNA_ALONE])
    refused = ("predictions", "maps", "--orderings", "cleo", "bert", "--agreed")
    assert "no pair of points that all" in evaluation(layout, monkeypatch, *refused, code=2)
