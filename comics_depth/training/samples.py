"""What is measured and drawn of held-out samples after every epoch of a training."""

from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, default_collate

from comics_depth.data.depth_files import preview
from comics_depth.data.tensors import as_floats, image_array
from comics_depth.images import label
from comics_depth.training.loading import data_loader


def to_device(batch: dict[str, dict], device: torch.device) -> dict[str, dict[str, torch.Tensor]]:
    """A batch of PairedDomains on the device, its images as floats, without the names."""
    moved = {d: {k: v.to(device) for k, v in s.items() if k != "name"} for d, s in batch.items()}
    return as_floats(moved)


def depth_validation(
    objective, held_out: Dataset, batch_size: int, workers: int | None = 0
) -> Callable[[torch.device], dict[str, float]]:
    """val_loss: loss of a DepthTraining on `held_out`; val_ordinal: the share of random pairs of
    pixels that are in the order of the given depth, mean over images (those of constant depth left
    out; absent if all are)."""

    @cache
    def loader(device: torch.device) -> DataLoader:
        return data_loader(held_out, batch_size, workers, device)

    def validate(device: torch.device) -> dict[str, float]:
        losses, ordinal = [], []
        for batch in loader(device):
            batch = to_device(batch, device)
            loss, predicted = objective.measure(batch)
            losses += [float(loss)] * len(predicted)
            a, b = torch.randint(
                predicted[0].numel(), (2, 2000), generator=torch.Generator().manual_seed(0)
            ).to(device)
            signs = [
                (d[:, a] - d[:, b]).sign()
                for d in (predicted.flatten(1), batch["natural"]["depth"].flatten(1))
            ]
            for mine, theirs in zip(*signs, strict=True):
                if theirs.any():
                    ordinal.append(float((mine == theirs)[theirs != 0].float().mean()))
        return {
            "val_loss": float(np.mean(losses)),
            **({"val_ordinal": float(np.mean(ordinal))} if ordinal else {}),
        }

    return validate


def sample_grid(objective, held_out: Dataset) -> Callable[[torch.device], np.ndarray]:
    """objective.pictures(batch) of the same four samples after every epoch, side by side under
    their titles: images (N, 3, H, W) in [0, 1] as they are, inverse depth (N, H, W) in colours."""
    batch = default_collate([held_out[index % len(held_out)] for index in range(4)])

    def draw(picture: torch.Tensor) -> np.ndarray:
        return image_array(picture) if picture.ndim == 3 else preview(picture.cpu().numpy())

    def pictures(device: torch.device) -> np.ndarray:
        columns = objective.pictures(to_device(batch, device))
        drawn = [
            label(np.vstack([draw(picture.float()) for picture in column]), title)
            for title, column in columns
        ]
        return np.hstack(drawn)

    return pictures
