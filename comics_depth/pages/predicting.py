"""Depth of a list of pages: what is asked for, what is done, what is written for each page."""

import hashlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import torch
from tqdm import tqdm

from comics_depth.data.annotations import FRAME_CLASS, Box, read_boxes
from comics_depth.data.depth_files import write_depth
from comics_depth.images import image_count, read_image, write_image
from comics_depth.pages.confidence import UNSURE, confidence, is_one_picture
from comics_depth.pages.depth import PageDepth, depth_of_page
from comics_depth.pages.exports import Exports, write_depth8, write_exports
from comics_depth.pages.panels import PageReading, read_page
from comics_depth.pages.pictures import beside_depth, marked
from comics_depth.pages.sources import RECORD, ImageBytes, PageInput, boxes_file, read_record
from comics_depth.parallel import in_a_thread
from comics_depth.training.devices import default_device, memory_format
from common.errors import UserError
from common.files import write_json, write_text
from models.checkpoints import PAGE_NETWORK, SHIPPED, load_network, model_fingerprint
from models.depth_model import AveragedDepth, depth_model

SPECK = 0.005  # share of a frame below which text is not counted


@dataclass(frozen=True)
class PredictionOptions:
    """What is asked for. model: as models.depth_model.depth_model takes it; image_size: long side
    of what the model sees, pixels (None: its own); batch_size: most frames of a page at a time;
    fill_text: text is filled before the model sees it. Raises UserError for impossible values."""

    output: Path
    model: str
    depth_weights: Path | None = None
    image_size: int | None = None
    averaged: bool = False
    batch_size: int = 8
    whole_page: bool = False
    right_to_left: bool = False
    fill_text: bool = True
    floats: bool = False
    exports: Exports = field(default_factory=Exports)

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise UserError(f"expected --batch-size from 1, found {self.batch_size}")
        if self.image_size is not None and self.image_size < 32:
            raise UserError(f"expected --image-size from 32, found {self.image_size}")

    @cached_property
    def fingerprint(self) -> dict:
        """What decides on the depth, and which files are asked for."""
        model = str(SHIPPED.get(self.model, self.model))
        return {
            "model": model_fingerprint(model, self.depth_weights),
            "image_size": self.image_size,
            "averaged": self.averaged,
            "page": model_fingerprint(str(PAGE_NETWORK)),
            "text": "filled" if self.fill_text else "kept",
            "whole_page": self.whole_page,
            "right_to_left": self.right_to_left,
            "files": ["floats"] * self.floats + self.exports.names,
        }


def read_contents(page: PageInput) -> tuple[bytes, dict]:
    """The image file, and what tells it and its annotation from others. Raises UserError if they
    cannot be read."""
    try:
        image = page.read()
        boxes = page.boxes.read_bytes() if page.boxes else b""
    except Exception as error:  # a member of a broken archive may fail in any way
        raise UserError(f"{page.source}: cannot be read ({error})") from error
    digest = hashlib.sha256(image + b"\0" + boxes).hexdigest()
    return image, {"source": page.source, "sha256": digest}


def is_done(page: PageInput, options: PredictionOptions) -> bool:
    record = read_record(options.output / page.name)
    wanted = options.fingerprint
    if not record or not set(wanted["files"]) <= set(record.get("files", [])):
        return False
    try:
        wanted = wanted | read_contents(page)[1] | {"files": record["files"]}
    except UserError:
        return False  # it is reported when its turn comes
    own = {name: record[name] for name in ("boxes", "written") if name in record}
    files = [options.output / page.name / name for name in own.get("written", [])]
    if own.get("boxes"):
        files.append(boxes_file(options.output, page.name))
    return all(file.exists() for file in files) and record == wanted | own


def predict_pages(pages: list[PageInput], options: PredictionOptions) -> tuple[str, list[str]]:
    """Writes the results of every page; returns what was found in words, and what went wrong."""
    device = default_device()
    model = depth_model(options.model, options.depth_weights, options.image_size)
    model = model.to(device, memory_format=memory_format(model, device)).eval()
    sizes = [model.resolution]
    if options.averaged:
        model = AveragedDepth(model)
        sizes = model.resolutions
    reader = load_network(PAGE_NETWORK, "page")
    reader = reader.to(device, memory_format=memory_format(reader, device))
    inputs = " and ".join(map(str, sizes))
    print(f"on {device} ({torch.get_num_threads()} threads); frames are seen {inputs} pixels long")
    problems = []
    reading = in_a_thread(open_page, pages)
    bar = tqdm(reading, desc="depth of pages", unit="page", total=len(pages), disable=None)

    def computed() -> Iterator[tuple]:
        for page, opened in bar:
            try:
                image, source, notes = opened.result()
                seen = read_page(image, reader, options.right_to_left)
                numbered, more = frames_of_page(page, seen, options.whole_page)
                boxes = [box for _, box in numbered]
                sure = [1.0 if page.boxes else confidence(image, box) for box in boxes]
                notes += more + doubts(page, image, numbered, sure, options)
                depth = depth_of_page(
                    image,
                    model,
                    text=seen.text if options.fill_text else None,
                    boxes=boxes,
                    inside=seen.inside,
                    batch_size=options.batch_size,
                )
            except UserError as error:
                problems.append(str(error))
                continue
            for note in notes:
                tqdm.write(note, file=sys.stderr)
            yield page, source, image, numbered, sure, depth, options

    counts = [(0, 0, 0)]
    # one page ahead, as all of a page is kept until it is written
    for (page, *_), done in in_a_thread(lambda results: write_results(*results), computed(), 1):
        try:
            counts.append((1, *done.result()))
        except UserError as error:
            problems.append(str(error))
        except OSError as error:  # of one page's folder; the others may do
            problems.append(f"{page.source}: {error}")
    return "{} pages, {} frames, {} text areas".format(*np.sum(counts, axis=0)), problems


def open_page(page: PageInput) -> tuple[np.ndarray, dict, list[str]]:
    """The image of a page, what tells it from others, and notes on what is left out."""
    content, source = read_contents(page)
    image = read_image(ImageBytes(content, page.source))
    count = image_count(ImageBytes(content, page.source))
    several = f"left out: {page.source}: all but the first of {count} images"
    return image, source, [several] if count > 1 else []


def frames_of_page(
    page: PageInput, reading: PageReading, whole_page: bool
) -> tuple[list[tuple[int, Box]], list[str]]:
    """(number, box) of each frame, of the annotation beside the page, else what was read; and
    notes for the user. Raises UserError if no annotated frame lies in the page."""
    size = reading.text.shape
    everything = [(1, (0, 0, size[1], size[0]))]
    if whole_page:
        return everything, []
    if page.boxes:
        numbered, skipped = read_boxes(page.boxes, size)
        if skipped and not numbered:
            wrong = f"no annotated frame lies in the page ({skipped[0]})"
            raise UserError(f"{page.source}: {wrong}; --whole-page ignores it")
        if numbered:
            return numbered, [f"left out: {reason}" for reason in skipped]
    return list(enumerate(reading.boxes, start=1)), []


def doubts(
    page: PageInput,
    image: np.ndarray,
    numbered: list[tuple[int, Box]],
    sure: list[float],
    options: PredictionOptions,
) -> list[str]:
    """At most one line on frames that were found and may be wrong, with what to do."""
    if page.boxes or options.whole_page:
        return []
    mend = f"mend the boxes in {boxes_file(options.output, page.name)} and run this again"
    unsure = [str(k) for (k, _), value in zip(numbered, sure, strict=True) if value < UNSURE]
    whole = (0, 0, image.shape[1], image.shape[0])
    if [box for _, box in numbered] == [whole] and not is_one_picture(image):
        return [f"{page.source}: taken as one frame, but looks like several; {mend}"]
    if unsure:
        return [f"{page.source}: unsure of frame {', '.join(unsure)}; if it is wrong, {mend}"]
    return []


def write_results(
    page: PageInput,
    source: dict,
    image: np.ndarray,
    numbered: list[tuple[int, Box]],
    sure: list[float],
    depth: PageDepth,
    options: PredictionOptions,
) -> tuple[int, int]:
    """Writes all that there is of a page, the record that it is done, and boxes to mend; returns
    how many frames and areas of text it has."""
    folder = options.output / page.name
    boxes = boxes_file(options.output, page.name)
    mended = page.boxes == boxes
    if not mended:
        boxes.unlink(missing_ok=True)
    # of other options: there may have been more frames
    stale = [folder / RECORD, folder / "page_depth8.png"]
    for old in [*stale, *filter(Path.is_file, folder.glob("frame_*.*"))]:
        old.unlink(missing_ok=True)
    text = np.zeros(depth.depth.shape, bool)
    areas = 0
    for (x1, y1, x2, y2), _, text_of_frame in depth.frames:
        text[y1:y2, x1:x2] |= text_of_frame
        stats = cv2.connectedComponentsWithStats(text_of_frame.astype(np.uint8))[2][1:]
        areas += int((stats[:, cv2.CC_STAT_AREA] > SPECK * text_of_frame.size).sum())
    write_image(folder / "text.png", text.astype(np.uint8) * 255)
    write_depth(folder / "page.png", depth.depth, options.floats)
    if options.exports.depth8:
        write_depth8(folder / "page_depth8.png", depth.depth)
    beside = beside_depth(marked(image, numbered, text), depth.depth)
    write_image(folder / "preview.jpg", beside, quality=85)
    frames = []
    for (k, box), value, frame in zip(numbered, sure, depth.frames, strict=True):
        x1, y1, x2, y2 = box
        crop = image[y1:y2, x1:x2]
        write_depth(folder / f"frame_{k}.png", frame.depth, options.floats)
        write_image(folder / f"frame_{k}_preview.jpg", beside_depth(crop, frame.depth), quality=85)
        write_exports(folder / f"frame_{k}", crop, frame, options.exports)
        frames.append({"box": box, "confidence": round(value, 2), "depth": f"frame_{k}.png"})
    model = options.fingerprint["model"]
    about = {"frames": frames, "text_mask": "text.png", "model": model, "version": 1}
    write_json(folder / "page.json", about)
    lines = "".join(f"{FRAME_CLASS} {' '.join(map(str, box))}\n" for _, box in numbered)
    written = {"boxes": None if mended else lines}
    written["written"] = sorted(path.name for path in folder.iterdir() if path.is_file())
    write_json(folder / RECORD, options.fingerprint | source | written)
    if not mended:  # after the record: boxes that it does not hold are a person's
        write_text(boxes, lines)
    return len(frames), areas
