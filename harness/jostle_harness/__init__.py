"""The Python side of jostle: a pytest plugin that runs exactly what a plan says and reports what it saw."""

import sys

#: What was imported before anything of this.
BEFORE = frozenset(sys.modules)
