"""How much the harness looks at, and how long it waits: each number with its unit and its reason.

Counts and no clock decide what is found, so that a slow machine sees the same. jostle has its own, ``src/limits.rs``.
"""

from __future__ import annotations

#: Objects that are noted, and references that are followed: in a second or so, and a hundred megabytes.
OBJECTS = 30_000
REFERENCES = 100_000
#: Steps from a module, a class or a function: a registry of objects that hold registries is reached, and no path is longer
#: than a reader can follow. The places of the corpus take three at most.
DEPTH = 7
#: Entries of one table or list that are looked into, so that a hundred large ones have their share of the objects.
CHILDREN = 300
#: Keys of one dictionary that are named one by one; more are one place, and so are keys that no later run could find.
KEYS = 40
#: Places that are told of at most: ``EXPLAINING_RUNS`` there put each of them back once.
PLACES = 300
#: Entries of a table or list of a library's above which it is not looked into: such hold data.
ENTRIES_OF_ONE = 100_000
#: Places in libraries that are told of at most.
LIBRARY_PLACES = 200
#: Objects that are compared at once when it is asked whether any has changed: if one has, each of them is.
GLANCED_AT_ONCE = 100
#: Files above which it is not looked after each test whether any has changed, but only where the test opened one to write,
#: or started a process: in a millisecond or two.
GLANCED_FILES = 400
#: Seconds that a thread is waited for to show that it is what matters: it has ended by then, or is not going to.
JOIN_SECONDS = 10.0
#: How often a child is looked at that runs a new program and has the command of the old, and the seconds between: the system sets
#: one right after the other.
COMMAND_LOOKS = 20
COMMAND_PAUSE = 0.001
#: Frames that are remembered of where an object was made: from the project's line into a library.
TRACED_FRAMES = 25
#: Objects that can be freed so that the garbage collector does not count as many others: a megabyte. What is noted of a test
#: that leaves hundreds of places changed is some thousands.
SPARE_OBJECTS = 20_000
#: Objects of which it is looked up where they were made, of those that the collector has found.
DESCRIBED_GARBAGE = 20

#: Files and folders that are looked at: in about a second.
ENTRIES = 20_000
#: Larger files are known by their size and time alone, and cannot be put back: such are rarely what a test depends on, and
#: all that is kept is held in memory.
KEPT_BYTES = 256 << 10
KEPT_DATABASE_BYTES = 8 << 20
KEPT_BYTES_IN_ALL = 64 << 20
#: Rows of one table of a database that are compared.
ROWS = 2_000
#: Rows of one table that are told one by one; more are told as their table, as one would put that back.
NAMED_ROWS = 20
#: Seconds that a server of the trial's own is waited for, which has nobody else to answer.
SERVER_SECONDS = 15.0

#: Shuffled orders that plugins which sort are asked about, besides the collected one and its reverse.
ASKED_ORDERS = 4
#: Further shuffled orders, brought to what was learnt, that plugins must leave as they are.
CHECKED_ORDERS = 3
#: Seconds after which plugins that have not answered are given up: a plugin that hangs must not be waited for.
SORTING_SECONDS = 60.0
#: Pairs that are told at most; among tests that take more, only the order that was seen first is admitted.
MOST_EDGES = 200_000

#: Draws during collection after which a generator is taken for seeded, four bytes each.
MOST_DRAWS = 1 << 18
#: Where those are looked for first, as hardly any suite draws more.
FEW_DRAWS = 1 << 12
#: So many bytes stand in a row but once.
TELLING_BYTES = 16

#: Seconds without anything to do that are told: an eighth of the shortest wait (``SHORT_WAIT_MILLIS`` there).
IDLE_SECONDS = 0.0005
#: Above this a call at one place is not asked for any more: a loop that writes a file line by line.
ASKED_CALLS = 40

#: Seconds that a fork for trial may take to say what it has: it does nothing else.
TRIAL_FORK_SECONDS = 10

#: Seconds between two looks at the forks, where the system cannot tell of their end.
LOOK_SECONDS = 0.005

#: Larger files without a name keep a worker from stopping, as each fork would copy them: a test's captured output is smaller.
COPIED_BYTES = 1 << 20

#: How deep data that the user has named may lie to be compared by what it holds.
PLAIN_DEPTH = 20
#: Characters of an exception that keeps such a place from being read.
TOLD = 120

#: As much of what the system says of a descriptor is read: it says of locks within the first lines.
FDINFO_BYTES = 4096

#: How often it is looked at watched places after lines of one function, and how often if that was done this often in all: a loop
#: may run a million lines.
LOOKS_OF_ONE = 5_000
LOOKS = 100_000
LOOKS_OF_ONE_LATER = 200

#: So many words of a value are compared with those of a test's file.
WORDS = 20

#: Once so many times as many objects are noted as at first, all are noted anew.
GROWN = 1.3

#: Files of fewer lines are parsed as a whole.
LONG_FILE = 200
