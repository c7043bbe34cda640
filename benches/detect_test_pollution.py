"""Times jostle beside detect-test-pollution on a generated suite of trivial tests with one polluter.

    python3 benches/detect_test_pollution.py [TESTS]

Run from the project's folder after ``cargo build --release``. detect-test-pollution is told the victim. So is jostle:
measured is the time until it has named the polluter, shrunk and confirmed in fresh processes, and the time to its end,
when it has tried the pytest command, explained the shared state and tried a fix as well. Told nothing, it has to find
the victim too: with 20 trials.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

PER_FILE = 37
ROUNDS = int(os.environ.get("ROUNDS", "5"))


def write_suite(folder: Path, tests: int) -> str:
    """Write a suite whose last test fails after the one at a third of it; return the victim's id."""
    (folder / "state.py").write_text("VALUES = []\n")
    polluter = tests // 3
    for start in range(0, tests, PER_FILE):
        lines = ["import state"]
        for number in range(start, min(start + PER_FILE, tests)):
            body = "assert True"
            if number == polluter:
                body = "state.VALUES.append(1)"
            elif number == tests - 1:
                body = "assert not state.VALUES"
            lines.append(f"\n\ndef test_{number:05}():\n    {body}")
        (folder / f"test_{start // PER_FILE:04}.py").write_text("\n".join(lines) + "\n")
    return f"test_{(tests - 1) // PER_FILE:04}.py::test_{tests - 1:05}"


def timed(command: list, folder: Path) -> tuple[float, float]:
    """Return the seconds until a polluter was named, and those until the end."""
    start = time.perf_counter()
    named, said = 0.0, ""
    with subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as run:
        for line in run.stdout:
            if "pollut" in line and not said:
                named, said = time.perf_counter() - start, line.strip()
    seconds = time.perf_counter() - start
    print(f"{named:6.1f} s  {seconds:6.1f} s  {Path(command[0]).name} {' '.join(command[1:3])}: {said}", flush=True)
    return named, seconds


def main() -> None:
    tests = int(sys.argv[1]) if len(sys.argv) > 1 else 566
    jostle = Path("target/release/jostle").resolve()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        venv.create(root / "env", with_pip=True)
        tools = root / "env/bin"
        wanted = ["pytest==8.4.2", "detect-test-pollution==1.2.0"]
        subprocess.run([tools / "python", "-m", "pip", "install", "--quiet", *wanted], check=True)
        suite = root / "suite"
        suite.mkdir()
        victim = write_suite(suite, tests)
        other = [str(tools / "detect-test-pollution"), "--failing-test", victim, "--tests", "."]
        own = [str(jostle), "stress", "--seed", "1", "--python", str(tools / "python")]
        theirs, named = [], []
        for _ in range(ROUNDS):
            theirs.append(timed(other, suite)[1])
            named.append(timed([*own, "--victim", victim], suite))
        whole = timed(own, suite)
        other, until_named, until_end = (
            statistics.median(times) for times in (theirs, [one for one, _ in named], [one for _, one in named])
        )
        print(
            f"{tests} tests, medians of {ROUNDS}: detect-test-pollution {other:.1f} s; jostle, told the victim, "
            f"{until_named:.1f} s ({other / until_named:.1f} times as fast), with explanation and fix {until_end:.1f} s; "
            f"told nothing {whole[0]:.1f} and {whole[1]:.1f} s"
        )


if __name__ == "__main__":
    main()
