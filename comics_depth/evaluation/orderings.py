"""Depth models and orderings: how well they agree, the depth that an ordering training keeps, and
the frames that are worth ordering."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypedDict

import numpy as np
import torch
from tqdm import tqdm

from comics_depth.cli import ModelSource
from comics_depth.data.depth_files import write_depth
from comics_depth.data.orderings import read_ordering
from comics_depth.data.tensors import image_tensor
from comics_depth.evaluation.metrics import KINDS, count_pairs, share_right
from comics_depth.evaluation.predicting import as_predictor, empty_of_others
from comics_depth.images import read_image
from comics_depth.paths import Layout
from comics_depth.training.devices import default_device
from common.files import file_hash, lock, read_json, unlock, write_json
from models.checkpoints import model_fingerprint
from models.depth_model import AveragedDepth, depth_model


def score_orderings(
    model: torch.nn.Module,
    layout: Layout,
    orderings: Mapping[str, Path],
    device: torch.device,
) -> dict[str, float]:
    """Kind of pair -> share in the right order, mean over the frames that have such pairs.
    orderings: frame -> file."""
    predict = as_predictor(model, device)
    counts = []
    for name, path in orderings.items():
        depth = predict(read_image(layout.frame(name)))
        counts.append(count_pairs(depth, read_ordering(path), name))
    means = [share_right(of_kind)["mean"] for of_kind in np.stack(counts, axis=1)]
    return {kind: mean for kind, mean in zip(KINDS, means, strict=True) if mean is not None}


def ordering_validation(
    model: torch.nn.Module, layout: Layout, orderings: Mapping[str, Path]
) -> Callable[[torch.device], dict[str, float]]:
    """val_<kind> of score_orderings, and val_loss: the share of inter-objects pairs in wrong
    order."""

    def validate(device: torch.device) -> dict[str, float]:
        scores = score_orderings(model, layout, orderings, device)
        shares = {f"val_{kind}": share for kind, share in scores.items()}
        return {"val_loss": 1 - scores["inter_objects"], **shares}

    return validate


def starting_depth(
    layout: Layout,
    names: list[str],
    model: torch.nn.Module,
    fingerprint: str,
    device: torch.device,
) -> Path:
    """The folder of `<frame>.png`, the depth that a model gives of the frames `names` before it
    learns; what is there of the same model and frames is kept."""
    folder = layout.starting_depth
    lock(folder)
    empty_of_others(folder, {"depth_model": fingerprint})
    missing = [name for name in names if not (folder / f"{name}.png").exists()]
    predict = as_predictor(model, device)
    for name in tqdm(missing, desc="depth before the orderings", disable=None):
        write_depth(folder / f"{name}.png", predict(read_image(layout.frame(name))))
    unlock(folder)
    return folder


class Measured(TypedDict):
    """How far which model disagrees with itself, by frame."""

    made_by: dict[str, str | None]
    disagreement: dict[str, float]


def most_uncertain(layout: Layout, names: list[str], source: ModelSource, count: int) -> list[str]:
    """The `count` frames on which the model disagrees most with itself
    (AveragedDepth.disagreement), the most first; `layout.uncertainty` keeps what was measured."""
    made_by = {"depth_model": model_fingerprint(*source)}
    made_by["frames"] = file_hash(layout.manifest) if layout.manifest.exists() else None
    before = read_json(layout.uncertainty, Measured) if layout.uncertainty.exists() else {}
    measured = before["disagreement"] if before.get("made_by") == made_by else {}
    missing = [name for name in names if name not in measured]
    if missing:
        device = default_device()
        shown = f"{len(missing)} of {len(names)} frames"
        print(f"disagreement of {source.name} with itself on {shown}, on {device}", flush=True)
        model = AveragedDepth(depth_model(*source)).eval().to(device)
    for name in tqdm(missing, desc="disagreement", disable=None):
        with torch.inference_mode():
            disagreement = model.disagreement(image_tensor(read_image(layout.frame(name)), device))
        measured[name] = round(float(disagreement), 6)
        write_json(layout.uncertainty, {"made_by": made_by, "disagreement": measured})
    return sorted(names, key=lambda name: -measured[name])[:count]
