"""Processes that share the work of one command: nothing is lost, nothing is done twice, what is
there in the end is what one process makes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from comics_depth.cli import ModelSource
from comics_depth.data import pseudo_depth
from comics_depth.evaluation.predicting import predict_frames
from comics_depth.images import write_image
from comics_depth.paths import Layout
from common.errors import UserError
from common.files import PARTIAL, lock, unlock
from common.ranks import my_share

torch.set_num_threads(1)
ROOT = Path(__file__).parents[2]
NAMES = [f"p{number}" for number in range(1, 8)]
# predict.py that is killed, as by kill -9, when it is about to write the page KILLED
PREDICT = """
import os, runpy, signal
from comics_depth.pages import predicting
write_results = predicting.write_results
def write(page, *rest):
    if page.name == os.environ.get("KILLED"):
        folder = rest[-1].output / page.name
        folder.mkdir(parents=True)
        (folder / ".partial-1").write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)
    return write_results(page, *rest)
predicting.write_results = write
runpy.run_path("predict.py", run_name="__main__")
"""


def pictures(folder: Path) -> Path:
    for number, name in enumerate(NAMES):
        noise = np.random.default_rng(number).integers(0, 255, (4, 4, 3), np.uint8)
        write_image(folder / f"{name}.png", noise.repeat(16, axis=0).repeat(16, axis=1))
    return folder


def start(folder: Path, out: Path, **variables: str) -> subprocess.Popen:
    command = [sys.executable, "-c", PREDICT, str(folder), "-o", str(out)]
    command += ["--whole-page", "--image-size", "32"]
    variables = {**os.environ, "OMP_NUM_THREADS": "1", **variables}
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, cwd=ROOT, env=variables, **pipe)


def files_of(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_seven_pages_by_three_processes_of_which_one_is_killed(tmp_path):
    folder, alone, shared = pictures(tmp_path / "in"), tmp_path / "alone", tmp_path / "shared"
    with start(folder, alone) as process:
        assert "7 pages to predict, 0 done" in process.communicate()[0] and process.returncode == 0
    ranks = [{"RANK": str(rank), "WORLD_SIZE": "3"} for rank in range(3)]
    started = [start(folder, shared, **rank, KILLED="p5") for rank in ranks]
    said = [process.communicate()[0] for process in started]
    codes = [process.returncode for process in started]
    assert codes == [0, -signal.SIGKILL, 0], said
    counts = ["3 pages to predict", "2 pages to predict", "2 pages to predict"]
    assert all(count in words for count, words in zip(counts, said, strict=True)), said
    made = {path.parent.name: path.stat().st_mtime_ns for path in shared.rglob("made_by.json")}
    assert set(NAMES) - set(made) == {"p5"} and not list(shared.glob("contact_*"))
    with start(folder, shared, **ranks[1]) as process:
        words = process.communicate()[0]
    assert process.returncode == 0 and "1 pages to predict, 1 done" in words
    assert (
        made.items()
        <= {
            path.parent.name: path.stat().st_mtime_ns for path in shared.rglob("made_by.json")
        }.items()
    )
    assert files_of(shared) == files_of(alone) and "contact_in.jpg" in files_of(shared)


def test_frames_and_photographs_of_several_processes_are_those_of_one(tmp_path, monkeypatch):
    seen = []

    def depth(image):
        seen.append(image.tobytes())
        if len(seen) == stop:
            raise KeyboardInterrupt
        return image[..., 0] / 255

    def frames(root):
        predict_frames(Layout(root, root), "run", depth, {"rule": "red"}, NAMES)

    def photographs(root):
        teacher = ModelSource("default")
        lock(root, shared=True)
        pseudo_depth.write_pseudo_depth(
            Layout(root, root), teacher, averaged=False, seed=0, restart=False
        )

    monkeypatch.setattr(pseudo_depth, "as_predictor", lambda *_: depth)
    for number, work in enumerate((frames, photographs)):
        results = []
        for count in (1, 3):
            root = tmp_path / f"{number}_{count}"
            layout = Layout(root, root)
            pictures(layout.photographs)
            pictures(layout.frame("p1").parent)
            for name in NAMES:
                if not layout.frame(name).exists():
                    layout.frame(name).symlink_to(layout.photographs / f"{name}.png")
            seen.clear()
            stop = None
            monkeypatch.setenv("WORLD_SIZE", str(count))
            for rank in range(count):
                monkeypatch.setenv("RANK", str(rank))
                if rank == 1:  # it is stopped at its second
                    stop = len(seen) + 2
                    with pytest.raises(KeyboardInterrupt):
                        work(root)
                    unlock()
                    stop = seen.pop() and None
                work(root)
                unlock()
            assert len(seen) == len(set(seen)) == len(NAMES)
            results.append(files_of(root))
        assert results[0] == results[1] and any("p7.png" in name for name in results[0])


HOLD = """
import sys
from pathlib import Path
from common.files import lock
lock(Path(sys.argv[1]), shared=True)
print("locked", flush=True)
sys.stdin.read()
"""


def test_a_shared_folder_is_open_to_the_other_ranks_of_the_same_command_alone(
    tmp_path, monkeypatch
):
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    ends = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    ranked = {**os.environ, "RANK": "1", "WORLD_SIZE": "3"}
    with subprocess.Popen(command, **ends, env=ranked) as holder:
        assert holder.stdout.readline() == "locked\n"
        same, other = ["-c", str(tmp_path)], ["-c", "elsewhere"]
        half = tmp_path / f"{PARTIAL}of_rank_1"
        half.write_text("half")
        for argv, rank, count in ((same, 0, 1), (same, 1, 3), (same, 0, 2), (other, 0, 3)):
            monkeypatch.setattr(sys, "argv", argv)
            monkeypatch.setenv("RANK", str(rank))
            monkeypatch.setenv("WORLD_SIZE", str(count))
            with pytest.raises(UserError, match="in use by 3 processes: -c"):
                lock(tmp_path, shared=True)
        monkeypatch.setattr(sys, "argv", same)
        monkeypatch.setenv("WORLD_SIZE", "3")
        with pytest.raises(UserError, match="in use by 3 processes"):
            lock(tmp_path)  # of what the ranks do not share
        lock(tmp_path, shared=True)
        assert half.exists()
        holder.kill()
    unlock()
    lock(tmp_path)
    assert not half.exists()
    unlock()


@pytest.mark.parametrize(("rank", "count"), [("3", "3"), ("-1", "2"), ("x", "2"), ("0", "0")])
def test_impossible_ranks_are_named(monkeypatch, rank, count):
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setenv("WORLD_SIZE", count)
    with pytest.raises(UserError, match=f"found RANK={rank} WORLD_SIZE={count}"):
        my_share(NAMES)
