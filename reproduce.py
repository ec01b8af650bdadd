"""Every stage in order, from raw pages to the table of scores; what is done is skipped."""

if __name__ == "__main__":
    import common.interrupts  # noqa: F401  Ctrl-C while the rest is imported

import time
from collections.abc import Iterable
from pathlib import Path

from comics_depth import cli
from comics_depth.options import number
from comics_depth.running import StageRunner
from comics_depth.stages import StageLog, list_stages
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
    parser = cli.command_line(__doc__, EXAMPLES, "seed", *models, "restart")
    add = parser.add_argument
    add(
        "--epoch-scale",
        type=float,
        default=1,
        help="multiplies the epochs of what trains by gradient (default 1)",
    )
    add("--stop-after", metavar="WORD", help="the last stage, the first whose command holds this")
    add(
        "--jobs",
        type=number(int, 1, 256),
        default=1,
        metavar="N",
        help="stages at the same time, on a CPU (default 1); they print to logs/ of the runs root",
    )
    add("--check", action="store_true", help="say what is there and what is missing; run nothing")
    args = parser.parse_args()
    options = cli.values(args, "teacher", "depth_model")  # what is left out is up to the stages
    layout = cli.apply_preset(args).layout
    options |= cli.values(args, "depth_weights", "epoch_scale")
    sources = [cli.model_source(args, role) for role in ("teacher", "depth_model")]
    stages = list_stages(args.preset, layout, args.seed, *sources, **options)
    ends = [n for n, stage in enumerate(stages, 1) if (args.stop_after or "\n") in stage.title]
    count = ends[0] if ends else len(stages)
    log = StageLog(layout.runs_root / "stages.json", empty=args.restart)
    if args.check:
        from comics_depth import doctor  # with torch, which nothing else here needs

        roles = dict(zip(("teacher", "depth model"), sources, strict=True))
        parts = {
            "machine": doctor.machine(layout.data_root),
            "data": doctor.datasets(layout, needed=args.preset != "demo"),
            "models": doctor.models(roles),
            "stages": doctor.stages(stages, log),
        }
        return show_check(parts)
    if args.dry_run:
        for place, stage in enumerate(stages[:count], start=1):
            done = " (done)" if log.state(stage) == "done" else ""
            print(f"[{place}/{len(stages)}] python {stage.title}{done}")
        return
    started = time.perf_counter()
    runner = StageRunner(stages, log, layout.runs_root / "logs", args.jobs, args.restart)
    ran = runner.run(count)
    minutes = (time.perf_counter() - started) / 60
    report(layout.results / "table.md", ran, f"{count} of {len(stages)}", minutes)


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
    cli.run_main(main)
