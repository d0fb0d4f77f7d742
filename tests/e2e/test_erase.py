"""relais erase, on a real PostgreSQL with the national schema and the national samples.

No web server: what a phone sends again is put into the spool as the module would, and
`relais forward --once` meets it.
"""
import os
import pty
import re
import subprocess
import unittest
import uuid

import test_national_lives as lives
import test_national_rows as base
from test_national_rows import NAME, database, query, relais, spool, values

setUpModule = base.setUpModule

REASON = "demande écrite de la personne"
NAMES = ("Zerbo", "Lassina", "Petit Lass", "Assetou", "Bakary", "70000001", "Sarfalao")
COUNTS = ("SELECT count(*) AS recordings, count(DISTINCT coalesce(v.merged_into, v.victim_id)) AS people,"
          " count(*) FILTER (WHERE i.sex = 'sx_m') AS boys, count(DISTINCT i.national_code) AS cards"
          " FROM tip.identification i JOIN tip.victim v USING (victim_id)")


def dump():
    """Everything that the database holds, rows as text, as a thief of a backup has it."""
    return subprocess.run([f"{database.bin}/pg_dump", "-d", database.conninfo(NAME)], capture_output=True,
                          timeout=120, check=True).stdout


def spooled():
    return b"".join(file.read_bytes() for file in spool.rglob("*") if file.is_file())


def names_in(data):
    """A name that stands in the clear, or in the bytes of a bytea."""
    return [name for name in NAMES if name.encode() in data or name.encode().hex().encode() in data]


class Erasing(lives.Delivered):
    def setUp(self):
        for file in (*spool.glob("quarantine/*"), *spool.glob("*/new/*")):
            file.unlink()
        self.card = lives.fresh_card()

    def recording(self, card=None, situation="child"):
        """The sample, of a card of its own and with fresh ids."""
        return (re.sub(r"<made>\d+<", f"<made>{card or self.card}<", lives.sample("bf_tip_ident", situation)))

    def visit(self, situation="withdrawal"):
        return re.sub(r"<(scan|typed)>\d+<", rf"<\1>{self.card}<", lives.sample("bf_tip_suivi", situation))

    def erase(self, *arguments, code=0):
        done = relais("erase", *arguments, "--reason", REASON)
        self.assertEqual(done.returncode, code, f"{arguments}: {done.stdout}\n{done.stderr}")
        self.assertNotIn(self.card, done.stdout + done.stderr)
        return done

    def seal(self, xml, document):
        """What the mapping will write beside: a sealed identity and keys. Returns the recording."""
        identification = base.recording(lives.instance_of(xml))[0]
        database.psql(NAME, "INSERT INTO identity.person (person_id, sub_id, victim_id, identification_id, sealed,"
                            " seal_key, keep_until) SELECT gen_random_uuid(), sub_id, victim_id, identification_id,"
                            " 'sealed', 'k', '2031-01-01' FROM tip.identification"
                            f" WHERE identification_id = '{identification['identification_id']}';"
                            "INSERT INTO link.match_key SELECT identification_id, kind, 1, sha256(text::bytea)"
                            f" FROM tip.identification, (VALUES ('K4', '{document}'), ('K1', 'n{self.card}')) k(kind, text)"
                            f" WHERE identification_id = '{identification['identification_id']}' ON CONFLICT DO NOTHING;")
        return identification

    def state(self, xml):
        return values(f"SELECT state FROM relais.submission WHERE instance_id = '{lives.instance_of(xml)}'")


class ByCard(Erasing):
    def setUp(self):
        super().setUp()
        self.bystander = self.recording(lives.fresh_card(), "adult")
        self.first = self.recording()
        self.second = lives.edit(self.first, ("<age>11", "<age>12"), ("Petit Lass", "Lass"))
        self.follow = self.visit()
        self.deliver_together([self.bystander, self.first, self.second, self.follow])
        self.seal(self.second, f"CNIB {self.card}")
        self.seal(self.bystander, f"CNIB of the bystander {self.card}")

    def test_nothing_that_identifies_is_left_and_every_count_stays(self):
        self.assertNotEqual(names_in(self.first.encode()), [], "the test looks for names that are there")
        before = query(COUNTS)
        other = (query("SELECT * FROM identity.person WHERE victim_id IN (SELECT victim_id FROM tip.identification"
                       f" JOIN relais.submission USING (sub_id) WHERE instance_id = '{lives.instance_of(self.bystander)}')"),
                 base.recording(lives.instance_of(self.bystander)), self.state(self.bystander))
        self.erase("--card", self.card, "--yes")
        found = dump()
        self.assertEqual(names_in(found), [])
        self.assertNotIn(self.card.encode(), found)
        self.assertEqual(names_in(spooled()), [])
        self.assertEqual(query(COUNTS), before)
        self.assertEqual((query("SELECT * FROM identity.person WHERE victim_id IN (SELECT victim_id FROM"
                                " tip.identification JOIN relais.submission USING (sub_id) WHERE instance_id ="
                                f" '{lives.instance_of(self.bystander)}')"),
                          base.recording(lives.instance_of(self.bystander)), self.state(self.bystander)), other)

    def test_the_row_stays_without_what_leads_to_the_person(self):
        self.erase("--card", self.card, "--yes")
        (row,) = query("SELECT i.*, v.erased_at IS NOT NULL AS is_erased, v.case_state FROM tip.identification i"
                       " JOIN tip.victim v USING (victim_id) JOIN relais.submission s USING (sub_id)"
                       f" WHERE s.instance_id = '{lives.instance_of(self.second)}'")
        self.assertEqual((row["sex"], row["age"], row["place_code"], row["is_erased"], row["case_state"]),
                         ("sx_m", 12, "BF-HOU", True, "cl_act"))
        self.assertEqual((row["agent_code"], row["group_code"], row["share_assist"], row["share_justice"]),
                         ("", None, False, False))
        self.assertNotEqual(row["national_code"], self.card)
        for xml in (self.first, self.second, self.follow):
            self.assertEqual(self.state(xml), ["erased"])
        self.assertEqual(values("SELECT xml FROM relais.submission WHERE state = 'erased'"
                                f" AND instance_id = '{lives.instance_of(self.first)}'"), [None])
        self.assertEqual(values("SELECT outcome FROM tip.consent_change c JOIN relais.submission s USING (sub_id)"
                                f" WHERE instance_id = '{lives.instance_of(self.follow)}' AND wish = 'erasure'"), ["applied"])

    def test_the_log_of_accesses_says_who_and_why_once(self):
        self.erase("--card", self.card, "--yes")
        self.erase("--card", self.card, "--yes")
        victim = base.recording(lives.instance_of(self.second))[0]["victim_id"]
        self.assertEqual(query("SELECT action, reason, db_user FROM audit.access_log"
                               f" WHERE subject = '{victim}'"),
                         [{"action": "erase", "reason": REASON, "db_user": "relais"}])
        self.assertEqual(query("SELECT * FROM audit.verify()"), [])

    def test_what_a_phone_sends_again_creates_nothing(self):
        self.erase("--card", self.card, "--yes")
        tables = "SELECT (SELECT count(*) FROM relais.submission) AS a, (SELECT count(*) FROM tip.identification) AS b," \
                 " (SELECT count(*) FROM identity.person) AS c, (SELECT count(*) FROM relais.attachment) AS d"
        before = query(tables)
        self.deliver(self.first, self.second, self.follow,
                     lives.edit(self.second, ("<age>12", "<age>13")), self.first.replace("Zerbo", "Sawadogo"))
        self.assertEqual(query(tables), before)
        self.assertEqual(list(spool.glob("*/new/*")), [])
        self.assertNotIn(b"Lassina", spooled())

    def test_erasing_again_and_a_dry_run_change_nothing(self):
        before = dump()
        done = self.erase("--card", self.card, "--dry-run")
        self.assertRegex(done.stdout, r"sealed identities +[12]\n")
        self.assertRegex(done.stdout, r"submissions with their answers +3\n")
        self.assertEqual(data_of(dump()), data_of(before))
        self.erase("--card", self.card, "--yes")
        erased = dump()
        self.assertIn("Nothing is left", self.erase("--card", self.card, "--yes").stdout)
        self.assertEqual(data_of(dump()), data_of(erased))

    def test_copies_in_spool_and_quarantine_go_whether_the_ledger_knows_them_or_not(self):
        refused = self.recording().replace("<age>11", "<age>eleven")
        lives.put(refused)
        base.forward()
        self.assertEqual(self.state(refused), ["quarantined"])
        waiting, unknown = self.recording(), self.recording().replace(' id="bf_tip_ident"', ' id="draft"')
        lives.put(unknown)
        base.forward()
        lives.put(waiting)
        other = self.recording(lives.fresh_card(), "adult")
        lives.put(other)
        self.assertEqual(len(list(spool.glob("quarantine/*.parcel"))), 2)
        done = self.erase("--card", self.card, "--key", base.KEYS.private, "--yes")
        self.assertRegex(done.stdout, r"waiting in the spool +1\n")
        self.assertRegex(done.stdout, r"in quarantine +2\n")
        self.assertEqual(list(spool.glob("quarantine/*")), [])
        self.assertEqual(len(list(spool.glob("*/new/*"))), 1)
        self.assertEqual(names_in(spooled()), [])
        before = query(COUNTS)[0]["recordings"]
        self.deliver(waiting, refused)
        self.assertEqual(query(COUNTS)[0]["recordings"], before + 1, "the other person's alone")
        self.assertEqual(self.state(refused), ["erased"])

    def test_the_files_go_when_it_was_stopped_after_the_database(self):
        lives.put(self.first)
        found = database.psql(NAME, f"SELECT count(*) FROM erasure.erase('{self.card}', NULL, '{{}}', '{{}}', '{REASON}')")
        self.assertNotEqual(found, "0")
        self.assertEqual(len(list(spool.glob("*/new/*"))), 1)
        self.erase("--card", self.card, "--yes")
        self.assertEqual(list(spool.glob("*/new/*")), [])

    def test_a_case_that_names_the_card_stays(self):
        case = lives.sample("bf_tip_case", "three-suspects").replace("331721242141", self.card).replace(
            "POL-HOU-2026-42", lives.fresh_case())
        self.deliver(case)
        done = self.erase("--card", self.card, "--yes")
        self.assertIn("1 criminal case names this card and stays", done.stdout)
        self.assertEqual(self.state(case), ["delivered"])

    def test_people_joined_by_a_document_stay_one_and_go_together(self):
        card = lives.fresh_card()
        again = self.recording(card)
        self.deliver(again)
        self.seal(again, f"CNIB {self.card}")
        one = "SELECT count(DISTINCT coalesce(v.merged_into, v.victim_id)) FROM tip.victim v WHERE v.victim_id IN" \
              " (SELECT victim_id FROM tip.identification JOIN relais.submission USING (sub_id) WHERE instance_id IN" \
              f" ('{lives.instance_of(self.second)}', '{lives.instance_of(again)}'))"
        self.assertEqual(values(one), [1], "the document joins them")
        before = query(COUNTS)
        self.erase("--card", card, "--yes")
        self.assertEqual(values(one), [1])
        self.assertEqual(query(COUNTS), before)
        self.assertEqual(self.state(self.first) + self.state(again), ["erased", "erased"])

    def test_a_card_used_for_somebody_else_leaves_the_other_person(self):
        other = self.recording().replace("<sex>sx_m", "<sex>sx_f").replace("<age>11", "<age>45").replace(
            "co_chil", "co_self").replace("ab_est", "ab_said").replace("<event><date>2026-10-02", "<event><date>2026-10-20")
        self.deliver(other)
        self.seal(other, f"CNIB of the other {self.card}")
        row = base.recording(lives.instance_of(other))
        sealed = f"SELECT count(*) FROM identity.person WHERE identification_id = '{row[0]['identification_id']}'"
        identities = values(sealed)
        done = self.erase("--card", self.card, "--yes")
        self.assertIn("1 recording of this card is of another person and stays", done.stdout)
        self.assertEqual((base.recording(lives.instance_of(other)), self.state(other)), (row, ["delivered"]))
        self.assertEqual(values(sealed), identities)


class ByInstance(Erasing):
    def test_one_submission_with_its_corrections(self):
        first, kept = self.recording(), self.visit("before-intake")
        second = lives.edit(first, ("<age>11", "<age>12"))
        self.deliver(first, second, kept)
        self.seal(second, self.card)
        for given in (lives.instance_of(first), lives.instance_of(second).removeprefix("uuid:")):
            self.erase("--instance", given, "--yes")
            self.assertEqual(self.state(first) + self.state(second) + self.state(kept), ["erased", "erased", "delivered"])
        victim = base.recording(lives.instance_of(second))[0]["victim_id"]
        self.assertEqual(query(f"SELECT * FROM identity.person WHERE victim_id = '{victim}'"), [])
        self.assertEqual(values(f"SELECT erased_at FROM tip.victim WHERE victim_id = '{victim}'"), [None])

    def test_what_was_said_of_a_choice_goes(self):
        """Two versions that contradict each other, and a reason that names somebody all the same."""
        xml = self.recording()
        self.deliver(xml)
        self.deliver(xml.replace("<age>11", "<age>12"))
        chosen = values("SELECT sub_id FROM relais.submission WHERE state = 'conflict'"
                        f" AND instance_id = '{lives.instance_of(xml)}'")[0]
        done = relais("conflict", "choose", chosen, "--by", "A. T.", "--reason", "Lassina's age")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.erase("--instance", lives.instance_of(xml), "--yes")
        self.assertEqual(self.state(xml), ["erased", "erased"])
        self.assertEqual(values(f"SELECT reason FROM relais.choice WHERE sub_id = '{chosen}'"), [""])

    def test_reports_keep_no_name_of_the_submission(self):
        """That something was refused, or came in the clear, stays; of which submission, does not."""
        xml = self.recording()
        self.deliver(xml)
        instance = lives.instance_of(xml)
        database.psql(NAME, f"""INSERT INTO relais.refusal SELECT current_date, 'serve', 'collect:a', '', form_id, '{instance}',
                '', 1, 1, now(), now(), 1, gen_random_uuid() FROM relais.submission WHERE instance_id = '{instance}';
            INSERT INTO relais.incident (kind, parcel, source, form_id, instance_id, sub_id, device_id, submitted_by, is_sealed)
                SELECT 'plaintext', 'p', 'serve', form_id, instance_id, sub_id, 'collect:a', '', true
                  FROM relais.submission WHERE instance_id = '{instance}'""")
        self.erase("--card", self.card, "--yes")
        self.assertEqual(values("SELECT count(*) FROM relais.refusal"), [0])
        self.assertEqual(query("SELECT device_id, instance_id, sub_id FROM relais.incident"),
                         [{"device_id": "collect:a", "instance_id": "", "sub_id": None}])

    def test_attached_files_go_and_are_not_taken_again(self):
        xml = self.recording()
        self.deliver(xml)
        database.psql(NAME, "INSERT INTO relais.attachment SELECT sub_id, 'p.jpg', sha256('x'), 1, '', false, now(), 'x'"
                            f" FROM relais.submission WHERE instance_id = '{lives.instance_of(xml)}'")
        done = self.erase("--instance", lives.instance_of(xml), "--yes")
        self.assertRegex(done.stdout, r"attached files +1\n")
        self.assertEqual(values("SELECT count(*) FROM relais.attachment JOIN relais.submission USING (sub_id)"
                                f" WHERE instance_id = '{lives.instance_of(xml)}'"), [0])

    def test_a_parcel_that_nobody_can_read_is_counted(self):
        xml = self.recording()
        self.deliver(xml)
        (spool / "quarantine" / "broken.parcel").write_bytes(b"no parcel")
        done = self.erase("--card", self.card, "--yes", code=1)
        self.assertIn("1 parcel cannot be read", done.stderr)
        self.assertEqual(self.state(xml), ["erased"])
        self.assertTrue((spool / "quarantine" / "broken.parcel").exists())

    def test_a_correction_that_waits_goes_with_what_it_corrects(self):
        first = self.recording()
        self.deliver(first)
        lives.put(lives.edit(first, ("<age>11", "<age>12")))
        self.erase("--instance", lives.instance_of(first), "--yes")
        self.assertEqual(list(spool.glob("*/new/*")), [])

    def test_a_submission_that_only_the_spool_has(self):
        xml = self.recording()
        lives.put(xml)
        self.erase("--instance", lives.instance_of(xml), "--yes")
        self.assertEqual(list(spool.glob("*/new/*")), [])
        self.deliver(xml)
        self.assertEqual(self.state(xml), [])

    def test_an_id_of_two_forms_needs_the_form(self):
        first, second = self.recording(), self.visit()
        second = second.replace(lives.instance_of(second), lives.instance_of(first))
        self.deliver(first, second)
        done = self.erase("--instance", lives.instance_of(first), "--yes", code=1)
        self.assertIn("--form", done.stderr)
        self.erase("--instance", lives.instance_of(first), "--form", "bf_tip_suivi", "--yes")
        self.assertEqual(sorted(self.state(first)), ["delivered", "erased"])

    def test_what_nobody_knows_is_an_error(self):
        self.erase("--instance", f"uuid:{uuid.uuid4()}", "--yes", code=1)
        self.erase("--card", lives.fresh_card(), "--yes", code=1)


class AtATerminal(Erasing):
    def answer(self, text):
        """What is asked and shown, as French people see it, and the exit code."""
        master, terminal = pty.openpty()
        self.addCleanup(os.close, master)
        with subprocess.Popen([base.program(), "--config", str(base.conf), "erase", "--card", self.card, "--reason", REASON],
                              stdin=terminal, stdout=subprocess.PIPE, stderr=terminal, cwd="/",
                              env={**os.environ, "LC_ALL": "C.UTF-8", "LANGUAGE": "fr"}) as running:
            os.close(terminal)
            os.write(master, text)
            shown = running.stdout.read().decode()
        return shown, running.returncode

    def test_it_shows_counts_and_erases_only_after_a_yes(self):
        xml = self.recording()
        self.deliver(xml)
        for refused in (b"non\n", b"\n"):
            shown, code = self.answer(refused)
            self.assertIn("soumissions avec leurs réponses", shown)
            self.assertIn("Rien n'a été effacé.", shown)
            self.assertEqual((code, self.state(xml)), (1, ["delivered"]))
        shown, code = self.answer(b"oui\n")
        self.assertIn("Effacé.", shown)
        self.assertEqual((code, self.state(xml)), (0, ["erased"]))
        self.assertEqual([name for name in NAMES if name in shown], [])


class Refusals(Erasing):
    def test_called_wrongly(self):
        for arguments in (("--yes",), ("--card", self.card, "--instance", "x", "--yes"), ("--card", self.card),
                          ("--card", self.card[:-1] + str((int(self.card[-1]) + 1) % 10), "--yes"),
                          ("--card", self.card, "--form", "f", "--yes"), ("--card", self.card, "--yes", "--dry-run"),
                          ("--card", self.card, "--yes", "more")):
            with self.subTest(arguments):
                self.erase(*arguments, code=2)
        done = relais("erase", "--card", self.card, "--yes", "--reason", "  short   ")
        self.assertEqual(done.returncode, 2)

    def test_without_the_database_nothing_is_removed(self):
        lives.put(self.recording())
        conf = base.conf.read_text()
        self.addCleanup(base.conf.write_text, conf)
        base.conf.write_text(conf.replace(f"host={database.dir}", "host=/nowhere"))
        self.erase("--card", self.card, "--yes", code=3)
        self.assertEqual(len(list(spool.glob("*/new/*"))), 1)

    def test_a_login_without_the_right_erases_nothing(self):
        xml = self.recording()
        self.deliver(xml)
        conf = base.conf.read_text()
        self.addCleanup(base.conf.write_text, conf)
        database.psql(NAME, "CREATE ROLE e_forward LOGIN IN ROLE relais_forwarder;"
                            "CREATE ROLE e_unit LOGIN IN ROLE relais_coordination;")
        base.conf.write_text(conf.replace("user=relais", "user=e_forward"))
        self.assertIn("coordination", self.erase("--card", self.card, "--yes", code=1).stderr)
        self.assertEqual(self.state(xml), ["delivered"])
        base.conf.write_text(conf.replace("user=relais", "user=e_unit"))
        self.erase("--card", self.card, "--yes")
        self.assertEqual(self.state(xml), ["erased"])


def data_of(text):
    """A dump without what differs each time it is made."""
    return [line for line in text.splitlines() if not line.startswith((b"\\restrict", b"\\unrestrict", b"SELECT pg_catalog.setval"))]


if __name__ == "__main__":
    unittest.main()
