#!/usr/bin/env bash
# On a node with GPUs: calibrate, execute, validate on 1, 2, .. all of them, and one table.
#
#   calibrate/check_gpu.sh [GPUS] [--build FOLDER] [OPTION of tests/testbed/validation...]
#
# GPUS: how many at most (all). What it prints is also left in FOLDER/check_gpu.txt, and every scenario, profile, run and
# report in FOLDER/check_gpu. Ends with 1 where a run fails, is wrong, or a bar is missed, with 3 where there is no GPU or
# moesim was built without CUDA or NCCL. (kernels/check_gpu.sh checks and times the kernels alone.)
set -euo pipefail
root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
build=$root/build/release most=
[[ ${1:-} =~ ^[0-9]+$ ]] && { most=$1; shift; }
[ "${1:-}" = --build ] && { build=$(readlink -f "$2"); shift 2; }

lacking() { echo "check_gpu.sh: $*" >&2; exit 3; }
command -v nvidia-smi >/dev/null || lacking "found no nvidia-smi, expected NVIDIA's driver"
found=$(nvidia-smi --query-gpu=name --format=csv,noheader | wc -l) || lacking "nvidia-smi finds no GPU"
[ "$found" -ge 1 ] || lacking "nvidia-smi finds no GPU"
[ -x "$build/moesim" ] || lacking "found no $build/moesim, expected a build: cmake --preset release && cmake --build --preset release"
[ -e "$build/moesim_gpu.so" ] || lacking "found no $build/moesim_gpu.so: moesim was built without CUDA or NCCL (NCCL_HOME may say where it is)"
most=${most:-$found}
[ "$most" -le "$found" ] || lacking "found $found GPUs, expected $most"

# 1, 2, 4, .. and all.
counts=()
for ((n = 1; n < most; n *= 2)); do counts+=("$n"); done
counts+=("$most")

rm -rf "$build/check_gpu"
{
  nvidia-smi --query-gpu=index,name,driver_version,memory.total,clocks.max.sm --format=csv
  echo
  "$root/tests/testbed/validation" --moesim "$build/moesim" --gpus "${counts[@]}" --keep "$build/check_gpu" "$@"
} 2>&1 | tee "$build/check_gpu.txt"
