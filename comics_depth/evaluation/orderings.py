"""Depth models against the orderings of a split, and the depth that an ordering training keeps."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from comics_depth.data.depth_files import write_depth
from comics_depth.data.orderings import read_ordering
from comics_depth.evaluation.metrics import KINDS, count_pairs, share_right
from comics_depth.evaluation.predicting import as_predictor, empty_of_others
from comics_depth.images import read_image
from comics_depth.paths import Layout
from common.files import lock, unlock


def score_orderings(
    model: torch.nn.Module,
    layout: Layout,
    orderings: Mapping[str, Path],
    device: torch.device,
) -> dict[str, float]:
    """Kind of pair -> share in the right order, mean over the frames that have such pairs (kinds
    that no frame has are left out). orderings: frame -> file."""
    predict = as_predictor(model, device)
    counts = np.array(
        [
            count_pairs(predict(read_image(layout.frame(name))), read_ordering(path), name)
            for name, path in orderings.items()
        ]
    )
    means = {kind: share_right(counts[:, at])["mean"] for at, kind in enumerate(KINDS)}
    return {kind: mean for kind, mean in means.items() if mean is not None}


def ordering_validation(
    model: torch.nn.Module, layout: Layout, orderings: Mapping[str, Path]
) -> Callable[[torch.device], dict[str, float]]:
    """val_<kind> of score_orderings, and val_loss: the share of inter-objects pairs that are not in
    the right order."""

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
    """The folder of the depth `<frame>.png` that a model gives of the frames `names` before it
    learns their orderings; what is there of the same model and frames is kept."""
    folder = layout.starting_depth
    lock(folder)
    empty_of_others(folder, {"depth_model": fingerprint})
    missing = [name for name in names if not (folder / f"{name}.png").exists()]
    predict = as_predictor(model, device)
    for name in tqdm(missing, desc="depth before the orderings", disable=None):
        write_depth(folder / f"{name}.png", predict(read_image(layout.frame(name))))
    unlock(folder)
    return folder
