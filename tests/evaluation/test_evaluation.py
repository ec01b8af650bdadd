"""The real command line of evaluation.py on tiny data, and the published figures of the real
orderings."""

import contextlib
import csv
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
from PIL import Image

import evaluation as script
from comics_depth.cli import run_main
from comics_depth.data.depth_files import read_depth, write_depth
from comics_depth.data.orderings import Point, read_ordering, write_ordering
from comics_depth.evaluation.metrics import count_pairs, summarise
from comics_depth.evaluation.rules import centre_is_nearer, chance, lower_is_nearer
from comics_depth.evaluation.table import Row, figure
from comics_depth.paths import Layout, find_named, names_of
from common.errors import UserError
from common.files import write_json, write_text

ROOT = Path(__file__).resolve().parents[2]
REAL = ROOT.parent / "shared" / "realdata"
REFERENCES = ("lower_is_nearer", "centre_is_nearer", "chance")
RUNS = (
    "natural2comics_simple",
    "natural2comics_depth_aware",
    "depth_estimator_simple",
    "depth_estimator_add_text",
    "depth_estimator_add_text_ignoretext",
    "depth_estimator_printed",
    "depth_estimator_orderings",
    "baseline_no_batchnorm_trick",
    "baseline_batchnorm_trick",
    *(f"baseline_{name}" for name in REFERENCES),
)
SIZE = (20, 30)
needs_real = pytest.mark.skipif(not REAL.exists(), reason=f"{REAL} is not there")


def evaluation(*words: object, code: int = 0, process: bool = False) -> SimpleNamespace:
    """Runs the command line of these words (texts may hold several), as a process of its own or,
    faster, inside this one; checks the exit code."""
    words = [part for word in words for part in (word.split() if isinstance(word, str) else [word])]
    words = [sys.executable, str(ROOT / "evaluation.py"), *map(str, words)]
    if process:
        done = subprocess.run(
            words,
            capture_output=True,
            text=True,
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        result = SimpleNamespace(code=done.returncode, stdout=done.stdout, stderr=done.stderr)
    else:
        result, out, err = SimpleNamespace(code=0), io.StringIO(), io.StringIO()
        with (
            mock.patch("sys.argv", words[1:]),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                run_main(script.main)
            except SystemExit as leaving:
                result.code = leaving.code
        result.stdout, result.stderr = out.getvalue(), err.getvalue()
    assert result.code == code, result.stdout + result.stderr
    return result


def random_points(rng: np.random.Generator) -> list[Point]:
    return [
        Point(level, intra, int(rng.integers(SIZE[1])), int(rng.integers(SIZE[0])))
        for level in (1, 2, 3)
        for intra in (1, 2)
    ]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Three validation and two test frames with orderings (one more has none), predictions of every
    row."""
    layout, rng = Layout(tmp_path / "data", tmp_path / "runs"), np.random.default_rng(0)
    frames = {"validation": ["a_1", "a_2", "sub/b_1"], "test": ["c_1", "c_2"]}
    manifest = {}
    for split, names in frames.items():
        write_text(layout.frame_list(split), "\n".join([*names, f"unordered_{split}_1"]) + "\n")
        for name in names:
            write_ordering(layout.ordering(name), random_points(rng))
            manifest[name] = {
                "page": name[:-2],
                "box": [5, 6, 5 + SIZE[1], 6 + SIZE[0]],
                "split": split,
            }
            for run in RUNS:
                write_depth(layout.predictions(run) / f"{name}.png", rng.normal(size=SIZE))
    write_json(layout.manifest, manifest)
    return layout


def roots(layout: Layout) -> tuple:
    return "--data-root", layout.data_root, "--runs-root", layout.runs_root


def test_the_whole_table(layout, tmp_path):
    done = evaluation("all", *roots(layout), "--json", tmp_path / "scores.json", process=True)
    for run in RUNS:
        assert f"| {run} | validation |" in done.stdout and f"| {run} | test |" in done.stdout
    assert f"figure: {layout.results / 'figure.png'}" in done.stdout
    assert Image.open(layout.results / "figure.png").size[0] > 500
    assert (layout.results / "table.md").read_text() in done.stdout
    assert (
        r"depth\_estimator\_add\_text\_ignoretext & test"
        in (layout.results / "table.tex").read_text()
    )
    rows = json.loads((tmp_path / "scores.json").read_text())["rows"]
    assert set(rows) == set(RUNS)
    inter = rows["natural2comics_simple"]["validation"]["inter_objects"]
    assert set(inter) >= {"mean", "ci_low", "ci_high", "pooled", "pairs", "ties", "frames"}
    assert inter["frames"] == 3
    assert inter["pairs"] == 3 * 12
    assert rows[RUNS[0]]["test"]["intra_object"]["pairs"] == 6
    with (layout.results / "table.csv").open() as file:
        line = next(
            line
            for line in csv.DictReader(file)
            if (line["row"], line["split"]) == (RUNS[0], "validation")
        )
    assert float(line["inter_objects_mean"]) == inter["mean"]
    assert float(line["inter_objects_compared_p"]) == inter["compared"]["p"]
    with (layout.results / "per_image.csv").open() as file:
        images = list(csv.DictReader(file))
    assert len(images) == len(RUNS) * 5
    right = [
        int(image["inter_objects_right"])
        for image in images
        if image["row"] == RUNS[0] and image["split"] == "validation"
    ]
    assert np.mean(right) / 12 == pytest.approx(inter["mean"])


def test_one_run_its_alias_and_one_split(layout, tmp_path):
    done = evaluation(
        "depth_estimator add_text_ignoreloss --split test --json",
        tmp_path / "scores.json",
        *roots(layout),
    )
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["run"] == "depth_estimator_add_text_ignoretext" and list(scores["splits"]) == [
        "test"
    ]
    assert scores["inter_objects"] == scores["splits"]["test"]["inter_objects"]
    assert scores["inter_objects"]["frames"] == 2
    assert "validation" not in done.stdout.split("Share of")[0]
    assert not layout.results.exists()


def test_without_orderings_of_training_frames_the_table_lacks_their_row_only(layout):
    shutil.rmtree(layout.predictions("depth_estimator_orderings"))
    told = evaluation("all", *roots(layout)).stdout
    assert all((f"| {run} |" in told) == (run != "depth_estimator_orderings") for run in RUNS)
    shutil.rmtree(layout.predictions("depth_estimator_printed"))
    assert (
        "depth_estimator_printed: no prediction" in evaluation("all", *roots(layout), code=2).stderr
    )


def test_dry_run_needs_and_writes_nothing(tmp_path):
    empty = Layout(tmp_path / "data", tmp_path / "runs")
    done = evaluation("all", *roots(empty), "--dry-run")
    assert all((run in done.stdout) == (run != "depth_estimator_orderings") for run in RUNS)
    assert str(empty.results) in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_missing_prediction_names_the_frames_and_the_command(layout):
    (layout.predictions("depth_estimator_simple") / "a_2.png").unlink()
    done = evaluation("depth_estimator", "simple", *roots(layout), code=2, process=True)
    assert "1 of 5 frames (a_2)" in done.stderr and "Traceback" not in done.stderr
    assert (
        "python depth_estimator.py simple --train --generate_depth_images --data-root"
        f" {layout.data_root}" in done.stderr
    )
    tagged = evaluation("natural2comics", "simple", *roots(layout), "--tag", "s1", code=2)
    assert "5 of 5 frames (a_1, a_2, c_1, c_2, sub/b_1)" in tagged.stderr
    assert "--tag s1" in tagged.stderr


def test_the_table_lists_what_is_missing_or_leaves_it_out(layout):
    (layout.predictions("depth_estimator_simple") / "a_2.png").unlink()
    layout.predictions("natural2comics_simple").rename(
        layout.predictions("natural2comics_simple-other")
    )
    done = evaluation("all", *roots(layout), code=2)
    for command in ("depth_estimator.py simple", "cyclegan_natural2comics.py simple"):
        assert f"python {command} --train --generate_depth_images" in done.stderr
    assert not layout.results.exists()
    done = evaluation("all", *roots(layout), "--allow-missing")
    assert "left out: depth_estimator_simple" in done.stdout
    assert "| depth_estimator_simple |" not in done.stdout
    assert "| depth_estimator_add_text | test |" in done.stdout


def test_a_prediction_of_another_size_and_a_point_outside_are_errors(layout):
    path = layout.predictions("depth_estimator_simple") / "a_2.png"
    write_depth(path, np.zeros((7, 9)))
    assert (
        f"{path}: expected 30x20"
        in evaluation("depth_estimator", "simple", *roots(layout), code=2).stderr
    )
    layout.manifest.unlink()
    assert "a_2" in evaluation("depth_estimator", "simple", *roots(layout), code=2).stderr


def test_names_of_2020_are_found_and_never_serve_two_frames(layout):
    before = evaluation("depth_estimator", "simple", *roots(layout)).stdout
    for folder, suffix in (
        (layout.orderings, ".txt"),
        (layout.predictions("depth_estimator_simple"), ".png"),
    ):
        (folder / f"c_1{suffix}").rename(folder / f"c1{suffix}")
    assert evaluation("depth_estimator", "simple", *roots(layout)).stdout == before
    write_text(layout.frame_list("test"), "d_11\nd1_1\n")
    (layout.orderings / "c1.txt").rename(layout.orderings / "d11.txt")
    done = evaluation("depth_estimator", "simple", *roots(layout), code=2)
    assert "d_11" in done.stderr and "d1_1" in done.stderr


def test_the_original_protocol_scores_validation_and_loses_an_unfinished_last_line(
    layout, tmp_path
):
    def frames() -> tuple:
        evaluation(
            "natural2comics simple --protocol original --json",
            tmp_path / "s.json",
            *roots(layout),
        )
        scores = json.loads((tmp_path / "s.json").read_text())
        return scores["splits"].keys(), scores["inter_objects"]["pairs"]

    assert frames() == ({"validation"}, 36)
    write_text(layout.frame_list("validation"), "a_1\na_2\nsub/b_1")
    assert frames() == ({"validation"}, 24)


def test_a_2020_name_that_means_several_frames_is_nobodys(tmp_path):
    meant = names_of(["d_11", "d1_1", "e_2", "x_1", "x__1"])
    for name in ("d11", "e2", "x_1"):
        (tmp_path / f"{name}.txt").touch()
    assert find_named(tmp_path, "e_2", (".npy", ".txt"), meant) == tmp_path / "e2.txt"
    assert find_named(tmp_path, "x_1", (".txt",), meant)
    assert find_named(tmp_path, "x__1", (".txt",), meant) is None
    with pytest.raises(UserError, match=r"d11\.txt could belong to any of d1_1, d_11"):
        find_named(tmp_path, "d_11", (".txt",), meant)


def test_a_tag_without_a_baseline_of_its_own_is_compared_to_the_untagged_one(layout):
    layout.predictions("natural2comics_simple").rename(
        layout.predictions("natural2comics_simple-s1")
    )
    done = evaluation("natural2comics", "simple", *roots(layout), "--tag", "s1")
    assert "| natural2comics_simple-s1 | test |" in done.stdout and "p = " in done.stdout
    assert "the ratio to baseline_batchnorm_trick of inter-objects" in done.stdout
    assert "Not compared" not in done.stdout
    assert (
        "baseline_batchnorm_trick-s1: no prediction"
        in evaluation("baseline", "batchnorm_trick", *roots(layout), "--tag", "s1", code=2).stderr
    )


def test_the_original_protocol_is_named_in_every_file(layout):
    evaluation("all", *roots(layout), "--protocol", "original")
    for name in ("table.csv", "per_image.csv"):
        with (layout.results / name).open() as file:
            assert {line["protocol"] for line in csv.DictReader(file)} == {"original"}
    for name in ("table.md", "table.tex"):
        assert "Protocol: original" in (layout.results / name).read_text()
    counts = np.full((2, 4, 3), 2)
    rows = [Row("baseline_chance", "test", summarise(counts), counts, ["a_1", "a_2"])]
    assert "original" in figure(rows, "original").get_suptitle()
    assert not figure(rows, "corrected").get_suptitle()


def test_floats_of_an_earlier_prediction_do_not_outlive_it(tmp_path):
    path, first, second = tmp_path / "v1.5_1.png", np.eye(3), 1 - np.eye(3)
    write_depth(path, first, floats=True)
    assert np.array_equal(read_depth(tmp_path / "v1.5_1.npy"), first)
    write_depth(path, second)
    assert [file.name for file in tmp_path.iterdir()] == ["v1.5_1.png"] and np.allclose(
        read_depth(path), second
    )


@pytest.mark.parametrize(
    "words", [("depth_estimator", "nonsense"), ("baseline",), ("predictions",), ("all", "simple")]
)
def test_wrong_words_say_what_is_expected(words):
    assert "needs" in evaluation(*words, code=2).stderr


def test_eight_bit_sixteen_bit_and_floats_score_the_same(tmp_path):
    rng = np.random.default_rng(5)
    for name in ("x_1", "x_2"):
        write_ordering(tmp_path / "orderings" / f"{name}.txt", random_points(rng))
        grey = rng.integers(0, 255, SIZE).astype(np.uint8)
        for kind in ("8", "16", "npy"):
            (tmp_path / kind).mkdir(exist_ok=True)
        Image.fromarray(grey).save(tmp_path / "8" / f"{name}.png")
        Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "16" / f"{name}.png")
        np.save(tmp_path / "npy" / f"{name}.npy", grey.astype(np.float32) / 255 - 3)
    results = []
    for kind in ("8", "16", "npy"):
        evaluation(
            "predictions",
            tmp_path / kind,
            "--orderings",
            tmp_path / "orderings",
            "--data-root",
            tmp_path,
            "--json",
            tmp_path / "s.json",
        )
        results.append({**json.loads((tmp_path / "s.json").read_text()), "run": None})
    assert results[0] == results[1] == results[2]
    assert (
        results[0]["inter_objects"]["pairs"] == 24 and 0 < results[0]["inter_objects"]["mean"] < 1
    )


def real_sizes() -> dict[str, tuple[int, int]]:
    """Frame -> (height, width) of the 60 real frames with orderings."""
    sizes = {}
    for path in sorted((REAL / "depth_orderings").glob("*.txt")):
        page, _, number = path.stem.rpartition("_")
        lines = (REAL / "dcm_dataset.git" / "groundtruth" / f"{page}.txt").read_text().splitlines()
        boxes = [
            [int(word) for word in line.split()[1:]] for line in lines if line.split()[:1] == ["8"]
        ]
        x1, y1, x2, y2 = boxes[int(number) - 1]
        sizes[path.stem] = y2 - y1, x2 - x1
    return sizes


@needs_real
def test_the_published_figures_of_lower_is_nearer(tmp_path):
    sizes = real_sizes()
    for name, size in sizes.items():
        write_depth(tmp_path / "maps" / f"{name}.png", lower_is_nearer(*size))
    for split, episodes in (("validation", ("ep13", "ep14", "ep15")), ("test", ("ep16", "ep17"))):
        names = "".join(f"{name}\n" for name in sizes if name.startswith(episodes))
        write_text(Layout(tmp_path, tmp_path).frame_list(split), names)
    evaluation(
        "predictions",
        tmp_path / "maps",
        "--orderings",
        REAL / "depth_orderings",
        "--data-root",
        tmp_path,
        "--json",
        tmp_path / "s.json",
    )
    scores = json.loads((tmp_path / "s.json").read_text())
    inter, intra = scores["inter_objects"], scores["intra_object"]
    assert (inter["pairs"], intra["pairs"], scores["against_height"]["pairs"]) == (1345, 61, 303)
    assert (inter["frames"], intra["frames"], len(sizes)) == (60, 34, 60)
    assert round(inter["mean"], 3) == 0.753 and round(intra["mean"], 3) == 0.805
    assert [inter["ci_low"], inter["ci_high"]] == pytest.approx([0.702, 0.803], abs=0.01)
    assert [intra["ci_low"], intra["ci_high"]] == pytest.approx([0.676, 0.916], abs=0.01)
    for split, mean, without_background, pairs in (
        ("validation", 0.742, 0.661, 748),
        ("test", 0.766, 0.680, 597),
    ):
        own = scores["splits"][split]
        assert round(own["inter_objects"]["mean"], 3) == mean
        assert own["inter_objects"]["pairs"] == pairs
        assert round(own["without_background"]["mean"], 3) == without_background
        assert own["against_height"]["mean"] == 0


@needs_real
def test_the_published_figures_of_centre_is_nearer_and_chance():
    rng, sizes = np.random.default_rng(0), real_sizes()
    orderings = {name: read_ordering(REAL / "depth_orderings" / f"{name}.txt") for name in sizes}
    rules = {"centre": centre_is_nearer, "chance": lambda height, width: chance(height, width, rng)}
    summaries = {
        rule: summarise(
            np.array([count_pairs(depth(*sizes[name]), orderings[name], name) for name in sizes])
        )
        for rule, depth in rules.items()
    }
    assert round(summaries["centre"]["inter_objects"]["mean"], 3) == 0.605
    assert round(summaries["centre"]["intra_object"]["mean"], 3) == 0.637
    assert summaries["chance"]["inter_objects"]["mean"] == pytest.approx(0.5, abs=0.07)
