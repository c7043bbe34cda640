"""What tells whether a place is another by now, by the place's name: asked often, and so as cheap as can be."""

from __future__ import annotations

import collections
import itertools
import os
import tempfile
import types
from typing import Any, Callable, Optional

from . import iterators, paths, snapshot
from .file_objects import is_file_object
from .graph import ONE_STEP, Graph
from .iterators import is_iterator
from .places import MISSING, is_a, key_name, namespace
from .snapshot import LOCKS, Node, read

#: What a probe gives where it cannot look now.
PUT_OFF = object()
#: What gives something that differs whenever a place is another.
Probe = Callable[[], object]
#: What gives such a probe for a place's name; nothing if the place is not known, or not yet.
Finder = Callable[[str], Optional[Probe]]


def node_probe(graph: Graph, name: str) -> Optional[Probe]:
    """What tells of a place in an object that is noted, or else in whatever the name leads to from a module."""
    node = graph.holder(name)
    found = None if node is None else (node, name[len(node.path) :])
    if found is None or not ONE_STEP.match(found[1]):
        found = paths.holder(name)
        if found is None:
            return None
    binding, held = _node_probe(*found), paths.held(*found)
    # The place may be the slot, or what is in it.
    if not found[1]:
        slot = paths.holder(name)
        return binding if slot is None else _both(_node_probe(*slot), binding)
    return binding if held is None or graph.knows(held) else _both(binding, lambda: _signature(held))


def _both(one: Probe, other: Probe) -> Probe:
    return lambda: (one(), other())


def _identity(value: object) -> object:
    """What tells a binding from another without the suite's ``__eq__``; the value is kept alive by its holder."""
    return value if type(value) in (int, str, bool, float, bytes, type(None)) else id(value)


def _node_probe(node: Node, slot: str) -> Probe:
    obj = node.obj
    if not slot:
        return lambda: _signature(node.obj)  # another may have been bound in its stead
    if node.sort == "attributes":
        attribute = slot[1:]
        if is_a(obj, type):
            return lambda: _identity(namespace(obj).get(attribute, MISSING))
        return lambda: _identity(snapshot.attribute(obj, attribute))
    if is_a(obj, (list, tuple, collections.deque)):
        return lambda: _identity(paths.value_at(node, slot))
    key: object = MISSING
    size = -1

    def probe() -> object:
        nonlocal key, size
        if key is MISSING and len(obj) != size:
            size = len(obj)
            key = next((key for key in dict.keys(obj) if f"[{key_name(key)}]" == slot), MISSING)
        return MISSING if key is MISSING else _identity(dict.get(obj, key, MISSING))

    return probe


def _signature(obj: Any) -> object:
    if is_a(obj, dict):
        return (len(obj), [_identity(value) for value in itertools.islice(dict.values(obj), 100)])
    if is_a(obj, (list, tuple, collections.deque)):
        return (len(obj), [_identity(value) for value in itertools.islice(obj, 100)])
    if is_a(obj, set):
        return (len(obj), sum(id(value) for value in itertools.islice(obj, 100)))
    if type(obj) in LOCKS or hasattr(type(obj), "cache_info") or is_file_object(type(obj)):
        return read(obj, "whole")
    if is_iterator(type(obj)):
        return iterators.how_far(obj)
    if is_a(obj, types.CellType):
        return list(map(_identity, read(obj, "whole")))
    return repr(obj) if is_a(obj, (bytearray, itertools.count)) else id(obj)


def file_probe(name: str, rootdir: str) -> Optional[Probe]:
    """A file's or a table's, by what the file system says of the file."""
    if name.startswith("file "):
        name = name[len("file ") :]
    elif name.startswith("table ") and " in " in name:
        name = name.split(" in ", 1)[1]
    else:
        return None
    where = " in the temporary folder"
    path = os.path.join(rootdir, name)
    if name.endswith(where):
        path = os.path.join(os.path.realpath(tempfile.gettempdir()), name[: -len(where)])

    def probe() -> object:
        try:
            stat = os.stat(path)
        except OSError:
            return MISSING
        return (stat.st_size, stat.st_mtime_ns, stat.st_ino)

    return probe
