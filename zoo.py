"""A leaderboard of depth models on comics: predicts the frames that have an ordering with each, and
scores them all."""

import argparse
import functools
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from comics_depth.cli import apply_preset, command_line, run_main
from comics_depth.evaluation.predicting import as_predictor, predict_frames
from comics_depth.evaluation.report import write_report
from comics_depth.evaluation.rules import REFERENCES
from comics_depth.evaluation.scoring import (
    Frame,
    Run,
    choose_frames,
    count_run,
    find_maps,
    frame_options,
    frames_to_score,
    score,
)
from comics_depth.evaluation.table import CAPTION, markdown
from comics_depth.training.devices import default_device
from comics_depth.training.run import checkpoint_of
from common.errors import UserError
from models.checkpoints import SHIPPED, model_fingerprint
from models.depth_model import AveragedDepth, depth_model
from models.external import licence

BASELINE = "lower_is_nearer"  # what a network has to beat, and at hand everywhere
EXAMPLES = """  python zoo.py default MiDaS MiDaS_small
  python zoo.py default hf:depth-anything/Depth-Anything-V2-Small-hf --split test
  python zoo.py depth_estimator_simple their_torchscript.pt --orderings my_orderings"""


def main() -> None:
    args = parse()
    runs = [
        Run(name, args.layout.predictions(f"zoo_{name}"), "Give --restart")
        for name in (*args.models, *REFERENCES)
    ]
    if args.dry_run:
        for run in runs:
            print(f"would predict with {args.models.get(run.name, run.name)} into {run.folder}")
        print(
            f"would score them with the orderings in {args.orderings}\nwould write"
            f" {args.report / 'report.html'}"
        )
        return
    frames = frames_to_score(args)
    failed = predict_all(args, frames)
    maps = {run: find_maps(args.layout, run, frames) for run in runs if run.name not in failed}
    counts = {run: count_run(run, frames, paths, args.protocol) for run, paths in maps.items()}
    baseline = next((counts[run] for run in maps if run.name == args.baseline), None)
    if baseline is None:
        raise UserError(f"--baseline {args.baseline} gave no depth; see above")
    rows = score(args, frames, list(maps), counts, baseline)
    splits = list(dict.fromkeys(row.split for row in rows))
    rows.sort(
        key=lambda row: (splits.index(row.split), -(row.scores["inter_objects"]["mean"] or 0))
    )  # best first
    caption = CAPTION.format(baseline=args.baseline, protocol=args.protocol) + terms(
        args.models, failed
    )
    print("\n" + markdown(rows, caption), end="")
    write_report(args.report, rows, caption, args.protocol, frames, maps, args.layout.frame)


def parse() -> argparse.Namespace:
    parser = command_line(__doc__, EXAMPLES, "averaged", "floats", "restart")
    parser.add_argument(
        "models",
        nargs="+",
        metavar="MODEL",
        help=(
            "default, MiDaS, MiDaS_small, DPT_Hybrid, hf:<repo "
            "id or folder>, a run, a checkpoint, a TorchScript file; NAME=MODEL names its row"
        ),
    )
    parser.add_argument(
        "--baseline",
        default=BASELINE,
        metavar="ROW",
        help=f"row that all are compared to (default {BASELINE})",
    )
    frame_options(parser)
    parser.add_argument(
        "--report",
        type=Path,
        metavar="FOLDER",
        help="of the tables, the figure and a page to open in a browser (default: <runs root>/zoo)",
    )
    parser.set_defaults(
        protocol="corrected", averaged=False
    )  # in presets it is about the teacher's depth
    args = parser.parse_args()
    named, args.models = [row_name(word) for word in args.models], {}
    for name, model in named:
        if name in args.models or name in REFERENCES or not re.fullmatch(r"\w[\w.-]*", name):
            parser.error(
                f"{name!r} cannot name the row of {model}: give another, NAME={model}, a word of"
                " its own"
            )
        args.models[name] = model
    if args.baseline not in (*args.models, *REFERENCES):
        parser.error(
            f"--baseline {args.baseline}: expected one of {', '.join((*args.models, *REFERENCES))}"
        )
    apply_preset(args)
    choose_frames(args)
    args.report = args.report or args.layout.run("zoo")
    return args


def row_name(word: str) -> tuple[str, str]:
    """(name, model) of `NAME=MODEL`; of a model alone, the name is that of its repository or file
    without suffix, or of the run that it is the checkpoint of."""
    name, equals, model = word.partition("=")
    if equals and not Path(word).exists():
        return name, model
    path = Path(word.removeprefix("hf:"))
    if not path.is_file():
        return path.name, word
    return path.resolve().parent.name if path.stem in ("best", "last") else path.stem, word


def predict_all(args: argparse.Namespace, frames: list[Frame]) -> dict[str, str]:
    """Predicts the frames with every model and rule, except where that was done before; returns why
    models failed, by name. Raises UserError if all did, or if frames have no image."""
    names, failed = [frame.name for frame in frames], {}
    if missing := [name for name in names if not args.layout.frame(name).exists()]:
        raise UserError(
            f"{args.layout.frames}: no image of {len(missing)} of {len(names)} frames with an"
            f" ordering ({', '.join(missing[:10])}); expected <frame>.jpg"
        )
    for name, model in args.models.items():
        args.run = f"zoo_{name}"
        try:
            model = (
                str(SHIPPED.get(model))
                if model in SHIPPED
                else checkpoint_of(model, args.layout.runs_root)
            )
            made_by = {"depth_model": model_fingerprint(model)} | (
                {"averaged": True} if args.averaged else {}
            )
            predict_frames(
                args.layout,
                args.run,
                predictor(model, args.averaged),
                made_by,
                names,
                floats=args.floats,
                restart=args.restart,
            )
        except Exception as error:  # code and files of other people fail in any way
            failed[name] = (
                str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
            )
            print(f"left out: {name}: {failed[name]}")
    if len(failed) == len(args.models):
        raise UserError("none of the models gave a depth")
    for rule, predict in REFERENCES.items():
        args.run = f"zoo_{rule}"
        predict_frames(
            args.layout,
            args.run,
            predict,
            {"rule": rule},
            names,
            floats=args.floats,
            restart=args.restart,
        )
    return failed


def predictor(model: str, averaged: bool = False) -> Callable[[np.ndarray], np.ndarray]:
    """RGB uint8 (H, W, 3) -> inverse depth (H, W); loads the model when the first frame comes."""

    @functools.cache
    def load() -> Callable[[np.ndarray], np.ndarray]:
        network = depth_model(model)
        return as_predictor(AveragedDepth(network) if averaged else network, default_device())

    return lambda image: load()(image)


def terms(models: dict[str, str], failed: dict[str, str]) -> str:
    """What the table says below of the models' licences, and of the models that failed."""
    given = {name: name if name == model else f"{name} ({model})" for name, model in models.items()}
    licences = "; ".join(
        f"{given[name]}: {licence(model)}" for name, model in models.items() if name not in failed
    )
    missing = (
        f" Left out, without a depth: {', '.join(given[name] for name in failed)}."
        if failed
        else ""
    )
    return f" Licences of the models: {licences}.{missing}"


if __name__ == "__main__":
    run_main(main)
