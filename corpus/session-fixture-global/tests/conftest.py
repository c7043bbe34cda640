import shutil

import pytest

import spool


@pytest.fixture(scope="session", autouse=True)
def spool_folder():
    spool.FOLDER.mkdir()
    yield spool.FOLDER
    shutil.rmtree(spool.FOLDER)
