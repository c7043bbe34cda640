import pytest

_PASSED = set()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call" and outcome.get_result().passed:
        _PASSED.add(item.name)


def pytest_runtest_setup(item):
    for mark in item.iter_markers("needs"):
        if mark.args[0] not in _PASSED:
            pytest.skip(f"{mark.args[0]} has not passed")
