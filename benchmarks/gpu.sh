#!/usr/bin/env bash
# Checks and measures the trainings on a CUDA machine in one go of less than 9 minutes: benchmarks/gpu.sh [FOLDER]
# Every training for an epoch on a tiny synthetic world, in float32 (TF32), bf16 and fp16, with finite losses; resuming;
# two processes where there are two devices; benchmarks/speed.py; a table of where the time goes. Logs and
# speed.json stay in FOLDER (default: gpu). Fails if there is no CUDA device or anything goes wrong.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-$([ -x .venv/bin/python ] && echo .venv/bin/python || echo python)}
device=${DEVICE:-cuda}
out=$(realpath -m "${1:-gpu}")
if [ "$device" = cuda ]; then
  "$python" -c 'import sys, torch; torch.cuda.is_available() or sys.exit("gpu.sh: torch finds no CUDA device")'
  "$python" -c 'import torch; print(torch.__version__, *map(torch.cuda.get_device_name, range(torch.cuda.device_count())), sep="\n")'
else
  export ACCELERATE_USE_CPU=true
fi
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

run() { # DATA RUNS SCRIPT OPTION...: a command on these folders
  local script=$3 roots=(--preset demo --data-root "$1" --runs-root "$2")
  shift 3
  echo "+ $script $*"
  "$python" "$script" "${roots[@]}" "$@"
}

trainings() { # PRECISION: every training, on a copy of the data
  local data=$work/data-$1 runs=$work/runs-$1
  cp -r "$work/data" "$data"
  local options=(--train --epochs 1 --precision "$1")
  run "$data" "$runs" comics2textareas.py "${options[@]}" --select_epoch --optimize_threshold \
    --generate_dcm_without_text_areas --accept_all --text-limit 1
  local variant
  for variant in simple depth_aware without_text add_text; do
    run "$data" "$runs" cyclegan_natural2comics.py "$variant" "${options[@]}"
  done
  for variant in simple add_text add_text_ignoretext printed orderings; do
    run "$data" "$runs" depth_estimator.py "$variant" "${options[@]}" --lr 1e-4
  done
  run "$data" "$runs" baseline.py batchnorm_trick --train
  # again in parts, stopped after an epoch and resumed
  local longer=(simple --train --precision "$1" --tag resumed --schedule constant --batch-size 2 --accumulate 2)
  run "$data" "$runs" cyclegan_natural2comics.py "${longer[@]}" --epochs 1
  run "$data" "$runs" cyclegan_natural2comics.py "${longer[@]}" --epochs 2 | tee "$work/resumed-$1"
  grep -q "resuming after epoch 1 of 2" "$work/resumed-$1"
}

run "$work/data" "$work/runs" datasets_preparation.py --synthesize --pages 4 --photographs 12
run "$work/data" "$work/runs" datasets_preparation.py --crop_frames --generate_text_masks --coco17_depth
declare -A jobs
for precision in ${PRECISIONS:-no bf16 fp16}; do # at the same time, since most of it is starting up
  trainings "$precision" > "$out/trainings-$precision.log" 2>&1 &
  jobs[$precision]=$!
done
for precision in "${!jobs[@]}"; do
  wait "${jobs[$precision]}" || { tail -n 20 "$out/trainings-$precision.log"; echo "gpu.sh: --precision $precision failed" >&2; exit 1; }
  echo "--precision $precision: every training has finite losses and resumes ($SECONDS s)"
done
if [ "$("$python" -c 'import torch; print(torch.cuda.device_count())')" -ge 2 ]; then
  launch=(-m torch.distributed.run --standalone --nproc_per_node 2)
  roots=(--preset demo --data-root "$work/data" --runs-root "$work/runs-two")
  options=(simple --train --epochs 1 --batch-size 2)
  "$python" "${launch[@]}" cyclegan_natural2comics.py "${options[@]}" "${roots[@]}"
  "$python" "${launch[@]}" depth_estimator.py "${options[@]/simple/printed}" --lr 1e-4 "${roots[@]}"
  echo "two processes: done ($SECONDS s)"
fi
"$python" -m benchmarks.speed --device "$device" --json "$out/speed.json"
echo "Where the time of a CycleGAN step goes:"
"$python" - "$device" << 'END'
import sys

import torch
from torch.profiler import profile

from benchmarks.speed import cyclegan

device = sys.argv[1]
step = (cyclegan(device, precision="auto") or cyclegan(device)).ours
step()
with profile() as profiler:
    step()
    if device == "cuda":
        torch.cuda.synchronize()
print(profiler.key_averages().table(sort_by=f"self_{device}_time_total", row_limit=15))
END
echo "gpu.sh: all done in $SECONDS s"
