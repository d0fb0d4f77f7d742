"""Submissions to play with, and the book of what phones were told is safe.

A submission is made from one of xforms/samples by giving it an instanceID and a card of its
own; everything else stays as Collect wrote it.
"""
import glob
import hashlib
import os
import random
import re
import threading
import uuid

from quickstart import ROOT

FORM = "bf_tip_ident"
SAMPLES = os.path.join(ROOT, "xforms", "samples")


def sample_names():
    paths = sorted(glob.glob(os.path.join(SAMPLES, FORM + "-*.xml")))
    return [os.path.basename(path)[len(FORM) + 1:-len(".xml")] for path in paths]


def read_sample(name):
    with open(os.path.join(SAMPLES, f"{FORM}-{name}.xml"), "rb") as file:
        return file.read()


def card(rng):
    """A valid card code: ten digits and two check digits, ISO 7064 MOD 97-10."""
    digits = str(rng.randint(1_000_000_000, 9_999_999_999))
    return digits + f"{98 - int(digits) * 100 % 97:02d}"


def new_instance(rng):
    return "uuid:" + str(uuid.UUID(int=rng.getrandbits(128), version=4))


def instance_of(xml):
    found = re.search(rb"instanceID>([^<]*)<", xml)
    return found.group(1).decode() if found else None


def with_answer(xml, path, value):
    """The submission with another text in the first element of that path (from the root)."""
    start, end = 0, len(xml)
    for name in path.split("/"):
        found = re.compile(rb"<" + name.encode() + rb"(\s[^>]*)?>").search(xml, start, end)
        if not found:
            raise AssertionError(f"the sample has no answer {path}")
        start = found.end()
        end = xml.index(b"</" + name.encode() + b">", start)
    return xml[:start] + value + xml[end:]


def fresh(name, rng, instance=None):
    """A new submission in the situation of a sample: (instanceID, XML bytes)."""
    xml = read_sample(name)
    instance = instance or new_instance(rng)
    xml = re.sub(rb"(instanceID>)[^<]*", rb"\g<1>" + instance.encode(), xml, count=1)
    old = re.findall(rb">(\d{12})<", xml)
    for code in set(old):
        xml = xml.replace(code, card(rng).encode())
    return instance, xml


def sha256(data):
    return hashlib.sha256(data).hexdigest()


class Book:
    """What was sent and acknowledged; balance() holds it against the ledger."""

    def __init__(self):
        self.lock = threading.Lock()
        self.submissions = {}  # (instance, sha256 of the XML) -> {(name, sha256): size}

    def acknowledge(self, instance, xml, files=()):
        key = (instance or "sha256:" + sha256(xml), sha256(xml))
        with self.lock:
            known = self.submissions.setdefault(key, {})
            for name, data, *_ in files:
                known[(name, sha256(data))] = len(data)

    def balance(self, server):
        """Lists every difference between the book and the ledger; empty when there is none.

        The ledger's hashes are taken again from its bytes, opened where they are sealed: what is
        compared is what is kept.
        """
        rows = server.sql(
            "SELECT instance_id, encode(xml, 'hex') AS xml, seal, state,"
            "       count(*) OVER (PARTITION BY form_id, instance_id, xml_sha256) AS copies"
            "  FROM relais.submission WHERE xml IS NOT NULL")
        files = server.sql(
            "SELECT s.instance_id, encode(s.xml_sha256, 'hex') AS xml, a.name, a.size,"
            "       encode(a.bytes, 'hex') AS bytes, a.seal"
            "  FROM relais.attachment a JOIN relais.submission s USING (sub_id)")
        kept = {(row["instance_id"], sha256(server.plain_bytes(row["xml"], row["seal"]))): row for row in rows}
        attached = {}
        for row in files:
            key = (row["instance_id"], row["xml"])
            data = server.plain_bytes(row["bytes"], row["seal"])
            attached.setdefault(key, {})[(row["name"], sha256(data))] = row["size"]
            if row["size"] != len(data):
                return [f"an attachment of {key} says {row['size']} bytes and has {len(data)}"]
        wrong = []
        for key, expected in self.submissions.items():
            row = kept.get(key)
            if row is None:
                wrong.append(f"{key} was acknowledged and is not in the ledger")
            elif row["copies"] != 1:
                wrong.append(f"{key} is in the ledger {row['copies']} times")
            if attached.get(key, {}) != expected:
                wrong.append(f"{key}: files {attached.get(key, {})} where {expected} were sent")
        return wrong


def generator(seed):
    return random.Random(seed)
