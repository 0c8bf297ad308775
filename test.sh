#!/usr/bin/env bash
# Installs what is missing, builds everything in build/release, runs all tests.
# MOESIM_CMAKE_ARGS: more options for cmake, such as -DMOESIM_WERROR=ON.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
mkdir -p build
log=build/test-build.log
: >"$log"
. scripts/steps

scripts/install-packages build test picture
read -ra options <<<"${MOESIM_CMAKE_ARGS:-}"
step "configuring" configure ON "${options[@]}"
step "building moesim and its tests (the first time takes minutes)" cmake --build --preset release
echo
exec ctest --test-dir build/release --output-on-failure -j2
