"""Pictures in print style: the same for the same seed, varied over seeds, things in their place."""

import numpy as np
import pytest
import torch

from comics_depth.data.print_style import print_style, screen
from comics_depth.data.transforms import as_print, printed


def picture(height: int = 96, width: int = 128) -> np.ndarray:
    """A dark red disc before a bright sky and green ground, with a little noise."""
    y, x = np.mgrid[:height, :width]
    image = np.empty((height, width, 3))
    image[:] = (170, 200, 240)
    image[y > height * 0.6] = (90, 150, 70)
    disc = np.hypot(y - height / 2, x - width / 2) < height / 4
    image[disc] = (90, 20, 30)
    noise = np.random.default_rng(0).normal(0, 4, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def prints(count: int) -> list[np.ndarray]:
    return [print_style(picture(), np.random.default_rng(seed)) for seed in range(count)]


def test_the_generator_decides_and_the_picture_is_left_alone():
    image = picture()
    before = image.copy()
    first = print_style(image, np.random.default_rng((3, 1, 7)))
    again = print_style(image, np.random.default_rng((3, 1, 7)))
    other = print_style(image, np.random.default_rng((3, 2, 7)))
    assert (first == again).all() and (first != other).any() and (image == before).all()


@pytest.mark.parametrize("size", [(1, 1), (7, 301), (97, 33), (130, 129), (480, 640)])
def test_any_size_keeps_its_shape(size):
    for seed in range(4):
        printed = print_style(picture(*size), np.random.default_rng(seed))
        assert printed.shape == (*size, 3) and printed.dtype == np.uint8


def test_pictures_of_one_tone_stay_finite_and_free_of_lines():
    for tone in (0, 128, 255):
        image = np.full((64, 64, 3), tone, np.uint8)
        light = [print_style(image, np.random.default_rng(seed)).mean() for seed in range(12)]
        assert max(light) > 60


def test_prints_vary_from_colour_to_one_ink():
    # chroma of a page in one ink is that of its paper and ink, the same everywhere
    spread = [np.std(np.float64(p[..., 0]) - np.float64(p[..., 2])) for p in prints(60)]
    assert sum(value < 15 for value in spread) >= 10
    assert sum(value > 30 for value in spread) >= 15
    means = [p.mean() for p in prints(60)]
    assert np.std(means) > 15


def test_things_stay_in_their_place():
    """Lines lie where the edge of the disc is: darker there than in the flat ground beside it."""
    image = picture()
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    radius = np.hypot(y - image.shape[0] / 2, x - image.shape[1] / 2)
    disc = radius < image.shape[0] / 4 - 2
    sky = (y < image.shape[0] * 0.2) & (radius > image.shape[0] / 4 + 6)
    darker = [p[disc].mean() < p[sky].mean() for p in prints(60)]
    assert np.mean(darker) > 0.8


@pytest.mark.parametrize("shape", ["dots", "lines"])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_a_screen_keeps_the_tone(shape, share):
    coverage = np.full((240, 240), share, np.float32)
    screened = screen(coverage, 45, 5, shape, np.random.default_rng(0))
    assert np.ptp(screened) > 0.6  # dots, not grey
    assert abs(screened.mean() - share) < 0.06


def test_solid_tints_are_not_screened():
    for share in (0.0, 1.0):
        coverage = np.full((60, 60), share, np.float32)
        assert (screen(coverage, 15, 4, "dots", np.random.default_rng(0)) == share).all()


def test_a_share_of_images_is_printed_and_layers_stay():
    images = torch.rand(1, 3, 24, 32).expand(60, -1, -1, -1)
    torch.manual_seed(0)
    some = printed(images, 0.5)
    assert some.shape == images.shape and some.min() >= 0 and some.max() <= 1
    same = [torch.equal(one, images[0]) for one in some]
    assert 15 <= sum(same) <= 45
    assert torch.equal(printed(images, 0), images)
    torch.manual_seed(0)
    assert torch.equal(printed(images, 0.5), some)
    drawn = as_print((images[0] * 255).byte())
    assert drawn.dtype == torch.uint8 and drawn.shape == images[0].shape
    assert not torch.equal(drawn, (images[0] * 255).byte())
