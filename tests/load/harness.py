"""The load test of `relais capture`, for any web server: phones that misbehave, an upstream that
does as it is told, a spool that fails on demand, and the invariants that hold all the same.

    upstream = harness.Upstream()                        # .port, for the server's configuration
    ... start a web server that captures /submission and passes it to the upstream,
        with harness.FAULTS preloaded (environment LD_PRELOAD) for injected faults ...
    with harness.Forwarder(spool) as forwarder:          # takes parcels away, as the real one
        records = harness.run_phones(port, "/submission", requests=20000, faults=10)
    print(harness.check(records, forwarder.taken))       # AssertionError with what was wrong
    upstream.stop()

The programs are built from this directory; RELAIS_BUILD names the build.
"""
import collections
import dataclasses
import os
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
# pylint: disable=wrong-import-position
from webserver import IS_ROOT, SHARDS, read_parcel

PROGRAMS = os.path.join(os.path.abspath(os.environ.get("RELAIS_BUILD", "build")), "tests/load")
FAULTS = os.path.join(PROGRAMS, "load_fault.so")
ACCEPTED = (201, 202)
SHOWN = 10  # violations printed


class Upstream:
    """load_upstream; with `durable`, a directory, it keeps what it accepts."""

    def __init__(self, durable=None, port=0):
        command = [os.path.join(PROGRAMS, "load_upstream"), "--port", str(port)]
        if durable:
            command += ["--durable", durable]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@dataclasses.dataclass
class Record:
    """One request as its phone tells it; see phones.c."""
    sha256: str
    seen: int
    how: str        # whole, broken, none, left (the phone went away)
    size: int
    told: int
    end: str        # whole, cut, nothing, early
    told_size: int
    fault: str      # none, stage, commit, sync, slow


def read_records(lines):
    for line in lines:
        sha256, seen, how, size, told, end, told_size, fault = line.split()
        yield Record(sha256, int(seen), how, int(size), int(told), end, int(told_size), fault)


def run_phones(port, path, **options):
    """Runs load_phones to its end; options are its own, without the dashes."""
    command = [os.path.join(PROGRAMS, "load_phones"), "127.0.0.1", str(port), path]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    run = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                         check=True)
    return list(read_records(run.stdout.splitlines()))


class Forwarder:
    """Takes parcels out of the spool while others come in, and counts them by the hash of
    their body, which it has compared with the bytes."""

    def __init__(self, spool):
        self.spool = spool
        self.taken = collections.Counter()
        self.heads = collections.Counter()  # (source, host, form)
        self.damaged = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self._ended.set()
        self._thread.join()
        self.take(is_end=True)

    def _run(self):
        while not self._ended.wait(0.2):
            self.take()

    def take(self, is_end=False):
        """A parcel whose sync is to fail is left alone till the end: one that is gone by then
        is taken by the server for delivered, and synced no more."""
        for shard in SHARDS:
            directory = os.path.join(self.spool, shard, "new")
            for name in os.listdir(directory):
                if name.startswith("."):    # a note, which is no parcel
                    continue
                path = os.path.join(directory, name)
                try:
                    parcel = read_parcel(path)
                    if parcel.head.get("device") == "sync" and not is_end:
                        continue
                    os.unlink(path)
                except FileNotFoundError:   # taken back: its commit has failed
                    continue
                except AssertionError as error:
                    self.damaged.append(str(error))
                    os.unlink(path)
                    continue
                self.taken[parcel.head["sha256"]] += 1
                self.heads[parcel.head["source"], parcel.head.get("host"),
                           parcel.head["form"]] += 1


@dataclasses.dataclass
class Rules:
    """How a server may differ, and what a run has done to it."""
    held_max: int = 256 * 1024  # larger acceptances are refused; None: no such limit
    keeps_cut: bool = False     # an acceptance whose answer is cut is kept all the same
    is_killed: bool = False     # workers were killed or reloaded: connections may break
    is_full: bool = False       # the disk may be full: 503 at any time
    # The server may read the spool's directories and syncs these, which cannot be made to fail
    # for one parcel. A worker of another user than the spool's may not.
    reads_spool: bool = not IS_ROOT


def expected_status(record, rules):
    is_too_large = rules.held_max is not None and record.told_size > rules.held_max
    return 503 if record.told in ACCEPTED and is_too_large else record.told


def wrong_keeping(record, kept, rules):
    """A parcel that is missing, or should not be there."""
    if kept > 1:
        return "kept twice"
    if record.seen in ACCEPTED:
        return None if kept else "acknowledged and lost"
    if not kept:
        return None
    if record.fault in ("stage", "commit", "sync"):
        return "kept though it was made to fail"
    if record.told not in ACCEPTED:
        return "kept though the upstream refused it"
    if record.seen != 0:
        return "refused to the phone and kept"
    if record.end == "nothing" or (record.end == "cut" and not rules.keeps_cut):
        return "kept though the upstream did not end its answer"
    return None


def wrong_answer(record, rules):
    """An answer that is not what the upstream said, or none at all."""
    if record.fault == "stage" and record.seen not in (0, 503):
        return "passed on though staging was made to fail"
    if record.fault in ("commit", "sync") and record.seen in ACCEPTED:
        return "acknowledged though the commit was made to fail"
    if rules.is_killed or record.how == "left" or record.end != "whole":
        return None
    if record.how != "whole":
        return "the answer is cut or missing"
    if record.fault not in ("none", "slow") or (rules.is_full and record.seen == 503):
        return None
    if record.seen != expected_status(record, rules):
        return "the status is not the upstream's"
    size = 0 if record.told in (204, 304) else record.told_size
    if record.seen == record.told and record.size != size:
        return "the answer's body is not the upstream's"
    return None


def check(records, taken, rules=None, damaged=()):
    """Holds what the phones saw against what was in the spool. Returns a Counter of what
    was seen, or raises AssertionError."""
    rules = rules or Rules()
    wrong, seen, known = [], collections.Counter(), set()
    for record in records:
        if record.fault == "sync" and rules.reads_spool:
            record = dataclasses.replace(record, fault="none")
        known.add(record.sha256)
        seen[record.seen if record.seen else record.how] += 1
        for fault in (wrong_keeping(record, taken[record.sha256], rules),
                      wrong_answer(record, rules)):
            if fault:
                wrong.append(f"{fault}: {record}")
    wrong += [f"a parcel that nobody sent: {sha256}" for sha256 in taken if sha256 not in known]
    wrong += [f"a damaged parcel: {text}" for text in damaged]
    if wrong:
        raise AssertionError(f"{len(wrong)} of {len(records)} requests: " +
                             "\n".join(wrong[:SHOWN]))
    return seen
