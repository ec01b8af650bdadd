"""What kills, damaged files and full disks do to the commands, on a tiny world and tiny networks:
python -m benchmarks.stress [kills] [damage] [disk] [--count N]

Every command runs in a child of this process. kills: it is killed at a random time, or just before
one of its changes to the file system, and run again; tensors, records and files must be those of a
command that was not killed. damage: a file that it reads is damaged before it runs; no more than
one line may come of it, and no damaged network may be taken. disk: its folder is a file system of
some kilobytes, which grows afterwards (only root can mount one)."""

import argparse
import importlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any, NamedTuple

import torch

from benchmarks.damages import damaged
from benchmarks.tiny_world import COMMANDS, Outcome, draw_world, run
from comics_depth.data.depth_files import read_depth
from comics_depth.images import IMAGE_SUFFIXES, read_image
from common.errors import UserError
from common.files import LOCK, PARTIAL, read_json
from models.checkpoints import read_weights

MEMORY = Path("/dev/shm")  # where files are in memory, if anywhere
TIMES = re.compile(rb'"(seconds|data_wait)": [^,}]+')  # of a record, differ from run to run
PAGE = 4096  # bytes
Cases = Iterator[tuple[str, Any]]  # what was done, and what was wrong afterwards, if anything


class Job(NamedTuple):
    """A command, the folder as it was before and after it, how many pages of memory its files take
    more than before, and how it went."""

    command: str
    before: Path
    after: Path
    pages: int
    outcome: Outcome


def files_of(place: Path) -> list[Path]:
    return sorted(filter(Path.is_file, place.rglob("*")))


def contents(place: Path) -> dict[str, bytes]:
    """File -> its bytes, without times and locks."""
    found = {}
    for path in files_of(place):
        content = path.read_bytes()
        if path.name == "metrics.jsonl":
            content = TIMES.sub(b"", content)
        if path.name != LOCK:
            found[path.relative_to(place).as_posix()] = content
    return found


def differing(place: Path, other: Path) -> list[str]:
    """Files that are not the same in two folders, missing or left over."""
    found, wanted = contents(place), contents(other)
    return [name for name in sorted(found | wanted) if found.get(name) != wanted.get(name)]


def restore(place: Path, source: Path) -> None:
    """Makes the content of a folder, which may be a file system of its own, that of another."""
    for path in place.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.copytree(source, place, dirs_exist_ok=True)


def prepare(shelf: Path, place: Path, names: list[str]) -> list[Job]:
    """Runs the commands without harm, each a second time to see what it reads of what it wrote."""
    for script in (COMMANDS[name].split()[0] for name in names):
        importlib.import_module(script)  # so that its children need not
    draw_world(place)
    shutil.copytree(place, shelf / "0")
    jobs = []
    for number, name in enumerate(names):
        command = COMMANDS[name]
        before, after = shelf / f"{number}", shelf / f"{number + 1}"
        outcome = run(place, command)
        if outcome.code:
            raise UserError(f"{name}: {outcome.said}")
        shutil.copytree(place, after)
        reads = outcome.reads | run(place, command).reads
        restore(place, after)
        grown = pages(after) - pages(before)
        jobs.append(Job(command, before, after, grown, outcome._replace(reads=reads)))
        print(f"{name}: {outcome.seconds:.2f} s, {outcome.changes} changes", flush=True)
    return jobs


def kills(jobs: list[Job], place: Path, count: int, draw: random.Random) -> Cases:
    """Of each command that was killed and run again."""
    changing = [job for job in jobs if job.outcome.changes]
    for job in islice(cycle(changing), count):
        exactly = draw.random() < 0.5
        at = draw.randint(1, job.outcome.changes) if exactly else 0
        code = 0
        while code != -signal.SIGKILL:  # the others had ended before
            restore(place, job.before)
            after = None if exactly else draw.uniform(0, job.outcome.seconds)
            code = run(place, job.command, at, after).code
        again = run(place, job.command)
        point = f"before change {at}" if exactly else f"after {after:.2f} s"
        wrong = again.fault or (again.said if again.code else differing(place, job.after))
        yield f"{job.command}, killed {point}", wrong


def damage(jobs: list[Job], place: Path, count: int, draw: random.Random) -> Cases:
    """Of each command that finds a file that it reads damaged, before it runs for the first time or
    a second time."""
    for job in islice(cycle(jobs), count):
        restore(place, draw.choice((job.before, job.after)))
        path = draw.choice([path for path in files_of(place) if str(path) in job.outcome.reads])
        path.write_bytes(damaged(path.read_bytes(), path.suffix, draw))
        outcome = run(place, job.command)
        wrong: Any = outcome.fault
        if not outcome.code and path.suffix in (".pt", ".safetensors", ".ts"):
            # what was taken must have been sound: then it leaves the same
            left = [name for name in differing(place, job.after) if place / name != path]
            wrong = [name for name in left if name.endswith((".pt", ".png", ".npy"))]
        yield f"{job.command}, {path.relative_to(place)} damaged", wrong


def disk(jobs: list[Job], place: Path, count: int, draw: random.Random) -> Cases:
    """Of each command on a file system that is too small for it."""
    mounting = ["mount", "-t", "tmpfs", "-o", "size=256m", "stress", str(place)]
    if subprocess.run(mounting, capture_output=True).returncode:
        print("disk: left out, no file system can be mounted here; run it as root")
        return
    try:
        for number, job in enumerate(islice(cycle(jobs), count)):
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
            wrong = wrong or again.fault or again.code or differing(place, job.after)
            yield f"{job.command}, with room for {room} pages", wrong
    finally:
        subprocess.run(["umount", str(place)], check=True)


def resize(place: Path, size: int) -> None:
    """Gives a mounted file system so many pages."""
    options = f"remount,size={size * PAGE}"
    subprocess.run(["mount", "-o", options, str(place)], check=True, capture_output=True)


def pages(folder: Path) -> int:
    """Pages of memory that the files of a folder fill."""
    return sum(-(-path.stat().st_size // PAGE) for path in files_of(folder))


def broken(place: Path) -> Iterator[str]:
    """Files under final names that cannot be read."""
    readers = {".pt": read_weights, ".npy": read_depth, ".json": partial(read_json, kind=Any)}
    readers |= dict.fromkeys(IMAGE_SUFFIXES, read_image)
    for path in files_of(place):
        if path.suffix in readers and not path.name.startswith(PARTIAL):
            try:
                readers[path.suffix](path)
            except UserError as error:
                yield str(error)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    ways = {"kills": kills, "damage": damage, "disk": disk}
    parser.add_argument("ways", nargs="*", metavar="WAY", help=", ".join(ways) + " (default: all)")
    parser.add_argument("--count", type=int, default=300, help="cases of each (default 300)")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn (default 0)")
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    args = parser.parse_args()
    torch.set_num_threads(1)
    faults = 0
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as shelf:
        place = Path(shelf, "place")
        place.mkdir()
        jobs = prepare(Path(shelf), place, args.commands)
        for way in args.ways or ways:
            started = time.monotonic()
            cases = wrong = 0
            for case, fault in ways[way](jobs, place, args.count, random.Random(args.seed)):
                cases += 1
                if fault:
                    wrong += 1
                    print(f"{case}: {fault}", flush=True)
            seconds = time.monotonic() - started
            print(f"{way}: {cases} cases, {wrong} faults, {seconds:.0f} s", flush=True)
            faults += wrong
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
