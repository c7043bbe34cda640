import os
import tempfile
from pathlib import Path

PID_FILE = Path(tempfile.gettempdir()) / "daemon.pid"


class AlreadyRunning(Exception):
    pass


class Daemon:
    def __enter__(self):
        if PID_FILE.exists():
            raise AlreadyRunning(PID_FILE.read_text())
        PID_FILE.write_text(str(os.getpid()))
        return self

    def __exit__(self, *error):
        PID_FILE.unlink()

    def pid(self):
        return int(PID_FILE.read_text())
