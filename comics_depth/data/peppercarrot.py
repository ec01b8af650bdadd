"""A data root out of Pepper&Carrot by David Revoy (CC BY 4.0): the pictures that a user has, with
the boxes, lists and depth orderings of this repository."""

import os
import re
import shutil
import subprocess
import tempfile
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from comics_depth.data import splits
from comics_depth.data.annotations import FRAME_CLASS, Box, read_boxes, svg_page, svg_tree
from comics_depth.data.orderings import Point, read_ordering, write_ordering
from comics_depth.images import image_size, read_image, write_image
from comics_depth.parallel import parallel_map
from comics_depth.paths import PEPPERCARROT, SPLITS, Layout, read_names
from common.errors import UserError
from common.files import write_bytes, write_text

LANGUAGE = "en"
_NAME = re.compile(r"E(\d\d)P(\d\d)\.(svg|png|jpe?g)$")
_FONTS = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>
<include ignore_missing="yes">/etc/fonts/fonts.conf</include>{}</fontconfig>"""
NO_INKSCAPE = (
    "Inkscape renders the lettering and is not installed: `sudo apt install inkscape` (Debian,"
    " Ubuntu), `brew install --cask inkscape` (macOS), `winget install Inkscape.Inkscape` (Windows)"
)


class PageFiles(NamedTuple):
    """Text-free art of a page, and its lettering as SVG, or the page with it, or neither."""

    art: Path
    svg: Path | None = None
    lettered: Path | None = None


def import_peppercarrot(
    layout: Layout, folders: Sequence[Path], *, workers: int | None, restart: bool
) -> None:
    """Writes what the folders have of the pages of PEPPERCARROT into the data root: DCM pages,
    boxes and lists, every other page for eBDtheque, page masks, pages without text, orderings.
    Pages that are there stay (unless `restart`). Raises UserError if no page is found, other pages
    lie there, or Inkscape is missing."""
    sources = tomllib.loads((PEPPERCARROT / "sources.toml").read_text(encoding="utf-8"))
    del sources["revisions"]
    others = {path.stem for path in layout.dcm_images.rglob("*.*")} - {*sources}
    if others:
        raise UserError(
            f"{layout.dcm_images} holds other pages ({min(others)}); give another --data-root"
        )
    files, missing = page_files(folders, {name: sources[name]["lettered"] for name in sources})
    if not files:
        raise UserError(
            f"{' '.join(map(str, folders))}: found no art (gfx_*_EnnPmm.png or .jpg) of the pages"
        )
    todo = [name for name in files if restart or not layout.dcm_image(name).exists()]
    if any(files[name].svg for name in todo) and not shutil.which("inkscape"):
        raise UserError(NO_INKSCAPE)
    with tempfile.TemporaryDirectory() as scratch:
        fonts = Path(scratch, "fonts.conf")
        places = {path.parent.resolve() for each in folders for path in each.rglob("*.[ot]tf")}
        dirs = "".join(f"<dir>{place}</dir>" for place in sorted(places))
        write_text(fonts, _FONTS.format(dirs))
        jobs = [(layout, name, sources[name], files[name], fonts) for name in todo]
        failed = parallel_map(_write_page, jobs, "pages", workers)
    skipped = [reason for reason in failed if reason]
    skipped += [f"{reason}: {', '.join(names)}" for reason, names in missing.items()]
    split_of = {}
    for split in SPLITS:
        for name in read_names(PEPPERCARROT / layout.dcm_pages(split).name):
            if layout.dcm_image(name).exists():
                split_of[name] = split
    lists = splits.write_lists(layout.dcm_pages, split_of)
    splits.report("import_peppercarrot", lists, "pages", skipped)


def page_files(
    folders: Iterable[Path], lettered: dict[str, bool]
) -> tuple[dict[str, PageFiles], dict[str, list[str]]]:
    """({page: its files}, {what is missing: pages}) of the pages `lettered` (page -> has it
    lettering): gfx_*_EnnPmm.{png,jpg} is art, en/*EnnPmm.svg its lettering, en_*_EnnPmm.jpg a page
    with lettering."""
    found: dict[tuple[str, str], list[Path]] = defaultdict(list)
    for path in sorted(path for folder in folders for path in folder.rglob("*.*")):
        if match := _NAME.search(path.name):
            own = path.parent.name == LANGUAGE or path.name.startswith(f"{LANGUAGE}_")
            kind = "svg" if match[3] == "svg" else "page"
            kind = "art" if path.name.startswith("gfx_") else kind if own else "foreign"
            found[f"ep{match[1]}_p{match[2]}", kind].append(path)
    files = {}
    missing = defaultdict(list)
    for page, has_text in lettered.items():
        art, svg, pages = (found[page, kind] for kind in ("art", "svg", "page"))
        art.sort(key=lambda path: path.suffix.lower() != ".png")
        same = [(a, p) for a in art for p in pages if image_size(a) == image_size(p)]
        if not art:
            missing["no art (gfx_*_EnnPmm.png or .jpg)"].append(page)
        elif svg:
            files[page] = PageFiles(art[0], svg=svg[0])
        elif same:
            files[page] = PageFiles(same[0][0], lettered=same[0][1])
        elif has_text:
            reason = "no English lettering (en/*EnnPmm.svg, or en_*_EnnPmm.jpg of the art's size)"
            missing[reason].append(page)
        else:
            files[page] = PageFiles(art[0])
    return files, missing


def _write_page(job: tuple[Layout, str, dict, PageFiles, Path]) -> str | None:
    """Writes all of a page, its image last; returns why it could not be."""
    layout, name, source, files, fonts = job
    cv2.setNumThreads(1)
    try:
        art = read_image(files.art)
        scale = np.divide(art.shape[1::-1], source["size"])
        if abs(scale[0] / scale[1] - 1) > 0.01:
            return f"{files.art}: expected the proportions of {source['size']} pixels"
        if files.svg:
            layer = render_lettering(files.svg, art.shape[:2], fonts)
            below = Image.fromarray(art).convert("RGBA")
            page = np.array(Image.alpha_composite(below, Image.fromarray(layer)).convert("RGB"))
            mask = lettering_mask(layer[..., 3])
        elif files.lettered:
            page = read_image(files.lettered)
            mask = difference_mask(page, art)
        else:
            page, mask = art, np.zeros(art.shape[:2], bool)
    except UserError as error:
        return str(error)
    boxes = write_annotations(layout, name, source["size"], scale)
    write_image(layout.page_mask(name), np.where(mask, 255, 0).astype(np.uint8))
    _write_jpeg(layout.text_free_page(name), art, files.art, 88)
    images = [layout.dcm_image(name)]
    if source["lettered"] and source["page"] % 2:
        panels = [np.array([(a, b), (c, b), (c, d), (a, d)]) for a, b, c, d in boxes]
        polygons = {"Panel": panels, **text_polygons(mask)}
        write_text(layout.ebdtheque_svg / f"{name}.svg", svg_page(name, mask.shape, polygons))
        images.insert(0, layout.ebdtheque_pages / f"{name}.jpg")
    for path in images:
        _write_jpeg(path, page, files.lettered or (files.art if not files.svg else None), 90)
    return None


def _write_jpeg(path: Path, image: np.ndarray, source: Path | None, quality: int) -> None:
    """The image as JPEG, or the bytes of its file where that is a JPEG already."""
    if source and source.suffix.lower() in (".jpg", ".jpeg"):
        write_bytes(path, source.read_bytes())
    else:
        write_image(path, image, quality=quality, subsampling=2)


def render_lettering(svg: Path, size: tuple[int, int], fonts: Path) -> np.ndarray:
    """Lettering of a page of (height, width) without linked art, RGBA uint8 (H, W, 4), by Inkscape.
    fonts: configuration of fontconfig. Raises UserError."""
    tree = svg_tree(svg)
    for image in list(tree.iter("{*}image")):
        image.getparent().remove(image)
    with tempfile.TemporaryDirectory() as scratch:
        source, drawn = Path(scratch, "lettering.svg"), Path(scratch, "lettering.png")
        tree.write(source)
        area = ("--export-area-page", f"--export-width={size[1]}", "--export-background-opacity=0")
        done = subprocess.run(
            ["inkscape", "--export-type=png", *area, f"--export-filename={drawn}", source],
            env=os.environ | {"FONTCONFIG_FILE": str(fonts), "INKSCAPE_PROFILE_DIR": scratch},
            capture_output=True,
            text=True,
        )
        if not drawn.exists():
            raise UserError(f"{svg}: Inkscape could not draw it ({done.stderr.strip()[-200:]})")
        with Image.open(drawn) as image:
            layer = image.convert("RGBA")
    if abs(layer.height - size[0]) > 0.01 * size[0]:
        raise UserError(f"{svg}: its page has other proportions than the art, {size[1]}x{size[0]}")
    return np.array(layer if layer.height == size[0] else layer.resize(size[::-1]))


def lettering_mask(alpha: np.ndarray) -> np.ndarray:
    """Text, bool (H, W), by the alpha (uint8) of lettering: what is opaque, or faint and not its
    edge."""
    opaque = alpha > 128
    edges = cv2.dilate(opaque.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    return opaque | ((alpha > 20) & ~edges)


def difference_mask(lettered: np.ndarray, art: np.ndarray) -> np.ndarray:
    """Text, bool (H, W), where a page differs from its art (uint8 RGB): areas that differ by more
    than 24, of which 6 pixels do by more than 32."""
    difference = cv2.absdiff(lettered, art).max(axis=2)
    count, areas = cv2.connectedComponents((difference > 24).astype(np.uint8), connectivity=8)
    text = np.bincount(areas[difference > 32], minlength=count) >= 6
    text[0] = False
    return text[areas]


def text_polygons(mask: np.ndarray) -> dict[str, list[np.ndarray]]:
    """Outlines (corners, 2) of a text mask: Balloon if large and filling their hull, else Line."""
    polygons: dict[str, list[np.ndarray]] = {"Balloon": [], "Line": []}
    pixels = mask.astype(np.uint8)
    for outline in cv2.findContours(pixels, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]:
        if len(outline) < 3:
            continue
        area = cv2.contourArea(outline)
        large = area >= 2000
        full = area > 0.55 * cv2.contourArea(cv2.convexHull(outline))
        corners = cv2.approxPolyDP(outline, 0.5 if large else 0.2, True)[:, 0]
        polygons["Balloon" if large and full else "Line"].append(corners)
    return polygons


def write_annotations(
    layout: Layout, name: str, size: tuple[int, int], scale: np.ndarray
) -> list[Box]:
    """Writes boxes and orderings of a page whose art is `scale` (x, y) times `size` (width,
    height); returns the boxes."""
    found, _ = read_boxes(PEPPERCARROT / f"groundtruth/{name}.txt", tuple(size[::-1]))
    boxes = []
    for k, box in found:
        boxes.append(tuple(np.round(np.multiply(box, (*scale, *scale))).astype(int).tolist()))
        ordering = PEPPERCARROT / f"depth/{name}_{k}.txt"
        if ordering.exists():
            points = (scaled_point(p, box, boxes[-1], scale) for p in read_ordering(ordering))
            write_ordering(layout.ordering(f"{name}_{k}"), list(points))
    lines = [f"{FRAME_CLASS} {a} {b} {c} {d}\n" for a, b, c, d in boxes]
    write_text(layout.dcm_boxes / f"{name}.txt", "".join(lines))
    return boxes


def scaled_point(point: Point, box: Box, scaled: Box, scale: np.ndarray) -> Point:
    """A point of a frame whose box on the page became `scaled`, in pixels of that."""
    middle = np.add(point[2:], box[:2]) + 0.5
    x, y = np.floor(middle * scale).astype(int) - scaled[:2]
    x, y = np.clip((x, y), 0, np.subtract(scaled[2:], scaled[:2]) - 1).tolist()
    return point._replace(x=x, y=y)
