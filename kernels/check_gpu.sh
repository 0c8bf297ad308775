#!/usr/bin/env bash
# check_gpu.sh [--built]: all that a GPU is needed for. Builds the CUDA backend, runs the kernels' tests with the GPU among
# the devices, runs them again under compute-sanitizer where that is installed, and prints how long every operation takes
# beside its floor. --built: what build/release holds already, without building; MOESIM_GPU_BUILD names another folder.
# Exits with 0 where all is right and every goal met, 1 where something is not, 3 where the machine lacks what is needed.
# The table goes to build/gpu_table.txt too; kernels/RESULTS.md is where measured ones are kept.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
build=${MOESIM_GPU_BUILD:-build/release}
bench=$build/kernels/cuda/moesim_gpu_bench tests=$build/tests/kernel/moesim_kernel_gpu_tests
lacks() { echo "check_gpu.sh: $1" >&2; exit 3; }

if [ "${1:-}" != --built ]; then
  scripts/install-packages build test || exit 3
  cmake --preset release >/dev/null
  has_target() { cmake --build "$build" --target help | grep "^$1:" >/dev/null; }
  has_target moesim_gpu_bench || lacks "no nvcc of CUDA 12.8 or later with cuBLAS beside it: $build has no CUDA backend"
  cmake --build "$build" --target moesim_gpu_bench
fi
[ -x "$bench" ] || lacks "$bench is not built"
code=0
device=$("$bench" --device) || code=$?
[ "$code" = 0 ] || { echo "check_gpu.sh: there is nothing to run on" >&2; exit "$code"; }
echo "on $device"
[ "${1:-}" = --built ] || cmake --build "$build" --target moesim_kernel_gpu_tests

failed=()
"$tests" || failed+=("the tests")

if sanitizer=$(command -v compute-sanitizer || ls "${CUDA_HOME:-/usr/local/cuda}"/bin/compute-sanitizer 2>/dev/null); then
  # One test is left out: it multiplies large matrices, and nothing else.
  for tool in memcheck racecheck synccheck; do
    echo "compute-sanitizer, $tool"
    "$sanitizer" --tool "$tool" --error-exitcode 1 "$tests" "~an expert gives a row the same bits*" ||
      failed+=("compute-sanitizer's $tool")
  done
else
  echo "compute-sanitizer is not installed (it comes with the CUDA Toolkit): it has NOT looked at the kernels"
fi

mkdir -p build
"$bench" | tee build/gpu_table.txt || failed+=("a goal of the table")
for what in "${failed[@]}"; do echo "check_gpu.sh: failed: $what" >&2; done
[ ${#failed[@]} = 0 ]
