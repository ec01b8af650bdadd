"""Scores depth against depth orderings or pairs: one prediction set, the whole table, anybody's
depth maps, or any depth models; compares two rows, or the orderings of two annotators."""

if __name__ == "__main__":
    import common.interrupts  # noqa: F401  Ctrl-C while the rest is imported

import argparse
from collections.abc import Sequence
from pathlib import Path

from comics_depth import cli
from comics_depth.evaluation import published
from comics_depth.evaluation.agreement import agreed_frames, agreement, agreement_text
from comics_depth.evaluation.metrics import KINDS, PROTOCOLS
from comics_depth.evaluation.pairs import read_pairs
from comics_depth.evaluation.report import write_report
from comics_depth.evaluation.scoring import (
    complete_maps,
    count_set,
    ordered_frames,
    orderings_folder,
    score,
    scores_document,
)
from comics_depth.evaluation.sets import (
    ROWS,
    PredictionSet,
    compared_sets,
    model_sets,
    named_models,
    stage_sets,
)
from comics_depth.evaluation.table import CAPTION, markdown
from comics_depth.paths import LEADERBOARD, SPLITS, Layout
from common.errors import UserError
from common.files import lock, write_json

EXAMPLES = """  python evaluation.py depth_estimator add_text_ignoretext
  python evaluation.py predictions my_depth_maps --orderings my_orderings --json scores.json
  python evaluation.py models default MiDaS theirs=network.pt --split test --trust-code
  python evaluation.py leaderboard default default-comics --preset open --data-root data/real
  python evaluation.py compare default-comics default
  python evaluation.py predictions my_depth_maps --pairs DA-2K/annotations.json
  python evaluation.py verify default-comics --preset open --data-root data/real
  python evaluation.py agreement anna bert
  python evaluation.py all --preset demo --orderings anna bert --agreed"""


def main() -> None:
    args = cli.apply_preset(command_parser().parse_args())
    layout, approach, protocol = args.layout, args.approach, args.protocol
    models = named_models(args.words) if approach in ("models", "leaderboard") else {}
    cli.check_models([*models.values()], args.licence_policy)
    if not models and (args.baseline or args.averaged or args.floats or args.restart):
        raise UserError("--baseline, --averaged, --floats and --restart are options of `models`")
    if args.pairs and (approach not in ("predictions", "compare") or args.report):
        raise UserError("--pairs goes with `predictions` and `compare`, without --report")
    annotators = args.orderings or [str(layout.orderings)]
    if approach == "agreement":
        annotators = args.words
        if len(annotators) != 2:
            found = " ".join(annotators) or "none"
            raise UserError(f"agreement needs two annotators (found: {found})")
    folders = [orderings_folder(layout, annotator) for annotator in annotators]
    if args.agreed and len(folders) < 2:
        raise UserError("--agreed needs --orderings of two annotators or more")
    # the 2020 code never scored the test split
    split = args.split or ("validation" if protocol == "original" else "both")
    splits = ("validation", "test") if split == "both" else (split,)
    # a folder that was given without a split is scored whole
    given = approach == "agreement" or any(Path(word) in folders for word in args.orderings or [])
    if args.pairs or (given and args.split is None):
        splits = None
    where = " and ".join(map(str, folders))
    orderings = f"the orderings in {where} ({' and '.join(splits or ['all'])})"
    if approach == "agreement":
        if args.dry_run:
            return print(f"would compare {orderings}")
        found = agreement(ordered_frames(layout, folders, splits, "corrected"))
        print(agreement_text(found, *(Path(annotator).name for annotator in annotators)))
        if args.json:
            write_json(args.json, found)
            print(f"\nwrote {args.json}")
        return
    if approach == "verify":
        board = args.report or LEADERBOARD
        if args.dry_run:
            return print(f"would verify rows of {board} with {orderings}")
        return verify_rows(layout, board, args.words, folders, splits)

    if models:
        sets, baseline = model_sets(layout, models, args.baseline)
    elif approach == "compare":
        sets, baseline = compared_sets(layout, args.words)
    else:
        sets, baseline = stage_sets(layout, approach, args.words, args.tag)
    report = args.report
    if report is None and approach in ("all", "models"):
        report = layout.results / ("models" if models else "")
    if args.dry_run:
        print(f"would score, {protocol} protocol, {args.pairs or orderings}:")
        for one in sets:
            missing = "" if one.folder.is_dir() else " (missing)"
            model = f", predicted by {models[one.name]}" if one.name in models else ""
            print(f"  {one.name} from {one.folder}{missing}{model}")
        print(f"compared to {baseline.name}")
        board = LEADERBOARD.with_suffix(".md") if approach == "leaderboard" else None
        for path in filter(None, (args.json, report and report / "report.html", board)):
            print(f"would write {path}")
        return

    kinds = tuple(KINDS)
    caption = CAPTION.format(baseline=baseline.name, protocol=protocol)
    if args.pairs:
        frames, kinds, note = read_pairs(args.pairs, args.nearest)
        caption += note
    elif all(one.folder == LEADERBOARD for one in sets):
        frames = published.board_frames(sets[0].name, splits)
    else:
        frames = ordered_frames(layout, folders, splits, protocol)
    if args.orderings:
        caption += f" Orderings: {', '.join(annotators)}"
        caption += "; only pairs in the same order for all of them." if args.agreed else "."
    if args.agreed:
        frames = agreed_frames(frames)
    if models:
        from comics_depth.evaluation import models as networks  # nothing else here needs torch

        names = [frame.name for frame in frames]
        options = cli.values(args, "averaged", "floats", "restart")
        failed = networks.predict_with_models(layout, models, names, **options)
        if baseline.name in failed:
            raise UserError(f"--baseline {baseline.name} gave no depth; see above")
        sets = [one for one in sets if one.name not in failed]
        caption += networks.about_models(models, failed)
    on_board = [one for one in sets if one.folder == LEADERBOARD]
    counts = {one: published.board_counts(one.name, frames) for one in on_board}
    maps = {}
    if wanted := [one for one in sets if one not in counts]:
        other = baseline if baseline not in counts else wanted[0]
        maps = complete_maps(layout, wanted, other, frames, args.allow_missing)
    counts |= {one: count_set(one, frames, paths, protocol) for one, paths in maps.items()}
    rows = score(sets, counts, baseline, frames, protocol, splits is None, kinds)
    if models:  # best first
        rows.sort(key=lambda row: -(row.scores["inter_objects"]["mean"] or 0))
        rows.sort(key=lambda row: ("all", *SPLITS).index(row.split))
    print(markdown(rows, caption), end="")
    if baseline not in counts and not args.pairs:
        remedy = cli.with_full_commands(baseline.remedy)
        print(f"\nNot compared to {baseline.name}: predictions are missing. {remedy}")
    if args.json:
        write_json(args.json, scores_document(sets, counts, baseline, rows, protocol, kinds))
        print(f"\nwrote {args.json}")
    if not report and approach != "leaderboard":
        return
    how = {"protocol": protocol, "averaged": bool(args.averaged), "splits": splits}
    own = {o.name: published.record(layout, o, maps[o], how) for o in sets if o in maps}
    records = {
        "protocol": protocol,
        "baseline": baseline.name,
        "orderings": published.orderings_hash(frames),
        "rows": own,
    }
    if report:
        lock(report)
        write_report(report, rows, caption, protocol, frames, maps, layout.frame)
        write_json(report / "records.json", records)
    if approach == "leaderboard":
        for row, entry in own.items():
            entry |= networks.about_model(models.get(row, row))
        path = published.publish(LEADERBOARD, published.Published(rows, records))
        print(f"\nwrote {path}")


def verify_rows(
    layout: Layout, board: Path, rows: list[str], orderings: list[Path], splits: Sequence[str]
) -> None:
    """Counts published rows (none: all) anew from their predictions. Raises UserError if one is
    not what its predictions give."""
    known = published.read_published(board)
    frames = ordered_frames(layout, orderings, splits, known.records["protocol"])
    failed = []
    for row in rows or known.records["rows"]:
        published.counts_of(known, row)
        name = known.records["rows"][row]["predictions"]
        one = PredictionSet(row, layout.predictions(name), f"Predict it: {name}")
        maps = complete_maps(layout, [one], one, frames, allow_missing=False)[one]
        faults = published.verify(known, row, frames, maps)
        failed += [row] if faults else []
        print(f"{row}: {'; '.join(faults) or f'the published row, {len(frames)} frames'}")
    if failed:
        raise UserError(f"not the published rows of {board}: {', '.join(failed)}")


def command_parser() -> argparse.ArgumentParser:
    shared = ("tag", "averaged", "floats", "trust_code", "restart")
    parser = cli.command_line(__doc__, EXAMPLES, *shared)
    add = parser.add_argument
    others = ("all", "predictions", "models", "leaderboard", "compare", "verify", "agreement")
    add(
        "approach",
        choices=(*ROWS, *others),
        help="what is scored; leaderboard: models, whose rows go into docs/leaderboard.md; compare:"
        " two rows, in pairs; verify: do the predictions give the published row; agreement: how"
        " alike two people order",
    )
    add(
        "words",
        nargs="*",
        metavar="NAME",
        help="; ".join(f"{name}: {', '.join(ROWS[name][1])}" for name in ROWS)
        + "; all: nothing; predictions: FOLDER of <frame>.png (8 or 16 bit) or .npy (preferred),"
        " larger = nearer; models: names, runs, checkpoints, TorchScript files, hf:<repo id or"
        " folder>, each also as ROW=MODEL; compare: two rows of the leaderboard, prediction sets or"
        " FOLDERs; verify: rows (none: all); agreement: two annotators or FOLDERs",
    )
    add("--baseline", metavar="ROW", help="of models, what they are compared to (lower_is_nearer)")
    add(
        "--orderings",
        nargs="+",
        metavar="FOLDER",
        help="folders of depth orderings or names of annotators, all of whose pairs are scored"
        " (default: the data root's folder); of a folder without --split, every ordering there",
    )
    add("--agreed", action="store_true", help="only pairs that all of them put into one order")
    add("--split", choices=("validation", "test", "both"), help="frames to score (default: both)")
    add("--protocol", choices=PROTOCOLS, default="corrected", help="original: the scorer of 2020")
    add(
        "--pairs",
        type=Path,
        metavar="FILE",
        help="predictions, compare: score pairs of DA-2K (annotations.json) or AI4VA instead of"
        " orderings; a depth map has the path of its image, without `images/`",
    )
    near = ("smallest", "largest")
    add("--nearest", choices=near, default=near[0], help="near end of AI4VA (default: smallest)")
    add("--json", type=Path, help="also write the scores to this file")
    add(
        "--report",
        type=Path,
        metavar="FOLDER",
        help="also write tables, figure and a page to open in a browser there (all, models: always,"
        " default <runs root>/evaluation[/models]); verify: whose rows (default: docs/leaderboard)",
    )
    add("--allow-missing", action="store_true", help="all: leave out rows without predictions")
    parser.set_defaults(averaged=False)  # in presets it is about the teacher's depth
    return parser


if __name__ == "__main__":
    cli.run_main(main)
