"""The mean of runs as a network in the box."""

import pytest
import torch

from common.errors import UserError
from models.checkpoints import save_checkpoint
from models.depth_model import depth_model, small_depth_model
from tools.ship_comics_depth import ship


def checkpoint(path, model):
    networks = {"depth": model.state_dict(), "depth_learning": {}}
    architecture = {"depth": model.architecture, "depth_learning": {}}
    save_checkpoint(path, {"architecture": architecture, "epoch": 1, "networks": networks})
    return path


def test_the_mean_of_two_runs_is_a_depth_model(tmp_path):
    torch.manual_seed(0)
    models = [small_depth_model(64, pretrained_encoder=False) for _ in range(2)]
    files = [checkpoint(tmp_path / f"{n}.pt", model) for n, model in enumerate(models)]
    ship(files, tmp_path / "mean.safetensors")
    mean = depth_model(str(tmp_path / "mean.safetensors"))
    first, second, both = (dict(model.named_parameters()) for model in (*models, mean))
    for name, value in both.items():
        expected = (first[name] + second[name]) / 2
        assert torch.allclose(value, expected, rtol=1e-3, atol=1e-6)
    assert mean.resolution == 64


def test_runs_of_other_networks_are_refused(tmp_path):
    torch.manual_seed(0)
    models = [small_depth_model(size, pretrained_encoder=False) for size in (64, 96)]
    files = [checkpoint(tmp_path / f"{n}.pt", model) for n, model in enumerate(models)]
    with pytest.raises(UserError, match="expected runs of one depth model"):
        ship(files, tmp_path / "mean.safetensors")
