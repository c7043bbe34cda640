"""State of well-known libraries: the names that their users know it by, and the library's own way to reset it.

To add a library, add an entry, and a suite in ``tests/libraries`` that shows it with the real library. In ``raw`` a field
such as ``{0}`` stands for one key or name; the same fields may be in ``name``, ``before`` and ``after``.
"""

from __future__ import annotations

import re
from typing import Dict, NamedTuple, Optional, Pattern, Tuple

from .messages import RestoreRecipe
from .places import Place


class Known(NamedTuple):
    """Places of one library."""

    #: The path from a module, as :mod:`.paths` writes it.
    raw: str
    #: What the library's users call it; the path itself if it is empty.
    name: str
    #: The module to be imported; none if there is no other way to reset it than to put it back.
    module: str
    #: What a fixture does before a test, and after it. A line that yields makes the second superfluous.
    before: Tuple[str, ...] = ()
    after: Tuple[str, ...] = ()


def _within(expression: str) -> Tuple[str, ...]:
    return (f"with {expression}:", "    yield")


_UNREGISTER = (
    "for collector in set(prometheus_client.REGISTRY._collector_to_names) - saved:",
    "    prometheus_client.REGISTRY.unregister(collector)",
)
_REGISTERED = ("saved = set(prometheus_client.REGISTRY._collector_to_names)",)
_CONTENT_TYPES = "django.contrib.contenttypes.models.ContentType.objects"

KNOWN: Tuple[Known, ...] = (
    Known("copyreg.dispatch_table", "", ""),
    Known(
        'codecs.lookup_error("{0}")',
        "",
        "codecs",
        ('saved = codecs.lookup_error("{0}")',),
        ('codecs.register_error("{0}", saved)',),
    ),
    Known("prometheus_client.REGISTRY._names_to_collectors", "", "prometheus_client", _REGISTERED, _UNREGISTER),
    Known("prometheus_client.REGISTRY._collector_to_names", "", "prometheus_client", _REGISTERED, _UNREGISTER),
    Known("matplotlib.rcParams", "", "matplotlib", _within("matplotlib.rc_context()")),
    Known("matplotlib._pylab_helpers.Gcf.figs", "", "matplotlib.pyplot", after=('matplotlib.pyplot.close("all")',)),
    Known(
        'pandas._config.config._global_config["{0}"]["{1}"]',
        "pandas.options.{0}.{1}",
        "pandas",
        _within('pandas.option_context("{0}.{1}", pandas.get_option("{0}.{1}"))'),
    ),
    Known(
        'pandas._config.config._global_config["{0}"]["{1}"]["{2}"]',
        "pandas.options.{0}.{1}.{2}",
        "pandas",
        _within('pandas.option_context("{0}.{1}.{2}", pandas.get_option("{0}.{1}.{2}"))'),
    ),
    Known('numpy.get_printoptions()["{0}"]', "", "numpy", _within("numpy.printoptions()")),
    Known('numpy.geterr()["{0}"]', "", "numpy", _within("numpy.errstate()")),
    Known(
        f"{_CONTENT_TYPES}.manager._cache",
        f"the cache of {_CONTENT_TYPES}",
        "django.contrib.contenttypes.models",
        after=(f"{_CONTENT_TYPES}.clear_cache()",),
    ),
    Known(
        'context variable "structlog_{0}" of structlog.contextvars',
        "",
        "structlog",
        after=("structlog.contextvars.clear_contextvars()",),
    ),
    Known(
        'django.core.cache.backends.locmem._caches["{0}"]',
        "",
        "django.core.cache",
        after=("django.core.cache.cache.clear()",),
    ),
)

_FIELD = re.compile(r"\\{(\d)\\}")


def _pattern(template: str, rest: str) -> Pattern[str]:
    """What matches a text that a template makes, and the rest of a path."""
    return re.compile(_FIELD.sub(r"(?P<f\1>[^\\W\\d][\\w.-]*?)", re.escape(template)) + rest)


_DOTTED = re.compile(r"[\w.]+$")
_ITEM = r"(?P<rest>(?:\[.*\])?)$"
_FORWARD = [(known, _pattern(known.raw, _ITEM)) for known in KNOWN]
_BACK = [(known, _pattern(known.name, _ITEM)) for known in KNOWN if known.name]
#: The paths of the objects that the entries begin with, which are to be named so whoever else has them.
ANCHORS = frozenset(path for path in (known.raw.partition("[")[0] for known in KNOWN) if _DOTTED.match(path))


def _filled(template: str, found: Dict[str, Optional[str]]) -> str:
    return re.sub(r"\{(\d)\}", lambda field: found[f"f{field.group(1)}"] or "", template)


def make_known(place: Place) -> None:
    """Give a place the name and the way to reset it that its library has for it."""
    for known, pattern in _FORWARD:
        match = pattern.match(place.name)
        if match is None:
            continue
        found = match.groupdict()
        if known.name:
            place.name = _filled(known.name, found) + found["rest"]
        if not known.module:
            return
        before, after = ("\n".join(_filled(line, found) for line in lines) for lines in (known.before, known.after))
        recipe: RestoreRecipe = {
            "how": "lines",
            "module": known.module,
            "object": place.name,
            "attribute": before,
            "value": after,
        }
        place.recipe = recipe
        return


def raw_name(name: str) -> str:
    """The path of a place that has a name of :func:`make_known`."""
    for known, pattern in _BACK:
        match = pattern.match(name)
        if match is not None:
            found = match.groupdict()
            return _filled(known.raw, found) + found["rest"]
    return name
