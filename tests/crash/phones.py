"""Phones that never stop, and the person with the stick: what they send, drawn from a seed.

Each phone does what phones do: new submissions, the same again, files in later posts, edits, edits
before what they replace, two contents under one id, locked ones, answers that do not fit; through
the location that serves or the one that captures. It sends each post until it is acknowledged.
"""
import os
import random
import re
import shutil
import tempfile
import threading
import time

import stand  # noqa: F401  (finds the end-to-end tests' parts)
import collect
import envelope
import lives
import locked
from book import Version

PAUSE = 0.05      # seconds between two posts of a phone, at most twice that
PATIENCE = 150    # seconds until a post must be acknowledged
BUSY = 0.5        # seconds until a phone comes again that was told to: the disk is small, and others want room
SITUATIONS = ("adult", "child", "presumed")
SIZES = (0, 1, 2000, 40_000)
AGE = re.compile(rb"<age>(\d+)</age>")
KEPT = 40         # of its own submissions that a phone still has


class Sender(threading.Thread):
    def __init__(self, running, over, seed):
        super().__init__(daemon=True)
        self.running, self.book, self.over = running, running.book, over
        self.rng = random.Random(seed)
        self.refused = []

    def fresh(self):
        instance, xml = lives.fresh(self.rng.choice(SITUATIONS), self.rng)
        return Version(lives.FORM, instance, xml, instance)

    def photo(self, name="photo.jpg"):
        return name, self.rng.randbytes(self.rng.choice(SIZES))


class Phone(Sender):
    def __init__(self, running, over, seed):
        super().__init__(running, over, seed)
        self.url = f"http://{running.web.host}"
        self.statuses = set()  # of what was not acknowledged; None: no answer
        self.sent = 0          # posts that were acknowledged
        self.own = []          # (version, files) that a person may send again
        self.later = []        # posts that wait for their time
        self.tips = []         # national versions that no edit replaces yet
        self.habits, weights = zip(*{
            self.new: 30, self.again: 12, self.in_parts: 10, self.edited: 12, self.edit_first: 6, self.other_bytes: 4,
            self.locked_whole: 5, self.locked_in_parts: 5, self.locked_edit: 3, self.refused_answer: 2, self.in_the_clear: 1,
            self.what_waits: 10}.items())
        self.weights = weights

    def run(self):
        while not self.over.is_set() and not self.refused:
            self.rng.choices(self.habits, self.weights)[0]()
            time.sleep(self.rng.uniform(0, 2 * PAUSE))
        while self.later and not self.refused:
            self.what_waits()

    # ---- habits -----------------------------------------------------------------------------------

    def new(self):
        version = self.fresh()
        if self.send(version, [self.photo()] if not self.own or self.rng.random() < 0.7 else []):
            self.tips.append(version)

    def again(self):
        if self.own:
            self.send(*self.rng.choice(self.own))

    def in_parts(self):
        """The first now, the others when their time comes, in any order."""
        version = self.fresh()
        files = [self.photo(f"{number}.jpg") for number in range(self.rng.randint(2, 4))]
        self.rng.shuffle(files)
        if self.send(version, files[:1]):
            self.later += [(version, [file]) for file in files[1:]]

    def edited(self):
        if self.tips:
            edit = self.edit(self.tips.pop(self.rng.randrange(len(self.tips))))
            if self.send(edit, [self.photo("edit.jpg")] if self.rng.random() < 0.3 else []):
                self.tips.append(edit)

    def edit_first(self):
        """The first version of two or three comes last."""
        chain = [self.fresh()]
        for _ in range(self.rng.randint(1, 2)):
            chain.append(self.edit(chain[-1]))
        if self.send(chain[-1], []):
            self.later += [(version, [self.photo()]) for version in chain[:-1]]
            self.tips.append(chain[-1])

    def other_bytes(self):
        version = self.fresh()
        other = Version(version.form, version.instance, version.xml.replace(b"</age>", b" </age>", 1), version.root,
                        fate="conflict")
        if self.send(version, [self.photo()]):
            self.send(other, [self.photo("other.jpg")])

    def edit(self, version):
        instance = lives.new_instance(self.rng)
        # A year more, and back: the samples' ages are odd, and the other answers fit no younger person.
        xml = AGE.sub(lambda found: b"<age>%d</age>" % (int(found[1]) + (1 if int(found[1]) % 2 else -1)), version.xml,
                      count=1)
        xml = re.sub(rb"<deprecatedID>[^<]*</deprecatedID>", b"", xml).replace(
            version.instance.encode(), instance.encode(), 1).replace(
            b"</orx:meta>", f"<deprecatedID>{version.instance}</deprecatedID></orx:meta>".encode())
        return Version(version.form, instance, xml, version.root, version.instance)

    def locked_version(self, files=(), parent=None):
        """And its parts."""
        instance, age = lives.new_instance(self.rng), self.rng.randint(1, 90)
        public = self.running.project.public[self.rng.choice(("project", "next"))]
        made = locked.lock(public, instance, age, files, parent and parent.instance,
                           self.rng.choice((envelope.COLLECT, envelope.ENKETO)))
        version = Version(locked.FORM, instance, made.xml, parent.root if parent else instance,
                          parent and parent.instance, age=age)
        return version, list(made.parts)

    def locked_whole(self):
        self.send(*self.locked_version([self.photo()]))

    def locked_in_parts(self):
        """The envelope now, alone or with a part; the others when their time comes."""
        version, parts = self.locked_version([self.photo(), self.photo("film.mp4")])
        self.rng.shuffle(parts)
        now = self.rng.randint(0, 2)
        if self.send(version, parts[:now]):
            self.later += [(version, [part]) for part in parts[now:]]

    def locked_edit(self):
        """The edit before or after the first version."""
        both = [self.locked_version()]
        both.append(self.locked_version(parent=both[0][0]))
        self.rng.shuffle(both)
        if self.send(*both[0]):
            self.later.append(both[1])

    def refused_answer(self):
        version = self.fresh()
        version.xml, version.fate = AGE.sub(rb"<age>onze</age>", version.xml, count=1), "quarantined"
        self.send(version, [self.photo()])

    def in_the_clear(self):
        instance = lives.new_instance(self.rng)
        self.send(Version(locked.FORM, instance, locked.plain(instance, 7), instance, fate="quarantined"), [self.photo()])

    def what_waits(self):
        if self.later:
            self.send(*self.later.pop(self.rng.randrange(len(self.later))))

    # ---- the wire ---------------------------------------------------------------------------------

    def send(self, version, files):
        """True when it is acknowledged."""
        place = "openrosa" if self.rng.random() < 0.85 else "central"
        self.book.sent(version)
        until, why = time.monotonic() + PATIENCE, None
        while time.monotonic() < until:
            self.book.tried(version)
            try:
                self.post(place, version.xml, files)
            except collect.Failed as failed:
                self.statuses.add(failed.status)
                why = failed
                if failed.status is not None and failed.status < 500:
                    self.refused.append(str(failed))
                    return False
                time.sleep(BUSY if failed.status == 503 else 0.02)
                continue
            self.book.acknowledge(version, files)
            self.sent += 1
            self.own = [*self.own[-KEPT:], (version, files)]
            return True
        self.refused.append(f"never acknowledged: {why}")
        return False

    def post(self, place, xml, files):
        """The upstream behind the other place answers every request alike, so it is not asked beforehand."""
        with collect.Phone(f"{self.url}/{place}", timeout=30) as phone:
            if place == "openrosa":
                phone.send(xml, files)
                return
            parts = collect.submission_parts(xml, [collect.File(*file) for file in files])
            response = phone.request("POST", f"{phone.server_url}/submission", parts=parts)
            if response.status not in (201, 202):
                raise collect.Failed("not accepted", response.status)


class Carrier(Sender):
    """Now and then brings a phone's folder with what was never sent, twice."""
    EVERY = 4  # seconds at most

    def run(self):
        while not self.over.wait(self.rng.uniform(0, self.EVERY)):
            self.carry()

    def carry(self):
        place = tempfile.mkdtemp(dir=self.running.dir)
        carried = [(self.fresh(), [self.photo(f"{number}.jpg")]) for number in range(self.rng.randint(1, 3))]
        for number, (version, files) in enumerate(carried):
            self.book.sent(version)
            folder = os.path.join(place, "instances", f"Fiche_{number}")
            os.makedirs(folder)
            for name, data in [(f"Fiche_{number}.xml", version.xml), *files]:
                with open(os.path.join(folder, name), "wb") as file:
                    file.write(data)
        for _ in range(2):
            self.bring(place)
        for version, files in carried:
            self.book.acknowledge(version, files)
        shutil.rmtree(place)

    def bring(self, place):
        """Repeated until it says that all is well."""
        until = time.monotonic() + PATIENCE
        while (done := self.running.run("import", place, check=False)).returncode != 0:
            if time.monotonic() > until:
                self.refused.append(f"import ended with {done.returncode}: {done.stderr[-300:]}")
                return
            time.sleep(0.1)
