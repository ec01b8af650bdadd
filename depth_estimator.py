"""Fits depth models to the teacher's depth of photographs that look like comics, translated or
printed, or to depth orderings of comics."""

if __name__ == "__main__":
    import common.interrupts  # noqa: F401  Ctrl-C while the rest is imported

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from matplotlib.figure import Figure

from comics_depth.cli import (
    Step,
    apply_preset,
    command_line,
    model_source,
    run_main,
    run_steps,
    values,
)
from comics_depth.evaluation.predicting import as_predictor, predict_frames
from comics_depth.images import write_figure
from comics_depth.options import FITTING, TRAINING
from comics_depth.paths import Layout, needed, run_name
from comics_depth.training.cost import print_cost
from comics_depth.training.devices import default_device
from comics_depth.training.loop import Diverged, TrainingOptions, fit
from comics_depth.training.run import finished_run
from comics_depth.training.students import ORDERINGS, TRANSLATIONS, OrderingStudent, Student
from common.errors import UserError
from common.files import file_hash, read_json, write_json
from models.checkpoints import save_checkpoint
from models.depth_model import depth_model
from models.external import downloads

EXAMPLES = """\
  python depth_estimator.py simple --optimize_lr --train --generate_depth_images
  python depth_estimator.py add_text_ignoretext --train --lr 1e-5
  python depth_estimator.py orderings --train --lr 5e-4 --print-style 0.7 --translated 1
  python depth_estimator.py simple --train --depth-model MiDaS_small --tag small"""
ACTIONS = {
    "optimize_lr": "one epoch at each of --rates; --train takes the best on validation",
    "train": "train the variant",
    "generate_depth_images": "depth of every validation and test frame, shared by processes",
}


def main() -> None:
    models = ("depth_model", "depth_weights")
    own = ("loss", "rates", "regulariser", "print_style", "translated", "interpolate")
    parser = command_line(
        __doc__, EXAMPLES, "tag", *TRAINING, *own, *models, "floats", actions=ACTIONS
    )
    parser.add_argument("variant", choices=(*TRANSLATIONS, ORDERINGS))
    args = parser.parse_args()
    args = apply_preset(args, ORDERINGS if args.variant == ORDERINGS else "depth_estimator")
    if args.translated and args.variant != ORDERINGS:
        parser.error(
            f"--translated is for {ORDERINGS}; {args.variant} sees nothing but photographs"
        )
    if args.optimize_lr and args.variant == "add_text_ignoretext":
        parser.error(f"{args.variant} has no sweep of its own: it takes the rate of add_text")
    layout = args.layout
    name = run_name("depth_estimator", args.variant, args.tag)
    swept = run_name("depth_estimator", args.variant.removesuffix("_ignoretext"), args.tag)
    choice = layout.choice(f"{swept}_lr")
    student = (OrderingStudent if args.variant == ORDERINGS else Student)(
        layout,
        args.variant,
        args.tag,
        model_source(args, "depth_model"),
        args.loss,
        args.image_size,
        args.print_style,
        args.regulariser,
        args.translated or 0,
        args.interpolate,
        TrainingOptions(**values(args, *FITTING)),
        values(args, "preset", "variant", *own[2:], "loss", *TRAINING),
        args.restart,
    )
    written = values(args, "floats", "restart")
    sweep = partial(optimize_lr, student, args.rates, choice)
    fitting = partial(train, student, args.lr, choice)
    predict = partial(generate_depth_images, layout, args.variant, name, **written)
    reads = student.reads()
    fetched = downloads(*student.source)
    run = layout.run(name)
    known = args.variant != ORDERINGS and (args.lr or choice.exists())
    cost = partial(fitting, fitting=print_cost) if known else None
    steps = {
        "optimize_lr": Step(sweep, reads, [choice.parent], fetched),
        "train": Step(fitting, reads, [run], fetched, cost),
        "generate_depth_images": Step(predict, [layout.frames, run], [layout.predictions(name)]),
    }
    run_steps(parser, args, steps)


def optimize_lr(student: Student, rates: list[float], choice: Path) -> None:
    """One epoch at each rate, from the same student, seed and order of data; the choice goes to
    choice.json."""
    records = {}
    rates = sorted(rates)
    for rate in rates:
        folder = choice.with_name(f"{rate:g}")
        try:
            records[rate] = student.fit(folder, rate, replace(student.options, epochs=1))[-1]
        except Diverged as error:
            print(error)
            continue
        # a sweep of nine large networks fills a disk; the next call has to know that it is done
        save_checkpoint(folder / "last.pt", {"epoch": 1, "epochs": 1})
        (folder / "best.pt").unlink(missing_ok=True)
    if not records:
        raise UserError(f"{student.name}: every rate of {rates} diverged; give lower --rates")
    losses = {rate: record["val_loss"] for rate, record in records.items()}
    best = min(losses, key=losses.get)
    plot_rates(choice.with_name("learning_rates.png"), student.name, records, best)
    measured = {f"{rate:g}": loss for rate, loss in losses.items()}
    write_json(choice, {"lr": best, "made_of": student.choice_record(), "val_loss": measured})
    print(f"{student.name}: learning rate {best:g}; losses and plot in {choice.parent}")
    if len(rates) > 1 and best in (rates[0], rates[-1]):
        end = "lower" if best == rates[0] else "higher"
        print(f"{best:g} is at the end of the sweep: add {end} --rates")


def plot_rates(path: Path, title: str, records: dict[float, dict], best: float) -> None:
    """Training loss over the epoch and validation loss by learning rate."""
    figure = Figure(figsize=(11, 4))
    curves, validated = figure.subplots(1, 2)
    for rate, record in records.items():
        share = np.linspace(0, 1, len(record["curve"]))
        curves.plot(share, record["curve"], label=f"{rate:g}")
    curves.set(xlabel="share of the epoch", ylabel="training loss", title=title)
    curves.legend(title="learning rate", fontsize=8)
    validated.semilogx(list(records), [record["val_loss"] for record in records.values()], "o-")
    validated.axvline(best, color="grey", linestyle=":")
    validated.set(xlabel="learning rate", ylabel="validation loss", title=f"chosen: {best:g}")
    write_figure(path, figure)


class RateChoice(TypedDict):
    """Of choice.json, the chosen rate and what it was chosen for."""

    lr: float
    made_of: dict[str, Any]


def train(student: Student, lr: float | None, choice: Path, fitting: Callable = fit) -> None:
    """Trains at `lr`, or at the rate that the sweep chose for the same models, data and loss."""
    if lr is None:
        swept = student.variant.removesuffix("_ignoretext")
        command = f"`python depth_estimator.py {swept} --optimize_lr"
        chosen = read_json(needed(choice, f"{command}` (or give --lr)"), RateChoice)
        ours = student.choice_record()
        made_of = chosen["made_of"]
        changed = sorted(name for name in {*ours, *made_of} if ours.get(name) != made_of.get(name))
        if changed:
            raise UserError(
                f"{choice}: the rate was chosen with another {', '.join(changed)}; "
                f"run {command} --restart`, or give --lr"
            )
        lr = chosen["lr"]
        print(f"{student.name}: learning rate {lr:g}, chosen by --optimize_lr of {swept}")
    student.fit(student.layout.run(student.name), lr, student.options, fitting)


def generate_depth_images(
    layout: Layout, variant: str, name: str, *, floats: bool, restart: bool
) -> None:
    command = f"`python depth_estimator.py {variant} --train`"
    checkpoint = finished_run(layout.run(name), command)
    predictor = as_predictor(depth_model(str(checkpoint)), default_device())
    made_by = {"depth_model": file_hash(checkpoint)}
    predict_frames(layout, name, predictor, made_by, floats=floats, restart=restart)


if __name__ == "__main__":
    run_main(main)
