"""relais plan and relais status, against a PostgreSQL of the test's own.
"""
import json
import os
import re
import shutil
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from command import (FAILED, FRENCH, LATER, OK, ROOT, Site, USAGE, database, parcel_name,  # noqa: E402
                     read, start_database, write)
from database import LEDGER  # noqa: E402


def setUpModule():
    start_database()


def tearDownModule():
    database.remove()


# ---- plan --------------------------------------------------------------------------------------


REFERENCE = """CREATE SCHEMA ref;
CREATE TABLE ref.zone (code text PRIMARY KEY, label text, sort smallint, parent text REFERENCES ref.zone);
CREATE TABLE ref.area (code text PRIMARY KEY, zone text NOT NULL REFERENCES ref.zone);
"""
ZONES = 'code,label,sort,parent\nb,"L\'or, rouge",02,a\na,A,1,\n'  # the child stands above its parent


class Plan(Site):
    def setUp(self):
        super().setUp()
        database.create(self.database)
        self.schema("0001_ledger.sql", LEDGER["0001_ledger.sql"])
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
        self.ledger()
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

    def test_what_a_person_must_mend_ends_it(self):
        os.remove(os.path.join(self.mappings, "f1.xml"))
        self.assertIn("no mapping can be used", self.expect(FAILED, "forward", "--once").err)


# ---- status ----------------------------------------------------------------------------------------


class Status(Site):
    def setUp(self):
        super().setUp()
        database.create(self.database)
        self.ledger()
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

    def test_an_encrypted_one_without_its_files_has_no_rows(self):
        self.fill("f1", "partial", 2, received="2026-02-05T00:00:00Z")
        self.fill("f2", "partial", 2, received="2026-02-04T00:00:00Z", delivered="2026-02-04T01:00:00Z")
        self.fill("f3", "partial", 1, received="2026-02-03T00:00:00Z")
        self.fill("f3", "held", 1, received="2026-02-02T00:00:00Z")
        forms = json.loads(self.expect(OK, "status", "--json").out)["ledger"]["forms"]
        self.assertEqual({form["form"]: form["oldest_undelivered"] for form in forms},
                         {"f1": "2026-02-05T00:00:00.000Z", "f2": None, "f3": "2026-02-02T00:00:00.000Z"})

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

    def test_retries_are_one_line(self):
        lines = [line for line in self.expect(OK, "status").out.splitlines() if line.startswith("Retries:")]
        self.assertEqual(len(lines), 1)
        self.assertIn("for as long as it takes", lines[0])

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

    def wait_for(self, form, state, count, received, rule=None, missing=None):
        """Versions that wait, as the forwarder writes them down."""
        reason = f"""'{json.dumps({"class": "data", "rule": rule})}'""" if rule else "NULL"
        files = "ARRAY[" + ",".join(f"'{name}'" for name in missing) + "]" if missing else "NULL"
        self.sql(f"INSERT INTO relais.submission (sub_id, form_id, instance_id, xml_sha256, record_id, state,"
                 f" received_at, source, reason, missing) SELECT gen_random_uuid(), '{form}', k, sha256(k::bytea), k,"
                 f" '{state}', '{received}', 'serve', {reason}, {files}"
                 f" FROM (SELECT gen_random_uuid()::text FROM generate_series(1, {count})) g(k);")

    def fill_with_waits(self):
        self.wait_for("suivi", "held", 3, "2026-02-03T00:00:00Z", "exists in tip.victim")
        self.wait_for("suivi", "held", 1, "2026-02-01T00:00:00Z", "exists in tip.victim")
        self.wait_for("case", "held", 2, "2026-02-02T00:00:00Z", "exists in tip.criminal_case")
        self.wait_for("case", "held", 1, "2026-02-05T00:00:00Z", "exists in tip.vehicle")
        self.wait_for("ident", "quarantined", 2, "2026-02-04T00:00:00Z", "un code de la liste « organisation »")
        self.wait_for("ident", "quarantined", 5, "2026-01-01T00:00:00Z", "un nombre entier de 0 à 110")
        self.wait_for("ident", "partial", 1, "2026-02-06T00:00:00Z", missing=["b.jpg", "a.jpg"])
        self.wait_for("ident", "partial", 1, "2026-02-07T00:00:00Z", missing=["c.m4a"])

    def test_what_is_waited_for(self):
        self.fill_with_waits()
        found = json.loads(self.expect(OK, "status", "--json").out)["ledger"]
        self.assertEqual(found["waiting"], [
            {"form": form, "state": state, "for": what, "submissions": count, "files": files,
             "oldest_received": f"2026-02-0{day}T00:00:00.000Z"} for form, state, what, count, files, day in (
                ("suivi", "held", "victim", 4, 0, 1), ("case", "held", "criminal_case", 2, 0, 2),
                ("ident", "quarantined", "organisation", 2, 0, 4), ("case", "held", "vehicle", 1, 0, 5),
                ("ident", "partial", "file", 2, 3, 6))])
        self.assertEqual([(file["form"], file["file"], file["received"][:10]) for file in found["missing_files"]],
                         [("ident", "a.jpg", "2026-02-06"), ("ident", "b.jpg", "2026-02-06"),
                          ("ident", "c.m4a", "2026-02-07")])

    def test_what_is_waited_for_in_words(self):
        self.fill_with_waits()
        text = self.expect(OK, "status").out
        self.assertRegex(text, r"(?m)^suivi +held +a person +4 +- +2026-02-01T00:00:00\.000Z \(\d+ d\)$")
        self.assertRegex(text, r"(?m)^ident +partial +files +2 +3 ")
        self.assertRegex(text, r"(?m)^case +held +vehicle +1 +- ")
        self.assertRegex(text, r"(?m)^ident +a\.jpg +[0-9a-f-]{36} ")
        french = self.expect(OK, "status", env=FRENCH).out
        self.assertRegex(french, r"(?m)^suivi +held +une personne +4 ")
        self.assertIn("FICHIER MANQUANT", french)

    def test_nothing_is_waited_for(self):
        self.fill("f1", "delivered", 1, delivered="2026-03-02T12:00:00Z")
        found = json.loads(self.expect(OK, "status", "--json").out)["ledger"]
        self.assertEqual((found["waiting"], found["missing_files"]), ([], []))
        self.assertNotIn("WAITS FOR", self.expect(OK, "status").out)

    def fill_with_devices(self):
        for device, user, state, days in (("collect:a", "agent-1", "delivered", 0), ("collect:a", "agent-1", "conflict", 4),
                                          ("collect:a", "agent-2", "delivered", 9), ("collect:b", "", "held", 40),
                                          ("collect:c", "", "delivered", 20)):
            self.sql("INSERT INTO relais.submission (sub_id, form_id, instance_id, xml_sha256, record_id, state,"
                     " received_at, delivered_at, source, device_id, submitted_by) SELECT gen_random_uuid(), 'f1', k,"
                     f" sha256(k::bytea), k, '{state}', at, at, 'serve', '{device}', '{user}' FROM (SELECT"
                     f" gen_random_uuid()::text, now() - interval '{days} days 1 minute') g(k, at);")

    def test_devices(self):
        self.fill_with_devices()
        found = json.loads(self.expect(OK, "status", "--devices", "--json").out)["devices"]
        self.assertEqual([tuple(device[name] for name in ("device", "user", "submissions", "conflicts", "waiting"))
                          for device in found],
                         [("collect:a", "agent-1", 2, 1, 0), ("collect:a", "agent-2", 1, 0, 0),
                          ("collect:c", None, 1, 0, 0), ("collect:b", None, 1, 0, 1)])
        self.assertLess(found[0]["first_received"], found[0]["last_received"])
        self.assertEqual([device["silent_days"] for device in found], [3, 0, 0, 0])
        self.assertEqual(found[0]["silent_from"], found[0]["first_received"])
        self.assertIsNone(found[1]["silent_from"])
        self.assertNotIn("devices", json.loads(self.expect(OK, "status", "--json").out))
        text = self.expect(OK, "status", "--devices").out
        self.assertRegex(text, r"(?m)^collect:b +- +\S+Z \(40 d\) +- +1 +1 +0$")
        self.assertRegex(text, r"(?m)^collect:a +agent-1 +\S+Z \(.*\) +3 d from 2\d{3}-\d\d-\d\d +2 +0 +1$")

    def test_the_longest_of_several_silences(self):
        for days in (100, 99, 60, 50, 15):
            self.sql("INSERT INTO relais.submission (sub_id, form_id, instance_id, xml_sha256, record_id, state,"
                     " received_at, source, device_id) SELECT gen_random_uuid(), 'f1', k, sha256(k::bytea), k, 'delivered',"
                     f" timestamptz '2026-06-30T12:00:00Z' - interval '{days} days', 'serve', 'collect:a' FROM"
                     " (SELECT gen_random_uuid()::text) g(k);")
        [found] = json.loads(self.expect(OK, "status", "--devices", "--json").out)["devices"]
        self.assertEqual((found["silent_days"], found["silent_from"]), (39, "2026-03-23T12:00:00.000Z"))

    def refuse(self, hours, size=140_000_000, device="collect:a", times=1, form="f1", source="serve", limit="104857600"):
        self.sql("INSERT INTO relais.refusal SELECT (at AT TIME ZONE 'UTC')::date,"
                 f" '{source}', '{device}', 'agent-1', '{form}', 'uuid:1', '1', {size}, {limit}, at, at, {times},"
                 f" gen_random_uuid() FROM (SELECT now() - interval '{hours} hours') g(at);")

    def test_what_was_too_large(self):
        """One line for each submission, over the days on which its phone tried."""
        self.refuse(80, times=7)
        self.refuse(2, times=3, size=141_000_000)
        self.refuse(30, device="collect:b", form="", limit="NULL")
        self.refuse(1, source="autres", device="", form="", times=99)
        self.refuse(24 * 40, device="collect:old")
        found = json.loads(self.expect(OK, "status", "--json").out)["ledger"]["too_large"]
        self.assertEqual([(one["device"], one["form"], one["size"], one["limit"], one["times"], one["many"]) for one in found],
                         [(None, None, 140_000_000, 104857600, 99, True),
                          ("collect:a", "f1", 141_000_000, 104857600, 10, False),
                          ("collect:b", None, 140_000_000, None, 1, False)])
        self.assertLess(found[1]["first"], found[1]["last"])
        text = self.expect(OK, "status").out
        self.assertRegex(text, r"(?m)^collect:a +agent-1 +f1 +uuid:1 +135 MB +100 MB +10 +\S+Z \(2 h\)$")
        self.assertIn("can never send", text)
        self.assertRegex(self.expect(OK, "status", env=FRENCH).out, r"(?m)^collect:a .* 135 Mo +100 Mo ")
        metrics = self.metrics()
        self.assertEqual(metrics["relais_refused_submissions"], 2)
        self.assertFalse([name for name in metrics if "collect:" in name])

    def test_incidents(self):
        self.sql("INSERT INTO relais.incident (kind, parcel, found_at, source, form_id, instance_id, device_id, submitted_by,"
                 " is_sealed) SELECT 'plaintext', 'p' || d, now() - d * interval '1 day', 'serve', 'f1', 'uuid:1',"
                 " 'collect:a', 'agent-1', d = 1 FROM unnest(ARRAY[1, 2, 31]) d;")
        found = json.loads(self.expect(OK, "status", "--json").out)["ledger"]["incidents"]
        self.assertEqual([(one["parcel"], one["kind"], one["device"], one["sealed"]) for one in found],
                         [("p1", "plaintext", "collect:a", True), ("p2", "plaintext", "collect:a", False)])
        self.assertRegex(self.expect(OK, "status").out, r"(?m)^\S+Z \(2 d\) +collect:a +agent-1 +f1 +UNSEALED +p2$")
        self.assertEqual(self.metrics()["relais_incidents"], 2)

    def test_answers_that_no_column_takes(self):
        for form, paths in (("f1", "/f1/new,/f1/x"), ("f1", "/f1/new"), ("f2", "")):
            self.wait_for(form, "held", 1, "2026-02-03T00:00:00Z")
            self.sql(f"UPDATE relais.submission SET unmapped = string_to_array('{paths}', ',') WHERE unmapped IS NULL;")
        found = json.loads(self.expect(OK, "status", "--json").out)["ledger"]["unmapped"]
        self.assertEqual(found, [{"form": "f1", "path": "/f1/new", "submissions": 2},
                                 {"form": "f1", "path": "/f1/x", "submissions": 1}])
        self.assertRegex(self.expect(OK, "status").out, r"(?m)^f1 +/f1/new +2$")
        self.assertEqual(self.metrics()["relais_unmapped_paths"], 2)

    def metrics(self, *arguments, code=OK, **options):
        """The samples by name and labels; what is not the text format of Prometheus fails."""
        found, typed = {}, set()
        for line in self.expect(code, "status", "--prometheus", *arguments, **options).out.splitlines():
            heading = re.fullmatch(r"# (HELP|TYPE) (relais_[a-z_]+) (.+)", line)
            if heading:
                self.assertNotIn(heading.groups()[:2], typed, "a heading stands twice")
                typed.add(heading.groups()[:2])
                continue
            sample = re.fullmatch(r'(relais_[a-z_]+)((?:\{(?:[a-z]+="(?:[^"\\\n]|\\[\\"n])*",?)+\})?) (\d+)', line)
            self.assertTrue(sample, line)
            self.assertIn(("TYPE", sample.group(1)), typed)
            self.assertNotIn(sample.group(1) + sample.group(2), found)
            found[sample.group(1) + sample.group(2)] = int(sample.group(3))
        return found

    def test_metrics(self):
        self.fill_two_forms()
        self.fill_with_waits()
        self.parcel("01/new", parcel_name(1), received="2026-03-02T10:15:01.000Z")
        self.quarantined(parcel_name(3), "data")
        found = self.metrics()
        for name, value in (('relais_up{part="spool"}', 1), ('relais_up{part="ledger"}', 1),
                            ("relais_spool_waiting_parcels", 1), ('relais_quarantine_parcels{class="data"}', 1),
                            ('relais_quarantine_parcels{class="unknown-form"}', 0),
                            ('relais_ledger_submissions{form="f1",state="delivered"}', 6),
                            ('relais_ledger_submissions{form="f1",state="conflict"}', 1),
                            ('relais_ledger_submissions{form="f2",state="partial"}', 3),
                            ('relais_ledger_last_delivered_timestamp_seconds{form="f1"}', 1772539200),
                            ('relais_ledger_waiting_submissions{form="suivi",state="held",for="victim"}', 4),
                            ('relais_ledger_missing_files{form="ident"}', 3), ('relais_devices_heard{within="1d"}', 0)):
            self.assertEqual(found.get(name), value, name)
        self.assertGreater(found["relais_spool_oldest_seconds"], 86400)
        self.assertGreater(
            found['relais_ledger_waiting_oldest_seconds{form="suivi",state="held",for="victim"}'], 86400)

    def test_metrics_name_no_device_unless_asked(self):
        self.fill_with_devices()
        found = self.metrics()
        self.assertEqual([found[f'relais_devices_heard{{within="{span}"}}'] for span in ("1d", "7d", "30d")], [1, 1, 2])
        self.assertFalse([name for name in found if "collect:" in name or "agent-" in name])
        found = self.metrics("--devices")
        self.assertEqual(found['relais_device_conflicts{device="collect:a",user="agent-1"}'], 1)
        self.assertGreater(found['relais_device_last_received_timestamp_seconds{device="collect:c",user=""}'], 1700000000)

    def test_metrics_of_a_form_with_a_strange_name(self):
        self.fill('f"1\\x\n', "delivered", 1, delivered="2026-03-02T12:00:00Z")
        self.assertEqual(self.metrics()['relais_ledger_submissions{form="f\\"1\\\\x\\n",state="delivered"}'], 1)

    def test_metrics_without_the_database(self):
        found = self.metrics(code=LATER, conf=self.write_conf("away.conf", "host=/nonexistent dbname=x"))
        self.assertEqual((found['relais_up{part="spool"}'], found['relais_up{part="ledger"}']), (1, 0))
        self.assertNotIn("relais_ledger_submissions", "".join(found))

    def test_one_format_at_a_time(self):
        self.assertIn("choose one", self.expect(USAGE, "status", "--json", "--prometheus").err)

    def test_no_query_reads_the_whole_ledger(self):
        for form in ("f1", "f2"):
            self.fill(form, "delivered", 100_000, delivered="2026-03-02T12:00:00Z")
        self.sql("UPDATE relais.submission SET device_id = 'collect:' || hashtext(instance_id) % 500, submitted_by = 'agent',"
                 " xml = decode(repeat('00', 300), 'hex');")
        self.fill("f1", "held", 10)
        self.wait_for("f2", "partial", 10, "2026-03-01T00:00:00Z", missing=["a.jpg"])
        self.sql("VACUUM (ANALYZE) relais.submission;")
        log = os.path.join(database.dir, "log")
        offset = os.path.getsize(log)
        database.psql("postgres", f"""
            ALTER DATABASE {self.database} SET session_preload_libraries = 'auto_explain';
            ALTER DATABASE {self.database} SET auto_explain.log_min_duration = 0;""")
        found = json.loads(self.expect(OK, "status", "--json").out)
        self.assertEqual([form["received"] for form in found["ledger"]["forms"]], [100_010, 100_010])
        self.expect(OK, "status", "--prometheus")
        devices = json.loads(self.expect(OK, "status", "--devices", "--json").out)["devices"]
        self.assertEqual(sum(device["submissions"] for device in devices), 200_020)
        with open(log, encoding="utf-8") as file:
            file.seek(offset)
            plans = file.read()
        self.assertIn("submission_open", plans)
        self.assertIn("submission_delivered", plans)
        self.assertIn("Index Only Scan using submission_device", plans)
        self.assertIn("submission_unmapped", plans)
        self.assertNotIn("Seq Scan on submission", plans)


if __name__ == "__main__":
    unittest.main()
