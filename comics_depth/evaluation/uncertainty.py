"""How far a depth model disagrees with itself on frames."""

from typing import TypedDict

import torch
from tqdm import tqdm

from comics_depth.cli import ModelSource
from comics_depth.data.tensors import image_tensor
from comics_depth.images import read_image
from comics_depth.paths import Layout
from comics_depth.training.devices import default_device
from common.files import file_hash, read_json, write_json
from models.checkpoints import model_fingerprint
from models.depth_model import AveragedDepth, depth_model


class Measured(TypedDict):
    """How far which model disagrees with itself, by frame."""

    made_by: dict[str, str | None]
    disagreement: dict[str, float]


def most_uncertain(layout: Layout, names: list[str], source: ModelSource, count: int) -> list[str]:
    """The `count` of the frames `names` on which the model disagrees most with itself (see
    AveragedDepth.disagreement), the most first. `layout.uncertainty` keeps what was measured of the
    same model and frames, so that an interruption costs one frame."""
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
