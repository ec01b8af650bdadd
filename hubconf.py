"""Depth networks of this repository for `torch.hub`: each gives a DepthModel, which takes RGB (N,
3, H, W) in [0, 1] and returns inverse depth (N, H, W), larger = nearer, scale and shift free."""

from models.depth_model import DepthModel, depth_model

dependencies = ["torch", "safetensors", "numpy", "msgspec"]


def default(resolution: int = 384) -> DepthModel:
    """For photographs. resolution: bound of the long side of what the network sees, pixels."""
    return depth_model("default", resolution=resolution)


def default_comics(resolution: int = 384) -> DepthModel:
    """For comics. resolution: bound of the long side of what the network sees, pixels."""
    return depth_model("default-comics", resolution=resolution)
