"""Collects openly licensed photographs and cut-out figures from packages of Debian 12, for tools/train_depth.py, with
the copyright file of each package. Needs apt-get and dpkg-deb; without apt-get, a folder with the .deb files."""

import argparse
import io
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from tqdm import tqdm

from comics_depth.files import UserError, run_main

EXAMPLES = """\
  python -m tools.free_pictures DATA/free_pictures
  python -m tools.free_pictures DATA/free_pictures --debs FOLDER"""
# Licences, by the packages' copyright files: Scratch CC BY-SA 3.0; Endless Sky public domain, CC BY-SA 3.0 and 4.0;
# GCompris GPL 3 or later; Open Clip Art public domain.
PACKAGES = ("scratch", "endless-sky-data", "gcompris-qt-data", "openclipart-png")
DRAWN_BACKGROUNDS = {
    "chalkboard", "party-room", "room1", "room2", "room3", "spotlight-stage", "forest", "moon", "woods-and-bench",
    "berkeley-mural", "brick-wall1", "brick-wall2", "building-fireproof", "graffiti", "mural-faro", "school2",
}  # fmt: skip
CLIP_ART = ("people", "animals", "animals/mammals", "animals/birds", "animals/dinosaurs", "animals/fantasy",
            *(f"animals/mammals/{kind}" for kind in ("bears", "big_cats", "dogs", "horses", "housecats")))  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=f"examples:\n{EXAMPLES}", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("output", type=Path, help="gets photographs/, figures/ and licences/; made anew")
    parser.add_argument("--debs", type=Path, help=f"folder with the packages {', '.join(PACKAGES)}; default: apt-get")
    args = parser.parse_args()
    if args.output.exists() and not (args.output / "licences").is_dir():
        raise UserError(f"{args.output}: is there and was not made by this script; give another folder")
    unfinished = Path(f"{args.output}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    for part in ("photographs", "figures", "licences"):
        (unfinished / part).mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder:
        for package in PACKAGES:
            unpack(package, args.debs, Path(folder))
            copyright_file = Path(folder) / package / "usr/share/doc" / package / "copyright"
            shutil.copy(copyright_file, unfinished / "licences" / f"{package}.txt")
        for name, image in tqdm(photographs(Path(folder)), desc="photographs", disable=None):
            image = image.convert("RGB")
            image.thumbnail((640, 640), Image.Resampling.LANCZOS)
            image.save(unfinished / "photographs" / f"{name}.jpg", quality=92)
        for name, image in tqdm(figures(Path(folder)), desc="figures", disable=None):
            image.save(unfinished / "figures" / f"{name}.png")
    shutil.rmtree(args.output, ignore_errors=True)
    unfinished.rename(args.output)
    for part in ("photographs", "figures"):
        print(f"{args.output / part}: {len(list((args.output / part).iterdir()))} pictures")


def unpack(package: str, debs: Path | None, folder: Path) -> None:
    """Puts the files of a package into folder/package. Raises UserError if it cannot be had."""
    try:
        if debs is None:
            subprocess.run(["apt-get", "-q", "download", package], cwd=folder, check=True, capture_output=True)
        found = sorted((debs or folder).glob(f"{package}_*.deb"))
        if not found:
            raise UserError(f"{debs or folder}: no {package}_*.deb there")
        subprocess.run(["dpkg-deb", "-x", str(found[-1]), str(folder / package)], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        told = getattr(error, "stderr", b"").decode(errors="replace").strip()
        raise UserError(
            f"{package}: cannot be had or unpacked here ({error}) {told}\nfetch it from Debian, then --debs"
        ) from error


def photographs(folder: Path) -> Iterator[tuple[str, Image.Image]]:
    """Photographs of places, landscapes (every second: many are alike), animals and monuments."""
    for path in sorted((folder / "scratch/usr/share/scratch/Media/Backgrounds").glob("*/*.jpg")):
        if path.stem not in DRAWN_BACKGROUNDS:
            yield f"scratch_{path.stem}", Image.open(path)
    for path in sorted((folder / "endless-sky-data/usr/share/games/endless-sky/images/land").glob("*.jpg"))[::2]:
        yield f"endless_sky_{path.stem}", Image.open(path)
    for path in sorted((folder / "gcompris-qt-data").rglob("*.rcc")):
        if path.stem.startswith("explore_") or path.stem == "erase":
            yield from ((f"gcompris_{path.stem}_{n:02d}", image) for n, image in enumerate(pictures_inside(path)))


def pictures_inside(path: Path) -> Iterator[Image.Image]:
    """The WebP pictures, 250 pixels or more in height and width, that lie uncompressed in a Qt resource file."""
    content, start = path.read_bytes(), 0
    while (start := content.find(b"RIFF", start)) >= 0:
        (length,) = struct.unpack_from("<I", content, start + 4)
        if content[start + 8 : start + 12] == b"WEBP":
            image = Image.open(io.BytesIO(content[start : start + 8 + length]))
            if min(image.size) >= 250:
                yield image
        start += 4


def figures(folder: Path) -> Iterator[tuple[str, Image.Image]]:
    """RGBA pictures of one figure each, cut close, at most 400 pixels: one opaque piece, no rectangle, no thin lines,
    not one flat colour."""
    costumes = folder / "scratch/usr/share/scratch/Media/Costumes"
    clip_art = folder / "openclipart-png/usr/share/openclipart/png"
    paths = [path for kind in CLIP_ART for path in sorted((clip_art / kind).glob("*.png"))]
    paths += [
        path for kind in ("Animals", "Fantasy", "People") for path in sorted((costumes / kind).glob("*.[pg][ni][gf]"))
    ]
    for n, path in enumerate(paths):
        image = Image.open(path)
        if max(image.size) > 4000:
            continue
        image = image.convert("RGBA")
        box = image.getchannel("A").point(lambda alpha: 255 * (alpha > 128)).getbbox()
        if box is None:
            continue
        image = image.crop(box)
        image.thumbnail((400, 400), Image.Resampling.LANCZOS)
        pixels = np.asarray(image)
        solid = pixels[..., 3] > 128
        areas = cv2.connectedComponentsWithStats(solid.astype(np.uint8))[2][1:, cv2.CC_STAT_AREA]
        half_clear = ((pixels[..., 3] > 30) & (pixels[..., 3] < 225)).sum()
        one_piece = areas.size and areas.max() > 0.8 * areas.sum() and half_clear < 0.3 * solid.sum()
        if one_piece and solid.sum() >= 200 and 0.2 < solid.mean() < 0.93 and pixels[solid][:, :3].std() > 18:
            yield f"{n:04d}", image


if __name__ == "__main__":
    run_main(main)
