"""Depth of comics pages: of images, folders, archives (.cbz, .zip) and PDF, with no data, GPU or
network needed."""

if __name__ == "__main__":
    import common.interrupts  # noqa: F401  Ctrl-C while the rest is imported

import argparse
import contextlib
import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from comics_depth.cli import check_models, run_main, values
from comics_depth.images import read_image
from comics_depth.options import OPTIONS
from comics_depth.pages.exports import FORMATS, PATHS, Exports
from comics_depth.pages.predicting import PredictionOptions, is_done, predict_pages
from comics_depth.pages.sources import ImageBytes, PageInput, boxes_file, find_pages, read_record
from comics_depth.pages.viewer import write_sheets
from comics_depth.training.run import checkpoint_of
from common.errors import UserError
from common.files import is_last_in, lock
from common.ranks import FINISH, my_share, rank_and_count, refuse_several
from common.trust import trust_code
from models.checkpoints import SHIPPED

DEFAULT_MODEL = "default-comics"
RUNS = Path("models/trained")
# options that go as they are to PredictionOptions
PREDICTION = (
    *("output", "depth_weights", "image_size", "averaged", "batch_size", "whole_page"),
    *("right_to_left", "floats"),
)
FLAGS = {
    "averaged": "mean over three sizes and mirror images: better, but slower",
    "whole-page": "do not look for frames: each image is one",
    "right-to-left": "frames are numbered as manga is read",
    "floats": "write exact floats (.npy) as well",
    "depth8": "write depth in 8 bit as well (PNG), 255 nearest",
    "crops": "write each frame as an image",
    "text-masks": "write the text areas of each frame (PNG)",
    "mesh": "write each frame as a mesh with texture (GLB) and as a point cloud (PLY)",
    "parallax": "write a moving picture of each frame",
    "html": "write pages for the browser whose frames move with the mouse; takes --crops along",
    "check": "then mend the boxes in the browser; after Ctrl-C changed pages are made anew",
    "restart": "predict again what is done",
    "dry-run": "say what would be read and written, and do nothing",
}
EPILOG = """\
In OUTPUT/<page>/ (a page of an archive: OUTPUT/<archive>/<page>/):
  page.png, frame_<k>.png   inverse depth, 16 bit, larger is nearer; its text chunk
                            `inverse_depth` holds {scale, offset}. Every frame runs from
                            about 0 (far) to 1; gutters are farther than everything
  preview.jpg, frame_<k>_preview.jpg     image and depth for people
  page.json                 {frames: [{box: [x1, y1, x2, y2], confidence, depth}], text_mask,
                            model, version}; pixels, x2 and y2 exclusive, in reading order
  text.png                  255 where there is text, of the size of the page
  with options: *_depth8.png, *.npy, frame_<k>_image.jpg, frame_<k>_text.png,
  frame_<k>.glb and .ply (x right, y up, z to the camera at the origin, nearest at 1),
  frame_<k>_layer_01.png (the nearest) and so on, frame_<k>.webp, .gif or .mp4
  made_by.json              a page made by the same model and options is not made again
In OUTPUT a contact sheet for each folder and archive, and contact_pages.jpg for single images;
with --html such a page for the browser as well, which needs no other file.

The boxes of a page are in OUTPUT/<page>.txt, lines `8 x1 y1 x2 y2`: mend them there, or in the
browser with --check, and the same command makes the page anew. Else they come from such a file
beside the page, else from the network that reads pages, which also finds the text. Where those
that were found are doubtful, a line says so.
Processes share the pages: `torchrun --nproc_per_node 3 predict.py ...`, or the same command three
times, here or on other machines that see OUTPUT, with WORLD_SIZE=3 and RANK=0, 1 and 2.
What cannot be read is reported and left out. Exit code: 0 if there is depth of a page, else 2.

examples:
  python predict.py page.jpg -o depth
  python predict.py comics/ album.cbz -o depth --html --parallax --path sweep
  python predict.py page.jpg -o depth --mesh --layers 4 --depth8
  python predict.py comics/ -o depth --check
  python predict.py frame.png -o depth --whole-page --model MiDaS --image-size 512"""


def main() -> None:
    args = command_line().parse_args()
    for option in ("check", "restart"):
        if getattr(args, option):
            refuse_several(f"--{option}")
    if args.trust_code:
        trust_code()
    check_models([args.model], args.licence_policy)
    exports = values(args, *(field.name for field in dataclasses.fields(Exports)))
    exports["crops"] |= args.html
    options = PredictionOptions(
        **values(args, *PREDICTION),
        model=args.model if args.model in SHIPPED else checkpoint_of(args.model, RUNS),
        fill_text=args.text == "aware",
        exports=Exports(**exports),
    )
    pages = predict(args.inputs, options, args.restart, args.dry_run, args.html)
    if args.check and not args.dry_run:
        check(pages, options.output, args.host, args.port)
        predict(args.inputs, options, html=args.html)


def predict(
    inputs: list[Path],
    options: PredictionOptions,
    restart: bool = False,
    dry_run: bool = False,
    html: bool = False,
) -> list[PageInput]:
    """Predicts the pages of all inputs that are not done; returns those that are there."""
    if not dry_run:
        lock(options.output, shared=True)
    sheets, problems = find_pages(inputs, options.output)
    everything = [page for pages in sheets.values() for page in pages]
    pages = my_share(everything)
    pending = [page for page in pages if restart or not is_done(page, options)]
    model = options.fingerprint["model"]
    print(f"{model}: {len(pending)} pages to predict, {len(pages) - len(pending)} done", flush=True)
    if dry_run:
        for page in pending:
            print(f"would read {page.source}\n  and write {options.output / page.name}/")
        print(*(f"left out: {problem}" for problem in problems), sep="\n", file=sys.stderr)
        return []
    if pending:
        found, failed = predict_pages(pending, options)
        problems += failed
        print(found)
    for problem in problems:
        print(f"left out: {problem}", file=sys.stderr)
    done = len(pages) - (len(failed) if pending else 0)
    if not done and (pages or not everything):
        raise UserError(f"nothing could be predicted; {len(problems)} problems, see above")
    print(f"{options.output}: depth of {done} pages; {len(problems)} left out")
    if rank_and_count()[1] > 1:
        if not is_last_in(options.output):
            return pages
        if left := sum(not is_done(page, options) for page in everything):
            print(f"no depth yet of {left} pages; {FINISH}")
            return pages
    write_sheets(options.output, sheets, html)
    return [page for page in pages if read_record(options.output / page.name)]


def check(pages: list[PageInput], output: Path, host: str, port: int) -> None:
    """Serves the pages until Ctrl-C, for a person to mend their boxes."""
    from comics_depth.annotating.boxes import BoxServer  # the web server is slow to import

    def image_of(page: PageInput) -> Callable[[], np.ndarray]:
        return lambda: read_image(ImageBytes(page.read(), page.source))

    files = {
        page.name: (
            boxes_file(output, page.name),
            output / page.name / "text.png",
            image_of(page),
        )
        for page in pages
    }
    with contextlib.suppress(KeyboardInterrupt):
        BoxServer(files, host, port).serve_until_interrupted()


def command_line() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, epilog=EPILOG, formatter_class=raw)
    add = parser.add_argument
    add(
        "inputs",
        nargs="+",
        type=Path,
        help="images, folders (searched through and through), .cbz, .zip and .pdf (pypdfium2)",
    )
    add("-o", "--output", type=Path, required=True, help="folder for the results")
    add(
        "--model",
        default=DEFAULT_MODEL,
        help=(
            f"{', '.join(SHIPPED)}, MiDaS, MiDaS_small, DPT_Large, hf:<repo id>, a run "
            f"(folder, or name below {RUNS}), a checkpoint or TorchScript file "
            f"(default: {DEFAULT_MODEL})"
        ),
    )
    add(
        "--depth-weights",
        type=Path,
        help="weights file of a named model, for machines without network",
    )
    add("--trust-code", **OPTIONS["trust_code"])
    add("--licence-policy", **OPTIONS["licence_policy"])
    add(
        "--image-size",
        type=int,
        help="long side of what the model sees, pixels (default: the model's own)",
    )
    add(
        "--batch-size",
        type=int,
        default=8,
        help="most frames of one page and shape at a time (default 8)",
    )
    add(
        "--text",
        choices=("aware", "keep"),
        default="aware",
        help=(
            "aware (default): text is filled before the model "
            "sees it and takes its depth from around it; keep: left as it is"
        ),
    )
    add(
        "--layers",
        type=int,
        default=0,
        metavar="N",
        help="write each frame cut into N pictures from near to far (PNG with alpha)",
    )
    add("--path", choices=PATHS, default="circle", help="of --parallax (default circle)")
    add("--size", type=int, default=480, help="its long side, pixels (default 480)")
    add("--strength", type=float, default=1.0, help="of its movement, up to 3 (default 1)")
    add(
        "--format",
        choices=FORMATS,
        default="webp",
        help="of it (default webp); mp4: imageio-ffmpeg",
    )
    add("--host", default="127.0.0.1", help="address of the page of --check (default 127.0.0.1)")
    add("--port", type=int, default=8000, help="its port (default 8000)")
    for name, text in FLAGS.items():
        add(f"--{name}", action="store_true", help=text)
    return parser


if __name__ == "__main__":
    run_main(main)
