"""The book of steady traffic: every version that was sent, what must become of it, and whether that
is what the ledger, the tables and the quarantine say.

The truth is the book's own. A version is delivered unless another replaces it, unless it came
second under an id that is taken (a conflict), or its answers do not fit (quarantined).
"""
import collections
import dataclasses
import hashlib
import os
import re
import threading

import expected
import lives
import locked

VERSIONS = ("SELECT sub_id, form_id, instance_id, record_id, state, missing, received_at, seal,"
            " encode(sha256(xml), 'hex') AS kept FROM relais.submission")
FILES = "SELECT sub_id, name, sha256, seal, size, encode(sha256(bytes), 'hex') AS kept FROM relais.attachment"
BYTES = {"xml": "SELECT encode(sha256(xml), 'hex') AS kept, encode(xml, 'hex') AS bytes FROM relais.submission WHERE sub_id IN ({})",
         "file": "SELECT encode(sha256(bytes), 'hex') AS kept, encode(bytes, 'hex') AS bytes FROM relais.attachment"
                 " WHERE sub_id IN ({})"}
AT_ONCE = 100  # versions whose sealed bytes are fetched in one question


@dataclasses.dataclass
class Version:
    """One content of one submission; `files` are all that were sent with it, in whatever posts."""
    form: str
    instance: str
    xml: bytes
    root: str              # the record: the instance of its first version
    parent: str = None     # the instance that it replaces
    fate: str = "delivered"
    age: int = None        # of a locked one, which nobody reads from outside
    files: dict = dataclasses.field(default_factory=dict)  # (name, hash) -> how often it must be there: once
    tries: int = 0
    is_acknowledged: bool = False

    @property
    def key(self):
        return self.instance, hashlib.sha256(self.xml).hexdigest()


class Book:
    def __init__(self):
        self.lock = threading.Lock()
        self.versions = {}     # by key
        self.posts = self.answered = 0
        self.dropped = set()   # instances that somebody took out of the quarantine for good
        self.opened = {}       # hash of what is kept -> hash of what was sealed

    def sent(self, version):
        """Before the first of its bytes leaves."""
        with self.lock:
            self.versions.setdefault(version.key, version)
            self.posts += 1

    def tried(self, version):
        with self.lock:
            self.versions[version.key].tries += 1

    def acknowledge(self, version, files):
        with self.lock:
            known = self.versions[version.key]
            known.is_acknowledged = True
            known.files.update({(name, hashlib.sha256(data).hexdigest()): 1 for name, data in files})
            self.answered += 1

    def drop(self):
        """All that is in quarantine now; what is sent again comes back there."""
        self.dropped = {key[0] for key, state in self.states().items() if state == "quarantined"}

    @property
    def balance(self):
        return f"{self.posts} posts of {len(self.versions)} versions"

    def states(self):
        """The truth: key -> state."""
        replaced = {version.parent for version in self.versions.values()}
        return {key: "superseded" if version.instance in replaced and version.fate == "delivered" else version.fate
                for key, version in self.versions.items()}

    def wrong(self, running):
        """Everything that is not as it must be; [] when the books balance."""
        ledger = Ledger(running, self.opened)
        states = self.states()
        return [*self.wrong_sums(ledger), *self.wrong_versions(ledger, states), *self.wrong_files(ledger),
                *self.wrong_national(running, ledger, states), *self.wrong_locked(running, states),
                *self.wrong_spool(running, states)]

    def wrong_sums(self, ledger):
        acknowledged = sum(version.is_acknowledged for version in self.versions.values())
        if len(self.versions) != acknowledged or acknowledged != len(ledger.versions) or self.posts != self.answered:
            yield (f"{len(self.versions)} versions sent, {acknowledged} acknowledged, {len(ledger.versions)} in the ledger;"
                   f" {self.posts} posts, {self.answered} answered")

    def wrong_versions(self, ledger, states):
        there = collections.defaultdict(list)
        for row in ledger.versions:
            there[row["instance_id"], row["xml"]].append((row["form_id"], row["record_id"], row["state"], row["missing"]))
        for key, version in self.versions.items():
            wanted = version.form, version.root, states[key], None
            told = there.pop(key, [])
            if told != [wanted]:
                yield f"{key}: in the ledger {told}, which should be {wanted}"
        yield from (f"{key} is in the ledger, and nobody sent it" for key in there)

    def wrong_files(self, ledger):
        """Of what is in quarantine they are there too, in the parcel."""
        for row in ledger.versions:
            version = self.versions.get((row["instance_id"], row["xml"]))
            wanted = version.files if version and version.fate != "quarantined" else {}
            there = ledger.files[row["sub_id"]]
            if version and there != wanted:
                yield f"{version.key}: files {there} where {wanted} were sent"

    def wrong_national(self, running, ledger, states):
        """The rows of each record's latest version, and no other."""
        ids = {(row["instance_id"], row["xml"]): row for row in ledger.versions}
        wanted = collections.defaultdict(list)
        for key, version in self.versions.items():
            if version.form != lives.FORM or states[key] != "delivered" or key not in ids:
                continue
            row = {"sub_id": ids[key]["sub_id"], "form_id": version.form, "record": version.root,
                   "received_at": ids[key]["received_at"], "xml": version.xml}
            for table, rows in expected.rows_of(row).items():
                wanted[table] += rows
        for table in expected.TABLES:
            there = running.sql.rows(f"SELECT t.* FROM tip.{table} t {expected.OWN.get(table, '')}")
            yield from expected.compare(table, wanted[table], there)
        yield from missing_people(running, wanted["victim"])

    def wrong_locked(self, running, states):
        wanted = collections.Counter((version.root, version.instance, version.age) for key, version in self.versions.items()
                                     if version.form == locked.FORM and states[key] == "delivered")
        there = collections.Counter((row["record"], row["instance_id"], row["age"]) for row in running.sql.rows(
            "SELECT p.record, s.instance_id, p.age FROM lab.person p LEFT JOIN relais.submission s USING (sub_id)"))
        yield from (f"lab.person: missing {row}" for row in wanted - there)
        yield from (f"lab.person: unexpected {row}" for row in there - wanted)

    def wrong_spool(self, running, states):
        """Nothing waits; in quarantine is what must be, each with its reason. What a phone sends again
        is put aside again: it may hold other files."""
        wanted = {key[0]: self.versions[key].tries for key, state in states.items() if state == "quarantined"}
        there = collections.Counter()
        for path in running.files():
            place = os.path.relpath(path, running.spool)
            if place.startswith("quarantine/") and place.endswith(".parcel"):
                there[running.instance_aside(path)] += 1
                if not os.path.exists(path + ".reason"):
                    yield f"{place} has no reason"
            elif not re.fullmatch(r"../tmp/.*|quarantine/.*\.reason|sources/.*", place):
                yield f"left in the spool: {place}"
        yield from (f"{instance} is not in quarantine" for instance in wanted
                    if instance not in there and instance not in self.dropped)
        yield from (f"{instance} is in quarantine {count} times" for instance, count in there.items()
                    if count > wanted.get(instance, 0))


class Ledger:
    """What is kept, with the hashes taken again from its bytes, opened where they are sealed."""

    def __init__(self, running, opened):
        self.running, self.opened = running, opened
        self.versions = running.sql.rows(VERSIONS)
        files = running.sql.rows(FILES)
        self.open(self.versions, "xml")
        self.open(files, "file")
        for row in self.versions:
            row["xml"] = opened[row["kept"], row["seal"]][0]
        self.files = collections.defaultdict(collections.Counter)
        for row in files:
            sha256, size = opened[row["kept"], row["seal"]]
            self.files[row["sub_id"]][row["name"], sha256 if size == row["size"] else f"not {row['size']} bytes"] += 1

    def open(self, rows, kind):
        """Only what was not opened before: the bytes are the same if their hash is."""
        new = [row for row in rows if (row["kept"], row["seal"]) not in self.opened]
        seals = {row["kept"]: row["seal"] for row in new}
        ids = sorted({row["sub_id"] for row in new})
        for at in range(0, len(ids), AT_ONCE):
            listed = ", ".join(f"'{one}'" for one in ids[at:at + AT_ONCE])
            for row in self.running.sql.rows(BYTES[kind].format(listed)):
                if row["kept"] in seals:
                    data = self.running.plain_bytes(row["bytes"], seals[row["kept"]])
                    self.opened[row["kept"], seals[row["kept"]]] = hashlib.sha256(data).hexdigest(), len(data)


def missing_people(running, wanted):
    people = {row["victim_id"]: row["national_code"]
              for row in running.sql.rows("SELECT victim_id, national_code FROM tip.victim")}
    return [f"victim: {row} is missing" for row in wanted if people.get(row["victim_id"]) != row["national_code"]]
