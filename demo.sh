#!/usr/bin/env bash
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
if [ $# -gt 0 ]; then
  cat <<'HELP'
./demo.sh   installs what is missing (it says what), builds moesim in build/release, simulates
            scenarios/main/top2-64-experts-32-h100.json, and leaves in build/demo
              result.json   the result document
              trace.json    every task on a time axis, for https://ui.perfetto.dev
              result.png    four charts of the result
HELP
  [ "$1" = --help ] || [ "$1" = -h ] && exit 0 || exit 2
fi
mkdir -p build
log=build/demo-build.log
: >"$log"
. scripts/steps

# The picture is worth having, not worth failing for.
scripts/install-packages build picture || scripts/install-packages build
[ -e build/release/build.ninja ] || step "configuring" configure OFF
step "building moesim (the first time takes minutes)" cmake --build --preset release --target moesim_program

echo
build/release/moesim run scenarios/main/top2-64-experts-32-h100.json --out build/demo | sed '/^written /d'

picture="build/demo/result.png"
rm -f "$picture"
for python in $(type -ap python3); do
  "$python" -c 'import matplotlib' 2>/dev/null || continue
  "$python" analysis/plot_result.py build/demo/result.json -o "$picture"
  break
done
[ -e "$picture" ] || picture="none: python3 has no matplotlib"

cat <<END

the result document  build/demo/result.json
the time axis        build/demo/trace.json (open it in https://ui.perfetto.dev)
the picture          $picture
END
