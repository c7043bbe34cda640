"""How often each race specimen fails by luck under plain `pytest -n 2`, beside jostle's replay of the race it found.

    python3 benches/race_luck.py [--times 100] [--python PYTHON] [--jostle target/release/jostle] [SPECIMEN ...]

PYTHON needs pytest and pytest-xdist. Writes a table in Markdown.
"""

from __future__ import annotations

import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent


def by_luck(python: str, suite: pathlib.Path, times: int) -> int:
    """Runs of which at least one test failed; each has a temporary folder of its own."""
    failed = 0
    for _ in range(times):
        with tempfile.TemporaryDirectory() as folder:
            command = [python, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider"]
            environ = {"TMPDIR": folder, "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}
            done = subprocess.run(command, cwd=suite, env=environ, capture_output=True, check=False)
            failed += done.returncode == 1
    return failed


def by_jostle(jostle: str, python: str, suite: pathlib.Path, times: int) -> tuple[str, str]:
    """Whether the race is found, and in how many replays it shows."""
    failures = suite / "failures"
    stress = [jostle, "stress", "--seed", "1", "--trials", "2", "-q", "--failures", str(failures), "--python", python]
    subprocess.run(stress, cwd=suite, capture_output=True, check=False)
    files = sorted(failures.glob("race-*.json")) if failures.is_dir() else []
    if not files:
        return "not found", ""
    replay = [jostle, "replay", str(files[0]), "--times", str(times), "--python", python]
    said = subprocess.run(replay, cwd=suite, capture_output=True, text=True, check=False).stdout
    failed = re.search(r"in (\d+) of \d+ run", said)
    diverged = re.search(r"(\d+) of \d+ runs? made other calls", said)
    return failed.group(1) if failed else "?", diverged.group(1) if diverged else "0"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--jostle", default=str(ROOT / "target/release/jostle"))
    parser.add_argument("specimens", nargs="*")
    options = parser.parse_args()
    # The suites' folders are the working folders; a link stays one, as it makes an environment of a Python.
    python, jostle = (str(pathlib.Path(path).absolute()) for path in (options.python, options.jostle))
    names = options.specimens or sorted(path.name for path in (ROOT / "corpus").glob("race-*"))
    print(
        f"| specimen | fails under `pytest -n 2`, of {options.times} | jostle's replay fails, of {options.times} | diverged |"
    )
    print("|---|---|---|---|")
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            suite = pathlib.Path(folder) / name
            shutil.copytree(ROOT / "corpus" / name, suite)
            lucky = by_luck(python, suite, options.times)
            replayed, diverged = by_jostle(jostle, python, suite, options.times)
        print(f"| {name} | {lucky} | {replayed} | {diverged} |", flush=True)


if __name__ == "__main__":
    main()
