"""Scores depth predictions against hand-made depth orderings: one run, the whole table, or
anybody's depth maps."""

import argparse
from pathlib import Path

from comics_depth.cli import apply_preset, command_line, run_main
from comics_depth.evaluation.metrics import PROTOCOLS, summarise
from comics_depth.evaluation.report import write_report
from comics_depth.evaluation.rules import REFERENCES
from comics_depth.evaluation.scoring import (
    Frame,
    Run,
    choose_frames,
    count_run,
    find_maps,
    frame_options,
    frames_to_score,
    score,
)
from comics_depth.evaluation.table import CAPTION, markdown
from comics_depth.paths import run_name
from common.errors import UserError
from common.files import write_json

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


def main() -> None:
    args = parse()
    runs, baseline = wanted_runs(args)
    if args.dry_run:
        splits = "all" if args.every_ordering else " and ".join(args.splits)
        print(
            f"would score, {args.protocol} protocol, with the orderings in {args.orderings}"
            f" ({splits}), compared to {baseline.name}:"
        )
        for run in runs:
            print(f"  {run.name} from {run.folder}{'' if run.folder.is_dir() else ' (missing)'}")
        for path in filter(None, (args.json, args.report and args.report / "report.html")):
            print(f"would write {path}")
        return
    frames = frames_to_score(args)
    maps = maps_to_score(args, runs, baseline, frames)
    counts = {run: count_run(run, frames, paths, args.protocol) for run, paths in maps.items()}
    rows = score(args, frames, [run for run in runs if run in counts], counts, counts.get(baseline))
    caption = CAPTION.format(baseline=baseline.name, protocol=args.protocol)
    print(markdown(rows, caption), end="")
    if baseline not in counts:
        dropped = " (so no image was dropped)" if args.protocol == "original" else ""
        print(
            f"\nNot compared to {baseline.name}, which lacks predictions of these frames{dropped}."
            f" {baseline.remedy}"
        )
    if args.json:
        document = {"protocol": args.protocol}
        if args.approach == "all":
            for row in rows:
                document.setdefault("rows", {}).setdefault(row.run, {})[row.split] = row.scores
        else:
            whole = summarise(counts[runs[0]], counts.get(baseline), args.protocol)
            document |= {
                "run": runs[0].name,
                **whole,
                "splits": {row.split: row.scores for row in rows},
            }
        write_json(args.json, document)
        print(f"\nwrote {args.json}")
    if args.report:
        write_report(args.report, rows, caption, args.protocol, frames, maps, args.layout.frame)


def parse() -> argparse.Namespace:
    parser = command_line(__doc__, EXAMPLES, "tag")
    parser.add_argument(
        "approach", choices=(*ROWS, "all", "predictions"), help="whose predictions are scored"
    )
    parser.add_argument(
        "variant",
        nargs="?",
        help="; ".join(f"{name}: {', '.join(ROWS[name][1])}" for name in ROWS)
        + "; all: nothing; predictions: FOLDER of <frame>.png (8 or 16 bit) or .npy, larger ="
        " nearer "
        "(the .npy counts where both are there)",
    )
    frame_options(parser)
    parser.add_argument(
        "--protocol",
        choices=PROTOCOLS,
        default="corrected",
        help=(
            "original: the scorer of 2020 with "
            "its faults, for old numbers, without --split on validation (default: corrected)"
        ),
    )
    parser.add_argument("--json", type=Path, help="also write the scores to this file")
    parser.add_argument(
        "--report",
        type=Path,
        metavar="FOLDER",
        help=(
            "also write tables, figure and a page to open in "
            "a browser there (all: always, default <runs root>/evaluation)"
        ),
    )
    parser.add_argument(
        "--allow-missing", action="store_true", help="all: leave out rows without predictions"
    )
    args = parser.parse_args()
    if args.variant == "add_text_ignoreloss":
        args.variant = "add_text_ignoretext"
    if args.approach in ROWS and args.variant not in ROWS[args.approach][1]:
        parser.error(
            f"{args.approach} needs one of: {', '.join(ROWS[args.approach][1])} (found:"
            f" {args.variant})"
        )
    if (args.approach, args.variant is None) in (("predictions", True), ("all", False)):
        parser.error("predictions needs the FOLDER of the depth maps, all takes no variant")
    apply_preset(args)
    choose_frames(args)
    if args.approach == "all":
        args.report = args.report or args.layout.results
    return args


def wanted_runs(args: argparse.Namespace) -> tuple[list[Run], Run]:
    """The runs to score, in the order of the table, and the baseline they are compared to."""
    asked = (args.approach, args.variant)
    # A rule without a network is the same under every tag; the baseline is, where none was made
    # with this tag.
    untagged = {
        *REFERENCES,
        *(["batchnorm_trick"] if asked != ("baseline", "batchnorm_trick") else []),
    }

    def run(approach: str, variant: str) -> Run:
        name = run_name(approach, variant, args.tag)
        if variant in untagged and not args.layout.predictions(name).is_dir():
            name = run_name(approach, variant)
        train = "" if variant in (*REFERENCES, "no_batchnorm_trick") else "--train "
        remedy = args.layout.command(
            f"{ROWS[approach][0]} {variant} {train}--generate_depth_images"
        )
        return Run(name, args.layout.predictions(name), f"Run first: {remedy}")

    if args.approach == "predictions":
        folder = Path(args.variant)
        runs = [
            Run(folder.resolve().name, folder, "Write one map for each frame, of the frame's size")
        ]
    elif args.approach == "all":
        runs = [run(approach, variant) for approach in ROWS for variant in ROWS[approach][1]]
    else:
        runs = [run(*asked)]
    return runs, run("baseline", "batchnorm_trick")


def maps_to_score(
    args: argparse.Namespace, runs: list[Run], baseline: Run, frames: list[Frame]
) -> dict[Run, list[Path]]:
    """The depth maps of the runs that can be scored, the baseline among them if it can be. Raises
    UserError that names the frames a wanted run lacks and the command that predicts them; under
    --allow-missing such a row of `all` is left out, which is printed."""
    present, problems = {}, []
    for run in dict.fromkeys([*runs, baseline]):
        maps = find_maps(args.layout, run, frames)
        missing = [frame.name for frame, path in zip(frames, maps, strict=True) if path is None]
        if not missing:
            present[run] = maps
        elif run in runs:
            names = ", ".join(missing[:10]) + (", ..." if len(missing) > 10 else "")
            problems.append(
                f"{run.name}: no prediction for {len(missing)} of {len(frames)} frames ({names});"
                f" expected <frame>.png or <frame>.npy in {run.folder}. {run.remedy}"
            )
    if problems and not (
        args.approach == "all" and args.allow_missing and present.keys() & set(runs)
    ):
        hint = "\nTo leave such rows out: --allow-missing" if args.approach == "all" else ""
        raise UserError("\n".join(problems) + hint)
    print("".join(f"left out: {problem}\n\n" for problem in problems), end="")
    return present


if __name__ == "__main__":
    run_main(main)
