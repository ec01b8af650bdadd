"""What the networks in this repository are trained on: figures pasted into pictures, pictures out of packages."""

import io
import struct

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import tv_tensors

from comics_depth.data import Layer
from comics_depth.files import UserError
from tools.free_pictures import figures, pictures_inside, unpack
from tools.pasted_figures import PastedFigures


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def disc(size=80):
    """A red disc with a blue half on clear ground, RGBA."""
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    pixels = np.zeros((size, size, 4), np.uint8)
    pixels[..., 0], pixels[..., 2] = 255 * (x < 0), 255 * (x >= 0)
    pixels[..., 3] = 255 * (x**2 + y**2 < 0.95)
    return pixels


def test_a_pasted_figure_is_nearer_than_what_it_covers(tmp_path):
    save(tmp_path / "figures" / "disc.png", disc())
    paste = PastedFigures(tmp_path / "figures", share=1)
    ramp = torch.linspace(0, 1, 96)[:, None].expand(96, 120)  # the ground, nearer below
    sample = {"image": tv_tensors.Image(torch.full((3, 96, 120), 0.5)), "depth": Layer(5 + 3 * ramp[None])}
    changed = []
    for seed in range(20):
        torch.manual_seed(seed)
        found = paste(dict(sample))
        image, depth = (found[key].as_subclass(torch.Tensor) for key in ("image", "depth"))
        assert image.shape == (3, 96, 120) and depth.shape == (1, 96, 120) and image.min() >= 0 and image.max() <= 1
        before = (ramp - 0.02) / 0.96  # in units of the range from the 2nd to the 98th percentile
        pasted = (depth[0] - before).abs() > 0.01
        changed.append(int(pasted.sum()))
        nearer = (depth[0] - before)[pasted]  # its rounded rim may lie behind the nearest of what it covers
        assert nearer.mean() > 0.04 and (nearer > 0).float().mean() > 0.7 and nearer.min() > -0.2
    assert min(changed) >= 40 and len(set(changed)) > 10
    torch.manual_seed(3)
    again = PastedFigures(tmp_path / "figures", share=0)(dict(sample))
    assert torch.equal(again["depth"], sample["depth"]) and torch.equal(again["image"], sample["image"])


def test_without_figures_the_command_that_makes_them_is_named(tmp_path):
    with pytest.raises(UserError, match=r"tools\.free_pictures"):
        PastedFigures(tmp_path / "figures")


def test_only_cut_out_figures_are_kept(tmp_path):
    clip_art = tmp_path / "openclipart-png/usr/share/openclipart/png/people"
    (tmp_path / "scratch").mkdir()
    save(clip_art / "a_disc.png", disc())
    full, flat, lines = disc(), disc(), disc()
    full[..., 3], flat[..., :3], lines[..., 3] = 255, 90, lines[..., 3] * (np.arange(80) % 8 == 0)
    for name, pixels in (("b_full", full), ("c_flat", flat), ("d_lines", lines), ("e_clear", 0 * full)):
        save(clip_art / f"{name}.png", pixels)
    save(tmp_path / "scratch/usr/share/scratch/Media/Costumes/People/f.gif", disc()[..., :3])
    kept = dict(figures(tmp_path))
    assert list(kept) == ["0000"] and kept["0000"].mode == "RGBA" and max(kept["0000"].size) == 76


def test_pictures_inside_a_resource_file(tmp_path):
    def webp(size):
        stream = io.BytesIO()
        Image.new("RGB", size, "teal").save(stream, "webp")
        return stream.getvalue()

    broken = b"RIFF" + struct.pack("<I", 12) + b"WAVE"
    (tmp_path / "x.rcc").write_bytes(
        b"qres\0" + webp((300, 260)) + b"names" + webp((300, 90)) + broken + webp((260, 400))
    )
    assert [image.size for image in pictures_inside(tmp_path / "x.rcc")] == [(300, 260), (260, 400)]


def test_a_missing_package_is_named(tmp_path):
    with pytest.raises(UserError, match=r"no scratch_\*\.deb"):
        unpack("scratch", tmp_path, tmp_path)
