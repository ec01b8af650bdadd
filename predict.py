"""Depth of comics pages: of images, folders and archives (.cbz, .zip), with no data, GPU or network
needed."""

import argparse
import hashlib
import os
import sys
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from comics_depth.cli import run_main
from comics_depth.data.annotations import read_boxes
from comics_depth.data.depth_files import write_depth
from comics_depth.images import image_count, read_image, write_image
from comics_depth.pages.depth import depth_of_page
from comics_depth.pages.exports import (
    beside_depth,
    contact_sheet,
    parallax,
    write_animation,
    write_points,
)
from comics_depth.pages.panels import find_panels
from comics_depth.pages.sources import RECORD, ImageBytes, Page, find_pages, read_record
from comics_depth.training.devices import default_device
from comics_depth.training.run import checkpoint_of
from common.errors import UserError
from common.files import write_json
from models.checkpoints import SHIPPED, TEXT_AREAS, load_network, model_fingerprint
from models.depth_model import AveragedDepth, depth_model

SHEET = 60  # pages on a contact sheet
RUNS = Path("models/trained")
EPILOG = """\
In OUTPUT/<page>/ (a page of an archive: OUTPUT/<archive>/<page>/):
  page.png, frame_<k>.png   inverse depth, 16 bit, larger is nearer; its text chunk
                            `inverse_depth` holds {scale, offset}. Every frame runs from
                            about 0 (far) to 1; gutters are farther than everything
  preview.jpg, frame_<k>_preview.jpg     image and depth for people
  frame_<k>.webp, frame_<k>.ply, *.npy   with --parallax, --point-cloud, --floats
  made_by.json              a page made by the same model and options is not made again
In OUTPUT a contact sheet for each folder and archive, and contact_pages.jpg for single images.

Frames come from the annotation beside the page (<page>.txt, lines `8 x1 y1 x2 y2`), else from
the gutters.
What cannot be read is reported and left out. Exit code: 0 if there is depth of a page, else 2.

examples:
  python predict.py page.jpg -o depth
  python predict.py comics/ album.cbz -o depth --parallax --point-cloud
  python predict.py frame.png -o depth --whole-page --model MiDaS --image-size 512"""


def main() -> None:
    args = command_line().parse_args()
    sheets, problems = find_pages(args.inputs, args.output)
    wanted = made_by(args)
    pages = [page for pages in sheets.values() for page in pages]
    pending = [page for page in pages if args.restart or not is_done(args, page, wanted)]
    print(
        f"{wanted['model']}: {len(pending)} pages to predict, {len(pages) - len(pending)} done"
        " before",
        flush=True,
    )
    for page in pending if args.dry_run else ():
        print(f"would read {page.source}\n  and write {args.output / page.name}/")
    failed = [] if args.dry_run or not pending else predict_pages(args, pending, wanted)
    for problem in problems + failed:
        print(f"left out: {problem}", file=sys.stderr)
    done, left_out = len(pages) - len(failed), len(problems) + len(failed)
    if args.dry_run:
        return
    if not done:
        raise UserError(f"nothing could be predicted; {left_out} problems, see above")
    write_sheets(args.output, sheets)
    print(f"{args.output}: depth of {done} pages; {left_out} left out")


def command_line() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, epilog=EPILOG, formatter_class=raw)
    add = parser.add_argument
    add(
        "inputs",
        nargs="+",
        type=Path,
        help="images, folders (searched through and through), .cbz and .zip archives",
    )
    add("-o", "--output", type=Path, required=True, help="folder for the results")
    add(
        "--model",
        default="default-comics",
        help=(
            f"{', '.join(SHIPPED)}, MiDaS, MiDaS_small, DPT_Large, hf:<repo id>, a run (folder, or "
            f"name below {RUNS}), a checkpoint or TorchScript file (default: default-comics)"
        ),
    )
    add(
        "--depth-weights",
        type=Path,
        help="weights file of a named model, for machines without network",
    )
    add(
        "--image-size",
        type=int,
        help="long side of what the model sees, pixels (default: the model's own)",
    )
    add(
        "--averaged",
        action="store_true",
        help="mean over three sizes and mirror images: better, but slower",
    )
    add(
        "--batch-size",
        type=int,
        default=8,
        help="most frames of one page and shape at a time (default 8)",
    )
    add("--whole-page", action="store_true", help="do not look for frames: each image is one")
    add(
        "--text",
        choices=("aware", "keep"),
        default="aware",
        help=(
            "aware (default): text is filled before the model "
            "sees it and takes its depth from around it; keep: left as it is"
        ),
    )
    add("--floats", action="store_true", help="write exact floats (.npy) as well")
    add("--parallax", action="store_true", help="write a moving picture of each frame (WebP)")
    add("--point-cloud", action="store_true", help="write a point cloud of each frame (PLY)")
    add("--restart", action="store_true", help="predict again what is done")
    add("--dry-run", action="store_true", help="say what would be read and written, and do nothing")
    return parser


def made_by(args) -> dict:
    """What decides on the depth, and which files are asked for."""
    if args.batch_size < 1 or (args.image_size is not None and args.image_size < 32):
        found = f"{args.batch_size} and {args.image_size}"
        raise UserError(f"expected --batch-size from 1 and --image-size from 32, found {found}")
    if args.model not in SHIPPED:
        args.model = checkpoint_of(args.model, RUNS)
    files = [name for name in ("floats", "parallax", "point_cloud") if getattr(args, name)]
    return {
        "model": model_fingerprint(str(SHIPPED.get(args.model, args.model)), args.depth_weights),
        "image_size": args.image_size,
        "averaged": args.averaged,
        "text": model_fingerprint(str(TEXT_AREAS)) if args.text == "aware" else "kept",
        "whole_page": args.whole_page,
        "files": files,
    }


def contents(page: Page) -> tuple[bytes, dict]:
    """The image file, and what tells it and its annotation from others. Raises UserError if they
    cannot be read."""
    try:
        image, boxes = page.read(), page.boxes.read_bytes() if page.boxes else b""
    except Exception as error:  # a member of a broken archive may fail in any way
        raise UserError(f"{page.source}: cannot be read ({error})") from error
    return image, {
        "source": page.source,
        "sha256": hashlib.sha256(image + b"\0" + boxes).hexdigest(),
    }


def is_done(args, page: Page, wanted: dict) -> bool:
    record = read_record(args.output / page.name)
    if not record or not set(wanted["files"]) <= set(record.get("files", [])):
        return False
    try:
        return record == wanted | contents(page)[1] | {"files": record["files"]}
    except UserError:
        return False  # it is reported when its turn comes


def predict_pages(args, pages: list[Page], wanted: dict) -> list[str]:
    """Writes the results of every page; returns what went wrong."""
    there = next(path for path in (args.output, *args.output.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise UserError(f"{args.output}: no folder can be written there; give another -o FOLDER")
    device = default_device()
    model = depth_model(args.model, args.depth_weights, args.image_size).to(device).eval()
    text = load_network(TEXT_AREAS, "text").to(device) if args.text == "aware" else None
    model = AveragedDepth(model) if args.averaged else model
    seen = " and ".join(map(str, model.resolutions if args.averaged else [model.resolution]))
    print(f"on {device} ({torch.get_num_threads()} threads); frames are seen {seen} pixels long")
    problems = []
    for page in tqdm(pages, desc="depth of pages", unit="page", disable=None):
        try:
            content, source = contents(page)
            image = read_image(ImageBytes(content, page.source))
            reasons = predict_page(args, page, image, model, text)
            if (count := image_count(ImageBytes(content, page.source))) > 1:
                reasons.append(
                    f"{page.source}: all but the first of {count} images; split the file to have"
                    " them"
                )
            for reason in reasons:
                tqdm.write(f"left out: {reason}", file=sys.stderr)
            write_json(args.output / page.name / RECORD, wanted | source)
        except UserError as error:
            problems.append(str(error))
        except OSError as error:  # of one page's folder; the others may do
            problems.append(f"{page.source}: {error}")
    return problems


def predict_page(args, page: Page, image: np.ndarray, model, text) -> list[str]:
    """Writes the results of a page; returns which annotated frames it could not take. Raises
    UserError if none."""
    folder, numbered, skipped = args.output / page.name, [], []
    if page.boxes and not args.whole_page:
        numbered, skipped = read_boxes(page.boxes, image.shape[:2])
        if skipped and not numbered:
            raise UserError(
                f"{page.source}: no annotated frame lies in the page ({skipped[0]}); --whole-page"
                " ignores it"
            )
    if not numbered and not args.whole_page:
        numbered = list(enumerate(find_panels(image), start=1))
    numbered = numbered or [(1, (0, 0, image.shape[1], image.shape[0]))]
    found = depth_of_page(image, model, text, [box for _, box in numbered], args.batch_size)
    # of other options: there may have been more frames
    for old in [folder / RECORD, *filter(Path.is_file, folder.glob("frame_*.*"))]:
        old.unlink(missing_ok=True)
    write_depth(folder / "page.png", found.depth, args.floats)
    write_image(folder / "preview.jpg", beside_depth(image, found.depth), quality=85)
    for (k, (x1, y1, x2, y2)), frame in zip(numbered, found.frames, strict=True):
        crop, path = image[y1:y2, x1:x2], folder / f"frame_{k}.png"
        write_depth(path, frame.depth, args.floats)
        write_image(folder / f"frame_{k}_preview.jpg", beside_depth(crop, frame.depth), quality=85)
        if args.parallax:
            write_animation(path.with_suffix(".webp"), parallax(crop, frame.depth))
        if args.point_cloud:
            write_points(path.with_suffix(".ply"), crop, frame.depth)
    return skipped


def write_sheets(output: Path, sheets: dict[str, list[Page]]) -> None:
    for title, pages in sheets.items():
        previews = [path for page in pages if (path := output / page.name / "preview.jpg").exists()]
        for first in range(0, len(previews), SHEET):
            number = f"_{first // SHEET + 1}" if len(previews) > SHEET else ""
            sheet = contact_sheet([read_image(path) for path in previews[first : first + SHEET]])
            write_image(output / f"contact_{title}{number}.jpg", sheet, quality=85)


if __name__ == "__main__":
    run_main(main)
