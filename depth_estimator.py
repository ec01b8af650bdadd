"""Fits depth models to the teacher's depth of photographs that look like comics, translated or
printed, or to depth orderings of comics."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from torch import nn
from torch.utils.data import Dataset
from torchvision.transforms import v2

from comics_depth.cli import (
    FITTING,
    TRAINING,
    ModelSource,
    Step,
    apply_preset,
    command_line,
    model_source,
    run_main,
    run_steps,
    values,
)
from comics_depth.data.datasets import PairedDomains
from comics_depth.data.prepared import (
    comics_frames,
    data_files,
    frame_orderings,
    frames_with_points,
    photographs,
)
from comics_depth.data.transforms import PrintStyle, Sample, central_crops, printed, random_crops
from comics_depth.evaluation.orderings import ordering_validation, starting_depth
from comics_depth.evaluation.predicting import as_predictor, predict_frames
from comics_depth.paths import Layout, needed, run_name
from comics_depth.training.devices import default_device
from comics_depth.training.loop import Diverged, TrainingOptions, fit
from comics_depth.training.run import Run, finished_run
from comics_depth.training.samples import depth_validation, sample_grid
from common.errors import UserError
from common.files import file_hash, read_json, write_json, written_atomically
from models.checkpoints import load_network, model_fingerprint, save_checkpoint
from models.depth_model import AveragedDepth, DepthModel, depth_model
from models.depth_objectives import DepthOrdering, DepthTraining
from models.external import downloads
from models.objectives import Objective

# variant of photographs -> the translations it trains through
TRANSLATIONS = {
    "simple": {"translator": "simple"},
    "add_text": {"translator": "without_text", "text_adder": "add_text"},
    "add_text_ignoretext": {"translator": "without_text", "text_adder": "add_text"},
    "printed": {},
}
ORDERINGS = "orderings"
WITH_TEXT = ("add_text", "add_text_ignoretext")
EXAMPLES = """\
  python depth_estimator.py simple --optimize_lr --train --generate_depth_images
  python depth_estimator.py add_text_ignoretext --train --lr 1e-5
  python depth_estimator.py orderings --train --lr 5e-4 --print-style 0.7
  python depth_estimator.py simple --train --depth-model MiDaS_small --tag small"""
ACTIONS = {
    "optimize_lr": "one epoch at each of --rates; --train takes the best on validation",
    "train": "train the variant",
    "generate_depth_images": "depth of every validation and test frame",
}


def main() -> None:
    models = ("depth_model", "depth_weights")
    own = ("loss", "rates", "regulariser", "print_style")
    parser = command_line(
        __doc__, EXAMPLES, "tag", *TRAINING, *own, *models, "floats", actions=ACTIONS
    )
    parser.add_argument("variant", choices=(*TRANSLATIONS, ORDERINGS))
    args = parser.parse_args()
    args = apply_preset(args, ORDERINGS if args.variant == ORDERINGS else "depth_estimator")
    if not 0 <= args.print_style <= 1:
        parser.error(f"--print-style: expected a share from 0 to 1, found {args.print_style}")
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
    steps = {
        "optimize_lr": Step(sweep, reads, [choice.parent], fetched),
        "train": Step(fitting, reads, [run], fetched),
        "generate_depth_images": Step(predict, [layout.frames, run], [layout.predictions(name)]),
    }
    run_steps(parser, args, steps)


class Task(NamedTuple):
    """What a training takes, but its options."""

    objective: Objective
    train: Dataset
    validate: Callable
    pictures: Callable | None


@dataclass(frozen=True)
class Student:
    """A depth model that is to be fitted to photographs by a variant, and all that decides on the
    result but the learning rate. print_share: of the training images, drawn as printed comics;
    regulariser: weight of the depth from before, where a variant keeps it; recorded: the options of
    the command, for the record of the run."""

    layout: Layout
    variant: str
    tag: str | None
    source: ModelSource
    loss: str | None
    image_size: int
    print_share: float
    regulariser: float | None
    options: TrainingOptions
    recorded: dict[str, Any]
    restart: bool

    @property
    def name(self) -> str:
        return run_name("depth_estimator", self.variant, self.tag)

    @property
    def fingerprint(self) -> str:
        return model_fingerprint(*self.source)

    def samples(self, split: str, crops: Callable[[Sample], Sample]) -> PairedDomains:
        """Photographs with inverse depth, and comics frames with text maps for the variants that
        add text."""
        if self.variant == "printed":
            crops = v2.Compose([crops, PrintStyle(1)])
        options = {"transform": crops, "seed": self.options.seed}
        depth = self.layout.photograph_depth
        natural = photographs(self.layout, split, depth=depth, **options)
        if self.variant not in WITH_TEXT:
            return PairedDomains(natural, None)
        comics = comics_frames(self.layout, split, with_text_maps=True, **options)
        return PairedDomains(natural, comics)

    def reads(self) -> list[Path]:
        photographs = [self.layout.photographs, self.layout.photograph_depth]
        return [*photographs, *self.translator_runs().values()]

    def translator_runs(self) -> dict[str, Path]:
        """Role -> the folder of the run whose network plays it."""
        tagged = partial(self.layout.tagged_run, "natural2comics", tag=self.tag)
        variants = TRANSLATIONS[self.variant].items()
        return {role: tagged(variant=variant) for role, variant in variants}

    def translators(self) -> tuple[dict[str, nn.Module], dict[str, Path]]:
        """The frozen networks through which the variant sees photographs, and their checkpoints."""
        networks = {}
        files = {}
        for role, folder in self.translator_runs().items():
            variant = TRANSLATIONS[self.variant][role]
            command = f"`python cyclegan_natural2comics.py {variant} --train`"
            files[role] = finished_run(folder, command)
            network = "add_text" if variant == "add_text" else "natural2comics"
            networks[role] = load_network(files[role], network)
        return networks, files

    def inputs(self) -> dict[str, Path]:
        """The files that decide on the result: data, teacher, translators."""
        files = data_files(self.layout, with_text_maps=self.variant in WITH_TEXT)
        if self.layout.photograph_teacher.exists():
            files["teacher"] = self.layout.photograph_teacher
        return files | self.translators()[1]

    def fit(self, folder: Path, lr: float, options: TrainingOptions) -> list[dict]:
        """Trains a copy of the depth model at this rate; returns the records of its epochs."""
        model = depth_model(*self.source)
        if not model.trainable:
            raise UserError(
                f"--depth-model {self.source.name}: this file has no trainable weights; "
                "it can be a --teacher only"
            )
        task = self.task(model, lr)
        recorded = self.recorded | {"lr": lr, "epochs": options.epochs}
        recorded["depth_model"] = self.fingerprint
        return fit(
            task.objective,
            task.train,
            Run(folder, recorded, self.inputs(), self.restart),
            options,
            validate=task.validate,
            monitor="val_loss",
            pictures=task.pictures,
        )

    def task(self, model: DepthModel, lr: float) -> Task:
        networks, _ = self.translators()
        share = 0 if self.variant == "printed" else self.print_share
        objective = DepthTraining(
            model,
            lr,
            self.loss,
            **networks,
            ignore_text=self.variant == "add_text_ignoretext",
            augment=partial(printed, share=share) if share else None,
        )
        held_out = self.samples("validation", central_crops(self.image_size))
        return Task(
            objective,
            self.samples("train", random_crops(self.image_size)),
            depth_validation(objective, held_out, self.options.batch_size),
            sample_grid(objective, held_out),
        )

    def choice_record(self) -> dict[str, str]:
        """What a chosen learning rate belongs to."""
        files = {name: file_hash(path) for name, path in self.inputs().items()}
        return files | {"depth_model": self.fingerprint, "loss": self.loss}


@dataclass(frozen=True)
class OrderingStudent(Student):
    """A depth model that is to be fitted to the orderings of training frames; the orderings of
    validation frames choose rate and epoch."""

    def reads(self) -> list[Path]:
        return [self.layout.frames, self.layout.orderings, self.layout.text_maps]

    def inputs(self) -> dict[str, Path]:
        layout = self.layout
        files = {"frames": layout.manifest, "text": layout.text_choice}
        orderings = [frame_orderings(layout, split) for split in ("train", "validation")]
        files |= {path.name: path for found in orderings for path in found.values()}
        return {name: path for name, path in files.items() if path.exists()}

    def choice_record(self) -> dict[str, str]:
        digest = hashlib.sha256()
        for name, path in sorted(self.inputs().items()):
            digest.update(f"{name} {file_hash(path)}\n".encode())
        record = {"depth_model": self.fingerprint, "orderings": digest.hexdigest()}
        return record | {"regulariser": str(self.regulariser), "print_style": str(self.print_share)}

    def task(self, model: DepthModel, lr: float) -> Task:
        train = frame_orderings(self.layout, "train")
        before = AveragedDepth(depth_model(*self.source))
        where = (self.layout, list(train), before, self.fingerprint, default_device())
        options = {"resolution": self.image_size, "multiple": model.multiple}
        options |= {"print_share": self.print_share, "seed": self.options.seed}
        frames = frames_with_points(self.layout, train, starting_depth(*where), **options)
        objective = DepthOrdering(model, lr, self.regulariser)
        held_out = frame_orderings(self.layout, "validation")
        validate = ordering_validation(objective.networks["depth"], self.layout, held_out)
        return Task(objective, frames, validate, None)


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
    with written_atomically(path) as temporary:
        figure.savefig(temporary, dpi=110, bbox_inches="tight")


def train(student: Student, lr: float | None, choice: Path) -> None:
    """Trains at `lr`, or at the rate that the sweep chose for the same models, data and loss."""
    if lr is None:
        swept = student.variant.removesuffix("_ignoretext")
        command = f"`python depth_estimator.py {swept} --optimize_lr"
        chosen = read_json(needed(choice, f"{command}` (or give --lr)"))
        ours = student.choice_record()
        made_of = chosen.get("made_of", {})
        changed = sorted(name for name in {*ours, *made_of} if ours.get(name) != made_of.get(name))
        if changed:
            raise UserError(
                f"{choice}: the rate was chosen with another {', '.join(changed)}; "
                f"run {command} --restart`, or give --lr"
            )
        lr = chosen["lr"]
        print(f"{student.name}: learning rate {lr:g}, chosen by --optimize_lr of {swept}")
    student.fit(student.layout.run(student.name), lr, student.options)


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
