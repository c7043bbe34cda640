"""What `jostle stress --leaks` finds that 20 trials do not, on generated suites.

    python3 benches/leaking_first.py [--suites 5] [--tests 200] [--python PYTHON] [--jostle target/release/jostle]

Each suite has four victims: two of one polluter, which a fifth or every second of all tests cleans up after, and two of two or
three polluters, after each of which three tests clean up. 20 places besides are left and hurt nobody. Writes a table in Markdown.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import random
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent

# How many places must be left for the victim to fail, and which share of the tests, or how many, clean each up.
VICTIMS = {
    "one of 5 cleans up": (1, 0.2),
    "every second cleans up": (1, 0.5),
    "two needed, 3 cleaners each": (2, 3),
    "three needed, 3 cleaners each": (3, 3),
}


def write(folder: pathlib.Path, tests: int, seed: int) -> dict[str, str]:
    """Writes a suite; what is planted, by the name of the victim."""
    draw = random.Random(seed)
    bodies: list[list[str]] = [[] for _ in range(tests)]
    victims = draw.sample(range(tests), len(VICTIMS))
    others = [test for test in range(tests) if test not in victims]
    places = 0

    def place(left_by: int, cleaned_by: int, named_by: int) -> str:
        nonlocal places
        places += 1
        name = f"state.place_{places}"
        who = draw.sample(others, left_by + cleaned_by + named_by)
        for test in who[:left_by]:
            bodies[test].append(f'{name} = "left"')
        for test in who[left_by : left_by + cleaned_by]:
            bodies[test].append(f"{name} = None")
        for test in who[left_by + cleaned_by :]:
            bodies[test].append(f"str({name})")
        return name

    planted = {}
    for victim, (what, (needed, cleaners)) in zip(victims, VICTIMS.items()):
        count = int(cleaners * tests) if cleaners < 1 else int(cleaners)
        left = " and ".join(place(1, count, 5) for _ in range(needed))
        bodies[victim].append(f"assert not ({left})")
        planted[f"test_{victim:03}"] = what
    for number in range(20):
        place(1 + number % 4, 0, 1 + 2 * number)
    folder.mkdir(exist_ok=True)
    values = "".join(f"place_{number} = None\n" for number in range(1, places + 1))
    (folder / "state.py").write_text(values)
    for first in range(0, tests, 10):
        numbers = range(first, min(first + 10, tests))
        body = "".join(
            f"\n\ndef test_{number:03}():\n" + "".join(f"    {line}\n" for line in bodies[number] or ["pass"])
            for number in numbers
        )
        (folder / f"test_{first:03}.py").write_text("import state\n" + body)
    return planted


def found(jostle: str, python: str, folder: pathlib.Path, seed: int, more: list[str]) -> tuple[set[str], float]:
    """The names of the victims that a session of 20 trials finds, and how long it took."""
    started = time.monotonic()
    stress = [
        jostle,
        "stress",
        "--seed",
        str(seed),
        "--workers",
        "1",
        "--no-explain",
        "--json",
        "-q",
        "--python",
        python,
    ]
    done = subprocess.run([*stress, *more], cwd=folder, capture_output=True, check=False)
    took = time.monotonic() - started
    findings = json.loads(done.stdout)["findings"]
    return {finding["test"]["node_id"].rpartition("::")[2] for finding in findings if finding["kind"] == "victim"}, took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suites", type=int, default=5)
    parser.add_argument("--tests", type=int, default=200)
    parser.add_argument("--python", default="python3")
    parser.add_argument("--jostle", default=str(ROOT / "target/release/jostle"))
    options = parser.parse_args()
    blind, informed = dict.fromkeys(VICTIMS, 0), dict.fromkeys(VICTIMS, 0)
    took = [0.0, 0.0, 0.0]
    for seed in range(1, options.suites + 1):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name) / "suite"
            planted = write(folder, options.tests, seed)
            leaks = pathlib.Path(name) / "leaks.json"
            started = time.monotonic()
            look = [options.jostle, "leaks", f"--json={leaks}", "-q", "--explain", "state", "--python", options.python]
            subprocess.run(look, cwd=folder, capture_output=True, check=False)
            took[0] += time.monotonic() - started
            for at, (counts, more) in enumerate([(blind, []), (informed, ["--leaks", str(leaks)])]):
                names, seconds = found(options.jostle, options.python, folder, seed, more)
                took[at + 1] += seconds
                for victim in names & planted.keys():
                    counts[planted[victim]] += 1
                if names - planted.keys():
                    raise SystemExit(f"seed {seed}: {sorted(names - planted.keys())} are no victims")
    print(
        f"| victim in {options.suites} suites of {options.tests} tests | found in 20 trials | with --leaks |\n|---|---|---|"
    )
    for what, count in blind.items():
        print(f"| {what} | {count} | {informed[what]} |")
    each = [f"{seconds / options.suites:.1f} s" for seconds in took]
    print(f"\njostle leaks took {each[0]}, the sessions {each[1]} and {each[2]}, each on average")


if __name__ == "__main__":
    main()
