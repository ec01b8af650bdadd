"""Every stage by its own command line, in running order, on a world of four pages and six
photographs."""

import contextlib
import io
import itertools
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState
from PIL import Image

from comics_depth import running
from comics_depth.data.datasets import WithPhotographs
from comics_depth.data.depth_files import read_depth
from comics_depth.data.prepared import comics_frames
from comics_depth.data.tensors import as_floats
from comics_depth.evaluation.rules import REFERENCES
from comics_depth.evaluation.sets import ROWS
from comics_depth.images import read_image, write_image
from comics_depth.paths import SPLITS, Layout, read_names, run_name
from comics_depth.stages import Stage
from comics_depth.synthetic.world import write_world
from comics_depth.training.run import read_metrics
from common.files import file_hash, read_json, write_json
from models.checkpoints import SHIPPED, write_shipped
from models.depth_model import depth_model

torch.set_num_threads(1)
ROOT = Path(__file__).parents[2]
PREPARE, TEXT, DEPTH = "datasets_preparation.py", "comics2textareas.py", "depth_estimator.py"
TRANSLATE, BASELINE, EVALUATE = "cyclegan_natural2comics.py", "baseline.py", "evaluation.py"
TRAIN, GENERATE = "--train", "--generate_depth_images"
SMALL = ["--image-size", "32", "--batch-size", "2", "--epochs", "1"]
ORDER = ["--rates", "1e-4", "1e-3", "--image-size", "64", "--batch-size", "2", "--epochs", "2"]
BOTH = ["orderings", TRAIN, "--lr", "1e-3", "--translated", "0.7", *ORDER[3:]]
GAN = [*SMALL, "--features", "2", "--blocks", "1"]
RUNS = [run_name(approach, variant) for approach, (_, rows) in ROWS.items() for variant in rows]
# name -> the command; `fails` commands come before the stage that they lack, and the text names
# that stage
STAGES = {
    "crop": (PREPARE, "--crop_frames", "--generate_text_masks", "--workers", "1"),
    "depth": (PREPARE, "--coco17_depth"),
    "text": (TEXT, TRAIN, *SMALL, "--features", "2"),
    "epoch": (TEXT, "--select_epoch", "--image-size", "32"),
    "threshold": (TEXT, "--optimize_threshold", "--image-size", "32"),
    "pictures": (TEXT, "--visualize_ebdtheque_val", "--visualize_dcm", "--image-size", "32"),
    "crops": (TEXT, "--generate_dcm_without_text_areas", "--image-size", "32", "--text-limit", "1"),
    "accept": (TEXT, "--accept_all"),
    "simple": (TRANSLATE, "simple", TRAIN, GENERATE, *GAN),
    "aware": (TRANSLATE, "depth_aware", TRAIN, GENERATE, *GAN),
    "without": (TRANSLATE, "without_text", TRAIN, *GAN),
    "adder": (TRANSLATE, "add_text", TRAIN, *GAN),
    "sweep": (DEPTH, "simple", "--optimize_lr", "--rates", "1e-5", "1e-3", *SMALL),
    "fit": (DEPTH, "simple", TRAIN, *SMALL),
    "predict": (DEPTH, "simple", GENERATE, "--floats"),
    "fit text": (DEPTH, "add_text", "--optimize_lr", TRAIN, GENERATE, "--rates", "1e-4", *SMALL),
    "fit around text": (DEPTH, "add_text_ignoretext", TRAIN, GENERATE, *SMALL),
    "fit printed": (DEPTH, "printed", "--optimize_lr", TRAIN, GENERATE, "--rates", "1e-4", *SMALL),
    "fit orderings": (DEPTH, "orderings", "--optimize_lr", TRAIN, GENERATE, *ORDER),
    "as it is": (BASELINE, "no_batchnorm_trick", GENERATE),
    "batchnorm": (BASELINE, "batchnorm_trick", TRAIN, GENERATE),
    **{rule: (BASELINE, rule, GENERATE) for rule in REFERENCES},
    "table": (EVALUATE, "all"),
}
# stage -> commands that need it, tried just before it runs, and the command that their message must
# name
TOO_EARLY = {
    "crop": [
        ((TEXT, TRAIN), "datasets_preparation.py --generate_text_masks"),
        ((TRANSLATE, "simple", TRAIN), "datasets_preparation.py --crop_frames"),
        ((BASELINE, "lower_is_nearer", GENERATE), "datasets_preparation.py --crop_frames"),
        ((EVALUATE, "all"), "datasets_preparation.py --crop_frames"),
    ],
    "text": [
        ((TEXT, "--select_epoch"), "comics2textareas.py --train"),
        ((TEXT, "--visualize_dcm"), "comics2textareas.py --train"),
        ((TEXT, "--check_by_hand"), "comics2textareas.py --generate_dcm_without_text_areas"),
    ],
    "epoch": [((TEXT, "--optimize_threshold"), "comics2textareas.py --select_epoch")],
    "threshold": [
        ((TEXT, "--visualize_ebdtheque_val"), "comics2textareas.py --optimize_threshold"),
        ((TEXT, "--generate_dcm_without_text_areas"), "comics2textareas.py --optimize_threshold"),
    ],
    "crops": [((TEXT, "--accept_all"), "comics2textareas.py --generate_dcm_without_text_areas")],
    "accept": [((TRANSLATE, "without_text", TRAIN, *GAN), "comics2textareas.py --check_by_hand")],
    "simple": [
        ((TRANSLATE, "simple", GENERATE), "cyclegan_natural2comics.py simple --train"),
        ((TRANSLATE, "simple", "--translate", "."), "cyclegan_natural2comics.py simple --train"),
        ((DEPTH, "simple", TRAIN, "--lr", "1e-3"), "cyclegan_natural2comics.py simple --train"),
        ((DEPTH, *BOTH), "cyclegan_natural2comics.py simple --train"),
    ],
    "without": [
        ((TRANSLATE, "add_text", TRAIN), "cyclegan_natural2comics.py without_text --train"),
        ((DEPTH, "add_text", "--optimize_lr"), "cyclegan_natural2comics.py without_text --train"),
    ],
    "adder": [
        ((DEPTH, "add_text", "--optimize_lr"), "cyclegan_natural2comics.py add_text --train")
    ],
    "sweep": [((DEPTH, "simple", TRAIN), "depth_estimator.py simple --optimize_lr")],
    "fit": [((DEPTH, "simple", GENERATE), "depth_estimator.py simple --train")],
    "fit text": [
        ((DEPTH, "add_text_ignoretext", TRAIN), "depth_estimator.py add_text --optimize_lr")
    ],
    "batchnorm": [
        ((BASELINE, "batchnorm_trick", GENERATE), "baseline.py batchnorm_trick --train"),
        (
            (EVALUATE, "baseline", "batchnorm_trick"),
            "baseline.py batchnorm_trick --train --generate",
        ),
    ],
}


def call(layout, script, *options, preset="demo", code=0):
    """Runs a script in this process, since imports are most of the time; returns what it said.
    `code`: exit code."""
    line = [
        script,
        "--preset",
        preset,
        "--data-root",
        str(layout.data_root),
        "--runs-root",
        str(layout.runs_root),
    ]
    said, before = io.StringIO(), sys.argv
    # accelerate takes one precision a process, and stages may differ in it
    AcceleratorState._reset_state()
    try:
        sys.argv = [*line, *map(str, options)]
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            runpy.run_path(str(ROOT / script), run_name="__main__")
        left = 0
    except SystemExit as exit_:
        left = exit_.code or 0
    finally:
        sys.argv = before
    assert left == code, f"{' '.join(sys.argv)}\n{said.getvalue()}"
    return said.getvalue()


def process(layout, script, *options, cwd=None, preset="demo"):
    """Runs a script as a user does; returns what it said."""
    done = subprocess.run(
        [
            sys.executable,
            ROOT / script,
            "--preset",
            preset,
            "--data-root",
            layout.data_root,
            "--runs-root",
            layout.runs_root,
            *options,
        ],
        capture_output=True,
        text=True,
        cwd=cwd or ROOT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def listing(layout):
    """Every file with its content's time, to tell whether something was written."""
    root = layout.data_root.parent
    return {
        path.relative_to(root).as_posix(): path.stat().st_mtime_ns
        for path in root.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module", autouse=True)
def shipped(tmp_path_factory):
    """The depth network in the repository, at a third of its resolution."""
    path, model = (
        tmp_path_factory.mktemp("weights") / "default.safetensors",
        depth_model("default", resolution=64),
    )
    write_shipped(path, model, model.architecture, "depth")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SHIPPED, "default", path)
        yield path


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    root = tmp_path_factory.mktemp("empty")
    return Layout(root / "data", root / "runs")


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    root = tmp_path_factory.mktemp("raw")
    layout = Layout(root / "data", root / "runs")
    write_world(layout, pages=4, photographs=6, workers=1)
    return layout


@pytest.fixture(scope="module")
def world(raw, tmp_path_factory):
    """(layout after every stage, what each stage said, what each command said that came too
    early)."""
    root = tmp_path_factory.mktemp("world")
    layout = Layout(root / "data", root / "runs")
    shutil.copytree(raw.data_root, layout.data_root)
    said, refused = {}, {}
    for stage, command in STAGES.items():
        for early, _ in TOO_EARLY.get(stage, []):
            refused[stage, early] = call(layout, *early, code=2)
        said[stage] = call(layout, *command)
    return layout, said, refused


def evaluated(layout):
    return [
        name
        for split in ("validation", "test")
        for name in read_names(layout.frame_list(split), "")
    ]


# Stages
EARLY = [(stage, *pair) for stage, pairs in TOO_EARLY.items() for pair in pairs]


@pytest.mark.parametrize(
    ("stage", "early", "due"), EARLY, ids=[f"{stage}: {early[0]}" for stage, early, _ in EARLY]
)
def test_a_command_that_comes_too_early_names_the_one_that_is_due(world, stage, early, due):
    said = world[2][stage, early]
    assert (
        f"python {due}" in said
        and f" --preset demo --data-root {world[0].data_root} --runs-root" in said
    ), said
    assert "Traceback" not in said and said.strip().splitlines()[-1].startswith("error: ")


def test_frames_and_text_masks(world):
    layout = world[0]
    frames = {split: read_names(layout.frame_list(split), "") for split in SPLITS}
    assert all(frames.values())
    for name in (name for names in frames.values() for name in names):
        x1, y1, x2, y2 = read_json(layout.manifest)[name]["box"]
        assert read_image(layout.frame(name)).shape == (y2 - y1, x2 - x1, 3)
    for split in ("train", "validation"):
        assert read_names(layout.text_list(split), "")


def test_teacher_depth_of_every_photograph(world, shipped):
    layout = world[0]
    lists = [read_names(layout.photograph_list(split), "") for split in ("train", "validation")]
    assert [len(names) for names in lists] == [5, 1]
    for name in lists[0] + lists[1]:
        depth = read_depth(layout.photograph_depth_map(name))
        assert depth.shape == read_image(layout.photograph(name)).shape[:2] and depth.std() > 0
    assert read_json(layout.photograph_teacher)["sha256"] == file_hash(shipped)


def test_text_areas_are_chosen_stored_and_shown(world):
    layout, said, _ = world
    run = layout.run("comics2textareas_unet")
    (record,) = read_metrics(run)
    assert 0 <= record["iou"] <= 1
    choice = read_json(run / "choice.json")
    assert (
        choice["epoch"] == 1
        and choice["network"] == file_hash(run / "best.pt")
        and 0 <= choice["threshold"] <= 1
    )
    assert choice["iou"] >= choice["iou_at_half"] == record["iou"]
    for picture in ("epochs.png", "thresholds.png", "text_free_crops.jpg"):
        assert read_image(run / picture).ndim == 3
    validation, frames = (
        read_names(layout.text_list("validation"), ""),
        read_names(layout.frame_list("validation"), ""),
    )
    shown = sorted((run / "validation").glob("*.jpg"))
    assert len(shown) == len(validation) == choice["frames"] and shown[0].name.startswith("0000_")
    assert {path.stem for path in (run / "dcm").glob("*.jpg")} == set(frames)
    height, width = read_image(layout.frame(frames[0])).shape[:2]
    assert read_image(run / "dcm" / f"{frames[0]}.jpg").shape == (height + 18, 3 * width, 3)
    assert f"epoch 1 of 1: validation IoU {record['iou']:.3f}" in said["epoch"]


def test_text_maps_are_soft_and_of_every_frame(world):
    layout = world[0]
    choice = read_json(layout.run("comics2textareas_unet") / "choice.json")
    assert read_json(layout.text_choice) == choice | {"manifest": file_hash(layout.manifest)}
    for split in SPLITS:
        for name in read_names(layout.frame_list(split), ""):
            with Image.open(layout.text_map(name)) as soft:
                assert soft.mode == "L" and soft.size == read_image(layout.frame(name)).shape[1::-1]
                assert len(np.unique(soft)) > 2


def test_text_free_crops_are_cut_from_training_frames(world):
    layout, said, _ = world
    crops, train = read_json(layout.crop_manifest), read_names(layout.frame_list("train"), "")
    assert set(crops) == set(train)
    for name, crop in crops.items():
        x1, y1, x2, y2 = crop["box"]
        soft, frame = read_image(layout.text_map(name))[..., 0], read_image(layout.frame(name))
        assert crop["text"] == pytest.approx(soft[y1:y2, x1:x2].max() / 255)
        kept = read_image(layout.no_text / f"{name}.jpg")
        assert (
            kept.shape == (y2 - y1, x2 - x1, 3) and y2 - y1 == x2 - x1 == 64
        )  # 32 at the network's scale of a half
        assert np.abs(kept.astype(int) - frame[y1:y2, x1:x2]).mean() < 6
        assert np.array_equal(read_image(layout.no_text_checked / f"{name}.jpg"), kept)
    assert read_json(layout.checked_manifest)["who"] == "--accept_all"
    assert f"{len(train)} text-free crops of {len(train)} training frames (100%)" in said["crops"]
    assert "--check_by_hand" in said["crops"]


def test_the_tuned_threshold_is_the_one_that_text_is_pasted_with(world, tmp_path):
    layout = Layout(tmp_path, tmp_path)
    source = world[0]
    name = read_names(source.frame_list("train"), "")[0]
    for path in ("cropped", "text_choice"):
        (getattr(layout, path) if path == "cropped" else layout.text_choice.parent).mkdir(
            parents=True, exist_ok=True
        )
    layout.frame_list("train").write_text(name)
    layout.frames.mkdir()
    shutil.copy(source.frame(name), layout.frame(name))
    soft = np.zeros(read_image(source.frame(name)).shape[:2], np.uint8)
    soft[:, ::2], soft[::2] = 100, 200
    write_image(layout.text_map(name), soft)
    for threshold in (0.2, 0.6, 0.9):
        layout.text_choice.write_text(f'{{"threshold": {threshold}}}')
        sample = comics_frames(layout, "train", with_text_maps=True)[0]
        mask = as_floats(sample)["text_mask"][0].numpy()
        assert np.array_equal(mask, soft / 255 >= threshold)
    assert "text_mask" not in comics_frames(layout, "train", with_text_maps=False)[0]


def test_translations_are_trained_with_samples(world):
    layout = world[0]
    architectures = {}
    for variant, columns in {
        "simple": 6,
        "depth_aware": 6,
        "without_text": 6,
        "add_text": 5,
    }.items():
        run = layout.run(f"natural2comics_{variant}")
        assert [record["epoch"] for record in read_metrics(run)] == [1]
        shape = read_image(run / "samples/epoch_0001.jpg").shape
        assert shape == (4 * 32 + 18, columns * 32, 3)  # below the titles
        architectures[variant] = torch.load(run / "last.pt", weights_only=True)["architecture"]
    assert architectures["simple"] == architectures["without_text"]
    assert architectures["depth_aware"]["natural_discriminator"]["in_channels"] == 4
    assert architectures["add_text"]["add_text"]["in_channels"] == 7
    inputs = read_json(layout.run("natural2comics_add_text") / "config.json")["inputs"]
    assert inputs["translator"] == file_hash(layout.run("natural2comics_without_text") / "last.pt")
    assert inputs["dcm_cropped"] == file_hash(layout.manifest) and "network.json" in inputs


def test_the_sweep_chooses_the_rate_that_train_takes(world):
    layout, said, _ = world
    sweep = layout.run("depth_estimator_simple_lr")
    choice = read_json(sweep / "choice.json")
    losses = choice["val_loss"]
    assert set(losses) == {"1e-05", "0.001"} and choice["lr"] == float(min(losses, key=losses.get))
    assert (sweep / "learning_rates.png").exists() and not list(sweep.rglob("best.pt"))
    for rate, loss in losses.items():
        (record,) = read_metrics(sweep / rate)
        assert record["val_loss"] == loss and 0 <= record["val_ordinal"] <= 1
    options = read_json(layout.run("depth_estimator_simple") / "config.json")["options"]
    assert options["lr"] == choice["lr"] and "chosen by --optimize_lr of simple" in said["fit"]
    around = read_json(layout.run("depth_estimator_add_text_ignoretext") / "config.json")
    assert around["options"]["lr"] == 1e-4 and {
        "translator",
        "text_adder",
        "teacher",
        "network.json",
    } <= set(around["inputs"])


def test_orderings_of_training_frames_are_learnt_and_those_of_validation_choose(world):
    layout, said, _ = world
    run = layout.run("depth_estimator_orderings")
    records, config = read_metrics(run), read_json(run / "config.json")
    assert [set(r) >= {"depth/order", "depth/shape", "val_loss"} for r in records] == [True] * 2
    best = torch.load(run / "best.pt", weights_only=True)
    losses = [record["val_loss"] for record in records]
    assert best["epoch"] == 1 + int(np.argmin(losses)) and set(best["networks"]) == {
        "depth",
        "depth_learning",
    }
    assert all(r["val_loss"] == pytest.approx(1 - r["val_inter_objects"]) for r in records)
    used = {path.stem for path in layout.starting_depth.glob("*.png")}
    assert used == set(read_names(layout.frame_list("train"), ""))
    hashed = {
        f"{name}.txt" for split in SPLITS for name in read_names(layout.frame_list(split), "")
    }
    tested = {f"{name}.txt" for name in read_names(layout.frame_list("test"), "")}
    assert set(config["inputs"]) & hashed == hashed - tested
    assert config["options"]["print_style"] == 0.7 and config["options"]["regulariser"] == 0.5
    assert "chosen by --optimize_lr of orderings" in said["fit orderings"]


def test_orderings_beside_translated_photographs_resume_as_if_never_stopped(world, monkeypatch):
    layout = world[0]
    call(layout, DEPTH, *BOTH, "--tag", "whole")
    read = WithPhotographs.__getitem__
    drawn = []

    def stops(self, index):
        if self.datasets[0].epoch == 2:
            raise KeyboardInterrupt
        drawn.append("natural" in (sample := read(self, index)))
        return sample

    with monkeypatch.context() as patch:
        patch.setattr(WithPhotographs, "__getitem__", stops)
        call(layout, DEPTH, *BOTH, "--tag", "halved", code=130)
    assert set(drawn) == {True, False}
    assert "resuming after epoch 1 of 2" in call(layout, DEPTH, *BOTH, "--tag", "halved")
    runs = [layout.run(f"depth_estimator_orderings-{tag}") for tag in ("whole", "halved")]
    records = [[r | {"seconds": 0, "data_wait": 0} for r in read_metrics(run)] for run in runs]
    assert records[0] == records[1] and records[0][0]["depth/translated"] > 0
    weights = [torch.load(run / "last.pt", weights_only=True)["networks"] for run in runs]
    for name, states in weights[0].items():
        assert all(torch.equal(value, weights[1][name][key]) for key, value in states.items())
    inputs = read_json(runs[0] / "config.json")["inputs"]
    assert {"translator", "teacher", "coco_val2017_train.txt", "frames"} <= set(inputs)
    for run in runs:
        shutil.rmtree(run)
    told = call(layout, DEPTH, "simple", TRAIN, "--translated", "1", code=2)
    assert "--translated is for orderings" in told
    assert "expected 0 to 1, found 2" in call(layout, DEPTH, *BOTH, "--translated", "2", code=2)


def test_the_frames_of_a_split_that_the_model_is_least_sure_of_are_shown(world, monkeypatch):
    layout, shown = world[0], []
    command = (PREPARE, "--generate_evaluation", "--split", "train", "--most-uncertain", "2")
    monkeypatch.setattr(
        "comics_depth.annotating.ordering.OrderingServer.serve_until_interrupted",
        lambda server: shown.append(list(server.images)),
    )
    call(layout, *command, "--port", "0")
    measured = read_json(layout.uncertainty)["disagreement"]
    train = read_names(layout.frame_list("train"), "")
    assert set(measured) == set(train) and len(train) > 2
    assert shown == [sorted(train, key=lambda name: -measured[name])[:2]]
    layout.uncertainty.unlink()
    assert str(layout.uncertainty) in call(layout, *command, "--dry-run")
    none = (*command[1:4], "--most-uncertain", "0")
    assert "expected 1 to 1e+07, found 0" in call(layout, PREPARE, *none, code=2)
    other = ("--crop_frames", "--most-uncertain", "2")
    assert "belongs to --generate_evaluation" in call(layout, PREPARE, *other, code=2)


def test_printed_photographs_need_no_translation(world):
    inputs = read_json(world[0].run("depth_estimator_printed") / "config.json")["inputs"]
    assert "teacher" in inputs and not {"translator", "text_adder"} & set(inputs)


def test_every_run_predicts_every_validation_and_test_frame(world):
    layout = world[0]
    names, maps = evaluated(layout), {}
    assert sorted(path.name for path in layout.predictions("x").parent.iterdir()) == sorted(RUNS)
    for run in RUNS:
        folder = layout.predictions(run)
        assert {path.relative_to(folder).as_posix() for path in folder.glob("*.png")} == {
            f"{n}.png" for n in names
        }
        assert (
            len(list(folder.glob("previews/*.jpg"))) == len(names)
            and (folder / "made_by.json").exists()
        )
        for name in names:
            with Image.open(folder / f"{name}.png") as image:
                assert image.mode == "I;16" and "inverse_depth" in image.info
                assert image.size == read_image(layout.frame(name)).shape[1::-1]
            depth = read_depth(folder / f"{name}.png")
            assert depth.std() > 0
            maps[run, name] = depth
    first = names[0]
    for one, other in itertools.pairwise(RUNS):
        assert not np.array_equal(maps[one, first], maps[other, first])
    rows = maps["baseline_lower_is_nearer", first]
    assert (np.diff(rows, axis=0) > 0).all() and (np.diff(rows, axis=1) == 0).all()
    floats = layout.predictions("depth_estimator_simple")
    assert {path.stem for path in floats.glob("*.npy")} == set(names)
    exact, stored = read_depth(floats / f"{first}.npy"), maps["depth_estimator_simple", first]
    assert np.abs(exact - stored).max() < 1e-4 * np.ptp(exact)


def test_the_table_has_every_row(world):
    layout = world[0]
    table = (layout.results / "table.md").read_text()
    for run in RUNS:
        assert len(re.findall(rf"\b{run}\b", table)) >= 2  # validation and test
    assert (layout.results / "figure.png").exists()


@pytest.mark.parametrize("direction", ["comics", "natural"])
def test_folders_are_translated_both_ways(world, tmp_path, direction):
    layout = world[0]
    for name, size in {"a.png": (50, 70, 3), "below/b.jpg": (90, 40, 3)}.items():
        write_image(
            tmp_path / "in" / name, np.random.default_rng(0).integers(0, 255, size, np.uint8)
        )
    command = (
        TRANSLATE,
        "simple",
        "--translate",
        tmp_path / "in",
        "--to",
        direction,
        "-o",
        tmp_path / "out",
        "--image-size",
    )
    assert "2 pairs, original and translation" in call(layout, *command, 32)
    sizes = {
        path.relative_to(tmp_path / "out").as_posix(): read_image(path).shape
        for path in tmp_path.rglob("out/**/*.jpg")
    }
    assert sizes == {"a.jpg": (32, 2 * 44, 3), "below/b.jpg": (72, 2 * 32, 3)}
    shutil.copy(tmp_path / "in/below/b.jpg", tmp_path / "in/a.jpg")
    assert "the name 'a' is taken" in call(layout, *command, 32, code=2)
    assert call(layout, TRANSLATE, "add_text", "--translate", tmp_path, code=2)
    assert "makes comics only" in call(
        layout, TRANSLATE, "without_text", "--translate", tmp_path, "--to", "natural", code=2
    )


# Baseline
def test_batchnorm_statistics_come_from_training_frames_alone(world, tmp_path):
    source, layout = world[0], Layout(tmp_path / "data", tmp_path / "runs")
    names = read_names(source.frame_list("train"), "")
    layout.frames.mkdir(parents=True)
    shutil.copy(source.frame_list("train"), layout.frame_list("train"))
    for name in names:
        shutil.copy(source.frame(name), layout.frame(name))
    said = call(
        layout, BASELINE, "batchnorm_trick", TRAIN, "--momentum", "0.1"
    )  # no list and no frame of other splits
    share = 1 - 0.9 ** len(names)
    assert f"{len(names)} frames, {share:.1%} of the statistics replaced" in said
    run = layout.run("baseline_batchnorm_trick")
    assert read_json(run / "statistics.json") == {
        "frames": len(names),
        "share_replaced": pytest.approx(share),
    }
    states = [depth_model(name).state_dict() for name in (str(run / "last.pt"), "default")]
    for key, value in states[0].items():
        moved = key.endswith(("running_mean", "running_var", "num_batches_tracked"))
        assert torch.equal(value, states[1][key]) != moved, key
    cumulative = read_json(source.run("baseline_batchnorm_trick") / "statistics.json")
    assert cumulative == {"frames": len(names), "share_replaced": 1.0}
    assert "nothing to do" in call(layout, BASELINE, "batchnorm_trick", TRAIN, "--momentum", "0.1")
    assert "momentum: 0.1 there, 0.5 now" in call(
        layout, BASELINE, "batchnorm_trick", TRAIN, "--momentum", "0.5", code=2
    )
    layout.frame(names[0]).unlink()
    assert "no such image" in call(
        layout, BASELINE, "batchnorm_trick", TRAIN, "--momentum", "0.1", "--restart", code=2
    )


# Again
FINISHED = {
    stage: command
    for stage, command in STAGES.items()
    if {TRAIN, GENERATE, "--optimize_lr"} & set(command)
}


@pytest.mark.parametrize("stage", FINISHED)
def test_a_finished_stage_does_nothing_and_says_so(world, stage):
    before = listing(world[0])
    said = call(world[0], *STAGES[stage])
    assert "nothing to do" in said
    drawn_again = (
        {"choice.json", "learning_rates.png", "last.pt"}
        if "--optimize_lr" in STAGES[stage]
        else set()
    )
    after = listing(world[0])
    assert before.keys() == after.keys()
    changed = {Path(path).name for path in before if before[path] != after[path]}
    assert changed <= {"config.json", ".lock"} | drawn_again, changed


def test_stages_made_again_give_the_same_files(world):
    layout = world[0]
    kept = [
        *layout.photograph_depth.rglob("*.png"),
        *(layout.cropped / "text_areas").rglob("*.png"),
    ]
    before = {path: path.stat().st_mtime_ns for path in kept}
    crops = (layout.crop_manifest).read_bytes()
    for stage in ("crop", "depth", "epoch", "threshold", "crops", "accept"):
        call(layout, *STAGES[stage])
    assert before == {path: path.stat().st_mtime_ns for path in kept}
    assert crops == (layout.crop_manifest).read_bytes()


def test_other_options_are_refused_and_a_tag_keeps_both(world):
    layout = world[0]
    said = call(layout, TRANSLATE, "simple", TRAIN, *GAN, "--lr", "0.125", code=2)
    assert "0.125 now" in said and "--restart" in said and "--tag" in said
    call(layout, TRANSLATE, "simple", TRAIN, *GAN, "--lr", "0.125", "--seed", "3", "--tag", "other")
    runs = [layout.run(f"natural2comics_simple{tag}") for tag in ("", "-other")]
    assert [read_json(run / "config.json")["options"]["seed"] for run in runs] == [0, 3]
    shutil.rmtree(runs[1])


def test_commands_to_run_first_take_the_tag_only_where_they_know_it(world, tmp_path):
    for (script, *options), tagged in (
        ((TEXT, TRAIN), False),
        ((BASELINE, "chance", GENERATE), False),
        ((DEPTH, "simple", GENERATE), True),
        ((TRANSLATE, "simple", GENERATE), True),
        ((TEXT, "--select_epoch"), True),
    ):
        layout = world[0] if tagged else Layout(tmp_path, tmp_path)  # where nothing is yet
        said = (
            call(layout, script, *options, "--tag", "x y", code=2)
            .split("run first: python ")[1]
            .splitlines()[0]
        )
        assert ("--tag 'x y'" in said) == tagged, said
        first, *rest = shlex.split(said.split(" (or ")[0])
        call(layout, first, *rest, "--dry-run")
    shutil.rmtree(world[0].run("natural2comics_simple-x y"), ignore_errors=True)


def test_what_was_chosen_or_checked_for_something_else_does_not_count(world):
    layout = world[0]
    made, choice = read_json(layout.crop_manifest), layout.choice("depth_estimator_simple_lr")
    swept = read_json(choice)
    try:
        write_json(
            layout.crop_manifest,
            {name: crop | {"box": [0, 0, 9, 9]} for name, crop in made.items()},
        )
        said = call(layout, TRANSLATE, "without_text", TRAIN, *GAN, "--tag", "new", code=2)
        assert "was made anew; run again: python comics2textareas.py --check_by_hand" in said
        write_json(choice, swept | {"made_of": swept["made_of"] | {"translator": "0123"}})
        said = call(layout, DEPTH, "simple", TRAIN, code=2)
        assert "chosen with another translator; run python depth_estimator.py simple" in said
        write_json(choice, swept)
        said = call(layout, DEPTH, "simple", TRAIN, "--loss", "l1", code=2)
        assert "chosen with another loss" in said and "--optimize_lr" in said
    finally:
        write_json(layout.crop_manifest, made)
        write_json(choice, swept)


def test_marks_of_a_person_stay_when_the_same_crops_are_made_again(world):
    layout = world[0]
    write_json(layout.crop_marks, [next(iter(read_json(layout.crop_manifest)))])
    before = layout.crop_marks.read_bytes()
    call(layout, *STAGES["crops"])
    assert layout.crop_marks.read_bytes() == before
    call(layout, *STAGES["crops"], "--seed", "5")
    assert not layout.crop_marks.exists()
    call(layout, *STAGES["crops"])


def test_predictions_of_another_network_are_not_mixed(world, tmp_path):
    """Neither maps nor exact floats of an older network outlive it."""
    source, layout = world[0], Layout(tmp_path / "data", tmp_path / "runs")
    for path in ("frames", "run"):
        (getattr(layout, path) if path == "frames" else layout.runs_root).mkdir(parents=True)
    for split in ("validation", "test"):
        shutil.copy(source.frame_list(split), layout.frame_list(split))
    for name in evaluated(source):
        shutil.copy(source.frame(name), layout.frame(name))
    shutil.copy(source.manifest, layout.manifest)
    folder, name = layout.predictions("baseline_no_batchnorm_trick"), evaluated(source)[0]
    call(layout, BASELINE, "no_batchnorm_trick", GENERATE)
    assert not list(folder.rglob("*.npy"))
    assert "predictions written" in call(
        layout, BASELINE, "no_batchnorm_trick", GENERATE, "--floats"
    )
    before = [read_depth(folder / f"{name}.png"), read_depth(folder / f"{name}.npy")]
    assert np.abs(before[0] - before[1]).max() < 1e-3 * np.ptp(before[1])
    other = source.run("depth_estimator_simple") / "best.pt"
    call(layout, BASELINE, "no_batchnorm_trick", GENERATE, "--depth-model", other)
    assert not np.allclose(read_depth(folder / f"{name}.png"), before[0]) and not list(
        folder.rglob("*.npy")
    )
    layout.manifest.write_text(layout.manifest.read_text() + " ")  # other frames
    assert " 0 were there" in call(
        layout, BASELINE, "no_batchnorm_trick", GENERATE, "--depth-model", other
    )


def test_a_text_network_trained_again_needs_its_own_choice(world, tmp_path):
    source, layout = world[0], Layout(tmp_path / "data", tmp_path / "runs")
    shutil.copytree(source.text_frames, layout.text_frames)
    call(layout, *STAGES["text"])
    call(layout, *STAGES["epoch"])
    call(layout, *STAGES["threshold"])
    first = read_json(layout.run("comics2textareas_unet") / "choice.json")
    assert first == read_json(
        source.run("comics2textareas_unet") / "choice.json"
    )  # the same seed, bit by bit
    call(layout, *STAGES["text"], "--restart", "--seed", "1")
    for stale in (None, first):  # also where an old choice lies beside the new network
        if stale:
            write_json(layout.run("comics2textareas_unet") / "choice.json", stale)
        said = call(layout, TEXT, "--optimize_threshold", code=2)
        assert "python comics2textareas.py --select_epoch" in said
    call(layout, *STAGES["epoch"])
    second = read_json(layout.run("comics2textareas_unet") / "choice.json")
    assert second["network"] != first["network"] and "threshold" not in second


# Dry runs
@pytest.mark.parametrize("stage", STAGES)
def test_a_dry_run_writes_nothing(world, empty, stage):
    before = listing(world[0])
    for layout in (world[0], empty):
        said = call(layout, *STAGES[stage], "--dry-run")
        assert "would" in said
        costly = TRAIN in STAGES[stage] and stage not in ("batchnorm", "fit orderings")
        assert ("TFLOP a step" in said) == (costly and layout is world[0])
    assert listing(world[0]) == before
    assert not empty.data_root.exists() and not empty.runs_root.exists()


def test_a_command_without_an_action_says_what_there_is(empty):
    for command in (
        (PREPARE,),
        (TEXT,),
        (TRANSLATE, "simple"),
        (DEPTH, "simple"),
        (BASELINE, "chance"),
    ):
        assert "--" in call(empty, *command, code=2)
    for script in (TRANSLATE, DEPTH, BASELINE, EVALUATE):
        assert "invalid choice: 'simpel'" in call(empty, script, "simpel", TRAIN, code=2)
    assert "nothing to train" in call(empty, BASELINE, "chance", TRAIN, code=2)
    assert "no sweep of its own" in call(
        empty, DEPTH, "add_text_ignoretext", "--optimize_lr", code=2
    )
    assert not empty.data_root.exists() and not empty.runs_root.exists()


# All of it
@pytest.mark.parametrize(
    ("preset", "first", "last"),
    [
        ("demo", "--synthesize", "evaluation.py all"),
        ("open", "--crop_frames", "evaluation.py all"),
        ("paper", "--crop_frames", "evaluation.py all"),
    ],
)
def test_reproduce_lists_stages_that_exist(empty, preset, first, last):
    said = call(empty, "reproduce.py", "--dry-run", "--teacher", "some.pt", preset=preset)
    commands = re.findall(r"^\[(\d+)/(\d+)\] python (\S+) (.*)$", said, re.MULTILINE)
    assert [(number, of) for number, of, _, _ in commands] == [
        (str(n + 1), commands[0][1]) for n in range(len(commands))
    ]
    assert len(commands) == int(commands[0][1])
    assert first in commands[0][3] and last in " ".join(commands[-1][2:])
    for _, _, script, options in commands:
        assert "would" in call(empty, script, *options.split(), "--dry-run", preset=preset)
    assert not empty.data_root.exists() and not empty.runs_root.exists()


def test_paper_goes_on_after_the_crops_are_checked(tmp_path):
    layout = Layout(tmp_path / "data", tmp_path / "runs")
    layout.no_text_checked.mkdir(parents=True)
    (layout.checked_manifest).write_text("{}")
    said = call(layout, "reproduce.py", "--dry-run", preset="paper")
    assert said.rstrip().endswith("python evaluation.py all") and "accept_all" not in said
    stages = [command[:2] for command in STAGES.values()]
    for script, variant in stages:
        there = variant != "orderings"  # of training frames, which this data has none of
        if script in (TRANSLATE, DEPTH, BASELINE):
            assert (f"{script} {variant} --" in said) == there


def test_reproduce_runs_stages_once_from_any_folder(raw, tmp_path):
    layout = Layout(tmp_path / "data", tmp_path / "runs")
    shutil.copytree(raw.data_root, layout.data_root)
    options = ("reproduce.py", "--stop-after", "crop_frames")
    first = process(layout, *options, cwd=tmp_path, preset="paper")
    assert (
        "[1/19] python datasets_preparation.py --crop_frames" in first and "1 stages run" in first
    )
    assert layout.manifest.exists()
    before = listing(layout)
    second = process(layout, *options, cwd=tmp_path, preset="paper")
    assert "done in" in second and "0 stages run" not in second and "every stage" not in second
    assert "nothing to do: 1 of 19 stages are done" in second
    assert listing(layout) == before


def test_reproduce_repeats_what_its_files_no_longer_bear_out(tmp_path, monkeypatch):
    """A replaced teacher file starts over what was made from it; what was deleted is made again."""
    layout = Layout(tmp_path / "data", tmp_path / "runs")
    teacher = tmp_path / "teacher.pt"
    run = []

    def stage(command, **_):
        """Writes what reproduce.py watches, as the stages do."""
        script = Path(command[1]).name
        options = command[8:]
        run.append((options[0], "--restart" in options))
        if "--coco17_depth" in options:
            write_json(layout.photograph_teacher, file_hash(teacher))
        for approach in ("natural2comics", "depth_estimator"):
            if TRAIN in options and approach in script:
                folder = layout.run(f"{approach}_{options[0]}")
                folder.mkdir(parents=True, exist_ok=True)
                (folder / "last.pt").write_text(" ".join(options))
        return SimpleNamespace(poll=lambda: 0, returncode=0)

    def reproduced():
        run.clear()
        said = call(layout, "reproduce.py", "--teacher", teacher, preset="open")
        assert ("nothing to do" in said) == (not run)
        return dict(run)

    monkeypatch.setattr(running.subprocess, "Popen", stage)
    monkeypatch.setattr(running, "POLL", 0)
    teacher.write_text("one")
    assert len(reproduced()) > 10 and not any(restarted for _, restarted in run)
    assert not reproduced()
    teacher.write_text("another")
    learned = ("depth_aware", "simple", "add_text", "add_text_ignoretext", "printed")
    again = ("--coco17_depth", *learned)
    assert reproduced() == {**dict.fromkeys(again, True), "all": False} and len(run) == 7
    assert not reproduced()
    shutil.rmtree(layout.run("natural2comics_depth_aware"))
    assert reproduced() == {"depth_aware": False, "all": False}


def test_stages_at_the_same_time_wait_for_what_they_need(tmp_path, monkeypatch):
    started, ended, most = [], [], []

    class Script:
        def __init__(self, command, stdout=None, env=None, **_):
            self.name = f"{Path(command[1]).name} {' '.join(command[8:10])}"
            self.alone = stdout is None
            assert self.alone or env["OMP_NUM_THREADS"]
            self.left, self.returncode = 3, 0
            started.append((self.name, list(ended), self.alone))

        def poll(self):
            if not self.left:
                return 0
            most.append(len(started) - len(ended))
            self.left -= 1
            if self.left:
                return None
            ended.append(self.name)
            return 0

    monkeypatch.setattr(running.subprocess, "Popen", Script)
    monkeypatch.setattr(running, "POLL", 0)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    layout = Layout(tmp_path / "data", tmp_path / "runs")
    said = call(layout, "reproduce.py", "--jobs", "2", preset="demo")
    assert "19 stages run" in said and len(ended) == len(started) == 19
    assert max(most) == 2
    before = {name: ended for name, ended, _ in started}
    alone = [name for name, _, alone in started if alone]
    assert [name.split()[0] for name in alone] == [PREPARE] * 3 + [EVALUATE]
    assert len(before[alone[-1]]) == 18
    adding = f"{TRANSLATE} add_text --train"
    assert f"{TRANSLATE} without_text --train" in before[adding]
    fitting = f"{DEPTH} add_text --optimize_lr"
    assert adding in before[fitting]
    assert fitting in before[f"{DEPTH} add_text_ignoretext --train"]


def test_a_stage_waits_for_what_is_left_and_not_for_what_is_used():
    made, model = Path("made"), Path("model")
    before = Stage(["a.py"], [], [], [made], [model])
    assert Stage(["b.py"], [], [made], [], []).waits_for([before])
    assert not Stage(["b.py"], [], [model], [], []).waits_for([before])


def test_scripts_run_from_any_folder(world, tmp_path):
    assert "predictions are there already" in process(
        world[0], DEPTH, "simple", GENERATE, "--floats", cwd=tmp_path
    )
    said = process(world[0], EVALUATE, "depth_estimator", "simple", cwd=tmp_path)
    assert "depth_estimator_simple" in said and not list(tmp_path.iterdir())


def test_the_check_says_what_can_run_and_what_is_missing(tmp_path):
    layout = Layout(tmp_path / "data", tmp_path / "runs")
    said = call(layout, "reproduce.py", "--check", preset="demo")
    assert "--synthesize\n    can run" in said and "MISSING" not in said
    assert "simple --train --generate_depth_images\n    after: python datasets_prep" in said
    assert not layout.runs_root.exists() and not layout.data_root.exists()
    said = call(layout, "reproduce.py", "--check", "--teacher", "default", preset="open", code=2)
    assert f"{layout.dcm_images}: MISSING, see data/README.md" in said
    assert "5 things are missing" in said
