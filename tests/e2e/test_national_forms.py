"""The other national forms, bf_tip_case, bf_tip_suivi and bf_tip_mois: well made by the ODK XForms
specification, complete in both languages, with the codes of the national lists; their samples
are what they let a phone send, and what they forbid is forbidden.

The checks are those of test_national.py, turned on one form after the other. Nothing runs
here but Python.
"""
import datetime
import pathlib
import re
import sys
import unittest
from unittest import mock

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import test_national  # noqa: E402
from test_national import form_rules, form_xpath  # noqa: E402

XFORMS = ROOT / "xforms"
FORMS = {path.stem: form_rules.Form(path) for path in sorted(XFORMS.glob("*.xml"))}
OWN_LISTS = {"yn", "lives", "wish", "difficulty"}  # short lists that are no codes of the database


def samples(form_id):
    return {path.stem.removeprefix(form_id + "-"): path.read_text() for path in
            sorted((XFORMS / "samples").glob(form_id + "-*.xml"))}


class OneForm:
    """Turns the checks on the form FORM_ID for the time of a test."""
    FORM_ID = ""

    def setUp(self):
        super().setUp()
        for name, value in (("FORM", FORMS[self.FORM_ID]), ("OWN_LISTS", OWN_LISTS)):
            patch = mock.patch.object(test_national, name, value)
            patch.start()
            self.addCleanup(patch.stop)


class CaseIsWellMade(OneForm, test_national.FormIsWellMade, test_national.LanguagesAndLists):
    FORM_ID, REPEATS, EXPRESSIONS_AT_LEAST = "bf_tip_case", 2, 60
    NAMED_AFTER = {"/data/update/date", "/data/reporter/org_code"}
    SAME = set()


class FollowupIsWellMade(OneForm, test_national.FormIsWellMade, test_national.LanguagesAndLists):
    FORM_ID, REPEATS, EXPRESSIONS_AT_LEAST = "bf_tip_suivi", 1, 40
    NAMED_AFTER = {"/data/visit/date", "/data/reporter/org_code"}
    SAME = set()


class MonthIsWellMade(OneForm, test_national.FormIsWellMade, test_national.LanguagesAndLists):
    FORM_ID, REPEATS, EXPRESSIONS_AT_LEAST = "bf_tip_mois", 0, 10
    NAMED_AFTER = {"/data/report/month", "/data/reporter/org_code"}
    SAME = set()


class OfOneHand(unittest.TestCase):
    """What the forms have in common is the same in all of them."""

    def test_every_form_is_looked_at(self):
        looked_at = {check.FORM_ID for check in OneForm.__subclasses__()}
        self.assertEqual(looked_at | {test_national.FormIsWellMade.FORM_ID}, set(FORMS))
        for form_id, form in FORMS.items():
            self.assertEqual(form.data.get("id"), form_id, "a form is found by its file's name")

    def test_lists_of_one_name_are_the_same_bytes(self):
        """An administrator who replaces org.csv replaces it for all forms, or this says so."""
        source = FORMS["bf_tip_ident"].media
        for form in FORMS.values():
            for path in form.media.iterdir():
                self.assertEqual(path.read_bytes(), (source / path.name).read_bytes(), path)

    def texts(self, form):
        with mock.patch.object(test_national, "FORM", form):
            return {(language, key): "".join(text.itertext()) for language, found in test_national.itext().items()
                    for key, text in found.items()}

    def test_the_reporter_and_the_card_are_asked_in_the_same_words(self):
        first = self.texts(FORMS["bf_tip_ident"])
        for form in FORMS.values():
            for key, text in self.texts(form).items():
                if re.fullmatch(r"reporter.*|card|card\.(scan|typed).*|yn\..*", key[1]):
                    self.assertEqual(text, first[key], (form.path.name, key))

    def test_the_same_rules_for_agents_cards_and_phones(self):
        rules = {}
        for form in FORMS.values():
            for path, bind in form.binds.items():
                name = path.rsplit("/", 1)[1]
                if name in ("agent_code", "scan", "typed", "phone"):
                    rule = bind.get("constraint").split(" and not(selected(join(")[0]  # and no other victim's
                    rules.setdefault("card" if name in ("scan", "typed") else name, set()).add(rule)
        self.assertEqual({name: len(found) for name, found in rules.items()}, {"agent_code": 1, "card": 1, "phone": 1})

    def test_no_number_is_larger_than_javarosa_prints(self):
        """JavaRosa writes what is above 2,147,483,647 in scientific notation."""
        for form in FORMS.values():
            for path, bind in form.binds.items():
                rule = bind.get("constraint")
                if bind.get("type") == "int" and bind.get("calculate") is None:
                    limit = re.search(r"\. <= (\d+|\.\./\w+)", rule)
                    self.assertTrue(limit, f"{form.path.name}: {path} has no upper limit")
                    if limit.group(1).isdigit():
                        self.assertLess(int(limit.group(1)), 2**31, path)

    def test_identity_is_asked_only_on_need(self):
        for form_id, group in (("bf_tip_ident", "/data/identity"), ("bf_tip_case", "/data/suspect/identity")):
            relevant = FORMS[form_id].binds[group + "/details"].get("relevant")
            self.assertRegex(relevant, r"needed = 'yes'$", form_id)


class Samples(unittest.TestCase):
    def test_samples_are_what_their_form_lets_a_phone_send(self):
        for form_id, form in FORMS.items():
            found = samples(form_id)
            self.assertTrue(found, form_id)
            for situation, xml in found.items():
                with self.subTest(sample=f"{form_id}-{situation}"):
                    self.assertEqual(form.faults(xml.encode()), [])

    def test_samples_are_written_as_collect_writes_and_have_ids_of_their_own(self):
        ids = []
        for form_id in FORMS:
            for situation, xml in samples(form_id).items():
                with self.subTest(sample=f"{form_id}-{situation}"):
                    self.assertRegex(xml, rf"^<\?xml version='1\.0' (encoding='UTF-8' )?\?><data [^>]*id=\"{form_id}\"")
                    for prefix in ("h", "jr", "odk", "orx"):
                        self.assertIn(f"xmlns:{prefix}=", xml)
                    self.assertNotRegex(xml, r">\s+<")
                    self.assertNotRegex(xml, r"<([\w:]+)></\1>")
                    self.assertTrue(xml.endswith("</orx:meta></data>"))
                    ids += re.findall(r"instanceID>(uuid:[0-9a-f-]{36})<", xml)
        self.assertEqual(len(ids), sum(len(samples(form_id)) for form_id in FORMS))
        self.assertEqual(len(ids), len(set(ids)))

    def test_samples_show_what_a_mapping_must_tell_apart(self):
        case, visit, month = samples("bf_tip_case"), samples("bf_tip_suivi"), samples("bf_tip_mois")
        self.assertEqual((case["three-suspects"].count("<suspect>"), case["three-suspects"].count("<victim>")), (3, 2))
        code = re.search(r"<code>([^<]*)<", case["newer-state"]).group(1)
        self.assertIn(f"<code>{code}<", case["older-state"])
        older, newer = (re.search(r"<update><date>([^<]*)<", case[name]).group(1)
                        for name in ("older-state", "newer-state"))
        self.assertLess(older, newer)
        self.assertRegex(case["suspended-sentence"], r"<stage>sg_conv<.*<prison>24<.*<suspended>24<")
        self.assertIn("<stage>sg_acq<", case["acquitted"])
        self.assertIn("<details>", case["three-suspects"])
        self.assertIn("<foreign_help>CIV GHA MLI<", case["cross-border"])
        card = re.search(r"<typed>(\d+)<", visit["before-intake"]).group(1)
        self.assertEqual([name for name, xml in samples("bf_tip_ident").items() if f">{card}<" in xml], ["after-visit"])
        self.assertIn("<result>pr_drop<", visit["drop-out"])
        for name in ("refusal", "refusal-and-withdrawal"):
            self.assertIn("<agrees>no<", visit[name])
            self.assertNotIn("<closing>", visit[name])
        self.assertRegex(visit["withdrawal"], "<wishes>justice erasure<")
        self.assertRegex(month["nil"], "<seen>0<")
        self.assertRegex(month["difficulties"], "<difficulties>network phone security<")


class Forbidden(unittest.TestCase):
    """Each change to a good sample is one that the form would not have let happen."""

    def refuse(self, form_id, situation, *changes):
        good = samples(form_id)[situation]
        self.assertEqual(FORMS[form_id].faults(good.encode()), [])
        for old, new, fault in changes:
            with self.subTest(fault=fault, new=new):
                self.assertIn(old, good)
                self.assertIn(fault, FORMS[form_id].faults(good.replace(old, new, 1).encode()))

    def test_case_codes_have_one_shape(self):
        def against(new):
            return "<code>POL-HOU-2026-42<", f"<code>{new}<", "/data/case/code: against the constraint"
        self.refuse("bf_tip_case", "three-suspects", *map(against, (
            "POL-HOU-2026-042", "pol-hou-2026-42", "POL-HOU-26-42", "POL-HOU-2026", "POL HOU-2026-42", "2026-42",
            "POL--HOU-2026-42", "POL-HOU-2026-4200000", "POL-HOU-1999-42", "A" * 33 + "-2026-42")))

    def test_case_dates_are_in_order(self):
        at = "/data/suspect/proceedings/"
        self.refuse(
            "bf_tip_case", "suspended-sentence",
            ("<update><date>2026-10-20", "<update><date>2999-10-20", "/data/update/date: against the constraint"),
            ("<opened_on>2026-05-22", "<opened_on>2026-10-21", "/data/case/opened_on: against the constraint"),
            ("<arrested_on>2026-05-23", "<arrested_on>2026-05-21", at + "arrested_on: against the constraint"),
            ("<prosecuted_on>2026-06-08", "<prosecuted_on>2026-05-22", at + "prosecuted_on: against the constraint"),
            ("<prosecuted_on>2026-06-08", "<prosecuted_on>2026-10-07", at + "decided_on: against the constraint"),
            ("<decided_on>2026-10-06", "<decided_on>2026-10-21", at + "decided_on: against the constraint"),
            ("<final_on>2026-10-20", "<final_on>2026-10-05", at + "final_on: against the constraint"),
            ("<decided_on>2026-10-06</decided_on>", "<decided_on />", at + "decided_on: required, yet empty"))

    def test_a_decision_is_asked_of_the_decided_and_a_sentence_of_the_convicted(self):
        self.refuse(
            "bf_tip_case", "suspended-sentence",
            ("<stage>sg_conv</stage><inv", "<stage>sg_tri</stage><inv",
             "/data/suspect/proceedings/decided_on: not relevant, yet present"),
            ("<stage>sg_conv</stage><inv", "<stage>sg_acq</stage><inv",
             "/data/suspect/sentence: not relevant, yet present"),
            ("<suspended>24", "<suspended>25", "/data/suspect/sentence/suspended: against the constraint"),
            ("<prison>24", "<prison>1201", "/data/suspect/sentence/prison: against the constraint"),
            ("<fine>500000", "<fine>2147483648", "/data/suspect/sentence/fine: against the constraint"))

    def test_suspects_and_victims_are_told_apart(self):
        self.refuse(
            "bf_tip_case", "three-suspects",
            ("<rank>2", "<rank>3", "/data/suspect/rank: against the constraint"),
            ("<rank>2", "<rank>0", "/data/suspect/rank: against the constraint"),
            ("<typed>189961593860", "<typed>331721242141", "/data/victim/typed: against the constraint"),
            ("<typed>189961593860", "<typed>189961593806", "/data/victim/typed: against the constraint"),
            ("<typed>189961593860</typed>", "<typed />", "/data/victim/typed: required, yet empty"),
            ("<needed>no</needed>", "<needed>no</needed><details />",
             "/data/suspect/identity/details: not relevant, yet present"),
            ("<org_code>POL-HOU", "<org_code>SOC-HOU", "/data/reporter/org_code: SOC-HOU is not a choice"))

    def test_only_a_case_across_borders_has_help_from_abroad(self):
        self.refuse(
            "bf_tip_case", "cross-border",
            ("<cross_border>yes", "<cross_border>no", "/data/case/foreign_help: not relevant, yet present"),
            ("CIV GHA MLI", "CIV BFA MLI", "/data/case/foreign_help: BFA is not a choice"),
            ("<country>CIV", "<country>BFA", "/data/case/province: 0 times"))

    def test_services_and_visits_are_in_order(self):
        self.refuse(
            "bf_tip_suivi", "drop-out",
            ("<started_on>2026-10-12", "<started_on>2026-10-04", "/data/help/started_on: against the constraint"),
            ("<ended_on>2026-11-09", "<ended_on>2026-10-11", "/data/help/ended_on: against the constraint"),
            ("<result>pr_drop", "<result>pr_cont", "/data/help/result: against the constraint"),
            ("<state>rf_done", "<state>rf_refp", "/data/help/started_on: not relevant, yet present"),
            ("<started_on>2026-10-07</started_on>", "<started_on />", "/data/help/started_on: required, yet empty"),
            ("<next_visit>2026-12-01", "<next_visit>2026-11-16", "/data/closing/next_visit: against the constraint"),
            ("<case_state>cl_fol", "<case_state>cl_rein", "/data/closing/next_visit: not relevant, yet present"),
            ("<asked>no</asked>", "<asked>yes</asked>", "/data/withdrawal/wishes: 0 times"),
            ("<agrees>yes", "<agrees>no", "/data/help: not relevant, yet present"),
            ("<agrees>yes", "<agrees>no", "/data/closing: not relevant, yet present"))

    def test_a_month_is_past_or_present_and_none_is_none(self):
        future = (datetime.date.today() + datetime.timedelta(days=40)).replace(day=1)
        self.refuse(
            "bf_tip_mois", "difficulties",
            ("<month>2026-10-01", f"<month>{future}", "/data/report/month: against the constraint"),
            ("<seen>14</seen>", "<seen />", "/data/report/seen: required, yet empty"),
            ("<seen>14", "<seen>-1", "/data/report/seen: against the constraint"),
            ("network phone security", "network none", "/data/report/difficulties: against the constraint"),
            ("network phone security", "weather", "/data/report/difficulties: weather is not a choice"))

    def test_the_victims_card_is_the_one_scanned_or_else_typed(self):
        form = FORMS["bf_tip_case"]
        for scan, typed, code in (("1", "", "1"), ("", "2", "2"), ("1", "2", "1")):
            victim = form_xpath.Node("victim", form_xpath.Node("data"))
            victim.parent.children = [victim]
            for name, text in (("scan", scan), ("typed", typed)):
                victim.add(name, text)
            node = victim.add("code")
            value = form.evaluator.value(form.expression("/data/victim/code", "calculate"), node)
            self.assertEqual(form_xpath.text_of(value), code)


if __name__ == "__main__":
    unittest.main()
