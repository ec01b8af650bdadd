"""Scores depth predictions against hand-made depth orderings: one run, the whole table, or anybody's depth maps."""

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np

from comics_depth.files import UserError, run_main, write_json
from comics_depth.layout import SPLITS, find_named, names_of, read_manifest, read_names, run_name
from comics_depth.options import command_line, fill
from comics_depth.orderings import Point, read_ordering
from comics_depth.predictions import read_depth
from comics_depth.results import CAPTION, Row, markdown, write_results
from comics_depth.scores import PROTOCOLS, count_pairs, eight_bit, summarise

REFERENCES = ("lower_is_nearer", "centre_is_nearer", "chance")
# approach -> the script that predicts, and the rows of the table in their order
ROWS = {
    "natural2comics": ("cyclegan_natural2comics.py", ("simple", "depth_aware")),
    "depth_estimator": ("depth_estimator.py", ("simple", "add_text", "add_text_ignoretext")),
    "baseline": ("baseline.py", ("no_batchnorm_trick", "batchnorm_trick", *REFERENCES)),
}
EXAMPLES = """  python evaluation.py depth_estimator add_text_ignoretext
  python evaluation.py all --preset demo
  python evaluation.py predictions my_depth_maps --json scores.json
  python evaluation.py predictions my_depth_maps --orderings my_orderings"""


class Run(NamedTuple):
    """A folder of predictions, and what to do where some are missing."""

    name: str
    folder: Path
    remedy: str


class Frame(NamedTuple):
    """A frame with an ordering: `split` None where no list of frames has it, `size` (H, W) None without a manifest."""

    name: str
    split: str | None
    points: list[Point]
    size: tuple[int, int] | None


def main() -> None:
    args = parse()
    runs, baseline = wanted_runs(args)
    if args.dry_run:
        splits = "all" if args.every_ordering else " and ".join(args.splits)
        print(f"would score, {args.protocol} protocol, with the orderings in {args.orderings} ({splits}), compared to "
              f"{baseline.name}:")  # fmt: skip
        for run in runs:
            print(f"  {run.name} from {run.folder}{'' if run.folder.is_dir() else ' (missing)'}")
        for path in filter(None, (args.json, args.layout.results if args.approach == "all" else None)):
            print(f"would write {path}")
        return
    frames = frames_to_score(args)
    counts = count_runs(args, runs, baseline, frames)
    rows = score(args, frames, [run for run in runs if run in counts], counts, counts.get(baseline))
    caption = CAPTION.format(baseline=baseline.name, protocol=args.protocol)
    print(markdown(rows, caption), end="")
    if baseline not in counts:
        dropped = " (so no image was dropped)" if args.protocol == "original" else ""
        print(f"\nNot compared to {baseline.name}, which lacks predictions of these frames{dropped}. {baseline.remedy}")
    if args.json:
        document = {"protocol": args.protocol}
        if args.approach == "all":
            for row in rows:
                document.setdefault("rows", {}).setdefault(row.run, {})[row.split] = row.scores
        else:
            whole = summarise(counts[runs[0]], counts.get(baseline), args.protocol)
            document |= {"run": runs[0].name, **whole, "splits": {row.split: row.scores for row in rows}}
        write_json(args.json, document)
        print(f"\nwrote {args.json}")
    if args.approach == "all":
        *files, figure = write_results(args.layout, rows, caption, args.protocol)
        print(f"\nwrote {', '.join(str(path) for path in files)}\nfigure: {figure}")


def parse() -> argparse.Namespace:
    parser = command_line(__doc__, EXAMPLES, "tag")
    parser.add_argument("approach", choices=(*ROWS, "all", "predictions"), help="whose predictions are scored")
    parser.add_argument("variant", nargs="?", help="; ".join(f"{name}: {', '.join(ROWS[name][1])}" for name in ROWS)
                        + "; all: nothing; predictions: FOLDER of <frame>.png (8 or 16 bit) or .npy, larger = nearer "
                        "(the .npy counts where both are there)")  # fmt: skip
    parser.add_argument("--orderings", type=Path, help="folder of depth orderings (default: the data root's); without "
                        "--split, every ordering there is scored")  # fmt: skip
    parser.add_argument("--split", choices=("validation", "test", "both"), help="frames to score (default: both, each "
                        "in a section of its own; --protocol original: validation, as in 2020)")  # fmt: skip
    parser.add_argument("--protocol", choices=PROTOCOLS, default="corrected", help="original: the scorer of 2020 with "
                        "its faults, to compare with old numbers (default: corrected)")  # fmt: skip
    parser.add_argument("--json", type=Path, help="also write the scores to this file")
    parser.add_argument("--allow-missing", action="store_true", help="all: leave out rows without predictions")
    args = parser.parse_args()
    if args.variant == "add_text_ignoreloss":
        args.variant = "add_text_ignoretext"
    if args.approach in ROWS and args.variant not in ROWS[args.approach][1]:
        parser.error(f"{args.approach} needs one of: {', '.join(ROWS[args.approach][1])} (found: {args.variant})")
    if (args.approach, args.variant is None) in (("predictions", True), ("all", False)):
        parser.error("predictions needs the FOLDER of the depth maps, all takes no variant")
    given = {"--preset": args.preset if args.preset != "paper" else None, "--data-root": args.data_root,
             "--runs-root": args.runs_root, "--tag": args.tag}  # fmt: skip
    args.repeat = "".join(f" {option} {value}" for option, value in given.items() if value)
    args.every_ordering = args.orderings is not None and args.split is None
    # The 2020 code never scored the test split.
    split = args.split or ("validation" if args.protocol == "original" else "both")
    args.splits = ("validation", "test") if split == "both" else (split,)
    fill(args)
    args.orderings = args.orderings or args.layout.orderings
    return args


def wanted_runs(args: argparse.Namespace) -> tuple[list[Run], Run]:
    """The runs to score, in the order of the table, and the baseline they are compared to."""
    asked = (args.approach, args.variant)
    # A rule without a network is the same under every tag; the baseline is, where none was made with this tag.
    untagged = {*REFERENCES, *(["batchnorm_trick"] if asked != ("baseline", "batchnorm_trick") else [])}

    def run(approach: str, variant: str) -> Run:
        name = run_name(approach, variant, args.tag)
        if variant in untagged and not args.layout.predictions(name).is_dir():
            name = run_name(approach, variant)
        remedy = f"Run first: python {ROWS[approach][0]} {variant} --generate_depth_images{args.repeat}"
        return Run(name, args.layout.predictions(name), remedy)

    if args.approach == "predictions":
        folder = Path(args.variant)
        runs = [Run(folder.resolve().name, folder, "Write one map for each frame, of the frame's size")]
    elif args.approach == "all":
        runs = [run(approach, variant) for approach in ROWS for variant in ROWS[approach][1]]
    else:
        runs = [run(*asked)]
    return runs, run("baseline", "batchnorm_trick")


def frames_to_score(args: argparse.Namespace) -> list[Frame]:
    """Frames of the splits that have an ordering, by name; with --orderings and no --split, every ordering of that
    folder (lists of splits need not exist then). Raises UserError if there is none."""
    manifest, split_of = read_manifest(args.layout), {}
    for split in SPLITS if args.every_ordering else args.splits:
        path = args.layout.frame_list(split)
        if args.every_ordering and not path.exists():
            continue
        names = read_names(path, "python datasets_preparation.py --crop_frames" + args.repeat)
        if args.protocol == "original" and not args.every_ordering and path.read_text(encoding="utf-8")[-1:] != "\n":
            names = names[:-1]  # the 2020 reader cut the text at newlines and threw the last piece away
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
            f"{args.orderings}: expected <frame>.txt, found no depth ordering{where}; give --orderings FOLDER or make "
            f"some: python datasets_preparation.py --generate_evaluation{args.repeat}"
        )
    boxes = {name: entry["box"] for name, entry in manifest.items() if entry.get("box")}
    sizes = {name: (box[3] - box[1], box[2] - box[0]) for name, box in boxes.items()}
    return sorted(Frame(name, split_of.get(name), read_ordering(path), sizes.get(name)) for path, name in found.items())


def count_runs(args: argparse.Namespace, runs: list[Run], baseline: Run, frames: list[Frame]) -> dict[Run, np.ndarray]:
    """Right, wrong and tied pairs of every frame, (frames, 4, 3), of the runs that can be scored, the baseline among
    them if it can be. Raises UserError for a map of another size, and one that names the frames a wanted run lacks and
    the command that predicts them; under --allow-missing such a row of `all` is left out, which is printed."""
    meant = names_of({*read_manifest(args.layout), *(frame.name for frame in frames)})
    present, problems = {}, []
    for run in dict.fromkeys([*runs, baseline]):
        maps = [find_named(run.folder, frame.name, (".npy", ".png"), meant) for frame in frames]
        missing = [frame.name for frame, path in zip(frames, maps, strict=True) if path is None]
        if not missing:
            present[run] = maps
        elif run in runs:
            names = ", ".join(missing[:10]) + (", ..." if len(missing) > 10 else "")
            problems.append(f"{run.name}: no prediction for {len(missing)} of {len(frames)} frames ({names}); expected "
                            f"<frame>.png or <frame>.npy in {run.folder}. {run.remedy}")  # fmt: skip
    if problems and not (args.approach == "all" and args.allow_missing and present.keys() & set(runs)):
        hint = "\nTo leave such rows out: --allow-missing" if args.approach == "all" else ""
        raise UserError("\n".join(problems) + hint)
    print("".join(f"left out: {problem}\n\n" for problem in problems), end="")
    return {run: np.array([count_frame(args, run, *pair) for pair in zip(frames, maps, strict=True)])
            for run, maps in present.items()}  # fmt: skip


def count_frame(args: argparse.Namespace, run: Run, frame: Frame, path: Path) -> np.ndarray:
    depth = read_depth(path)
    if frame.size is not None and depth.shape != frame.size:
        raise UserError(f"{path}: expected {frame.size[1]}x{frame.size[0]} pixels, the size of frame {frame.name}, "
                        f"found {depth.shape[1]}x{depth.shape[0]}. {run.remedy}")  # fmt: skip
    return count_pairs(eight_bit(depth) if args.protocol == "original" else depth, frame.points, frame.name)


def score(args: argparse.Namespace, frames: list[Frame], runs: list[Run], counts: dict[Run, np.ndarray],
          baseline: np.ndarray | None) -> list[Row]:  # fmt: skip
    """Rows of the table: of each split, every run; where every ordering of a folder counts, all of them first."""
    sections = {"all": list(range(len(frames)))} if args.every_ordering else {}
    for split in SPLITS:
        sections[split] = [at for at, frame in enumerate(frames) if frame.split == split]
    return [
        Row(run.name, split, summarise(counts[run][at], None if baseline is None else baseline[at], args.protocol),
            counts[run][at], [frames[index].name for index in at])
        for split, at in sections.items() if at for run in runs
    ]  # fmt: skip


if __name__ == "__main__":
    run_main(main)
