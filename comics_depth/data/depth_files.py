"""Depth maps on disk: 16-bit PNG with scale and offset, exact floats on request; previews."""

import io
import json
from pathlib import Path

import cv2
import numpy as np
from PIL import PngImagePlugin

from comics_depth.images import check_size, open_image, write_image
from common.errors import UserError
from common.files import regular, write_bytes


def write_depth(path: Path, inverse_depth: np.ndarray, floats: bool = False) -> None:
    """Writes inverse depth (H, W), any range, larger = nearer, as a 16-bit PNG over its own range;
    its text chunk `inverse_depth` holds {scale, offset}: inverse depth = scale * value + offset.
    `floats` adds `<path>.npy`, else deleted. Raises ValueError if a value is not finite."""
    depth = np.asarray(inverse_depth, dtype=np.float64)
    if depth.ndim != 2 or not np.isfinite(depth).all():
        raise ValueError(f"{path}: expected a finite (H, W) array, got shape {depth.shape}")
    low = float(depth.min())
    scale = float(np.ptp(depth)) / 65535 or 1.0
    note = PngImagePlugin.PngInfo()
    note.add_text("inverse_depth", json.dumps({"scale": scale, "offset": low}))
    exact = path.with_name(path.stem + ".npy")
    if floats:
        content = io.BytesIO()
        np.save(content, depth.astype(np.float32))
        write_bytes(exact, content.getbuffer())
    else:
        exact.unlink(missing_ok=True)  # of an earlier prediction: readers prefer it
    # level 6 takes three times as long for files that are 5 % smaller
    values = np.round((depth - low) / scale).astype(np.uint16)
    write_image(path, values, pnginfo=note, compress_level=2)


def read_depth(path: Path) -> np.ndarray:
    """Inverse depth, float32 (H, W), of `.npy` or an 8- or 16-bit PNG (ours: in its units;
    anybody's: grey values of the first channel). Raises UserError naming a broken file."""
    try:
        if path.suffix == ".npy":
            depth = np.load(regular(path), allow_pickle=False).astype(np.float32).squeeze()
        else:
            with open_image(path, ("PNG",)) as image:
                check_size(path, image)
                note = json.loads(image.info.get("inverse_depth", "{}"))
                values = np.asarray(image.convert("RGB") if image.mode == "P" else image)
            values = values[..., 0] if values.ndim == 3 else values
            depth = values * float(note.get("scale", 1)) + float(note.get("offset", 0))
            depth = depth.astype(np.float32)
    except UserError:
        raise
    except Exception as error:  # readers of foreign files fail in any way
        raise UserError(f"{path}: not a readable depth map ({error})") from error
    if depth.ndim != 2 or not np.isfinite(depth).all():
        raise UserError(f"{path}: expected finite depth (H, W), found shape {depth.shape}")
    return depth


def preview(inverse_depth: np.ndarray) -> np.ndarray:
    """Colours for people, uint8 (H, W, 3): bright = near, between the 1st and 99th percentile."""
    low, high = np.percentile(inverse_depth, (1, 99))
    grey = np.clip((inverse_depth - low) / max(high - low, 1e-12), 0, 1)
    return cv2.applyColorMap((grey * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1].copy()
