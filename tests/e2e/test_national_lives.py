"""What becomes of the forms bf_tip_case, bf_tip_suivi and bf_tip_mois on a real PostgreSQL: the
rows of a case in whatever order its states arrive, of follow-ups that come before the person's
identification, of wishes and months, corrected and refused.

No web server: parcels are put into a spool and `relais forward --once` delivers them.
"""
import hashlib
import itertools
import json
import re
import unittest
import uuid

import test_national_rows as base
from test_national_rows import NAME, database, generate, query, spool, values

CASE, VISIT, MONTH = "bf_tip_case", "bf_tip_suivi", "bf_tip_mois"
setUpModule = base.setUpModule


def sample(form, situation):
    """The sample of that situation, with an instanceID of its own."""
    xml = (base.SAMPLES / f"{form}-{situation}.xml").read_text()
    return re.sub(r"instanceID>uuid:[0-9a-f-]{36}", f"instanceID>uuid:{uuid.uuid4()}", xml, count=1)


def instance_of(xml):
    return re.search(r"instanceID>([^<]*)<", xml).group(1)


def edit(xml, *changes):
    """The same submission, corrected: (old, new) as often as needed, and a new instanceID."""
    first, second = instance_of(xml), f"uuid:{uuid.uuid4()}"
    xml = re.sub("<deprecatedID>[^<]*</deprecatedID>", "", xml)
    for old, new in changes:
        if old not in xml:
            raise AssertionError(f"{old} is not there")
        xml = xml.replace(old, new)
    return xml.replace(f"{first}</orx:instanceID>", f"{second}</orx:instanceID>").replace(
        "</orx:meta>", f"<deprecatedID>{first}</deprecatedID></orx:meta>")


def put(xml):
    """Leaves a submission in the spool as the web server does."""
    form, version = re.search(r' id="([^"]*)" version="([^"]*)"', xml).groups()
    body = xml.encode()
    n = put.count
    received = f"2026-11-20T{12 + n // 3600}:{n // 60 % 60:02}:{n % 60:02}.123Z"  # each a second after the one before
    head = (f"relais-parcel: 1\nreceived: {received}\nsource: serve\nform: {form}\n"
            f"version: {version}\ninstance: {instance_of(xml)}\nuser: \ndevice: \ncontent-type: text/xml\n"
            f"length: {len(body)}\nsha256: {hashlib.sha256(body).hexdigest()}\n\n")
    name = f"20261120T111504.{n:06d}Z-{uuid.uuid4().hex}.parcel"
    put.count += 1
    (spool / "00" / "new" / name).write_bytes(head.encode() + body)


put.count = 0


def fresh_card():
    """The code of a card that nobody has been given yet."""
    fresh_card.count += 1
    return generate.card_from(60_000 + fresh_card.count, 12_345)


fresh_card.count = 0


def fresh_case():
    fresh_case.count += 1
    return f"POL-HOU-2026-{900 + fresh_case.count}"


fresh_case.count = 0


class Delivered(unittest.TestCase):
    def deliver(self, *documents):
        """Delivers one after the other."""
        for xml in documents:
            self.deliver_together([xml])

    def deliver_together(self, documents):
        for xml in documents:
            put(xml)
        base.forward()
        quarantined = [file.read_text() for file in (spool / "quarantine").glob("*.reason")]
        self.assertEqual(quarantined, [])


class Samples(Delivered):
    def test_every_sample_arrives_and_no_answer_is_left_over(self):
        documents = [sample(form, file.stem.removeprefix(form + "-")) for form in (CASE, VISIT, MONTH)
                     for file in sorted(base.SAMPLES.glob(form + "-*.xml"))]
        self.assertGreaterEqual(len(documents), 12)
        self.deliver_together(documents)
        instances = tuple(instance_of(xml) for xml in documents)
        self.assertEqual(query("SELECT form_id, state, unmapped IS NULL OR cardinality(unmapped) = 0 AS is_mapped,"
                               f" count(*) FROM relais.submission WHERE instance_id IN {instances} GROUP BY 1, 2, 3"
                               " ORDER BY 1"),
                         [{"form_id": form, "state": "delivered", "is_mapped": True,
                           "count": sum(f' id="{form}"' in xml for xml in documents)} for form in (CASE, MONTH, VISIT)])

    def test_no_identity_of_a_suspect_reaches_a_table(self):
        self.deliver(sample(CASE, "three-suspects"))
        tables = values("SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                        " WHERE c.relkind = 'r' AND n.nspname IN ('tip', 'link', 'identity', 'stat')")
        self.assertIn("tip.case_suspect", tables)
        dump = database.psql(NAME, "".join(f"TABLE {table};" for table in tables + ["relais.claim"]))
        self.assertIn("POL-HOU-2026-42", dump)
        for secret in ("Zoundi", "Rigobert", "Le Vieux", "1984-05-17", "Sindou", "B0000417", "70000041", "Gare",
                       "11 ZZ 0001"):
            self.assertNotIn(secret, dump)


class Cases(Delivered):
    def of_case(self, code):
        """Everything that the tables know of a case, without ids."""
        case = query("SELECT case_code, org_code, opened_on, court_place, fact_place, fact_country, offence,"
                     " cross_border, foreign_help, stage, stage_date FROM tip.criminal_case"
                     f" WHERE case_code = '{code}'")
        suspects = query("SELECT s.sex, s.age, s.citizenship, s.public_official, s.armed_group, cs.role, cs.relation,"
                         " cs.stage, cs.stage_date, cs.investigated_on, cs.arrested_on, cs.prosecuted_on,"
                         " cs.decided_on, cs.final_on, cs.detained, cs.offence, cs.prison_months,"
                         " cs.suspended_months, cs.fine_xof"
                         " FROM tip.case_suspect cs JOIN tip.suspect s USING (suspect_id)"
                         f" JOIN tip.criminal_case c USING (case_id) WHERE case_code = '{code}'"
                         " ORDER BY cs.investigated_on, s.sex")
        victims = query("SELECT v.national_code, cv.witness, cv.civil_party, cv.protected, cv.award_xof, cv.stage_date"
                        " FROM tip.case_victim cv JOIN tip.victim v USING (victim_id)"
                        f" JOIN tip.criminal_case c USING (case_id) WHERE case_code = '{code}' ORDER BY 1")
        return case, suspects, victims

    def test_a_case_with_three_suspects_and_two_victims(self):
        code = fresh_case()
        self.deliver(sample(CASE, "three-suspects").replace("POL-HOU-2026-42", code))
        case, suspects, victims = self.of_case(code)
        self.assertEqual(case, [{
            "case_code": code, "org_code": "POL-HOU", "opened_on": "2026-01-21", "court_place": "BF-HOU",
            "fact_place": "BF-HOU", "fact_country": "BFA", "offence": "of_tip", "cross_border": False,
            "foreign_help": None, "stage": "sg_inv", "stage_date": "2026-02-10"}])
        columns = ("sex", "age", "role", "stage", "arrested_on", "detained")
        self.assertEqual([tuple(suspect[name] for name in columns) for suspect in suspects],
                         [("sx_m", 41, "sr_recr", "sg_arr", "2026-01-24", True),
                          ("sx_f", 35, "sr_harb", "sg_inv", None, False),
                          ("sx_m", None, "sr_tran", "sg_inv", None, None)])
        self.assertEqual([(v["national_code"], v["witness"], v["protected"]) for v in victims],
                         [("189961593860", False, True), ("331721242141", True, True)])

    def test_the_newest_state_stands_in_whatever_order_the_states_arrive(self):
        """Suspect 2 and a victim are not in the older state, and are not lost by it."""
        expected = None
        codes = {order: fresh_case() for order in
                 itertools.permutations(("three-suspects", "older-state", "newer-state"))}
        for turn in range(3):
            self.deliver_together([sample(CASE, order[turn]).replace("POL-HOU-2026-42", code)
                                   for order, code in codes.items()])
        for order, code in codes.items():
            with self.subTest(order=order):
                case, suspects, victims = self.of_case(code)
                self.assertEqual([(c.pop("case_code"), c["stage"], c["stage_date"], c["org_code"]) for c in case],
                                 [(code, "sg_tri", "2026-06-15", "JUS-HOU")])
                self.assertEqual([s["stage"] for s in suspects], ["sg_tri", "sg_nol", "sg_tri"])
                self.assertEqual([v["civil_party"] for v in victims], [True, True])
                expected = expected or (case, suspects, victims)
                self.assertEqual((case, suspects, victims), expected)

    def test_states_that_arrive_together_are_taken_by_their_dates(self):
        code = fresh_case()
        self.deliver_together([sample(CASE, name).replace("POL-HOU-2026-42", code)
                               for name in ("newer-state", "older-state", "three-suspects")])
        self.assertEqual(self.of_case(code)[0][0]["stage_date"], "2026-06-15")

    def test_a_later_state_that_leaves_a_suspect_out_keeps_him(self):
        code = fresh_case()
        self.deliver(sample(CASE, "three-suspects").replace("POL-HOU-2026-42", code),
                     sample(CASE, "older-state").replace("POL-HOU-2026-42", code))
        _, suspects, victims = self.of_case(code)
        self.assertEqual([s["stage"] for s in suspects], ["sg_ins", "sg_inv", "sg_pros"])
        self.assertEqual([v["stage_date"] for v in victims], ["2026-02-10", "2026-03-20"])

    def test_a_sentence_that_is_wholly_suspended(self):
        self.deliver(sample(CASE, "suspended-sentence"))
        _, suspects, victims = self.of_case("GEN-SEN-2026-7")
        (one,) = suspects
        columns = ("stage", "decided_on", "final_on", "prison_months", "suspended_months", "fine_xof")
        self.assertEqual([one[name] for name in columns], ["sg_conv", "2026-10-06", "2026-10-20", 24, 24, 500000])
        self.assertEqual([(v["civil_party"], v["award_xof"]) for v in victims], [(True, 1500000)])

    def test_an_acquittal_has_a_date_and_no_sentence(self):
        self.deliver(sample(CASE, "acquitted"))
        (one,) = self.of_case("BRP-KAD-2026-15")[1]
        self.assertEqual((one["stage"], one["decided_on"], one["prison_months"], one["fine_xof"]),
                         ("sg_acq", "2026-09-24", None, None))

    def test_countries_that_help_are_kept_as_a_list(self):
        self.deliver(sample(CASE, "cross-border"))
        (case,), suspects, victims = self.of_case("GEN-COM-2026-118")
        self.assertEqual((case["cross_border"], case["foreign_help"], case["fact_country"], case["fact_place"]),
                         (True, ["CIV", "GHA", "MLI"], "CIV", None))
        self.assertEqual((suspects, len(victims)), ([], 1))

    def test_a_court_known_by_its_region_alone(self):
        self.deliver(sample(CASE, "appeal"))
        self.assertEqual(self.of_case("POL-KAD-2025-203")[0][0]["court_place"], "BF-03")

    def test_a_mistaken_date_can_be_corrected_to_an_earlier_one(self):
        code = fresh_case()
        first = sample(CASE, "acquitted").replace("BRP-KAD-2026-15", code)
        self.deliver(first, edit(first, ("<update><date>2026-09-30", "<update><date>2026-09-28"),
                                 ("<age>38", "<age>39"), ("2026-09-24", "2026-09-23")))
        (case,), (suspect,), _ = self.of_case(code)
        self.assertEqual((case["stage_date"], suspect["age"], suspect["decided_on"]), ("2026-09-28", 39, "2026-09-23"))


    def without_suspect(self, xml, rank):
        (one,) = [part for part in re.findall("<suspect>.*?</suspect>", xml) if f"<rank>{rank}<" in part]
        return one, ""

    def test_a_mistyped_case_code_leaves_no_case(self):
        """Nor its suspects, its victims, its sealed identities."""
        mistyped, code = fresh_case(), fresh_case()
        first = sample(CASE, "three-suspects").replace("POL-HOU-2026-42", mistyped)
        before = self.of_case(mistyped), values("SELECT count(*) FROM tip.suspect")[0]
        self.deliver(first)
        expected = [self.of_case(mistyped), values("SELECT count(*) FROM tip.suspect")[0]]
        self.deliver(edit(first, (mistyped, code)))
        self.assertEqual(self.of_case(mistyped), before[0])
        expected[0][0][0]["case_code"] = code
        self.assertEqual([self.of_case(code), values("SELECT count(*) FROM tip.suspect")[0]], expected)
        self.assertEqual(values("SELECT count(*) FROM identity.person p JOIN relais.submission s USING (sub_id)"
                                f" WHERE s.instance_id = '{instance_of(first)}'"), [0])

    def test_a_suspect_and_a_victim_deleted_in_an_edit_are_gone(self):
        code = fresh_case()
        first = sample(CASE, "three-suspects").replace("POL-HOU-2026-42", code)
        victim = re.findall("<victim>.*?</victim>", first)[0]
        self.deliver(first, edit(first, self.without_suspect(first, 2), (victim, "")))
        _, suspects, victims = self.of_case(code)
        self.assertEqual([s["sex"] for s in suspects], ["sx_m", "sx_m"])
        self.assertEqual(len(victims), 1)

    def test_what_another_organisation_said_stands_again(self):
        """The newest state was of another case: the older one is the state of this one again."""
        code, other = fresh_case(), fresh_case()
        older = sample(CASE, "older-state").replace("POL-HOU-2026-42", code)
        newer = sample(CASE, "newer-state").replace("POL-HOU-2026-42", code)
        self.deliver(older)
        alone = self.of_case(code)
        self.deliver(newer)
        self.assertNotEqual(self.of_case(code), alone)
        moved = edit(newer, (code, other))
        self.deliver(moved)
        self.assertEqual(self.of_case(code), alone)
        self.assertEqual(self.of_case(other)[0][0]["stage"], "sg_tri")
        self.deliver(edit(moved, (other, code)))
        self.assertEqual(self.of_case(other), ([], [], []))
        self.assertEqual(self.of_case(code)[0][0]["stage_date"], "2026-06-15")

    def test_corrections_in_any_order_end_in_the_same_rows(self):
        """Three states of one case, one of them corrected to another case."""
        expected = None
        stories = {}
        for order in itertools.permutations(range(4)):
            code, other = fresh_case(), fresh_case()
            states = [sample(CASE, name).replace("POL-HOU-2026-42", code)
                      for name in ("newer-state", "older-state", "three-suspects")]
            stories[order] = code, other, [*states, edit(states[0], (code, other))]
        for turn in range(4):
            self.deliver_together([states[order[turn]] for order, (_, _, states) in stories.items()])
        for order, (code, other, _) in stories.items():
            with self.subTest(order=order):
                found = self.of_case(code), self.of_case(other)
                found[0][0][0].pop("case_code"), found[1][0][0].pop("case_code")
                expected = expected or found
                self.assertEqual(found, expected)
                self.assertEqual((found[0][0][0]["stage"], found[1][0][0]["stage"]), ("sg_ins", "sg_tri"))


class Followups(Delivered):
    def visit(self, situation, card, *changes):
        xml = re.sub(r"<(scan|typed)>\d+<", rf"<\1>{card}<", sample(VISIT, situation))
        for old, new in changes:
            xml = xml.replace(old, new)
        return xml

    def recording(self, card, situation="adult"):
        xml = re.sub(r"uuid:[0-9a-f-]{36}", f"uuid:{uuid.uuid4()}", base.sample(situation), count=1)
        return re.sub(r"<has_card>no</has_card>(.*)<write />",
                      rf"<has_card>yes</has_card><scan /><typed>{card}</typed>\1", xml)

    def person(self, card):
        (row,) = query(f"SELECT * FROM tip.victim WHERE national_code = '{card}'")
        return row

    def rows(self, table, card, columns="*", order="1"):
        return query(f"SELECT {columns} FROM tip.{table} JOIN tip.victim v USING (victim_id)"
                     f" WHERE v.national_code = '{card}' ORDER BY {order}")

    def test_a_followup_before_the_identification_waits_for_it_in_place(self):
        card = fresh_card()
        self.deliver(self.visit("before-intake", card))
        stub = self.person(card)
        self.assertEqual(stub["case_state"], "cl_act")
        self.assertEqual(self.rows("identification", card), [])
        self.deliver(self.recording(card))
        self.assertEqual(self.person(card)["victim_id"], stub["victim_id"])
        (identification,) = self.rows("identification", card)
        self.assertEqual(identification["victim_id"], stub["victim_id"])
        services = self.rows("assistance", card, "service, needed_on", "needed_on, service")
        self.assertIn({"service": "sv_shel", "needed_on": "2026-08-17"}, services)
        self.assertGreater(len(services), 1, "the needs of the identification stand beside it")

    def test_services_keep_their_order_and_what_became_of_them(self):
        card = fresh_card()
        self.deliver(self.visit("drop-out", card))
        found = self.rows("assistance", card, "seq, service, needed_on, referred_to, referral_status, started_on,"
                                              " ended_on, result")
        self.assertEqual([tuple(row.values()) for row in found], [
            (1, "sv_voc", "2026-10-05", "CEN-HOU", "rf_acc", "2026-10-12", "2026-11-09", "pr_drop"),
            (2, "sv_sch", "2026-11-16", None, "rf_prop", None, None, None),
            (3, "sv_psy", "2026-10-05", "SAN-NAT", "rf_done", "2026-10-07", None, "pr_cont"),
            (4, "sv_cash", "2026-10-05", "ONG-HOU", "rf_none", None, None, None)])
        (visit,) = self.rows("followup", card, "followup.*")
        self.assertEqual((visit["lives_with"], visit["safe"], visit["case_state"], visit["next_visit"]),
                         ("family", False, "cl_fol", "2026-12-01"))

    def test_a_refusal_closes_the_file_and_keeps_nothing_else(self):
        card = fresh_card()
        self.deliver(self.visit("refusal", card))
        (visit,) = self.rows("followup", card, "followup.*")
        self.assertEqual({name for name, value in visit.items() if value is not None},
                         {"followup_id", "sub_id", "victim_id", "org_code", "visited_on", "case_state", "reported_at"})
        self.assertEqual(self.person(card)["case_state"], "cl_refu")
        self.assertEqual(self.rows("assistance", card), [])
        self.assertEqual(self.rows("consent_change", card), [])

    def test_an_older_visit_that_arrives_later_does_not_speak_for_the_person(self):
        card = fresh_card()
        self.deliver(self.visit("reintegrated", card), self.visit("before-intake", card))
        self.assertEqual(self.person(card)["case_state"], "cl_rein")

    def test_a_corrected_visit_replaces_its_services_and_its_wishes(self):
        card = fresh_card()
        first = self.visit("withdrawal", card)
        self.deliver(self.visit("drop-out", card), first)
        self.assertEqual([row["wish"] for row in self.rows("consent_change", card, "wish")], ["erasure", "justice"])
        (change,) = self.rows("consent_change", card, "change_id, wish", "wish DESC LIMIT 1")
        database.psql(NAME, f"SELECT tip.decide_consent_change('{change['change_id']}', 'refused', 'essai');")
        second = edit(first, ("justice erasure", "justice"), ("<service>sv_leg", "<service>sv_psy"))
        self.deliver(second)
        self.assertEqual(self.rows("consent_change", card, "wish, outcome"),
                         [{"wish": "justice", "outcome": "refused"}])
        services = [row["service"] for row in self.rows("assistance", card, "service", "needed_on, service")]
        self.assertEqual(services, ["sv_cash", "sv_psy", "sv_voc", "sv_psy", "sv_sch"])
        third = edit(second, (re.search("<help>.*</help>", second).group(), ""))
        self.deliver(third)
        self.assertEqual(len(self.rows("assistance", card)), 4, "the other visit's services stay")

    def test_a_wish_is_a_task_and_once_applied_it_holds(self):
        card = fresh_card()
        self.deliver(self.recording(card), self.visit("refusal-and-withdrawal", card))
        (before,) = self.rows("identification", card)
        self.assertEqual((before["share_stats"], before["share_assist"]), (True, True))
        changes = self.rows("consent_change", card, "change_id, wish, outcome, asked_on", "wish")
        self.assertEqual([(c["wish"], c["outcome"], c["asked_on"]) for c in changes],
                         [("assist", "open", "2026-11-02"), ("stats", "open", "2026-11-02")])
        for change in changes:
            database.psql(NAME, f"SELECT tip.decide_consent_change('{change['change_id']}', 'applied');")
        (after,) = self.rows("identification", card)
        self.assertEqual((after["share_stats"], after["share_assist"]), (False, False))


class Months(Delivered):
    def report(self, org, month="2026-10-01"):
        (row,) = query("SELECT seen, forms_sent FROM tip.activity_report"
                       f" WHERE org_code = '{org}' AND month = '{month}'")
        difficulties = values("SELECT difficulty FROM tip.activity_difficulty"
                              f" WHERE org_code = '{org}' AND month = '{month}' ORDER BY 1")
        return row["seen"], row["forms_sent"], difficulties

    def test_nothing_seen_is_a_report(self):
        self.deliver(sample(MONTH, "nil"))
        self.assertEqual(self.report("CVS-KOT"), (0, None, []))

    def test_a_month_is_its_first_day_and_its_difficulties_are_rows(self):
        self.deliver(sample(MONTH, "usual").replace("POL-HOU", "POL-COM"))
        self.assertEqual(self.report("POL-COM"), (6, 6, ["none"]))
        self.deliver(sample(MONTH, "difficulties").replace("SOC-HOU", "SOC-COM"))
        self.assertEqual(self.report("SOC-COM"), (14, 9, ["network", "phone", "security"]))

    def test_a_second_report_takes_the_place_of_the_first(self):
        self.deliver(sample(MONTH, "nil").replace("CVS-KOT", "SOC-LER"),
                     sample(MONTH, "difficulties").replace("SOC-HOU", "SOC-LER"))
        self.assertEqual(self.report("SOC-LER"), (14, 9, ["network", "phone", "security"]))
        self.deliver(sample(MONTH, "usual").replace("POL-HOU", "SOC-LER").replace("2026-10-17", "2026-10-01"))
        self.assertEqual(self.report("SOC-LER"), (6, 6, ["none"]), "whole, with its difficulties")

    def test_of_two_reports_the_one_received_last_stands_also_when_it_is_delivered_first(self):
        first = sample(MONTH, "nil").replace("CVS-KOT", "SOC-BAM")
        second = sample(MONTH, "difficulties").replace("SOC-HOU", "SOC-BAM")
        put.count += 2
        self.deliver(second)
        put.count -= 3
        self.deliver(first)
        put.count += 2
        self.assertEqual(self.report("SOC-BAM"), (14, 9, ["network", "phone", "security"]))

    def test_a_report_of_another_month_gives_the_month_back(self):
        first = sample(MONTH, "usual").replace("POL-HOU", "POL-BAM").replace("2026-10-17", "2026-10-01")
        second = sample(MONTH, "difficulties").replace("SOC-HOU", "POL-BAM")
        self.deliver(first, second, edit(second, ("2026-10-01", "2026-09-01")))
        self.assertEqual(self.report("POL-BAM"), (6, 6, ["none"]))
        self.assertEqual(self.report("POL-BAM", "2026-09-01"), (14, 9, ["network", "phone", "security"]))

    def test_a_corrected_report_may_change_its_month_and_its_difficulties(self):
        first = sample(MONTH, "difficulties").replace("SOC-HOU", "SOC-KEN")
        second = edit(first, ("network phone security", "network"), ("<seen>14", "<seen>13"))
        self.deliver(first, second)
        self.assertEqual(self.report("SOC-KEN"), (13, 9, ["network"]))
        self.deliver(edit(second, ("2026-10-01", "2026-09-01")))
        self.assertEqual(self.report("SOC-KEN", "2026-09-01"), (13, 9, ["network"]))
        self.assertEqual(values("SELECT count(*) FROM tip.activity_report WHERE org_code = 'SOC-KEN'"), [1])


class Held(Delivered):
    """What refers to something that is not there yet is no mistake: it waits, and is delivered by itself."""

    def waiting(self, xml):
        return values(f"SELECT state FROM relais.submission WHERE instance_id = '{instance_of(xml)}'")

    def held_for(self):
        done = base.relais("status", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        return {wait["form"]: (wait["for"], wait["submissions"])
                for wait in json.loads(done.stdout)["ledger"]["waiting"] if wait["state"] == "held"}

    def add_organisation(self, code):
        database.psql(NAME, "INSERT INTO ref.organisation (org_code, name, org_type, place_code)"
                            f" VALUES ('{code}', 'Essai', 'og_soc', 'BF-HOU')")

    def test_an_organisation_that_is_not_in_the_list_yet(self):
        code = fresh_case()
        forms = [re.sub("<org_code>[^<]*", "<org_code>NEW-KAD", sample(CASE, "acquitted")).replace("BRP-KAD-2026-15", code),
                 sample(VISIT, "drop-out").replace("ONG-HOU", "NEW-KAD"),
                 sample(MONTH, "usual").replace("POL-HOU", "NEW-KAD"), sample("bf_tip_ident", "child").replace("SOC-KOS", "NEW-KAD")]
        self.deliver_together(forms)
        self.assertEqual([self.waiting(xml) for xml in forms], [["held"]] * 4)
        self.assertEqual(self.held_for(), {form: ("organisation", 1) for form in (CASE, VISIT, MONTH, "bf_tip_ident")})
        self.add_organisation("NEW-KAD")
        base.forward()
        self.assertEqual([self.waiting(xml) for xml in forms], [["delivered"]] * 4)
        self.assertEqual(self.held_for(), {})

    def test_a_place_that_is_not_in_the_list_yet(self):
        xml = sample("bf_tip_ident", "child").replace("</province><detection>", "</province><commune>BF-HOU-LATER</commune><detection>")
        armed = sample("bf_tip_ident", "armed-group").replace("<province>BF-LOR<", "<province>BF-LATER<")
        self.deliver_together([xml, armed])
        self.assertEqual((self.waiting(xml), self.waiting(armed)), (["held"], ["held"]))
        database.psql(NAME, "INSERT INTO ref.place (place_code, level, name_fr, parent, code_status)"
                            " VALUES ('BF-HOU-LATER', 'commune', 'Essai', 'BF-HOU', 'national'),"
                            " ('BF-LATER', 'province', 'Essai', 'BF-10', 'national')")
        base.forward()
        self.assertEqual(self.waiting(xml), ["delivered"])
        # A province that is made coarser by rule cannot be kept as a row before its list has it, and the
        # answers are sealed: whoever holds the key delivers that one.
        self.assertEqual(self.waiting(armed), ["held"])
        done = base.relais("replay", "--key", base.KEYS.private)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.waiting(armed), ["delivered"])
        self.assertEqual(base.recording(instance_of(xml))[0]["place_code"], "BF-HOU-LATER")

    def test_people_and_cases_that_nobody_has_recorded_are_stubs(self):
        """Nothing waits: a card in a case or a visit makes the person's row, which no figure counts yet."""
        card, code = fresh_card(), fresh_case()
        people = values("SELECT count(*) FROM stat.victim_fact")
        forms = [re.sub(r"<(scan|typed)>\d+<", rf"<\1>{card}<", sample(VISIT, "before-intake")),
                 sample(CASE, "three-suspects").replace("POL-HOU-2026-42", code).replace("189961593860", card)]
        self.deliver_together(forms)
        self.assertEqual([self.waiting(xml) for xml in forms], [["delivered"]] * 2)
        self.assertEqual(values(f"SELECT count(*) FROM tip.victim WHERE national_code = '{card}'"), [1])
        self.assertEqual(values("SELECT count(*) FROM stat.victim_fact"), people)


class Quarantined(unittest.TestCase):
    """What a form of another hand would send: the rule in words, in French, and where; never the answer."""

    def refused(self, xml, path, words, rule=""):
        put(xml)
        base.forward()
        reasons = [file.read_text() for file in (spool / "quarantine").glob("*.reason")]
        for file in (spool / "quarantine").iterdir():
            file.unlink()
        self.assertEqual(len(reasons), 1, words)
        (reason,) = reasons
        said = dict(line.split(": ", 1) for line in reason.splitlines())
        self.assertEqual((said["path"], said["rule"]), (path, words))
        self.assertIn(rule, said["text"])
        for answer in ("POL-HOU-2026", "189961593860", "sx_m", "2026-01-24", "2999"):
            self.assertNotIn(answer, reason)

    def test_a_decision_before_its_prosecution(self):
        self.refused(sample(CASE, "acquitted").replace("<decided_on>2026-09-24", "<decided_on>2026-02-16"),
                     "/data/suspect/proceedings/decided_on",
                     "la décision ne précède ni l'enquête, ni l'interpellation, ni les poursuites",
                     "case_suspect_decision_after_prosecution")

    def test_of_three_suspects_the_one_that_is_wrong(self):
        xml = sample(CASE, "three-suspects")
        (second,) = re.findall("<suspect>(?:(?!</suspect>).)*<rank>2<.*?</suspect>", xml)
        wrong = second.replace("<stage>sg_inv</stage>", "<stage>sg_arr</stage>").replace(
            "</investigated_on>", "</investigated_on><arrested_on>2026-01-01</arrested_on>").replace("<arrested_on />", "")
        self.assertNotEqual(wrong, second)
        self.refused(xml.replace(second, wrong), "/data/suspect[2]/proceedings/arrested_on",
                     "l'interpellation ne précède pas le début de l'enquête", "case_suspect_arrest_after_investigation")

    def test_a_conviction_without_a_date(self):
        self.refused(sample(CASE, "acquitted").replace("<decided_on>2026-09-24</decided_on>", "<decided_on />"),
                     "/data/suspect/proceedings/stage",
                     "une condamnation, une relaxe ou un acquittement a une date de décision",
                     "case_suspect_convicted_or_acquitted_on_a_date")

    def test_a_final_decision_under_appeal_and_a_sentence_before_any(self):
        xml = sample(CASE, "suspended-sentence")
        self.refused(xml.replace("<stage>sg_conv</stage><investigated_on>", "<stage>sg_app</stage><investigated_on>"),
                     "/data/suspect/proceedings/stage", "une décision frappée d'appel n'est pas définitive")
        self.refused(xml.replace("<stage>sg_conv</stage><investigated_on>", "<stage>sg_tri</stage><investigated_on>"),
                     "/data/suspect/proceedings/stage", "il n'y a de peine qu'après une condamnation")

    def test_a_date_after_the_state_of_the_case(self):
        self.refused(sample(CASE, "acquitted").replace("<update><date>2026-09-30", "<update><date>2026-09-20"),
                     "/data/update/date",
                     "aucune date de la personne mise en cause n'est après la date de mise à jour du dossier")

    def test_a_case_code_of_a_wrong_shape(self):
        self.refused(sample(CASE, "three-suspects").replace("POL-HOU-2026-42", "POL-HOU-2026-042"), "/data/case/code",
                     "le code du dossier s'écrit unité-année-numéro, en majuscules et sans zéro devant le numéro"
                     " (BRP-HOU-2026-42)", "criminal_case_case_code_unit_year_number")

    def test_a_card_with_wrong_check_digits(self):
        words = ("les deux derniers chiffres du code de la carte contrôlent les dix premiers :"
                 " le code est à relire sur la carte")
        self.refused(sample(CASE, "three-suspects").replace("189961593860", "189961593861"), "/data/victim[2]/code", words,
                     "victim_national_code_check_digits")
        self.refused(sample(VISIT, "drop-out").replace("189961593860", "189961593861"), "/data/card/scan", words,
                     "victim_national_code_check_digits")

    def test_a_code_of_another_list(self):
        self.refused(sample(CASE, "acquitted").replace("<role>sr_ctrl", "<role>sg_conv"), "/data/suspect/person/role",
                     "un code de la liste « role »")

    def test_an_age_of_150(self):
        self.refused(sample(CASE, "acquitted").replace("<age>38", "<age>150"), "/data/suspect/person/age",
                     "un âge va de 0 à 110 ans", "suspect_age_0_to_110")
        self.refused(sample("bf_tip_ident", "adult").replace("<age>23<", "<age>150<"), "/data/person/age",
                     "un âge va de 0 à 110 ans", "identification_age_0_to_110")

    def test_a_date_in_the_future(self):
        self.refused(sample("bf_tip_ident", "intercepted").replace("<event><date>2026", "<event><date>2999"), "/data/event/date",
                     "la date de l'identification n'est pas après le jour où la fiche est arrivée")
        self.refused(re.sub("<visit><date>2026-..-..<", "<visit><date>2999-01-01<", sample(VISIT, "refusal")), "/data/visit/date",
                     "la date de la visite n'est pas après le jour où la fiche est arrivée")
        self.refused(sample(MONTH, "nil").replace("<month>2026", "<month>2999"), "/data/report/month",
                     "le mois du rapport n'est pas après le jour où il est arrivé")
        self.refused(sample(CASE, "cross-border").replace("<update><date>2026", "<update><date>2999"), "/data/update/date",
                     "la date de mise à jour n'est pas après le jour où la fiche est arrivée")

    def test_a_text_that_is_too_long(self):
        self.refused(re.sub("<agent_code>[^<]*<", f"<agent_code>{'A' * 33}<", sample("bf_tip_ident", "adult")),
                     "/data/reporter/agent_code", "un texte de 32 caractères au plus")

    def test_a_service_that_ends_before_it_begins_or_begins_before_it_is_asked_for(self):
        xml = sample(VISIT, "drop-out")
        self.refused(xml.replace("<ended_on>2026-11-09", "<ended_on>2026-10-11"), "/data/help[1]/ended_on",
                     "un service ne finit pas avant de commencer", "assistance_ended_on_after_started_on")
        self.refused(xml.replace("<started_on>2026-10-07", "<started_on>2026-10-04"), "/data/help[3]/started_on",
                     "un service ne commence pas avant d'être demandé", "assistance_started_on_after_needed_on")


if __name__ == "__main__":
    unittest.main()
