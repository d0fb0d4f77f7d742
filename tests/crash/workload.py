"""What phones send in the crash tests: each path through Relais once, with the same bytes in every
run, so that every run must end in the same rows.
"""
import dataclasses
import hashlib
import os
import random
import re
import time
import uuid

import stand  # noqa: F401  (finds the end-to-end tests' parts)
import collect
import test_national_lives as lives

PATIENCE = 400  # tries until a submission is acknowledged
rng = random.Random(20260806)


@dataclasses.dataclass(frozen=True)
class Sent:
    """One press of the button "send"."""
    name: str
    xml: str
    files: tuple = ()
    place: str = "openrosa"  # or central, where the copy is captured

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


class Workload:
    def __init__(self):
        self.erased = sample("bf_tip_ident", "child")
        child, adult = sample("bf_tip_ident", "child"), sample("bf_tip_ident", "adult")
        several, refused = sample("bf_tip_ident", "several"), sample("bf_tip_ident", "child")
        pair = photo("1.jpg", 2000), photo("2.jpg", 3000), photo("3.jpg", 1)
        month = sample("bf_tip_mois", "usual")
        self.sent = [
            Sent("new, with files", child, (photo("photo.jpg", 3000), ("empty.bin", b""))),
            Sent("new, without", adult),
            Sent("the same again", adult),
            Sent("an edit", edit(child, ("<age>11", "<age>12"))),
            Sent("the first version again", child),
            Sent("first part", several, pair[:2]),
            Sent("second part", several, pair[1:]),
            Sent("large enough for a file of nginx's", sample("bf_tip_ident", "presumed"), (photo("film.mp4", 70_000),)),
            Sent("refused", replaced(refused, "<age>11", "<age>onze ans"), (photo("p.jpg", 500),)),
            Sent("of an organisation to come", replaced(month, "POL-HOU", "NEW-KAD")),
            Sent("a person erased meanwhile", self.erased),
            Sent("other bytes under one id", adult.replace("</age>", " </age>", 1)),
            Sent("of a form whose mapping comes later", sample("bf_tip_suivi", "before-intake")),
            Sent("captured", sample("bf_tip_case", "acquitted"), (photo("doc.pdf", 1200),), "central"),
            Sent("captured again", sample("bf_tip_ident", "vital"), (), "central"),
        ]
        self.carried = [Sent("on a stick", sample("bf_tip_ident", name), (photo(f"{name}.jpg", size),))
                        for name, size in (("adult", 100), ("child", 90_000), ("mandate", 0))]

    def write_folder(self, directory):
        """A phone's folder with what was never sent, and one that was."""
        for number, one in enumerate([*self.carried, self.sent[0]]):
            folder = os.path.join(directory, "instances", f"Fiche_{number}")
            os.makedirs(folder)
            for name, data in [(f"Fiche_{number}.xml", one.xml.encode()), *one.files]:
                with open(os.path.join(folder, name), "wb") as file:
                    file.write(data)
        return directory


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
