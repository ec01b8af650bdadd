"""Fits depth models to the teacher's depth of photographs translated into comics, with or without
text areas."""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from torch import nn

from comics_depth.cli import (
    FITTING,
    TRAINING,
    apply_preset,
    command_line,
    model_source,
    run_actions,
    run_main,
    values,
)
from comics_depth.data.datasets import PairedDomains
from comics_depth.data.prepared import comics_frames, data_files, photographs
from comics_depth.data.transforms import Sample, central_crops, random_crops
from comics_depth.evaluation.predicting import as_predictor, predict_frames
from comics_depth.paths import run_name
from comics_depth.training.devices import default_device
from comics_depth.training.loop import Diverged, fit
from comics_depth.training.run import Run, finished_run
from comics_depth.training.samples import depth_validation, sample_grid
from common.errors import UserError
from common.files import file_hash, read_json, write_json, written_atomically
from models.checkpoints import load_network, model_fingerprint, save_checkpoint
from models.depth_model import depth_model
from models.objectives import DepthTraining

# variant -> the translations it trains through
TRANSLATIONS = {
    "simple": {"translator": "simple"},
    "add_text": {"translator": "without_text", "text_adder": "add_text"},
    "add_text_ignoretext": {"translator": "without_text", "text_adder": "add_text"},
}

EXAMPLES = """\
  python depth_estimator.py simple --optimize_lr --train --generate_depth_images
  python depth_estimator.py add_text_ignoretext --train --lr 1e-5
  python depth_estimator.py simple --train --depth-model MiDaS_small --tag small"""


def main() -> None:
    actions = {
        "optimize_lr": (
            optimize_lr,
            "one epoch at each of --rates; --train takes the best on validation",
        ),
        "train": (train, "train the variant"),
        "generate_depth_images": (
            generate_depth_images,
            "depth of every validation and test frame",
        ),
    }
    options = ("tag", *TRAINING, "loss", "rates", "depth_model", "depth_weights", "floats")
    parser = command_line(__doc__, EXAMPLES, *options, actions=actions)
    parser.add_argument("variant", choices=tuple(TRANSLATIONS))
    args = apply_preset(parser.parse_args(), "depth_estimator")
    if args.optimize_lr and args.variant == "add_text_ignoretext":
        parser.error(
            f"{args.variant} has no sweep of its own: --optimize_lr is for simple and add_text"
        )
    args.run = run_name("depth_estimator", args.variant, args.tag)
    swept = [args.layout.data_root], [args.layout.choice(f"{args.run}_lr").parent]
    run_actions(parser, args, actions, optimize_lr=swept)


def samples(args, split: str, crops: Callable[[Sample], Sample]) -> PairedDomains:
    """Photographs with inverse depth, and comics frames with text maps for the variants that add
    text."""
    layout, options = args.layout, {"transform": crops, "seed": args.seed}
    natural = photographs(layout, split, depth=layout.photograph_depth, **options)
    with_text = args.variant != "simple"
    return PairedDomains(
        natural, comics_frames(layout, split, with_text_maps=True, **options) if with_text else None
    )


def translators(args) -> tuple[dict[str, nn.Module], dict[str, Path]]:
    """The frozen networks through which the variant sees photographs, and their checkpoints."""
    networks, files = {}, {}
    for role, variant in TRANSLATIONS[args.variant].items():
        folder = args.layout.tagged_run("natural2comics", variant, args.tag)
        files[role] = finished_run(
            folder, args.layout.command(f"cyclegan_natural2comics.py {variant} --train")
        )
        networks[role] = load_network(
            files[role], "add_text" if variant == "add_text" else "natural2comics"
        )
    return networks, files


def train_once(args, folder: Path) -> list[dict]:
    layout, source = args.layout, model_source(args, "depth_model")
    student = depth_model(*source)
    if not student.trainable:
        raise UserError(
            f"--depth-model {source[0]}: this file has no trainable weights; it can be a --teacher"
            " only"
        )
    networks, files = translators(args)
    ignore_text = args.variant == "add_text_ignoretext"
    objective = DepthTraining(student, args.lr, args.loss, **networks, ignore_text=ignore_text)
    files |= {"teacher": layout.photograph_teacher} if layout.photograph_teacher.exists() else {}
    files |= data_files(layout, with_text_maps=args.variant != "simple")
    options = values(args, "preset", "variant", "loss", *TRAINING) | {
        "depth_model": model_fingerprint(*source)
    }
    held_out = samples(args, "validation", central_crops(args.image_size))
    return fit(
        objective,
        samples(args, "train", random_crops(args.image_size)),
        Run(folder, options, files),
        **values(args, *FITTING),
        validate=depth_validation(objective, held_out, args.batch_size),
        monitor="val_loss",
        pictures=sample_grid(objective, held_out),
    )


def optimize_lr(args) -> None:
    """One epoch at each rate, from the same student, seed and order of data; the choice goes to
    choice.json."""
    choice, records = args.layout.choice(f"{args.run}_lr"), {}
    for rate in sorted(args.rates):
        folder = choice.with_name(f"{rate:g}")
        try:
            records[rate] = train_once(
                argparse.Namespace(**{**vars(args), "lr": rate, "epochs": 1}), folder
            )[-1]
        except Diverged as error:
            print(error)
            continue
        # a sweep of nine large networks fills a disk; that this rate is done is all the next call
        # has to know
        save_checkpoint(folder / "last.pt", {"epoch": 1})
        (folder / "best.pt").unlink(missing_ok=True)
    if not records:
        raise UserError(f"{args.run}: every rate of {args.rates} diverged; give lower --rates")
    losses = {rate: record["val_loss"] for rate, record in records.items()}
    best = min(losses, key=losses.get)
    figure = Figure(figsize=(11, 4))
    curves, validated = figure.subplots(1, 2)
    for rate, record in records.items():
        curves.plot(np.linspace(0, 1, len(record["curve"])), record["curve"], label=f"{rate:g}")
    curves.set(xlabel="share of the epoch", ylabel="training loss", title=args.run)
    curves.legend(title="learning rate", fontsize=8)
    validated.semilogx(list(losses), list(losses.values()), "o-")
    validated.axvline(best, color="grey", linestyle=":")
    validated.set(xlabel="learning rate", ylabel="validation loss", title=f"chosen: {best:g}")
    with written_atomically(choice.with_name("learning_rates.png")) as temporary:
        figure.savefig(temporary, dpi=110, bbox_inches="tight")
    model, by_rate = (
        model_fingerprint(*model_source(args, "depth_model")),
        {f"{rate:g}": loss for rate, loss in losses.items()},
    )
    write_json(choice, {"lr": best, "depth_model": model, "val_loss": by_rate})
    print(f"{args.run}: learning rate {best:g}; losses and plot in {choice.parent}")


def train(args) -> None:
    if args.lr is None:
        swept = args.variant.replace("_ignoretext", "")
        choice = args.layout.choice(run_name("depth_estimator", swept, args.tag) + "_lr")
        command = f"depth_estimator.py {swept} --optimize_lr"
        chosen = read_json(args.layout.needed(choice, command, " (or give --lr)"))
        args.lr, model = chosen["lr"], model_fingerprint(*model_source(args, "depth_model"))
        if chosen.get("depth_model", model) != model:
            raise UserError(
                f"{choice}: the rate was chosen for {chosen['depth_model']}, the depth model is"
                f" {model}; run {args.layout.command(command)} --restart, or give --lr"
            )
        print(f"{args.run}: learning rate {args.lr:g}, chosen by --optimize_lr of {swept}")
    train_once(args, args.layout.run(args.run))


def generate_depth_images(args) -> None:
    command = args.layout.command(f"depth_estimator.py {args.variant} --train")
    checkpoint = finished_run(args.layout.run(args.run), command)
    predictor = as_predictor(depth_model(str(checkpoint)), default_device())
    predict_frames(args, predictor, {"depth_model": file_hash(checkpoint)})


if __name__ == "__main__":
    run_main(main)
