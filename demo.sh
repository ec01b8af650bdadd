#!/usr/bin/env bash
# Fresh machine to table of scores: makes .venv from requirements.txt, then runs every stage on the synthetic world.
set -euo pipefail
cd "$(dirname "$0")"
./environment.sh requirements.txt
exec .venv/bin/python reproduce.py --preset demo --jobs 2 "$@"
