import os

import daemon


def test_daemon_runs_as_this_process():
    with daemon.Daemon() as running:
        assert running.pid() == os.getpid()
