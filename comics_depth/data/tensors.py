"""Images between uint8 arrays (H, W, 3), uint8 tensors and float tensors (3, H, W)."""

from typing import Any

import numpy as np
import torch


def float_tensor(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))


def as_floats(batch: Any) -> Any:
    """A batch, dicts and lists of tensors, with what is uint8 (images, masks) as floats in [0, 1]:
    to be called on the device, where a quarter of the bytes goes."""
    if isinstance(batch, dict):
        return {key: as_floats(value) for key, value in batch.items()}
    if isinstance(batch, list):
        return [as_floats(value) for value in batch]
    is_image = isinstance(batch, torch.Tensor) and batch.dtype == torch.uint8
    # batch / 255 gives the same in two to three times the time
    return batch.float().div_(255) if is_image else batch


def image_tensor(image: np.ndarray, device: torch.device | str = "cpu") -> torch.Tensor:
    """uint8 (H, W, 3) as float (1, 3, H, W) in [0, 1]."""
    return float_tensor(image.transpose(2, 0, 1)[None] / np.float32(255)).to(device)


def image_array(images: torch.Tensor) -> np.ndarray:
    """Float (3, H, W) in [0, 1], or uint8, as uint8 (H, W, 3)."""
    if images.dtype != torch.uint8:
        images = (images.clamp(0, 1) * 255 + 0.5).byte()
    return images.permute(1, 2, 0).cpu().numpy()
