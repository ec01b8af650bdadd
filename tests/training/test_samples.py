"""What is measured and drawn of held-out samples."""

import numpy as np
import pytest
import torch

from comics_depth.data.depth_files import preview
from comics_depth.training.samples import depth_validation, sample_grid, to_device

CPU = torch.device("cpu")


class Held(torch.utils.data.Dataset):
    """Photographs of three grey steps, whose depth the picture shows; the depth of those in `flat`
    is constant."""

    def __init__(self, count, flat=()):
        self.count, self.flat = count, flat

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        image = torch.linspace(0, 1, 24).reshape(1, 4, 6).expand(3, 4, 6)
        depth = torch.zeros(1, 4, 6) if index in self.flat else image[:1] * (index + 1)
        return {"natural": {"image": image, "depth": depth, "name": str(index)}}


class Student:
    """Sees depth in the picture as it is, or upside down."""

    def __init__(self, sign=1.0):
        self.sign = sign

    def measure(self, batch):
        return (
            torch.tensor(float(len(batch["natural"]["image"]))),
            self.sign * batch["natural"]["image"][:, 0],
        )

    def pictures(self, batch):
        return [("photograph", batch["natural"]["image"]), ("depth", self.measure(batch)[1])]


def test_batches_go_to_the_device_without_their_names():
    batch = to_device({"natural": {"image": torch.ones(1), "name": ["a"]}}, torch.device("meta"))
    assert list(batch["natural"]) == ["image"] and batch["natural"]["image"].device.type == "meta"


@pytest.mark.parametrize(("sign", "share"), [(1.0, 1.0), (-1.0, 0.0)])
def test_order_of_pixels_and_loss_are_means_over_images(sign, share):
    scores = depth_validation(Student(sign), Held(5, flat=(1, 4)), 2)(CPU)
    assert scores == {"val_loss": pytest.approx((2 * 2 + 2 * 2 + 1) / 5), "val_ordinal": share}


def test_where_all_depth_is_constant_there_is_no_order():
    assert depth_validation(Student(), Held(2, flat=(0, 1)), 2)(CPU) == {"val_loss": 2.0}


def test_grid_of_four_samples_however_few_there_are():
    grid = sample_grid(Student(), Held(3))(CPU)
    assert grid.shape == (18 + 4 * 4, 2 * 6, 3) and grid.dtype == np.uint8
    titles, grid = grid[:18], grid[18:]
    assert all((column < 128).any() for column in (titles[:, :6], titles[:, 6:]))
    assert (
        np.array_equal(grid[:4], grid[12:])
        and grid[0, 0].tolist() == [0, 0, 0]
        and grid[3, 5].tolist() == [255] * 3
    )
    assert np.array_equal(
        grid[:4, 6:], preview(np.linspace(0, 1, 24, dtype=np.float32).reshape(4, 6))
    )
