"""Runs the stages of a reproduction, several at the same time where none needs another."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from comics_depth.parallel import end_with_parent
from comics_depth.stages import EVALUATE, HAND_CHECK, Stage, StageLog
from common.errors import UserError

SCRIPTS = Path(__file__).parents[1]
POLL = 0.1  # seconds between two looks at the processes
TOLD = 15  # lines of its output that are shown of a stage that failed


class Running(NamedTuple):
    """A stage that runs. started: in seconds; output: the file of what it prints, None for the
    terminal."""

    title: str
    inputs: dict[str, str | None]
    started: float
    process: subprocess.Popen
    output: Path | None


class StageRunner:
    """Runs stages that are not done, up to `jobs` at the same time.

    lines: the whole command of each. outputs: the folder for what is printed where several run.
    checked: the file that the hand check leaves. restart: all are run, from their start."""

    def __init__(
        self,
        stages: list[Stage],
        lines: list[list[str]],
        log: StageLog,
        *,
        outputs: Path,
        checked: Path,
        jobs: int,
        restart: bool,
    ) -> None:
        self.stages, self.lines, self.log = stages, lines, log
        self.outputs, self.checked, self.jobs, self.restart = outputs, checked, jobs, restart
        self.running: dict[int, Running] = {}
        self.ran = 0

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
        stage, line = self.stages[number], self.lines[number]
        title = f"[{number + 1}/{len(self.stages)}] python {stage.title}"
        state = self.log.state(line, stage)
        evaluates = line[0] == EVALUATE
        if state == "done" and not (self.ran and evaluates):
            print(f"{title}: done in {self.log.seconds(line):.0f} s", flush=True)
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
        """Whether a stage does not run any more; Ctrl-C ends the hand check alone, whose page is
        served until then."""
        process = self.running[number].process
        if self.stages[number].command != HAND_CHECK:
            return process.poll() is not None
        try:
            process.wait()
        except KeyboardInterrupt:
            process.wait()
        return True

    def finish(self, number: int) -> bool:
        """Records a stage that ended well, or shows what it printed last; returns whether it did:
        for the hand check, whether what it leaves is there."""
        one, stage = self.running.pop(number), self.stages[number]
        seconds = time.perf_counter() - one.started
        served = stage.command == HAND_CHECK
        good = self.checked.exists() if served else one.process.returncode == 0
        if good:
            self.log.add(self.lines[number], stage, one.inputs, seconds)
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
