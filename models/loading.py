"""Networks back from the checkpoints of the training loop."""

from pathlib import Path

from torch import nn

from models.depth import WEIGHTS, load_strictly, read_checkpoint, rebuild
from models.translation import PatchGAN, ResnetGenerator
from models.unet import UNet

# The text-area network in this repository: for frames at half size.
TEXT_AREAS = WEIGHTS / "text_areas.safetensors"
NOTES = ("whole_comics", "threshold", "page_width")  # how a network is to be used, not what it is made of
KINDS = {kind.__name__: kind for kind in (ResnetGenerator, PatchGAN, UNet)}


def load_network(path: Path, name: str) -> nn.Module:
    """The network `name` of a checkpoint, on the CPU, in evaluation mode, without gradients. Raises ModelError if the
    file is no checkpoint of ours or holds no such network."""
    architecture, state = read_checkpoint(path, name)
    kind = KINDS.get(architecture.get("kind"))
    if kind is None:
        network = rebuild(architecture)
    else:
        network = kind(**{key: value for key, value in architecture.items() if key not in ("kind", *NOTES)})
        network.architecture = architecture
    load_strictly(network, state, path)
    return network.eval().requires_grad_(False)
