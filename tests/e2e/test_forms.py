"""The national forms before the engines that people use beside Collect, in a real browser.

Enketo's transformer must take each form whole, in both languages. ODK Web Forms shows each form
from a running Relais, a person fills it in French (tests/forms/answers), is told what is wrong,
mends it and sends it; what the browser sent must end as exactly these rows.
"""
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

from keys import openssl
from quickstart import ROOT, Quickstart, wait_until

SOURCES = os.path.join(ROOT, "tests", "forms")
BROWSER = "/usr/bin/chromium"
XFORMS = "{http://www.w3.org/2002/xforms}"

# One form on a machine that has much else to do. The end is a SIGTERM, which also ends the browser.
LONGEST_S = 600
TIMED_OUT = 124  # timeout's own exit code

# How npm says that no registry could be reached.
UNREACHABLE = re.compile(r"\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH)\b")

server = Quickstart()
directory = tempfile.mkdtemp(prefix="relais-forms-")
engines = os.path.join(directory, "forms")
pictures = tempfile.mkdtemp(prefix="relais-pictures-")
missing = None


def setUpModule():
    global missing  # pylint: disable=global-statement
    unittest.addModuleCleanup(shutil.rmtree, directory, ignore_errors=True)
    unittest.addModuleCleanup(remove_if_empty, pictures)
    require_programs()
    missing = install_engines()
    if missing is None:
        unittest.addModuleCleanup(server.remove)
        server.start()


def remove_if_empty(path):
    """Pictures of what went wrong stay, to be looked at."""
    if not os.listdir(path):
        os.rmdir(path)


def require_programs():
    """Only a registry that cannot be reached is a reason to skip; packages.sh installs the rest."""
    for program in ("node", "npm", BROWSER):
        if shutil.which(program) is None:
            raise AssertionError(f"{program} is not installed; plugin/packages.sh names its package")


def install_engines():
    """Beside a copy of the sources, for nothing is written into the checkout; returns what is missing."""
    shutil.copytree(SOURCES, engines, ignore=shutil.ignore_patterns("node_modules"))
    installed = os.path.join(SOURCES, "node_modules")
    if os.path.isdir(installed):
        os.symlink(installed, os.path.join(engines, "node_modules"))
        return None
    done = subprocess.run(["timeout", str(LONGEST_S), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund",
                           "--prefer-offline"], cwd=engines, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode == 0:
        return None
    if done.returncode == TIMED_OUT or UNREACHABLE.search(done.stdout):
        return "the npm registry cannot be reached"
    raise AssertionError(f"npm ci ended with {done.returncode}:\n{done.stdout}")


def run(job, form):
    """Has an engine do its job on a form, and returns what it made of it."""
    done = subprocess.run(["timeout", "-k", "20", str(LONGEST_S), "node", "run.mjs", job, "--relais", server.url,
                           "--work", directory, "--pictures", pictures, form],
                          cwd=engines, env={**os.environ, "HOME": directory}, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise AssertionError(f"run.mjs ended with {done.returncode}:\n{done.stderr}")
    return json.loads(done.stdout)[form]


def without_breaks(text):
    """White space as a reader sees it."""
    return " ".join(text.split())


def french_messages(form):
    """What the form says when an answer breaks its rule, or is required and not there."""
    tree = ElementTree.parse(os.path.join(ROOT, "xforms", form + ".xml"))
    french = next(one for one in tree.iter(XFORMS + "translation") if one.get("lang").endswith("(fr)"))
    return {without_breaks(one.findtext(XFORMS + "value")) for one in french if one.get("id").endswith((".msg", ".req"))}


class Engines(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        if missing:
            self.skipTest(missing)


class Enketo(Engines):
    def accepts(self, form):
        made = run("transform", form)
        self.assertEqual(made["complaints"], [])
        self.assertEqual(made["broken"], 0)
        self.assertEqual(made["made"], made["asked"])
        self.assertEqual(made["defaultLanguage"], "fr")
        self.assertEqual(set(made["languages"]), {"fr", "en"})
        french, english = made["languages"]["fr"], made["languages"]["en"]
        self.assertEqual(french, english)
        self.assertEqual(french["blank"], 0)
        self.assertGreaterEqual(french["labels"], made["asked"]["questions"])
        self.assertGreater(min(french["hints"], french["messages"], french["choices"]), 0)

    def test_bf_tip_ident(self):
        self.accepts("bf_tip_ident")

    def test_bf_tip_case(self):
        self.accepts("bf_tip_case")

    def test_bf_tip_suivi(self):
        self.accepts("bf_tip_suivi")

    def test_bf_tip_mois(self):
        self.accepts("bf_tip_mois")


class WebForms(Engines):
    def fill(self, form):
        """Fills and sends; the ledger has the very bytes. Returns the outcome."""
        outcome = run("fill", form)
        self.assertEqual(outcome["complaints"], [])
        self.assertEqual((outcome.get("error"), outcome["status"], outcome["payload"]), (None, 201, "ready"))
        [part] = outcome["parts"]
        self.assertEqual((part["name"], part["filename"], part["type"]),
                         ("xml_submission_file", "xml_submission_file", "text/xml"))
        self.assertEqual({without_breaks(message) for message in outcome["seen"]}, french_messages(form),
                         "each message of the form, and no other, was read by the person who filled it")
        self.xml = part["text"]
        self.delivered(form)
        return outcome

    def delivered(self, form):
        self.instance = re.search(r"instanceID>([^<]+)<", self.xml).group(1)
        [row] = wait_until(lambda: server.sql(
            "SELECT sub_id, form_id, state, encode(xml_sha256, 'hex') AS digest FROM relais.submission"
            f" WHERE instance_id = '{self.instance}'"), 60, "the submission in the ledger")
        self.assertEqual((row["form_id"], row["state"]), (form, "delivered"), row)
        self.assertEqual(row["digest"], hashlib.sha256(self.xml.encode()).hexdigest())
        self.submission = row["sub_id"]

    def rows(self, columns, table):
        """The submission's rows there, as tuples; `table` may join others."""
        found = server.sql(f"SELECT {columns} FROM {table} WHERE s.sub_id = '{self.submission}' ORDER BY 1")
        return [tuple(row.values()) for row in found]

    def identities(self):
        """What the holder of the private key reads of the people whom the submission names."""
        private, certificate = os.path.join(server.dir, "seal.key"), os.path.join(server.state, "seal.pem")
        return [json.loads(openssl("cms", "-decrypt", "-inform", "DER", "-inkey", private, "-recip", certificate,
                                   input=bytes.fromhex(sealed)))
                for (sealed,) in self.rows("encode(sealed, 'hex')", "identity.person s")]

    def answer(self, name):
        return re.search(f"<{name}>([^<]*)</{name}>", self.xml).group(1)

    def test_bf_tip_ident(self):
        outcome = self.fill("bf_tip_ident")
        card = self.answer("made")
        self.assertRegex(card, r"^\d{12}$")
        self.assertEqual(int(card) % 97, 1)
        self.assertIn(f"{card[:4]} {card[4:8]} {card[8:]}", outcome["noted"]["card"])

        self.assertEqual(self.rows(
            "national_code, org_code, agent_code, event_date, place_code, detection, first_record, group_code",
            "tip.identification s"),
            [(card, "SOC-KAD", "AG-017", "2026-02-14", "BF-KAD", "dt_road", True, None)])
        self.assertEqual(self.rows(
            "consent_basis, share_stats, share_assist, share_justice, language, status, status_org, danger_now",
            "tip.identification s"),
            [("co_self", True, True, False, "lg_eng", "vs_pres", "SOC-KAD", False)])
        self.assertEqual(self.rows(
            "sex, age, age_basis, citizenship, origin_country, origin_place, residence_status, id_doc",
            "tip.identification s"),
            [("sx_f", 23, "ab_said", "NGA", "NGA", None, "rs_mig", "id_held")])
        self.assertEqual(self.rows(
            "months_exploited, age_at_start, recruiter_relation, recruit_channel", "tip.identification s"),
            [(7, 22, "rr_int", "rc_net")])
        self.assertEqual(self.rows(
            "code", "tip.identification_item JOIN tip.identification s USING (identification_id)"),
            [("ac_recr",), ("ac_trpt",), ("ct_debt",), ("ct_docs",), ("me_dec",), ("vu_debt",), ("vu_paper",)])
        self.assertEqual(self.rows(
            "seq, form, realised, main, country, e.place_code",
            "tip.exploitation e JOIN tip.identification s USING (identification_id)"),
            [(1, "ex_s_pros", True, True, "BFA", "BF-KAD"), (2, "ex_l_dom", False, False, "CIV", None)])
        self.assertEqual(self.rows(
            "kind, country, r.place_code, transport, month",
            "tip.route_leg r JOIN tip.identification s USING (identification_id)"),
            [("border", "BEN", None, "tr_bus", "2026-01-01")])
        self.assertEqual(self.rows("org_code, service, needed_on, referred_to, referral_status, started_on",
                                   "tip.assistance s"),
                         [("SOC-KAD", "sv_shel", "2026-02-14", "CEN-KAD", "rf_acc", None)])
        self.assertEqual(self.identities(), [
            {"surname": "N'Guessan-Okafor", "given_names": "Béatrice Ngozi", "phone": "70123456"}])

    def test_bf_tip_case(self):
        self.fill("bf_tip_case")
        self.assertEqual(self.identities(), [{"surname": "Zoundi", "phone": "70000041", "plate": "11 ZZ 0001"}])
        self.assertEqual(self.rows(
            "case_code, org_code, opened_on, fact_country, fact_place, court_place", "tip.criminal_case s"),
            [("POL-HOU-2026-777", "POL-HOU", "2026-01-21", "BFA", "BF-HOU", "BF-HOU")])
        self.assertEqual(self.rows(
            "offence, stage, stage_date, cross_border, foreign_help", "tip.criminal_case s"),
            [("of_tipa", "sg_tri", "2026-02-10", True, ["CIV", "MLI"])])
        self.assertEqual(self.rows(
            "national_code, witness, civil_party, protected, award_xof",
            "tip.case_victim s JOIN tip.victim USING (victim_id)"),
            [("189961593860", None, None, None, 250000), ("331721242141", True, False, True, None)])
        self.assertEqual(self.rows("role, sex, age, citizenship, public_official, armed_group",
                                   "tip.case_suspect s JOIN tip.suspect USING (suspect_id)"),
                         [("sr_harb", None, None, None, None, None), ("sr_recr", "sx_m", 41, "BFA", False, None),
                          ("sr_tran", None, None, None, None, None)])
        self.assertEqual(self.rows(
            "role, relation, stage, investigated_on, arrested_on, prosecuted_on, decided_on, final_on, detained",
            "tip.case_suspect s"),
            [("sr_harb", None, "sg_conv", "2026-01-21", None, None, "2026-02-05", "2026-02-09", None),
             ("sr_recr", "rr_emp", "sg_pros", "2026-01-21", "2026-01-24", "2026-01-30", None, None, True),
             ("sr_tran", None, "sg_inv", None, None, None, None, None, None)])
        self.assertEqual(self.rows("role, offence, prison_months, suspended_months, fine_xof", "tip.case_suspect s"),
                         [("sr_harb", "of_tip", 36, 12, 500000), ("sr_recr", None, None, None, None),
                          ("sr_tran", None, None, None, None)])

    def test_bf_tip_suivi(self):
        self.fill("bf_tip_suivi")
        self.assertEqual(self.rows(
            "national_code, org_code, visited_on, s.case_state, lives_with, safe, next_visit",
            "tip.followup s JOIN tip.victim USING (victim_id)"),
            [("331721242141", "SOC-HOU", "2026-02-08", "cl_fol", "centre", True, "2026-03-08")])
        self.assertEqual(self.rows(
            "seq, national_code, org_code, service, needed_on, referred_to, referral_status",
            "tip.assistance s JOIN tip.victim USING (victim_id)"),
            [(1, "331721242141", "SOC-HOU", "sv_shel", "2026-01-22", "CEN-HOU", "rf_done"),
             (2, "331721242141", "SOC-HOU", "sv_med", "2026-02-03", None, "rf_prop")])
        self.assertEqual(self.rows("seq, started_on, ended_on, result", "tip.assistance s"),
                         [(1, "2026-01-22", "2026-02-01", "pr_done"), (2, None, None, None)])
        self.assertEqual(self.rows("national_code, org_code, asked_on, wish, outcome",
                                   "tip.consent_change s JOIN tip.victim USING (victim_id)"),
                         [("331721242141", "SOC-HOU", "2026-02-08", "justice", "open")])

    def test_bf_tip_mois(self):
        self.fill("bf_tip_mois")
        self.assertEqual(self.rows("org_code, month, seen, forms_sent", "tip.activity_report s"),
                         [("SOC-HOU", "2026-02-01", 17, 16)])
        self.assertEqual(self.rows(
            "difficulty", "tip.activity_difficulty JOIN tip.activity_report s USING (org_code, month)"),
            [("network",), ("security",)])


class Coverage(unittest.TestCase):
    def test_each_published_form_is_judged(self):
        published = {name.removesuffix(".xml") for name in os.listdir(os.path.join(ROOT, "xforms"))
                     if name.endswith(".xml")}
        for engine in (Enketo, WebForms):
            judged = {name.removeprefix("test_") for name in dir(engine) if name.startswith("test_")}
            self.assertEqual(judged, published)


if __name__ == "__main__":
    unittest.main()
