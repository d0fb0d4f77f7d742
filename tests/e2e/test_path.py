"""The whole path, from a phone to the national table, as plugin/quickstart.sh sets it up.

Each test plays a part of phones' lives on the same running Relais; the last ones hold
everything that was acknowledged against the ledger and the national tables.
"""
import concurrent.futures
import os
import re
import signal
import threading
import time
import unicodedata
import unittest

import collect
import expected
import lives
from quickstart import ROOT, Quickstart, wait_until

SEED = 20260302
GENERATED = 1500 if os.environ.get("RELAIS_TEST_LONG") else 300
MEGABYTE = 1024 * 1024

server = Quickstart()
book = lives.Book()
rng = lives.generator(SEED)


def setUpModule():
    unittest.addModuleCleanup(server.remove)
    server.start()


def phone():
    return collect.Phone(server.url)


class Phones(unittest.TestCase):
    """Test methods run in the order of their names: later ones build on earlier ones."""

    def deliver(self, instance, xml, files=(), by=None):
        """Sends as Collect does and notes what was acknowledged."""
        receipt = (by or phone()).send(xml, files)
        book.acknowledge(instance, xml, files)
        return receipt

    def ledger(self, instance):
        return server.sql(
            "SELECT state, missing, repairs, reason, form_version, submitted_by, device_id, source"
            f"  FROM relais.submission WHERE instance_id = '{instance}'")

    def wait_ledger(self, instance, state="delivered", seconds=30):
        def settled():
            rows = self.ledger(instance)
            return rows if rows and rows[0]["state"] == state else None
        return wait_until(settled, seconds, f"{instance} to be {state}")[0]

    # ---- a phone gets its forms -----------------------------------------------------------

    def test_10_form_list_form_manifest_and_media(self):
        """sync() holds every file against the hash that was announced."""
        forms = {form.form_id: form for form in phone().sync()}
        self.assertIn(lives.FORM, forms)
        self.assertGreater(len(forms[lives.FORM].media), 0)
        with open(os.path.join(ROOT, "xforms", lives.FORM + ".xml"), "rb") as file:
            self.assertEqual(forms[lives.FORM].xml, file.read())

    def test_11_quickstart_showed_what_arrived(self):
        rows = server.sql("SELECT state, count(*) AS n FROM relais.submission GROUP BY state")
        self.assertEqual([row["state"] for row in rows], ["delivered"])
        self.assertGreaterEqual(rows[0]["n"], len(lives.sample_names()))
        self.assertIn(server.url, server.output)
        for name in lives.sample_names():
            xml = lives.read_sample(name)
            book.acknowledge(lives.instance_of(xml), xml)

    # ---- submissions ----------------------------------------------------------------------

    def test_20_hundreds_of_submissions(self):
        made = [lives.fresh(rng.choice(lives.sample_names()), rng) for _ in range(GENERATED)]
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda one: self.deliver(*one), made))
        server.wait_empty()
        self.assertEqual(server.quarantined(), [])

    def test_21_attachments_of_every_size_and_name(self):
        names = ["photo é.jpg", unicodedata.normalize("NFD", "photo é.jpg"), "a/b.jpg",
                 "../../etc/passwd", "..", "tab\there", "bell\x07", "x" * 296 + ".jpg",
                 "percent%41.jpg", "espace à la fin "]
        files = [(name, rng.randbytes(100 + i)) for i, name in enumerate(names)]
        files += [("empty.bin", b""), ("one.bin", b"\0"), ("large.mp4", rng.randbytes(40 * MEGABYTE))]
        instance, xml = lives.fresh("adult", rng)
        phone().send(xml, files)
        book.acknowledge(instance, xml, [(escaped(name), data) for name, data in files])
        self.wait_ledger(instance)
        rows = server.sql(
            "SELECT name, expected FROM relais.attachment JOIN relais.submission USING (sub_id)"
            f" WHERE instance_id = '{instance}'")
        self.assertEqual({row["name"] for row in rows}, {escaped(name) for name, _ in files})
        self.assertFalse(any(row["expected"] for row in rows), "no answer names these files")

    def test_22_same_name_twice_keeps_both(self):
        instance, xml = lives.fresh("adult", rng)
        self.deliver(instance, xml, [("a.jpg", b"first"), ("a.jpg", b"second")])
        self.wait_ledger(instance)

    def test_23_split_posts_merge(self):
        """Collect sends at most 101 files at once, and the same XML with each post."""
        instance, xml = lives.fresh("adult", rng)
        files = [(f"{i}.jpg", rng.randbytes(1000)) for i in range(250)]
        receipt = self.deliver(instance, xml, files)
        self.assertEqual(receipt.statuses, [201] * 3)
        self.wait_ledger(instance)
        server.wait_empty()

    def test_24_fifty_identical_at_once(self):
        instance, xml = lives.fresh("child", rng)
        with concurrent.futures.ThreadPoolExecutor(50) as pool:
            receipts = list(pool.map(lambda _: phone().send(xml, [("p.jpg", b"same")]), range(50)))
        self.assertEqual([receipt.statuses for receipt in receipts], [[201]] * 50)
        book.acknowledge(instance, xml, [("p.jpg", b"same")])
        server.wait_empty()
        self.assertEqual(len(self.ledger(instance)), 1)

    def test_25_unknown_version_is_accepted(self):
        instance, xml = lives.fresh("adult", rng)
        xml = re.sub(rb'version="[^"]*"', b'version="1999010100"', xml, count=1)
        phone().send(xml)
        server.wait_empty()
        row = self.ledger(instance)
        self.assertTrue(row or server.quarantined(), "kept somewhere")

    def test_26_missing_instance_id_is_keyed_by_its_bytes(self):
        _, xml = lives.fresh("adult", rng)
        xml = re.sub(rb"<(\w+:)?instanceID>[^<]*</(\w+:)?instanceID>", b"", xml)
        self.deliver(None, xml)
        self.wait_ledger("sha256:" + lives.sha256(xml))

    def test_27_edit_replaces_the_rows_in_any_order(self):
        first, xml = lives.fresh("adult", rng)
        second = lives.new_instance(rng)
        edited = xml.replace(first.encode(), second.encode())
        edited = re.sub(rb"(<(\w+:)?instanceID>[^<]*</(\w+:)?instanceID>)",
                        rb"\1<deprecatedID>" + first.encode() + rb"</deprecatedID>", edited, count=1)
        self.deliver(second, edited)
        self.wait_ledger(second)
        self.deliver(first, xml)
        self.wait_ledger(first, "superseded")
        self.assertEqual(self.ledger(second)[0]["state"], "delivered")


    # ---- what cannot be delivered ---------------------------------------------------------

    def quarantine(self, xml, files=()):
        """Sends what must be acknowledged and then quarantined; returns name and reason."""
        before = set(server.quarantined())
        self.assertEqual(phone().send(xml, files).statuses, [201])
        new = wait_until(lambda: set(server.quarantined()) - before, 30, "the quarantine")
        self.assertEqual(len(new), 1)
        name = new.pop()
        return name, server.reason(name)

    def test_30_broken_after_the_root_names_the_byte(self):
        instance, xml = lives.fresh("adult", rng)
        at = xml.index(b"</", len(xml) // 2)
        name, reason = self.quarantine(xml[:at] + b"<" + xml[at:])
        self.assertEqual(reason["class"], "syntax")
        self.assertLess(abs(int(reason["offset"]) - at), 4)
        self.assertNotIn(instance.encode(), server.parcel_body(name), "sealed: nobody can read it")
        self.assertIn(xml[:at] + b"<" + xml[at:], server.opened(name))
        self.assertNotIn(instance, [row["instance_id"] for row in server.sql(
            "SELECT instance_id FROM relais.submission WHERE state = 'delivered'")])

    def test_31_a_value_that_does_not_fit_holds_up_nobody(self):
        cases = [("person/age", b"quarante", "age"), ("person/sex", b"sx_zz", "sex"),
                 ("reporter/agent_code", b"A" * 5000, "agent_code")]
        for path, value, column in cases:
            with self.subTest(path=path):
                good = [lives.fresh("adult", rng) for _ in range(5)]
                _, xml = lives.fresh("adult", rng)
                bad = lives.with_answer(xml, path, value)
                for one in good[:2]:
                    self.deliver(*one)
                name, reason = self.quarantine(bad)
                for one in good[2:]:
                    self.deliver(*one)
                for instance, _ in good:
                    self.wait_ledger(instance)
                self.assertIn(path, reason["path"])
                self.assertTrue(reason["column"].endswith("." + column), reason)
                self.assertTrue(reason["rule"])
                self.assertNotIn(value.decode(), str(reason), "never the answer")
                shown = server.relais("quarantine", "show", name)
                self.assertEqual(shown.returncode, 0, shown.stderr)
                self.assertIn(path, shown.stdout)
                self.assertNotIn(value.decode(), shown.stdout)

    def test_32_replay_after_the_mapping_is_there(self):
        instance, xml = lives.fresh("adult", rng)
        mapping = os.path.join(server.state, "transforms", lives.FORM + ".xml")
        os.rename(mapping, mapping + ".away")
        try:
            name, reason = self.quarantine(xml)
        finally:
            os.rename(mapping + ".away", mapping)
        self.assertEqual(reason["class"], "unknown-form")
        listed = server.relais("quarantine", "list")
        self.assertIn(name, listed.stdout)
        self.assertEqual(server.relais("quarantine", "replay", name).returncode, 1, "the key is missing")
        replayed = server.relais("quarantine", "replay", name, "--key", server.key)
        self.assertEqual(replayed.returncode, 0, replayed.stderr)
        self.wait_ledger(instance)
        self.assertNotIn(name, server.quarantined())
        book.acknowledge(instance, xml)

    def test_33_a_damaged_parcel_is_never_loaded(self):
        server.signal("forward", signal.SIGTERM)
        instance, xml = lives.fresh("adult", rng)
        phone().send(xml)
        path = server.parcels()[0]
        with open(path, "r+b") as parcel:
            parcel.seek(-200, os.SEEK_END)
            byte = parcel.read(1)
            parcel.seek(-200, os.SEEK_END)
            parcel.write(bytes([byte[0] ^ 1]))
        server.start_forwarder()
        wait_until(lambda: os.path.basename(path) in server.quarantined(), 30, "the quarantine")
        self.assertEqual(server.reason(os.path.basename(path))["class"], "damaged")
        self.assertEqual([row for row in self.ledger(instance) if row["state"] == "delivered"], [])
        self.deliver(instance, xml)
        self.wait_ledger(instance)

    # ---- outages --------------------------------------------------------------------------

    def under_load(self, outage, seconds=4):
        """Eight phones send while something happens; every one of them must see 201."""
        over = threading.Event()
        answers = []

        def enumerate_people(seed):
            own, mine = phone(), lives.generator(seed)
            while not over.is_set():
                instance, xml = lives.fresh(mine.choice(lives.sample_names()), mine)
                answers.extend(self.deliver(instance, xml, [("photo.jpg", mine.randbytes(20000))], own).statuses)
                time.sleep(0.08)

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            phones = [pool.submit(enumerate_people, SEED + i) for i in range(8)]
            time.sleep(seconds / 2)
            try:
                outage()
                time.sleep(seconds / 2)
            finally:
                over.set()
            for done in phones:
                done.result()
        self.assertEqual(set(answers), {201})
        self.assertGreater(len(answers), 100)
        server.wait_empty(90)

    def test_40_the_store_goes_away_and_comes_back(self):
        def outage():
            server.stop_postgres()
            time.sleep(3)
            waiting = len(server.parcels())
            self.assertGreater(waiting, 50, "parcels wait while the store is away")
            server.start_postgres()
        self.under_load(outage)
        self.assertIsNotNone(server.pid("forward"), "the forwarder lives through it")

    def test_41_the_store_crashes(self):
        def outage():
            server.kill("postgres")
            time.sleep(1)
            server.start_postgres()
        self.under_load(outage)

    def test_42_the_forwarder_stops_and_starts(self):
        def outage():
            for _ in range(3):
                server.signal("forward", signal.SIGTERM)
                time.sleep(0.5)
                server.start_forwarder()
                time.sleep(0.5)
        self.under_load(outage)

    def test_43_a_second_run_keeps_the_data(self):
        before = server.sql("SELECT count(*) AS n FROM relais.submission")
        server.start()
        self.assertEqual(server.sql("SELECT count(*) AS n FROM relais.submission"), before)

    # ---- the books ------------------------------------------------------------------------

    def test_90_everything_acknowledged_is_in_the_ledger_once(self):
        server.wait_empty()
        self.assertEqual(book.balance(server), [])
        self.assertGreater(len(book.submissions), GENERATED)

    def test_91_national_rows_are_what_the_submissions_say(self):
        self.assertEqual(expected.differences(server), [])

    def test_92_no_answer_is_in_a_log(self):
        secrets = expected.secrets(server)
        self.assertGreater(len(secrets), 100)
        for name in os.listdir(os.path.join(server.state, "log")):
            text = server.log(name.removesuffix(".log"))
            found = [secret for secret in secrets if secret in text]
            self.assertEqual(found, [], f"in log/{name}")

    def test_99_stop_ends_everything(self):
        done = server.stop()
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("Stopped", done.stdout)
        self.assertEqual([server.pid(name) for name in ("nginx", "forward", "postgres")], [None] * 3)
        self.assertEqual(server.parcels("tmp"), [])
        self.assertIn("Nothing was running", server.stop().stdout)


def escaped(name):
    """A file's name as the ledger writes it."""
    return re.sub(r"[\x00-\x1f\x7f]", lambda found: f"\\x{ord(found.group()):02x}", name)


if __name__ == "__main__":
    unittest.main()
