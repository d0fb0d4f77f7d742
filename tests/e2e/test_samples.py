"""Each sample of xforms/samples, sent by a phone to a running Relais in the order of the samples'
README, ends as the right rows and as no others.

The rows of bf_tip_ident are computed from the XML by expected.py; those of the other forms are
written down here, as one reads them in the samples.
"""
import csv
import json
import os
import re
import unittest
import uuid

import collect
import expected
from quickstart import ROOT, Quickstart

SAMPLES = os.path.join(ROOT, "xforms", "samples")
README = os.path.join(SAMPLES, "README.md")
CODES = os.path.join(ROOT, "transforms", "codes", "ref.code.csv")
IDENT = "bf_tip_ident"

server = Quickstart()


def setUpModule():
    unittest.addModuleCleanup(server.remove)
    server.start()
    # The quickstart has sent them already, in another order.
    server.sql("TRUNCATE relais.submission, tip.victim, tip.activity_report, tip.suspect, tip.criminal_case CASCADE")
    with collect.Phone(server.url) as phone:
        for name in in_order():
            receipt = phone.send(read(name), [])
            if receipt.statuses != [201]:
                raise AssertionError(f"{name} was answered with {receipt.statuses}")
    server.wait_empty()


def in_order():
    """The samples' names as their README has them."""
    with open(README, encoding="utf-8") as lines:
        return re.findall(r"^\| `([\w-]+)` \|", lines.read(), re.M)


def read(name):
    with open(os.path.join(SAMPLES, name + ".xml"), "rb") as file:
        return file.read()


def instance_of(name):
    return re.search(rb"instanceID>([^<]*)<", read(name)).group(1).decode()


def rows(statement):
    return [tuple(row.values()) for row in server.sql(statement)]


class Readme(unittest.TestCase):
    def test_every_sample_has_its_line_and_stands_once(self):
        there = {name.removesuffix(".xml") for name in os.listdir(SAMPLES) if name.endswith(".xml")}
        self.assertEqual(sorted(in_order()), sorted(there))

    def test_the_followup_comes_before_its_intake_and_the_older_state_after_the_newer(self):
        order = in_order()
        for first, second in (("bf_tip_suivi-before-intake", "bf_tip_ident-after-visit"),
                              ("bf_tip_case-newer-state", "bf_tip_case-older-state")):
            self.assertLess(order.index(first), order.index(second))

    def test_every_consent_basis_of_the_schema_is_shown(self):
        with open(CODES, encoding="utf-8", newline="") as file:
            bases = {row["code"] for row in csv.DictReader(file) if row["list"] == "co"}
        shown = {re.search(rb"<basis>(\w+)<", read(name)).group(1).decode()
                 for name in in_order() if name.startswith(IDENT)}
        self.assertEqual(shown, bases)


class Delivered(unittest.TestCase):
    maxDiff = None

    def test_all_are_delivered_and_no_answer_is_left_over(self):
        self.assertEqual(server.quarantined(), [])
        self.assertEqual(rows("SELECT instance_id, state, unmapped FROM relais.submission"
                              " WHERE state <> 'delivered' OR cardinality(unmapped) > 0"), [])
        found = {instance for (instance,) in rows("SELECT instance_id FROM relais.submission")}
        self.assertEqual(found, {instance_of(name) for name in in_order()})

    def test_identifications_are_what_their_answers_say(self):
        wanted = {table: [] for table in expected.TABLES + ("victim",)}
        for name in filter(lambda name: name.startswith(IDENT), in_order()):
            [row] = server.sql("SELECT sub_id, form_id, instance_id, received_at FROM relais.submission"
                               f" WHERE instance_id = '{instance_of(name)}'")
            row.update(record=row["instance_id"], xml=read(name))
            for table, made in expected.rows_of(row).items():
                wanted[table] += made
        for table in expected.TABLES:
            there = server.sql(f"SELECT t.* FROM tip.{table} t {expected.OWN.get(table, '')}")
            self.assertEqual(expected.compare(table, wanted[table], there), [])
        self.assertGreater(min(len(made) for made in wanted.values()), 5)

    def test_a_person_is_one_row_however_many_forms_name_the_card(self):
        cards = set()
        for name in in_order():
            card = expected.parse(read(name))
            if name.startswith(IDENT):
                cards.add(expected.card_code(card, expected.answer(card, "consent/basis") == "co_none"))
            cards |= {expected.answer(card, path) for path in ("card/scan", "card/typed")}
            cards |= {expected.answer(victim, "code") for victim in card.findall("victim")}
        there = [code for (code,) in rows("SELECT national_code FROM tip.victim ORDER BY 1")]
        self.assertEqual(there, sorted(cards - {None}))

    def test_the_followup_and_its_later_intake_are_of_one_person(self):
        self.assertEqual(rows(
            "SELECT v.national_code, v.case_state, f.visited_on, i.event_date, i.org_code, a.service"
            "  FROM tip.victim v JOIN tip.followup f USING (victim_id) JOIN tip.identification i USING (victim_id)"
            "  JOIN tip.assistance a USING (victim_id) WHERE v.national_code = '452108076389'"),
            [("452108076389", "cl_act", "2026-08-19", "2026-08-17", "ONG-YAT", "sv_shel")])

    def test_cases(self):
        self.assertEqual(rows("SELECT case_code, org_code, offence, stage, stage_date, cross_border, foreign_help,"
                              " fact_country, fact_place, court_place FROM tip.criminal_case ORDER BY 1"), [
            ("BRP-KAD-2026-15", "JUS-KAD", "of_proc", "sg_acq", "2026-09-30", None, None, "BFA", "BF-KAD", "BF-KAD"),
            ("GEN-COM-2026-118", "GEN-COM", "of_tip", "sg_rep", "2026-10-12", True, ["CIV", "GHA", "MLI"], "CIV",
             None, None),
            ("GEN-SEN-2026-7", "JUS-SEN", "of_tip", "sg_conv", "2026-10-20", False, None, "BFA", "BF-SEN", "BF-SEN"),
            ("POL-HOU-2026-42", "JUS-HOU", "of_tipa", "sg_tri", "2026-06-15", False, None, "BFA", "BF-HOU", "BF-HOU"),
            ("POL-KAD-2025-203", "JUS-NAT", "of_tipa", "sg_app", "2026-11-12", False, None, "BFA", "BF-KAD",
             "BF-03")])

    def test_three_suspects_and_two_victims_as_the_newest_state_has_them(self):
        self.assertEqual(rows(
            "SELECT s.sex, s.age, s.citizenship, x.role, x.relation, x.stage, x.arrested_on, x.prosecuted_on,"
            " x.decided_on, x.final_on, x.detained, x.offence FROM tip.case_suspect x JOIN tip.suspect s"
            " USING (suspect_id) JOIN tip.criminal_case c USING (case_id) WHERE case_code = 'POL-HOU-2026-42'"
            " ORDER BY x.investigated_on"), [
            ("sx_m", 41, "BFA", "sr_recr", "rr_int", "sg_tri", "2026-01-24", "2026-02-20", None, None, True, "of_tipa"),
            ("sx_f", 35, "CIV", "sr_harb", "rr_fam", "sg_nol", None, "2026-02-20", "2026-06-01", "2026-06-11", False,
             None),
            ("sx_m", 29, "BFA", "sr_tran", "rr_smu", "sg_tri", "2026-02-12", "2026-02-20", None, None, False,
             "of_tip")])
        self.assertEqual(rows(
            "SELECT national_code, witness, civil_party, protected, award_xof, x.stage_date FROM tip.case_victim x"
            " JOIN tip.victim USING (victim_id) JOIN tip.criminal_case c USING (case_id)"
            " WHERE case_code = 'POL-HOU-2026-42' ORDER BY 1"), [
            ("189961593860", False, True, True, None, "2026-06-15"),
            ("331721242141", True, True, True, None, "2026-06-15")])

    def test_sentences(self):
        self.assertEqual(rows(
            "SELECT case_code, role, x.stage, decided_on, prison_months, suspended_months, fine_xof"
            " FROM tip.case_suspect x JOIN tip.criminal_case c USING (case_id)"
            " WHERE x.decided_on IS NOT NULL AND case_code <> 'POL-HOU-2026-42' ORDER BY 1, 2"), [
            ("BRP-KAD-2026-15", "sr_ctrl", "sg_acq", "2026-09-24", None, None, None),
            ("GEN-SEN-2026-7", "sr_expl", "sg_conv", "2026-10-06", 24, 24, 500000),
            ("POL-KAD-2025-203", "sr_forg", "sg_conv", "2026-11-02", 36, 12, 1000000),
            ("POL-KAD-2025-203", "sr_offi", "sg_app", "2026-11-02", 60, 0, 2000000)])

    def test_visits(self):
        self.assertEqual(rows(
            "SELECT national_code, f.org_code, visited_on, f.case_state, lives_with, safe, next_visit, v.case_state"
            " AS now FROM tip.followup f JOIN tip.victim v USING (victim_id) ORDER BY 1"), [
            ("189961593860", "SOC-HOU", "2026-11-16", "cl_fol", "family", False, "2026-12-01", "cl_fol"),
            ("331721242141", "SOC-HOU", "2026-09-08", "cl_rein", "family", True, None, "cl_rein"),
            ("452108076389", "SOC-YAT", "2026-08-19", "cl_act", "foster", True, "2026-09-02", "cl_act"),
            ("736264714943", "CEN-KAD", "2026-11-20", "cl_act", "centre", True, None, "cl_act"),
            ("839078198871", "ONG-KAD", "2026-10-28", "cl_refu", None, None, None, "cl_refu"),
            ("962943187727", "SOC-SEN", "2026-11-02", "cl_refu", None, None, None, "cl_refu")])

    def test_services(self):
        self.assertEqual(rows(
            "SELECT national_code, seq, service, needed_on, referred_to, referral_status, started_on, ended_on, result"
            " FROM tip.assistance a JOIN tip.victim USING (victim_id) JOIN relais.submission s USING (sub_id)"
            " WHERE s.form_id = 'bf_tip_suivi' ORDER BY 1, 2"), [
            ("189961593860", 1, "sv_voc", "2026-10-05", "CEN-HOU", "rf_acc", "2026-10-12", "2026-11-09", "pr_drop"),
            ("189961593860", 2, "sv_sch", "2026-11-16", None, "rf_prop", None, None, None),
            ("189961593860", 3, "sv_psy", "2026-10-05", "SAN-NAT", "rf_done", "2026-10-07", None, "pr_cont"),
            ("189961593860", 4, "sv_cash", "2026-10-05", "ONG-HOU", "rf_none", None, None, None),
            ("331721242141", 1, "sv_shel", "2026-01-22", None, "rf_done", "2026-01-22", "2026-02-01", "pr_done"),
            ("331721242141", 2, "sv_fam", "2026-01-25", None, "rf_done", "2026-02-01", "2026-02-01", "pr_done"),
            ("331721242141", 3, "sv_sch", "2026-02-10", "ECO-NAT", "rf_done", "2026-02-16", None, "pr_cont"),
            ("452108076389", 1, "sv_shel", "2026-08-17", None, "rf_done", "2026-08-17", None, None),
            ("736264714943", 1, "sv_leg", "2026-11-05", "JUS-KAD", "rf_refp", None, None, None)])

    def test_wishes(self):
        self.assertEqual(rows(
            "SELECT national_code, asked_on, wish, outcome FROM tip.consent_change JOIN tip.victim USING (victim_id)"
            " ORDER BY 1, 3"), [
            ("736264714943", "2026-11-20", "erasure", "open"), ("736264714943", "2026-11-20", "justice", "open"),
            ("962943187727", "2026-11-02", "assist", "open"), ("962943187727", "2026-11-02", "stats", "open")])

    def test_months_nil_included(self):
        self.assertEqual(rows("SELECT org_code, month, seen, forms_sent FROM tip.activity_report ORDER BY 1"), [
            ("CVS-KOT", "2026-10-01", 0, None), ("POL-HOU", "2026-10-01", 6, 6), ("SOC-HOU", "2026-10-01", 14, 9)])
        self.assertEqual(rows("SELECT org_code, difficulty FROM tip.activity_difficulty ORDER BY 1, 2"), [
            ("POL-HOU", "none"), ("SOC-HOU", "network"), ("SOC-HOU", "phone"), ("SOC-HOU", "security")])

    def test_identities_are_sealed_for_those_who_gave_one(self):
        named = {instance_of(name) for name in in_order() if b"<details>" in read(name)}
        self.assertEqual({instance for (instance,) in rows(
            "SELECT DISTINCT s.instance_id FROM identity.person p JOIN relais.submission s USING (sub_id)")}, named)


class Waiting(unittest.TestCase):
    """Runs last: it leaves one submission that waits."""

    def test_forms_mappings_and_database_agree_with_nothing_to_say(self):
        for arguments in (["check"], ["check", "--no-database"]):
            done = server.relais(*arguments)
            self.assertEqual((done.returncode, done.stdout), (0, ""), arguments)

    def test_what_waits_for_an_organisation_is_told_as_that(self):
        self.assertEqual(json.loads(server.relais("status", "--json").stdout)["ledger"]["waiting"], [])
        xml = read("bf_tip_mois-nil").replace(b"CVS-KOT", b"CVS-NEW")
        with collect.Phone(server.url) as phone:
            phone.send(re.sub(rb"(instanceID>)[^<]*", rb"\g<1>uuid:" + str(uuid.uuid4()).encode(), xml, count=1), [])
        server.wait_empty()
        [wait] = json.loads(server.relais("status", "--json").stdout)["ledger"]["waiting"]
        self.assertEqual((wait["form"], wait["state"], wait["for"], wait["submissions"]),
                         ("bf_tip_mois", "held", "organisation", 1))
        self.assertIn("an organisation", server.relais("status").stdout)


if __name__ == "__main__":
    unittest.main()
