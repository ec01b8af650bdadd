"""Which frames have an ordering, whose maps of them are there, and how many pairs these order
right: no network."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from comics_depth.data.depth_files import read_depth
from comics_depth.data.orderings import Point, read_ordering
from comics_depth.evaluation.metrics import count_pairs, eight_bit, summarise
from comics_depth.evaluation.table import Row
from comics_depth.paths import SPLITS, Layout, find_named, names_of, read_manifest, read_names
from common.errors import UserError


class Run(NamedTuple):
    """A folder of predictions, and what to do where some are missing."""

    name: str
    folder: Path
    remedy: str


class Frame(NamedTuple):
    """A frame with an ordering: `split` None where no list of frames has it, `size` (H, W) None
    without a manifest."""

    name: str
    split: str | None
    points: list[Point]
    size: tuple[int, int] | None


def frame_options(parser: argparse.ArgumentParser) -> None:
    """--orderings and --split, of the scripts that score."""
    parser.add_argument(
        "--orderings",
        type=Path,
        help=(
            "folder of depth orderings (default: the data root's); without "
            "--split, every ordering there is scored"
        ),
    )
    parser.add_argument(
        "--split",
        choices=("validation", "test", "both"),
        help="frames to score (default: both, each in a section of its own)",
    )


def choose_frames(args: argparse.Namespace) -> None:
    """Sets `every_ordering`, `splits` and `orderings` from --orderings, --split and the
    protocol."""
    args.every_ordering = args.orderings is not None and args.split is None
    # The 2020 code never scored the test split.
    split = args.split or ("validation" if args.protocol == "original" else "both")
    args.splits = ("validation", "test") if split == "both" else (split,)
    args.orderings = args.orderings or args.layout.orderings


def frames_to_score(args: argparse.Namespace) -> list[Frame]:
    """Frames of the splits that have an ordering, by name; with --orderings and no --split, every
    ordering of that folder (lists of splits need not exist then). `args` as choose_frames leaves
    it. Raises UserError if there is none."""
    manifest, split_of = read_manifest(args.layout), {}
    for split in SPLITS if args.every_ordering else args.splits:
        path = args.layout.frame_list(split)
        if args.every_ordering and not path.exists():
            continue
        names = read_names(path, args.layout.command("datasets_preparation.py --crop_frames"))
        if (
            args.protocol == "original"
            and not args.every_ordering
            and path.read_text(encoding="utf-8")[-1:] != "\n"
        ):
            names = names[
                :-1
            ]  # the 2020 reader cut the text at newlines and threw the last piece away
        split_of |= dict.fromkeys(names, split)
    meant = names_of({*manifest, *split_of})
    found = {find_named(args.orderings, name, (".txt",), meant): name for name in split_of}
    found.pop(None, None)
    if args.every_ordering:
        for path in args.orderings.rglob("*.txt"):
            found.setdefault(path, path.relative_to(args.orderings).with_suffix("").as_posix())
    if not found:
        where = "" if args.every_ordering else f" of a {' or '.join(args.splits)} frame"
        raise UserError(
            f"{args.orderings}: expected <frame>.txt, found no depth ordering{where}; give"
            " --orderings FOLDER or make some:"
            f" {args.layout.command('datasets_preparation.py --generate_evaluation')}"
        )
    boxes = {name: entry["box"] for name, entry in manifest.items() if entry.get("box")}
    sizes = {name: (box[3] - box[1], box[2] - box[0]) for name, box in boxes.items()}
    return sorted(
        Frame(name, split_of.get(name), read_ordering(path), sizes.get(name))
        for path, name in found.items()
    )


def find_maps(layout: Layout, run: Run, frames: Sequence[Frame]) -> list[Path | None]:
    """The depth map of every frame in the run's folder, None where there is none."""
    meant = names_of({*read_manifest(layout), *(frame.name for frame in frames)})
    return [find_named(run.folder, frame.name, (".npy", ".png"), meant) for frame in frames]


def count_run(run: Run, frames: Sequence[Frame], maps: Sequence[Path], protocol: str) -> np.ndarray:
    """Right, wrong and tied pairs of every frame, (frames, 4, 3). Raises UserError for a map of
    another size."""
    counts = []
    for frame, path in zip(frames, maps, strict=True):
        depth = read_depth(path)
        if frame.size is not None and depth.shape != frame.size:
            raise UserError(
                f"{path}: expected {frame.size[1]}x{frame.size[0]} pixels, the size of frame"
                f" {frame.name}, found {depth.shape[1]}x{depth.shape[0]}. {run.remedy}"
            )
        counts.append(
            count_pairs(
                eight_bit(depth) if protocol == "original" else depth, frame.points, frame.name
            )
        )
    return np.array(counts)


def score(
    args: argparse.Namespace,
    frames: list[Frame],
    runs: list[Run],
    counts: dict[Run, np.ndarray],
    baseline: np.ndarray | None,
) -> list[Row]:
    """Rows of the table: of each split, every run; where every ordering of a folder counts, all of
    them first."""
    sections = {"all": list(range(len(frames)))} if args.every_ordering else {}
    for split in SPLITS:
        sections[split] = [at for at, frame in enumerate(frames) if frame.split == split]
    return [
        Row(
            run.name,
            split,
            summarise(counts[run][at], None if baseline is None else baseline[at], args.protocol),
            counts[run][at],
            [frames[index].name for index in at],
        )
        for split, at in sections.items()
        if at
        for run in runs
    ]
