"""Every stage in order, from raw pages to the table of scores; what is done is skipped."""

import subprocess
import sys
import time

from comics_depth.files import UserError, read_json, run_main, write_json
from comics_depth.options import command_line, fill

EXAMPLES = """\
  python reproduce.py --preset demo
  python reproduce.py --preset open --data-root my_pages --teacher depth_network.ts
  python reproduce.py --preset paper --dry-run
Run the same command again to go on after an interruption."""


def stages(args) -> list[list[str]]:
    """Commands in running order, without the options that all of them share."""
    prepare, depth, translate = "datasets_preparation.py", "depth_estimator.py", "cyclegan_natural2comics.py"
    teacher = ["--teacher", args.teacher] if args.teacher else []
    weights = ["--depth-weights", str(args.depth_weights)] if args.depth_weights else []
    student = (["--depth-model", args.depth_model] if args.depth_model else []) + weights
    first = {"demo": [[prepare, "--synthesize"]], "open": [[prepare, "--synthesize", "--data-root",
             str(args.layout.data_root / "synthetic_world")]], "paper": []}[args.preset]  # fmt: skip
    pseudo_depth, small = [prepare, "--coco17_depth", *teacher, *weights], [depth, "photographs", "--train"]
    # the small network learns from the teacher's depth, unless it is the teacher itself
    networks = {"demo": [small, pseudo_depth], "open": [pseudo_depth, small], "paper": [pseudo_depth]}[args.preset]
    text = ["--train", "--select_epoch", "--optimize_threshold", "--visualize_ebdtheque_val",
            "--generate_dcm_without_text_areas"]  # fmt: skip
    checked = args.layout.no_text_checked / "manifest.json"
    # in the paper's preset a person checks the text-free crops
    text += [] if args.preset == "paper" else ["--accept_all"]
    if args.preset == "paper" and not checked.exists():
        return [*first, [prepare, "--crop_frames", "--generate_text_masks"], *networks, ["comics2textareas.py", *text],
                ["comics2textareas.py", "--check_by_hand"]]  # fmt: skip
    return [
        *first,
        [prepare, "--crop_frames", "--generate_text_masks"],
        *networks,
        ["comics2textareas.py", *text],
        [translate, "simple", "--train", "--generate_depth_images", *student],
        [translate, "depth_aware", "--train", "--generate_depth_images", *teacher, *student],
        [translate, "without_text", "--train"],
        [translate, "add_text", "--train"],
        [depth, "simple", "--optimize_lr", "--train", "--generate_depth_images", *student],
        [depth, "add_text", "--optimize_lr", "--train", "--generate_depth_images", *student],
        [depth, "add_text_ignoretext", "--train", "--generate_depth_images", *student],
        ["baseline.py", "no_batchnorm_trick", "--generate_depth_images", *student],
        ["baseline.py", "batchnorm_trick", "--train", "--generate_depth_images", *student],
        *(
            ["baseline.py", rule, "--generate_depth_images"]
            for rule in ("lower_is_nearer", "centre_is_nearer", "chance")
        ),
        ["evaluation.py", "all"],
    ]


def main() -> None:
    parser = command_line(__doc__, EXAMPLES, "seed", "teacher", "depth_model", "depth_weights", "restart")
    parser.add_argument("--stop-after", metavar="WORD", help="stop after the first stage whose command holds this word")
    args = parser.parse_args()
    given = (args.teacher, args.depth_model)
    fill(args)
    args.teacher, args.depth_model = given  # what was left out is left to the stages
    shared = [
        "--preset",
        args.preset,
        "--data-root",
        str(args.layout.data_root),
        "--runs-root",
        str(args.layout.runs_root),
    ]
    log = args.layout.runs_root / "stages.json"
    done = {} if args.restart or not log.exists() else read_json(log)
    commands, ran = stages(args), 0
    for number, command in enumerate(commands, start=1):
        line = command[:1] + shared + command[1:]  # what a stage says itself comes last and counts
        line += ["--seed", str(args.seed)] if command[0] != "evaluation.py" else []
        key, title = " ".join(line), f"[{number}/{len(commands)}] python {' '.join(command)}"
        if args.dry_run:
            print(title + (" (done)" if key in done else ""))
        elif key in done:
            print(f"{title}: done in {done[key]:.0f} s")
        else:
            print(f"\n{title}", flush=True)
            started = time.perf_counter()
            if subprocess.run([sys.executable, *line, *(["--restart"] if args.restart and number > 0 and
                              command[0] != "evaluation.py" else [])]).returncode:  # fmt: skip
                raise UserError(f"stage {number} of {len(commands)} failed; mend it and run the same command again")
            done[key] = time.perf_counter() - started
            ran += 1
            write_json(log, done)
        if args.stop_after and args.stop_after in key:
            break
    if not args.dry_run:
        print_outcome(args, ran, done)


def print_outcome(args, ran: int, done: dict[str, float]) -> None:
    table = args.layout.results / "table.md"
    if not ran and table.exists():
        print("\n" + table.read_text(encoding="utf-8"))
    print(f"\n{ran} stages run" if ran else "\nnothing to do: every stage is done", end=", ")
    print(f"{sum(done.values()) / 60:.1f} minutes in all\ntable:  {table}\nfigure: {table.with_name('figure.png')}")


if __name__ == "__main__":
    run_main(main)
