"""Every stage in order, from raw pages to the table of scores; what is done is skipped."""

import contextlib
import subprocess
import sys
import time
from pathlib import Path

from comics_depth.files import UserError, read_json, run_main, write_json
from comics_depth.options import command_line, fill, model_source, preset_values

HAND_CHECK = ["comics2textareas.py", "--check_by_hand"]
RULES = ("lower_is_nearer", "centre_is_nearer", "chance")

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

    def train(stage: str) -> list[str]:
        epochs = round(preset_values(args.preset, stage)["epochs"] * args.effort)
        return ["--train"] + ([] if args.effort == 1 else ["--epochs", str(max(1, epochs))])

    synthesize = [prepare, "--synthesize"]
    pseudo_depth = [prepare, "--coco17_depth", *teacher, *weights]
    if args.preset == "demo":  # the small network is its own teacher
        networks = [[depth, "photographs", *train("photographs")], pseudo_depth]
    elif args.preset == "open":  # it learns from the teacher, and from synthetic photographs whose depth is exact
        synthesize += ["--data-root", str(args.layout.data_root / "synthetic_world")]
        networks = [pseudo_depth, [depth, "photographs", *train("photographs")]]
    else:
        networks = [pseudo_depth]
    text = [*train("comics2textareas"), "--select_epoch", "--optimize_threshold", "--visualize_ebdtheque_val",
            "--generate_dcm_without_text_areas"]  # fmt: skip
    fitted, predicted = train("depth_estimator"), ["--generate_depth_images", *student]
    imported = args.layout.import_note("comics").exists()
    commands = [
        *([] if args.preset == "paper" else [synthesize]),
        [] if imported else [prepare, "--crop_frames", "--generate_text_masks"],
        *networks,
        ["comics2textareas.py", *text, *([] if args.preset == "paper" else ["--accept_all"])],
        # in the paper's preset a person checks the text-free crops
        HAND_CHECK if args.preset == "paper" else [],
        [translate, "simple", *train("natural2comics"), *predicted],
        [translate, "depth_aware", *train("natural2comics"), *teacher, *predicted],
        [translate, "without_text", *train("natural2comics")],
        [translate, "add_text", *train("add_text")],
        [depth, "simple", "--optimize_lr", *fitted, *predicted],
        [depth, "add_text", "--optimize_lr", *fitted, *predicted],
        [depth, "add_text_ignoretext", *fitted, *predicted],
        ["baseline.py", "no_batchnorm_trick", *predicted],
        ["baseline.py", "batchnorm_trick", "--train", *predicted],
        *(["baseline.py", rule, "--generate_depth_images"] for rule in RULES),
        ["evaluation.py", "all", *(["--allow-missing"] if imported else [])],
    ]
    # a plain folder of images has no text masks to learn text areas from
    with_text = ("comics2textareas.py", "without_text", "add_text", "add_text_ignoretext")
    return [line for line in commands if line and not (imported and any(word in with_text for word in line))]


def main() -> None:
    parser = command_line(__doc__, EXAMPLES, "seed", "teacher", "depth_model", "depth_weights", "restart")
    parser.add_argument(
        "--effort", type=float, default=1, help="multiplies the epochs of what trains by gradient (default 1)"
    )
    parser.add_argument("--stop-after", metavar="WORD", help="stop after the first stage whose command holds this word")
    args = parser.parse_args()
    given = (args.teacher, args.depth_model)
    fill(args)
    if args.teacher is None:
        model_source(args, "teacher")  # says that the preset needs one
    args.teacher, args.depth_model = given  # what was left out is left to the stages
    roots = ["--data-root", str(args.layout.data_root), "--runs-root", str(args.layout.runs_root)]
    shared = ["--preset", args.preset, *roots]
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
            line[0] = str(Path(__file__).with_name(line[0]))
            line += ["--restart"] if args.restart and command[0] != "evaluation.py" else []
            # the page of the hand check is served until Ctrl-C; what counts is whether somebody finished
            with contextlib.suppress(*[KeyboardInterrupt] * (command == HAND_CHECK)):
                failed = subprocess.run([sys.executable, *line]).returncode
            if command == HAND_CHECK:
                failed = not args.layout.checked_manifest.exists()
            if failed:
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
