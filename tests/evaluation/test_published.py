"""The leaderboard and the records behind its rows, on tiny frames; the one in the repository."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import evaluation as script
from comics_depth.data.orderings import Point, write_ordering
from comics_depth.evaluation import models, published
from comics_depth.evaluation.published import OPEN, read_published
from comics_depth.images import write_image
from comics_depth.paths import LEADERBOARD, PEPPERCARROT, Layout, read_names
from common.errors import UserError
from common.files import write_json, write_text

ROOT = Path(__file__).parents[2]
SIZE = (40, 60)
RULES = ["centre_is_nearer", "chance", "lower_is_nearer"]


@pytest.fixture
def layout(tmp_path, monkeypatch):
    """Two validation frames and a test frame, a board of their own, and models that are no
    networks: the brighter, the nearer, and its opposite."""
    layout, rng = Layout(tmp_path / "data", tmp_path / "runs"), np.random.default_rng(0)
    for split, names in {"validation": ["a_1", "a_2"], "test": ["c_1"]}.items():
        write_text(layout.frame_list(split), "".join(f"{name}\n" for name in names))
        for name in names:
            image = rng.integers(0, 60, (*SIZE, 3), np.uint8)
            image[:20] += 150
            write_image(layout.frame(name), image)
            points = [Point(1, 1, 9, 9), Point(2, 1, 8, 31), Point(2, 2, 40, 30)]
            write_ordering(layout.ordering(name), points)
    write_json(layout.manifest, {})
    board = tmp_path / "docs" / "leaderboard"
    for module in (script, published, sys.modules["comics_depth.evaluation.sets"]):
        monkeypatch.setattr(module, "LEADERBOARD", board)
    sign = {"bright": 1.0, "dark": -1.0}

    def lazily(source, averaged):
        return lambda image: sign[source] * image.mean(axis=2).astype(np.float32)

    monkeypatch.setattr(models, "_lazily", lazily)
    monkeypatch.setattr(models, "checkpoint_of", lambda model, root: model)
    return layout


@pytest.fixture
def run(layout, monkeypatch, capsys):
    def call(*words):
        roots = ("--data-root", layout.data_root, "--runs-root", layout.runs_root)
        monkeypatch.setattr(sys, "argv", ["evaluation.py", *map(str, (*words, *roots))])
        script.main()
        return capsys.readouterr().out

    return call


def test_rows_join_the_board_and_can_be_verified(layout, run, tmp_path):
    board = tmp_path / "docs" / "leaderboard"
    run("leaderboard", "bright", "midas=dark")
    text = board.with_suffix(".md").read_text()
    assert "| bright | test | 1.000" in text and "leaderboard midas=MiDaS " not in text
    assert "leaderboard midas-small=MiDaS_small " in text  # open still
    first = read_published(board)
    assert {row.name for row in first.rows} == {"bright", "midas", *RULES}
    run("leaderboard", "again=bright")
    second = read_published(board)
    assert {row.name for row in second.rows} == {"again", "bright", "midas", *RULES}
    assert second.records["rows"]["bright"] == first.records["rows"]["bright"]
    own = second.records["rows"]["again"]
    assert own["model"] == "bright" and own["made_by"]["depth_model"] == "bright"
    assert own["options"]["protocol"] == "corrected" and len(own["sha256"]) == 64
    said = run("verify")
    assert said.count("the published row, 3 frames") == 6

    said = run("compare", "bright", "midas")
    assert "| bright | validation | 1.000 [1.000, 1.000] (2)" in said
    assert "+1.000 [+1.000, +1.000]" in said
    folder = layout.predictions("models_midas")
    assert "| models_midas | test | 0.000" in run("compare", folder, "bright")

    depth = folder / "a_2.png"
    depth.write_bytes((layout.predictions("models_bright") / "a_2.png").read_bytes())
    with pytest.raises(UserError, match=r"not the published rows of .*: midas$"):
        run("verify", "midas", "bright")
    with pytest.raises(UserError, match="nothing is neither a folder nor a published row"):
        run("compare", "nothing", "bright")


def test_rows_of_other_orderings_do_not_mix(layout, run):
    run("leaderboard", "bright")
    write_ordering(layout.ordering("a_1"), [Point(1, 1, 9, 9), Point(2, 1, 8, 31)])
    with pytest.raises(UserError, match="scored on other orderings"):
        run("leaderboard", "dark")
    with pytest.raises(UserError, match="not those of --data-root"):
        run("compare", layout.predictions("models_bright"), "bright")
    with pytest.raises(UserError, match="not the published rows"):
        run("verify", "bright")


def test_every_report_keeps_the_records_of_its_rows(layout, run, tmp_path):
    run("models", "bright", "dark", "--report", tmp_path / "report")
    records = read_published(tmp_path / "report").records
    assert {"bright", "dark", *RULES} == set(records["rows"])
    assert "published row" in run("verify", "dark", "--report", tmp_path / "report")


def test_the_board_in_the_repository_is_of_our_orderings():
    """Its frames are the validation and test orderings of data/peppercarrot, its text is written
    from its records, and no row is both there and open."""
    board = read_published(LEADERBOARD)
    index = json.loads((PEPPERCARROT / "index.json").read_text(encoding="utf-8"))
    pages = {"validation": "val", "test": "test"}
    wanted = {part: {f for f in index if index[f]["split"] == part} for part in pages}
    for row in board.rows:
        assert {*row.frames} == wanted[row.split]
        listed = read_names(PEPPERCARROT / f"{pages[row.split]}.txt")
        assert {frame.rpartition("_")[0] for frame in row.frames} <= {*listed}
    text = LEADERBOARD.with_suffix(".md").read_text(encoding="utf-8")
    assert text == published.leaderboard_text(board.rows, board.records)
    rows = board.records["rows"]
    assert {"default", "default-comics", *RULES} <= set(rows)
    assert all((row in rows) != (f"`{row}` | `python" in text) for row in OPEN)


@pytest.mark.parametrize(
    ("name", "table"), [("demo", "README.md"), ("real_pages", "docs/benchmarks.md")]
)
def test_published_tables_are_those_of_their_records(name, table):
    """Every row of the records stands in the table with its means on validation and test."""
    text = (ROOT / table).read_text(encoding="utf-8")
    rows = read_published(ROOT / "docs/records" / name).rows
    assert len({row.name for row in rows}) > 9
    means = {}
    for row in rows:
        means.setdefault(row.name, []).append(f"{row.scores['inter_objects']['mean']:.3f} ")
    for row, shown in means.items():
        lines = [line for line in text.splitlines() if line.startswith(f"| `{row}` |")]
        assert any(all(mean in line for mean in shown) for line in lines), (
            f"{row}: write docs/records/{name} anew, of `evaluation.py all --report FOLDER`"
        )
