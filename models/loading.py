"""Networks back from the checkpoints of the training loop."""

from pathlib import Path

import torch
from torch import nn

from models.depth import ModelError, rebuild
from models.translation import PatchGAN, ResnetGenerator
from models.unet import UNet

KINDS = {kind.__name__: kind for kind in (ResnetGenerator, PatchGAN, UNet)}


def load_network(path: Path, name: str) -> nn.Module:
    """The network `name` of a checkpoint, on the CPU, in evaluation mode, without gradients. Raises ModelError if the
    file is no checkpoint of ours or holds no such network."""
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        architecture, weights = dict(checkpoint["architecture"][name]), checkpoint["networks"][name]
    except Exception as error:
        raise ModelError(
            f"{path}: expected a checkpoint with the network {name!r} ({type(error).__name__}: {error})"
        ) from error
    kind = KINDS.get(architecture["kind"])
    if kind is None:
        network = rebuild(architecture)
    else:
        network = kind(**{k: v for k, v in architecture.items() if k not in ("kind", "whole_comics")})
        network.architecture = architecture
    network.load_state_dict(weights)
    return network.eval().requires_grad_(False)
