"""Depth networks from elsewhere: torch.hub, the transformers library, TorchScript files."""

import contextlib
import hashlib
import io
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from common.errors import UserError
from common.files import file_hash
from common.trust import check_trust
from models.checkpoints import check_sums, failures_named
from models.licences import licence

Normalisation = tuple[tuple[float, ...], tuple[float, ...]]  # mean and standard deviation

UNIT: Normalisation = ((0.0,) * 3, (1.0,) * 3)
HALF: Normalisation = ((0.5,) * 3, (0.5,) * 3)
HUB = "isl-org/MiDaS:454597711a62eabcbf7d1e89f3fb9f569051ac9b"
# networks for one square size, which costs the aspect ratio
SQUARE = [f"DPT_{name}" for name in ("SwinV2_L_384", "SwinV2_B_384", "SwinV2_T_256")]
SQUARE += ["DPT_Swin_L_384", "DPT_LeViT_224"]
HUB_MODELS = ["DPT_Large", "DPT_Hybrid", "DPT_Next_ViT_L_384"]
HUB_MODELS += [f"DPT_BEiT_{name}" for name in ("L_512", "L_384", "B_384")] + SQUARE
# Official weights of MiDaS v2.1, whose network is defined in models.midas.
RELEASE = "https://github.com/isl-org/MiDaS/releases/download/v2_1/"
OFFICIAL = {"MiDaS": "model-f6b98070.pt", "MiDaS_small": "model-small-70d6b9c8.pt"}
# networks of the transformers library that give metres without saying so in their configuration
METRIC_TYPES = ("glpn", "tipsv2_dpt", "zoedepth")
NEAREST = 0.01  # metres: the inverse of a depth is taken from there on


@dataclass
class ExternalNetwork:
    """A network and how it is to be fed: `convert` turns what it gives into inverse depth, sides
    are multiples of `multiple`, `resolution` bounds the long one (pixels), `square`: both."""

    network: nn.Module
    resolution: int
    normalisation: Normalisation
    multiple: int = 32
    square: bool = False
    convert: Callable[[Tensor], Tensor] | None = None


def official_weights(name: str) -> Any:
    """State dict of MiDaS v2.1, downloaded once; the beginning of the SHA-256 in the file's name is
    checked. Raises UserError without network."""
    source = RELEASE + OFFICIAL[name]
    cache = f"{torch.hub.get_dir()}/checkpoints"
    with failures_named(
        f"{name}: {source} cannot be downloaded; fetch it elsewhere and give --depth-weights "
        f"{OFFICIAL[name]} or put it into {cache}"
    ):
        return torch.hub.load_state_dict_from_url(
            source, map_location="cpu", check_hash=True, weights_only=True
        )


def downloads(name: str, weights: Path | None = None) -> list[str]:
    """What depth_model(name, weights) would fetch, as far as it is not here yet."""
    hub = Path(torch.hub.get_dir())
    if name in OFFICIAL and weights is None:
        cached = hub / "checkpoints" / OFFICIAL[name]
        return [] if cached.exists() else [RELEASE + OFFICIAL[name]]
    if name in HUB_MODELS:
        cached = hub / HUB.replace("/", "_").replace(":", "_")
        return [] if cached.exists() else [f"https://github.com/{HUB.partition(':')[0]}"]
    if name.startswith("hf:") and not Path(name.removeprefix("hf:")).is_dir():
        return [f"https://huggingface.co/{name.removeprefix('hf:')} (unless it is cached)"]
    return []


def check_code(name: str) -> None:
    """Raises UserError if the depth model `name` brings code that the user does not trust."""
    if name in HUB_MODELS:
        check_trust(name, HUB)
    elif Path(name).is_file() and is_torchscript(Path(name)):
        check_trust(name, file_hash(Path(name)))


def hub_network(name: str, pretrained: bool) -> ExternalNetwork:
    """One of HUB_MODELS. Its code is fetched the first time; raises UserError without network, or
    if the user does not trust that code."""
    check_trust(name, HUB)
    with failures_named(
        f"{name}: torch.hub could not load it from {HUB}; run it once with network"
    ):
        options = {"trust_repo": True, "skip_validation": True}
        network = torch.hub.load(HUB, name, pretrained=pretrained, **options)
    resolution = int(name[-3:]) if name[-3:].isdigit() else 384
    return ExternalNetwork(network, resolution, HALF, square=name in SQUARE)


def is_torchscript(path: Path) -> bool:
    """Whether a file is a TorchScript archive: torch.save writes zip archives too, but without
    constants."""
    with contextlib.suppress(Exception), zipfile.ZipFile(path) as archive:  # or it is damaged
        return any(name.endswith("/constants.pkl") for name in archive.namelist())
    return False


def torchscript_network(file: str) -> ExternalNetwork:
    """A TorchScript file that takes RGB in [0, 1] and gives log-disparity. Raises UserError, also
    if the user does not trust its code, which could do anything with the files here."""
    content = Path(file).read_bytes()  # once: what is loaded is what is trusted
    check_trust(file, hashlib.sha256(content).hexdigest())
    expected = f"{file}: expected a TorchScript file, found one that does not load"
    with failures_named(expected), warnings.catch_warnings():
        check_sums(io.BytesIO(content))
        warnings.simplefilter("ignore")  # since torch 2.15: that torch.jit as a whole is deprecated
        network = torch.jit.load(io.BytesIO(content), map_location="cpu")
    return ExternalNetwork(network, 384, UNIT, convert=torch.exp)


def transformers_network(name: str, pretrained: bool) -> ExternalNetwork:
    """A depth-estimation model of the transformers library, `hf:<repo id or folder>`, normalised
    and sized as its image processor says. Raises UserError."""
    repository = name.removeprefix("hf:")
    with failures_named(
        f"{name}: expected the transformers library; pip install -r requirements-hf.txt"
    ):
        from transformers import AutoConfig, AutoImageProcessor, AutoModelForDepthEstimation
    absent = []
    no_code = {"trust_remote_code": False}  # of the repository: it would be asked for else
    with failures_named(f"{name}: expected a depth-estimation model"):
        config = AutoConfig.from_pretrained(repository, **no_code)
        processor = AutoImageProcessor.from_pretrained(repository, **no_code)
        if pretrained:
            network, loaded = AutoModelForDepthEstimation.from_pretrained(
                repository, output_loading_info=True, **no_code
            )
            absent = sorted(k for k in loaded["missing_keys"] if "head" in k.split(".")[0])
        else:
            network = AutoModelForDepthEstimation.from_config(config, **no_code)
    if absent:  # the library has filled them with random numbers
        raise UserError(
            f"{name}: expected weights of a depth-estimation model, found none for {absent[0]}"
        )
    if pretrained:
        print(f"{name}: licence {licence(name)}")
    sides = dict(getattr(processor, "size", None) or {}).values()
    # A DPT on a vision transformer of its own takes square images only.
    own_transformer = config.model_type == "dpt" and (
        config.is_hybrid or config.backbone_config is None
    )
    normalisation = UNIT
    if getattr(processor, "do_normalize", None):
        normalisation = (tuple(processor.image_mean), tuple(processor.image_std))
    multiple = getattr(processor, "ensure_multiple_of", None)
    multiple = multiple or getattr(processor, "size_divisor", None) or 32
    # A DPT with that projection has DINOv2 as its backbone and was trained on metres.
    metric = (
        config.model_type in METRIC_TYPES
        or getattr(config, "depth_estimation_type", None) == "metric"
        or getattr(config, "add_projection", False)
    )
    return ExternalNetwork(
        network,
        max(sides, default=384),
        normalisation,
        multiple=int(multiple) if multiple > 1 else 32,
        square=own_transformer,
        convert=inverse_of_metres if metric else None,
    )


def inverse_of_metres(depth: Tensor) -> Tensor:
    return 1 / depth.clamp_min(NEAREST)
