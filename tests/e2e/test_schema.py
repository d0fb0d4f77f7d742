"""The national schema: constraints, linking, access and the log of accesses.

Each tests/cases/sql/NAME.sql is a pgTAP program that runs in a copy of a database made as an
administrator makes it: roles by a superuser, then transforms/schema by an owner without any
other right, through `relais plan` when there is a build to test.
"""
import concurrent.futures
import csv
import glob
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
import unittest
import xml.etree.ElementTree

from database import Database
from keys import Keys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TRANSFORMS = os.path.join(ROOT, "transforms")
CASES = os.path.join(ROOT, "tests", "cases", "sql")
# Parents first; `relais plan` finds the order by itself.
REFERENCES = ["code", "code_map", "country", "place", "organisation"]
LOGINS = {
    "t_forwarder": "relais_forwarder", "t_police": "relais_actor", "t_social": "relais_actor",
    "t_ngo": "relais_actor", "t_nobody": "relais_actor", "t_prosecutor": "relais_justice",
    "t_coordination": "relais_coordination", "t_linker": "relais_linker",
    "t_officer": "relais_identity_officer", "t_officer2": "relais_identity_officer",
    "t_analyst": "relais_analyst", "t_auditor": "relais_auditor", "t_stranger": None,
}

database = Database()


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def program():
    if "RELAIS_BIN" in os.environ:
        return os.path.join(os.environ["RELAIS_BIN"], "relais")
    if "RELAIS_BUILD" in os.environ:
        return os.path.join(os.environ["RELAIS_BUILD"], "bin", "relais")
    return None


def planned(name):
    """The script that `relais plan` writes for a database, as its owner runs it."""
    with tempfile.TemporaryDirectory() as directory:
        conf = os.path.join(directory, "relais.conf")
        with open(conf, "w", encoding="utf-8") as file:
            file.write(f"[spool]\ndirectory = {directory}\n"
                       f"[store]\nconninfo = {database.conninfo(name, 't_owner')}\n"
                       f"[mappings]\ndirectory = {TRANSFORMS}\n"
                       f"[forms]\ndirectory = {ROOT}/xforms\n")
        done = subprocess.run([program(), "--config", conf, "plan"], capture_output=True, text=True,
                              timeout=120, check=False)
    if done.returncode != 0:
        raise AssertionError(f"relais plan ended with {done.returncode}: {done.stderr}")
    return done.stdout


def assembled():
    """The same without a build: the files in their order, then the lists."""
    parts = [f"BEGIN;\n{read(path)}\nCOMMIT;\n"
             for path in sorted(glob.glob(os.path.join(TRANSFORMS, "schema", "[0-9]*.sql")))]
    for table in REFERENCES:
        path = os.path.join(TRANSFORMS, "codes", f"ref.{table}.csv")
        with open(path, encoding="utf-8", newline="") as file:
            columns = ", ".join(next(csv.reader(file)))
        parts.append(f"\\copy ref.{table} ({columns}) FROM '{path}' CSV HEADER\n")
    return "".join(parts)


def setUpModule():
    unittest.addModuleCleanup(database.remove)
    database.start()
    database.psql("postgres", read(os.path.join(TRANSFORMS, "roles.sql")))
    database.psql("postgres", "CREATE ROLE t_owner LOGIN; CREATE DATABASE template_relais OWNER t_owner;")
    script = planned("template_relais") if program() else assembled()
    database.psql("template_relais", "SET client_min_messages = warning;\n" + script, "t_owner")
    for login, role in LOGINS.items():
        grant = f"GRANT {role} TO {login};" if role else ""
        database.psql("postgres", f"CREATE ROLE {login} LOGIN; {grant}")
    database.psql("template_relais", read(os.path.join(CASES, "prepare.psql")))


def copy(name):
    database.psql("postgres", f"CREATE DATABASE {name} TEMPLATE template_relais OWNER t_owner;")
    return name


class Programs(unittest.TestCase):
    """One test for each program; what it says of each failed assertion is the message."""

    def run_program(self, path):
        name = copy("t_" + os.path.splitext(os.path.basename(path))[0])
        said = database.psql(name, "SET search_path = tap, public;\nSET client_min_messages = warning;\n"
                             + read(path))
        lines = said.splitlines()
        planned_tests = re.search(r"^1\.\.(\d+)$", said, re.MULTILINE)
        self.assertIsNotNone(planned_tests, f"no plan in:\n{said}")
        results = [line for line in lines if re.match(r"(not )?ok \d+", line)]
        failed = [line for line in lines if line.startswith(("not ok", "#"))]
        self.assertFalse(any(line.startswith("not ok") for line in lines), "\n".join(failed))
        self.assertEqual(len(results), int(planned_tests.group(1)), "\n".join(failed))
        self.assertGreater(len(results), 0)


def add_programs():
    for path in sorted(glob.glob(os.path.join(CASES, "*.sql"))):
        name = os.path.splitext(os.path.basename(path))[0]
        setattr(Programs, f"test_{name}", lambda self, path=path: self.run_program(path))


add_programs()

# Recordings of which each second one has the name (K1) of the one before: one match a pair, at any size.
BATCH = """
INSERT INTO relais.submission (sub_id, form_id, instance_id, xml_sha256, record_id, state, received_at, source)
SELECT md5('s' || n)::uuid, 't', 'i' || n, sha256(('s' || n)::bytea), 'i' || n, 'delivered', now(), 'serve'
  FROM generate_series({first}, {last}) n;
INSERT INTO tip.victim (victim_id, national_code)
SELECT test.victim(n), test.code(n) FROM generate_series({first}, {last}) n ON CONFLICT (victim_id) DO NOTHING;
INSERT INTO tip.identification (identification_id, sub_id, victim_id, national_code, org_code, agent_code, event_date,
       reported_at, place_code, detection, consent_basis, share_stats, sex, age)
SELECT test.ident(n), md5('s' || n)::uuid, test.victim(n), test.code(n), 'SOC-HOU', 'A1', date '2025-01-01' + n % 365,
       now(), 'BF-HOU', 'dt_road', 'co_mand', true, 'sx_f', 20
  FROM generate_series({first}, {last}) n;
INSERT INTO link.match_key (identification_id, kind, key_version, hmac)
SELECT test.ident(n), k, 1, sha256((k || CASE k WHEN 'K1' THEN n / 2 WHEN 'K4' THEN n / 6 * 6 + n % 3 ELSE n END)::bytea)
  FROM generate_series({first}, {last}) n, unnest('{{K1,K2,K3,K4,K5}}'::text[]) k;
"""
READ_ROWS = """
SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::bigint
  FROM pg_stat_user_tables WHERE schemaname IN ('link', 'tip');
"""
# What people and functions ask, and the index that answers.
LOOKUPS = {
    "SELECT FROM link.match_key WHERE hmac = sha256('x') AND kind = 'K1' AND key_version = 1": "match_key_hmac",
    "SELECT FROM tip.identification WHERE national_code = '123456789012'": "identification_national_code",
    "SELECT FROM tip.identification WHERE victim_id = gen_random_uuid()": "identification_victim_id",
    "SELECT FROM tip.victim WHERE merged_into = '00000000-0000-0000-0000-000000000000'": "victim_merged_into",
    "SELECT FROM link.candidate WHERE victim_b = '00000000-0000-0000-0000-000000000000'": "candidate_victim_b",
    "SELECT FROM link.candidate WHERE decision = 'open' ORDER BY score DESC, candidate_id LIMIT 20": "candidate_open",
    "SELECT FROM link.merge_log WHERE kept = '00000000-0000-0000-0000-000000000000'": "merge_log_kept",
    "SELECT FROM link.merge_log WHERE absorbed = '00000000-0000-0000-0000-000000000000'":
        "merge_log_absorbed",
    "SELECT FROM tip.assistance WHERE referred_to = 'SOC-HOU'": "assistance_referred_to",
    "SELECT FROM tip.followup WHERE victim_id = '00000000-0000-0000-0000-000000000000'": "followup_victim_id",
    "SELECT FROM tip.consent_change WHERE victim_id = '00000000-0000-0000-0000-000000000000'": "consent_change_victim_id",
    "SELECT FROM tip.case_suspect WHERE suspect_id = '00000000-0000-0000-0000-000000000000'": "case_suspect_suspect_id",
    "SELECT FROM relais.claim WHERE table_name = 'tip.criminal_case' AND key = '[\"x\"]'": "claim_pkey",
    "DELETE FROM relais.claim WHERE table_name || '' = 'tip.criminal_case' AND sub_id = ANY ('{00000000-0000-0000-0000-000000000000}')":
        "claim_sub_id",
    "SELECT FROM tip.case_suspect WHERE sub_id = ANY ('{00000000-0000-0000-0000-000000000000}')": "case_suspect_sub_id",
    "SELECT FROM identity.person WHERE keep_until < '2020-01-01'": "person_keep_until",
    "SELECT FROM audit.access_log WHERE subject = '00000000-0000-0000-0000-000000000000'": "access_log_subject",
}


class Growth(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.name = copy("t_growth")
        cls.size = 0

    def record(self, count, batch=250):
        """One session, as a forwarder's: plans made while the tables are empty are kept."""
        script = ["SET plan_cache_mode = force_generic_plan;"]
        for first in range(self.size, self.size + count, batch):
            script.append("BEGIN;" + BATCH.format(first=first, last=first + batch - 1) + "COMMIT;")
        before = int(database.psql(self.name, READ_ROWS))
        database.psql(self.name, "".join(script))
        type(self).size += count
        return (int(database.psql(self.name, READ_ROWS)) - before) / count

    def test_1_linking_reads_as_many_rows_for_each_recording_at_any_size(self):
        self.record(1000)
        small = self.record(500)
        self.record(6500)
        large = self.record(500)
        self.assertGreater(small, 5)
        self.assertLess(large, 1.3 * small, "rows read for each recording, at 1,000 and at 8,000")
        pairs = database.psql(self.name, "SELECT count(*) FROM link.candidate")
        joins = database.psql(self.name, "SELECT count(*) FROM link.merge_log")
        self.assertEqual((pairs, joins), (str(self.size // 2), str(sum(n % 6 >= 3 for n in range(self.size)))))

    def test_2_every_look_up_has_its_index(self):
        """On many rows, or where a table is empty with reading it whole made dear."""
        for query, index in LOOKUPS.items():
            with self.subTest(index):
                plan = database.psql(self.name, f"SET enable_seqscan = off; EXPLAIN {query}")
                self.assertRegex(plan, rf"(Index|Bitmap).* {index}\b", query)

    def test_3_two_transactions_do_not_miss_each_other(self):
        """Each brings half of a pair; neither sees the other's before it commits."""
        name = copy("t_race")
        halves = [f"BEGIN; SELECT test.record({n}, {n}, 'SOC-HOU', '2026-03-0{n}', 'sx_m', 20, '{{K4:d}}');"
                  "SELECT pg_advisory_lock_shared(1); SELECT pg_advisory_unlock_shared(1); COMMIT;" for n in (1, 2)]
        gate = subprocess.Popen(["psql", "-X", "-q", "-d", database.conninfo(name)], stdin=subprocess.PIPE, text=True)
        gate.stdin.write("SELECT pg_advisory_lock(1) \\g /dev/null\n\\! touch " + database.dir + "/gate\n")
        gate.stdin.flush()
        wait_until(lambda: os.path.exists(database.dir + "/gate"))
        with concurrent.futures.ThreadPoolExecutor() as pool:
            done = [pool.submit(database.psql, name, half) for half in halves]
            wait_until(lambda: database.psql(name, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory'"
                                                   " AND query LIKE '%lock_shared%'") == "2")
            gate.communicate()
            for each in done:
                each.result()
        self.assertEqual(database.psql(name, "SELECT test.people(1, 2)"), "{1,2}")


@unittest.skipUnless(program(), "no build to test")
class Forwarder(unittest.TestCase):
    """The command itself, logged in as relais_forwarder, delivers every sample of every form."""

    def parcel(self, sample):
        with open(sample, "rb") as file:
            body = file.read()
        root = xml.etree.ElementTree.fromstring(body)
        instance = next(node.text for node in root.iter() if node.tag.endswith("instanceID"))
        fields = {"received": "2026-12-02T10:15:04.123Z", "source": "serve", "form": root.get("id"),
                  "version": root.get("version"), "instance": instance, "content-type": "text/xml",
                  "length": str(len(body)), "sha256": hashlib.sha256(body).hexdigest()}
        text = "relais-parcel: 1\n" + "".join(f"{key}: {value}\n" for key, value in fields.items())
        return text.encode() + b"\n" + body

    def test_all_samples_are_delivered(self):
        name = copy("t_forward")
        directory = tempfile.mkdtemp(prefix="relais-schema-")
        self.addCleanup(shutil.rmtree, directory, ignore_errors=True)
        spool = os.path.join(directory, "spool")
        conf = os.path.join(directory, "relais.conf")
        with open(conf, "w", encoding="utf-8") as file:
            file.write(f"[spool]\ndirectory = {spool}\n[store]\nconninfo = {database.conninfo(name, 't_forwarder')}\n"
                       f"[mappings]\ndirectory = {TRANSFORMS}\n[forms]\ndirectory = {ROOT}/xforms\n"
                       + Keys(directory).make().settings)
        with open(os.path.join(directory, "log"), "wb") as log:
            forward = subprocess.Popen([program(), "--config", conf, "forward"], stdin=subprocess.DEVNULL,
                                       stdout=log, stderr=log)
        self.addCleanup(forward.wait, 30)
        self.addCleanup(forward.terminate)
        wait_until(lambda: os.path.isdir(os.path.join(spool, "quarantine")))
        samples = sorted(glob.glob(os.path.join(ROOT, "xforms", "samples", "*.xml")))
        for n, sample in enumerate(samples):
            shard = os.path.join(spool, f"{n % 16:02x}")
            part = os.path.join(shard, "tmp", f"{n}.parcel")
            with open(part, "wb") as file:
                file.write(self.parcel(sample))
            os.rename(part, os.path.join(shard, "new", f"20260302T101504.{n:06}Z-{n:032x}.parcel"))
        states = "SELECT state || ' ' || count(*) FROM relais.submission GROUP BY state"
        try:
            wait_until(lambda: not glob.glob(os.path.join(spool, "*", "new", "*.parcel")), 60)
        except AssertionError:
            self.fail(read(os.path.join(directory, "log")) + database.psql(name, states))
        refused = database.psql(name, "SELECT form_id, instance_id, reason FROM relais.submission"
                                      " WHERE state NOT IN ('delivered', 'partial')")
        self.assertEqual(refused, "")
        self.assertEqual(database.psql(name, "SELECT count(*) FROM relais.submission"), str(len(samples)))
        self.assertGreater(int(database.psql(name, "SELECT count(*) FROM link.match_key")), 0)
        self.assertGreater(int(database.psql(name, "SELECT count(*) FROM identity.person")), 0)


def wait_until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("it did not happen")
        time.sleep(0.05)


if __name__ == "__main__":
    unittest.main()
