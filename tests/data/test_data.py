"""Reading and writing of images and depth, and samples whose layers stay together."""

import contextlib
import io
import os
import resource
import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image, ImageOps
from torch.utils.data import ConcatDataset, DataLoader
from torchvision.transforms import v2

from comics_depth import cli, images
from comics_depth.data.annotations import read_svg
from comics_depth.data.datasets import Frames, PairedDomains, set_epoch
from comics_depth.data.depth_files import preview, read_depth, write_depth
from comics_depth.data.tensors import as_floats, image_array, image_tensor
from comics_depth.data.transforms import (
    RandomGamma,
    Window,
    as_print,
    central_crops,
    random_crops,
    text_crops,
    varied_crops,
)
from comics_depth.evaluation.predicting import predict_frames
from comics_depth.images import (
    find_image,
    image_size,
    label,
    list_images,
    read_image,
    write_figure,
    write_image,
)
from comics_depth.pages.motion import write_animation
from comics_depth.parallel import in_a_thread, parallel_map
from comics_depth.paths import FrameEntry, Layout, listed_frames
from common.errors import UserError
from common.files import PARTIAL, file_hash, lines_of, lock, read_json, write_json, write_text
from models.checkpoints import save_checkpoint

torch.set_num_threads(1)


def scene(height, width, seed=0):
    """Smooth image whose red channel is the text mask and whose green channel is the depth."""
    random = np.random.default_rng(seed)
    green = np.asarray(
        Image.fromarray(random.random((5, 5)).astype(np.float32)).resize((width, height), 3)
    )
    mask = np.zeros((height, width), bool)
    for _ in range(4):
        y, x = random.integers(0, height - 8), random.integers(0, width - 8)
        mask[y : y + height // 4, x : x + width // 4] = True
    return np.stack([mask, np.clip(green, 0, 1), np.zeros_like(green)], axis=-1).astype(np.float32)


def folder_of(path, sizes):
    for index, size in enumerate(sizes):
        layers = scene(*size, seed=index)
        write_image(path / f"i{index}.png", np.round(layers * 255).astype(np.uint8))
        write_image(path / f"m{index}.png", (layers[..., 0] * 255).astype(np.uint8))
        write_depth(path / f"d{index}.png", layers[..., 1])
    return [str(index) for index in range(len(sizes))]


def frames(path, names, **options):
    return Frames(
        names,
        lambda n: path / f"i{n}.png",
        depth=lambda n: path / f"d{n}.png",
        text_mask=lambda n: path / f"m{n}.png",
        **options,
    )


def varied_parts(size):
    return replace(varied_crops(size), colours=None)


# Layers
SIZES = [(48, 70), (90, 40), (20, 26), (32, 32)]


@pytest.mark.parametrize("view", [random_crops(32), central_crops(32), varied_parts(32)])
def test_layers_stay_aligned_through_crops(tmp_path, view):
    data = frames(tmp_path, folder_of(tmp_path, SIZES), view=view)
    for data.epoch in range(6):
        for sample in map(as_floats, data):
            assert sample["image"].shape == (3, 32, 32)
            assert sample["depth"].shape == sample["text_mask"].shape == (1, 32, 32)
            # both channels went through the same resize, so they differ by the 8 bits of the image
            # alone
            assert torch.equal(sample["image"][0], sample["text_mask"][0])
            assert (sample["image"][1] - sample["depth"][0]).abs().max() < 0.009
            assert sample["depth"].is_contiguous() and type(sample["image"]) is torch.Tensor


@pytest.mark.parametrize("crops", [text_crops, varied_crops])
def test_crops_move_layers_with_the_image_and_change_colours_of_the_image_alone(tmp_path, crops):
    names, changed = folder_of(tmp_path, SIZES), 0
    for (
        name
    ) in names:  # an image that is its mask: however it is lit, text stays brighter than the rest
        mask = read_image(tmp_path / f"m{name}.png")
        write_image(tmp_path / f"i{name}.png", mask // 2 + 50)
        write_depth(tmp_path / f"d{name}.png", mask[..., 0] / 255)
    data = frames(tmp_path, names, view=crops(24))
    for data.epoch in range(8):
        for sample in map(as_floats, data):
            image, mask = sample["image"], sample["text_mask"][0]
            assert image.shape == (3, 24, 24) and image.min() >= 0 and image.max() <= 1
            assert (sample["depth"][0] - mask).abs().max() < 0.006
            text, rest = image[:, mask > 0.999], image[:, mask < 0.001]
            assert not text.numel() or not rest.numel() or text.min() > rest.max()
            changed += bool((image - (mask * 127 + 50) / 255).abs().max() > 0.02)
    assert 10 < changed < 32  # of 32


@pytest.mark.parametrize(
    "colours", [v2.RandomGrayscale(1.0), v2.ColorJitter(0.9, 0.9), RandomGamma(3.0), as_print]
)
def test_colours_of_the_image_alone_change(tmp_path, colours):
    names = folder_of(tmp_path, [(32, 32)])
    view = central_crops(32)
    before = frames(tmp_path, names, view=view)[0]
    after = frames(tmp_path, names, view=replace(view, colours=colours))[0]
    assert not torch.equal(before["image"], after["image"])
    assert torch.equal(before["depth"], after["depth"]) and torch.equal(
        before["text_mask"], after["text_mask"]
    )


def test_layers_are_resized_between_their_pixels_and_not_to_the_nearest():
    layer = torch.tensor([[[0.0, 1.0], [2.0, 3.0]]])
    window = Window(0, 0, 2, 2, (4, 4))
    larger = window.of(layer)
    assert larger[0, 0].tolist() == pytest.approx([0, 0.25, 0.75, 1])
    assert larger[0, :, 0].tolist() == pytest.approx([0, 0.5, 1.5, 2])
    mirrored = Window(0, 1, 2, 1, (2, 1)).of(layer), Window(0, 0, 2, 2, (2, 2), True).of(layer)
    assert [part.tolist() for part in mirrored] == [[[[1], [3]]], [[[1, 0], [3, 2]]]]


@pytest.mark.parametrize(("height", "width"), [(90, 120), (60, 80), (30, 200)])
@pytest.mark.parametrize("view", [random_crops(48), central_crops(48), varied_parts(48)])
def test_images_are_bytes_near_the_same_window_in_floats(tmp_path, height, width, view):
    """Noise is what loses most: half a step of 255, root mean square."""
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    write_image(tmp_path / "i0.png", noise)
    data = Frames(["0"], lambda n: tmp_path / "i0.png", view=view)
    exact = torch.from_numpy(noise).permute(2, 0, 1).float()
    windows = []

    def window(*size):
        windows.append(view.window(*size))
        return windows[-1]

    data.view = replace(view, window=window)
    for data.epoch in range(5):
        image = data[0]["image"]
        assert image.dtype == torch.uint8 and image.shape == (3, 48, 48)
        difference = as_floats(image) * 255 - windows[-1].of(exact)
        assert 0 < float(difference.square().mean().sqrt()) <= 0.5


def test_a_mask_counts_from_its_threshold_on(tmp_path):
    write_image(tmp_path / "i0.png", np.zeros((1, 4, 3), np.uint8))
    write_image(tmp_path / "m0.png", np.array([[0, 76, 77, 255]], np.uint8))

    def mask(**options):
        data = Frames(
            ["0"], lambda n: tmp_path / "i0.png", text_mask=lambda n: tmp_path / "m0.png", **options
        )
        return as_floats(data[0]["text_mask"]).flatten().tolist()

    assert mask() == [0, 0, 0, 1]
    assert mask(threshold=0.3) == [0, 0, 1, 1]  # 77 / 255 = 0.302


# Randomness
def drawn(data, order=None):
    return {index: data[index]["image"] for index in order or range(len(data))}


def test_a_sample_depends_on_seed_epoch_and_index_alone(tmp_path):
    names = folder_of(tmp_path, [(48, 70)] * 6)
    data = frames(tmp_path, names, view=text_crops(24))
    torch.manual_seed(1)
    first = drawn(data)
    torch.manual_seed(2)
    np.random.seed(3)
    before = torch.get_rng_state()
    second = drawn(data, [5, 3, 1, 0, 2, 4])
    assert torch.equal(before, torch.get_rng_state())  # and leaves the state of others as it was
    assert all(torch.equal(first[index], second[index]) for index in first)
    data.epoch = 1
    assert sum(torch.equal(first[index], image) for index, image in drawn(data).items()) <= 1
    data.epoch, data.seed = 0, 1
    assert sum(torch.equal(first[index], image) for index, image in drawn(data).items()) <= 1


@pytest.mark.parametrize("workers", [1, 2])
def test_the_number_of_workers_changes_nothing(tmp_path, workers):
    names = folder_of(tmp_path, [(48, 70)] * 6)
    pairs = PairedDomains(
        frames(tmp_path, names, view=random_crops(32)),
        frames(tmp_path, names, view=random_crops(32), seed=4),
    )
    set_epoch(pairs, 3)
    alone, helped = (
        list(
            DataLoader(
                pairs,
                2,
                shuffle=True,
                generator=torch.Generator().manual_seed(0),
                num_workers=count,
            )
        )
        for count in (0, workers)
    )
    for one, other in zip(alone, helped, strict=True):
        for domain in ("natural", "comics"):
            assert one[domain]["name"] == other[domain]["name"]
            assert torch.equal(one[domain]["image"], other[domain]["image"])


def test_pairs_go_through_every_photograph_and_change_with_the_epoch(tmp_path):
    names = folder_of(tmp_path, [(32, 32)] * 8)
    pairs = PairedDomains(frames(tmp_path, names), frames(tmp_path, names[:5]))
    partners = []
    for epoch in range(6):
        set_epoch(pairs, epoch)
        assert [pair["natural"]["name"] for pair in pairs] == names
        partners.append(tuple(pair["comics"]["name"] for pair in pairs))
    assert len(set(partners)) == 6
    assert {name for epoch in partners for name in epoch} == set(names[:5])
    assert set(PairedDomains(frames(tmp_path, names), None)[0]) == {"natural"}
    joined = ConcatDataset([frames(tmp_path, names[:3]), frames(tmp_path, names[3:])])
    several = PairedDomains(joined, frames(tmp_path, names))
    set_epoch(several, 7)
    assert [part.epoch for part in (*joined.datasets, several.comics)] == [7, 7, 7]
    assert [joined[index]["name"] for index in range(8)] == names


def test_a_frame_is_cropped_otherwise_in_every_pair(tmp_path):
    names = folder_of(tmp_path, [(64, 64)] * 12)
    comics = frames(tmp_path, names[:1], view=random_crops(32))
    pairs = PairedDomains(frames(tmp_path, names), comics)
    drawn_crops = {pair["comics"]["image"].numpy().tobytes() for pair in pairs}
    assert len(drawn_crops) > 8
    again = {pair["comics"]["image"].numpy().tobytes() for pair in pairs}
    assert again == drawn_crops
    set_epoch(pairs, 1)
    assert not drawn_crops & {pairs[0]["comics"]["image"].numpy().tobytes()}


@pytest.mark.parametrize("crops", [random_crops, text_crops])
def test_crops_reach_the_first_and_the_last_offset(tmp_path, crops):
    write_image(tmp_path / "i0.png", np.zeros((36, 36, 3), np.uint8))  # a margin of 4, for both
    write_depth(tmp_path / "d0.png", np.tile(np.arange(36), (36, 1)))  # depth is the column
    data = Frames(
        ["0"],
        lambda n: tmp_path / "i0.png",
        depth=lambda n: tmp_path / "d0.png",
        view=crops(32),
    )
    offsets = set()
    for data.epoch in range(80):
        offsets.add(round(float(data[0]["depth"].min())))
    assert offsets == {0, 1, 2, 3, 4}


def test_small_pictures_are_enlarged_and_of_large_ones_a_part_is_shown_as_it_is():
    torch.manual_seed(0)
    picture = torch.rand(3, 40, 33)
    window = text_crops(32).window(40, 33)
    assert (window.height, window.width) == (32, 32)
    shown = window._replace(mirrored=False).of(picture)
    assert torch.equal(shown, picture[:, window.top :][:, :32, window.left :][..., :32])
    assert text_crops(16, scale=0.5).window(40, 50)[2:5] == (32, 32, (16, 16))
    for view in (text_crops(32), random_crops(32), central_crops(32), varied_crops(32)):
        for height, width in ((1, 3), (3, 100), (10, 20)):
            shown = view.window(height, width).of(torch.zeros(3, height, width))
            assert shown.shape == (3, 32, 32)


def test_what_does_not_fit_together_is_named(tmp_path):
    folder_of(tmp_path, [(32, 32)])
    write_depth(tmp_path / "d0.png", np.zeros((32, 31)))
    with pytest.raises(UserError, match=r"0: image and layers differ in size.*32, 31"):
        frames(tmp_path, ["0"])[0]
    with pytest.raises(UserError, match="empty"):
        Frames([], lambda n: tmp_path / n)
    with pytest.raises(UserError, match=r"i7\.png: no such image"):
        frames(tmp_path, ["7"])[0]


def test_arrays_and_tensors_are_each_others_inverse():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    images = image_tensor(pixels)
    assert images.shape == (1, 3, 5, 7) and images.dtype == torch.float32 and images.max() <= 1
    assert np.array_equal(image_array(images[0]), pixels)
    assert image_array(torch.tensor([-1.0, 0.5, 2.0]).view(3, 1, 1)).tolist() == [[[0, 128, 255]]]
    labelled = label(pixels, "name")
    assert labelled.shape == (23, 7, 3) and np.array_equal(labelled[18:], pixels)


# Images
RAMP = np.linspace(0, 255, 12).astype(np.uint8).reshape(3, 4)


def test_images_of_every_kind_become_rgb(tmp_path):
    grey = np.repeat(RAMP[..., None], 3, 2)

    def saved(name, image, **options):
        image.save(tmp_path / name, **options)
        return read_image(tmp_path / name)

    assert np.array_equal(saved("grey.png", Image.fromarray(RAMP)), grey)
    assert np.array_equal(saved("sixteen.png", Image.fromarray(RAMP.astype(np.uint16) * 257)), grey)
    assert np.array_equal(saved("integer.tif", Image.fromarray(RAMP.astype(np.int32) * 257)), grey)
    bits = saved("bits.png", Image.fromarray(RAMP > 100))
    assert np.array_equal(bits, np.repeat((RAMP > 100)[..., None], 3, 2) * 255)
    cmyk = saved("cmyk.jpg", Image.fromarray(grey).resize((32, 32)).convert("CMYK"))
    assert cmyk.shape == (32, 32, 3) and cmyk[-1, -1, 0] > 240 and cmyk[0, 0, 0] < 40
    palette = Image.fromarray(grey).quantize(16)
    assert np.abs(saved("palette.png", palette).astype(int) - grey).max() < 20
    for name, image in {"rgba.png": [200, 100, 0, 51], "la.png": [100, 51]}.items():
        laid = saved(name, Image.fromarray(np.full((2, 2, len(image)), image, np.uint8)))
        assert laid[0, 0].tolist() == pytest.approx(
            [0.2 * v + 0.8 * 255 for v in (image[:-1] * 3)[:3]], abs=1
        )
    shine = saved("transparency.png", Image.fromarray(np.zeros((2, 2), np.uint8)), transparency=0)
    assert (shine == 255).all()


@pytest.mark.parametrize(
    ("code", "turned"),
    [
        (1, RAMP),
        (3, RAMP[::-1, ::-1]),
        (6, np.rot90(RAMP, -1)),
        (8, np.rot90(RAMP)),
        (2, RAMP[:, ::-1]),
    ],
)
def test_exif_rotation_is_applied(tmp_path, code, turned):
    exif = Image.Exif()
    exif[0x0112] = code
    Image.fromarray(RAMP).save(tmp_path / "turned.png", exif=exif)
    assert np.array_equal(read_image(tmp_path / "turned.png")[..., 0], turned)
    assert image_size(tmp_path / "turned.png") == turned.shape


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("code", range(1, 9))
def test_a_jpeg_is_what_pillow_reads_whoever_decodes_it(tmp_path, mode, code):
    exif = Image.Exif()
    exif[0x0112] = code
    image = Image.fromarray(np.uint8(scene(40, 57) * 255)).convert(mode)
    image.save(tmp_path / "image.jpg", exif=exif, quality=80)
    with Image.open(tmp_path / "image.jpg") as image:
        expected = np.array(ImageOps.exif_transpose(image).convert("RGB"))
    assert np.array_equal(read_image(tmp_path / "image.jpg"), expected)
    content = (tmp_path / "image.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(UserError, match=r"cut\.jpg: not a readable image"):
        read_image(tmp_path / "cut.jpg")


@pytest.mark.filterwarnings("ignore")  # Pillow's, of what is wrong with the files
def test_bad_images_are_named_and_never_crash(tmp_path, monkeypatch):
    with pytest.raises(UserError, match="no such image"):
        read_image(tmp_path / "absent.png")
    random, whole = np.random.default_rng(0), {}
    for suffix in ("png", "jpg", "gif", "tif", "webp", "bmp"):
        buffer, exif = io.BytesIO(), Image.Exif()
        exif[0x0112] = 6
        Image.fromarray(random.integers(0, 255, (24, 24, 3), np.uint8)).save(
            buffer, {"jpg": "jpeg", "tif": "tiff"}.get(suffix, suffix), exif=exif
        )
        whole[suffix] = buffer.getvalue()
    broken = {"empty.png": b"", "text.jpg": b"<html>404</html>"}
    for suffix, content in whole.items():
        for cut in range(0, len(content) - 20, max(1, len(content) // 8)):
            broken[f"cut{cut}.{suffix}"] = content[:cut]
        for trial in range(40):
            noise = bytearray(content)
            for place in random.integers(0, min(len(noise), 200), 6):
                noise[place] = random.integers(256)
            broken[f"noise{trial}.{suffix}"] = bytes(noise)
    refused = 0
    for name, content in broken.items():
        path = tmp_path / name
        path.write_bytes(content)
        for reader in (read_image, image_size):
            try:
                reader(path)
            except UserError as error:
                assert name in str(error)
                refused += 1
    assert refused > 60
    monkeypatch.setattr(images, "MAX_PIXELS", 24 * 24 - 1)
    (tmp_path / "large.png").write_bytes(whole["png"])
    with pytest.raises(UserError, match=r"large\.png: 24x24 pixels, more than the limit of 575"):
        read_image(tmp_path / "large.png")


def test_images_are_found_by_name(tmp_path):
    for name in ("b/2.JPG", "a.v2.png", "c.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.name for path in list_images(tmp_path)] == ["a.v2.png", "2.JPG"]
    assert (
        find_image(tmp_path, "b/2") == tmp_path / "b/2.JPG"
        and find_image(tmp_path, "a.v2") is not None
    )
    assert find_image(tmp_path, "a") is None
    (tmp_path / "none").mkdir()
    for folder in ("none", "absent"):
        with pytest.raises(UserError, match="no images"):
            list_images(tmp_path / folder)


# Depth
@pytest.mark.parametrize("low,high", [(-3.0, -1.0), (-500.0, 2000.0), (0.0, 1e-6), (1e4, 1e4 + 1)])
def test_depth_comes_back_from_16_bits_in_its_own_units(tmp_path, low, high):
    depth = np.random.default_rng(0).uniform(low, high, (11, 7))
    depth[0, 0], depth[0, 1] = low, high
    write_depth(tmp_path / "d.png", depth, floats=True)
    with Image.open(tmp_path / "d.png") as image:
        values = np.asarray(image)
    assert values.dtype == np.uint16 and values.min() == 0 and values.max() == 65535
    back = read_depth(tmp_path / "d.png")
    assert back.dtype == np.float32
    assert np.abs(back - depth).max() <= (high - low) / 65535 * 0.51 + abs(high) * 1e-7
    assert np.array_equal(read_depth(tmp_path / "d.npy"), depth.astype(np.float32))
    assert preview(depth).shape == (11, 7, 3) and preview(depth).dtype == np.uint8


@pytest.mark.parametrize("value", [0.0, -7.25, 1e5])
def test_a_constant_map_comes_back(tmp_path, value):
    write_depth(tmp_path / "d.png", np.full((3, 4), value))
    assert np.array_equal(read_depth(tmp_path / "d.png"), np.full((3, 4), value, np.float32))
    assert preview(np.full((3, 4), value)).shape == (3, 4, 3)


def test_maps_of_others_are_read_and_bad_ones_refused(tmp_path):
    write_image(tmp_path / "eight.png", RAMP)
    assert np.array_equal(read_depth(tmp_path / "eight.png"), RAMP)
    write_image(tmp_path / "rgb.png", np.stack([RAMP, RAMP * 0, RAMP * 0], -1))
    assert np.array_equal(read_depth(tmp_path / "rgb.png"), RAMP)
    np.save(tmp_path / "line.npy", np.zeros(5))
    (tmp_path / "empty.npy").touch()
    np.save(tmp_path / "nan.npy", np.full((2, 2), np.nan))
    (tmp_path / "text.png").write_text("no")
    for name in ("line.npy", "nan.npy", "empty.npy", "text.png", "absent.png"):
        with pytest.raises(UserError, match=name):
            read_depth(tmp_path / name)
    for bad in (np.array([[0, np.nan]]), np.array([[0, np.inf]]), np.zeros((2, 2, 1))):
        with pytest.raises(ValueError, match="finite"):
            write_depth(tmp_path / "bad.png", bad)
    assert not (tmp_path / "bad.png").exists()


# Writing
@contextlib.contextmanager
def room_for(size):
    """Files of this process can grow to `size` bytes, as if the disk was full then."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


NOISE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
WRITERS = {
    "file.json": lambda path: write_json(path, list(range(5000))),
    "file.jpg": lambda path: write_image(path, NOISE),
    "file.png": lambda path: write_image(path, NOISE),
    "file.webp": lambda path: write_animation(path, [NOISE, NOISE[::-1]]),
    "depth.png": lambda path: write_depth(path, NOISE[..., 0] + 0.0),
    "file.pt": lambda path: save_checkpoint(path, {"weights": torch.zeros(5000)}),
    "figure.png": lambda path: write_figure(path, Figure()),
}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("before", [None, "old"])
def test_a_full_disk_leaves_what_was_there_and_nothing_else(tmp_path, before, name):
    path = tmp_path / "folder" / name
    if before:
        write_text(path, before)
    for size in (0, 1, 600):
        with pytest.raises(UserError, match=f"{name}: could not be written"), room_for(size):
            WRITERS[name](path)
        found = [entry.read_text() for entry in path.parent.iterdir()]
        assert found == ([before] if before else [])
    with room_for(10**6):
        WRITERS[name](path)
    assert path.stat().st_size > 600


LOCKING = """
import sys
from pathlib import Path
from common.files import lock
lock(Path(sys.argv[1]))
print("locked", flush=True)
sys.stdin.read()
"""


def test_a_locked_folder_names_its_holder_until_that_is_killed(tmp_path):
    folder = tmp_path / "run"
    command = [sys.executable, "-c", LOCKING, str(folder)]
    ends = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **ends) as holder:
        assert holder.stdout.readline() == "locked\n"
        with pytest.raises(UserError, match=f"in use by process {holder.pid}.*wait for it"):
            lock(folder)
        (folder / "inside").mkdir()
        (folder / "inside" / f"{PARTIAL}0123").write_text("half")
        holder.kill()
    lock(folder)
    assert [path.name for path in folder.rglob("*") if path.is_file()] == [".lock"]


@pytest.mark.parametrize(
    "damage", ["", "{", "[1]", "\xe4", "[" * 10_000, '{"a": {"page": 1}}', '{"a": {"box": []}}']
)
def test_damaged_state_is_one_line(tmp_path, damage):
    path = tmp_path / "manifest.json"
    path.write_bytes(damage.encode("latin-1"))
    with pytest.raises(UserError, match=str(path)) as error:
        read_json(path, dict[str, FrameEntry])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", ["pipe", "folder"])
@pytest.mark.parametrize(
    ("name", "reader"),
    [
        *(("x.png", reader) for reader in (read_image, image_size, read_depth, file_hash)),
        *(("x.npy", read_depth), ("x.txt", lines_of), ("x.json", read_json)),
        ("x.svg", lambda path: read_svg(path, path.parent)),
    ],
)
def test_what_is_no_file_is_never_waited_for(tmp_path, kind, name, reader):
    (os.mkfifo if kind == "pipe" else os.mkdir)(tmp_path / name)
    with pytest.raises(UserError, match=f"{name}: expected a file, found a folder, a pipe"):
        reader(tmp_path / name)


def test_a_list_shorter_than_the_manifest_is_said(tmp_path, capsys):
    layout = Layout(tmp_path, tmp_path)
    splits = {"a_1": "train", "a_2": "train", "b_1": "test"}
    frame = {"page": "a", "box": [0, 0, 1, 1]}
    write_json(layout.manifest, {name: {**frame, "split": part} for name, part in splits.items()})
    write_text(layout.frame_list("train"), "a_1\n")
    write_text(layout.frame_list("test"), "b_1\n")
    assert listed_frames(layout, "train") == ["a_1"] and listed_frames(layout, "test") == ["b_1"]
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 1 and "train.txt: leaves out 1 of the 2 frames" in said[0]


def test_a_preview_that_is_gone_is_made_again(tmp_path):
    layout = Layout(tmp_path, tmp_path)
    names = ["a_1", "a_2"]
    for name in names:
        write_image(layout.frame(name), NOISE)
    seen = []

    def predictor(image):
        seen.append(image)
        return image[..., 0] / 255

    for gone in (None, "previews/a_1.jpg", "a_2.png", None):
        if gone:
            (layout.predictions("run") / gone).unlink()
        predict_frames(layout, "run", predictor, {"rule": "red"}, names)
        assert len(list(layout.predictions("run").rglob("a_*.*"))) == 4
    assert len(seen) == 2 + 1 + 1


def test_a_write_replaces_as_a_whole(tmp_path):
    path = tmp_path / "new" / "value.json"
    write_json(path, {"ä": [1, 2]})
    assert read_json(path) == {"ä": [1, 2]} and [entry.name for entry in path.parent.iterdir()] == [
        "value.json"
    ]
    assert (
        path.stat().st_mode & 0o777 == (tmp_path / "new").stat().st_mode & 0o666
    )  # not mkstemp's 600
    stop, seen = threading.Event(), []

    def reader():
        while not stop.is_set():
            seen.append(len(read_json(path)["ä"]))

    thread = threading.Thread(target=reader)
    thread.start()
    for count in range(50):
        write_json(path, {"ä": [0] * (2 if count % 2 else 5000)})
    stop.set()
    thread.join()
    assert set(seen) <= {2, 5000}
    with pytest.raises(UserError, match="no such file"):
        read_json(tmp_path / "absent.json")
    write_text(path, "{half")
    with pytest.raises(UserError, match="damaged"):
        read_json(path)
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="could not be written"):
        write_text(tmp_path / "file" / "below.txt", "")


def test_parallel_map_keeps_the_order():
    assert parallel_map(abs, range(-4, 0), "numbers", workers=2) == [4, 3, 2, 1]
    assert (
        parallel_map(abs, [-1], "numbers", workers=2) == [1]
        and parallel_map(abs, [], "numbers") == []
    )


def test_what_a_thread_does_comes_in_order_and_fails_at_its_turn():
    begun = []

    def read(number):
        begun.append(number)
        if number == 2:
            raise UserError("two")
        return number * 10

    found = []
    for number, value in in_a_thread(read, range(6), ahead=2):
        found.append((number, value.exception() or value.result()))
        assert len(begun) <= number + 3
    assert [number for number, _ in found] == begun == list(range(6))
    assert isinstance(found.pop(2)[1], UserError) and found[2] == (3, 30)


INTERRUPTED = "interrupted; run the same"


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [(UserError("say"), 2, "error: say\n"), (KeyboardInterrupt(), 130, INTERRUPTED)],
)
def test_a_script_ends_with_one_line(capsys, error, code, line):
    def main():
        raise error

    with pytest.raises(SystemExit) as exit_:
        cli.run_main(main)
    assert exit_.value.code == code and capsys.readouterr().err.startswith(line)
    with pytest.raises(ZeroDivisionError):  # our own mistakes keep their traceback
        cli.run_main(lambda: 1 / 0)
