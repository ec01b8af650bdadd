"""What kills, damaged files and full disks do to the commands, on a tiny world and tiny networks:
python -m benchmarks.stress [kills] [damage] [reading] [disk] [--count N]

Every command runs in a child of this process. kills: it is killed at a random time, or just before
one of its changes to the file system, and run again; tensors, records and files must be those of a
command that was not killed. damage: a file that it reads is damaged before it runs; no more than
one line may come of it, and no damaged checkpoint may be taken. reading: the same of the readers of
files alone, which is faster. disk: its folder is a file system of some kilobytes, which grows
afterwards (only root can mount one)."""

import argparse
import contextlib
import io
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch

from benchmarks.damages import READERS, damaged, faults_of_reading, plain
from benchmarks.tiny_world import COMMANDS, Outcome, draw_world, execute, run
from comics_depth.data.depth_files import read_depth
from comics_depth.images import IMAGE_SUFFIXES, read_image
from common.errors import UserError
from common.files import LOCK, PARTIAL, parse_json, read_json
from common.trust import trust_code
from models.checkpoints import read_weights

MEMORY = Path("/dev/shm")  # where files are in memory, if anywhere
TIMES = {"seconds": 0, "data_wait": 0}  # of a record, which differ from run to run
PAGE = 4096  # bytes


class Job(NamedTuple):
    """A command, the folder as it was before and after it, what is in the files afterwards, how
    many pages of memory they take more than before, and how it went."""

    command: str
    before: Path
    after: Path
    left: dict[str, Any]
    pages: int
    outcome: Outcome


def contents(place: Path) -> dict[str, Any]:
    """File -> what it holds, without times and locks: of a checkpoint its values, else bytes."""
    found = {}
    for path in filter(Path.is_file, place.rglob("*")):
        value: Any = path.read_bytes()
        with contextlib.suppress(UserError):  # damaged
            if path.suffix == ".pt":
                value = plain(read_weights(path))
            elif path.name == "metrics.jsonl":
                lines = value.decode(errors="replace").splitlines()
                value = [parse_json(line, dict[str, Any], path) | TIMES for line in lines]
        if path.name != LOCK:
            found[path.relative_to(place).as_posix()] = value
    return found


def differing(place: Path, wanted: dict[str, Any]) -> list[str]:
    """Files that are not as wanted, missing or left over."""
    found = contents(place)
    return [name for name in sorted({*found, *wanted}) if found.get(name, 0) != wanted.get(name, 0)]


def restore(place: Path, source: Path) -> None:
    """Makes the content of a folder, which may be a file system of its own, that of another."""
    for path in place.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.copytree(source, place, dirs_exist_ok=True)


def prepare(shelf: Path, place: Path, names: list[str]) -> list[Job]:
    """Runs the commands once without harm. Before that they are run in this process: so its
    children need not import and set up again what commands need only in the end."""
    draw_world(place)
    shutil.copytree(place, shelf / "0")
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        for name in names:
            execute(place, COMMANDS[name])
    restore(place, shelf / "0")
    jobs = []
    for number, name in enumerate(names):
        before, after = shelf / f"{number}", shelf / f"{number + 1}"
        outcome = run(place, COMMANDS[name])
        if outcome.code or outcome.fault:
            raise UserError(f"{name}: {outcome.said}")
        shutil.copytree(place, after)
        again = run(place, COMMANDS[name])  # which reads what it wrote
        outcome = outcome._replace(reads=outcome.reads | again.reads)
        grown = pages(place) - pages(before)
        jobs.append(Job(COMMANDS[name], before, after, contents(after), grown, outcome))
        seconds = f"{outcome.seconds:.2f} s"
        print(f"{name}: {seconds}, {outcome.changes} changes, {grown} pages of memory", flush=True)
    return jobs


def kills(jobs: list[Job], place: Path, count: int, draw: random.Random) -> Iterator[str]:
    """Yields a fault, or nothing, of each command that was killed and run again."""
    for number in range(count):
        job = jobs[number % len(jobs)]
        exactly = draw.random() < 0.5
        at = draw.randint(1, job.outcome.changes) if exactly else 0
        code = 0
        while code != -signal.SIGKILL:  # the others had ended before
            restore(place, job.before)
            after = None if exactly else draw.uniform(0, job.outcome.seconds)
            code = run(place, job.command, at, after).code
        again = run(place, job.command)
        wrong = again.fault or (again.said if again.code else "") or differing(place, job.left)
        point = f"before change {at}" if exactly else f"after {after:.2f} s"
        yield f"{job.command}, killed {point}: {wrong}" if wrong else ""


def damage(jobs: list[Job], place: Path, count: int, draw: random.Random) -> Iterator[str]:
    """Yields a fault, or nothing, of each command that finds a file that it reads damaged, before
    it runs for the first time or a second time."""
    for number in range(count):
        job = jobs[number % len(jobs)]
        restore(place, draw.choice((job.before, job.after)))
        files = sorted(path for path in place.rglob("*") if path.is_file())
        path = draw.choice([path for path in files if str(path) in job.outcome.reads])
        path.write_bytes(damaged(path.read_bytes(), path.suffix, draw))
        outcome = run(place, job.command)
        wrong: Any = outcome.fault
        if not outcome.code and path.suffix == ".pt":
            # what was taken must have been sound: then it leaves the same
            left = [name for name in differing(place, job.left) if place / name != path]
            wrong = [name for name in left if name.endswith((".pt", ".png", ".npy"))]
        yield f"{job.command}, {path.relative_to(place)} damaged: {wrong}" if wrong else ""


def reading(jobs: list[Job], place: Path, count: int, draw: random.Random) -> Iterator[str]:
    """Yields a fault, or nothing, of each damaged file that is read, without a command."""
    restore(place, jobs[-1].after)
    names = [name for name in READERS if (place / name).exists()]
    each = -(-count // len(names))
    for name in names:
        with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as pool:
            found = pool.submit(faults_of_reading, place, name, each, draw.random()).result()
        yield from found + [""] * (each - len(found))


def disk(jobs: list[Job], place: Path, count: int, draw: random.Random) -> Iterator[str]:
    """Yields a fault, or nothing, of each command on a file system that is too small for it."""
    mounting = ["mount", "-t", "tmpfs", "-o", "size=256m", "stress", str(place)]
    if subprocess.run(mounting, capture_output=True).returncode:
        print("disk: left out, no file system can be mounted here; run it as root")
        return
    try:
        for number in range(count):
            job = jobs[number % len(jobs)]
            restore(place, job.before)
            found = os.statvfs(place)
            used = (found.f_blocks - found.f_bfree) * found.f_frsize // PAGE
            share = (number // len(jobs) + draw.random()) / (count / len(jobs))
            room = round(share * job.pages)
            resize(place, used + room)
            outcome = run(place, job.command)
            wrong = outcome.fault or list(broken(place))
            resize(place, 1 << 16)
            again = run(place, job.command)
            wrong = wrong or again.fault or again.code or differing(place, job.left)
            yield f"{job.command}, with room for {room} pages: {wrong}" if wrong else ""
    finally:
        os.chdir("/")
        subprocess.run(["umount", str(place)], check=True)


def resize(place: Path, size: int) -> None:
    """Gives a mounted file system so many pages."""
    options = f"remount,size={size * PAGE}"
    subprocess.run(["mount", "-o", options, str(place)], check=True, capture_output=True)


def pages(folder: Path) -> int:
    """Pages of memory that the files of a folder fill."""
    return sum(-(-path.stat().st_size // PAGE) for path in folder.rglob("*") if path.is_file())


def broken(place: Path) -> Iterator[str]:
    """Files under final names that cannot be read."""
    readers = {".pt": read_weights, ".npy": read_depth, ".json": partial(read_json, kind=Any)}
    readers |= dict.fromkeys(IMAGE_SUFFIXES, read_image)
    for path in filter(Path.is_file, place.rglob("*")):
        if path.suffix in readers and not path.name.startswith(PARTIAL):
            try:
                readers[path.suffix](path)
            except UserError as error:
                yield str(error)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    ways = {"kills": kills, "damage": damage, "reading": reading, "disk": disk}
    parser.add_argument("ways", nargs="*", metavar="WAY", help=", ".join(ways) + " (default: all)")
    parser.add_argument("--count", type=int, default=300, help="cases of each (default 300)")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn (default 0)")
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    args = parser.parse_args()
    torch.set_num_threads(1)
    trust_code()
    faults = 0
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as shelf:
        place = Path(shelf, "place")
        place.mkdir()
        jobs = prepare(Path(shelf), place, args.commands)
        for way in args.ways or ways:
            started = time.monotonic()
            cases = wrong = 0
            for fault in ways[way](jobs, place, args.count, random.Random(args.seed)):
                cases += 1
                wrong += bool(fault)
                print(f"{fault}\n" * bool(fault), end="", flush=True)
            seconds = time.monotonic() - started
            print(f"{way}: {cases} cases, {wrong} faults, {seconds:.0f} s", flush=True)
            faults += wrong
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
