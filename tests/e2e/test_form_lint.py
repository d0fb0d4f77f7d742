"""Every form of xforms/ keeps the rules of tests/cases/national/form_lint.py, and each rule sees
what it is there for: a form with one thing spoilt gets the complaint, and no other.
"""
import pathlib
import shutil
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "cases" / "national"))
import form_lint  # noqa: E402

FORMS = sorted((ROOT / "xforms").glob("*.xml"))


class Forms(unittest.TestCase):
    def test_no_form_has_anything_to_complain_of(self):
        self.assertEqual(len(FORMS), 4)
        for form in FORMS:
            with self.subTest(form=form.name):
                self.assertEqual(form_lint.complaints(form), [])


class Spoilt(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="relais-lint-"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)

    def complains(self, name, old, new, *expected):
        source = ROOT / "xforms" / f"{name}.xml"
        text = source.read_text(encoding="utf-8")
        self.assertTrue(old in text, f"{source.name} has no {old}")
        copy = self.directory / source.name
        copy.write_text(text.replace(old, new, 1), encoding="utf-8")
        media = self.directory / f"{name}-media"
        if not media.exists():
            media.symlink_to(ROOT / "xforms" / media.name)
        self.assertEqual(form_lint.complaints(copy), list(expected))

    def test_a_constraint_without_its_message(self):
        self.complains("bf_tip_mois", " jr:constraintMsg=\"jr:itext('report.month.msg')\"", "",
                       "/data/report/month: constraint without constraintMsg in both languages")

    def test_a_message_in_one_language(self):
        self.complains("bf_tip_mois", '          <text id="report.month.msg"><value>This month has not begun. Correct '
                       'it, or set the date of the phone.</value></text>\n', "",
                       "/data/report/month: constraint without constraintMsg in both languages")

    def test_an_empty_message(self):
        self.complains("bf_tip_mois", "<value>Donnez le mois du rapport.</value>", "<value> </value>",
                       "/data/report/month: required without requiredMsg in both languages")

    def test_a_required_answer_without_its_message(self):
        self.complains("bf_tip_suivi", " jr:requiredMsg=\"jr:itext('help.started_on.req')\"", "",
                       "/data/help/started_on: required without requiredMsg in both languages")

    def test_a_message_for_nothing(self):
        self.complains("bf_tip_mois", '<bind nodeset="/data/report/month" type="date" required="true()"',
                       '<bind nodeset="/data/report/month" type="date"',
                       "/data/report/month: requiredMsg without required")

    def test_a_question_without_label(self):
        self.complains("bf_tip_mois", "<label ref=\"jr:itext('report.seen')\"/>", "",
                       "/data/report/seen: no label in both languages")

    def test_a_question_with_a_label_in_one_language(self):
        self.complains("bf_tip_mois", "<label ref=\"jr:itext('report.seen')\"/>", "<label>Seen</label>",
                       "/data/report/seen: no label in both languages")

    def test_a_hint_that_is_nowhere(self):
        self.complains("bf_tip_mois", "<hint ref=\"jr:itext('report.seen.hint')\"/>",
                       "<hint ref=\"jr:itext('report.seen.hints')\"/>", "/data/report/seen: no hint in both languages")

    def test_a_choice_without_label(self):
        self.complains("bf_tip_mois", "<itextId>difficulty.staff</itextId>", "<itextId>difficulty.stuff</itextId>",
                       "difficulty: the choice difficulty.stuff has no label in both languages")

    def test_a_text_that_stands_twice(self):
        text = '<text id="report.seen.msg"><value>De 0 à 9999.</value></text>'
        self.complains("bf_tip_mois", text, text + text, "the text report.seen.msg stands twice in fr")

    def test_a_list_that_is_not_there(self):
        self.complains("bf_tip_mois", "instance('org')/root/item", "instance('orgs')/root/item",
                       "/data/reporter/org_code: there is no instance orgs")

    def test_a_name_too_long(self):
        name = "a" * 65
        self.complains("bf_tip_mois", "<difficulties/>", f"<difficulties/><{name}/>",
                       f"{name}: the name is longer than 64")

    def test_a_name_that_stands_twice(self):
        self.complains("bf_tip_mois", "<seen/>", "<seen/><seen/>", "report: seen stands twice")

    def test_the_name_of_a_filled_form_tells_of_a_person(self):
        for answer in ("/data/identity/details/surname", "/data/card/code", "/data/reporter/agent_code"):
            with self.subTest(answer=answer):
                self.complains("bf_tip_suivi", "concat(/data/visit/date, ", f"concat({answer}, ",
                               f"instanceName shows {answer.rsplit('/', 1)[1]}")

    def test_words_that_the_specification_does_not_have(self):
        self.complains("bf_tip_mois", '<bind nodeset="/data/report/seen" type="int"',
                       '<bind nodeset="/data/report/seen" type="integer"',
                       "/data/report/seen: there is no type integer")
        self.complains("bf_tip_mois", '<bind nodeset="/data/report/seen" type="int"',
                       '<bind nodeset="/data/report/seen" relevent="true()" type="int"',
                       "/data/report/seen: the bind has relevent")
        self.complains("bf_tip_mois", ' jr:preload="uid"', "", "nothing makes the instanceID")
        self.complains("bf_tip_mois", '<bind nodeset="/data/report/seen"',
                       '<submission action="http://127.0.0.1/"/><bind nodeset="/data/report/seen"',
                       "{http://www.w3.org/2002/xforms}submission in the model")

    def test_a_number_that_javarosa_would_not_write_in_full(self):
        bind = '<bind nodeset="/data/suspect/sentence/fine" type="int" constraint=". &gt;= 0 and . &lt;= '
        self.complains("bf_tip_case", bind + "999999999", bind + "3000000000",
                       "/data/suspect/sentence/fine: constraint has the number 3000000000",
                       "/data/suspect/sentence/fine: its value can be larger than 2147483647")
        self.complains("bf_tip_case", ". &gt;= 0 and . &lt;= 1200", ". &gt;= 0",
                       "/data/suspect/sentence/prison: its value has no known bound: "
                       "/data/suspect/sentence/prison has no upper limit",
                       "/data/suspect/sentence/suspended: its value has no known bound: "
                       "/data/suspect/sentence/prison has no upper limit")

    def test_a_card_made_as_one_number(self):
        self.complains("bf_tip_ident", "98 - (((((/data/card/ca mod 97) * 90 + /data/card/cb) mod 97) * 3) mod 97)",
                       "98 - ((/data/card/ca * 100000 + /data/card/cb) mod 97)",
                       *["/data/card/cc: calculate can be larger than 2147483647"] * 2)


if __name__ == "__main__":
    unittest.main()
