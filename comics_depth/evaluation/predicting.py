"""Prediction sets: depth of every frame by one network, never mixed with that of another."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from comics_depth.data.depth_files import preview, write_depth
from comics_depth.data.prepared import frame_names
from comics_depth.data.tensors import image_tensor
from comics_depth.images import read_image, write_image
from comics_depth.parallel import in_a_thread
from comics_depth.paths import Layout
from comics_depth.training.devices import memory_format
from common.errors import UserError
from common.files import file_hash, lock, read_json, write_json
from common.ranks import my_share, refuse_several

# RGB uint8 (H, W, 3) -> inverse depth (H, W)
Predictor = Callable[[np.ndarray], np.ndarray]


def predict_frames(
    layout: Layout,
    run_name: str,
    predictor: Predictor,
    made_by: dict,
    names: list[str] | None = None,
    *,
    floats: bool = False,
    restart: bool = False,
) -> None:
    """Writes inverse depth, its exact `floats` if asked for, and colour pictures in `previews/`, to
    the prediction set `run_name`: of the frames `names`, or of every validation and test frame,
    with or without an ordering. Several processes share the frames (common.ranks).

    made_by: names and hashes of what predicts. Frames made by the same of the same frames are
    skipped, all others (or all, on `restart`) are made again. Raises UserError for depth that is
    not finite."""
    folder = layout.predictions(run_name)
    names = frame_names(layout, "validation", "test") if names is None else names
    frames = file_hash(layout.manifest) if layout.manifest.exists() else None
    made_by = made_by | {"frames": frames}
    lock(folder, shared=True)
    empty_of_others(folder, made_by, restart)
    names = my_share(names)
    wanted = ["{}.png", "previews/{}.jpg"] + ["{}.npy"] * floats
    missing = [
        name for name in names if not all((folder / one.format(name)).exists() for one in wanted)
    ]
    if not missing:
        print(f"{folder}: {len(names)} predictions are there already; nothing to do")
        return
    reading = in_a_thread(lambda name: read_image(layout.frame(name)), missing)
    title = f"depth of frames, {run_name}"
    bar = tqdm(reading, desc=title, total=len(missing), disable=None)
    depths = ((name, predictor(image.result())) for name, image in bar)
    for _, written in in_a_thread(partial(write_prediction, folder, floats), depths):
        written.result()
    print(f"{folder}: {len(missing)} predictions written, {len(names) - len(missing)} were there")


def write_prediction(folder: Path, floats: bool, predicted: tuple[str, np.ndarray]) -> None:
    name, depth = predicted
    if not np.isfinite(depth).all():
        raise UserError(f"{folder}: depth of {name} is not finite; train or give another model")
    write_depth(folder / f"{name}.png", depth, floats)
    write_image(folder / "previews" / f"{name}.jpg", preview(depth), quality=85)


def empty_of_others(folder: Path, made_by: dict, restart: bool = False) -> None:
    """Throws away what the folder holds (on `restart`, or of anything else than `made_by`), also of
    frames that are not wanted now: its note, made_by.json, speaks for all of them."""
    note = folder / "made_by.json"
    # listed before the note is read: what another process of this command writes has one
    there = [path for path in folder.rglob("*") if path.suffix in (".png", ".npy", ".jpg")]
    if restart or not note.exists() or read_json(note) != made_by:
        if there or restart:
            refuse_several(f"{folder} holds other predictions; replacing them")
        for path in there:
            path.unlink()
        write_json(note, made_by)


def as_predictor(model: torch.nn.Module, device: torch.device) -> Predictor:
    """RGB uint8 (H, W, 3) -> inverse depth (H, W), by a model of the DepthModel contract."""
    model.eval().to(device, memory_format=memory_format(model, device))

    @torch.inference_mode()
    def predict(image: np.ndarray) -> np.ndarray:
        return model(image_tensor(image, device))[0].float().cpu().numpy()

    return predict
