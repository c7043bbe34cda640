"""The Python side of jostle: a pytest plugin that runs exactly what a plan says and reports what it saw."""
