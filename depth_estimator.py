"""Fits depth models to the teacher's depth of photographs that look like comics, translated or
printed, or to depth orderings of comics."""

if __name__ == "__main__":
    import common.interrupts  # noqa: F401  Ctrl-C while the rest is imported

from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from matplotlib.figure import Figure

from comics_depth import cli
from comics_depth.evaluation.predicting import as_predictor, predict_frames
from comics_depth.images import write_figure
from comics_depth.options import FITTING, TRAINING
from comics_depth.paths import needed, run_name
from comics_depth.training.devices import default_device
from comics_depth.training.loop import Diverged, TrainingOptions
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
    own = ("print_style", "regulariser", "translated", "interpolate", "loss")
    options = ("tag", *TRAINING, "rates", *own, *models, "floats")
    parser = cli.command_line(__doc__, EXAMPLES, *options, actions=ACTIONS)
    parser.add_argument("variant", choices=(*TRANSLATIONS, ORDERINGS))
    args = parser.parse_args()
    ordered = args.variant == ORDERINGS
    if args.translated and not ordered:
        parser.error(
            f"--translated is for {ORDERINGS}; {args.variant} sees nothing but photographs"
        )
    if args.optimize_lr and args.variant == "add_text_ignoretext":
        parser.error(f"{args.variant} has no sweep of its own: it takes the rate of add_text")
    cli.apply_preset(args, ORDERINGS if ordered else "depth_estimator")
    layout = args.layout
    student = (OrderingStudent if ordered else Student)(
        layout,
        cli.model_source(args, "depth_model"),
        TrainingOptions(**cli.values(args, *FITTING)),
        recorded=cli.values(args, "preset", "variant", *own, *TRAINING),
        **cli.values(args, "variant", "tag", *own, "image_size", "restart"),
    )
    swept = run_name("depth_estimator", args.variant.removesuffix("_ignoretext"), args.tag)
    choice = layout.choice(f"{swept}_lr")
    run = layout.run(student.name)

    def predict() -> None:
        checkpoint = finished_run(run, f"`python depth_estimator.py {args.variant} --train`")
        predictor = as_predictor(depth_model(str(checkpoint)), default_device())
        made_by = {"depth_model": file_hash(checkpoint)}
        written = cli.values(args, "floats", "restart")
        predict_frames(layout, student.name, predictor, made_by, **written)

    reads = student.reads()
    fetched = downloads(*student.source)
    measured = not ordered and (args.lr is not None or choice.exists())
    predictions = [layout.predictions(student.name)]
    steps = {
        "optimize_lr": cli.Step(
            lambda: optimize_lr(student, args.rates, choice), reads, [choice.parent], fetched
        ),
        "train": cli.Step(lambda: train(student, args.lr, choice), reads, [run], fetched, measured),
        "generate_depth_images": cli.Step(predict, [layout.frames, run], predictions),
    }
    cli.run_steps(parser, args, steps)


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


def train(student: Student, lr: float | None, choice: Path) -> None:
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
    student.fit(student.layout.run(student.name), lr, student.options)


if __name__ == "__main__":
    cli.run_main(main)
