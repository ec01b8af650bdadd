"""The networks in the repository: they give the depth that was stored when they were added, and lie
in small files.

After a new training: python tests/test_weights.py writes tests/shipped_depth.json anew."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from comics_depth.evaluation.predicting import as_predictor
from comics_depth.synthetic.photographs import photograph
from common.files import file_hash
from models.checkpoints import (
    PAGE_NETWORK,
    SHIPPED,
    TEXT_AREAS,
    WEIGHTS,
    UserError,
    load_network,
    read_checkpoint,
    recorded_sums,
    write_shipped,
)
from models.depth_model import AveragedDepth, depth_model
from models.licences import licence

STORED = Path(__file__).with_name("shipped_depth.json")


def summary(name: str) -> np.ndarray:
    """Inverse depth of a synthetic photograph, standardised, as means over 6 x 8 fields."""
    image, _ = photograph("street", np.random.default_rng(0), 192, 256)
    depth = as_predictor(depth_model(name), torch.device("cpu"))(image)
    return cv2.resize((depth - depth.mean()) / depth.std(), (8, 6), interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_weights_give_the_stored_depth(name):
    assert np.abs(summary(name) - json.loads(STORED.read_text())[name]).max() < 0.05


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_weights_order_a_synthetic_photograph(name):
    image, truth = photograph("room", np.random.default_rng(1), 192, 256)
    depth = as_predictor(depth_model(name), torch.device("cpu"))(image)
    a, b = np.random.default_rng(0).integers(truth.size, size=(2, 5000))
    order = np.sign(truth.ravel()[a] - truth.ravel()[b])
    least = 0.55 if name == "default-comics" else 0.75  # photographs are not its business
    assert (np.sign(depth.ravel()[a] - depth.ravel()[b]) == order)[order != 0].mean() > least


def test_shipped_files_are_small_and_have_a_card():
    card = (WEIGHTS / "README.md").read_text(encoding="utf-8")
    assert {"default", "default-comics"} <= set(SHIPPED) and TEXT_AREAS.stat().st_size < 5e6
    assert PAGE_NETWORK.stat().st_size < 6e6
    paths = list(WEIGHTS.glob("*.safetensors"))
    assert recorded_sums(WEIGHTS) == {path.name: file_hash(path) for path in paths}
    for path in paths:
        assert path.stat().st_size < 15e6 and f"`{path.name}`" in card
    assert licence("default").startswith("MIT")


def test_text_areas_finds_the_balloon():
    page = torch.full((1, 3, 160, 200), 0.5)
    page[..., 40:90, 50:150] = 1
    page[..., 50:80:6, 60:140:3] = 0
    found = load_network(TEXT_AREAS, "text")(page)[0, 0]
    assert found[45:85, 60:140].mean() > 0.9 and found[120:].mean() < 0.1


def test_averaged_depth_does_not_know_left_from_right():
    torch.manual_seed(0)
    images, averaged = torch.rand(2, 3, 40, 56), AveragedDepth(depth_model("default"), (64, 96))
    with torch.inference_mode():
        depth, mirrored = averaged(images), averaged(images.flip(-1))
    assert depth.shape == (2, 40, 56) and torch.allclose(depth, mirrored.flip(-1), atol=1e-5)
    assert depth.mean((1, 2)).abs().max() < 1e-4


class Ramp(torch.nn.Module):
    """Red is near, and, with a weight, what is on the right."""

    resolution = 64

    def __init__(self, weight):
        super().__init__()
        self.weight = weight

    def forward(self, images):
        return images[:, 0] + self.weight * torch.linspace(0, 1, images.shape[-1])


def test_disagreement_is_the_deviation_between_views():
    images = torch.rand(2, 3, 8, 16)
    assert AveragedDepth(Ramp(0)).disagreement(images).max() < 1e-5
    assert len(list(AveragedDepth(Ramp(0)).views(images))) == 6
    # two views r and -r of a grey image: their deviation is sqrt(2) |r|
    ramp = torch.linspace(0, 1, 16)
    deviation, mean = torch.std_mean(ramp.expand(8, 16))
    expected = 2**0.5 * ((ramp - mean) / deviation).abs().mean()
    found = AveragedDepth(Ramp(1), (64,)).disagreement(torch.full((2, 3, 8, 16), 0.5))
    assert torch.allclose(found, expected.expand(2), atol=1e-4)
    little, much = (AveragedDepth(Ramp(weight)).disagreement(images) for weight in (0.1, 1))
    assert (little < much).all()


def test_written_weights_come_back_and_other_files_are_told(tmp_path):
    model = depth_model("default")
    write_shipped(tmp_path / "mine.safetensors", model, model.architecture, "depth", licence="CC0")
    again = depth_model(str(tmp_path / "mine.safetensors"))
    assert all(
        torch.equal(a, b)
        for a, b in zip(model.state_dict().values(), again.state_dict().values(), strict=True)
    )
    with pytest.raises(UserError, match=r"mine\.safetensors: expected a network 'text'"):
        read_checkpoint(tmp_path / "mine.safetensors", "text")
    flipped = bytearray((tmp_path / "mine.safetensors").read_bytes())
    flipped[-9] ^= 1
    (tmp_path / "mine.safetensors").write_bytes(flipped)
    with pytest.raises(UserError, match=r"mine\.safetensors: damaged, its SHA-256"):
        depth_model(str(tmp_path / "mine.safetensors"))
    (tmp_path / "broken.safetensors").write_bytes(b"no weights")
    with pytest.raises(UserError, match=r"broken\.safetensors: expected a network"):
        depth_model(str(tmp_path / "broken.safetensors"))


if __name__ == "__main__":
    STORED.write_text(
        json.dumps({name: summary(name).round(3).tolist() for name in SHIPPED}) + "\n"
    )


def test_the_shipped_networks_load_through_torch_hub():
    root = Path(__file__).parents[2]
    model = torch.hub.load(str(root), "default_comics", source="local", resolution=64)
    image = torch.rand(1, 3, 48, 64)
    with torch.inference_mode():
        depth = model(image)
        assert torch.equal(depth, depth_model("default-comics", resolution=64)(image))
    assert depth.shape == (1, 48, 64)
