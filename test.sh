#!/usr/bin/env bash
# Fresh machine to tested: makes .venv from requirements-test.txt, checks style, runs the tests.
set -euo pipefail
cd "$(dirname "$0")"
./environment.sh requirements-test.txt
.venv/bin/ruff check .
.venv/bin/ruff format --check .
exec .venv/bin/python -m pytest "$@"
