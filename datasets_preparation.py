"""Prepares the datasets: pages to frames, text masks, hand-made depth orderings, the teacher's
depth of photographs."""

import argparse
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from tqdm import tqdm

from comics_depth.cli import apply_preset, command_line, model_source, run_actions, run_main, values
from comics_depth.data import splits
from comics_depth.data.annotations import SVG_CLASSES, Box, clip_box, read_boxes, read_svg
from comics_depth.data.depth_files import write_depth
from comics_depth.images import find_image, image_size, read_image, write_image
from comics_depth.parallel import parallel_map
from comics_depth.paths import Layout, legacy_name, read_manifest, read_names
from common.errors import UserError, counted
from common.files import read_json, write_json

EXAMPLES = """\
  python datasets_preparation.py --crop_frames --generate_text_masks  pages -> frames, masks, splits
  python datasets_preparation.py --coco17_depth --teacher MiDaS       photographs -> pseudo-depth
  python datasets_preparation.py --generate_evaluation                order points by depth
  python datasets_preparation.py --synthesize --preset demo           draw a synthetic world
  python datasets_preparation.py --import_domain ~/manga --as comics --data-root data/manga
Run the same command again to go on where it stopped."""


def main() -> None:
    # in running order: each finds what the ones before it wrote
    actions = {
        "synthesize": (synthesize, "draw the synthetic world in the formats of the datasets"),
        "import_domain": (import_domain, None),
        "crop_frames": (crop_frames, "DCM pages -> an image per frame, lists, manifest"),
        "generate_text_masks": (
            generate_text_masks,
            "eBDtheque pages -> frames, text masks, lists",
        ),
        "coco17_depth": (coco17_depth, "the teacher's inverse depth of every photograph"),
        "generate_evaluation": (
            generate_evaluation,
            "order points of frames by depth, in a browser",
        ),
    }
    options = (
        "seed",
        "workers",
        "teacher",
        "averaged",
        "depth_weights",
        "pages",
        "photographs",
        "restart",
    )
    parser = command_line(__doc__, EXAMPLES, *options, "host", "port", actions=actions)
    add = parser.add_argument
    add(
        "--import_domain",
        type=Path,
        metavar="FOLDER",
        help="a plain folder of images stands in for a domain",
    )
    add(
        "--as",
        dest="domain",
        choices=("comics", "natural"),
        help="which domain --import_domain brings",
    )
    add(
        "--mask-classes",
        nargs="+",
        choices=SVG_CLASSES,
        default=["Balloon", "Line", "TextArea"],
        help="SVG classes that count as text (default: Balloon Line TextArea)",
    )
    add(
        "--split",
        choices=("validation", "test", "both"),
        default="both",
        help="frames that --generate_evaluation shows (default: both)",
    )
    args = parser.parse_args()
    if bool(args.import_domain) != bool(args.domain):
        parser.error("--import_domain FOLDER and --as comics|natural belong together")
    layout = apply_preset(args, "synthesize" if args.synthesize else "common").layout
    args.depth_model = args.teacher  # the only depth model here, so --depth-weights is for it
    run_actions(
        parser,
        args,
        actions,
        synthesize=(
            [],
            [
                layout.dcm,
                layout.ebdtheque,
                layout.photographs,
                layout.photograph_truth,
                layout.orderings,
            ],
        ),
        import_domain=(
            [args.import_domain],
            [layout.photographs if args.domain == "natural" else layout.frames],
        ),
        crop_frames=([layout.dcm_images, layout.dcm_boxes], [layout.frames, layout.manifest]),
        generate_text_masks=([layout.ebdtheque_pages, layout.ebdtheque_svg], [layout.text_frames]),
        coco17_depth=([layout.photographs], [layout.photograph_depth]),
        generate_evaluation=([layout.frames, layout.manifest], [layout.orderings]),
    )


class Frame(NamedTuple):
    """A crop to write: its id, what the manifest says of it ({page, box, ...}), and where image and
    mask go."""

    id: str
    entry: dict[str, Any]
    image: Path
    mask: Path | None = None

    def there(self, manifest: dict[str, dict]) -> bool:
        """Whether an earlier run wrote it from the same annotation. A mask that the manifest does
        not know may be of other classes and does not count."""
        known = manifest.get(self.id, {} if self.mask else self.entry)
        same = all(known.get(key) == self.entry.get(key) for key in ("box", "classes"))
        return same and self.image.exists() and (self.mask is None or self.mask.exists())


class Page(NamedTuple):
    """A page image, the frames to cut from it and the polygons (of its pixels) that are text."""

    name: str
    source: Path
    frames: list[Frame]
    polygons: Sequence[np.ndarray] = ()


def crop_frames(args: argparse.Namespace) -> None:
    """DCM pages -> frames, train.txt, validation.txt, test.txt and the manifest."""
    layout, pages, skipped = args.layout, [], []
    split, note = splits.dcm_split(layout, args.seed), layout.import_note("comics")
    if note.exists() and not args.restart:
        raise UserError(
            f"{layout.cropped} holds an imported domain ({note}); --restart to replace it by DCM's"
            " frames"
        )
    for name in split:
        source, boxes = find_image(layout.dcm_images, name), layout.dcm_boxes / f"{name}.txt"
        with counted(skipped):
            if source is None or not boxes.exists():
                raise UserError(
                    f"page {name}: no {'image' if source is None else 'groundtruth file'}"
                )
            found, bad = read_boxes(boxes, image_size(source))
            skipped += bad
            pages.append(
                Page(name, source, [dcm_frame(layout, name, source, k, box) for k, box in found])
            )
    pages = write_frames(pages, skipped, args, layout.frames, read_manifest(layout))
    note.unlink(missing_ok=True)
    save_lists("crop_frames", pages, split, skipped, layout.frame_list, layout.manifest)


def dcm_frame(layout: Layout, page: str, source: Path, k: int, box: Box) -> Frame:
    """Frame k of a page; `image` in its entry is the page image, relative to the data root where it
    lies there."""
    image = (
        source.relative_to(layout.data_root) if source.is_relative_to(layout.data_root) else source
    )
    id = f"{page}_{k}"
    entry = {"page": page, "box": list(box), "legacy": legacy_name(id), "image": image.as_posix()}
    return Frame(id, entry, layout.frame(id))


def generate_text_masks(args: argparse.Namespace) -> None:
    """eBDtheque pages -> one image and mask per panel, lists by page, and a manifest."""
    layout, pages, skipped = args.layout, [], []
    manifest = (
        read_json(layout.text_manifest)
        if layout.text_manifest.exists() and not args.restart
        else {}
    )
    for path in sorted(layout.ebdtheque_svg.rglob("*.svg")):
        with counted(skipped):
            pages.append(text_page(layout, path, args.mask_classes, skipped))
    # Whatever was drawn before gives way to the lists of DCM, which decide what the depth stages
    # are scored on.
    fixed, known = (
        {entry["page"]: entry["split"] for entry in manifest.values()},
        splits.known_pages(layout, args.seed),
    )
    pages = write_frames(pages, skipped, args, layout.text_frames, manifest)
    fixed |= {
        page.name: known[Path(page.name).name] for page in pages if Path(page.name).name in known
    }
    split = splits.seeded_split([page.name for page in pages], splits.TEXT_SHARES, args.seed, fixed)
    save_lists("generate_text_masks", pages, split, skipped, layout.text_list, layout.text_manifest)
    for part in {"train", "validation"} - set(split.values()):
        print(
            f"  no page is left for {part}: the lists of DCM name nearly all pages of"
            f" {layout.ebdtheque}"
        )


def text_page(layout: Layout, path: Path, classes: list[str], skipped: list[str]) -> Page:
    """Panels of the page of an SVG file (without any: the whole page) and its text polygons, in
    pixels of its image. Raises UserError if file or image cannot be read."""
    name, svg = (
        path.relative_to(layout.ebdtheque_svg).with_suffix("").as_posix(),
        read_svg(path, layout.ebdtheque),
    )
    skipped += svg.skipped
    source = svg.image if svg.image.is_file() else find_image(layout.ebdtheque_pages, name)
    if source is None:
        raise UserError(f"{path}: its page image {svg.image} is missing")
    size = image_size(source)
    to_pixels = np.divide(size, svg.size or size)[::-1]
    corners = [panel * to_pixels for panel in svg.polygons["Panel"]] or [
        np.array([[0, 0], size[::-1]])
    ]
    frames = []
    for k, panel in enumerate(corners, start=1):
        outer = np.concatenate([np.floor(panel.min(0)), np.ceil(panel.max(0))])
        box = clip_box(tuple(outer.astype(int).tolist()), size)
        if box is None:
            skipped.append(f"{source}: panel {k} is empty or outside the page")
            continue
        id, entry = f"{name}_{k}", {"page": name, "box": list(box), "classes": sorted(set(classes))}
        frames.append(Frame(id, entry, layout.text_frame(id), layout.text_mask(id)))
    return Page(
        name,
        source,
        frames,
        [polygon * to_pixels for key in classes for polygon in svg.polygons[key]],
    )


def import_domain(args: argparse.Namespace) -> None:
    """Copies a folder of images in, as frames (one a page) or as photographs, with seeded splits.
    Raises UserError where another domain lies already."""
    layout, comics, source = args.layout, args.domain == "comics", args.import_domain.resolve()
    target, note = layout.frames if comics else layout.photographs, layout.import_note(args.domain)
    if source.is_relative_to(target.resolve()) or target.resolve().is_relative_to(source):
        raise UserError(
            f"the folder to import ({source}) and {target} must not lie inside each other"
        )
    before = read_json(note).get("folder") if note.exists() else None
    ours = before or comics  # photographs that this command did not bring are never thrown away
    if (
        target.exists()
        and any(target.iterdir())
        and before != str(source)
        and not (args.restart and ours)
    ):
        mend = "--restart to replace it" if ours else "another --data-root"
        raise UserError(
            f"{target} holds another domain{f', from {before}' if before else ''}; use {mend}"
        )
    pages, skipped = [], []
    for name, path in splits.image_names(source).items():
        with counted(skipped):
            height, width = image_size(path)
            frame = dcm_frame(layout, name, layout.frame(f"{name}_1"), 1, (0, 0, width, height))
            pages.append(
                Page(
                    name, path, [frame if comics else frame._replace(image=target / f"{name}.jpg")]
                )
            )
    manifest = read_manifest(layout) if comics and not args.restart else {}
    if args.restart and not comics:  # lists and depth are those of the photographs that go
        shutil.rmtree(layout.photograph_depth, ignore_errors=True)
        for part in splits.PHOTOGRAPH_SHARES:
            layout.photograph_list(part).unlink(missing_ok=True)
    write_json(note, {"folder": str(source)})
    pages = write_frames(pages, skipped, args, target, manifest)
    names = [page.name for page in pages]
    if comics:
        fixed = {entry["page"]: entry["split"] for entry in manifest.values()}
        split = splits.seeded_split(names, splits.PAGE_SHARES, args.seed, fixed)
        save_lists("import_domain", pages, split, skipped, layout.frame_list, layout.manifest)
    else:
        report(
            "import_domain",
            splits.photograph_split(layout, args.seed, names),
            "photographs",
            skipped,
        )


def write_frames(
    pages: list[Page],
    skipped: list[str],
    args: argparse.Namespace,
    folder: Path,
    manifest: dict[str, dict],
) -> list[Page]:
    """Cuts the frames that are not there yet, all cores at once; --restart empties `folder` first.
    Returns the pages that could be read, adds why to `skipped` for the others. Raises UserError if
    none could."""
    if args.restart and pages:
        shutil.rmtree(folder, ignore_errors=True)
    jobs = [
        page._replace(frames=[f for f in page.frames if not f.there(manifest)]) for page in pages
    ]
    reasons = parallel_map(cut_page, jobs, "pages", args.workers)
    skipped += filter(None, reasons)
    readable = [page for page, reason in zip(pages, reasons, strict=True) if not reason]
    if not any(page.frames for page in readable):
        why = "; ".join(skipped[:3]) or "no pages found"
        raise UserError(
            f"nothing to write to {folder}: {why}; expected the datasets in {args.layout.data_root}"
            " as data/README.md says, or your own images (--import_domain); --preset demo needs"
            " nothing"
        )
    return readable


def cut_page(page: Page) -> str | None:
    """Writes image (and mask) of every frame of a page; the reason, if the page cannot be read."""
    if not page.frames:
        return None
    try:
        image = read_image(page.source)
    except UserError as error:
        return str(error)
    mask = np.zeros(image.shape[:2], np.uint8)
    for (
        polygon
    ) in page.polygons:  # one at a time, as overlaps would else cancel; their borders are text too
        cv2.fillPoly(
            mask, [np.round(np.clip(polygon, -1e6, 1e6) * 16).astype(np.int32)], 255, shift=4
        )
    for frame in page.frames:
        x1, y1, x2, y2 = frame.entry["box"]
        write_image(frame.image, image[y1:y2, x1:x2])
        if frame.mask:
            write_image(frame.mask, mask[y1:y2, x1:x2])
    return None


def save_lists(
    what: str,
    pages: list[Page],
    split: dict[str, str],
    skipped: list[str],
    path: Callable[[str], Path],
    manifest: Path,
) -> None:
    """Writes the lists of frame ids and the manifest, after the frames so that they never name one
    that is missing."""
    entries = {
        frame.id: frame.entry | {"split": split[page.name]}
        for page in pages
        for frame in page.frames
    }
    lists = splits.write_lists(path, {id: entry["split"] for id, entry in entries.items()})
    write_json(manifest, entries)
    report(what, lists, f"frames, listed in {manifest.parent}", skipped)


def report(what: str, lists: dict[str, list[str]], unit: str, skipped: list[str]) -> None:
    print(
        f"{what}: "
        + ", ".join(f"{part} {len(names)}" for part, names in lists.items())
        + f" {unit}"
    )
    if skipped:
        shown = skipped[:20] + ["..."] * (len(skipped) > 20)
        print(f"  skipped {len(skipped)}:", *shown, sep="\n    ")


def coco17_depth(args: argparse.Namespace) -> None:
    """The teacher's inverse depth of every photograph, in 16 bit with scale and offset, and the
    photographs' split. Raises UserError if depth of another teacher lies there already."""
    from comics_depth.evaluation.predicting import as_predictor
    from comics_depth.training.devices import default_device
    from common.files import file_hash
    from models.checkpoints import SHIPPED
    from models.depth_model import AveragedDepth, depth_model

    layout, skipped, (name, weights) = args.layout, [], model_source(args, "teacher")
    found, note, file = (
        splits.image_names(layout.photographs),
        layout.photograph_teacher,
        Path(weights or SHIPPED.get(name, name)),
    )
    teacher = {"name": str(name), "sha256": file_hash(file) if file.is_file() else None}
    teacher |= {"averaged": True} if args.averaged else {}
    before = read_json(note) if note.exists() else {"name": "an unknown teacher"}
    ignored = ("name",) if teacher["sha256"] else ()  # the same file under another name
    same = all(teacher.get(key) == before.get(key) for key in {*teacher, *before} - {*ignored})
    if not same and not args.restart and any(layout.photograph_depth.rglob("*.png")):
        raise UserError(
            f"{layout.photograph_depth} holds depth of {before['name']}, not of {name} as it is"
            " now; teachers are not mixed: --restart computes all of it anew"
        )
    good = splits.readable(found, skipped)
    there = (
        {}
        if args.restart
        else splits.readable({p: layout.photograph_depth_map(p) for p in good}, [])
    )
    todo = [photograph for photograph, size in good.items() if there.get(photograph) != size]
    if todo:
        print(
            f"depth of {len(todo)} of {len(good)} photographs by {name} on {default_device()}",
            flush=True,
        )
        model = depth_model(name, weights)
        predict = as_predictor(AveragedDepth(model) if args.averaged else model, default_device())
    if args.restart:
        shutil.rmtree(layout.photograph_depth, ignore_errors=True)
    write_json(note, teacher)
    for photograph in tqdm(todo, desc="photographs", disable=None):
        try:
            inverse_depth = predict(read_image(found[photograph]))
        except UserError as error:
            skipped.append(str(error))
            del good[photograph]
            continue
        if not np.isfinite(inverse_depth).all():
            raise UserError(
                f"{found[photograph]}: {name} gave infinite depth; use another --teacher"
            )
        write_depth(layout.photograph_depth_map(photograph), inverse_depth)
    if not good:
        raise UserError(f"{layout.photographs}: no photograph could be read; {skipped[0]}")
    report("coco17_depth", splits.photograph_split(layout, args.seed, good), "photographs", skipped)


def synthesize(args: argparse.Namespace) -> None:
    from comics_depth.synthetic.world import write_world

    write_world(args.layout, **values(args, "pages", "photographs", "seed", "workers", "restart"))


def generate_evaluation(args: argparse.Namespace) -> None:
    from comics_depth.annotating.ordering import OrderingServer

    layout, command = args.layout, "datasets_preparation.py --crop_frames"
    lists = [
        layout.frame_list(split)
        for split in ("validation", "test")
        if args.split in (split, "both")
    ]
    frames = [frame for path in lists for frame in read_names(path, layout.command(command))]
    OrderingServer(layout, frames, args.host, args.port).serve_until_interrupted()


if __name__ == "__main__":
    run_main(main)
