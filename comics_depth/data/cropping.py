"""Pages to frames: DCM boxes, eBDtheque panels with their text masks, plain folders of images."""

import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from tqdm import tqdm

from comics_depth.data import splits
from comics_depth.data.annotations import Box, clip_box, read_boxes, read_svg
from comics_depth.images import find_image, image_size, read_image, write_image
from comics_depth.parallel import parallel_map
from comics_depth.paths import FrameEntry, Layout, legacy_name, read_manifest
from common.errors import UserError, counted
from common.files import read_json, write_json


class FrameCrop(NamedTuple):
    """A frame to cut out, and its entry in the manifest ({page, box, ...})."""

    id: str
    entry: dict[str, Any]
    image: Path
    mask: Path | None = None

    def is_written(self, manifest: dict[str, dict]) -> bool:
        """Whether an earlier run wrote it from the same annotation."""
        # a mask that the manifest does not know may be of other classes
        known = manifest.get(self.id, {} if self.mask else self.entry)
        same = all(known.get(key) == self.entry.get(key) for key in ("box", "classes"))
        return same and self.image.exists() and (self.mask is None or self.mask.exists())


class PageCrops(NamedTuple):
    """A page image, the frames to cut from it and the polygons (of its pixels) that are text."""

    name: str
    source: Path
    frames: list[FrameCrop]
    polygons: Sequence[np.ndarray] = ()


def crop_frames(layout: Layout, *, seed: int, workers: int | None, restart: bool) -> None:
    """DCM pages -> frames, their three lists and the manifest. Raises UserError if an imported
    domain lies there."""
    note = layout.import_note("comics")
    if note.exists() and not restart:
        raise UserError(
            f"{layout.cropped} holds an imported domain ({note}); --restart replaces it by DCM"
        )
    split = splits.dcm_split(layout, seed)
    pages = []
    skipped = []
    for name in split:
        with counted(skipped):
            pages.append(dcm_page(layout, name, skipped))
    pages = write_crops(pages, skipped, layout.frames, read_manifest(layout), workers, restart)
    note.unlink(missing_ok=True)
    save_lists("crop_frames", pages, split, skipped, layout.frame_list, layout.manifest)


def dcm_page(layout: Layout, name: str, skipped: list[str]) -> PageCrops:
    source = find_image(layout.dcm_images, name)
    boxes = layout.dcm_boxes / f"{name}.txt"
    if source is None:
        raise UserError(f"page {name}: no image")
    if not boxes.exists():
        raise UserError(f"page {name}: no groundtruth file")
    numbered, bad = read_boxes(boxes, image_size(source))
    skipped += bad
    return PageCrops(name, source, frames_of(layout, name, source, numbered))


def frames_of(
    layout: Layout, page: str, source: Path, numbered: Iterable[tuple[int, Box]]
) -> list[FrameCrop]:
    """The frames of a page by (k, box); the manifest has its image relative to the data root, if
    there."""
    inside = source.is_relative_to(layout.data_root)
    image = (source.relative_to(layout.data_root) if inside else source).as_posix()
    frames = []
    for k, box in numbered:
        id = f"{page}_{k}"
        entry = {"page": page, "box": list(box), "legacy": legacy_name(id), "image": image}
        frames.append(FrameCrop(id, entry, layout.frame(id)))
    return frames


def generate_text_masks(
    layout: Layout, classes: list[str], *, seed: int, workers: int | None, restart: bool
) -> None:
    """eBDtheque pages -> an image and a mask per panel, lists by page, manifest. `classes`: SVG
    classes that are text."""
    known = layout.text_manifest.exists() and not restart
    manifest = read_json(layout.text_manifest, dict[str, FrameEntry]) if known else {}
    pages = []
    skipped = []
    for path in sorted(layout.ebdtheque_svg.rglob("*.svg")):
        with counted(skipped):
            pages.append(text_page(layout, path, classes, skipped))
    pages = write_crops(pages, skipped, layout.text_frames, manifest, workers, restart)
    # Whatever was drawn before gives way to the lists of DCM, which decide what the depth stages
    # are scored on.
    fixed = {entry["page"]: entry["split"] for entry in manifest.values()}
    scored = splits.known_pages(layout, seed)
    last_part = {page.name: Path(page.name).name for page in pages}
    fixed |= {name: scored[last] for name, last in last_part.items() if last in scored}
    split = splits.seeded_split([page.name for page in pages], splits.TEXT_SHARES, seed, fixed)
    save_lists("generate_text_masks", pages, split, skipped, layout.text_list, layout.text_manifest)
    for part in {"train", "validation"} - set(split.values()):
        print(f"  no page is left for {part}: nearly all pages stand in the lists of DCM")


def text_page(layout: Layout, path: Path, classes: list[str], skipped: list[str]) -> PageCrops:
    """Panels (without any: the page) of an SVG file and its text polygons, in pixels of its
    image."""
    name = path.relative_to(layout.ebdtheque_svg).with_suffix("").as_posix()
    svg = read_svg(path, layout.ebdtheque)
    skipped += svg.skipped
    source = svg.image if svg.image.is_file() else find_image(layout.ebdtheque_pages, name)
    if source is None:
        raise UserError(f"{path}: its page image {svg.image} is missing")
    size = image_size(source)
    to_pixels = np.divide(size, svg.size or size)[::-1]
    panels = [panel * to_pixels for panel in svg.polygons["Panel"]]
    frames = []
    for k, panel in enumerate(panels or [np.array([[0, 0], size[::-1]])], start=1):
        outer = np.concatenate([np.floor(panel.min(0)), np.ceil(panel.max(0))])
        box = clip_box(tuple(outer.astype(int).tolist()), size)
        if box is None:
            skipped.append(f"{source}: panel {k} is empty or outside the page")
            continue
        id = f"{name}_{k}"
        entry = {"page": name, "box": list(box), "classes": sorted(set(classes))}
        frames.append(FrameCrop(id, entry, layout.text_frame(id), layout.text_mask(id)))
    text = [polygon * to_pixels for key in classes for polygon in svg.polygons[key]]
    return PageCrops(name, source, frames, text)


def import_domain(
    layout: Layout,
    domain: str,
    folder: Path,
    *,
    find_panels: Callable[[Path], list[Box]] | None = None,
    seed: int,
    workers: int | None,
    restart: bool,
) -> None:
    """Copies a folder of images in, as comics frames (one a page, or what `find_panels` finds) or
    natural photographs, with seeded splits. Raises UserError where another domain lies."""
    comics = domain == "comics"
    target = layout.frames if comics else layout.photographs
    note = layout.import_note(domain)
    check_import(folder, target, note, replaceable=comics, restart=restart)
    manifest = read_manifest(layout) if comics and not restart else {}
    panels = defaultdict(list)
    for entry in manifest.values():
        panels[entry["page"]].append(tuple(entry["box"]))
    pages = []
    skipped = []
    images = splits.image_names(folder).items()
    for name, path in tqdm(images, desc="panels", disable=None if find_panels else True):
        with counted(skipped):
            height, width = image_size(path)
            boxes, source = [(0, 0, width, height)], layout.frame(f"{name}_1")
            if find_panels:
                boxes, source = panels.get(name) or find_panels(path), path.resolve()
            frames = frames_of(layout, name, source, enumerate(boxes, 1))
            if not comics:
                frames = [frame._replace(image=target / f"{name}.jpg") for frame in frames]
            pages.append(PageCrops(name, path, frames))
    if restart and not comics:  # lists and depth are those of the photographs that go
        shutil.rmtree(layout.photograph_depth, ignore_errors=True)
        for part in splits.PHOTOGRAPH_SHARES:
            layout.photograph_list(part).unlink(missing_ok=True)
    write_json(note, {"folder": str(folder.resolve())})
    pages = write_crops(pages, skipped, target, manifest, workers, restart)
    names = [page.name for page in pages]
    if comics:
        fixed = {entry["page"]: entry["split"] for entry in manifest.values()}
        split = splits.seeded_split(names, splits.PAGE_SHARES, seed, fixed)
        save_lists("import_domain", pages, split, skipped, layout.frame_list, layout.manifest)
    else:
        lists = splits.photograph_split(layout, seed, names)
        splits.report("import_domain", lists, "photographs", skipped)


def check_import(
    folder: Path, target: Path, note: Path, *, replaceable: bool, restart: bool
) -> None:
    """Raises UserError if `folder` must not be imported to `target`; photographs that no import
    brought are never thrown away (not `replaceable`)."""
    source = folder.resolve()
    place = target.resolve()
    if source.is_relative_to(place) or place.is_relative_to(source):
        raise UserError(f"{folder} and {target} must not lie inside each other")
    before = read_json(note).get("folder") if note.exists() else None
    replaceable = replaceable or before is not None
    occupied = target.exists() and any(target.iterdir()) and before != str(source)
    if occupied and not (restart and replaceable):
        origin = f", from {before}" if before else ""
        remedy = "--restart to replace it" if replaceable else "another --data-root"
        raise UserError(f"{target} holds another domain{origin}; use {remedy}")


def write_crops(
    pages: list[PageCrops],
    skipped: list[str],
    folder: Path,
    manifest: dict[str, dict],
    workers: int | None,
    restart: bool,
) -> list[PageCrops]:
    """Cuts the frames that are not written yet; `restart` empties `folder` first. Returns the pages
    that could be read; reasons of the others go to `skipped`. Raises UserError if none could."""
    if restart and pages:
        shutil.rmtree(folder, ignore_errors=True)
    jobs = [
        page._replace(frames=[crop for crop in page.frames if not crop.is_written(manifest)])
        for page in pages
    ]
    reasons = parallel_map(cut_page, jobs, "pages", workers)
    skipped += filter(None, reasons)
    found = [page for page, reason in zip(pages, reasons, strict=True) if not reason]
    if not any(page.frames for page in found):
        why = "; ".join(skipped[:3]) or "no pages found"
        raise UserError(
            f"nothing to write to {folder}: {why}; data/README.md says where the datasets come"
            " from, --import_domain takes your own images, --preset demo needs none"
        )
    return found


def cut_page(page: PageCrops) -> str | None:
    """Writes image (and mask) of every frame of a page; the reason, if the page cannot be read."""
    if not page.frames:
        return None
    try:
        image = read_image(page.source)
    except UserError as error:
        return str(error)
    mask = np.zeros(image.shape[:2], np.uint8)
    # one polygon at a time, as overlaps would else cancel; borders are text too
    for polygon in page.polygons:
        corners = np.round(np.clip(polygon, -1e6, 1e6) * 16).astype(np.int32)
        cv2.fillPoly(mask, [corners], 255, shift=4)
    for frame in page.frames:
        x1, y1, x2, y2 = frame.entry["box"]
        write_image(frame.image, image[y1:y2, x1:x2])
        if frame.mask:
            write_image(frame.mask, mask[y1:y2, x1:x2])
    return None


def save_lists(
    action: str,
    pages: list[PageCrops],
    split: dict[str, str],
    skipped: list[str],
    path: Callable[[str], Path],
    manifest: Path,
) -> None:
    """Writes lists and manifest, after the frames, so that they name none that is missing."""
    entries = {
        frame.id: frame.entry | {"split": split[page.name]}
        for page in pages
        for frame in page.frames
    }
    lists = splits.write_lists(path, {id: entry["split"] for id, entry in entries.items()})
    write_json(manifest, entries)
    splits.report(action, lists, f"frames, listed in {manifest.parent}", skipped)
