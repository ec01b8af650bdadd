"""Runs the stages of a reproduction, several at the same time where none needs another."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from comics_depth.parallel import end_with_parent
from comics_depth.stages import EVALUATE, HAND_CHECK, Stage, StageLog
from common.errors import UserError

SCRIPTS = Path(__file__).parents[1]
POLL = 0.1  # seconds between two looks at the processes
TOLD = 15  # lines of its output that are shown of a stage that failed


class Running(NamedTuple):
    """A stage that runs. output: the file of what it prints, None for the terminal."""

    title: str
    inputs: dict[str, str | None]
    started: float
    process: subprocess.Popen
    output: Path | None


@dataclass
class StageRunner:
    """Runs stages that are not done, up to `jobs` at the same time. outputs: the folder for what is
    printed where several run; restart: all are run, from their start."""

    stages: list[Stage]
    log: StageLog
    outputs: Path
    jobs: int
    restart: bool
    ran: int = 0
    running: dict[int, Running] = field(default_factory=dict)

    def run(self, count: int) -> int:
        """Runs the first `count` stages; returns how many were not done. Raises UserError if one
        failed, when those beside it have ended."""
        waiting = list(range(count))
        failed = []
        try:
            while self.running or (waiting and not failed):
                for number in [] if failed else list(waiting):
                    unfinished = sorted({*self.running, *waiting})
                    before = [self.stages[n] for n in unfinished if n < number]
                    if len(self.running) < self.jobs and not self.stages[number].waits_for(before):
                        waiting.remove(number)
                        self.start(number)
                failed += [n for n in list(self.running) if self.ended(n) and not self.finish(n)]
                time.sleep(POLL)
        finally:
            for one in self.running.values():
                one.process.terminate()
                one.process.wait()
        if failed:
            raise UserError(
                f"stage {failed[0] + 1} of {len(self.stages)} failed; run the same command again"
            )
        return self.ran

    def start(self, number: int) -> None:
        """Starts a stage, or says that it is done."""
        stage = self.stages[number]
        title = f"[{number + 1}/{len(self.stages)}] python {stage.title}"
        line, state = stage.line, self.log.state(stage)
        evaluates = line[0] == EVALUATE
        if state == "done" and not (self.ran and evaluates):
            seconds = self.log.entries[stage.key()]["seconds"]
            print(f"{title}: done in {seconds:.0f} s", flush=True)
            return
        if not evaluates and (self.restart or state == "anew"):
            line = [*line, "--restart"]
            title += " --restart"
        beside = self.jobs > 1 and not stage.alone
        output = self.outputs / f"{number + 1:02d}.log" if beside else None
        print(f"{title}: started" if beside else f"\n{title}", flush=True)
        inputs, started = stage.input_hashes(), time.perf_counter()
        process = start_script(line, output, threads=(os.cpu_count() or 1) // self.jobs)
        self.running[number] = Running(title, inputs, started, process, output)
        self.ran += 1

    def ended(self, number: int) -> bool:
        """Whether a stage does not run any more; Ctrl-C ends the hand check alone."""
        process = self.running[number].process
        if self.stages[number].command != HAND_CHECK:
            return process.poll() is not None
        try:
            process.wait()
        except KeyboardInterrupt:
            process.wait()
        return True

    def finish(self, number: int) -> bool:
        """Records a stage that ended well, or shows what it printed last; returns which it was."""
        one, stage = self.running.pop(number), self.stages[number]
        seconds = time.perf_counter() - one.started
        good = one.process.returncode == 0
        if stage.command == HAND_CHECK:
            good = all(path.exists() for path in stage.left)
        if good:
            self.log.add(stage, one.inputs, seconds)
        if one.output:
            print(f"{one.title}: " + (f"{seconds:.0f} s" if good else "failed"), flush=True)
        if one.output and not good:
            printed = one.output.read_text(encoding="utf-8", errors="replace").splitlines()
            print("\n".join([*printed[-TOLD:], f"(all of it: {one.output})"]), flush=True)
        return good


def start_script(line: list[str], output: Path | None, threads: int) -> subprocess.Popen:
    """Starts a script of this repository: on the terminal with all cores, or with `threads` of them
    and what it prints written to a file."""
    at_start = end_with_parent if sys.platform == "linux" else None
    command = [sys.executable, str(SCRIPTS / line[0]), *line[1:]]
    if output is None:
        return subprocess.Popen(command, preexec_fn=at_start)
    environment = {"OMP_NUM_THREADS": str(max(threads, 1)), **os.environ}
    output.parent.mkdir(parents=True, exist_ok=True)
    with output.open("wb") as file:
        streams = {"stdout": file, "stderr": subprocess.STDOUT}
        return subprocess.Popen(command, preexec_fn=at_start, env=environment, **streams)
