"""Frames with orderings: points stay on what they were put on, whatever a sample does to them."""

import itertools

import numpy as np
import pytest
import torch

from comics_depth.data.depth_files import write_depth
from comics_depth.data.frames_with_points import FramesWithPoints, crop_with_points, moved
from comics_depth.data.orderings import Point, write_ordering
from comics_depth.data.tensors import as_floats
from comics_depth.images import write_image
from common.errors import UserError

PLACES = [(30, 20), (150, 25), (90, 70), (20, 100), (170, 110)]  # of squares, from near to far


@pytest.fixture
def folder(tmp_path):
    """A frame of 200 x 130 pixels with squares whose depth is their order, and text at its top."""
    image = np.full((130, 200, 3), 128, np.uint8)
    depth = np.zeros((130, 200), np.float32)
    for at, (x, y) in enumerate(PLACES):
        corner = slice(y - 12, y + 13), slice(x - 12, x + 13)
        image[corner] = 40 + 40 * at
        depth[corner] = 10 - at
    write_image(tmp_path / "image.png", image)
    write_depth(tmp_path / "depth.png", depth)
    mask = np.zeros((130, 200), np.uint8)
    mask[:10] = 255
    write_image(tmp_path / "text.png", mask)
    points = [Point(at + 1, 1, x, y) for at, (x, y) in enumerate(PLACES)]
    write_ordering(tmp_path / "ordering.txt", points)
    return tmp_path


def frames(folder, **options):
    paths = {name: lambda _, name=name: folder / f"{name}.png" for name in ("image", "depth")}
    return FramesWithPoints(
        ["frame"],
        paths["image"],
        lambda _: folder / "ordering.txt",
        depth=paths["depth"],
        text_mask=lambda _: folder / "text.png",
        resolution=192,
        **options,
    )


def samples(folder, count=40, **options):
    data = frames(folder, **options)
    for data.epoch in range(count):
        yield data[0]


def test_points_stay_on_their_objects(folder):
    sizes, kept = set(), set()
    for sample in samples(folder):
        height, width = sample["image"].shape[1:]
        assert height % 32 == width % 32 == 0
        assert sample["depth"].shape == sample["valid"].shape == (1, height, width)
        level, _, x, y = sample["points"].T
        assert (x >= 0).all() and (x < width).all() and (y >= 0).all() and (y < height).all()
        assert torch.allclose(sample["depth"][0, y, x], 11 - level.float(), atol=0.02)
        assert len(level.unique()) >= 2
        sizes.add((height, width))
        kept.add(len(level))
    assert len(sizes) > 4 and kept == {4, 5}  # whole frames and crops


def test_half_are_mirrored(folder):
    mirrored = []
    for sample in samples(folder):
        level, _, x, _ = sample["points"].T
        if {1, 2} <= set(level.tolist()):
            mirrored.append(bool(x[level == 1] > x[level == 2]))
    assert 0.2 < np.mean(mirrored) < 0.8


def test_text_is_not_valid(folder):
    shares = [float(as_floats(sample)["valid"].mean()) for sample in samples(folder)]
    assert max(shares) == 1 and min(shares) < 0.95  # a crop may lie below the text


def test_a_sample_depends_on_seed_epoch_and_index_alone(folder):
    first, again = (list(samples(folder, 5, print_share=0.5)) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        assert all(torch.equal(one[key], other[key]) for key in one)
    assert any(a["image"].shape != b["image"].shape for a, b in itertools.pairwise(first))


def test_print_style_is_drawn_as_often_as_asked(folder, monkeypatch):
    drawn = []
    target = "comics_depth.data.frames_with_points.print_style"
    monkeypatch.setattr(target, lambda image, rng: drawn.append(1) or image)
    list(samples(folder, 60, print_share=0.0))
    assert not drawn
    list(samples(folder, 60, print_share=0.7))
    assert 30 <= len(drawn) <= 54
    list(samples(folder, 20, print_share=1.0))
    assert 50 <= len(drawn) <= 74


def test_crops_keep_points_or_are_the_whole_frame():
    rng = np.random.default_rng(0)
    one = np.array([[1, 1, 5, 5], [1, 1, 9, 9], [1, 2, 3, 3], [1, 2, 2, 9]])
    assert crop_with_points(20, 20, one, rng)[0] == (0, 0, 20, 20)
    assert (moved(np.array([[1, 1, 199, 99], [1, 1, 0, 0]]), (100, 200), (50, 50)))[
        :, 2:
    ].tolist() == [[49, 49], [0, 0]]


def test_frames_of_any_size_make_a_batch_and_none_is_an_error(folder):
    batch = list(samples(folder, 2))
    assert FramesWithPoints.collate(batch) == {"comics": batch}
    with pytest.raises(UserError, match="the list of names is empty"):
        FramesWithPoints([], None, None)
    for content, message in (("", "found none"), (f"1 1 5 {10**400}", "expected four integers")):
        (folder / "ordering.txt").write_text(content)
        with pytest.raises(UserError, match=rf"ordering\.txt.*{message}"):
            frames(folder)
