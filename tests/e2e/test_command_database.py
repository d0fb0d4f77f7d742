"""relais plan and relais status, against a PostgreSQL of the test's own.
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from command import (FAILED, FRENCH, LATER, OK, ROOT, Site, database, parcel_name, program, read,  # noqa: E402
                     start_database, write)


def setUpModule():
    start_database()


def tearDownModule():
    database.remove()


# ---- plan --------------------------------------------------------------------------------------


LEDGER = read(os.path.join(ROOT, "transforms", "schema", "0001_ledger.sql"))

REFERENCE = """CREATE SCHEMA ref;
CREATE TABLE ref.zone (code text PRIMARY KEY, label text, sort smallint, parent text REFERENCES ref.zone);
CREATE TABLE ref.area (code text PRIMARY KEY, zone text NOT NULL REFERENCES ref.zone);
"""
ZONES = 'code,label,sort,parent\nb,"L\'or, rouge",02,a\na,A,1,\n'  # the child stands above its parent


class Plan(Site):
    def setUp(self):
        super().setUp()
        database.create(self.database)
        self.schema("0001_ledger.sql", LEDGER)
        self.schema("0002_reference.sql", REFERENCE)
        self.codes("ref.zone", ZONES)
        self.codes("ref.area", "code,zone\nx,b\n")

    def test_an_empty_database_gets_everything_once(self):
        self.assertIn("pending", self.expect(OK, "plan", "--list").out)
        script = self.apply()
        self.assertIn("\\set ON_ERROR_STOP on", script)
        self.assertLess(script.index("-- ref.zone"), script.index("-- ref.area"))
        self.assertEqual(self.sql("SELECT code, label, sort, parent FROM ref.zone ORDER BY code;"),
                         "a|A|1|\nb|L'or, rouge|2|a")
        self.assertEqual(self.sql("SELECT name FROM relais.migration ORDER BY name;"),
                         "0001_ledger.sql\n0002_reference.sql")
        second = self.apply()
        self.assertRegex(second, r"\A-- Nothing to apply[^\n]*\n\Z")
        listed = self.expect(OK, "plan", "--list").out
        self.assertNotIn("pending", listed)
        self.assertRegex(listed, r"schema/0001_ledger.sql +2\S+Z +applied")

    def test_the_national_schema_goes_in_whole_and_twice(self):
        self.mappings = os.path.join(ROOT, "transforms")
        self.conf = self.write_conf("national.conf", database.conninfo(self.database))
        database.psql("postgres", read(os.path.join(self.mappings, "roles.sql")))
        self.apply()
        self.assertRegex(self.apply(), r"\A-- Nothing")
        self.assertNotEqual(self.sql("SELECT count(*) FROM ref.code;"), "0")

    def test_only_rows_that_differ(self):
        self.apply()
        self.codes("ref.zone", 'code,label,sort,parent\nb,"L\'or, rouge",2,a\na,Autre,1,\nc,,3,b\n')
        script = self.expect(OK, "plan").out
        self.assertIn("2 of 3 rows", script)
        self.assertNotIn("rouge", script)
        self.assertNotIn("ref.area", script)
        database.psql(self.database, script)
        self.assertEqual(self.sql("SELECT code, label FROM ref.zone ORDER BY code;"), "a|Autre\nb|L'or, rouge\nc|")
        self.assertRegex(self.expect(OK, "plan").out, r"\A-- Nothing")

    def test_rows_of_the_database_alone_stay(self):
        self.apply()
        self.sql("INSERT INTO ref.zone VALUES ('z', 'Z', 9, NULL);")
        self.assertRegex(self.expect(OK, "plan").out, r"\A-- Nothing")

    def test_a_new_file_comes_after_the_others(self):
        self.apply()
        self.schema("0003_more.sql", "ALTER TABLE ref.area ADD COLUMN size int; -- no line end")
        self.codes("ref.area", "code,zone,size\nx,b,7\n")
        script = self.apply()
        self.assertNotIn("0002_reference", script)
        self.assertEqual(self.sql("SELECT code, size FROM ref.area;"), "x|7")
        self.assertRegex(self.expect(OK, "plan").out, r"\A-- Nothing")

    def test_a_file_that_fails_leaves_nothing_behind(self):
        self.schema("0002_reference.sql", REFERENCE + "SELECT 1/0;\n")
        script = self.expect(OK, "plan").out
        with self.assertRaises(AssertionError):
            database.psql(self.database, script)
        self.assertEqual(self.sql("SELECT name FROM relais.migration;"), "0001_ledger.sql")
        self.schema("0002_reference.sql", REFERENCE)
        self.apply()
        self.assertEqual(self.sql("SELECT count(*) FROM ref.zone;"), "2")

    def test_a_changed_file_is_refused_whole(self):
        self.apply()
        self.schema("0002_reference.sql", REFERENCE + "-- a word\n")
        self.schema("0003_more.sql", "CREATE TABLE ref.more (x int);")
        done = self.expect(FAILED, "plan")
        self.assertEqual(done.out, "")
        self.assertIn("schema/0002_reference.sql", done.err)
        self.assertIn("0003_more.sql", self.expect(OK, "plan", "--list").out)
        self.assertIn("changed after it was applied", self.expect(OK, "plan", "--list").out)

    def test_a_file_that_is_gone_is_a_warning(self):
        self.apply()
        os.remove(os.path.join(self.mappings, "schema", "0002_reference.sql"))
        done = self.expect(OK, "plan")
        self.assertIn("warning: 0002_reference.sql", done.err)

    def test_a_reader_may_plan(self):
        self.apply()
        self.sql("GRANT USAGE ON SCHEMA relais, ref TO reader;"
                 "GRANT SELECT ON ALL TABLES IN SCHEMA relais, ref TO reader;")
        self.codes("ref.area", "code,zone\nx,b\ny,a\n")
        conf = self.write_conf("reader.conf", database.conninfo(self.database, "reader"))
        self.assertIn("1 of 2 rows", self.expect(OK, "plan", conf=conf).out)

    def test_mistakes_in_the_files(self):
        self.apply()
        for table, text, expected in (
                ("ref.area", "code,zone\nx\n", r"ref\.area\.csv:2: .*1 fields"),
                ("ref.area", "code,zones\nx,b\n", r"ref\.area\.csv:1: .*no column zones"),
                ("ref.area", "zone\nb\n", r"ref\.area\.csv:1: .*primary key"),
                ("ref.area", "code,zone\n,b\n", r"ref\.area\.csv:2: .*empty"),
                ("ref.area", "code,zone\nx,b\ny,a\nx,a\n", r"ref\.area\.csv:4: .*line 2"),
                ("ref.zone", "code,sort\na,1\nb,deux\n", r"ref\.zone\.csv:3: "),
                ("ref.absent", "code\na\n", r"ref\.absent\.csv: .*no table ref\.absent"),
                ("zone", "code\na\n", r"zone\.csv: .*SCHEMA\.TABLE")):
            with self.subTest(expected):
                kept = {name: read(os.path.join(self.mappings, "codes", name))
                        for name in os.listdir(os.path.join(self.mappings, "codes"))}
                self.codes(table, text)
                done = self.expect(FAILED, "plan")
                self.assertEqual(done.out, "")
                self.assertRegex(done.err, expected)
                self.assertNotIn("deux", done.err)
                shutil.rmtree(os.path.join(self.mappings, "codes"))
                for name, content in kept.items():
                    write(os.path.join(self.mappings, "codes", name), content)

    def test_names_of_schema_files(self):
        self.schema("3_short.sql", "")
        self.assertIn("four digits", self.expect(FAILED, "plan").err)
        os.remove(os.path.join(self.mappings, "schema", "3_short.sql"))
        self.schema("0002_again.sql", "")
        self.assertIn("number of its own", self.expect(FAILED, "plan").err)

    def test_a_file_with_a_transaction_of_its_own(self):
        self.schema("0003_more.sql", "BEGIN;\nCREATE TABLE ref.more (x int);\nCOMMIT;\n")
        done = self.expect(FAILED, "plan")
        self.assertEqual(done.out, "")
        self.assertIn("0003_more.sql:1: ", done.err)

    def test_a_database_that_is_away(self):
        conf = self.write_conf("away.conf", "host=/nonexistent dbname=x")
        done = self.expect(LATER, "plan", conf=conf)
        self.assertEqual(done.out, "")
        self.assertIn("cannot be reached", done.err)


# ---- forward ---------------------------------------------------------------------------------------


class Forward(Site):
    """The command around the forwarder; what the forwarder does is tested elsewhere."""

    def setUp(self):
        super().setUp()
        database.create(self.database)
        self.schema("0001_ledger.sql", LEDGER)
        self.apply()
        write(os.path.join(self.mappings, "f1.xml"), '<mapping xmlns="urn:relais:mapping:1" form="f1">'
              '<row table="public.thing"><column name="sub_id" select="$submission"/></row></mapping>')
        self.sql("CREATE TABLE public.thing (sub_id uuid PRIMARY KEY);")
        shutil.rmtree(self.spool)

    def test_once_delivers_what_is_there(self):
        self.expect(OK, "forward", "--once")  # makes the spool
        self.parcel("03/new", parcel_name(1), b'<data id="f1" version="1"/>')
        self.parcel("05/new", parcel_name(2), b'<data id="absent" version="1"/>')
        done = self.expect(OK, "forward", "--once", "--batch", "1")
        self.assertIn("1 delivered, 0 known already, 1 quarantined, 0 held", done.err)
        self.assertEqual(self.sql("SELECT count(*) FROM public.thing;"), "1")

    def test_systemd_is_told(self):
        if b"libsystemd" not in subprocess.run(["ldd", program()], capture_output=True, check=True).stdout:
            self.skipTest("built without libsystemd")
        told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(told.close)
        told.settimeout(60)
        told.bind(os.path.join(self.dir, "notify"))
        forward = subprocess.Popen([program(), "--config", self.conf, "forward"], stderr=subprocess.PIPE,
                                   env={**os.environ, "NOTIFY_SOCKET": os.path.join(self.dir, "notify")})
        self.addCleanup(forward.wait)
        self.addCleanup(forward.kill)
        self.addCleanup(forward.stderr.close)
        self.assertEqual(told.recv(4096), b"READY=1")
        self.assertTrue(any(b"event=store.up" in line for line in forward.stderr))
        forward.send_signal(signal.SIGTERM)
        self.assertEqual(told.recv(4096), b"STOPPING=1")
        self.assertEqual(forward.wait(60), OK)

    def test_what_a_person_must_mend_ends_it(self):
        os.remove(os.path.join(self.mappings, "f1.xml"))
        self.assertIn("no mapping can be used", self.expect(FAILED, "forward", "--once").err)


# ---- status ----------------------------------------------------------------------------------------


class Status(Site):
    def setUp(self):
        super().setUp()
        database.create(self.database)
        self.schema("0001_ledger.sql", LEDGER)
        self.apply()

    def fill(self, form, state, count, received="2026-03-01T00:00:00Z", delivered=None):
        when = f"'{delivered}'" if delivered else "NULL"
        self.sql(f"INSERT INTO relais.submission (sub_id, form_id, instance_id, xml_sha256, record_id, state,"
                 f" received_at, delivered_at, source) SELECT gen_random_uuid(), '{form}', '{state}' || n,"
                 f" sha256(convert_to('{state}' || n, 'UTF8')), '{state}' || n, '{state}', '{received}', {when},"
                 f" 'serve' FROM generate_series(1, {count}) n;")

    def fill_two_forms(self):
        self.fill("f1", "delivered", 5, delivered="2026-03-02T12:00:00Z")
        self.fill("f1", "superseded", 1, delivered="2026-03-03T12:00:00Z")
        self.fill("f1", "held", 2, received="2026-02-02T01:02:03Z")
        self.fill("f1", "quarantined", 1, received="2026-02-01T01:02:03Z")
        self.fill("f1", "conflict", 1, received="2026-01-01T00:00:00Z")
        self.fill("f2", "partial", 3, delivered="2026-03-04T12:00:00Z")

    def test_counts_by_form(self):
        self.fill_two_forms()
        found = json.loads(self.expect(OK, "status", "--json").out)
        forms = {form["form"]: form for form in found["ledger"]["forms"]}
        self.assertEqual(forms["f1"], {
            "form": "f1", "received": 10, "delivered": 6, "partial": 0, "held": 2, "quarantined": 1, "conflict": 1,
            "erased": 0, "oldest_undelivered": "2026-02-01T01:02:03.000Z",
            "last_delivered": "2026-03-03T12:00:00.000Z"})
        self.assertEqual((forms["f2"]["partial"], forms["f2"]["delivered"]), (3, 0))
        self.assertIsNone(forms["f2"]["oldest_undelivered"])
        self.assertEqual(found["ledger"]["last_delivered"], "2026-03-04T12:00:00.000Z")

    def test_the_table_is_aligned(self):
        self.fill_two_forms()
        lines = self.expect(OK, "status").out.splitlines()
        heading = next(line for line in lines if line.startswith("FORM"))
        row = next(line for line in lines if line.startswith("f1"))
        self.assertEqual(heading.index("OLDEST"), row.index("2026-02-01"))
        self.assertEqual(heading.index("LAST"), row.index("2026-03-03"))

    def test_the_spool(self):
        self.parcel("03/new", parcel_name(2), received="2026-03-02T10:15:02.000Z")
        self.parcel("01/new", parcel_name(1), received="2026-03-02T10:15:01.000Z")
        self.quarantined(parcel_name(3), "data")
        self.quarantined(parcel_name(4), "data")
        self.quarantined(parcel_name(5), "unknown-form")
        found = json.loads(self.expect(OK, "status", "--json").out)
        self.assertEqual(found["spool"], {"waiting": 2, "oldest_received": "2026-03-02T10:15:01.000Z"})
        self.assertEqual(found["quarantine"], {"count": 3, "classes": {"data": 2, "unknown-form": 1}})
        self.assertIn("Spool: 2 waiting", self.expect(OK, "status").out)
        self.assertIn("Dépôt : 2 en attente", self.expect(OK, "status", env=FRENCH).out)

    def test_without_the_database_the_spool_is_shown(self):
        self.parcel("01/new", parcel_name(1))
        conf = self.write_conf("away.conf", "host=/nonexistent dbname=x")
        done = self.expect(LATER, "status", conf=conf)
        self.assertIn("Spool: 1 waiting", done.out)
        self.assertIn("cannot be reached", done.err)
        found = json.loads(self.expect(LATER, "status", "--json", conf=conf).out)
        self.assertEqual((found["spool"]["waiting"], found["ledger"]), (1, None))

    def test_without_the_schema_it_says_what_to_do(self):
        self.sql("DROP SCHEMA relais CASCADE;")
        self.assertIn("relais plan | psql", self.expect(FAILED, "status").err)

    def test_without_the_spool_the_ledger_is_shown(self):
        self.fill_two_forms()
        shutil.rmtree(self.spool)
        done = self.expect(LATER, "status")
        self.assertIn("f2", done.out)
        self.assertIn(self.spool, done.err)

    def test_no_query_reads_the_whole_ledger(self):
        self.fill("f1", "delivered", 30000, delivered="2026-03-02T12:00:00Z")
        self.fill("f2", "delivered", 30000, delivered="2026-03-02T12:00:00Z")
        self.fill("f1", "held", 10)
        self.sql("VACUUM (ANALYZE) relais.submission;")
        log = os.path.join(database.dir, "log")
        offset = os.path.getsize(log)
        database.psql("postgres", f"""
            ALTER DATABASE {self.database} SET session_preload_libraries = 'auto_explain';
            ALTER DATABASE {self.database} SET auto_explain.log_min_duration = 0;""")
        found = json.loads(self.expect(OK, "status", "--json").out)
        self.assertEqual([form["received"] for form in found["ledger"]["forms"]], [30010, 30000])
        with open(log, encoding="utf-8") as file:
            file.seek(offset)
            plans = file.read()
        self.assertIn("submission_open", plans)
        self.assertIn("submission_delivered", plans)
        self.assertNotIn("Seq Scan on submission", plans)


if __name__ == "__main__":
    unittest.main()
