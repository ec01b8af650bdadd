"""The folder of a run: config.json, metrics.jsonl, samples/, last.pt, best.pt."""

import json
import platform
import shutil
from pathlib import Path
from typing import Any

import torch

from comics_depth.training.devices import processes
from common.errors import UserError
from common.files import file_hash, read_json, write_json, write_text

# Options that say where and how fast a run computes, not what: they may differ when it is resumed.
FREE_OPTIONS = {"workers", "dry_run", "restart", "data_root", "runs_root", "layout"}


class Run:
    """A run folder. Opening an existing one with other options than it was made with is an error,
    not a mixture."""

    def __init__(
        self, folder: Path, options: dict[str, Any], inputs: dict[str, Path] | None = None
    ):
        """options: every option of the command; inputs: files the run depends on, recorded by
        SHA-256."""
        self.folder, self.restart = folder, bool(options.get("restart"))
        recorded = {name: value for name, value in options.items() if name not in FREE_OPTIONS}
        self.config = {
            "options": json.loads(json.dumps(recorded, default=str, sort_keys=True)),
            "inputs": {name: file_hash(path) for name, path in sorted((inputs or {}).items())},
        }

    last = property(lambda self: self.folder / "last.pt")
    best = property(lambda self: self.folder / "best.pt")

    def open(self) -> dict | None:
        """Makes the folder, or returns the last checkpoint of an interrupted or finished run of the
        same options."""
        if self.restart and self.folder.exists() and processes().is_main_process:
            shutil.rmtree(self.folder)
        if (self.folder / "config.json").exists():
            found = read_json(self.folder / "config.json")
            for part in ("options", "inputs"):
                ours, theirs = self.config[part], found.get(part, {})
                differing = sorted(k for k in {*ours, *theirs} if ours.get(k) != theirs.get(k))
                if differing:
                    detail = ", ".join(
                        f"{k}: {theirs.get(k)} there, {ours.get(k)} now" for k in differing
                    )
                    raise UserError(
                        f"{self.folder} was trained with other {part} ({detail}); "
                        "--restart throws it away, --tag NAME keeps both"
                    )
        versions = {"python": platform.python_version(), "torch": torch.__version__}
        write_json(self.folder / "config.json", {**self.config, "versions": versions})
        return (
            torch.load(self.last, map_location="cpu", weights_only=True)
            if self.last.exists()
            else None
        )

    def log(self, record: dict) -> None:
        """Adds an epoch to metrics.jsonl, dropping what an interrupted run had written for it and
        for later ones."""
        kept = [entry for entry in read_metrics(self.folder) if entry["epoch"] < record["epoch"]]
        write_text(
            self.folder / "metrics.jsonl",
            "".join(json.dumps(entry) + "\n" for entry in [*kept, record]),
        )


def read_metrics(folder: Path) -> list[dict]:
    """The records of metrics.jsonl, one an epoch; empty if there is none yet."""
    path = folder / "metrics.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def finished_run(folder: Path, command: str) -> Path:
    """The checkpoint to use of a run: best.pt, or last.pt where nothing was chosen. Raises
    UserError naming `command` if the run is absent or unfinished."""
    metrics = read_metrics(folder)
    if not metrics or not metrics[-1].get("finished"):
        state = "is not finished" if metrics else "does not exist"
        raise UserError(f"{folder}: this run {state}; run first: {command}")
    best = folder / "best.pt"
    return best if best.exists() else folder / "last.pt"


def checkpoint_of(model: str, runs: Path) -> str:
    """The name or file of a depth model, or, of the folder of a run or its name in `runs`, its
    checkpoint. Raises UserError if the run is unfinished."""
    folders = [
        folder for folder in (Path(model), runs / model) if (folder / "config.json").exists()
    ]
    if not folders:
        return model
    return str(
        finished_run(folders[0], "the command that trains it, or give the path of a checkpoint")
    )
