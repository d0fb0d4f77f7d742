"""Invented people (tests/cases/national/nation.py): their submissions are what the four forms let a
phone send, belong together, and arrive through the real web server and forwarder as the rows that the
generator says, none refused and none left waiting.
"""
import collections
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(ROOT / "tests" / "cases" / "national"))
import form_rules  # noqa: E402
import generate  # noqa: E402
import generate_others as others  # noqa: E402
import nation  # noqa: E402
import syllables  # noqa: E402
from quickstart import Quickstart  # noqa: E402

FORMS = (generate.FORM, others.CASE, others.VISIT, others.MONTH)
SEED = os.environ.get("RELAIS_SEED", "generated")
PEOPLE = 320           # some hundreds of submissions of each form
JUDGED = 40            # of each form, by the slow reader of form definitions
PROGRAM = ROOT / "tests" / "cases" / "national" / "training.py"


def training(*arguments):
    return subprocess.run([sys.executable, str(PROGRAM), *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=300, check=False)


class Submissions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.nation = nation.Nation(SEED, PEOPLE)
        cls.by_form = collections.defaultdict(list)
        for one in cls.nation.sent:
            cls.by_form[one.form].append(one)

    def test_there_are_hundreds_of_each_form(self):
        self.assertEqual(set(self.by_form), set(FORMS))
        for form, sent in self.by_form.items():
            self.assertGreater(len(sent), 200, form)

    def test_each_is_what_its_form_lets_a_phone_send(self):
        for form, sent in self.by_form.items():
            rules = form_rules.Form(ROOT / "xforms" / f"{form}.xml")
            for one in sent[:JUDGED]:
                with self.subTest(form=form, instance=one.instance):
                    xml = re.sub(rb"<deprecatedID>[^<]*</deprecatedID>", b"", one.xml)   # an edit's; no form asks for it
                    self.assertEqual(rules.faults(xml), [])

    def test_each_is_written_as_collect_writes(self):
        for one in self.nation.sent:
            self.assertRegex(one.xml, rb"^<\?xml version='1\.0' \?><data [^>]*id=\"" + one.form.encode() + rb"\" version=\"\d+\">")
            self.assertNotRegex(one.xml, rb"<([\w:]+)></\1>")
            self.assertTrue(one.xml.endswith(b"</orx:meta></data>"))
        instances = [one.instance for one in self.nation.sent]
        self.assertEqual(len(instances), len(set(instances)))

    def test_cards_cases_and_corrections_refer_to_each_other(self):
        cards = {nation.card_of(one.answers) for one in self.by_form[generate.FORM]}
        for one in self.by_form[others.VISIT]:
            self.assertIn(nation.card_of(one.answers), cards)
        for one in self.by_form[others.CASE]:
            self.assertLessEqual({victim.get("scan") or victim.get("typed") for victim in one.answers["victims"]}, cards)
        for one in self.nation.sent:
            if "deprecated" in one.answers:
                self.assertIn(one.answers["deprecated"], {other.instance for other in self.by_form[one.form]})

    def test_everything_occurs_that_makes_a_whole_difficult(self):
        states = collections.Counter(one.answers["case"]["code"] for one in self.by_form[others.CASE])
        arrived, early = set(), 0
        for one in self.nation.sent:
            if one.form == generate.FORM:
                arrived.add(nation.card_of(one.answers))
            elif one.form == others.VISIT:
                early += nation.card_of(one.answers) not in arrived
        newest, stale = {}, 0
        for one in self.by_form[others.CASE]:
            stale += newest.get(one.answers["case"]["code"], one.day) > one.day
            newest[one.answers["case"]["code"]] = max(one.day, newest.get(one.answers["case"]["code"], one.day))
        counts = self.nation.counts()
        happens = {
            "seen again": sum(len(person.seen) > 1 for person in self.nation.people), "card lost": sum(len(p.cards) > 1 for p in self.nation.people),
            "refused": counts["refusals"], "corrected": counts["replaced"], "follow-up before its identification": early,
            "case of several states": sum(n > 1 for n in states.values()), "older state after a newer": stale,
            "follow-up refused": counts["refused visits"], "wish": counts["wishes"], "nil month": counts["nil reports"]}
        self.assertEqual([what for what, times in happens.items() if not times], [])

    def test_the_same_seed_makes_the_same_people_and_another_makes_others(self):
        again, others_ = nation.Nation(SEED, 30), nation.Nation(SEED + "x", 30)
        self.assertEqual([one.xml for one in nation.Nation(SEED, 30).sent], [one.xml for one in again.sent])
        self.assertNotEqual([one.xml for one in again.sent], [one.xml for one in others_.sent])

    def test_names_are_made_of_syllables_and_seldom_shared(self):
        rng = random.Random(SEED)
        names = {(syllables.surname(rng), syllables.given_name(rng, n % 2)) for n in range(5000)}
        self.assertGreater(len(names), 4990)
        self.assertGreater(len({surname for surname, _ in names}), 3500)
        pieces = "|".join(sorted({*syllables.OPENINGS, *syllables.MIDDLES, *syllables.CLOSINGS}, key=len, reverse=True))
        for surname, _ in names:
            self.assertRegex(surname, rf"^({pieces})+$")


class Program(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="relais-training-")
        self.addCleanup(directory.cleanup)
        self.dir = pathlib.Path(directory.name)

    def test_writes_each_submission_into_a_file(self):
        done = training("--people", "25", "--seed", "w", "--out", str(self.dir / "new"))
        self.assertEqual(done.returncode, 0, done.stderr)
        made = nation.Nation("w", 25)
        files = sorted((self.dir / "new").iterdir(), key=lambda path: path.stem.rsplit("-", 1)[1])
        self.assertEqual([path.read_bytes() for path in files], [one.xml for one in made.sent])
        self.assertEqual(json.loads(done.stdout), json.loads(json.dumps(made.counts())))

    def test_wrong_use_says_how(self):
        for arguments in ((), ("--people", "5"), ("--people", "0", "--out", "x"), ("--people", "many", "--out", "x"),
                          ("--people", "5", "--out", "x", "--send", "http://127.0.0.1:1/")):
            done = training(*arguments)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertIn("usage:", done.stderr)
        self.assertIn("--password-file", training("--help").stdout)

    def test_a_server_that_is_not_there_is_said_and_is_a_failure(self):
        done = training("--people", "2", "--send", "http://127.0.0.1:1/openrosa")
        self.assertEqual(done.returncode, 1)
        self.assertIn("not sent", done.stderr)


class Delivered(unittest.TestCase):
    """Sent by the program to a whole Relais; what is in the tables is what it said."""

    @classmethod
    def setUpClass(cls):
        cls.server = Quickstart()
        cls.addClassCleanup(cls.server.remove)
        cls.server.start()
        cls.before = cls.in_tables()
        done = training("--people", str(PEOPLE), "--seed", SEED, "--send", cls.server.url)
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        cls.said = json.loads(done.stdout)
        cls.server.wait_empty(120)
        cls.after = cls.in_tables()

    @classmethod
    def in_tables(cls):
        """What nation.counts() counts, from the tables; the quickstart's own samples are in them too."""
        row, = cls.server.sql("""SELECT
            (SELECT count(*) FROM relais.submission WHERE state = 'superseded') AS "replaced",
            (SELECT count(*) FROM tip.identification) AS "recordings",
            (SELECT count(*) FROM tip.identification WHERE consent_basis = 'co_none') AS "refusals",
            (SELECT count(*) FROM tip.victim WHERE national_code IS NOT NULL) AS "cards",
            (SELECT count(*) FROM tip.criminal_case) AS "cases",
            (SELECT count(*) FROM tip.case_suspect) AS "suspects",
            (SELECT count(*) FROM tip.case_victim) AS "case victims",
            (SELECT count(*) FROM tip.followup) AS "visits",
            (SELECT count(*) FROM tip.followup f WHERE f.case_state = 'cl_refu' AND f.lives_with IS NULL) AS "refused visits",
            (SELECT count(*) FROM tip.assistance) AS "services",
            (SELECT count(*) FROM tip.consent_change) AS "wishes",
            (SELECT count(*) FROM tip.activity_report) AS "reports",
            (SELECT count(*) FROM tip.activity_report WHERE seen = 0) AS "nil reports",
            (SELECT sum(seen) FROM tip.activity_report) AS "declared seen" """)
        status = cls.server.sql("SELECT status, count(*) FROM tip.identification WHERE status IS NOT NULL GROUP BY status")
        forms = cls.server.sql("SELECT form_id, count(*) FROM relais.submission GROUP BY form_id")
        return {**row, **{("status", one["status"]): one["count"] for one in status},
                **{("submissions", one["form_id"]): one["count"] for one in forms}}

    def test_none_is_refused_held_or_incomplete(self):
        self.assertEqual(self.server.quarantined(), [])
        states = {row["state"] for row in self.server.sql("SELECT DISTINCT state FROM relais.submission")}
        self.assertEqual(states, {"delivered", "superseded"})

    def test_no_answer_is_left_over(self):
        self.assertEqual(self.server.sql("SELECT DISTINCT form_id, unmapped FROM relais.submission WHERE cardinality(unmapped) > 0"), [])

    def test_the_tables_hold_what_the_generator_says(self):
        said = {}
        for name, value in self.said.items():
            said |= {(name, key): one for key, one in value.items()} if isinstance(value, dict) else {name: value}
        self.assertEqual({name: self.after[name] - self.before.get(name, 0) for name in said}, said)

    def test_sending_everything_again_changes_nothing(self):
        done = training("--people", str(PEOPLE), "--seed", SEED, "--send", self.server.url, "--phones", "8")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.server.wait_empty(120)
        self.assertEqual(self.in_tables(), self.after)


if __name__ == "__main__":
    unittest.main()
