"""Encrypted forms, from the phone to the row: envelopes that the openssl command made go through a
real nginx and `relais forward` into a real PostgreSQL, and no plain answer is written on the way.
"""
import grp
import itertools
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import tempfile
import time
import unittest
import uuid

import envelope
from builds import on_release
from collect import File, Phone, submission_parts
from database import Database
from keys import Keys
from webserver import wait_until, IS_ROOT, SHARDS, WebServer

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAME = "encrypted"
FORM = "locked"
SECRET = "Ouedraogo Salamata"  # an answer that must lie nowhere in the clear
PHOTO = b"\xff\xd8" + b"a face that nobody may see" * 2000
MAPPING = """<mapping xmlns="urn:relais:mapping:1" form="{form}" {attributes}>
  <row table="lab.person">
    <column name="person_id" select="uuid5('lab.person', $record)"/>
    <column name="sub_id" select="$submission"/>
    <column name="record" select="$record"/>
    <column name="age" select="age"/>
    <column name="sent_by" select="$device"/>
  </row>
  <file select="photo"/>
  <file select="film"/>
  <ignore select="name" reason="nobody's table"/>
</mapping>"""

database = Database()
directory = tempfile.mkdtemp(prefix="relais-encrypted-")
server = WebServer()
keys = Keys(directory)
conf = pathlib.Path(directory, "relais.conf")
public = {}


def setUpModule():
    unittest.addModuleCleanup(shutil.rmtree, directory, ignore_errors=True)
    unittest.addModuleCleanup(database.remove)
    unittest.addModuleCleanup(server.remove)
    database.start()
    database.create(NAME)
    keys.make()
    configure(None, mappings=ROOT / "transforms")
    database.psql(NAME, relais("plan").stdout)
    database.psql(NAME, "CREATE SCHEMA lab; CREATE TABLE lab.person (person_id uuid PRIMARY KEY, sub_id uuid NOT NULL,"
                        " record text NOT NULL, age integer NOT NULL, sent_by text)")
    for place, name, passphrase in (("first", "project", None), ("both", "next", "cinq mots que nul ne devine"),
                                    ("other", "stranger", None)):
        os.makedirs(path(place), exist_ok=True)
        public[name] = envelope.make_key(path(place), name, passphrase=passphrase)
    shutil.copy2(path("first/project.pem"), path("both/project.pem"))
    os.mkdir(path("mappings"))
    map_form('sensitive="yes" encrypted="yes"')
    own_spool()
    publish()
    publish("unsealed")
    server.start()


def path(name):
    return os.path.join(directory, name)


def map_form(attributes, form=FORM):
    pathlib.Path(path("mappings"), form + ".xml").write_text(MAPPING.format(form=form, attributes=attributes))


def publish(form=FORM, key="the project's"):
    """A form as `relais form encrypt` leaves it; without a key it is not encrypted."""
    locks = f'<submission base64RsaPublicKey="{key}"/>' if key else ""
    server.publish(form + ".xml", f"""<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml">
<h:head><h:title>F</h:title><model><instance><data id="{form}" version="1"><name/><age/><photo/><film/>
<meta><instanceID/></meta></data></instance>{locks}</model></h:head><h:body/></h:html>""".encode())


def own_spool():
    """The forwarder is this test's user, nginx's workers are www-data."""
    modes = {"": 0o2710, "quarantine": 0o2700}
    for shard in SHARDS:
        modes |= {shard: 0o2710, shard + "/tmp": 0o2730, shard + "/new": 0o2730}
    for place, mode in modes.items():
        place = os.path.join(server.spool, place)
        if IS_ROOT:
            os.chown(place, 0, grp.getgrnam("www-data").gr_gid)
        os.chmod(place, mode)


def configure(key_directory, mappings=None, settings=None):
    encryption = f"[encryption]\nkeys = {path(key_directory)}\n" if key_directory else ""
    conf.write_text(f"[spool]\ndirectory = {server.spool}\nfloor = 1M\n[store]\nconninfo = {database.conninfo(NAME)}\n"
                    f"[mappings]\ndirectory = {mappings or path('mappings')}\n[forms]\ndirectory = {server.forms}\n"
                    + encryption + (keys.settings if settings is None else settings))


def program():
    return os.path.join(os.environ.get("RELAIS_BIN") or os.path.join(os.environ["RELAIS_BUILD"], "bin"), "relais")


def relais(*arguments):
    done = subprocess.run([program(), "--config", str(conf), *arguments], stdin=subprocess.DEVNULL, cwd="/",
                          capture_output=True, text=True, timeout=240, check=False,
                          env={**os.environ, "LC_ALL": "C.UTF-8"})
    relais.said += done.stdout + done.stderr
    return done


relais.said = ""


def query(sql):
    return json.loads(database.psql(NAME, f"SELECT coalesce(json_agg(q), '[]') FROM ({sql}) AS q"))


def files_of_spool(*patterns):
    return [file for pattern in patterns for file in pathlib.Path(server.spool).glob(pattern) if file.is_file()]


def new_id():
    return f"uuid:{uuid.uuid4()}"


def document(instance, age=14, files=(), deprecated=None, form=FORM):
    named = "".join(f"<{tag}>{name}</{tag}>" for tag, name in zip(("photo", "film"), files))
    replaced = f"<deprecatedID>{deprecated}</deprecatedID>" if deprecated else ""
    return (f'<data id="{form}" version="1"><name>{SECRET}</name><age>{age}</age>{named}'
            f'<meta xmlns="http://openrosa.org/xforms"><instanceID>{instance}</instanceID>{replaced}</meta></data>').encode()


class Locked:
    """A submission as the phone has it after locking."""

    def __init__(self, files=(), age=14, key="project", deprecated=None, form=FORM, xml=None, **options):
        self.instance = new_id()
        xml = xml(self.instance) if xml else document(self.instance, age, [name for name, _ in files], deprecated, form)
        self.xml, self.parts = envelope.lock(public[key], form, "1", self.instance, xml, files, **options)

    def files(self, names=None):
        return [File(name, data) for name, data in self.parts.items() if names is None or name in names]


class Encrypted(unittest.TestCase):
    def setUp(self):
        for file in files_of_spool("quarantine/*", "*/new/*"):
            file.unlink()
        configure("first")
        self.phone = Phone(server.url)
        self.addCleanup(self.phone.close)

    def send(self, locked, names=None, is_incomplete=False):
        answer = self.phone.request("POST", server.url + "/submission", parts=submission_parts(
            locked.xml, locked.files(names), is_incomplete=is_incomplete))
        self.assertEqual(answer.status, 201)

    def forward(self, code=0):
        done = relais("forward", "--once")
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertEqual(files_of_spool("*/new/*", "*/tmp/*"), [])
        return done.stderr

    def deliver(self, *all_of_them):
        for locked in all_of_them:
            self.send(locked)
        self.forward()
        for locked in all_of_them:
            self.assert_delivered(locked)

    def ledger(self, locked):
        return query("SELECT state, missing, reason ->> 'class' AS class, record_id, deprecated_id, seal,"
                     " encode(xml, 'hex') AS xml, (SELECT count(*) FROM relais.attachment a WHERE a.sub_id = s.sub_id)"
                     f" AS files FROM relais.submission s WHERE instance_id = '{locked.instance}'")

    def rows(self, locked):
        return query(f"SELECT p.* FROM lab.person p JOIN relais.submission s USING (sub_id)"
                     f" WHERE s.instance_id = '{locked.instance}'")

    def assert_delivered(self, locked, age=14):
        ledger = self.ledger(locked)
        self.assertEqual([(row["state"], row["missing"], row["seal"]) for row in ledger], [("delivered", None, None)])
        self.assertEqual(bytes.fromhex(ledger[0]["xml"]), locked.xml)
        self.assertEqual(ledger[0]["files"], len(locked.parts))
        self.assertEqual([row["age"] for row in self.rows(locked)], [age])

    def assert_waits(self, locked, missing):
        ledger = self.ledger(locked)
        self.assertEqual([(row["state"], sorted(row["missing"])) for row in ledger], [("partial", sorted(missing))])
        self.assertEqual(self.rows(locked), [])

    def assert_refused(self, locked, word, kept=1):
        """In quarantine for that reason, in the ledger too, and without rows."""
        reasons = [dict(line.split(": ", 1) for line in file.read_text().splitlines() if ": " in line)
                   for file in files_of_spool("quarantine/*.reason")]
        self.assertEqual([reason["class"] for reason in reasons], [word] * kept)
        for reason in reasons:
            self.assertNotIn(SECRET, str(reason))
        self.assertEqual([(row["state"], row["class"]) for row in self.ledger(locked)], [("quarantined", word)])
        self.assertEqual(self.rows(locked), [])

    def replay_quarantine(self):
        done = relais("quarantine", "replay", "--all")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.forward()


class Shapes(Encrypted):
    """Envelopes as the clients make them."""

    def test_both_namespaces_and_any_order_of_children(self):
        orders = [" ".join(order) for order in itertools.permutations("key meta media file sign".split())]
        some = random.Random(6).sample(orders, 10) + ["key file media sign meta"]  # the last is ODK Web Forms'
        self.deliver(*(Locked([("a.jpg", PHOTO), ("b.mp4", b"film")], order=order,
                              namespace=(envelope.COLLECT, envelope.ENKETO)[i % 2])
                       for i, order in enumerate(some)))

    def test_several_files_in_one_media_an_empty_one_and_none(self):
        self.deliver(Locked([("a.jpg", PHOTO), ("b.mp4", b"")], one_media=True), Locked(),
                     Locked([("empty.jpg", b"")], namespace=envelope.ENKETO))

    def test_of_a_form_whose_mapping_does_not_say_so(self):
        """More locked than was asked for: nothing is disclosed, and `relais check` tells of it."""
        map_form('sensitive="yes"', "quiet")
        self.addCleanup(os.unlink, path("mappings/quiet.xml"))
        publish("quiet")
        locked = Locked([("a.jpg", PHOTO)], form="quiet")
        wait_until(lambda: self.phone.request("POST", server.url + "/submission", parts=submission_parts(
            locked.xml, locked.files())).status == 201, 10, "the form to be published")
        self.forward()
        self.assert_delivered(locked)

    def test_without_signature(self):
        self.deliver(Locked([("a.jpg", PHOTO)], order="key file media meta"))

    def test_an_answer_that_does_not_fit_is_told_by_its_path(self):
        locked = Locked(age="onze")
        self.send(locked)
        self.forward()
        self.assert_refused(locked, "data")
        self.assertIn("/data/age", files_of_spool("quarantine/*.reason")[0].read_text())


class Split(Encrypted):
    """Files in several posts: nothing is opened before all are there."""

    FILES = [("a.jpg", PHOTO), ("b.mp4", b"film"), ("c.txt", b"")]

    def test_any_order(self):
        orders = random.Random(7).sample(list(itertools.permutations(range(4))), 6)
        for order in orders:
            locked = Locked(self.FILES)
            names = [list(locked.parts)[i] for i in order]
            for i, name in enumerate(names):
                self.send(locked, [name], is_incomplete=i < 3)
                self.forward()
                if i < 3:
                    self.assert_waits(locked, names[i + 1:])
            self.assert_delivered(locked)

    def test_all_posts_in_one_batch_and_one_of_them_again(self):
        locked = Locked(self.FILES)
        for name in (*reversed(locked.parts), list(locked.parts)[1]):
            self.send(locked, [name])
        self.forward()
        self.assert_delivered(locked)

    def test_without_any_file_at_first(self):
        locked = Locked(self.FILES)
        self.send(locked, [])
        self.forward()
        self.assert_waits(locked, list(locked.parts))
        waiting = json.loads(relais("status", "--json").stdout)
        self.assertIn("submission.xml.enc", json.dumps(waiting))
        self.deliver(locked)

    def test_sent_again_after_delivery(self):
        locked = Locked(self.FILES)
        self.deliver(locked)
        self.send(locked)
        self.send(locked, ["a.jpg.enc"])
        self.deliver(locked)
        self.assertEqual(files_of_spool("quarantine/*"), [])

    def test_a_replay_leaves_what_waits_alone(self):
        locked = Locked(self.FILES)
        self.send(locked, ["a.jpg.enc"])
        self.forward()
        done = relais("replay", "--instance", locked.instance)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assert_waits(locked, ["b.mp4.enc", "c.txt.enc", "submission.xml.enc"])


class TheKeys(Encrypted):
    def test_a_wrong_key_and_then_the_right_one(self):
        configure("other")
        locked = Locked([("a.jpg", PHOTO)])
        self.send(locked)
        self.forward()
        self.assert_refused(locked, "no-key")
        self.assertIn(locked.xml, files_of_spool("quarantine/*.parcel")[0].read_bytes(),
                      "what is encrypted already needs no seal, and no second key to be replayed")
        configure("first")
        self.replay_quarantine()
        self.assert_delivered(locked)

    def test_no_keys_at_all_and_split_posts(self):
        configure(None)
        locked = Locked([("a.jpg", PHOTO)])
        for name in locked.parts:
            self.send(locked, [name])
        self.forward()
        self.assert_refused(locked, "no-key", kept=2)
        configure("first")
        self.replay_quarantine()
        self.assert_delivered(locked)

    def test_rotation_and_a_passphrase(self):
        configure("both")
        self.deliver(Locked(key="project"), Locked([("a.jpg", PHOTO)], key="next"))

    def test_a_key_that_others_may_read_is_refused_at_start(self):
        shutil.copytree(path("first"), path("open"))
        os.chmod(path("open/project.pem"), 0o644)
        configure("open")
        done = relais("forward", "--once")
        self.assertEqual(done.returncode, 1)
        self.assertIn("project.pem", done.stderr)

    def test_doctor_counts_them(self):
        configure("both")
        self.assertIn("2 keys of encrypted forms are readable", relais("doctor").stdout)


class Damage(Encrypted):
    def refuse(self, locked, word):
        self.send(locked)
        self.forward()
        self.assert_refused(locked, word)

    @staticmethod
    def flip(data, at):
        return data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]

    def test_a_changed_photo_and_the_same_sent_again(self):
        locked = Locked([("a.jpg", PHOTO)])
        whole = locked.parts["a.jpg.enc"]
        locked.parts["a.jpg.enc"] = self.flip(whole, 1000)
        self.refuse(locked, "signature")
        locked.parts["a.jpg.enc"] = whole
        self.send(locked)
        self.forward()
        self.assert_delivered(locked)

    def test_a_damaged_file_that_came_first(self):
        """It lies in the ledger already; the whole one that comes later counts."""
        locked = Locked([("a.jpg", PHOTO)])
        whole = locked.parts["a.jpg.enc"]
        locked.parts["a.jpg.enc"] = whole[:-16]
        self.send(locked, ["a.jpg.enc"])
        self.forward()
        self.assert_waits(locked, ["submission.xml.enc"])
        locked.parts["a.jpg.enc"] = whole
        self.send(locked)
        self.forward()
        self.assertEqual(self.ledger(locked)[0]["state"], "delivered")
        self.assertEqual(len(self.rows(locked)), 1)

    def test_a_cut_file(self):
        for cut in (slice(0, -5), slice(0, 0)):
            locked = Locked([("a.jpg", PHOTO)])
            locked.parts["a.jpg.enc"] = locked.parts["a.jpg.enc"][cut]
            self.refuse(locked, "damaged-file")
            self.setUp()

    def test_changed_xml(self):
        for order, word in (("key meta media file sign", "signature"), ("key meta media file", "damaged-file")):
            locked = Locked(order=order)
            locked.parts["submission.xml.enc"] = self.flip(locked.parts["submission.xml.enc"], 0)
            self.refuse(locked, word)
            self.setUp()

    def test_an_exchanged_key(self):
        locked, other = Locked(), Locked()
        start, end = b"<base64EncryptedKey>", b"</base64EncryptedKey>"
        locked.xml = (locked.xml[:locked.xml.index(start)] + other.xml[other.xml.index(start):other.xml.index(end)]
                      + locked.xml[locked.xml.index(end):])
        self.refuse(locked, "damaged-file")

    def test_another_submission_inside(self):
        self.refuse(Locked(xml=lambda instance: document(new_id())), "envelope")
        self.setUp()
        self.refuse(Locked(xml=lambda instance: document(instance, form="another")), "envelope")

    def test_no_envelope(self):
        locked = Locked(order="meta file")
        self.send(locked)
        self.forward()
        self.assert_refused(locked, "envelope")

    def test_more_xml_than_a_plain_one_may_have(self):
        self.refuse(Locked(xml=lambda instance: document(instance) + b" " * 9_000_000), "limit")


class Edits(Encrypted):
    """Which version is replaced stands inside only."""

    def test_in_both_orders_and_with_a_photo_that_is_not_sent_again(self):
        for is_first in (True, False):
            first = Locked([("a.jpg", PHOTO)])
            edit = Locked(age=15, xml=lambda instance: document(instance, 15, ["a.jpg"], first.instance))
            for locked in (first, edit) if is_first else (edit, first):
                self.send(locked)
                self.forward()
            self.assertEqual([(row["state"], row["record_id"]) for row in self.ledger(first)],
                             [("superseded", first.instance)])
            self.assertEqual([(row["record_id"], row["deprecated_id"]) for row in self.ledger(edit)],
                             [(first.instance, first.instance)])
            self.assertEqual([(row["state"], row["missing"]) for row in self.ledger(edit)], [("delivered", None)])
            self.assertEqual(self.rows(first), [])
            self.assertEqual([(row["age"], row["record"]) for row in self.rows(edit)], [(15, first.instance)])

    def test_an_edit_whose_files_come_late(self):
        first = Locked()
        edit = Locked([("b.jpg", PHOTO)], age=15, deprecated=first.instance)
        self.deliver(first)
        self.send(edit, ["submission.xml.enc"])
        self.forward()
        self.assert_waits(edit, ["b.jpg.enc"])
        self.assert_delivered(first)
        self.send(edit, ["b.jpg.enc"])
        self.forward()
        self.assert_delivered(edit, 15)
        self.assertEqual(self.ledger(first)[0]["state"], "superseded")
        self.assertEqual(self.rows(first), [])

    def test_an_edit_in_the_middle_comes_last(self):
        first = Locked()
        second = Locked([("b.jpg", PHOTO)], age=15, deprecated=first.instance)
        third = Locked(age=16, deprecated=second.instance)
        self.send(second, ["submission.xml.enc"])
        for locked in (first, third):
            self.send(locked)
            self.forward()
        self.send(second, ["b.jpg.enc"])
        self.forward()
        self.assertEqual([self.ledger(one)[0]["state"] for one in (first, second, third)],
                         ["superseded", "superseded", "delivered"])
        self.assertEqual({self.ledger(one)[0]["record_id"] for one in (first, second, third)}, {first.instance})
        self.assertEqual([row["age"] for row in self.rows(third)], [16])


class InTheClear(Encrypted):
    """A submission without envelope although its form is encrypted."""

    def send_plain(self, form=FORM):
        instance = new_id()
        answer = self.phone.request("POST", server.url + "/submission", parts=submission_parts(
            document(instance, files=["a.jpg"], form=form), [File("a.jpg", PHOTO)]))
        self.assertEqual(answer.status, 201)
        return instance

    def incident(self, said):
        lines = [line for line in said.splitlines() if "incident.plaintext" in line]
        self.assertEqual(len(lines), 1, said)
        for word in ("error", ".parcel", self.phone.device):
            self.assertIn(word, lines[0])
        return lines[0]

    def recorded(self, form=FORM):
        return query("SELECT kind, parcel, source, form_id, instance_id, sub_id IS NOT NULL AS is_in_ledger, device_id,"
                     f" is_sealed FROM relais.incident WHERE form_id = '{form}' ORDER BY incident_id")

    def test_it_is_sealed_and_told(self):
        instance = self.send_plain()
        said = self.forward()
        self.incident(said)
        row = self.recorded()[-1]
        self.assertEqual((row["kind"], row["source"], row["instance_id"], row["is_in_ledger"], row["device_id"], row["is_sealed"]),
                         ("plaintext", "serve", instance, True, self.phone.device, True))
        self.assertIn(row["parcel"], said)
        self.assertIn(row["parcel"], relais("status").stdout)
        self.assertEqual(query(f"SELECT state, reason ->> 'class' AS class, seal FROM relais.submission"
                               f" WHERE instance_id = '{instance}'"),
                         [{"state": "quarantined", "class": "plaintext", "seal": keys.key_id()}])
        parcel = files_of_spool("quarantine/*.parcel")[0].read_bytes()
        self.assertNotIn(SECRET.encode(), parcel)
        self.assertNotIn(b"a face", parcel)
        self.assertIn(SECRET.encode(), keys.unseal(parcel.partition(b"\n\n")[2]))

    def test_a_replay_with_the_key_delivers_it_neither(self):
        instance = self.send_plain()
        self.forward()
        done = relais("replay", "--instance", instance, "--key", keys.private)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertEqual(query("SELECT state, reason ->> 'class' AS class FROM relais.submission"
                               f" WHERE instance_id = '{instance}'"), [{"state": "quarantined", "class": "plaintext"}])
        self.assertEqual(query(f"SELECT * FROM lab.person WHERE record = '{instance}'"), [])

    def test_without_a_certificate(self):
        map_form('encrypted="yes"', "unsealed")
        self.addCleanup(os.unlink, path("mappings/unsealed.xml"))
        configure("first", settings="")
        instance = self.send_plain("unsealed")
        self.assertIn("UNSEALED", self.incident(self.forward()))
        self.assertEqual([(row["instance_id"], row["is_in_ledger"], row["is_sealed"]) for row in self.recorded("unsealed")],
                         [(instance, False, False)])
        self.replay_quarantine()
        self.assertEqual(len(self.recorded("unsealed")), 1, "the same parcel again is no other incident")
        self.assertEqual(query(f"SELECT * FROM relais.submission WHERE instance_id = '{instance}'"), [])
        self.assertEqual(len(files_of_spool("quarantine/*.parcel")), 1)

    def test_plain_files_beside_an_envelope(self):
        """As Collect sends what was interrupted while it encrypted."""
        locked = Locked([("a.jpg", PHOTO)])
        locked.parts["a.jpg"] = PHOTO
        self.send(locked)
        self.forward()
        self.assert_delivered(locked)
        kept = query("SELECT a.name, a.seal, encode(a.bytes, 'hex') AS bytes FROM relais.attachment a"
                     f" JOIN relais.submission USING (sub_id) WHERE instance_id = '{locked.instance}' AND a.seal IS NOT NULL")
        self.assertEqual([(row["name"], row["seal"]) for row in kept], [("a.jpg", keys.key_id())])
        self.assertEqual(keys.unseal(bytes.fromhex(kept[0]["bytes"])), PHOTO)

    def test_check_tells_forms_and_mappings_that_disagree(self):
        self.addCleanup(map_form, 'sensitive="yes" encrypted="yes"')
        self.addCleanup(publish)
        for key, attribute, told in (("", "yes", "has no key in"), ("k", "no", 'encrypted="yes"'),
                                     ("k", "yes", None), ("", "no", None)):
            publish(key=key)
            map_form(f'sensitive="yes" encrypted="{attribute}"')
            said = relais("check", os.path.join(server.forms, FORM + ".xml")).stdout
            lines = [line for line in said.splitlines() if "is encrypted" in line]
            self.assertEqual(len(lines), told is not None, said)
            self.assertIn(told or "", "\n".join(lines))


@on_release
class Large(Encrypted):
    def peak(self, locked):
        """The forwarder's largest memory in MB."""
        self.send(locked)
        peak = 0
        with subprocess.Popen([program(), "--config", str(conf), "forward", "--once"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            while process.poll() is None:
                with open(f"/proc/{process.pid}/status", encoding="ascii", errors="replace") as status:
                    found = re.search(r"VmHWM:\s+(\d+) kB", status.read())
                peak = int(found[1]) / 1024 if found else peak
                time.sleep(0.005)
        self.assertEqual(process.returncode, 0)
        self.assert_delivered(locked)
        return peak

    def test_a_photo_of_20_mb(self):
        small = self.peak(Locked([("a.jpg", PHOTO)]))
        large = self.peak(Locked([("a.jpg", random.Random(1).randbytes(20 * 2**20))]))
        self.assertLess(large, small + 8, f"{small:.0f} MB with a small photo, {large:.0f} MB with a large one")


class Nowhere(Encrypted):
    def test_no_plain_answer_is_kept(self):
        """After all of the above, in tables, spool and logs."""
        self.deliver(Locked([("a.jpg", PHOTO)]))
        self.assertGreater(query("SELECT count(*) AS n FROM relais.submission")[0]["n"], 0)
        for word in (SECRET.encode(), b"a face that nobody"):
            for place in ("relais.submission", "relais.attachment", "relais.evaluated", "lab.person"):
                found = query(f"SELECT count(*) AS n FROM {place} t WHERE strpos(t::text, '{word.hex()}') > 0"
                              f" OR strpos(t::text, '{word.decode()}') > 0")
                self.assertEqual(found, [{"n": 0}], f"{word} in {place}")
            for file in files_of_spool("**/*"):
                self.assertNotIn(word, file.read_bytes(), file)
            self.assertNotIn(word.decode(), relais.said + server.log())


if __name__ == "__main__":
    unittest.main()
