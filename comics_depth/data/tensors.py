"""Images between uint8 arrays (H, W, 3) and float tensors (3, H, W)."""

import numpy as np
import torch


def float_tensor(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))


def image_tensor(image: np.ndarray, device: torch.device | str = "cpu") -> torch.Tensor:
    """uint8 (H, W, 3) as float (1, 3, H, W) in [0, 1]."""
    return float_tensor(image.transpose(2, 0, 1)[None] / np.float32(255)).to(device)


def image_array(images: torch.Tensor) -> np.ndarray:
    """Float (3, H, W) in [0, 1] as uint8 (H, W, 3)."""
    return (images.clamp(0, 1) * 255 + 0.5).byte().permute(1, 2, 0).cpu().numpy()
