"""What jostle and the harness say to each other: JSON objects, one a line, told apart by their ``type``.

``src/run/protocol.rs`` holds the same types, which say what each field means. ``tests/wire.rs`` compares the two sides.
"""

from __future__ import annotations

from typing import List, Literal, Optional, Tuple, TypedDict, Union

#: The version that both sides must speak.
PROTOCOL: Literal[8] = 8

Phase = Literal["setup", "call", "teardown"]
Outcome = Literal["passed", "skipped", "failed", "xfailed"]
Purpose = Literal["collect", "run", "serve"]
#: How a fixture keeps a place.
How = Literal[
    "attribute",
    "cache",
    "cwd",
    "dict",
    "disable",
    "environ",
    "file",
    "fixture",
    "level",
    "lines",
    "list",
    "locale",
    "lock",
    "modules",
    "path",
    "random",
    "set",
    "setting",
    "zone",
]


#: The sort of state that a place is of.
Kind = Literal[
    "child process",
    "context variable",
    "database",
    "dependency override",
    "descriptor",
    "environment",
    "event loop",
    "file system",
    "global/module state",
    "import-time",
    "locale/time zone",
    "logging/warnings",
    "mock left active",
    "module table",
    "port",
    "random state",
    "session/module fixture state",
    "signal handler",
    "standard stream",
    "thread",
    "uncollected objects",
]


#: What a call does to a resource.
Operation = Literal[
    "bind",
    "change the mode of",
    "close",
    "close after writing",
    "commit",
    "connect to",
    "create",
    "execute",
    "executemany",
    "executescript",
    "flush",
    "link",
    "list",
    "listen",
    "lock",
    "lock to read",
    "lock to write",
    "look at",
    "make the folder",
    "open to append",
    "open to read",
    "open to write",
    "read",
    "remove",
    "remove the folder",
    "rename",
    "rename to",
    "rollback",
    "truncate",
    "unlock",
    "write",
]


class WorkerIdentity(TypedDict):
    """Which worker of pytest-xdist a process looks like."""

    id: str
    count: int
    uid: str


class WatchSetup(TypedDict):
    """What to look at while tests run."""

    at: Optional[List[str]]
    system_calls: bool
    statements: bool
    hosts: List[str]
    filter: Optional[str]


class Fixture(TypedDict):
    """A fixture that failed."""

    name: str
    scope: str
    file: str
    phase: Phase


#: Why no line is told that wrote a place: it cannot be looked at after each line, no look found it changed, other threads
#: ran since the look before, or no line of the project ran then.
NoLine = Literal["elsewhere", "threads", "unseen", "unwatched"]


class NamedPlace(TypedDict):
    """A place that the user has named."""

    name: str
    get: str
    is_getter: bool
    set: Optional[str]


class Server(TypedDict):
    """A server of the trial's own."""

    sort: Literal["postgres", "redis"]
    port: int
    user: str
    databases: List[str]


# The keys of the wire are words of Python's, which a class cannot have as attributes.
Instructions = TypedDict(
    "Instructions",
    {
        "restore": List[str],
        "import": Optional[str],
        "watch": List[str],
        "follow": Optional[str],
        "from": int,
        "teardown": Optional[Fixture],
        "left": bool,
        "readers": List[str],
    },
)


class _Setup(TypedDict):
    type: Literal["setup"]
    protocol: int
    purpose: Purpose
    imports: Optional[List[str]]
    worker: Optional[WorkerIdentity]
    random_seed: int
    tests: List[Tuple[str, int]]
    barriers: List[int]
    folder: str
    watch: Optional[WatchSetup]


class Setup(_Setup, total=False):
    """What a process is for; the first message to it."""

    stop: int
    explain: Instructions
    named_places: List[NamedPlace]
    servers: List[Server]


class Go(TypedDict):
    """The other side of a barrier is there."""

    type: Literal["go"]


class Turn(TypedDict):
    """The turn that was asked for under this number."""

    type: Literal["turn"]
    turn: int


class Fork(TypedDict):
    """To a process that forks on request: fork a worker."""

    type: Literal["fork"]
    descriptors: int
    namespaces: List[int]


class Kill(TypedDict):
    """To a process that forks on request: send a signal to the process group of a fork."""

    type: Literal["kill"]
    pid: int
    signal: int


#: Every message of jostle's.
ToHarness = Union[Setup, Go, Turn, Fork, Kill]


class Whereabouts(TypedDict, total=False):
    """Where the harness is. It is told by a system call, so that it comes in order with those of the tests."""

    position: Optional[int]
    fixture: Optional[str]
    started: Optional[str]
    asleep: bool
    teardown: bool


class Hello(TypedDict):
    """pytest is configured."""

    type: Literal["hello"]
    protocol: Literal[8]
    python: str
    pytest: str
    rootdir: str
    plugins: List[str]
    neutralised: List[str]


class CollectedTest(TypedDict):
    """A collected test."""

    id: str
    occurrence: int
    file: str
    line: Optional[int]
    group: Optional[str]
    rank: int


class CollectionError(TypedDict):
    """What could not be collected."""

    node_id: str
    exception: str
    message: str
    file: Optional[str]
    line: Optional[int]
    trace: str


class Orders(TypedDict):
    """What the suite's plugins impose on orders, besides ranks."""

    edges: List[Tuple[int, int]]
    sorted_by: List[str]
    doubts: List[str]


class Collected(TypedDict):
    """What was collected, in suite order."""

    type: Literal["collected"]
    tests: List[CollectedTest]
    errors: List[CollectionError]
    deselected: int
    orders: Orders


class Missing(TypedDict):
    """Positions of tests that are not collected."""

    type: Literal["missing"]
    positions: List[int]


class Process(TypedDict, total=False):
    """What a process is known by, where the system tells."""

    pid: int
    namespace: str
    channel: int


class Running(Process):
    """Collection is over and the first test is about to start; the process is told if tests are watched."""

    type: Literal["running"]


class Listener(TypedDict):
    """System calls are told of from now on; their listener comes along."""

    type: Literal["listener"]
    roots: List[Tuple[str, Optional[str]]]
    worker: Optional[str]
    line: int


class Unseen(TypedDict):
    """System calls cannot be told of."""

    type: Literal["unseen"]
    why: str


class Waiting(TypedDict):
    """A test waits to meet another."""

    type: Literal["waiting"]
    position: int


class Rested(TypedDict):
    """The test that has the turn had nothing to do for a while."""

    type: Literal["rested"]
    seconds: float


class Teardown(TypedDict):
    """A test's teardown starts."""

    type: Literal["teardown"]


class Handling(TypedDict):
    """An exception is being handled where the test is about to make a call."""

    type: Literal["handling"]


class Yield(TypedDict):
    """A test waits for its turn to make a call."""

    type: Literal["yield"]
    turn: int
    resource: str
    call: Operation
    writes: bool
    at: Optional[str]


class Did(TypedDict):
    """What the call that the test asked for last does, where that was not known before."""

    type: Literal["did"]
    statement: Optional[str]
    writes: bool
    idle: bool


class Asleep(TypedDict):
    """A test goes to sleep, and does not wait for an answer."""

    type: Literal["asleep"]
    seconds: float
    at: Optional[str]


class Comes(TypedDict):
    """A worker waits for its turn to start with its first test."""

    type: Literal["comes"]
    turn: int


class Awake(TypedDict):
    """A test has slept, and waits for its turn."""

    type: Literal["awake"]
    turn: int


class Access(TypedDict):
    """What a test did to one resource."""

    resource: str
    call: Operation
    writes: bool
    at: Optional[str]
    fixture: Optional[str]


class Touched(TypedDict):
    """What a test touched outside of its process."""

    type: Literal["touched"]
    position: int
    accesses: List[Access]
    fixtures: List[str]


class Start(TypedDict):
    """A test starts."""

    type: Literal["start"]
    position: int


class Failure(TypedDict):
    """A phase of a test that failed."""

    phase: Phase
    exception: str
    file: str
    function: str
    line: int
    test_line: int
    message: str
    trace: str
    fixture: Optional[Fixture]


class Finish(TypedDict):
    """A test is over."""

    type: Literal["finish"]
    position: int
    outcome: Outcome
    duration: float
    failure: Optional[Failure]
    user: Optional[int]


class _PathBinding(TypedDict):
    module: str
    object: str
    attribute: str
    text: bool


class PathBinding(_PathBinding, total=False):
    """A name for a path."""

    rest: str
    index: int
    count: int


class _RestoreRecipe(TypedDict):
    how: How


class SessionFixture(TypedDict):
    """A fixture that gives a session of SQLAlchemy's."""

    name: str
    made_by: str
    made_in: str
    engine: str
    engine_in: str


class RestoreRecipe(_RestoreRecipe, total=False):
    """What a fixture that keeps a place needs to know."""

    module: str
    object: str
    attribute: str
    value: str
    key: str
    base: Literal["rootdir", "temporary"]
    scope: str
    file: str
    line: int
    bindings: List[PathBinding]
    sessions: List[SessionFixture]


class Place(TypedDict):
    """A place whose value has changed."""

    name: str
    kind: Kind
    old: str
    new: str
    restorable: bool
    low_confidence: bool
    in_library: bool
    told_by_items: bool
    recipe: Optional[RestoreRecipe]
    along: Optional[str]


class Line(TypedDict):
    """A line of the project."""

    file: str
    line: int
    function: str


class Statement(TypedDict):
    """A call that others can make as well."""

    module: str
    text: str


class Written(Line):
    """Where a place was written, and what the test called to write it."""

    call: Optional[Statement]


class Changed(TypedDict):
    """What the tests before the last one have changed, and what of it could not be restored."""

    type: Literal["changed"]
    places: List[Place]
    cut_off: bool
    failed: List[str]
    unread: List[str]
    written: Optional[Written]
    no_line: Optional[NoLine]


class Read(Line):
    """Where the last test has read the place that is watched."""

    type: Literal["read"]


class Followed(TypedDict):
    """What became of the place that is followed."""

    type: Literal["followed"]
    position: int
    moved: bool
    changed: bool


class Left(TypedDict):
    """What a test, the import of a file, or a fixture that tests share has left changed."""

    type: Literal["left"]
    position: Optional[int]
    fixture: Optional[Fixture]
    file: Optional[str]
    line: Optional[int]
    places: List[Place]
    settled: List[int]
    first_use: List[int]
    written: List[Tuple[int, Written]]


class Reading(TypedDict):
    """Which of the places in question a test runs a line of that names them."""

    type: Literal["reading"]
    position: int
    places: List[int]


class Done(TypedDict):
    """pytest is about to end."""

    type: Literal["done"]
    status: int


class Ready(TypedDict):
    """A zygote is ready to fork."""

    type: Literal["ready"]
    threads: List[str]
    native: List[str]
    shared: List[str]
    identity_asked_at: Optional[str]


class Stopped(TypedDict):
    """A worker is where it was to stop, and goes on for a reason, or has stopped."""

    type: Literal["stopped"]
    unfit: Optional[str]


class Forked(TypedDict):
    """A process that forks on request has done so."""

    type: Literal["forked"]
    pid: int


class Exited(TypedDict):
    """A fork has ended, and all of its group with it."""

    type: Literal["exited"]
    pid: int
    code: Optional[int]
    signal: Optional[int]


class First(TypedDict):
    """A measured run starts its first test."""

    type: Literal["first"]


class Measured(TypedDict):
    """A measured run is over. A test is its node id, its outcome, and the seconds of setup, call and teardown."""

    type: Literal["measured"]
    status: int
    work: float
    tests: List[Tuple[str, Outcome, float, float, float]]
    errors: List[Tuple[str, str]]


class Error(TypedDict):
    """The harness cannot go on."""

    type: Literal["error"]
    message: str


#: Every message of the harness's.
ToJostle = Union[
    Hello,
    Collected,
    Missing,
    Running,
    Listener,
    Unseen,
    Waiting,
    Rested,
    Teardown,
    Handling,
    Yield,
    Did,
    Asleep,
    Comes,
    Awake,
    Touched,
    Start,
    Finish,
    Changed,
    Read,
    Followed,
    Left,
    Reading,
    Done,
    Ready,
    Stopped,
    Forked,
    Exited,
    First,
    Measured,
    Error,
]
