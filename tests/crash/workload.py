"""What phones send in the crash tests: each path through Relais once, with the same bytes in every
run, so that every run must end in the same rows.
"""
import dataclasses
import datetime
import hashlib
import os
import random
import re
import time
import uuid

import stand  # noqa: F401  (finds the end-to-end tests' parts)
import collect
import envelope
import locked
import test_national_lives as lives

PATIENCE = 400  # tries until a submission is acknowledged
rng = random.Random(20260806)


CARD = re.compile("<(?:made|scan|typed)>(\\d+)<")


@dataclasses.dataclass(frozen=True)
class Sent:
    """One press of the button "send"."""
    name: str
    xml: str
    files: tuple = ()
    place: str = "openrosa"  # or central, where the copy is captured
    is_at_web: bool = False  # one of those with which nginx's worker is killed: each way of its own once

    @property
    def sha256(self):
        return hashlib.sha256(self.xml.encode()).hexdigest()

    @property
    def instance(self):
        return lives.instance_of(self.xml)


def photo(name, size):
    return name, rng.randbytes(size)


def identity():
    return f"uuid:{uuid.UUID(int=rng.getrandbits(128), version=4)}"


def sample(form, situation):
    """With ids that are the same in every run, and a card of its own."""
    xml = (lives.base.SAMPLES / f"{form}-{situation}.xml").read_text()
    xml = re.sub(r"instanceID>uuid:[0-9a-f-]{36}", f"instanceID>{identity()}", xml, count=1)
    return re.sub(r"<(made|scan|typed)>\d+<", lambda found: f"<{found[1]}>{lives.fresh_card()}<", xml)


def edit(xml, *changes):
    edited, old = lives.edit(xml, *changes), lives.instance_of(xml)
    return edited.replace(lives.instance_of(edited), identity()).replace("<deprecatedID></deprecatedID>",
                                                                         f"<deprecatedID>{old}</deprecatedID>")


def replaced(xml, old, new):
    if old not in xml:
        raise AssertionError(f"the sample has no {old}")
    return xml.replace(old, new)


def locked_person(public, *files, age=14, namespace=envelope.COLLECT):
    """An envelope, and the parts of it that are posts of their own."""
    made = locked.lock(public, identity(), age, files, namespace=namespace)
    return made.xml.decode(), made.parts


class Workload:
    """`project`: the keys of the encrypted form."""

    def __init__(self, project):
        self.before = sample("bf_tip_ident", "child")
        child, adult = sample("bf_tip_ident", "child"), sample("bf_tip_ident", "adult")
        several, refused = sample("bf_tip_ident", "several"), sample("bf_tip_ident", "child")
        self.pair = photo("1.jpg", 2000), photo("2.jpg", 3000), photo("3.jpg", 1)
        split, parts = locked_person(project.public["project"], *self.pair[:2])
        whole, all_parts = locked_person(project.public["project"], self.pair[2], age=15, namespace=envelope.ENKETO)
        rotated, rotated_parts = locked_person(project.public["next"], self.pair[0], age=16)
        clear = locked.plain(identity(), 17, ["1.jpg"]).decode()
        self.child, self.rival = child, adult.replace("</age>", " </age>", 1)
        self.sent = [
            Sent("new, with files", child, (photo("photo.jpg", 3000), ("empty.bin", b"")), is_at_web=True),
            Sent("new, without", adult),
            Sent("the same again", adult),
            Sent("an edit", edit(child, ("<age>11", "<age>12"))),
            Sent("the first version again", child),
            Sent("first part", several, self.pair[:2]),
            Sent("second part", several, self.pair[1:]),
            Sent("large enough for a file of nginx's", sample("bf_tip_ident", "presumed"), (photo("film.mp4", 70_000),),
                 is_at_web=True),
            Sent("refused", replaced(refused, "<age>11", "<age>onze ans"), (photo("p.jpg", 500),)),
            Sent("of an organisation to come", replaced(sample("bf_tip_mois", "usual"), "POL-HOU", "NEW-KAD")),
            Sent("a person erased meanwhile", self.before),
            Sent("other bytes under one id", self.rival),
            Sent("of a form whose mapping comes later", sample("bf_tip_suivi", "before-intake")),
            Sent("an envelope and its first file", split, parts[:1], is_at_web=True),
            Sent("its others", split, parts[1:]),
            Sent("an envelope alone", whole),
            Sent("the submission inside", whole, all_parts[1:]),
            Sent("its photo", whole, all_parts[:1]),
            Sent("locked for a key that comes later", rotated, rotated_parts),
            Sent("in the clear, of a form that is encrypted", clear, self.pair[:1]),
            Sent("captured", sample("bf_tip_case", "acquitted"), (photo("doc.pdf", 1200),), "central", is_at_web=True),
            Sent("captured again", sample("bf_tip_ident", "vital"), (), "central"),
        ]
        self.carried = [Sent("on a stick", sample("bf_tip_ident", name), (photo(f"{name}.jpg", size),))
                        for name, size in (("adult", 100), ("child", 90_000), ("mandate", 0))]
        # Of the person who is erased: delivered already, and what is still on its way or was put aside.
        again = edit(child, ("<age>11", "<age>13"))
        self.erased = child
        self.on_its_way = [
            Sent("once more with another file", child, self.pair[:1]),
            Sent("an edit on its way", again, self.pair[1:2]),
            Sent("an edit that is refused", replaced(edit(child, ("<age>11", "<age>14")), "<age>14", "<age>quatorze")),
            Sent("of somebody else", sample("bf_tip_ident", "adult")),
        ]
        self.there = [Sent("at another server", sample("bf_tip_ident", name), (photo(f"{name}.jpg", size),))
                      for name, size in (("mandate", 700), ("presumed", 40_000), ("vital", 0))]

    @property
    def at_web(self):
        return [one for one in self.sent if one.is_at_web]

    @property
    def card(self):
        """Of the person who is erased."""
        return CARD.search(self.erased)[1]

    def write_folder(self, directory):
        """A phone's folder with what was never sent, and one that was."""
        for number, one in enumerate([*self.carried, self.sent[0]]):
            folder = os.path.join(directory, "instances", f"Fiche_{number}")
            os.makedirs(folder)
            for name, data in [(f"Fiche_{number}.xml", one.xml.encode()), *one.files]:
                with open(os.path.join(folder, name), "wb") as file:
                    file.write(data)
        return directory

    def fill(self, central):
        """Another server, with what no phone sent here, an edit, and one that was sent to both."""
        when = datetime.datetime(2026, 11, 20, 8, tzinfo=datetime.timezone.utc)
        for number, one in enumerate([*self.there, self.sent[0]]):
            central.submit("bf_tip_ident", one.xml.encode(), dict(one.files), when + datetime.timedelta(hours=number))
        first = self.there[0]
        self.there_edited = Sent("edited there", edit(first.xml, ("<age>14", "<age>15")), first.files)
        central.edit("bf_tip_ident", first.instance, self.there_edited.xml.encode(), when=when + datetime.timedelta(hours=9))


class Phone:
    """Sends one thing after the other, each until it is acknowledged, and keeps the book."""

    def __init__(self, url):
        self.url = url
        self.acknowledged = []
        self.again = 0

    def send(self, one):
        for _ in range(PATIENCE):
            try:
                self.post(one)
                self.acknowledged.append(one)
                return
            except collect.Failed as failed:
                if failed.status is not None and failed.status < 500:
                    raise
            self.again += 1
            time.sleep(0.005)
        raise AssertionError(f"never acknowledged: {one.name}")

    def post(self, one):
        """The upstream of tests/load answers every request alike, so it is not asked beforehand."""
        with collect.Phone(f"{self.url}/{one.place}", device="collect:crash") as phone:
            if one.place == "openrosa":
                phone.send(one.xml.encode(), one.files)
                return
            parts = collect.submission_parts(one.xml.encode(), [collect.File(*file) for file in one.files])
            response = phone.request("POST", f"{phone.server_url}/submission", parts=parts)
            if response.status not in (201, 202):
                raise collect.Failed(f"answered with {response.status}", response.status)
