"""What is kept at rest of sensitive forms, on a real PostgreSQL with the national schema: nothing
that the national codes do not say, rows that do not depend on the order of arrival although the
forwarder cannot read a submission again, and `relais replay` with the key of whoever holds it.

No web server: parcels are put into a spool and `relais forward --once` delivers them.
"""
import itertools
import json
import os
import pty
import re
import shutil
import subprocess
import unittest
import uuid

import expected
import test_national_lives as lives
import test_national_rows as base
from keys import Keys, openssl
from test_national_rows import KEYS, NAME, ROOT, database, directory, query, relais, spool, values

MAPPINGS = os.path.join(directory, "mappings")
SENSITIVE = ("bf_tip_ident", "bf_tip_case", "bf_tip_suivi")
LAB = ("CREATE SCHEMA lab;"
       "CREATE TABLE lab.house (house_id uuid PRIMARY KEY, sub_id uuid NOT NULL, code text);"
       "CREATE TABLE lab.visitor (visitor_id uuid PRIMARY KEY, sub_id uuid NOT NULL, record text,"
       " house_id uuid NOT NULL REFERENCES lab.house, note text, said text);"
       "CREATE TABLE lab.item (visitor_id uuid NOT NULL REFERENCES lab.visitor, name text NOT NULL,"
       " PRIMARY KEY (visitor_id, name));")
HOUSE = """<mapping xmlns="urn:relais:mapping:1" form="lab_house" sensitive="yes">
  <row table="lab.house">
    <column name="house_id" select="uuid5('lab.house', code)"/>
    <column name="sub_id" select="$submission"/>
    <column name="code" select="code"/>
  </row>
</mapping>"""
VISITOR = """<mapping xmlns="urn:relais:mapping:1" form="lab_visitor" sensitive="yes">
  <let name="visitor" select="uuid5('lab.visitor', $record)"/>
  <row table="lab.visitor">
    <column name="visitor_id" select="$visitor"/>
    <column name="sub_id" select="$submission"/>
    <column name="record" select="$record"/>
    <column name="house_id" select="uuid5('lab.house', house)"/>
    <column name="note" select="note"/>
  </row>
  <row table="lab.item" tokens="items" replace="visitor_id">
    <column name="visitor_id" select="$visitor"/>
    <column name="name" select="$token"/>
  </row>
  <ignore select="said" reason="kept in nobody's table"/>
</mapping>"""
SAID = "ce que la personne a dit"


def setUpModule():
    base.setUpModule()
    shutil.copytree(ROOT / "transforms", MAPPINGS)
    base.conf.write_text(base.conf.read_text().replace(f"{ROOT}/transforms", MAPPINGS))
    map_lab(HOUSE, "lab_house")
    map_lab(VISITOR, "lab_visitor")
    database.psql(NAME, LAB)


def map_lab(text, form):
    with open(os.path.join(MAPPINGS, form + ".xml"), "w", encoding="utf-8") as file:
        file.write(text)


def new_id():
    return f"uuid:{uuid.uuid4()}"


def document(form, answers, instance, deprecated=None):
    meta = f"<instanceID>{instance}</instanceID>" + (f"<deprecatedID>{deprecated}</deprecatedID>" if deprecated else "")
    return (f'<{form} id="{form}" version="1">{answers}<orx:meta xmlns:orx="http://openrosa.org/xforms">'
            + re.sub(r"<(/?)", r"<\1orx:", meta) + f"</orx:meta></{form}>")


def house(code):
    return document("lab_house", f"<code>{code}</code>", new_id())


def visitor(instance, code, note, items="a b", deprecated=None):
    return document("lab_visitor", f"<house>{code}</house><note>{note}</note><items>{items}</items><said>{SAID}</said>",
                    instance, deprecated)


def visits(instances):
    """The rows of the records named so."""
    return query("SELECT v.record, v.visitor_id, v.note, s.instance_id,"
                 " (SELECT array_agg(i.name ORDER BY i.name) FROM lab.item i WHERE i.visitor_id = v.visitor_id) AS items"
                 "  FROM lab.visitor v JOIN relais.submission s USING (sub_id)"
                 f" WHERE s.instance_id IN {instances} OR v.record IN {instances} ORDER BY 1")


class Sealed(lives.Delivered):
    def setUp(self):
        for file in (*spool.glob("quarantine/*"), *spool.glob("*/new/*")):
            file.unlink()

    def state(self, instance):
        rows = query("SELECT s.state, s.reason ->> 'class' AS why, s.seal, e.sub_id IS NOT NULL AS is_kept"
                     f" FROM relais.submission s LEFT JOIN relais.evaluated e USING (sub_id) WHERE instance_id = '{instance}'")
        self.assertEqual(len(rows), 1)
        return rows[0]

    def assert_state(self, instance, state, is_kept):
        row = self.state(instance)
        self.assertEqual((row["state"], row["is_kept"]), (state, is_kept), row)

    def replay(self, *arguments, code=0):
        done = relais("replay", *arguments)
        self.assertEqual(done.returncode, code, f"{arguments}: {done.stdout}\n{done.stderr}")
        return done


class AtRest(Sealed):
    """What a thief of the database, or of a backup, has."""

    def secrets_of(self, xml):
        """Answers that no code says: names, places in words, telephones, numbers of documents."""
        found = re.findall(r"<(?:surname|given_names|alias|mother|father|contact_name|quarter|contact_phone|phone|"
                           r"document_number|birth_date|nickname|address|vehicle)>([^<]{5,})<", xml)
        return {text for text in found}

    def test_no_answer_in_clear_in_a_dump_of_the_whole_database(self):
        documents = [lives.sample(form, file.stem.removeprefix(form + "-")) for form in SENSITIVE
                     for file in sorted(base.SAMPLES.glob(form + "-*.xml"))]
        self.deliver_together(documents)
        first = next(xml for xml in documents if "Lassina" in xml)
        self.deliver(lives.edit(first, ("<age>11", "<age>12")))
        secrets = set().union(*map(self.secrets_of, documents))
        self.assertGreater(len(secrets), 30)
        data = subprocess.run([f"{database.bin}/pg_dump", "-d", database.conninfo(NAME)], capture_output=True,
                              timeout=120, check=True).stdout
        self.assertIn(b"POL-HOU-2026-42", data, "the dump holds what was sent")
        self.assertEqual([text for text in secrets if text.encode() in data or text.encode().hex().encode() in data], [])

    def test_the_ledger_keeps_every_byte_for_the_holder_of_the_key(self):
        xml = lives.sample("bf_tip_ident", "adult")
        self.deliver(xml)
        (row,) = query("SELECT encode(xml, 'hex') AS xml, encode(xml_sha256, 'hex') AS sha, seal FROM relais.submission"
                       f" WHERE instance_id = '{lives.instance_of(xml)}'")
        self.assertEqual(row["seal"], KEYS.key_id())
        self.assertEqual(KEYS.unseal(bytes.fromhex(row["xml"])), xml.encode())
        self.assertEqual(openssl("dgst", "-sha256", "-r", input=xml.encode()).split()[0].decode(), row["sha"])

    def test_attached_files_are_sealed_too(self):
        xml, photo = lives.sample("bf_tip_ident", "adult"), b"\xff\xd8photo" * 50_000
        instance = lives.instance_of(xml)
        body = b"".join((b'--B\r\nContent-Disposition: form-data; name="xml_submission_file"; filename="s.xml"\r\n\r\n',
                         xml.encode(), b'\r\n--B\r\nContent-Disposition: form-data; name="p"; filename="p.jpg"\r\n'
                         b"Content-Type: image/jpeg\r\n\r\n", photo, b"\r\n--B--\r\n"))
        sha = openssl("dgst", "-sha256", "-r", input=body).split()[0].decode()
        head = (f"relais-parcel: 1\nreceived: 2026-11-20T11:15:04.123Z\nsource: serve\nform: bf_tip_ident\nversion: \n"
                f"instance: {instance}\nuser: \ndevice: \ncontent-type: multipart/form-data; boundary=B\n"
                f"length: {len(body)}\nsha256: {sha}\n\n")
        (spool / "00" / "new" / f"20261120T111505.000000Z-{uuid.uuid4().hex}.parcel").write_bytes(head.encode() + body)
        base.forward()
        (row,) = query("SELECT a.size, encode(a.bytes, 'hex') AS bytes, a.seal, encode(a.sha256, 'hex') AS sha"
                       f" FROM relais.attachment a JOIN relais.submission s USING (sub_id) WHERE instance_id = '{instance}'")
        self.assertEqual((row["size"], row["seal"]), (len(photo), KEYS.key_id()))
        self.assertEqual(KEYS.unseal(bytes.fromhex(row["bytes"])), photo)
        self.assertEqual(openssl("dgst", "-sha256", "-r", input=photo).split()[0].decode(), row["sha"])
        self.assertEqual([file.name for file in (spool / "quarantine").iterdir()], [])

    def test_a_form_that_is_not_sensitive_stays_readable(self):
        xml = lives.sample("bf_tip_mois", "usual")
        self.deliver(xml)
        self.assertEqual(values("SELECT encode(xml, 'hex') FROM relais.submission WHERE seal IS NULL"
                                f" AND instance_id = '{lives.instance_of(xml)}'"), [xml.encode().hex()])

    def test_what_is_refused_and_what_no_mapping_knows_is_sealed(self):
        refused = lives.sample("bf_tip_ident", "adult").replace("<sex>sx_", "<sex>sx_x")
        unknown = document("nobody", f"<said>{SAID}</said>", new_id())
        lives.put(refused)
        lives.put(unknown)
        base.forward()
        for instance in (lives.instance_of(refused), lives.instance_of(unknown)):
            row = self.state(instance)
            self.assertEqual((row["state"], row["seal"], row["is_kept"]), ("quarantined", KEYS.key_id(), False))

    def test_without_a_certificate_the_form_stops(self):
        text = base.conf.read_text()
        self.addCleanup(base.conf.write_text, text)
        base.conf.write_text(re.sub(r"\[seal\]\ncertificate = .*\n", "", text))
        checked = relais("check")
        self.assertEqual(checked.returncode, 1)
        self.assertRegex(checked.stdout, r"bf_tip_suivi\.xml:9: error: .*sensitive.*\[seal\] certificate")
        xml = house("K0")
        lives.put(xml)
        done = relais("forward", "--once")
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(query(f"SELECT FROM relais.submission WHERE instance_id = '{lives.instance_of(xml)}'"), [])
        self.assertEqual(len(list(spool.glob("*/new/*"))), 1)


class AnyOrder(Sealed):
    """A chain of four versions of the national form arrives in every order."""

    PARTS = (("tip.identification_item", "code", "code"), ("tip.exploitation", "seq, form, main, country", "seq"),
             ("tip.route_leg", "seq, kind, place_code", "seq"), ("link.match_key", "kind, encode(hmac, 'hex') AS h", "kind, h"))

    def chain(self):
        """First identification without needs and identity; then more, then something is taken away."""
        card = lives.fresh_card()
        first = re.sub(r"<made>\d+<", f"<made>{card}<", lives.sample("bf_tip_ident", "child"))
        second = lives.edit(first, ("<age>11", "<age>12"), ("<surname>Zerbo", "<surname>Zerbot"))
        third = lives.edit(second, ("<months>14", "<months>15"))
        third = re.sub("<route><rid>1367.*?</route>", "", third)
        fourth = lives.edit(third, ("ac_recr ac_harb", "ac_harb"), ("<months>15<", "<months><"))
        return card, [first, second, third, re.sub("<need><rid>d2fab.*?</need>", "", fourth)]

    def rows(self, first, card):
        """All that the tables say of the record, without the ids that differ from chain to chain."""
        ident = expected.uuid5("tip.identification", "bf_tip_ident", lives.instance_of(first))
        (row,) = query(f"SELECT * FROM tip.identification WHERE national_code = '{card}'")
        self.assertEqual(row["identification_id"], ident, "it is named after the first version")
        said = {name: row[name] for name in row if name not in ("identification_id", "sub_id", "victim_id",
                                                            "national_code", "reported_at")}
        for table, columns, order in self.PARTS:
            said[table] = query(f"SELECT {columns} FROM {table} WHERE identification_id = '{ident}' ORDER BY {order}")
        said["assistance"] = query("SELECT seq, service, referral_status FROM tip.assistance WHERE victim_id ="
                                   f" '{row['victim_id']}' ORDER BY seq")
        people = query(f"SELECT * FROM identity.person WHERE victim_id = '{row['victim_id']}'")
        self.assertEqual([one["identification_id"] for one in people], [ident])
        said["identity"] = json.loads(KEYS.unseal(bytes.fromhex(people[0]["sealed"][2:])))
        said["keep_until"] = people[0]["keep_until"]
        return said

    def test_every_order_ends_in_the_same_rows(self):
        orders = list(itertools.permutations(range(4)))
        chains = [self.chain() for _ in orders]
        for arrival in range(4):
            self.deliver_together([chains[i][1][order[arrival]] for i, order in enumerate(orders)])
        wanted = self.rows(chains[0][1][0], chains[0][0])
        self.assertEqual((wanted["age"], wanted["months_exploited"], len(wanted["tip.route_leg"]), len(wanted["assistance"]),
                          wanted["identity"]["surname"]), (12, None, 1, 2, "Zerbot"))
        self.assertGreater(len(wanted["link.match_key"]), 2)
        for order, (card, (first, *_)) in zip(orders, chains):
            with self.subTest(order=order):
                self.assertEqual(self.rows(first, card), wanted)
        instances = tuple(lives.instance_of(xml) for _, chain in chains for xml in chain)
        self.assertEqual(query("SELECT state, seal IS NOT NULL AS sealed, trace IS NOT NULL AS traced, count(*)"
                               f" FROM relais.submission WHERE instance_id IN {instances} GROUP BY 1, 2, 3 ORDER BY 1"),
                         [{"state": "delivered", "sealed": True, "traced": True, "count": 24},
                          {"state": "superseded", "sealed": True, "traced": False, "count": 72}])
        self.assertEqual(query("SELECT FROM relais.evaluated JOIN relais.submission USING (sub_id)"
                               f" WHERE instance_id IN {instances}"), [], "rows are kept longer than they are needed")

    def test_an_edit_clears_an_answer_of_a_sealed_version(self):
        card, (first, *_, last) = self.chain()
        last = re.sub("<deprecatedID>[^<]*", f"<deprecatedID>{lives.instance_of(first)}", last)
        self.deliver(first, last)
        rows = self.rows(first, card)
        self.assertEqual((rows["months_exploited"], len(rows["tip.route_leg"]), len(rows["assistance"])), (None, 1, 2))

    def test_an_edit_into_a_refusal_leaves_nothing_of_the_person(self):
        card, (first, *_) = self.chain()
        self.deliver(first, lives.edit(first, ("<basis>co_chil", "<basis>co_none")))
        (row,) = query(f"SELECT * FROM tip.identification WHERE national_code = '{card}'")
        self.assertEqual((row["sex"], row["age"]), (None, None))
        for table in ("tip.identification_item", "tip.exploitation", "tip.route_leg", "link.match_key", "identity.person"):
            self.assertEqual(query(f"SELECT FROM {table} WHERE identification_id = '{row['identification_id']}'"), [], table)
        self.assertEqual(query(f"SELECT FROM tip.assistance WHERE victim_id = '{row['victim_id']}'"), [])


class Waiting(Sealed):
    """What waits for a row that has not come is delivered by itself, without a key."""

    def setUp(self):
        super().setUp()
        self.one, self.two = new_id(), new_id()
        self.code = uuid.uuid4().hex[:8]

    def tearDown(self):
        map_lab(VISITOR, "lab_visitor")

    def test_a_visit_before_its_house(self):
        self.deliver(visitor(self.one, self.code, "n"))
        self.assert_state(self.one, "held", True)
        self.deliver(house(self.code))
        self.assert_state(self.one, "delivered", False)
        self.assertEqual([row["note"] for row in visits((self.one, self.one))], ["n"])

    def test_an_edit_that_waits_gets_the_name_of_a_first_version_that_comes_later(self):
        known = uuid.uuid4().hex[:8]
        self.deliver(house(known), visitor(self.two, self.code, "second", "b c", self.one))
        self.assert_state(self.two, "held", True)
        self.deliver(visitor(self.one, known, "first"))
        self.assertEqual([row["note"] for row in visits((self.one, self.two))], ["first"])
        self.deliver(house(self.code))
        self.assertEqual(visits((self.one, self.two)),
                         [{"record": self.one, "visitor_id": expected.uuid5("lab.visitor", self.one), "note": "second",
                           "instance_id": self.two, "items": ["b", "c"]}])
        self.assert_state(self.two, "delivered", False)

    def test_a_code_that_its_list_gets_later(self):
        org = "SOC-" + self.code[:3].upper()
        xml = lives.sample("bf_tip_suivi", "before-intake").replace("SOC-YAT", org)
        self.deliver(xml)
        row = self.state(lives.instance_of(xml))
        self.assertEqual((row["state"], row["why"], row["is_kept"]), ("held", "data", True))
        base.forward()
        self.assertEqual(self.state(lives.instance_of(xml)), row, "tried again, it waits for the same")
        database.psql(NAME, "INSERT INTO ref.organisation SELECT (jsonb_populate_record(o, jsonb_build_object('org_code',"
                            f" '{org}'))).* FROM ref.organisation o WHERE org_code = 'SOC-YAT'")
        base.forward()
        self.assert_state(lives.instance_of(xml), "delivered", False)
        self.assertEqual(values("SELECT f.org_code FROM tip.followup f JOIN relais.submission s USING (sub_id)"
                                f" WHERE s.instance_id = '{lives.instance_of(xml)}'"), [org])

    def test_what_waits_holds_nothing_that_its_rows_do_not(self):
        self.deliver(visitor(self.one, self.code, "n"))
        body = json.dumps(query("SELECT e.body FROM relais.evaluated e JOIN relais.submission s USING (sub_id)"
                                f" WHERE s.instance_id = '{self.one}'"))
        self.assertIn('"n"', body)
        self.assertNotIn(SAID, body)

    def test_a_mapping_that_changed_but_makes_such_rows_still_delivers_it(self):
        self.deliver(visitor(self.one, self.code, "n"))
        map_lab(VISITOR.replace("nobody's table", "no table"), "lab_visitor")
        self.deliver(house(self.code))
        self.assert_state(self.one, "delivered", False)

    def test_a_mapping_of_other_rows_needs_the_key(self):
        self.deliver(visitor(self.one, self.code, "n"))
        map_lab(re.sub("<ignore.*/>", "", VISITOR).replace(
            '<column name="note" select="note"/>', '<column name="note" select="note"/><column name="said" select="said"/>'),
            "lab_visitor")
        self.deliver(house(self.code))
        row = self.state(self.one)
        self.assertEqual((row["state"], row["why"], row["is_kept"]), ("held", "sealed", True))
        self.assertIn("--key", self.replay("--form", "lab_visitor", code=1).stderr)
        self.assert_state(self.one, "held", True)
        self.replay("--form", "lab_visitor", "--key", KEYS.private)
        self.assert_state(self.one, "delivered", False)
        self.assertEqual(values(f"SELECT said FROM lab.visitor WHERE record = '{self.one}'"), [SAID])


class Replay(Sealed):
    def setUp(self):
        super().setUp()
        database.psql(NAME, "DELETE FROM relais.submission WHERE state = 'quarantined'")
        self.xml = lives.sample("bf_tip_ident", "adult")
        self.instance = lives.instance_of(self.xml)
        self.deliver(self.xml)
        self.path = os.path.join(MAPPINGS, "bf_tip_ident.xml")
        with open(self.path, encoding="utf-8") as file:
            self.mapping = file.read()
        self.addCleanup(self.write, self.mapping)

    def write(self, text):
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(text)

    def agent(self):
        return values("SELECT i.agent_code FROM tip.identification i JOIN relais.submission s USING (sub_id)"
                      f" WHERE s.instance_id = '{self.instance}'")

    def change_mapping(self):
        self.assertNotEqual(self.agent(), ["X"])
        self.write(self.mapping.replace('name="agent_code" select="reporter/agent_code"', 'name="agent_code" select="\'X\'"'))

    def test_after_a_change_of_the_mapping_rows_are_made_anew(self):
        self.change_mapping()
        before = query(f"SELECT * FROM relais.submission WHERE instance_id = '{self.instance}'")[0]
        self.assertIn("--key", self.replay("--form", "bf_tip_ident", code=1).stderr)
        self.assertNotEqual(self.agent(), ["X"])
        done = self.replay("--form", "bf_tip_ident", "--key", KEYS.private, "--json")
        counts = json.loads(done.stdout)
        self.assertEqual((counts["refused"], counts["sealed"], counts["stopped"]), (0, 0, 0))
        self.assertEqual(counts["found"], counts["replayed"])
        self.assertEqual(self.agent(), ["X"])
        after = query(f"SELECT * FROM relais.submission WHERE instance_id = '{self.instance}'")[0]
        changed = {name for name in after if after[name] != before[name]}
        self.assertEqual(changed, {"mapping_sha256", "delivered_at", "unmapped"})
        self.assertIn("nothing to replay", self.replay("--form", "bf_tip_ident").stdout)

    def test_another_key_opens_nothing_and_changes_nothing(self):
        self.change_mapping()
        os.makedirs(os.path.join(directory, "other"), exist_ok=True)
        other = Keys(os.path.join(directory, "other")).make()
        done = self.replay("--instance", self.instance, "--key", other.private, code=1)
        self.assertIn("nothing was changed", done.stderr)
        self.assertIn(KEYS.key_id()[:16], done.stderr)
        self.assertNotEqual(self.agent(), ["X"])

    def test_what_the_new_mapping_refuses_stays_as_it_was(self):
        self.write(self.mapping.replace('name="agent_code" select="reporter/agent_code"',
                                        'name="agent_code" select="reporter/agent_code" list="sex"'))
        before = query(f"SELECT * FROM relais.submission WHERE instance_id = '{self.instance}'")
        done = self.replay("--instance", self.instance, "--key", KEYS.private, code=1)
        self.assertIn("agent_code", done.stderr)
        self.assertEqual(query(f"SELECT * FROM relais.submission WHERE instance_id = '{self.instance}'"), before)
        self.assertEqual(len(self.agent()), 1)

    def encrypted_key(self):
        """The same key under a passphrase, as it should be kept."""
        path = os.path.join(directory, "encrypted.key")
        openssl("pkcs8", "-topk8", "-in", KEYS.private, "-out", path, "-passout", "pass:le mot")
        return path

    def test_the_passphrase_comes_by_a_file_descriptor(self):
        self.change_mapping()
        command = [base.program(), "--config", str(base.conf), "replay", "--instance", self.instance, "--key",
                   self.encrypted_key(), "--passphrase-fd"]
        for words, code in ((b"le mot faux\n", 1), (b"le mot\nwhat follows", 0)):
            reading, writing = os.pipe()
            os.write(writing, words)
            os.close(writing)
            done = subprocess.run([*command, str(reading)], pass_fds=[reading], capture_output=True, timeout=120, check=False)
            os.close(reading)
            self.assertEqual(done.returncode, code, done.stderr)
        self.assertEqual(self.agent(), ["X"])

    def test_the_passphrase_is_asked_for_at_the_terminal_and_not_shown(self):
        self.change_mapping()
        pid, terminal = pty.fork()
        if pid == 0:
            os.execv(base.program(), [base.program(), "--config", str(base.conf), "replay", "--instance", self.instance,
                                      "--key", self.encrypted_key()])
        shown = b""
        while b"encrypted.key: " not in shown:
            shown += os.read(terminal, 1000)
        os.write(terminal, b"le mot\n")
        try:
            while True:
                shown += os.read(terminal, 1000)
        except OSError:  # the other side is closed
            pass
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0, shown)
        self.assertNotIn(b"le mot", shown)
        self.assertEqual(self.agent(), ["X"])

    def test_what_was_refused_is_delivered_once_the_mapping_is_mended(self):
        first, code = new_id(), uuid.uuid4().hex[:8]
        self.addCleanup(map_lab, VISITOR, "lab_visitor")
        self.deliver(house(code))
        map_lab(VISITOR.replace('select="note"/>', 'select="note" list="l"/>').replace(
            "<let", '<list name="l" table="ref.code" column="code"/><let', 1), "lab_visitor")
        lives.put(visitor(first, code, "n"))
        base.forward()
        self.assert_state(first, "quarantined", False)
        map_lab(VISITOR, "lab_visitor")
        self.replay("--form", "lab_visitor", "--key", KEYS.private)
        self.assert_state(first, "delivered", False)
        self.assertEqual([row["note"] for row in visits((first, first))], ["n"])

    def test_a_form_that_is_not_sealed_needs_no_key(self):
        xml = lives.sample("bf_tip_mois", "usual")
        self.deliver(xml)
        done = self.replay("--instance", lives.instance_of(xml).removeprefix("uuid:"))
        self.assertIn("1 submission", done.stdout)

    def test_misuse_says_what_to_do(self):
        self.assertIn("--key", self.replay("--passphrase-fd", "3", code=2).stderr)
        self.assertIn("--instance", self.replay("name", code=2).stderr)


if __name__ == "__main__":
    unittest.main()
