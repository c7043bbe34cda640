"""Times jostle beside detect-test-pollution on a generated suite of trivial tests with one polluter.

    python3 benches/detect_test_pollution.py [TESTS]

Run from the project's folder after ``cargo build --release``. detect-test-pollution is told the victim. So is jostle
once; it then judges, shrinks, confirms in fresh processes, and tries the pytest command as well. Told nothing, it has
to find the victim too: with 20 trials.
"""

import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

PER_FILE = 37
ROUNDS = 5


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


def timed(command: list, folder: Path) -> float:
    start = time.perf_counter()
    run = subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    found = [line.strip() for line in (run.stdout + run.stderr).splitlines() if "pollut" in line]
    print(f"{seconds:6.1f} s  {Path(command[0]).name} {' '.join(command[1:3])}: {'; '.join(found[:2])}", flush=True)
    return seconds


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
            theirs.append(timed(other, suite))
            named.append(timed([*own, "--victim", victim], suite))
        whole = timed(own, suite)
        ratio = statistics.median(theirs) / statistics.median(named)
        print(
            f"{tests} tests, medians of {ROUNDS}: detect-test-pollution {statistics.median(theirs):.1f} s, "
            f"jostle {statistics.median(named):.1f} s, told the victim ({ratio:.1f} times as fast); told nothing {whole:.1f} s"
        )


if __name__ == "__main__":
    main()
