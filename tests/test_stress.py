"""A small part of benchmarks.stress, and that it finds what it looks for."""

import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.damages import damaged
from benchmarks.tiny_world import Outcome

ROOT = Path(__file__).parents[1]


def test_kills_damage_and_full_disks_do_no_harm():
    cases = ["--commands", "prepare", "import", "simple", "--count", "6"]
    command = [sys.executable, "-m", "benchmarks.stress", "kills", "damage", "disk", *cases]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "kills: 6 cases, 0 faults" in done.stdout and "damage: 6 cases, 0" in done.stdout
    assert re.search("disk: (6|0) cases, 0 faults", done.stdout)  # 0: not as root


@pytest.mark.parametrize("suffix", [".pt", ".txt", ".json"])
def test_damaged_content_is_another(suffix):
    content = b'{"a": [1, {"b": "c"}]}'
    found = [damaged(content, suffix, random.Random(seed)) for seed in range(100)]
    assert sum(one != content for one in found) > 90 and len(set(found)) > 40


def test_what_no_user_should_see_is_a_fault():
    assert not Outcome(0, "done", 1, set(), 1).fault
    assert not Outcome(2, "error: x: no such file", 1, set(), 1).fault
    two_lines = "error: x: not\na depth map"
    for code, said in ((1, "ValueError"), (-11, ""), (2, two_lines), (0, "Traceback (most recent")):
        assert Outcome(code, said, 1, set(), 1).fault
