#!/usr/bin/env bash
# Makes or updates .venv from the requirements file that is named; does nothing if it was done for the same file.
set -euo pipefail
cd "$(dirname "$0")"
requirements=$1
python=""
for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
  if command -v "$candidate" > /dev/null && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    python=$candidate
    break
  fi
done
if [ -z "$python" ]; then
  echo "Python 3.11 or newer is needed and was not found. Debian, Ubuntu: sudo apt-get install python3 python3-venv; macOS: brew install python" >&2
  exit 1
fi
if ! "$python" -c 'import venv, ensurepip' 2> /dev/null; then
  echo "The module venv is missing. Debian, Ubuntu: sudo apt-get install $(basename "$python")-venv" >&2
  exit 1
fi
stamp=".venv/$(basename "$requirements").installed"
wanted=$(cat requirements*.txt)
if [ -e "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
  echo "environment: .venv is up to date"
  exit 0
fi
[ -x .venv/bin/pip ] || { echo "environment: making .venv with $("$python" --version)"; "$python" -m venv .venv; }
echo "environment: installing $requirements (a few minutes and about 6 GB the first time)"
.venv/bin/python -m pip install --quiet --disable-pip-version-check -r "$requirements"
printf '%s' "$wanted" > "$stamp"
