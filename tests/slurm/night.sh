#!/usr/bin/env bash
# A night over three nodes of a real Slurm, of which one is killed: the merged result is that of a single run.
#
# Needs root and Debian's slurmctld, slurmd, slurm-client and munge (apt-get install --no-install-recommends …), and
# takes some minutes. `tests/slurm/night.sh JOSTLE PYTHON`, both absolute; PYTHON has pytest.
set -euo pipefail
jostle=$1 python=$2
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
started=()

finish() {
    code=$?
    for ((at = ${#started[@]} - 1; at >= 0; at--)); do kill "${started[at]}" 2>/dev/null || true; done
    wait
    if [ $code != 0 ]; then tail -n 20 "$folder"/*.log "$folder"/project/*.log || true; fi
    rm -rf "$folder"
    exit $code
}
trap finish EXIT

# The cluster.
chmod 755 "$folder"
dd if=/dev/urandom of="$folder/munge.key" bs=1024 count=1 status=none
chmod 600 "$folder/munge.key"
munged --foreground --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" \
    --pid-file="$folder/munged.pid" --log-file="$folder/munged.log" --seed-file="$folder/munge.seed" 2>"$folder/munged.out" &
started+=($!)
mkdir "$folder/state" "$folder"/spool-n{1,2,3}
sed "s|FOLDER|$folder|" "$here/slurm.conf" >"$folder/slurm.conf"
export SLURM_CONF=$folder/slurm.conf
until [ -S "$folder/munge.socket" ]; do sleep 0.1; done
slurmctld -D >"$folder/slurmctld.out" 2>&1 &
started+=($!)
declare -A node
for name in n1 n2 n3; do
    slurmd -D -N $name >"$folder/slurmd-$name.out" 2>&1 &
    node[$name]=$!
    started+=($!)
done
until [ "$(sinfo --noheader --Node --states=idle 2>/dev/null | wc -l)" = 3 ]; do sleep 0.5; done
echo "three nodes are idle after $SECONDS s"

# The project, on a file system that all nodes see.
mkdir "$folder/project"
cd "$folder/project"
printf '%s\n' 'import time' 'STATE = []' 'def test_slow():' '    time.sleep(1)' 'def test_victim():' '    assert not STATE' \
    'def test_polluter():' '    STATE.append(1)' >test_state.py
mkdir bin
printf '#!/bin/sh\nexec "%s" "$@" --python "%s"\n' "$jostle" "$python" >bin/jostle
chmod +x bin/jostle
export PATH=$PWD/bin:$PATH JOSTLE_CACHE_DIR=$folder/cache
night=$here/../../docs/shards/night.sbatch
trials=${JOSTLE_TEST_NIGHT:-40}

jostle plan --seed 7 --trials "$trials" --shards 4 --out night.plan
job=$(sbatch --parsable "$night")
# Once the second node has work and some of its results are there, it is lost with all that runs on it.
task_of_n2() {
    for process in /proc/[0-9]*; do
        if tr '\0' '\n' 2>/dev/null <"$process/environ" | grep -qx "SLURM_CONF=$SLURM_CONF" &&
            tr '\0' '\n' 2>/dev/null <"$process/environ" | grep -qx SLURMD_NODENAME=n2; then
            echo "${process#/proc/}"
        fi
    done
}
until [ -n "$(task_of_n2)" ] && [ "$(ls results 2>/dev/null | wc -l)" -ge 3 ]; do sleep 0.5; done
lost=$(task_of_n2)
kill -KILL "${node[n2]}"
for process in $lost; do
    parent=$(awk '{print $4}' "/proc/$process/stat" 2>/dev/null || true)
    # Slurm's own keeper of the task goes first, so that it can tell nobody.
    if [ -n "$parent" ] && grep -q slurmstepd "/proc/$parent/comm" 2>/dev/null; then kill -KILL "$parent" || true; fi
done
for process in $lost; do kill -KILL "$process" 2>/dev/null || true; done
there=$(ls results/*.json | wc -l)
echo "node n2 is lost after $SECONDS s, with $there of $trials results there"
code=0
jostle merge --plan night.plan results 2>missing.txt || code=$?
test $code = 12
grep -F "sbatch --array=" missing.txt

requeued=
until [ -z "$(squeue --noheader --jobs "$job" 2>/dev/null)" ]; do
    if [ -z "$requeued" ] && sinfo --noheader --states=down --Node 2>/dev/null | grep -q n2; then
        requeued=$SECONDS
        echo "its task is queued again after $SECONDS s"
    fi
    sleep 1
done
echo "all tasks have ended after $SECONDS s"
test -n "$requeued"

# The same as on one machine.
compare() {
    "$python" -c 'import json, sys
merged, single = (dict(json.load(open(name)), times=None) for name in sys.argv[1:])
assert merged["findings"], merged
assert merged == single, (merged, single)' "$@"
}
code=0
jostle merge --plan night.plan results --json=merged.json || code=$?
test $code = 1
jostle stress --seed 7 --trials "$trials" --json=single.json >/dev/null || true
compare merged.json single.json
echo "the merged result of $trials trials on three nodes is that of a single run"
