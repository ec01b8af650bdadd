"""Every stage in order, from raw pages to the table of scores; what is done is skipped."""

import contextlib
import subprocess
import sys
import time
from pathlib import Path

from comics_depth.cli import apply_preset, command_line, model_source, preset_values, run_main
from comics_depth.evaluation.rules import REFERENCES
from common.errors import UserError
from common.files import read_json, write_json

HAND_CHECK = ["comics2textareas.py", "--check_by_hand"]

EXAMPLES = """\
  python reproduce.py --preset demo
  python reproduce.py --preset open --data-root my_pages --teacher depth_network.ts
  python reproduce.py --preset paper --dry-run
Run the same command again to go on after an interruption."""


def stages(args) -> list[list[str]]:
    """Commands in running order, without the options that all of them share."""
    prepare, depth, translate = (
        "datasets_preparation.py",
        "depth_estimator.py",
        "cyclegan_natural2comics.py",
    )
    teacher = ["--teacher", args.teacher] if args.teacher else []
    weights = ["--depth-weights", str(args.depth_weights)] if args.depth_weights else []
    student = ["--depth-model", args.depth_model] if args.depth_model else []
    predicted = ["--generate_depth_images", *student, *weights]
    paper, imported = args.preset == "paper", args.layout.import_note("comics").exists()

    def train(stage: str) -> list[str]:
        epochs = round(preset_values(args.preset, stage)["epochs"] * args.effort)
        return ["--train"] + ([] if args.effort == 1 else ["--epochs", str(max(1, epochs))])

    text = [
        *train("comics2textareas"),
        "--select_epoch",
        "--optimize_threshold",
        "--visualize_ebdtheque_val",
        "--generate_dcm_without_text_areas",
    ]
    fitted = train("depth_estimator")
    commands = [
        [prepare, "--synthesize"] if args.preset == "demo" else [],
        [] if imported else [prepare, "--crop_frames", "--generate_text_masks"],
        [prepare, "--coco17_depth", *teacher, *(weights if args.same_weights else [])],
        ["comics2textareas.py", *text, *([] if paper else ["--accept_all"])],
        HAND_CHECK if paper else [],  # a person checks the text-free crops
        [translate, "simple", *train("natural2comics"), *predicted],
        [translate, "depth_aware", *train("natural2comics"), *teacher, *predicted],
        [translate, "without_text", *train("natural2comics")],
        [translate, "add_text", *train("add_text")],
        [depth, "simple", "--optimize_lr", *fitted, *predicted],
        [depth, "add_text", "--optimize_lr", *fitted, *predicted],
        [depth, "add_text_ignoretext", *fitted, *predicted],
        ["baseline.py", "no_batchnorm_trick", *predicted],
        ["baseline.py", "batchnorm_trick", "--train", *predicted],
        *(["baseline.py", rule, "--generate_depth_images"] for rule in REFERENCES),
        ["evaluation.py", "all", *(["--allow-missing"] if imported else [])],
    ]
    # a plain folder of images has no text masks to learn text areas from
    with_text = ("comics2textareas.py", "without_text", "add_text", "add_text_ignoretext")
    return [
        line
        for line in commands
        if line and not (imported and any(word in with_text for word in line))
    ]


def main() -> None:
    parser = command_line(
        __doc__, EXAMPLES, "seed", "teacher", "depth_model", "depth_weights", "restart"
    )
    parser.add_argument(
        "--effort",
        type=float,
        default=1,
        help="multiplies the epochs of what trains by gradient (default 1)",
    )
    parser.add_argument(
        "--stop-after",
        metavar="WORD",
        help="stop after the first stage whose command holds this word",
    )
    args = parser.parse_args()
    given = (args.teacher, args.depth_model)
    apply_preset(args)
    args.same_weights = args.teacher == args.depth_model
    model_source(args, "teacher")  # says that the preset needs one
    args.teacher, args.depth_model = given  # what was left out is left to the stages
    roots = ["--data-root", str(args.layout.data_root), "--runs-root", str(args.layout.runs_root)]
    log = args.layout.runs_root / "stages.json"
    done = {} if args.restart or not log.exists() else read_json(log)
    commands, ran = stages(args), 0
    for number, command in enumerate(commands, start=1):
        seed = [] if command[0] == "evaluation.py" else ["--seed", str(args.seed)]
        line = [command[0], "--preset", args.preset, *roots, *command[1:], *seed]
        key, title = " ".join(line), f"[{number}/{len(commands)}] python {' '.join(command)}"
        if args.dry_run:
            print(title + (" (done)" if key in done else ""))
        elif key in done and not (ran and command[0] == "evaluation.py"):
            print(f"{title}: done in {done[key]:.0f} s")
        else:
            print(f"\n{title}", flush=True)
            started = time.perf_counter()
            line[0] = str(Path(__file__).with_name(line[0]))
            line += ["--restart"] if args.restart and seed else []
            # the page of the hand check is served until Ctrl-C; what counts is whether somebody
            # finished
            with contextlib.suppress(*[KeyboardInterrupt] * (command == HAND_CHECK)):
                failed = subprocess.run([sys.executable, *line]).returncode
            if command == HAND_CHECK:
                failed = not args.layout.checked_manifest.exists()
            if failed:
                raise UserError(
                    f"stage {number} of {len(commands)} failed; mend it and run the same command"
                    " again"
                )
            done[key] = time.perf_counter() - started
            ran += 1
            write_json(log, done)
        if args.stop_after and args.stop_after in " ".join(command):
            break
    if args.dry_run:
        return
    table = args.layout.results / "table.md"
    if not ran and table.exists():
        print("\n" + table.read_text(encoding="utf-8"))
    print(f"\n{ran} stages run" if ran else "\nnothing to do", end=": ")
    print(
        f"{number} of {len(commands)} stages are done, {sum(done.values()) / 60:.1f} minutes in all"
    )
    if table.exists():
        print(f"table:  {table}\nfigure: {table.with_name('figure.png')}")


if __name__ == "__main__":
    run_main(main)
