"""Command lines: parsers of the options in options.py, presets, steps of a script, and how its main
runs."""

import argparse
import multiprocessing
import re
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from comics_depth.options import OPTIONS, PRESETS
from comics_depth.paths import Layout
from common import interrupts
from common.errors import UserError
from common.files import unlock
from common.trust import trust_code


class ModelSource(NamedTuple):
    """What models.depth_model.depth_model makes a depth model from."""

    name: str
    weights: Path | None = None


class CommandLine(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; --help shows what there is\n")


def command_line(
    description: str,
    examples: str,
    *names: str,
    actions: dict[str, str] | None = None,
) -> argparse.ArgumentParser:
    """A parser with the options every command has (--data-root, --runs-root, --preset, --dry-run)
    and those of OPTIONS that are named; --trust-code comes with the options of models.

    actions: name -> help of what the command can do, --its_name or the initials of its words.
    examples: commands to paste, one a line."""
    parser = CommandLine(
        description=description,
        epilog="examples:\n" + examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    group = parser.add_argument_group("options", "left out, an option takes its preset's value")
    add = group.add_argument
    add("--preset", choices=tuple(PRESETS), default="paper", help="values (default: paper)")
    add("--data-root", type=Path, help="datasets and predictions (paper: data, demo: data/demo)")
    add(
        "--runs-root",
        type=Path,
        help="trained networks and tables (paper: models/trained, others: models/trained/PRESET)",
    )
    add("--licence-policy", **OPTIONS["licence_policy"])
    add("--dry-run", action="store_true", help="say what would run, and do nothing")
    if not {"teacher", "depth_model"}.isdisjoint(names):
        names += ("trust_code",)
    for name in names:
        add("--" + name.replace("_", "-"), **OPTIONS[name])
    for name, text in (actions or {}).items():
        # one spelling where the two are the same
        spelled = dict.fromkeys((f"--{name}", f"--{name.replace('_', '-')}"))
        short = "-" + "".join(word[0] for word in name.split("_"))
        parser.add_argument(short, *spelled, action="store_true", help=text)
    return parser


def preset_values(preset: str, stage: str) -> dict[str, Any]:
    """Option -> value of a stage in a preset. Raises UserError if the preset has no such stage."""
    stages = PRESETS[preset]
    inherited = stages["translation"] if stage in ("natural2comics", "add_text") else {}
    if stage not in stages and not inherited:
        having = " and ".join(f"--preset {name}" for name in PRESETS if stage in PRESETS[name])
        raise UserError(f"--preset {preset} has no stage {stage}; {having} has it")
    return {**stages["common"], **inherited, **stages.get(stage, {})}


def apply_preset(args: argparse.Namespace, stage: str = "common") -> argparse.Namespace:
    """Sets every option that was left out to its value in the preset (None if the stage does not
    know it) and `args.layout`, and obeys --trust-code. Raises UserError for a missing data root."""
    values = preset_values(args.preset, stage)
    if args.data_root is None and "data_root" not in values:
        raise UserError(
            f"--preset {args.preset} needs --data-root FOLDER; --preset demo needs nothing"
        )
    for name, value in values.items():
        if getattr(args, name, None) is None:
            setattr(args, name, value)
    if getattr(args, "trust_code", False):
        trust_code()
    args.layout = Layout(Path(args.data_root), Path(args.runs_root))
    return args


def values(args: argparse.Namespace, *names: str) -> dict[str, Any]:
    """The options of these names."""
    return {name: getattr(args, name) for name in names}


def model_source(args: argparse.Namespace, role: str) -> ModelSource:
    """The teacher or depth model that was asked for, with --depth-weights if it is the depth model
    or the same. Raises UserError if there is none, or its licence is refused."""
    name = getattr(args, role)
    if name is None:
        raise UserError(
            f"--preset {args.preset} needs --{role.replace('_', '-')}: {OPTIONS[role]['help']}"
        )
    check_models([name], args.licence_policy)
    own = role == "depth_model" or args.teacher == args.depth_model
    return ModelSource(name, args.depth_weights if own else None)


def check_models(names: Sequence[str], policy: str) -> None:
    """Raises UserError if the licence of one of the depth models does not allow what is asked."""
    from models.licences import check_licence  # of the floor below, and not needed by most commands

    for name in names:
        check_licence(name, policy)


class Step(NamedTuple):
    """An action of a script: `run` does it. The rest is what --dry-run says of it; a step that is
    `measured` runs then too, if all is there that it reads, and says what it would cost."""

    run: Callable[[], Any]
    reads: Sequence[Path]
    writes: Sequence[Path]
    downloads: Sequence[str] = ()
    measured: bool = False


def run_steps(
    parser: argparse.ArgumentParser, args: argparse.Namespace, steps: dict[str, Step]
) -> None:
    """Runs the steps that were asked for, in the order of the table, or says under --dry-run what
    they would read and write. Ends with the parser's error if none was asked for."""
    chosen = [name for name in steps if getattr(args, name)]
    if not chosen:
        listed = ", ".join(f"--{name}" for name in steps)
        parser.error(f"nothing to do: choose one or more of {listed}")
    for name in chosen:
        step = steps[name]
        if not args.dry_run:
            step.run()
            continue
        print(f"--{name}")
        for path in step.reads:
            print(f"  would read   {path}" + ("" if path.exists() else "  (missing)"))
        for url in step.downloads:
            print(f"  would download  {url}")
        for path in step.writes:
            print(f"  would write  {path}")
        if step.measured and not step.downloads and all(path.exists() for path in step.reads):
            try:
                step.run()
            except UserError as error:  # what an earlier stage makes is not there or unfinished
                print(f"  cost unknown: {with_full_commands(str(error))}")


def full_command(line: str) -> str:
    """The command of a script and its options that works on the folders of the command that runs
    now: with its preset, roots and tag."""
    parser = argparse.ArgumentParser(add_help=False)
    for name in ("preset", "data-root", "runs-root", "tag"):
        parser.add_argument(f"--{name}")
    given = vars(parser.parse_known_args(sys.argv[1:])[0])
    if given["preset"] == "paper":
        del given["preset"]
    # pages and text maps have no tag, and only its own script knows that of the text network
    script = line.split()[0]
    untagged = script in ("datasets_preparation.py", "comics2textareas.py")
    if untagged and Path(sys.argv[0]).name != script:
        del given["tag"]
    shared = [[f"--{name.replace('_', '-')}", value] for name, value in given.items() if value]
    return " ".join(["python", line, *map(shlex.join, shared)])


def with_full_commands(message: str) -> str:
    """The message, its commands (`python SCRIPT OPTIONS` in backticks) such as can be pasted."""
    return re.sub("`python ([^`]+)`", lambda found: full_command(found[1]), message)


def run_main(main: Callable[[], None]) -> None:
    """Runs a script's main: a UserError becomes one line and exit code 2, Ctrl-C one line and exit
    code 130, SIGTERM one line and 143; the processes that it started end with it."""
    ended_by = [signal.SIGINT]

    def end(number: int, _: Any) -> None:
        ended_by[0] = number
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, end)
    if signal.getsignal(signal.SIGINT) is interrupts.end:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return main()
    except KeyboardInterrupt:
        for child in multiprocessing.active_children():
            child.terminate()
        message, code = "interrupted; run the same command again to go on", 128 + ended_by[0]
    except UserError as error:
        # of a process that reads data, torch adds where it was raised
        error = str(error).rpartition(f"{UserError.__name__}: ")[2].strip()
        message, code = f"error: {with_full_commands(error)}", 2
    except OSError as error:  # a folder that may not be written to, a name that is too long
        message, code = f"error: {error}", 2
    finally:
        unlock()
    print(message, file=sys.stderr)
    sys.exit(code)
