"""Depth models that are to be fitted: to which data, through which translations."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

from torch import nn
from torch.utils.data import Dataset

from comics_depth.cli import ModelSource
from comics_depth.data.datasets import PairedDomains, WithPhotographs
from comics_depth.data.prepared import (
    comics_frames,
    data_files,
    frame_orderings,
    frames_with_points,
    photographs,
)
from comics_depth.data.transforms import View, as_print, central_crops, printed, random_crops
from comics_depth.evaluation.orderings import ordering_validation, starting_depth
from comics_depth.paths import Layout, run_name
from comics_depth.training.devices import default_device, processes
from comics_depth.training.loop import TrainingOptions, fit
from comics_depth.training.run import Run, finished_run
from comics_depth.training.samples import depth_validation, sample_grid
from common.errors import UserError
from common.files import file_hash
from models.checkpoints import load_network, model_fingerprint
from models.depth_model import AveragedDepth, DepthModel, depth_model
from models.depth_objectives import DepthOrdering, DepthTraining
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
    regulariser, translated: weight of the depth from before, and the share of frames with a
    translated photograph beside them, of `orderings`; recorded: the options of the command, for the
    record of the run; interpolate: share of the fitted weights in the network that is kept."""

    layout: Layout
    variant: str
    tag: str | None
    source: ModelSource
    loss: str | None
    image_size: int
    print_share: float
    regulariser: float | None
    translated: float
    interpolate: float
    options: TrainingOptions
    recorded: dict[str, Any]
    restart: bool

    @property
    def name(self) -> str:
        return run_name("depth_estimator", self.variant, self.tag)

    @property
    def translations(self) -> dict[str, str]:
        """Role -> variant of natural2comics whose network plays it."""
        return TRANSLATIONS[self.variant]

    @property
    def fingerprint(self) -> str:
        return model_fingerprint(*self.source)

    def samples(self, split: str, view: View) -> PairedDomains:
        """Photographs with inverse depth, and comics frames with text maps for the variants that
        add text."""
        if self.variant == "printed":
            view = replace(view, colours=as_print)
        options = {"view": view, "seed": self.options.seed}
        depth = self.layout.photograph_depth
        natural = photographs(self.layout, split, depth=depth, **options)
        if self.variant not in WITH_TEXT:
            return PairedDomains(natural, None)
        comics = comics_frames(self.layout, split, with_text_maps=True, **options)
        return PairedDomains(natural, comics)

    def reads(self) -> list[Path]:
        photographs = [self.layout.photographs, self.layout.photograph_depth]
        return [*photographs, *self.translator_runs.values()]

    @cached_property
    def translator_runs(self) -> dict[str, Path]:
        """Role -> the folder of the run whose network plays it."""
        tagged = partial(self.layout.tagged_run, "natural2comics", tag=self.tag)
        return {role: tagged(variant=variant) for role, variant in self.translations.items()}

    def translator_files(self) -> dict[str, Path]:
        """Role -> the checkpoint of the network through which the variant sees photographs."""
        files = {}
        for role, folder in self.translator_runs.items():
            command = f"`python cyclegan_natural2comics.py {self.translations[role]} --train`"
            files[role] = finished_run(folder, command)
        return files

    def translators(self) -> dict[str, nn.Module]:
        """Role -> that network."""
        networks = {"translator": "natural2comics", "text_adder": "add_text"}
        files = self.translator_files().items()
        return {role: load_network(path, networks[role]) for role, path in files}

    def inputs(self) -> dict[str, Path]:
        """The files that decide on the result: data, teacher, translators."""
        files = data_files(self.layout, with_text_maps=self.variant in WITH_TEXT)
        if self.layout.photograph_teacher.exists():
            files["teacher"] = self.layout.photograph_teacher
        return files | self.translator_files()

    def fit(
        self, folder: Path, lr: float, options: TrainingOptions, fitting: Callable = fit
    ) -> list[dict]:
        """Trains a copy of the depth model at this rate; returns the records of its epochs, or what
        `fitting` does with the same arguments."""
        model = depth_model(*self.source)
        if not model.trainable:
            raise UserError(
                f"--depth-model {self.source.name}: this file has no trainable weights; "
                "it can be a --teacher only"
            )
        task = self.task(model, lr)
        recorded = self.recorded | {"lr": lr, "epochs": options.epochs}
        recorded["depth_model"] = self.fingerprint
        return fitting(
            task.objective,
            task.train,
            Run(folder, recorded, self.inputs(), self.restart),
            options,
            validate=task.validate,
            monitor="val_loss",
            pictures=task.pictures,
        )

    def task(self, model: DepthModel, lr: float) -> Task:
        share = 0 if self.variant == "printed" else self.print_share
        objective = DepthTraining(
            model,
            lr,
            self.loss,
            **self.translators(),
            ignore_text=self.variant == "add_text_ignoretext",
            augment=partial(printed, share=share) if share else None,
            interpolate=self.interpolate,
        )
        held_out = self.samples("validation", central_crops(self.image_size))
        return Task(
            objective,
            self.samples("train", random_crops(self.image_size)),
            depth_validation(objective, held_out, self.options.batch_size, self.options.workers),
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

    @property
    def translations(self) -> dict[str, str]:
        return TRANSLATIONS["simple"] if self.translated else {}

    def reads(self) -> list[Path]:
        own = [self.layout.frames, self.layout.orderings, self.layout.text_maps]
        return own + (super().reads() if self.translated else [])

    def inputs(self) -> dict[str, Path]:
        layout = self.layout
        files = {"frames": layout.manifest, "text": layout.text_choice}
        orderings = [frame_orderings(layout, split) for split in ("train", "validation")]
        files |= {path.name: path for found in orderings for path in found.values()}
        files = {name: path for name, path in files.items() if path.exists()}
        return files | (super().inputs() if self.translated else {})

    def choice_record(self) -> dict[str, str]:
        digest = hashlib.sha256()
        for name, path in sorted(self.inputs().items()):
            digest.update(f"{name} {file_hash(path)}\n".encode())
        weights = {"regulariser": self.regulariser, "print_style": self.print_share}
        weights |= {"translated": self.translated} if self.translated else {}
        record = {"depth_model": self.fingerprint, "orderings": digest.hexdigest()}
        return record | {name: str(weight) for name, weight in weights.items()}

    def task(self, model: DepthModel, lr: float) -> Task:
        translators = self.translators()
        natural = None
        if self.translated:
            natural = self.samples("train", random_crops(self.image_size)).natural
        train = frame_orderings(self.layout, "train")
        before = AveragedDepth(depth_model(*self.source))
        where = (self.layout, list(train), before, self.fingerprint, default_device())
        options = {"resolution": self.image_size, "multiple": model.multiple}
        options |= {"print_share": self.print_share, "seed": self.options.seed}
        with processes().main_process_first():  # the others find it there
            depth = starting_depth(*where)
        frames = frames_with_points(self.layout, train, depth, **options)
        if natural:
            frames = WithPhotographs(frames, natural, self.translated)
        share = self.print_share
        augment = partial(printed, share=share) if share else None
        learnt = {"augment": augment, "interpolate": self.interpolate}
        objective = DepthOrdering(model, lr, self.regulariser, **translators, **learnt)
        held_out = frame_orderings(self.layout, "validation")
        validate = ordering_validation(objective.networks["depth"], self.layout, held_out)
        return Task(objective, frames, validate, None)
