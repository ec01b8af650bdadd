"""Who may import whom, and what every command line promises."""

import ast
import contextlib
import io
import os
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted(path.stem for path in ROOT.glob("*.py") if path.stem != "hubconf")
PACKAGES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in ("common", "comics_depth", "models")
    for path in (ROOT / package).rglob("*.py")
}
FILES = {**{script: ROOT / f"{script}.py" for script in SCRIPTS}, **PACKAGES}
HEAVY = {"torch", "torchvision", "timm", "accelerate", "transformers", "models"}


def imported(path, deep=True):
    """Dotted names of the modules that a file imports; unless `deep`, those it imports when it is
    imported itself."""
    tree, names = ast.parse(path.read_text(encoding="utf-8")), set()
    lazy = (
        set()
        if deep
        else {
            id(inner)
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            for inner in ast.walk(node)
        }
    )
    for node in ast.walk(tree):
        if id(node) in lazy:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def reached(start):
    """Every module that comes with the import of `start`, ours followed into."""
    found, todo = set(), [start]
    while todo:
        name = todo.pop()
        parents = [".".join(name.split(".")[: n + 1]) for n in range(name.count("."))]
        if name not in found:
            found.add(name)
            todo += [*parents, *(imported(FILES[name], deep=False) if name in FILES else ())]
    return found


def test_all_of_the_code_is_looked_at():
    modules = {
        "comics_depth.training.loop",
        "comics_depth.annotating",
        "models.objectives",
        "common",
    }
    assert modules <= set(PACKAGES)
    assert {"evaluation", "predict", "reproduce", "datasets_preparation"} <= set(SCRIPTS)
    assert "torch.nn" in imported(FILES["models.objectives"]) and "torch" in reached(
        "depth_estimator"
    )


@pytest.mark.parametrize("module", FILES)
def test_imports_go_one_way(module):
    """Scripts -> comics_depth -> models -> common."""
    floors = ("common", "models", "comics_depth")
    tops = {name.split(".")[0] for name in imported(FILES[module])}
    assert not tops & set(SCRIPTS), "nothing imports a script"
    own = module.split(".")[0]
    if own in floors:
        assert not tops & set(floors[floors.index(own) + 1 :])


@pytest.mark.parametrize("module", PACKAGES)
def test_no_import_goes_in_a_circle(module):
    """Imports inside functions count too: they hide circles, they do not break them."""
    found, todo = set(), [module]
    while todo:
        inside = {name for name in imported(FILES[todo.pop()]) if name in PACKAGES} - found
        found |= inside
        todo += inside
    assert module not in found


@pytest.mark.parametrize(
    "module",
    [
        "evaluation",
        "datasets_preparation",
        "reproduce",
        "comics_depth.synthetic.world",
        "comics_depth.annotating.server",
    ],
)
def test_scoring_and_preparing_start_without_torch(module):
    assert not {name.split(".")[0] for name in reached(module)} & HEAVY


def test_evaluation_loads_no_torch_indeed():
    code = f"import sys, evaluation; sys.exit(' '.join(sorted({HEAVY} & set(sys.modules))) or 0)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def call(script, *options):
    """(exit code, what it said) of a script run in this process."""
    said, before = io.StringIO(), sys.argv
    try:
        sys.argv = [f"{script}.py", *options]
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            runpy.run_path(str(ROOT / f"{script}.py"), run_name="__main__")
    except SystemExit as exit_:
        return exit_.code or 0, said.getvalue()
    finally:
        sys.argv = before
    return 0, said.getvalue()


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_shows_commands_that_can_be_pasted(script, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, text = call(script, "--help")
    assert (
        code == 0 and "--dry-run" in text and ("--preset" in text or script == "predict")
    )  # it has no data root
    examples = re.findall(r"^  (python .+)$", text.split("examples:\n")[1], re.MULTILINE)
    assert len(examples) >= 2
    for line in examples:
        for command in re.split(r"\s{2,}", line)[0].split("&&"):
            python, named, *options = shlex.split(command)
            assert (python, named) == ("python", f"{script}.py")
            code, said = call(script, *options, *([] if "--dry-run" in options else ["--dry-run"]))
            assert code == 0 and said.strip(), f"{command}\n{said}"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("script", SCRIPTS)
def test_ctrl_c_during_the_imports_is_one_line(script, tmp_path):
    """The scripts import a numpy that presses it."""
    pressing = "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nraise SystemExit(1)"
    (tmp_path / "numpy.py").write_text(pressing)
    command = [sys.executable, f"{script}.py", "--help"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (130, "interrupted\n")


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_option_is_explained(script):
    """No option without a word of help."""
    text = call(script, "--help")[1]
    options = text[text.index("options:") : text.index("examples:")]
    entries = re.split(r"\n  (?=-)", options)[1:]
    assert len(entries) > 4
    bare = [
        entry for entry in entries if len(re.split(r"\s{2,}|\n", entry.strip(), maxsplit=1)) < 2
    ]
    assert not bare
