"""Scores depth against depth orderings: one prediction set, the whole table, anybody's depth maps,
or any depth models; or compares the orderings of two annotators."""

import argparse
from pathlib import Path

from comics_depth.cli import apply_preset, command_line, run_main, values, with_full_commands
from comics_depth.evaluation.agreement import agreed_frames, agreement, agreement_text
from comics_depth.evaluation.metrics import PROTOCOLS
from comics_depth.evaluation.report import write_report
from comics_depth.evaluation.scoring import (
    complete_maps,
    count_set,
    ordered_frames,
    orderings_folder,
    score,
    scores_document,
)
from comics_depth.evaluation.sets import ROWS, model_sets, named_models, stage_sets
from comics_depth.evaluation.table import CAPTION, markdown
from comics_depth.paths import SPLITS, Layout
from common.errors import UserError
from common.files import write_json

EXAMPLES = """  python evaluation.py depth_estimator add_text_ignoretext
  python evaluation.py all --preset demo
  python evaluation.py predictions my_depth_maps --orderings my_orderings --json scores.json
  python evaluation.py models default MiDaS theirs=their_torchscript.pt --split test
  python evaluation.py models hf:depth-anything/Depth-Anything-V2-Small-hf depth_estimator_simple
  python evaluation.py agreement anna bert
  python evaluation.py all --preset demo --orderings anna bert --agreed"""


def main() -> None:
    args = apply_preset(command_parser().parse_args())
    layout, protocol = args.layout, args.protocol
    models = named_models(args.words) if args.approach == "models" else {}
    if models:
        sets, baseline = model_sets(layout, models, args.baseline)
    elif args.baseline or args.averaged or args.floats or args.restart:
        raise UserError("--baseline, --averaged, --floats and --restart are options of `models`")
    elif args.approach == "agreement":
        return compare_annotators(layout, args.words, args.split, args.json, args.dry_run)
    else:
        sets, baseline = stage_sets(layout, args.approach, args.words, args.tag)
    annotators = args.orderings or [str(layout.orderings)]
    folders = [orderings_folder(layout, annotator) for annotator in annotators]
    if args.agreed and len(folders) < 2:
        raise UserError("--agreed needs --orderings of two annotators or more")
    own_folder = any(Path(word) in folders for word in args.orderings or [])
    splits = chosen_splits(args.split, own_folder, protocol)
    report = args.report
    if report is None and args.approach in ("all", "models"):
        report = layout.results / ("models" if models else "")
    if args.dry_run:
        where = f"{' and '.join(map(str, folders))} ({' and '.join(splits or ['all'])})"
        print(f"would score, {protocol} protocol, the orderings in {where}:")
        for one in sets:
            missing = "" if one.folder.is_dir() else " (missing)"
            model = f", predicted by {models[one.name]}" if one.name in models else ""
            print(f"  {one.name} from {one.folder}{missing}{model}")
        print(f"compared to {baseline.name}")
        for path in filter(None, (args.json, report and report / "report.html")):
            print(f"would write {path}")
        return

    frames = ordered_frames(layout, folders, splits, protocol)
    caption = CAPTION.format(baseline=baseline.name, protocol=protocol)
    if args.orderings:
        caption += f" Orderings: {', '.join(annotators)}"
        caption += "; only pairs in the same order for all of them." if args.agreed else "."
    if args.agreed:
        frames = agreed_frames(frames)
    if models:
        from comics_depth.evaluation import models as networks  # nothing else here needs torch

        names = [frame.name for frame in frames]
        options = values(args, "averaged", "floats", "restart")
        failed = networks.predict_with_models(layout, models, names, **options)
        if baseline.name in failed:
            raise UserError(f"--baseline {baseline.name} gave no depth; see above")
        sets = [one for one in sets if one.name not in failed]
        caption += networks.about_models(models, failed)
    maps = complete_maps(layout, sets, baseline, frames, args.allow_missing)
    counts = {one: count_set(one, frames, paths, protocol) for one, paths in maps.items()}
    rows = score(sets, counts, baseline, frames, protocol, all_together=splits is None)
    if models:  # best first
        rows.sort(key=lambda row: -(row.scores["inter_objects"]["mean"] or 0))
        rows.sort(key=lambda row: ("all", *SPLITS).index(row.split))
    print(markdown(rows, caption), end="")
    if baseline not in counts:
        remedy = with_full_commands(baseline.remedy)
        print(f"\nNot compared to {baseline.name}: predictions are missing. {remedy}")
    if args.json:
        document = scores_document(sets, counts, baseline, rows, protocol)
        write_json(args.json, document)
        print(f"\nwrote {args.json}")
    if report:
        write_report(report, rows, caption, protocol, frames, maps, layout.frame)


def command_parser() -> argparse.ArgumentParser:
    parser = command_line(__doc__, EXAMPLES, "tag", "averaged", "floats", "restart")
    add = parser.add_argument
    approaches = (*ROWS, "all", "predictions", "models", "agreement")
    add(
        "approach", choices=approaches, help="what is scored; agreement: how alike two people order"
    )
    add(
        "words",
        nargs="*",
        metavar="NAME",
        help="; ".join(f"{name}: {', '.join(ROWS[name][1])}" for name in ROWS)
        + "; all: nothing; predictions: FOLDER of <frame>.png (8 or 16 bit) or .npy (preferred),"
        " larger = nearer; models: names, runs, checkpoints, TorchScript files, hf:<repo id or"
        " folder>, each also as ROW=MODEL; agreement: two annotators or FOLDERs. The points of"
        " two people are one where each is the other's nearest and they are no farther apart than"
        " 2 %% of the longer side of the box around all points of the two",
    )
    add(
        "--baseline",
        metavar="ROW",
        help="models: the row that all are compared to (default lower_is_nearer)",
    )
    add(
        "--orderings",
        nargs="+",
        metavar="FOLDER",
        help="folders of depth orderings or names of annotators, all of whose pairs are scored"
        " (default: the data root's folder); of a folder without --split, every ordering there",
    )
    add(
        "--agreed",
        action="store_true",
        help="score only the pairs that all these annotators have put into the same order",
    )
    add(
        "--split",
        choices=("validation", "test", "both"),
        help="frames to score (default: both, each in a section of its own)",
    )
    add(
        "--protocol",
        choices=PROTOCOLS,
        default="corrected",
        help="original: the scorer of 2020 with its faults, for old numbers, without --split on"
        " validation (default: corrected)",
    )
    add("--json", type=Path, help="also write the scores to this file")
    add(
        "--report",
        type=Path,
        metavar="FOLDER",
        help="also write tables, figure and a page to open in a browser there (all, models: always,"
        " default <runs root>/evaluation, .../evaluation/models)",
    )
    add("--allow-missing", action="store_true", help="all: leave out rows without predictions")
    parser.set_defaults(averaged=False)  # in presets it is about the teacher's depth
    return parser


def compare_annotators(
    layout: Layout, annotators: list[str], split: str | None, json: Path | None, dry_run: bool
) -> None:
    """Prints how alike two annotators have ordered what both have clicked."""
    if len(annotators) != 2:
        raise UserError(f"agreement needs two annotators (found: {' '.join(annotators) or 'none'})")
    folders = [orderings_folder(layout, annotator) for annotator in annotators]
    if dry_run:
        print(f"would compare the orderings in {folders[0]} and {folders[1]}")
        return
    splits = chosen_splits(split, own_orderings=True, protocol="corrected")
    found = agreement(ordered_frames(layout, folders, splits, "corrected"))
    print(agreement_text(found, *(Path(annotator).name for annotator in annotators)))
    if json:
        write_json(json, found)
        print(f"\nwrote {json}")


def chosen_splits(split: str | None, own_orderings: bool, protocol: str) -> tuple[str, ...] | None:
    """The splits to score; None: every ordering of a folder that was given without a split."""
    if split is None and own_orderings:
        return None
    # The 2020 code never scored the test split.
    split = split or ("validation" if protocol == "original" else "both")
    return ("validation", "test") if split == "both" else (split,)


if __name__ == "__main__":
    run_main(main)
