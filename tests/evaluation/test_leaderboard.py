"""evaluation.py models on tiny frames, and models of the transformers library, offline."""

import contextlib
import csv
import io
import json
import shutil
import sys
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

import evaluation as script
from comics_depth.cli import run_main
from comics_depth.data.depth_files import read_depth
from comics_depth.data.orderings import Point, write_ordering
from comics_depth.evaluation import models
from comics_depth.evaluation.sets import named_models
from comics_depth.images import write_image
from comics_depth.paths import Layout
from common.files import write_json, write_text
from models.checkpoints import UserError, model_fingerprint, save_checkpoint
from models.depth_model import depth_model
from models.licences import licence

RULES = ("lower_is_nearer", "centre_is_nearer", "chance")
SIZE = (40, 60)


class Brightness(nn.Module):
    """A depth network: the brighter, the nearer (`sign` 1) or the farther (-1)."""

    def __init__(self, sign: float):
        super().__init__()
        self.sign = sign

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.sign * images.mean(1, keepdim=True)


@pytest.fixture
def layout(tmp_path):
    """Two validation and two test frames, one of them without an ordering; near is bright, and
    never lower."""
    layout, rng = Layout(tmp_path / "data", tmp_path / "runs"), np.random.default_rng(0)
    for split, names in {"validation": ["a_1", "b/a_2"], "test": ["c_1", "unordered_1"]}.items():
        write_text(layout.frame_list(split), "".join(f"{name}\n" for name in names))
        for name in names:
            image = rng.integers(0, 60, (*SIZE, 3), np.uint8)
            image[:20] += 150
            write_image(layout.frame(name), image)
            if name != "unordered_1":
                write_ordering(
                    layout.ordering(name),
                    [Point(1, 1, 9, 9), Point(2, 1, 8, 31), Point(2, 1, 40, 30)],
                )
    write_json(layout.manifest, {})
    return layout


@pytest.fixture(scope="module")
def torchscripts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    with mock.patch("warnings.warn"):
        for name, sign in (("bright", 1.0), ("dark", -1.0)):
            torch.jit.script(Brightness(sign)).save(str(folder / f"{name}.pt"))
    return folder


def ranked(*words, layout, code=0):
    """What the command line prints; checks the exit code."""
    words = [
        "evaluation.py",
        "models",
        *map(str, words),
        "--data-root",
        str(layout.data_root),
        "--runs-root",
        str(layout.runs_root),
        "--trust-code",
    ]
    said, left = io.StringIO(), 0
    with (
        mock.patch("sys.argv", words),
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(said),
    ):
        try:
            run_main(script.main)
        except SystemExit as leaving:
            left = leaving.code
    assert left == code, said.getvalue()
    return said.getvalue()


def leaderboard(folder):
    with (folder / "table.csv").open() as file:
        return [
            (line["row"], line["split"], line["inter_objects_mean"])
            for line in csv.DictReader(file)
        ]


def test_a_leaderboard_is_one_command(layout, torchscripts, tmp_path):
    words = (torchscripts / "dark.pt", torchscripts / "bright.pt", f"broken={tmp_path / 'none.pt'}")
    said = ranked(*words, layout=layout)
    rows = leaderboard(layout.results / "models")
    for split in ("validation", "test"):
        own = [(row, float(mean)) for row, named, mean in rows if named == split]
        assert own[0] == ("bright", 1) and ("dark", 0) in own and ("lower_is_nearer", 0) in own
        assert {row for row, _ in own} == {"bright", "dark", *RULES}
        assert [mean for _, mean in own] == sorted((mean for _, mean in own), reverse=True)
    assert "left out: broken: " in said and "expected an existing file" in said
    table = ((layout.results / "models") / "table.md").read_text()
    assert table in said
    assert "unknown, ask who made the file" in table
    assert "Left out, without a depth: broken" in table
    assert "to lower_is_nearer" in table
    assert "to bright" in ranked(*words, "--baseline", "bright", layout=layout)
    assert "--baseline broken gave no depth" in ranked(
        *words, "--baseline", "broken", layout=layout, code=2
    )
    page = ((layout.results / "models") / "report.html").read_text()
    assert page.count("<article") == 3 and page.count("<figure") == 3 * (1 + 2 + len(RULES))
    folder = layout.predictions("models_bright")
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png")) == [
        "a_1.png",
        "b/a_2.png",
        "c_1.png",
    ]
    assert read_depth(folder / "a_1.png").shape == SIZE


def test_what_was_predicted_by_the_same_model_is_kept(layout, torchscripts, tmp_path):
    chosen = tmp_path / "model.pt"
    chosen.write_bytes((torchscripts / "dark.pt").read_bytes())
    ranked(f"m={chosen}", "--split", "test", layout=layout)
    path = layout.predictions("models_m") / "c_1.png"
    before = path.stat().st_mtime_ns
    with mock.patch.object(models, "depth_model", side_effect=AssertionError("loaded")):
        ranked(f"m={chosen}", "--split", "test", layout=layout)
    ranked(f"m={chosen}", layout=layout)
    assert (
        path.stat().st_mtime_ns == before and (layout.predictions("models_m") / "a_1.png").exists()
    )
    chosen.write_bytes((torchscripts / "bright.pt").read_bytes())
    ranked(f"m={chosen}", "--split", "test", layout=layout)
    # Maps of the file as it was before do not stay behind, even of frames that were not asked for.
    assert path.stat().st_mtime_ns != before
    assert not (layout.predictions("models_m") / "a_1.png").exists()


def test_averaged_depth_is_other_depth_and_a_run_is_known_by_its_name(layout, torchscripts):
    run = layout.run("mine")
    write_json(run / "config.json", {})
    save_checkpoint(run / "last.pt", {"epoch": 1, "epochs": 1})
    (run / "best.pt").write_bytes((torchscripts / "bright.pt").read_bytes())
    ranked("mine", "--split", "test", "--preset", "open", layout=layout)
    path = layout.predictions("models_mine") / "c_1.png"
    once = read_depth(path)
    ranked("mine", "--averaged", "--split", "test", layout=layout)
    assert abs(read_depth(path).mean()) < 1e-3 < once.mean()  # standardised
    save_checkpoint(run / "last.pt", {"epoch": 1, "epochs": 2})
    assert "this run is not finished" in ranked("mine", layout=layout, code=2)


def test_any_folder_of_orderings_and_no_lists_of_frames(layout, torchscripts, tmp_path):
    bare = Layout(tmp_path / "bare", tmp_path / "runs")
    write_image(bare.frame("x"), np.full((*SIZE, 3), 90, np.uint8))
    write_ordering(tmp_path / "orderings" / "x.txt", [Point(1, 1, 3, 30), Point(2, 1, 3, 3)])
    words = (torchscripts / "bright.pt", "--orderings", tmp_path / "orderings")
    ranked(*words, "--report", tmp_path / "page", layout=bare)
    rows = {
        row: float(mean) for row, split, mean in leaderboard(tmp_path / "page") if split == "all"
    }
    assert rows["lower_is_nearer"] == 1 and rows["bright"] == 0  # all of one grey: ties
    write_ordering(tmp_path / "orderings" / "gone.txt", [Point(1, 1, 3, 30)])
    assert "no image of 1 of 2 frames" in ranked(*words, layout=bare, code=2)


def test_wrong_words_say_what_is_expected(layout, torchscripts):
    assert "expected one of default, lower_is_nearer" in ranked(
        "default", "--baseline", "x", layout=layout, code=2
    )
    assert "none of the models gave a depth" in ranked("no_such_model", layout=layout, code=2)
    for words in (("a=default", "a=MiDaS"), ("chance=default",), ("a/b=default",), ("=default",)):
        assert "cannot name the row" in ranked(*words, layout=layout, code=2)
    said = ranked(
        "default", "--dry-run", layout=Layout(layout.data_root / "nowhere", layout.runs_root)
    )
    assert "predicted by default" in said and not (layout.data_root / "nowhere").exists()
    assert named_models(["hf:org/Name-hf"]) == {"Name-hf": "hf:org/Name-hf"}
    assert named_models(["mine=hf:org/a=b"]) == {"mine": "hf:org/a=b"}


def test_a_checkpoint_of_a_run_has_the_name_of_the_run(tmp_path):
    write_text(tmp_path / "depth_estimator_simple" / "best.pt", "")
    word = str(tmp_path / "depth_estimator_simple" / "best.pt")
    assert named_models([word]) == {"depth_estimator_simple": word}
    write_text(tmp_path / "a-b=c.pt", "")
    with pytest.raises(UserError, match="'a-b=c' cannot name the row"):
        named_models([str(tmp_path / "a-b=c.pt")])


# Models of the transformers library, tiny and random


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """Folders as the hub has them: `relative`, `metric` (Depth Anything), `square` (DPT), `metres`
    (DPT on DINOv2)."""
    library = pytest.importorskip(
        "transformers", reason="transformers is not installed (requirements-hf.txt)"
    )
    folder = tmp_path_factory.mktemp("hub")
    torch.manual_seed(0)
    neck = {"neck_hidden_sizes": [8] * 4, "reassemble_factors": [4, 2, 1, 0.5]}
    vit = {"hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2}
    dino = library.Dinov2Config(
        **vit,
        mlp_ratio=2,
        image_size=28,
        patch_size=14,
        out_indices=[1, 2, 3, 4],
        reshape_hidden_states=False,
    )
    anything = {
        **neck,
        "backbone_config": dino,
        "reassemble_hidden_size": 16,
        "fusion_hidden_size": 8,
        "head_hidden_size": 8,
    }
    models = {
        "relative": library.DepthAnythingConfig(**anything),
        "metric": library.DepthAnythingConfig(
            **anything, depth_estimation_type="metric", max_depth=20
        ),
        "square": library.DPTConfig(
            **vit,
            **neck,
            intermediate_size=16,
            image_size=32,
            patch_size=8,
            is_hybrid=False,
            backbone_out_indices=[0, 1, 2, 3],
            fusion_hidden_size=8,
        ),
        "metres": library.DPTConfig(
            **neck, backbone_config=dino, fusion_hidden_size=256, add_projection=True
        ),
    }
    for name, config in models.items():
        network = library.AutoModelForDepthEstimation.from_config(config)
        with torch.no_grad():  # so that random weights give a depth that is neither 0 nor flat
            for parameter in network.parameters():
                parameter.add_(0.02)
        network.save_pretrained(folder / name)
        library.DPTImageProcessor(
            size={"height": 64, "width": 64} if name == "square" else {"height": 56, "width": 56},
            ensure_multiple_of=1 if name == "square" else 14,
            image_mean=[0.4, 0.5, 0.6],
            image_std=[0.2, 0.3, 0.4],
        ).save_pretrained(folder / name)
    write_text(folder / "relative" / "README.md", "---\nlicense: apache-2.0\n---\nTiny.\n")
    write_text(
        folder / "metric" / "README.md", "---\nlicense: other\nlicense_name: tiny-only\n---\n"
    )
    return SimpleNamespace(folder=folder, library=library)


@pytest.mark.parametrize(
    ("name", "seen"),
    [("relative", (28, 56)), ("metric", (28, 56)), ("metres", (28, 56)), ("square", (64, 64))],
)
def test_a_folder_of_transformers_gives_inverse_depth(hub, name, seen):
    model = depth_model(f"hf:{hub.folder / name}")
    images = torch.rand(2, 3, 50, 100, generator=torch.Generator().manual_seed(0))
    network = hub.library.AutoModelForDepthEstimation.from_pretrained(hub.folder / name).eval()
    with torch.no_grad():
        found = model(images)
        shrunk = nn.functional.interpolate(images, seen, mode="bicubic", antialias=True)
        mean, std = (
            torch.tensor(values).view(1, 3, 1, 1) for values in ([0.4, 0.5, 0.6], [0.2, 0.3, 0.4])
        )
        depth = network((shrunk - mean) / std).predicted_depth
        inverse = depth if name in ("relative", "square") else 1 / depth
        expected = nn.functional.interpolate(inverse[:, None], (50, 100), mode="bilinear")[:, 0]
    assert depth.min() > 0.02 and depth.std() > 1e-5
    assert found.shape == (2, 50, 100) and torch.allclose(found, expected, rtol=1e-3)


def test_a_network_for_another_task_is_refused(hub, tmp_path):
    shutil.copytree(hub.folder / "square", tmp_path, dirs_exist_ok=True)
    state = load_file(tmp_path / "model.safetensors")
    for key in [key for key in state if key.startswith("head")]:
        state["other_" + key] = state.pop(key)
    save_file(state, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(
        UserError, match="expected weights of a depth-estimation model, found none for head"
    ):
        depth_model(f"hf:{tmp_path}")


def test_licences(hub, capsys):
    relative, metric, square = (
        f"hf:{hub.folder / name}" for name in ("relative", "metric", "square")
    )
    assert (licence(relative), licence(metric)) == ("apache-2.0", "tiny-only")
    assert licence("MiDaS") == "MIT" and licence("some.pt").startswith("unknown")
    assert licence(square) == "unknown, see the model's page"
    depth_model(relative)
    assert f"{relative}: licence apache-2.0" in capsys.readouterr().out


def test_a_leaderboard_has_models_of_transformers_and_tells_folders_apart(
    hub, layout, torchscripts
):
    word = f"hf:{hub.folder / 'relative'}"
    ranked(word, torchscripts / "bright.pt", "--split", "test", layout=layout)
    assert {row for row, *_ in leaderboard(layout.results / "models")} == {
        "relative",
        "bright",
        *RULES,
    }
    assert "apache-2.0" in ((layout.results / "models") / "report.html").read_text()
    made_by = json.loads((layout.predictions("models_relative") / "made_by.json").read_text())[
        "depth_model"
    ]
    assert (
        made_by
        == model_fingerprint(word)
        != model_fingerprint(f"hf:{hub.folder / 'metric'}").replace("metric", "relative")
    )


def test_a_missing_library_is_said_and_the_others_go_on(layout, torchscripts, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    said = ranked("hf:some/model", torchscripts / "bright.pt", layout=layout)
    assert "pip install -r requirements-hf.txt" in said
    assert leaderboard(layout.results / "models")[0][0] == "bright"
