"""From what an object held and what it holds now to the places that have changed."""

from __future__ import annotations

import collections
import functools
import itertools
import random
import re
import types
from typing import Any, Callable, Deque, Dict, Iterator, List, Optional, Set

from . import file_objects, iterators, limits
from .file_objects import is_file_object
from .iterators import is_iterator
from .messages import How, Kind, RestoreRecipe
from .places import MISSING, Place, is_a, is_mock, key_name, names_its_item, same, show
from .snapshot import LOCKS, Node, is_plain, read_again, refill, replacer, restorer, same_list


def changed_places(node: Node) -> Iterator[Place]:
    """What differs from what was noted."""
    now = read_again(node)
    if now is None:
        return
    if node.sort != "whole":
        yield from _slot_places(node, now)
    elif now != node.state if is_plain(node.obj) else not same_list(node.state, now):
        yield _whole_place(node, now)


def _whole_place(node: Node, now: Any) -> Place:
    obj, old = node.obj, node.state
    recipe: Optional[RestoreRecipe] = None
    restore: Optional[Callable[[], None]]
    if is_a(obj, (list, bytearray)):
        restore = lambda: obj.__setitem__(slice(None), old)
        recipe = _recipe(node, "list")
    elif is_a(obj, collections.deque):
        restore = lambda: _refill_deque(obj, old)
    elif is_a(obj, set):
        restore = lambda: _refill_set(obj, old)
        recipe = _recipe(node, "set")
    elif is_a(obj, random.Random):
        restore = lambda: obj.setstate(old)
        return Place(node.path, "random state", "its state", "another state", restore, node.low_confidence)
    elif is_a(obj, types.CellType):
        before, after = (held[0] if held else MISSING for held in (old, now))
        restore = lambda: _put_in_cell(obj, before)
        return Place(node.path, "global/module state", show(before), show(after), restore, node.low_confidence)
    elif type(obj) in LOCKS:
        restore = obj.release if now else lambda: obj.acquire(blocking=False)
        shown = ("locked" if old else "unlocked", "locked" if now else "unlocked")
        return Place(node.path, "global/module state", *shown, restore, node.low_confidence, _recipe(node, "lock"))
    elif is_file_object(type(obj)):
        anew = file_objects.opener(obj, old) if now.is_closed else None
        restore = file_objects.restorer(obj, old, now) if anew is None else replacer(node, anew)
        shown = (file_objects.shown(old), file_objects.shown(now))
        return Place(node.path, _kind(node.path, old, now), *shown, restore, node.low_confidence)
    elif is_iterator(type(obj)):
        restore = None if old.again is None else replacer(node, old.again)
        return Place(node.path, _kind(node.path, old, now), *iterators.shown(old, now), restore, node.low_confidence)
    elif is_a(obj, types.GeneratorType):
        return Place(node.path, "global/module state", old, now, None, node.low_confidence)
    elif is_a(obj, itertools.count):
        start = re.match(r"count\((\d+)\)$", old)
        restore = None if start is None else replacer(node, functools.partial(itertools.count, int(start.group(1))))
    else:
        shown = (f"{old[0]} cached results", f"{now[0]} cached results")
        return Place(
            node.path, "global/module state", *shown, obj.cache_clear, node.low_confidence, _recipe(node, "cache")
        )
    return Place(node.path, _kind(node.path, old, now), show(old), show(now), restore, node.low_confidence, recipe)


def _put_in_cell(cell: Any, value: object) -> None:
    if value is MISSING:
        del cell.cell_contents
    else:
        cell.cell_contents = value


def _refill_deque(held: Deque[Any], items: List[Any]) -> None:
    held.clear()
    held.extend(items)


def _refill_set(held: Set[Any], items: Set[Any]) -> None:
    set.clear(held)
    set.update(held, items)


def _slot_places(node: Node, now: Dict[Any, Any]) -> Iterator[Place]:
    old = node.state
    changed = [key for key, value in old.items() if not same(value, now.get(key, MISSING))]
    changed += [key for key in now if key not in old]
    if not changed:
        return
    if node.sort == "items" and (len(changed) > 1 or not names_its_item(changed[0])):
        # Several entries may matter only together, or be nameable only so.
        restore = lambda: refill(node.obj, old)
        kind = _kind(node.path, old, now)
        whole = Place(node.path, kind, show(old), show(now), restore, node.low_confidence, _recipe(node, "dict"))
        whole.told_by_items = len(changed) <= limits.KEYS and all(names_its_item(key) for key in changed)
        yield whole
        if not whole.told_by_items:
            return
    for key in changed:
        before, after = old.get(key, MISSING), now.get(key, MISSING)
        if is_a(node.obj, types.ModuleType) and is_a(after, types.ModuleType) and before is MISSING:
            continue  # a submodule that was imported; the module table tells of it
        name = f"{node.path}[{key_name(key)}]" if node.sort == "items" else f"{node.path}.{key}"
        restore = restorer(node.obj, node.sort, key, before)
        recipe = _recipe(node, "dict") if node.sort == "items" else _recipe(node, "attribute")
        if recipe is not None and node.sort == "attributes":
            recipe = {**recipe, "attribute": str(key)} if before is not MISSING else None
            if recipe is not None and is_a(node.obj, type) and is_a(before, (staticmethod, classmethod)):
                recipe = {**recipe, "key": "__dict__"}  # its attribute is what that makes of it
        low_confidence = node.low_confidence and not (callable(before) or is_mock(after))
        if node.foreign and node.sort == "attributes":  # what a library remembers for itself
            low_confidence = low_confidence or before is MISSING or str(key).startswith("_")
        yield Place(name, _kind(name, before, after), show(before), show(after), restore, low_confidence, recipe)


def _kind(path: str, old: object, new: object) -> Kind:
    if "dependency_overrides" in path:
        return "dependency override"
    if path.startswith("fixture "):
        return "session/module fixture state"
    return "mock left active" if is_mock(new) and not is_mock(old) else "global/module state"


def _recipe(node: Node, how: How) -> Optional[RestoreRecipe]:
    """What a fixture that keeps this object needs to know, if an expression leads to it."""
    expression = node.expression or node.path
    if node.reach is None or re.search(r"<locals>|\[<|…|^\w+ \w+ ", expression):
        return None
    return {"how": how, "module": node.reach, "object": expression}
