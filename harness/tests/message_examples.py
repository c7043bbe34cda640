"""Examples of all messages, made of their types: each kind with all of its fields, then with one of them otherwise.

Run as ``python message_examples.py ToJostle`` (or ``ToHarness``), it prints what is in ``tests/messages``: JSON lines, for each
kind first the one in which each field has a value that no default is.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Dict, Iterator, List, Literal, Tuple, Union, get_args, get_origin, get_type_hints

from jostle_harness import messages

#: For each type the value that stands for all others.
_PLAIN: Dict[object, object] = {str: "…", int: 7, float: 0.5, bool: True}


def _alternatives(kind: Any) -> Tuple[Any, ...]:
    """The types of a union, nothing last."""
    return tuple(sorted(get_args(kind), key=lambda one: one is type(None)))


def whole(kind: Any) -> Any:
    """An example in which nothing is missing."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return arguments[0]
    if origin is Union:
        return whole(_alternatives(kind)[0])
    if origin is list:
        return [whole(arguments[0])]
    if origin is tuple:
        return [whole(one) for one in arguments]
    return {name: whole(field) for name, field in get_type_hints(kind).items()}


def others(kind: Any) -> Iterator[Any]:
    """The examples that differ from the whole one in one place."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        yield from arguments[1:]
    elif origin is Union:
        first, *rest = _alternatives(kind)
        yield from others(first)
        yield from (None if one is type(None) else whole(one) for one in rest)
    elif origin is list:
        yield []
        yield from ([other] for other in others(arguments[0]))
    elif origin is tuple:
        yield from _with_one_other([whole(one) for one in arguments], dict(enumerate(arguments)))
    elif kind not in _PLAIN:
        example = whole(kind)
        yield from _with_one_other(example, get_type_hints(kind))
        for name in sorted(kind.__optional_keys__):
            yield {key: value for key, value in example.items() if key != name}


def _with_one_other(example: Any, fields: Dict[Any, Any]) -> Iterator[Any]:
    for place, field in fields.items():
        for other in others(field):
            copy = example.copy()
            copy[place] = other
            yield copy


def lines(union: Any) -> List[str]:
    """The examples of all kinds of a union of messages."""
    found = (example for kind in get_args(union) or (union,) for example in (whole(kind), *others(kind)))
    return [json.dumps(example, ensure_ascii=False) for example in found]


if __name__ == "__main__":
    print(*lines(getattr(messages, sys.argv[1])), sep="\n")
