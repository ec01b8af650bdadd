"""Depth models that are to be fitted: to which data, through which translations."""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from torch import nn

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

# variant of photographs -> role -> variant of natural2comics whose network plays it
TRANSLATIONS = {
    "simple": {"translator": "simple"},
    "add_text": {"translator": "without_text", "text_adder": "add_text"},
    "add_text_ignoretext": {"translator": "without_text", "text_adder": "add_text"},
    "printed": {},
}
NETWORKS = {"translator": "natural2comics", "text_adder": "add_text"}
ORDERINGS = "orderings"


@dataclass(frozen=True)
class Student:
    """A depth model that is to be fitted to photographs by a variant, and all that decides on the
    result but the learning rate: options of depth_estimator.py. recorded: those for the record of
    the run."""

    layout: Layout
    source: ModelSource
    options: TrainingOptions
    recorded: dict[str, Any]
    variant: str
    tag: str | None
    loss: str | None
    image_size: int
    print_style: float
    regulariser: float | None
    translated: float | None
    interpolate: float
    restart: bool

    @property
    def name(self) -> str:
        return run_name("depth_estimator", self.variant, self.tag)

    @property
    def translations(self) -> dict[str, str]:
        return TRANSLATIONS[self.variant]

    @property
    def with_text(self) -> bool:
        return "text_adder" in self.translations

    @property
    def fingerprint(self) -> str:
        return model_fingerprint(*self.source)

    def reads(self) -> list[Path]:
        photographs = [self.layout.photographs, self.layout.photograph_depth]
        return [*photographs, *self.translator_runs.values()]

    def inputs(self) -> dict[str, Path]:
        """The files that decide on the result: data, teacher, translators."""
        files = data_files(self.layout, with_text_maps=self.with_text)
        if self.layout.photograph_teacher.exists():
            files["teacher"] = self.layout.photograph_teacher
        return files | self.translator_files()

    def choice_record(self) -> dict[str, str]:
        """What a chosen learning rate belongs to."""
        files = {name: file_hash(path) for name, path in self.inputs().items()}
        return files | {"depth_model": self.fingerprint, "loss": self.loss}

    @cached_property
    def translator_runs(self) -> dict[str, Path]:
        tagged = partial(self.layout.tagged_run, "natural2comics", tag=self.tag)
        return {role: tagged(variant=variant) for role, variant in self.translations.items()}

    def translator_files(self) -> dict[str, Path]:
        """Role -> the checkpoint of the network through which the variant sees photographs."""
        command = "`python cyclegan_natural2comics.py {} --train`"
        return {
            role: finished_run(folder, command.format(self.translations[role]))
            for role, folder in self.translator_runs.items()
        }

    def translators(self) -> dict[str, nn.Module]:
        files = self.translator_files()
        return {role: load_network(path, NETWORKS[role]) for role, path in files.items()}

    def samples(self, split: str, view: View) -> PairedDomains:
        """Photographs with inverse depth, and comics frames with text maps for the variants that
        add text."""
        if self.variant == "printed":
            view = replace(view, colours=as_print)
        options = {"view": view, "seed": self.options.seed}
        depth = self.layout.photograph_depth
        natural = photographs(self.layout, split, depth=depth, **options)
        if not self.with_text:
            return PairedDomains(natural, None)
        comics = comics_frames(self.layout, split, with_text_maps=True, **options)
        return PairedDomains(natural, comics)

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
        run = Run(folder, recorded, self.inputs(), self.restart)
        return fit(run=run, options=options, monitor="val_loss", **task)

    def task(self, model: DepthModel, lr: float) -> dict[str, Any]:
        """What training.loop.fit is to train on what, and how it is measured."""
        share = 0 if self.variant == "printed" else self.print_style
        augment = partial(printed, share=share) if share else None
        ignore_text = self.variant == "add_text_ignoretext"
        options = {"augment": augment, "interpolate": self.interpolate, **self.translators()}
        objective = DepthTraining(model, lr, self.loss, ignore_text=ignore_text, **options)
        held_out = self.samples("validation", central_crops(self.image_size))
        batches = (self.options.batch_size, self.options.workers)
        return {
            "objective": objective,
            "train": self.samples("train", random_crops(self.image_size)),
            "validate": depth_validation(objective, held_out, *batches),
            "pictures": sample_grid(objective, held_out),
        }


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
        files = {"frames": self.layout.manifest, "text": self.layout.text_choice}
        for split in ("train", "validation"):
            files |= {path.name: path for path in frame_orderings(self.layout, split).values()}
        files = {name: path for name, path in files.items() if path.exists()}
        return files | (super().inputs() if self.translated else {})

    def choice_record(self) -> dict[str, str]:
        digest = hashlib.sha256()
        for name, path in sorted(self.inputs().items()):
            digest.update(f"{name} {file_hash(path)}\n".encode())
        record = {"depth_model": self.fingerprint, "orderings": digest.hexdigest()}
        record |= {"regulariser": str(self.regulariser), "print_style": str(self.print_style)}
        return record | ({"translated": str(self.translated)} if self.translated else {})

    def task(self, model: DepthModel, lr: float) -> dict[str, Any]:
        orderings = frame_orderings(self.layout, "train")
        held_out = frame_orderings(self.layout, "validation")
        share, seed = self.print_style, self.options.seed
        before = AveragedDepth(depth_model(*self.source))
        names = list(orderings)
        device = default_device()
        with processes().main_process_first():  # the others find it there
            depth = starting_depth(self.layout, names, before, self.fingerprint, device)
        views = {"resolution": self.image_size, "multiple": model.multiple}
        views |= {"print_share": share, "seed": seed}
        train = frames_with_points(self.layout, orderings, depth, **views)
        if self.translated:
            natural = self.samples("train", random_crops(self.image_size)).natural
            train = WithPhotographs(train, natural, self.translated)
        augment = partial(printed, share=share) if share else None
        options = {"augment": augment, "interpolate": self.interpolate, **self.translators()}
        objective = DepthOrdering(model, lr, self.regulariser, **options)
        network = objective.networks["depth"]
        validate = ordering_validation(network, self.layout, held_out)
        return {"objective": objective, "train": train, "validate": validate}
