"""Each test uses a place as well, and leaves it as it was."""

import contextlib
import decimal
import io
import json
import logging
import os
import pathlib
import random
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import unittest.mock
import warnings

import pytest
import shop

HERE = pathlib.Path(__file__).parent


@pytest.fixture(scope="module")
def store():
    shop.CONFIG["store"] = "berlin"
    os.environ["SHOP_STORE"] = "berlin"
    yield {"orders": []}
    del shop.CONFIG["store"]
    del os.environ["SHOP_STORE"]


@pytest.fixture
def euros():
    shop.CONFIG["unit"] = "EUR"
    yield
    del shop.CONFIG["unit"]


def test_monkeypatched_environ(monkeypatch):
    monkeypatch.setenv("SHOP_MODE", "test")
    assert os.environ["SHOP_MODE"] == "test"


def test_monkeypatched_folder(monkeypatch):
    monkeypatch.chdir(HERE)


def test_monkeypatched_path(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))


def test_monkeypatched_attribute(monkeypatch):
    monkeypatch.setattr(shop, "RATE", 0.5)


def test_monkeypatched_item(monkeypatch):
    monkeypatch.setitem(shop.CONFIG, "currency", "CHF")


def test_store(store):
    assert store == {"orders": []}


def test_store_again(store):
    assert shop.CONFIG["store"] == "berlin"


def test_euros(euros):
    assert shop.CONFIG["unit"] == "EUR"


def test_mock_as_context():
    with unittest.mock.patch.object(shop, "price", return_value=3):
        assert shop.price("pen") == 3


@unittest.mock.patch("shop.RATE", 0.1)
def test_mock_as_decorator():
    assert shop.RATE == 0.1


def test_mocked_dictionary():
    with unittest.mock.patch.dict(shop.CONFIG, {"currency": "GBP"}):
        assert shop.CONFIG["currency"] == "GBP"


def test_temporary_files(tmp_path):
    (tmp_path / "orders.txt").write_text("1")


def test_file_removed():
    path = HERE / "data" / "passing.txt"
    path.write_text("1")
    path.unlink()


def test_file_read():
    assert (HERE / "data" / "prices.txt").read_text()


def test_log(caplog):
    with caplog.at_level(logging.DEBUG, logger="shop"):
        logging.getLogger("shop").debug("sold")
    assert caplog.messages == ["sold"]


def test_new_logger():
    logging.getLogger("shop.report").info("nobody listens")


def test_warning():
    with pytest.warns(UserWarning):
        warnings.warn("low", UserWarning, stacklevel=1)


def test_warning_filtered():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.warn("low", UserWarning, stacklevel=1)


def test_decimals():
    with decimal.localcontext() as context:
        context.prec = 3
        assert decimal.Decimal(1) / 3 == decimal.Decimal("0.333")


def test_own_generator():
    assert random.Random(3).random() == random.Random(3).random()


def test_draw():
    assert 0 <= random.random() < 1


def test_lazy_import():
    import colorsys

    assert colorsys.rgb_to_hsv(0, 0, 0) == (0.0, 0.0, 0)


def test_lazy_import_of_package():
    import xml.dom.minidom

    assert xml.dom.minidom.parseString("<a/>").documentElement.tagName == "a"


def test_pattern():
    assert re.match(r"(\w+)-(\d+)", "pen-12")


def test_cached_function():
    assert shop.square(7) == 49


def test_thread_joined():
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()


def test_process_waited_for():
    subprocess.run([sys.executable, "-c", ""], check=True)


def test_database_in_memory():
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("create table a (b)")


def test_output(capsys):
    print("sold")
    assert capsys.readouterr().out == "sold\n"


def test_output_redirected():
    with contextlib.redirect_stdout(io.StringIO()) as out:
        print("sold")
    assert out.getvalue() == "sold\n"


def test_signal_put_back():
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.signal(signal.SIGUSR1, before)


def test_lock_released():
    assert shop.LOCK.acquire(blocking=False)
    shop.LOCK.release()


def test_list_put_back():
    shop.ORDERS.append(1)
    shop.ORDERS.pop()


def test_context_variable_reset():
    token = shop.TENANT.set("x")
    shop.TENANT.reset(token)


def test_local_class():
    class Local(shop.Cart):
        limit = 1

    assert Local().total() == 7


def test_encoding():
    assert "é".encode("cp1252").decode("latin-1") == "é"


def test_json():
    assert json.loads(json.dumps({"a": [1]}, indent=1)) == {"a": [1]}


@pytest.mark.parametrize("number", range(22))
def test_numbers(number):
    assert shop.price("x" * number) == number


class TestCart:
    @classmethod
    def setup_class(cls):
        cls.before = shop.RATE
        shop.RATE = 1

    @classmethod
    def teardown_class(cls):
        shop.RATE = cls.before

    def test_total(self):
        assert shop.Cart().total() == 7
