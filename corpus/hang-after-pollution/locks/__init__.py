import threading

_LOCK = threading.Lock()


def guarded(function):
    with _LOCK:
        return function()


def hold():
    return _LOCK.acquire(blocking=False)


def release():
    if _LOCK.locked():
        _LOCK.release()
