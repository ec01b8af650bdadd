"""Predictions of a network for every frame, written to disk and never mixed with those of another
network."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from comics_depth.data.depth_files import preview, write_depth
from comics_depth.data.prepared import frame_names
from comics_depth.data.tensors import image_tensor
from comics_depth.images import read_image, write_image
from comics_depth.paths import Layout
from common.errors import UserError
from common.files import file_hash, read_json, write_json


def predict_frames(
    layout: Layout,
    run_name: str,
    predictor: Callable[[np.ndarray], np.ndarray],
    made_by: dict[str, Any],
    names: list[str] | None = None,
    *,
    floats: bool = False,
    restart: bool = False,
) -> None:
    """Writes inverse depth under the name of a run: of the frames `names`, or of every validation
    and test frame, with or without an ordering; colour pictures go to `previews/`.

    predictor: RGB uint8 (H, W, 3) -> inverse depth (H, W). made_by: what made them (names, hashes);
    frames made by the same of the same frames are skipped, others are made again. floats: exact
    floats too; restart: make all again. Raises UserError if a value is not finite."""
    folder = layout.predictions(run_name)
    names = frame_names(layout, "validation", "test") if names is None else names
    note = folder / "made_by.json"
    frames = file_hash(layout.manifest) if layout.manifest.exists() else None
    made_by = made_by | {"frames": frames}
    if restart or not note.exists() or read_json(note) != made_by:
        # also of frames that are not wanted now: the note speaks for all of them
        for path in folder.rglob("*"):
            if path.suffix in (".png", ".npy", ".jpg"):
                path.unlink()
        write_json(note, made_by)
    suffixes = (".png", ".npy") if floats else (".png",)
    missing = [n for n in names if not all((folder / f"{n}{s}").exists() for s in suffixes)]
    if not missing:
        print(f"{folder}: {len(names)} predictions are there already; nothing to do")
        return
    for name in tqdm(missing, desc=f"depth of frames, {run_name}", disable=None):
        depth = predictor(read_image(layout.frame(name)))
        if not np.isfinite(depth).all():
            raise UserError(f"{run_name}: the depth of {name} is not finite; use another model")
        write_depth(folder / f"{name}.png", depth, floats)
        write_image(folder / "previews" / f"{name}.jpg", preview(depth), quality=85)
    print(f"{folder}: {len(missing)} predictions written, {len(names) - len(missing)} were there")


def as_predictor(
    model: torch.nn.Module, device: torch.device
) -> Callable[[np.ndarray], np.ndarray]:
    """RGB uint8 (H, W, 3) -> inverse depth (H, W), by a model of the DepthModel contract."""
    model.eval().to(device)

    @torch.inference_mode()
    def predict(image: np.ndarray) -> np.ndarray:
        return model(image_tensor(image, device))[0].float().cpu().numpy()

    return predict
