"""Predictions of a network for every frame, written to disk and never mixed with those of another
network."""

import argparse
from collections.abc import Callable

import numpy as np
import torch
from tqdm import tqdm

from comics_depth.data.depth_files import preview, write_depth
from comics_depth.data.prepared import frame_names
from comics_depth.data.tensors import image_tensor
from comics_depth.images import read_image, write_image
from common.errors import UserError
from common.files import file_hash, read_json, write_json


def predict_frames(
    args: argparse.Namespace,
    predict: Callable[[np.ndarray], np.ndarray],
    provenance: dict,
    names: list[str] | None = None,
) -> None:
    """Writes inverse depth for the run `args.run`: of the frames `names`, or of every validation
    and test frame, with or without an ordering.

    predict: RGB uint8 (H, W, 3) -> inverse depth (H, W). `provenance` says what made them (names,
    hashes); frames made by the same of the same frames are skipped, others are made again; colour
    pictures go to `previews/`. args: --floats adds exact floats, --restart makes all again."""
    layout, folder = args.layout, args.layout.predictions(args.run)
    names = frame_names(layout, "validation", "test") if names is None else names
    note = folder / "made_by.json"
    provenance = provenance | {
        "frames": file_hash(layout.manifest) if layout.manifest.exists() else None
    }
    if args.restart or not note.exists() or read_json(note) != provenance:
        for path in folder.rglob(
            "*"
        ):  # also of frames that are not wanted now: the note speaks for all of them
            if path.suffix in (".png", ".npy", ".jpg"):
                path.unlink()
        write_json(note, provenance)
    wanted = (".png", ".npy") if args.floats else (".png",)
    missing = [
        name
        for name in names
        if not all((folder / f"{name}{suffix}").exists() for suffix in wanted)
    ]
    if not missing:
        print(f"{folder}: {len(names)} predictions are there already; nothing to do")
        return
    for name in tqdm(missing, desc=f"depth of frames, {args.run}", disable=None):
        depth = predict(read_image(layout.frame(name)))
        if not np.isfinite(depth).all():
            raise UserError(
                f"{args.run}: the depth of {name} has values that are not finite; train or give"
                " another model"
            )
        write_depth(folder / f"{name}.png", depth, args.floats)
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
