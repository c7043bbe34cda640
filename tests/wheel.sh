#!/usr/bin/env bash
# Installs jostle as a user does, `pip install .` into a fresh environment, and runs the demo with what was installed.
# A release build: some minutes. `tests/wheel.sh PYTHON` takes another Python than python3, `tests/wheel.sh PYTHON WHEEL` a wheel
# that is there.
set -euo pipefail
wheel=${2:+$(realpath "$2")}
cd "$(dirname "$0")/.."

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${1:-python3}" -m venv "$folder/env"
begin=$SECONDS
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check "${wheel:-.}" pytest
built=$((SECONDS - begin))

# Beside pytest: one program, and what makes `pytest --jostle` of it.
jostle="$folder/env/bin/jostle"
"$jostle" --version | grep -F "jostle $(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1) ("
"$folder/env/bin/python" -m pip show --files jostle | grep -F "bin/jostle"
begin=$SECONDS
# The demo's suite has one victim, so that the exit code is 1.
code=0
(cd "$folder" && JOSTLE_CACHE_DIR="$folder/cache" VIRTUAL_ENV="$folder/env" "$jostle" demo >report.txt) || code=$?
grep -F "(victim)  tests/test_cart.py:" "$folder/report.txt"
test "$code" = 1
printf 'def test_one():\n    pass\n' >"$folder/test_one.py"
(cd "$folder" && JOSTLE_CACHE_DIR="$folder/cache" "$folder/env/bin/pytest" --jostle test_one.py) | grep -F "no isolation failure"
echo "installed in $built s, $(wc -c <"$jostle") bytes; the demo took $((SECONDS - begin)) s"
