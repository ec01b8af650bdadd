"""Every stage in order, from raw pages to the table of scores; what is done is skipped."""

if __name__ == "__main__":
    import common.interrupts  # noqa: F401  Ctrl-C while the rest is imported

import time
from collections.abc import Iterable
from pathlib import Path

from comics_depth.cli import apply_preset, command_line, model_source, run_main
from comics_depth.running import StageRunner
from comics_depth.stages import Stage, StageLog, list_stages
from common.errors import UserError

EXAMPLES = """\
  python reproduce.py --preset demo --jobs 2
  python reproduce.py --preset open --data-root my_pages --teacher depth_network.ts --trust-code
  python reproduce.py --preset paper --dry-run
  python reproduce.py --preset demo --check
Run the same command again to go on after an interruption. A stage is run again where its files are
gone or changed, and with --restart where what it was made from has changed."""


def main() -> None:
    models = ("teacher", "depth_model", "depth_weights")
    parser = command_line(__doc__, EXAMPLES, "seed", *models, "restart")
    add = parser.add_argument
    add(
        "--epoch-scale",
        type=float,
        default=1,
        help="multiplies the epochs of what trains by gradient (default 1)",
    )
    add(
        "--stop-after",
        metavar="WORD",
        help="stop after the first stage whose command holds this word",
    )
    add(
        "--jobs",
        type=int,
        default=1,
        metavar="N",
        help="stages at the same time, on a CPU (default 1); they print to logs/ of the runs root",
    )
    add("--check", action="store_true", help="say what is there and what is missing; run nothing")
    args = parser.parse_args()
    options = {"teacher": args.teacher, "depth_model": args.depth_model}  # left out: up to stages
    layout = apply_preset(args).layout
    sources = [model_source(args, "teacher"), model_source(args, "depth_model")]
    options |= {"depth_weights": args.depth_weights, "epoch_scale": args.epoch_scale}
    stages = list_stages(args.preset, layout, *sources, **options)
    ends = [
        n for n, stage in enumerate(stages, start=1) if (args.stop_after or "\n") in stage.title
    ]
    chosen = stages[: ends[0]] if ends else stages
    shared = ["--preset", args.preset]
    shared += ["--data-root", str(layout.data_root), "--runs-root", str(layout.runs_root)]
    log = StageLog(layout.runs_root / "stages.json", empty=args.restart)
    if args.check:
        from comics_depth import doctor  # with torch, which nothing else here needs

        lines = [full_line(stage, shared, args.seed) for stage in stages]
        roles = dict(zip(("teacher", "depth model"), sources, strict=True))
        parts = {
            "machine": doctor.machine(layout.data_root),
            "data": doctor.datasets(layout, needed=args.preset != "demo"),
            "models": doctor.models(roles),
            "stages": doctor.stages(stages, lines, log),
        }
        return show_check(parts)
    if args.dry_run:
        for number, stage in enumerate(chosen, start=1):
            done = log.state(full_line(stage, shared, args.seed), stage) == "done"
            print(f"[{number}/{len(stages)}] python {stage.title}" + (" (done)" if done else ""))
        return
    runner = StageRunner(
        stages,
        [full_line(stage, shared, args.seed) for stage in stages],
        log,
        outputs=layout.runs_root / "logs",
        checked=layout.checked_manifest,
        jobs=args.jobs,
        restart=args.restart,
    )
    started = time.perf_counter()
    ran = runner.run(len(chosen))
    minutes = (time.perf_counter() - started) / 60
    report(layout.results / "table.md", ran, f"{len(chosen)} of {len(stages)}", minutes)


def full_line(stage: Stage, shared: list[str], seed: int) -> list[str]:
    """The command of a stage with the options that all stages share."""
    script, *rest = stage.command
    return [script, *shared, *rest, *([] if script == "evaluation.py" else ["--seed", str(seed)])]


def show_check(parts: dict[str, Iterable[str]]) -> None:
    """Prints what was found; raises UserError if something is missing that no stage makes."""
    missing = 0
    for title, found in parts.items():
        print(f"\n{title}")
        for line in found:
            print(f"  {line}")
            missing += "MISSING" in line
    if missing:
        raise UserError(f"{missing} things are missing, see the lines with MISSING")


def report(table: Path, ran: int, done: str, minutes: float) -> None:
    """Prints what was done, and the table if there was nothing to do."""
    if not ran and table.exists():
        print("\n" + table.read_text(encoding="utf-8"))
    print(f"\n{ran} stages run in {minutes:.1f} minutes" if ran else "\nnothing to do", end=": ")
    print(f"{done} stages are done")
    if table.exists():
        print(f"table:  {table}\nfigure: {table.with_name('figure.png')}")


if __name__ == "__main__":
    run_main(main)
