"""Networks to and from files: checkpoints of the training loop, and the networks in this
repository."""

import contextlib
import io
import json
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import nn

from common.errors import UserError
from common.files import file_hash, lines_of, write_bytes, write_text
from models.cyclegan import PatchGAN, ResnetGenerator
from models.unet import UNet

WEIGHTS = Path(__file__).with_name("weights")
SHIPPED = {path.stem: path for path in sorted(WEIGHTS.glob("default*.safetensors"))}
TEXT_AREAS = WEIGHTS / "text_areas.safetensors"  # for frames at half size
PAGE_NETWORK = WEIGHTS / "page.safetensors"  # inside a panel, text
SUMS = "SHA256SUMS"  # beside safetensors, whose format has no checksums
# In an architecture: how the network is to be used, not what it is made of.
NOTES = ("whole_comics", "threshold", "page_width")
KINDS = {kind.__name__: kind for kind in (ResnetGenerator, PatchGAN, UNet)}


@contextlib.contextmanager
def failures_named(message: str) -> Iterator[None]:
    """Whatever fails inside (readers of foreign files fail in any way) is a UserError."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        reason = (str(error).strip() or "no reason given").splitlines()[0]
        raise UserError(f"{message} ({type(error).__name__}: {reason})") from error


def save_checkpoint(path: Path, checkpoint: dict) -> None:
    """Writes it; the same values give the same bytes, also where some of them were read from a
    checkpoint."""
    content = io.BytesIO()
    torch.save(_unshared(checkpoint), content)
    write_bytes(path, content.getbuffer())


def _unshared(value: Any) -> Any:
    """The value made anew of dicts, lists and tuples of its own, with one object for each word:
    pickle writes an object that comes again as a reference."""
    if isinstance(value, dict):
        return {_unshared(key): _unshared(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_unshared, value))
    return sys.intern(value) if type(value) is str else value


def check_sums(archive: Path | io.BytesIO) -> None:
    """Raises ValueError if a part of a zip archive is damaged: torch does not look."""
    with zipfile.ZipFile(archive) as parts:
        if damaged := parts.testzip():
            raise ValueError(f"wrong checksum of {damaged}")


def read_weights(path: Path) -> Any:
    """What torch.save wrote to `path`, on the CPU; tensors and plain values only, so that no code
    of the file can run. Raises UserError."""
    if not Path(path).is_file():
        raise UserError(f"{path}: expected a file of weights, found no such file")
    try:
        if zipfile.is_zipfile(path):
            check_sums(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch's own message advises to let the file run code
        message = f"{path}: expected weights written by torch.save, found other content or damage"
        raise UserError(message) from error


def write_shipped(
    path: Path, network: nn.Module, architecture: dict[str, Any], name: str, **notes: str
) -> None:
    """Writes the network as safetensors in half precision, with what rebuilds it; `notes` say
    where it is from."""
    state = {}
    for key, value in network.state_dict().items():
        state[key] = (value.half() if value.is_floating_point() else value).contiguous()
    metadata = {"architecture": json.dumps({name: architecture}, sort_keys=True), **notes}
    write_bytes(path, save(state, metadata))
    sums = recorded_sums(path.parent) | {path.name: file_hash(path)}
    lines = [f"{value}  {name}\n" for name, value in sorted(sums.items())]
    write_text(path.with_name(SUMS), "".join(lines))


def recorded_sums(folder: Path) -> dict[str, str]:
    """File -> SHA-256, as `sha256sum` writes them to SUMS in a folder; empty if that is missing."""
    lines = lines_of(folder / SUMS) if (folder / SUMS).exists() else []
    words = [line.split() for _, line in lines]
    return {name: value for value, name in filter(lambda pair: len(pair) == 2, words)}


def read_checkpoint(path: Path, name: str) -> tuple[dict[str, Any], Any]:
    """(architecture, state dict) of the network `name` in a checkpoint of the training loop, or in
    a file of `write_shipped`, widened to float32. Raises UserError."""
    if path.suffix == ".safetensors":
        recorded = recorded_sums(path.parent).get(path.name)
        if recorded and path.is_file() and file_hash(path) != recorded:
            raise UserError(
                f"{path}: damaged, its SHA-256 is not the one in {SUMS}; fetch it again, or, if it"
                f" was made anew, write that file anew: sha256sum *.safetensors > {SUMS}"
            )
        expected = f"{path}: expected a network {name!r} of this repository, found something else"
        with failures_named(expected), safe_open(path, "pt") as file:
            keys = list(file.keys())
            state = {key: file.get_tensor(key) for key in keys}
            architecture = json.loads(file.metadata()["architecture"])[name]
        widened = {k: v.float() if v.is_floating_point() else v for k, v in state.items()}
        return architecture, widened
    content = read_weights(path)
    found = sorted(map(str, content))[:20] if isinstance(content, dict) else type(content).__name__
    expected = (
        f"{path}: expected a checkpoint with architecture and networks of {name!r}, found {found};"
        f" official weights of MiDaS go by --depth-model MiDaS --depth-weights {path}"
    )
    with failures_named(expected):
        return dict(content["architecture"][name]), content["networks"][name]


def load_strictly(network: nn.Module, state: Any, source: Path | str) -> None:
    """Loads a state dict, every key of it and nothing else; the UserError says which are wrong."""
    expected = {key: value.shape for key, value in network.state_dict().items()}
    state = state if isinstance(state, Mapping) else {}
    found = {key: getattr(value, "shape", None) for key, value in state.items()}
    faults = {
        "missing": [key for key in expected if key not in found],
        "unexpected": [key for key in found if key not in expected],
        "of another shape": [k for k in expected if k in found and found[k] != expected[k]],
    }
    described = [
        f"{len(keys)} {fault} ({', '.join(map(str, keys[:3]))})"
        for fault, keys in faults.items()
        if keys
    ]
    if described:
        raise UserError(
            f"{source}: expected the {len(expected)} tensors of the network, "
            f"found {'; '.join(described)}"
        )
    network.load_state_dict(state)


def load_network(path: Path, name: str) -> nn.Module:
    """The network `name` of a checkpoint, a translator or a text network, on the CPU, in evaluation
    mode, without gradients. Raises UserError if the file holds no such network."""
    architecture, state = read_checkpoint(path, name)
    kind = KINDS.get(architecture.get("kind"))
    if kind is None:
        raise UserError(f"{path}: expected one of {', '.join(KINDS)} as {name!r}")
    made_of = {key: value for key, value in architecture.items() if key not in ("kind", *NOTES)}
    with failures_named(f"{path}: no {architecture['kind']} can be made of {made_of}"):
        network = kind(**made_of)
    network.architecture = architecture
    load_strictly(network, state, path)
    return network.eval().requires_grad_(False)


def model_fingerprint(model: str, weights: Path | None = None) -> str:
    """What tells a depth model from others: its name, with the hash of the file it comes from."""
    source = SHIPPED.get(model, Path(model))
    files = [Path(path) for path in (source, weights) if path and Path(path).is_file()]
    if model.startswith("hf:"):  # a repository of the hub is known by its name alone
        folder = Path(model.removeprefix("hf:"))
        files += sorted(path for path in folder.glob("*") if path.is_file())
    name = source.name if source.is_file() else model
    return "-".join([name, *(file_hash(path)[:12] for path in files)])
