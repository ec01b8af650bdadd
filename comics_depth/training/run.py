"""The folder of a run: config.json, metrics.jsonl, samples/, last.pt, best.pt."""

import json
import platform
from pathlib import Path
from typing import Any, TypedDict

import torch

from comics_depth.training.devices import processes
from common.errors import UserError
from common.files import (
    empty,
    file_hash,
    lines_of,
    lock,
    parse_json,
    read_json,
    write_json,
    write_text,
)
from models.checkpoints import failures_named, read_weights

# Options that say where and how fast a run computes, not what: they may differ on resuming.
FREE_OPTIONS = {"workers", "restart", "accumulate"}


class RunConfig(TypedDict):
    """What config.json holds and a run is compared by: options, and SHA-256 of input files."""

    options: dict[str, Any]
    inputs: dict[str, str]


class Run:
    """A run folder, bound to the options of its command and to the SHA-256 of its input files;
    `restart` throws away what is there. `previous` is the checkpoint before the last one, for when
    that is damaged or was being replaced."""

    def __init__(
        self,
        folder: Path,
        options: dict[str, Any],
        inputs: dict[str, Path] | None = None,
        restart: bool = False,
    ):
        self.folder = folder
        self.restart = restart
        self.last = folder / "last.pt"
        self.previous = folder / "previous.pt"
        self.best = folder / "best.pt"
        recorded = {name: value for name, value in options.items() if name not in FREE_OPTIONS}
        self.config = {
            "options": json.loads(json.dumps(recorded, default=str, sort_keys=True)),
            "inputs": {name: file_hash(path) for name, path in sorted((inputs or {}).items())},
        }

    def state(self, rank: int, epoch: int) -> Path:
        """What the objective of a process other than the first remembers after an epoch."""
        return self.folder / f"state_{rank}_{epoch}.pt"

    def open(self) -> dict | None:
        """Makes the folder, or returns the last checkpoint of an interrupted or finished run.
        Raises UserError if that run had other options or inputs."""
        if processes().is_main_process:
            lock(self.folder)
            if self.restart:
                empty(self.folder)
        config = self.folder / "config.json"
        if config.exists():
            self.compare(read_json(config, RunConfig))
        versions = {"python": platform.python_version(), "torch": torch.__version__}
        write_json(config, {**self.config, "versions": versions})
        if not self.last.exists() and not self.previous.exists():
            return None
        try:
            return read_weights(self.last)
        except UserError as error:
            if not self.previous.exists():
                raise
            print(f"{error}: taking {self.previous.name}, an epoch before", flush=True)
            checkpoint = read_weights(self.previous)
            self.last.unlink(missing_ok=True)  # or it would become the one before
            return checkpoint

    def compare(self, before: RunConfig) -> None:
        for part, ours in self.config.items():
            # A run at a constant rate can be made longer: its epochs do not depend on their number.
            free = {"epochs"} if ours.get("schedule") == "constant" else set()
            theirs = before[part]
            names = sorted({*ours, *theirs} - free)
            differing = [name for name in names if ours.get(name) != theirs.get(name)]
            if differing:
                detail = ", ".join(
                    f"{name}: {theirs.get(name)} there, {ours.get(name)} now" for name in differing
                )
                raise UserError(
                    f"{self.folder} was trained with other {part} ({detail}); "
                    "--restart throws it away, --tag NAME keeps both"
                )

    def log(self, record: dict) -> None:
        """Adds an epoch to metrics.jsonl, dropping what an interrupted run had written for it and
        for later ones."""
        kept = [entry for entry in read_metrics(self.folder) if entry["epoch"] < record["epoch"]]
        lines = [json.dumps(entry) + "\n" for entry in [*kept, record]]
        write_text(self.folder / "metrics.jsonl", "".join(lines))


def read_metrics(folder: Path) -> list[dict]:
    """The records of metrics.jsonl, one an epoch; empty if there is none yet."""
    path = folder / "metrics.jsonl"
    lines = lines_of(path) if path.exists() else []
    records = [parse_json(line, dict[str, Any], path) for _, line in lines]
    if any(not isinstance(record.get("epoch"), int) for record in records):
        raise UserError(f"{path}: damaged, a line has no epoch; --restart throws the run away")
    return records


def summary(record: dict) -> str:
    """The record of an epoch in one line."""
    shown = {name: value for name, value in record.items() if name != "curve"}
    return "  ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in shown.items()
    )


def finished_run(folder: Path, command: str) -> Path:
    """The checkpoint to use of a run: best.pt, or last.pt where nothing was chosen. Raises
    UserError naming `command` if the run is absent or unfinished."""
    last = folder / "last.pt"
    if not last.exists():
        raise UserError(f"{folder}: this run does not exist; run first: {command}")
    try:
        checkpoint = read_weights(last)
    except UserError as error:
        raise UserError(f"{error}; run again, to go on from the epoch before: {command}") from error
    with failures_named(f"{last}: expected the checkpoint of a training"):
        finished = checkpoint["epoch"] >= checkpoint["epochs"]
    if not finished:
        raise UserError(f"{folder}: this run is not finished; run first: {command}")
    best = folder / "best.pt"
    return best if best.exists() else last


def checkpoint_of(model: str, runs: Path) -> str:
    """The name or file of a depth model, or, of the folder of a run or its name in `runs`, its
    checkpoint. Raises UserError if the run is unfinished."""
    for folder in (Path(model), runs / model):
        if (folder / "config.json").exists():
            return str(finished_run(folder, "the command that trains it, or give a checkpoint"))
    return model
