import subprocess
import tempfile
from pathlib import Path

SCRIPT = Path(__file__).with_name("visits.sh")
PATH = Path(tempfile.gettempdir()) / "visits.txt"


def run(command):
    shell = ["sh", str(SCRIPT), str(PATH), command]
    return subprocess.run(shell, check=True, stdout=subprocess.PIPE, text=True).stdout


def count():
    return int(run("count"))


def visit():
    run("visit")
