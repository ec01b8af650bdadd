"""A small part of benchmarks.stress, and that it finds what it looks for."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import damages
from benchmarks.tiny_world import Outcome

ROOT = Path(__file__).parents[1]


def test_kills_damage_and_full_disks_do_no_harm():
    cases = ["--commands", "prepare", "import", "simple", "--count", "6"]
    command = [sys.executable, "-m", "benchmarks.stress", "kills", "damage", "disk", *cases]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    # a forked child now and then hangs where OpenCV decodes; what hangs by itself does so twice
    for _ in range(2):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
        if "still running" not in done.stdout + done.stderr:
            break
    assert done.returncode == 0, done.stdout + done.stderr
    assert "kills: 6 cases, 0 faults" in done.stdout and "damage: 6 cases, 0" in done.stdout
    assert re.search("disk: (6|0) cases, 0 faults", done.stdout)  # 0: not as root


@pytest.mark.parametrize(
    ("reader", "fault"),
    [
        (lambda path: int("x"), "ValueError"),
        (lambda path: len(path.read_bytes()), "taken, though it is another"),
        (lambda path: damages.read_weights(path.with_name("none")), ""),
    ],
)
def test_faults_of_reading_are_found(tmp_path, monkeypatch, reader, fault):
    (tmp_path / "x.pt").write_bytes(bytes(range(256)))
    seen = []
    monkeypatch.setitem(
        damages.READERS, "x.pt", lambda path: reader(path) if seen else seen.append(1)
    )
    found = damages.faults_of_reading(tmp_path, "x.pt", 8, 0.5)
    assert len(found) == 8 * bool(fault) and all(fault in one for one in found)
    assert (tmp_path / "x.pt").read_bytes() == bytes(range(256))


def test_what_no_user_should_see_is_a_fault():
    assert not Outcome(0, "done", 1, set(), 1).fault
    assert not Outcome(2, "error: x: no such file", 1, set(), 1).fault
    for code, said in ((1, "ValueError"), (-11, ""), (2, "Traceback (most recent call last)")):
        assert Outcome(code, said, 1, set(), 1).fault
