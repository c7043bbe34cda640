import time

import pytest

import spool


@pytest.mark.parametrize("number", range(12))
def test_put(number, worker_id):
    path = spool.put(f"{worker_id}-{number}.txt", str(number))
    time.sleep(0.05)
    assert path.read_text() == str(number)


def test_names(worker_id):
    spool.put(f"{worker_id}-names.txt", "")
    assert f"{worker_id}-names.txt" in spool.names()
