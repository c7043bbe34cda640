#!/usr/bin/env bash
# The specimens on each Python that is named, with pytest 7.4, 8 and 9 where it can have that:
# `tests/matrix.sh ~/.pyenv/versions/*/bin/python`. JOSTLE_TEST_SPECIMENS and its like apply.
set -uo pipefail
cd "$(dirname "$0")/.."
failed=()
for python in "$@"; do
    minor=$("$python" -c 'import sys; print(sys.version_info[1] if sys.version_info[0] == 3 else 0)')
    [ "$minor" -ge 9 ] || continue
    for pytest in 7.4 8 9; do
        # pytest 9 needs Python 3.10.
        [ "$pytest" = 9 ] && [ "$minor" -lt 10 ] && continue
        echo "== Python 3.$minor, pytest $pytest"
        JOSTLE_TEST_PYTHON=$python JOSTLE_TEST_PYTEST=$pytest JOSTLE_TEST_SPECIMENS=${JOSTLE_TEST_SPECIMENS-all} cargo test --quiet --locked --test main specimens:: -- --include-ignored || failed+=("3.$minor/$pytest")
    done
done
echo "failed: ${failed[*]:-none}"
[ ${#failed[@]} = 0 ]
