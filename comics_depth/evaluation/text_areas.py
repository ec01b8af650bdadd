"""How well text is found: overlap with masks, what is chosen by it, pictures of it."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import nn
from torch.utils.data import Dataset
from tqdm import tqdm

from comics_depth.data.tensors import image_array
from comics_depth.images import write_figure
from comics_depth.pages.depth import text_map
from common.errors import UserError
from common.files import file_hash, read_json, write_json

Predicted = tuple[str, np.ndarray, np.ndarray, np.ndarray]


@torch.inference_mode()
def predicted_text(network: nn.Module, frames: Dataset, scale: float) -> Iterator[Predicted]:
    """(name, image uint8 (H, W, 3), soft map (H, W), mask (H, W)) of every frame at its own size;
    the network sees it at `scale`."""
    for sample in tqdm(frames, desc="text areas", leave=False, disable=None):
        image = image_array(sample["image"])
        mask = sample["text_mask"][0].numpy() >= 0.5
        yield sample["name"], image, text_map(network, image, scale), mask


def count_overlaps(
    network: nn.Module, frames: Dataset, scale: float, thresholds: Sequence[float]
) -> np.ndarray:
    """`overlap` of every frame, (frames, 2, T)."""
    found = predicted_text(network, frames, scale)
    return np.array([overlap(soft, mask, thresholds) for *_, soft, mask in found])


def overlap(soft: np.ndarray, mask: np.ndarray, thresholds: Sequence[float]) -> np.ndarray:
    """Pixels in intersection and union of the mask with soft >= threshold, (2, thresholds)."""
    limits = np.asarray(thresholds, dtype=soft.dtype)
    text = np.sort(soft[mask])
    rest = np.sort(soft[~mask])
    hits = len(text) - np.searchsorted(text, limits)
    false = len(rest) - np.searchsorted(rest, limits)
    return np.stack([hits, len(text) + false])


def intersection_over_union(counts: np.ndarray) -> float:
    """IoU of (intersection, union); 1 where neither prediction nor mask has text."""
    intersection, union = counts
    return float(intersection / union) if union else 1.0


def mean_over_frames(counts: np.ndarray) -> float:
    """Mean of the frames' IoU from counts (frames, 2)."""
    return float(np.mean([intersection_over_union(count) for count in counts]))


def marked_text(
    image: np.ndarray, soft: np.ndarray, threshold: float, mask: np.ndarray | None = None
) -> np.ndarray:
    """Frame, soft map and marked text side by side, uint8 (H, 3 W, 3)."""
    found = soft >= threshold
    truth = found if mask is None else mask
    marked = image // 3
    for area, colour in (
        (found & truth, (170, 40, 40)),  # red: found
        (truth & ~found, (40, 170, 40)),  # green: missed
        (found & ~truth, (40, 40, 170)),  # blue: found where there is none
    ):
        marked[area] += np.uint8(colour)
    grey = np.repeat((soft * 255).astype(np.uint8)[..., None], 3, 2)
    return np.hstack([image, grey, marked])


def plot_choice(
    path: Path, x: Sequence[float], curves: dict[str, Sequence[float]], chosen: float, label: str
) -> None:
    """Curves of the validation IoU by their names over `label`, with a line at what was chosen."""
    figure = Figure(figsize=(7, 4))
    axes = figure.subplots()
    for name, curve in curves.items():
        axes.plot(x, curve, label=name)
    axes.axvline(chosen, color="grey", linestyle=":", label="chosen")
    axes.set(ylim=(0, 1), xlabel=label, ylabel="validation IoU")
    axes.legend()
    write_figure(path, figure)


def read_choice(path: Path, network: Path) -> dict:
    """What was chosen for a network; what was chosen for another file does not count."""
    found = read_json(path, dict[str, float | str]) if path.exists() else {}
    if not isinstance(found.get("threshold", 0.5), float | int):
        raise UserError(f"{path}: damaged, the threshold is no number; choose it again")
    return found if found.get("network") == file_hash(network) else {}


def store_choice(path: Path, network: Path, **chosen: float) -> None:
    before = read_choice(path, network)
    write_json(path, {**before, "network": file_hash(network), **chosen})
