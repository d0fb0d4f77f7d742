"""The points at which a process can be killed: what shim.c, preloaded into it, writes down.

    plan = Plan(directory)              # plan.environment goes into the program's environment
    with plan.watching():               # nobody is killed
        ... the program runs ...
    points = plan.points("forward")     # what it did, each call with a point before and after
    plan.arm(points[3]) ... plan.disarm()
"""
import collections
import contextlib
import dataclasses
import mmap
import os
import struct

SHIM = os.path.join(os.path.abspath(os.environ.get("RELAIS_BUILD", "build")), "tests/crash/crash_shim.so")
HEAD = struct.Struct("4I")  # is_armed, target, is_after, count; as in shim.c
RECORD = struct.Struct("14s c 113s")
RECORDS = 4096
# What changes names or makes them durable; the others are bytes on their way.
NAMES = ("rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat", "fsync", "fdatasync")


@dataclasses.dataclass(frozen=True)
class Point:
    """One of the kill points of a program in its part of the workload."""
    program: str
    number: int   # of the call, from 1
    call: str
    detail: str
    is_after: bool

    def __str__(self):
        side = "after" if self.is_after else "before"
        return f"{self.program}: {side} call {self.number}, {self.call} {self.detail}"

    @property
    def kind(self):
        """A statement is prepared before it is first executed; catalogues are read table by table."""
        return self.detail.replace("prepare ", "")[:24]

    @property
    def is_change(self):
        """Not a question, nor what is only prepared."""
        return not self.detail.startswith(("SELECT", "SET", "WITH RECURSIVE", "prepare", "goodbye"))

    @property
    def is_decisive(self):
        """It changes what a restart finds."""
        return self.call in NAMES or "COMMIT" in self.detail or self.detail.startswith("HTTP/1.1 201")


class Plan:
    """The file that the shim maps too."""

    def __init__(self, directory, spool, name):
        path = os.path.join(directory, f"plan-{name}")
        with open(path, "wb") as file:
            file.truncate(HEAD.size + RECORDS * RECORD.size)
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 0)
        self.environment = {"LD_PRELOAD": SHIM, "RELAIS_CRASH_PLAN": path, "RELAIS_CRASH_SPOOL": spool}

    def arm(self, point=None):
        """Counts from now on, and kills at the point."""
        self.arm_number(point.number if point else 0, bool(point and point.is_after))

    def arm_number(self, number, is_after):
        HEAD.pack_into(self.memory, 0, 0, number, is_after, 0)
        struct.pack_into("I", self.memory, 0, 1)

    def disarm(self):
        struct.pack_into("I", self.memory, 0, 0)

    @contextlib.contextmanager
    def watching(self, point=None):
        self.arm(point)
        try:
            yield
        finally:
            self.disarm()

    def calls(self):
        """(call, has returned, detail), in order."""
        count = min(HEAD.unpack_from(self.memory, 0)[3], RECORDS)
        for i in range(count):
            call, returned, detail = RECORD.unpack_from(self.memory, HEAD.size + i * RECORD.size)
            yield text(call), returned != b"\0", text(detail)

    def points(self, program):
        """Two of each call that was made."""
        return [Point(program, number, call, detail, is_after)
                for number, (call, _, detail) in enumerate(self.calls(), 1) for is_after in (False, True)]

    def was_reached(self, point):
        """True when the call is the one that the point was taken from, and it got just so far."""
        calls = list(self.calls())
        return (len(calls) >= point.number
                and calls[point.number - 1] == (point.call, point.is_after, point.detail))


def text(field):
    return field.partition(b"\0")[0].decode("utf-8", "replace")


def choose(points, everything, known):
    """All of them, or what a run of two minutes can do: after each COMMIT, the first and the last of
    whatever else decides something, and one of each kind of the bytes that change something and
    are not known from another program."""
    if everything:
        return points
    kinds = collections.defaultdict(list)
    for point in points:
        kinds[point.call, point.detail, point.is_after].append(point)
    chosen = set()
    for of_kind in kinds.values():
        first = of_kind[0]
        if first.is_decisive and first.is_after:
            chosen.update(of_kind if "COMMIT" in first.detail else (first, of_kind[-1]))
        elif first.is_decisive or (first.is_change and not first.is_after and first.kind not in known):
            known.add(first.kind)
            chosen.add(first)
    return [point for point in points if point in chosen]
