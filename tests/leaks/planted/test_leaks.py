"""Each test leaves one place changed, by the line that names it."""

import builtins
import codecs
import copyreg
import csv
import decimal
import gc
import logging
import mimetypes
import os
import pathlib
import random
import shutil
import signal
import socket
import sqlite3
import string
import subprocess
import sys
import tempfile
import threading
import time
import types
import unittest.mock
import warnings
import xml.etree.ElementTree

import shop

mimetypes.init()
HERE = pathlib.Path(__file__).parent


def test_environ_added():
    os.environ["SHOP_MODE"] = "debug"  # leaks: os.environ["SHOP_MODE"]


def test_environ_removed():
    del os.environ["SHOP_HOME"]  # leaks: os.environ["SHOP_HOME"]


def test_environ_of_c():
    os.putenv("SHOP_OF_C", "1")  # leaks: os.putenv("SHOP_OF_C")


def test_time_zone():
    os.environ["TZ"] = "Asia/Tokyo"  # leaks: os.environ["TZ"]
    time.tzset()


def test_folder():
    os.chdir(HERE / "data")  # leaks: os.getcwd()


def test_path():
    sys.path.insert(0, str(HERE / "data"))  # leaks: sys.path


def test_arguments():
    sys.argv.append("--fast")  # leaks: sys.argv


def test_fake_module():
    sys.modules["shop_client"] = types.ModuleType("shop_client")  # leaks: sys.modules["shop_client"]


def test_umask():
    os.umask(0o002)  # leaks: umask


def test_finder():
    sys.meta_path.append(types.SimpleNamespace(find_spec=lambda *_: None))  # leaks: sys.meta_path


def test_signal():
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # leaks: signal.getsignal(signal.SIGUSR1)


def test_signal_mask():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])  # leaks: signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_recursion_limit():
    sys.setrecursionlimit(3000)  # leaks: sys.getrecursionlimit()


def test_switch_interval():
    sys.setswitchinterval(0.25)  # leaks: sys.getswitchinterval()


def test_socket_timeout():
    socket.setdefaulttimeout(30)  # leaks: socket.getdefaulttimeout()


def test_csv_dialect():
    csv.register_dialect("shop", delimiter=";")  # leaks: csv.list_dialects()


def test_csv_limit():
    csv.field_size_limit(1 << 20)  # leaks: csv.field_size_limit()


def test_error_handler():
    codecs.register_error("strict", codecs.lookup_error("ignore"))  # leaks: codecs.lookup_error("strict")


def test_collector_thresholds():
    gc.set_threshold(500, 5, 5)  # leaks: gc.get_threshold()


def test_decimal_precision():
    decimal.getcontext().prec = 6  # leaks: decimal.getcontext().prec


def test_warning_filter():
    warnings.filterwarnings("ignore", category=ResourceWarning)
    shop.ORDERS_FILTER = 1  # leaks: shop.ORDERS_FILTER


def test_log_level():
    logging.getLogger("shop").setLevel(logging.DEBUG)  # leaks: logging.getLogger("shop").level


def test_log_handler():
    logger = logging.getLogger("shop.orders")
    logger.addHandler(logging.NullHandler())  # leaks: logging.getLogger("shop.orders").handlers


def test_log_propagation():
    logging.getLogger("shop.mail").propagate = False  # leaks: logging.getLogger("shop.mail").propagate


def test_logging_disabled():
    logging.disable(logging.INFO)  # leaks: logging.root.manager.disable


def test_random_seed():
    random.seed(42)  # leaks: random


def test_global():
    shop.RATE = 0.07  # leaks: shop.RATE


def test_new_global():
    shop.client = object()  # leaks: shop.client


def test_dictionary():
    shop.CONFIG["currency"] = "USD"  # leaks: shop.CONFIG["currency"]


def test_dictionary_key():
    shop.CONFIG["language"] = "de"  # leaks: shop.CONFIG["language"]


def test_list():
    shop.ORDERS.append(3)  # leaks: shop.ORDERS


def test_set():
    shop.TAGS.add("new")  # leaks: shop.TAGS


def test_deque():
    shop.RECENT.append("pen")  # leaks: shop.RECENT


def test_counter():
    shop.COUNTS["pen"] += 1  # leaks: shop.COUNTS["pen"]


def test_bytes():
    shop.BUFFER.extend(b"c")  # leaks: shop.BUFFER


def test_lock():
    shop.LOCK.acquire()  # leaks: shop.LOCK


def test_thread_local():
    shop.LOCAL.user = "ada"  # leaks: shop.LOCAL.user


def test_count():
    next(shop.NUMBERS)  # leaks: shop.NUMBERS


def test_iterator():
    next(shop.PRICES)  # leaks: shop.PRICES


def test_context_variable():
    shop.TENANT.set("other")  # leaks: context variable "tenant" of shop


def test_class_attribute():
    shop.Cart.limit = 3  # leaks: shop.Cart.limit


def test_class_list():
    shop.Cart.seen.append(1)  # leaks: shop.Cart.seen


def test_method():
    shop.Cart.total = lambda self: 0  # leaks: shop.Cart.total


def test_slot():
    shop.SLOTTED.value = 5  # leaks: shop.SLOTTED.value


def test_nested_object():
    shop.TREE.children["left"].children["new"] = 1  # leaks: shop.TREE.children["left"].children["new"]


def test_instance():
    shop.DEFAULT_CART.owner = "ada"  # leaks: shop.DEFAULT_CART.owner


def test_default_argument():
    shop.collect("pen")  # leaks: default argument into of shop.collect, at shop.into.append


def test_enclosed_variable():
    shop.STEP()  # leaks: variable count that shop.counter.<locals>.step encloses, at shop.count


def test_function_attribute():
    shop.price.calls = 1  # leaks: shop.price.calls


def test_registry():
    shop.register("pen")(len)  # leaks: shop.REGISTRY["pen"], at shop.REGISTRY


def test_mock():
    unittest.mock.patch.object(shop, "price").start()  # leaks: shop.price


def test_mock_of_library():
    unittest.mock.patch("json.dumps").start()  # leaks: json.dumps


def test_library_constant():
    string.digits = "01"  # leaks: string.digits


def test_builtin():
    builtins.shop_debug = True  # leaks: builtins.shop_debug


def test_pickling():
    copyreg.pickle(shop.Cart, lambda cart: (shop.Cart, ()))  # leaks: copyreg.dispatch_table[Cart]


def test_file_type():
    mimetypes.add_type("text/shop", ".shop")  # leaks: mimetypes.types_map[".shop"]


def test_namespace():
    tree = xml.etree.ElementTree
    tree.register_namespace("shop", "urn:shop")  # leaks: xml.etree.ElementTree._namespace_map["urn:shop"]


def test_archive_format():
    shutil.register_archive_format("shop", lambda *_: None)  # leaks: shutil._ARCHIVE_FORMATS["shop"]


def test_temporary_folder():
    tempfile.tempdir = str(HERE)  # leaks: tempfile.tempdir


def test_file():
    (HERE / "data" / "cache.txt").write_text("1")  # leaks: file data/cache.txt


def test_file_changed():
    (HERE / "data" / "prices.txt").write_text("pen 2\n")  # leaks: file data/prices.txt


def test_table():
    connection = sqlite3.connect(HERE / "data" / "shop.db")
    connection.execute("create table if not exists orders (id integer)")
    connection.execute("insert into orders values (1)")
    connection.commit()  # leaks: file data/shop.db
    connection.close()


def test_thread():
    threading.Thread(target=time.sleep, args=(600,), name="poller", daemon=True).start()  # leaks: thread poller


def test_process():
    shop.child = None
    shop.CHILD = subprocess.Popen(["sleep", "600"])  # leaks: child process sleep


def test_process_that_nothing_holds():
    subprocess.Popen(["tail", "-f", "/dev/null"])  # leaks: child process tail


def test_descriptor():
    os.open(os.devnull, os.O_RDONLY)  # leaks: descriptor *
