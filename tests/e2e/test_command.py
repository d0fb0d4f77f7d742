"""The command `relais` as an administrator types it: what it prints, in which language, and
with which exit code. A PostgreSQL of its own; no web server.
"""
import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import zlib

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from database import Database  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OK, FAILED, USAGE, LATER = 0, 1, 2, 3

ENGLISH = {"LC_ALL": "C.UTF-8"}
FRENCH = {"LC_ALL": "C.UTF-8", "LANGUAGE": "fr"}

database = None


def setUpModule():
    global database
    database = Database()
    database.start()
    database.psql("postgres", "CREATE ROLE reader LOGIN;")


def tearDownModule():
    database.remove()


def program():
    if "RELAIS_BIN" in os.environ:
        return os.path.join(os.environ["RELAIS_BIN"], "relais")
    return os.path.join(os.environ["RELAIS_BUILD"], "bin", "relais")


class Outcome:
    def __init__(self, done):
        self.code = done.returncode
        self.bytes = done.stdout
        self.out = done.stdout.decode("utf-8", "replace")
        self.err = done.stderr.decode("utf-8", "replace")


def relais(*arguments, env=None, conf=None):
    environment = {"PATH": os.environ["PATH"], **(ENGLISH if env is None else env)}
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
        if name in os.environ:
            environment[name] = os.environ[name]
    before = ["--config", conf] if conf else []
    return Outcome(subprocess.run([program(), *before, *arguments], env=environment, cwd="/",
                                  stdin=subprocess.DEVNULL, capture_output=True, timeout=120,
                                  check=False))


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


class Site(unittest.TestCase):
    """A test with directories, a configuration and a database of its own."""

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="relais-command-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.spool, self.forms, self.mappings = (
            os.path.join(self.dir, name) for name in ("spool", "forms", "mappings"))
        os.makedirs(self.forms)
        os.makedirs(self.mappings)
        for shard in range(16):
            for part in ("tmp", "new"):
                os.makedirs(os.path.join(self.spool, f"{shard:02x}", part))
        os.makedirs(os.path.join(self.spool, "quarantine"))
        self.database = f"t{self.id().rpartition('.')[2]}"[:60]
        self.conf = self.write_conf("relais.conf", database.conninfo(self.database))

    def write_conf(self, name, conninfo):
        path = os.path.join(self.dir, name)
        write(path, f"[spool]\ndirectory = {self.spool}\n[store]\nconninfo = {conninfo}\n"
                    f"[mappings]\ndirectory = {self.mappings}\n[forms]\ndirectory = {self.forms}\n")
        return path

    def relais(self, *arguments, env=None, conf=None):
        return relais(*arguments, env=env, conf=conf or self.conf)

    def expect(self, code, *arguments, **options):
        done = self.relais(*arguments, **options)
        self.assertEqual(done.code, code, f"{arguments}: {done.out}\n{done.err}")
        return done

    # ---- the spool ----

    def parcel(self, place, name, body=b"<data/>", content_type="text/xml", **head):
        fields = {"received": "2026-03-02T10:15:04.123Z", "source": "serve", "form": "f1",
                  "version": "1", "instance": "uuid:1", **head, "content-type": content_type,
                  "length": str(len(body)), "sha256": hashlib.sha256(body).hexdigest()}
        text = "relais-parcel: 1\n" + "".join(f"{key}: {value}\n" for key, value in fields.items())
        path = os.path.join(self.spool, place, name)
        with open(path, "wb") as file:
            file.write(text.encode() + b"\n" + body)
        return path

    def quarantined(self, name, word, body=b"<data/>", form="f1", **options):
        self.parcel("quarantine", name, body, form=form, **options)
        write(os.path.join(self.spool, "quarantine", name + ".reason"),
              f"class: {word}\nat: 2026-03-02T10:15:05.000Z\nform: {form}\npath: /data/age\n"
              f"column: tip.identification.age\nrule: 0 to 110\ntext: an answer does not fit\n")
        return name

    def new_parcels(self):
        return sorted(name for shard in range(16)
                      for name in os.listdir(os.path.join(self.spool, f"{shard:02x}", "new")))

    # ---- the schema ----

    def schema(self, name, sql):
        write(os.path.join(self.mappings, "schema", name), sql)

    def codes(self, table, text):
        write(os.path.join(self.mappings, "codes", table + ".csv"), text)

    def apply(self):
        script = self.expect(OK, "plan").out
        database.psql(self.database, script)
        return script

    def sql(self, text):
        return database.psql(self.database, text)


def parcel_name(number):
    return f"20260302T10150{number}.123456Z-{number:032x}.parcel"


# ---- help and mistakes ----------------------------------------------------------------------


class Words(unittest.TestCase):
    def test_help_lists_the_commands(self):
        for arguments in (["help"], ["--help"], ["-h"]):
            done = relais(*arguments)
            self.assertEqual((done.code, done.err), (OK, ""))
            for name in ("forward", "check", "plan", "status", "quarantine", "device", "help", "version"):
                self.assertRegex(done.out, rf"(?m)^  {name} ")
            self.assertNotIn("revoke", done.out)

    def test_each_command_has_its_help_three_ways(self):
        for name in ("forward", "check", "plan", "status", "quarantine", "device"):
            first = relais("help", name)
            self.assertEqual(first.code, OK)
            self.assertIn(f"relais [--config FILE] {name}", first.out)
            self.assertEqual(relais(name, "--help", conf="/dev/null").out, first.out)
            self.assertEqual(relais(name, "-h", conf="/dev/null").out, first.out)

    def test_version(self):
        with open(os.path.join(ROOT, "CMakeLists.txt"), encoding="utf-8") as file:
            version = re.search(r"project\(relais VERSION ([0-9.]+)", file.read()).group(1)
        for word in ("version", "--version"):
            self.assertEqual(relais(word).out, f"relais {version}\n")

    def test_nothing_and_nonsense_say_what_was_possible(self):
        for arguments, expected in (([], "say what to do"), (["statsu"], "Did you mean status?"),
                                    (["help", "plam"], "Did you mean plan?"), (["xyzzy"], "Commands: forward, "),
                                    (["--confg", "x"], "Did you mean --config?"), (["--config"], "needs a value"),
                                    (["status", "--jsno"], "Did you mean --json?"),
                                    (["status", "--json=1"], "takes no value"), (["status", "now"], "takes no"),
                                    (["forward", "--batch", "0"], "from 1 to 5000"),
                                    (["quarantine"], "list, show, replay or drop"),
                                    (["quarantine", "lits"], "Did you mean list?"),
                                    (["quarantine", "drop", "x"], "--yes"),
                                    (["quarantine", "replay"], "--all"), (["device"], "sheet"),
                                    (["device", "add"], "There is: sheet"), (["device", "sheet"], "--url")):
            done = relais(*arguments, conf=None if arguments[:1] == ["--config"] else "/dev/null")
            self.assertEqual((done.code, done.out), (USAGE, ""), arguments)
            self.assertIn(expected, done.err, arguments)

    def test_a_unique_beginning_is_enough(self):
        self.assertEqual(relais("ver").out, relais("version").out)
        self.assertEqual(relais("help", "quar").out, relais("help", "quarantine").out)

    def test_a_faulty_configuration_stops_only_what_needs_one(self):
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            file.write("[spool]\n\ndirektory = /x\n")
            file.flush()
            done = relais("status", conf=file.name)
            self.assertEqual(done.code, FAILED)
            self.assertIn(f"{file.name}:3: ", done.err)
            self.assertIn('did you mean "directory"', done.err)
            self.assertEqual(relais("help", conf=file.name).code, OK)
            self.assertEqual(relais("device", "sheet", "--url", "https://x.bf", "--text", conf=file.name).code, OK)

    def test_the_configuration_of_the_environment(self):
        done = relais("status", env={**ENGLISH, "RELAIS_CONF": "/nonexistent/relais.conf"})
        self.assertEqual(done.code, FAILED)
        self.assertIn("/nonexistent/relais.conf", done.err)

    def test_a_full_disk_behind_standard_output_is_a_failure(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([program(), "help"], env={"PATH": os.environ["PATH"], **ENGLISH}, stdout=full,
                                  stderr=subprocess.PIPE, timeout=60, check=False)
        self.assertEqual(done.returncode, FAILED)
        self.assertIn(b"standard output", done.stderr)


class French(unittest.TestCase):
    """French is reachable on a Debian that has no French locale."""

    def assert_french(self, env):
        done = relais("help", env=env)
        self.assertIn("Commandes :", done.out, env)
        self.assertNotIn("Commands:", done.out, env)

    def test_by_language(self):
        self.assert_french(FRENCH)
        self.assert_french({"LANGUAGE": "fr"})

    def test_by_a_locale_that_is_not_installed(self):
        self.assert_french({"LANG": "fr_BF.UTF-8"})
        self.assert_french({"LC_ALL": "fr_FR.UTF-8"})
        self.assert_french({"LANG": "en_US.UTF-8", "LC_MESSAGES": "fr_FR.UTF-8"})

    def test_english_otherwise(self):
        for env in ({}, {"LANG": "C"}, {"LC_ALL": "C.UTF-8"}, {"LC_ALL": "en_GB.UTF-8"}, {"LC_ALL": "xx_YY"}):
            self.assertIn("Commands:", relais("help", env=env).out, env)

    def test_mistakes_and_errors(self):
        done = relais("statsu", env=FRENCH)
        self.assertEqual(done.code, USAGE)
        self.assertIn("Vouliez-vous dire status", done.err)
        done = relais("status", env=FRENCH, conf="/nonexistent")
        self.assertIn("la configuration ne peut pas être ouverte", done.err)

    def test_every_text_of_the_sources_is_translated(self):
        with tempfile.TemporaryDirectory() as directory:
            template = os.path.join(directory, "relais.pot")
            subprocess.run(["sh", os.path.join(ROOT, "plugin", "po", "update.sh"), "--template", template],
                           check=True, timeout=120)
            done = subprocess.run(["msgcmp", os.path.join(ROOT, "plugin", "po", "fr.po"), template],
                                  capture_output=True, text=True, timeout=120, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            done = subprocess.run(["msgfmt", "--check", "--statistics", "-o", "/dev/null",
                                   os.path.join(ROOT, "plugin", "po", "fr.po")],
                                  capture_output=True, text=True, timeout=120, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertNotRegex(done.stderr, "fuzzy|untranslated")


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

    def test_a_database_that_is_away(self):
        conf = self.write_conf("away.conf", "host=/nonexistent dbname=x")
        done = self.expect(LATER, "plan", conf=conf)
        self.assertEqual(done.out, "")
        self.assertIn("cannot be reached", done.err)


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
        conf = self.write_conf("explain.conf", database.conninfo(self.database) +
                               " options='-csession_preload_libraries=auto_explain"
                               " -cauto_explain.log_min_duration=0'")
        found = json.loads(self.expect(OK, "status", "--json", conf=conf).out)
        self.assertEqual([form["received"] for form in found["ledger"]["forms"]], [30010, 30000])
        with open(log, encoding="utf-8") as file:
            file.seek(offset)
            plans = file.read()
        self.assertIn("submission_open", plans)
        self.assertIn("submission_delivered", plans)
        self.assertNotIn("Seq Scan on submission", plans)


# ---- quarantine --------------------------------------------------------------------------------------


MULTIPART = (b'--B\r\nContent-Disposition: form-data; name="xml_submission_file"; filename="x.xml"\r\n'
             b"Content-Type: text/xml\r\n\r\n<data><name>geheim</name></data>\r\n"
             b'--B\r\nContent-Disposition: form-data; name="photo.jpg"; filename="photo.jpg"\r\n'
             b"Content-Type: image/jpeg\r\n\r\n\xff\xd8\x00\x01\r\n--B--\r\n")
TYPE = "multipart/form-data; boundary=B"


class Quarantine(Site):
    def setUp(self):
        super().setUp()
        self.names = [self.quarantined(parcel_name(1), "data", MULTIPART, content_type=TYPE),
                      self.quarantined(parcel_name(2), "data", form="f2"),
                      self.quarantined(parcel_name(3), "unknown-form", form="f2")]

    def left(self):
        return [item["name"] for item in json.loads(self.expect(OK, "quarantine", "list", "--json").out)]

    def test_list(self):
        out = self.expect(OK, "quarantine", "list").out
        self.assertEqual([line.split()[0] for line in out.splitlines()], ["NAME", *self.names])
        self.assertIn("tip.identification.age", out)
        self.assertEqual(self.left(), self.names)
        self.assertNotIn(self.names[0], self.expect(OK, "quarantine", "list", "--form", "f2").out)
        self.assertIn("NOM", self.expect(OK, "quarantine", "list", env=FRENCH).out)

    def test_show_tells_everything_but_answers(self):
        out = self.expect(OK, "quarantine", "show", "20260302T101501").out
        for expected in ("Class: data", "Answer: /data/age", "Column: tip.identification.age", "Form: f1",
                         "Instance: uuid:1", "an answer does not fit"):
            self.assertIn(expected, out)
        self.assertRegex(out, r"(?m)^ +32  xml_submission_file  text/xml$")
        self.assertRegex(out, r"(?m)^ +4  photo.jpg  image/jpeg$")
        self.assertNotIn("geheim", out)

    def test_show_in_french(self):
        reason = os.path.join(self.spool, "quarantine", self.names[2] + ".reason")
        text = read(reason).replace("an answer does not fit", "no mapping knows this form; add one to the directory of"
                                    " mappings and replay")
        write(reason, text)
        out = self.expect(OK, "quarantine", "show", self.names[2], env=FRENCH).out
        self.assertIn("Raison: aucune correspondance ne connaît ce formulaire", out.replace(" :", ":"))

    def test_show_raw_is_the_body_byte_for_byte(self):
        self.assertEqual(self.expect(OK, "quarantine", "show", self.names[0], "--raw").bytes, MULTIPART)

    def test_show_of_a_cut_body_says_where_it_ends(self):
        name = self.quarantined(parcel_name(4), "syntax", MULTIPART[:150], content_type=TYPE)
        self.assertIn("then: ", self.expect(OK, "quarantine", "show", name).out)

    def test_show_of_a_damaged_parcel_still_has_its_reason(self):
        name = self.quarantined(parcel_name(4), "damaged")
        with open(os.path.join(self.spool, "quarantine", name), "ab") as file:
            file.write(b"x")
        self.assertIn("Class: damaged", self.expect(FAILED, "quarantine", "show", name).out)

    def test_controls_in_names_do_not_reach_the_terminal(self):
        body = MULTIPART.replace(b'name="photo.jpg"', b'name="a\x1b[31mb"')
        name = self.quarantined(parcel_name(4), "data", body, content_type=TYPE)
        self.assertNotIn("\x1b", self.expect(OK, "quarantine", "show", name).out)

    def test_replay_by_name_class_form_and_all(self):
        self.assertIn("1 parcel ", self.expect(OK, "quarantine", "replay", self.names[0][:20]).out)
        self.assertEqual((self.left(), self.new_parcels()), (self.names[1:], self.names[:1]))
        self.expect(OK, "quarantine", "replay", "--form", "f2", "--class", "data")
        self.assertEqual(self.left(), self.names[2:])
        self.assertIn("1 parcel ", self.expect(OK, "quarantine", "replay", "--all").out)
        self.assertEqual((self.left(), self.new_parcels()), ([], self.names))
        self.assertIn("empty", self.expect(OK, "quarantine", "list").out)

    def test_replay_of_several(self):
        self.assertIn("2 parcels ", self.expect(OK, "quarantine", "replay", *self.names[:2]).out)

    def test_an_ambiguous_or_unknown_name_moves_nothing(self):
        self.assertIn("3 parcels begin", self.expect(FAILED, "quarantine", "replay", "2026").err)
        self.assertIn("no parcel", self.expect(FAILED, "quarantine", "replay", self.names[0], "nothing").err)
        self.assertEqual((self.left(), self.new_parcels()), (self.names, []))

    def test_drop_needs_a_yes(self):
        self.expect(USAGE, "quarantine", "drop", self.names[0])
        self.expect(USAGE, "quarantine", "drop", "--all", "--yes")
        self.assertEqual(self.left(), self.names)
        self.expect(OK, "quarantine", "drop", self.names[0], "--yes")
        self.assertEqual((self.left(), self.new_parcels()), (self.names[1:], []))

    def test_without_a_spool(self):
        shutil.rmtree(self.spool)
        self.assertIn(self.spool, self.expect(LATER, "quarantine", "list").err)


# ---- check -----------------------------------------------------------------------------------------


FORM = """<?xml version="1.0"?>
<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml"
    xmlns:jr="http://openrosa.org/javarosa" xmlns:orx="http://openrosa.org/xforms">
 <h:head><h:title>T</h:title><model>
  <instance><data id="f1" version="1">
   <age/>
   <acts/>
   <orx:meta><orx:instanceID/></orx:meta>
  </data></instance>
  <instance id="acts" src="jr://file-csv/acts.csv"/>
  <bind nodeset="/data/age" type="int"/>
  <bind nodeset="/data/acts" type="string"/>
  <bind nodeset="/data/orx:meta/orx:instanceID" type="string" jr:preload="uid"/>
 </model></h:head>
 <h:body>
  <input ref="/data/age"><label>Age</label></input>
  <select ref="/data/acts"><label>Acts</label>
   <itemset nodeset="instance('acts')/root/item"><value ref="name"/><label ref="label"/></itemset>
  </select>
 </h:body>
</h:html>
"""

MAPPING = """<mapping xmlns="urn:relais:mapping:1" form="f1">
 <row table="tip.thing">
  <column name="sub_id" select="$submission"/>
  <column name="age" select="age"/>
 </row>
 <row table="tip.act" tokens="acts" replace="sub_id">
  <column name="sub_id" select="$submission"/>
  <column name="code" select="$token"/>
 </row>
</mapping>
"""

THINGS = """CREATE SCHEMA tip;
CREATE TABLE tip.thing (sub_id uuid PRIMARY KEY, age smallint);
CREATE TABLE tip.act (sub_id uuid REFERENCES tip.thing, code text, PRIMARY KEY (sub_id, code));
"""


class Check(Site):
    def setUp(self):
        super().setUp()
        self.form = os.path.join(self.forms, "f1.xml")
        self.mapping = os.path.join(self.mappings, "f1.xml")
        self.media = os.path.join(self.forms, "f1-media", "acts.csv")
        write(self.form, FORM)
        write(self.mapping, MAPPING)
        write(self.media, "name,label\nac_a,A\nac_b,B\n")

    def findings(self, code, *arguments, **options):
        return self.expect(code, "check", *arguments, **options).out

    def change(self, path, old, new):
        text = read(path)
        self.assertIn(old, text)
        write(path, text.replace(old, new))

    def test_what_is_right_is_silent(self):
        done = self.expect(OK, "check", "--no-database")
        self.assertEqual(done.out, "")
        self.assertIn("0 errors, 0 warnings in 2 files", done.err)

    def test_with_the_database(self):
        database.create(self.database)
        self.sql(THINGS)
        self.assertEqual(self.findings(OK), "")
        self.sql("ALTER TABLE tip.thing RENAME COLUMN age TO years;")
        self.assertRegex(self.findings(FAILED), rf"(?m)^{self.mapping}:4: error: .*age")

    def test_a_database_that_is_away_is_told_apart(self):
        conf = self.write_conf("away.conf", "host=/nonexistent dbname=x")
        done = self.expect(LATER, "check", conf=conf)
        self.assertEqual(done.out, "")
        self.assertIn("--no-database", done.err)
        self.change(self.mapping, 'select="age"', 'select="old"')
        self.expect(FAILED, "check", conf=conf)

    def test_a_path_that_the_form_has_not(self):
        self.change(self.mapping, 'select="age"', 'select="agee"')
        self.assertRegex(self.findings(FAILED, "--no-database"), rf"(?m)^{self.mapping}:4: error: .*agee")

    def test_a_form_without_mapping_and_a_mapping_without_form(self):
        os.remove(self.mapping)
        self.assertRegex(self.findings(OK, "--no-database"), rf"\A{self.form}: warning: ")
        write(self.mapping, MAPPING)
        os.remove(self.form)
        self.assertRegex(self.findings(FAILED, "--no-database"), rf'\A{self.mapping}: error: .*"f1"')

    def test_files_that_cannot_be_read(self):
        write(self.form, FORM.replace("</h:body>", ""))
        self.assertRegex(self.findings(FAILED, "--no-database"), rf"(?m)^{self.form}:\d+: error: ")
        write(self.form, FORM)
        self.change(self.mapping, "<column name", "<colum name")
        self.assertRegex(self.findings(FAILED, "--no-database"), rf"(?m)^{self.mapping}:\d+: error: ")

    def test_instance_id(self):
        bind = '<bind nodeset="/data/orx:meta/orx:instanceID" type="string" jr:preload="uid"/>'
        for old, new, expected in (
                ("<orx:instanceID/>", "<orx:timeStart/>", r":5: error: .*no meta/instanceID"),
                (bind, "", r":8: error: nothing fills instanceID"),
                ('jr:preload="uid"', "calculate=\"concat('uuid:', uuid())\"", r":13: error: .*every save"),
                ('jr:preload="uid"', "calculate=\"once(concat('uuid:', uuid()))\"", None)):
            with self.subTest(new):
                write(self.form, FORM.replace(old, new))
                out = self.findings(FAILED if expected else OK, "--no-database", self.form)
                if expected:
                    self.assertRegex(out, rf"(?m)^{self.form}{expected}")

    def test_two_questions_of_one_name(self):
        self.change(self.form, "<acts/>", "<acts/>\n<age/>")
        self.assertRegex(self.findings(FAILED, "--no-database", self.form),
                         rf'(?m)^{self.form}:8: error: "age" .*line 6')

    def test_a_template_is_no_second_question(self):
        write(self.form, FORM.replace("<age/>", '<age/><child jr:template=""><n/></child><child><n/></child>')
              .replace("</h:body>", '<group ref="/data/child"><repeat nodeset="/data/child">'
                                    '<input ref="/data/child/n"/></repeat></group></h:body>'))
        write(self.mapping, MAPPING.replace("</mapping>", '<ignore select="child" reason="test"/></mapping>'))
        self.assertNotIn("stands in this group already", self.expect(OK, "check", "--no-database", self.form).out)

    def test_choices_with_white_space(self):
        write(self.media, "name,label\nac_a,A\nac b,B\n")
        self.assertRegex(self.findings(FAILED, "--no-database", self.form), r'error: the choice "ac b" on line 3 of ')
        write(self.media, "name,label\nac_a,A\n")
        self.change(self.form, "<itemset", "<item><label>X</label><value>a b</value></item><itemset")
        self.assertRegex(self.findings(FAILED, "--no-database", self.form), r'error: the choice "a b" ')

    def test_choices_that_are_not_there(self):
        os.remove(self.media)
        self.assertRegex(self.findings(FAILED, "--no-database", self.form), r"error: .*f1-media/acts\.csv")

    def test_a_submission_address_of_its_own(self):
        self.change(self.form, "</model>", '<submission action="https://other.example/submission"/></model>')
        self.assertRegex(self.findings(OK, "--no-database", self.form), r":\d+: warning: .*submission address")

    def test_a_draft_takes_the_place_of_what_is_there(self):
        draft = os.path.join(self.dir, "draft.xml")
        write(draft, FORM.replace("age", "years"))
        os.makedirs(os.path.join(self.dir, "draft-media"))
        shutil.copy(self.media, os.path.join(self.dir, "draft-media", "acts.csv"))
        out = self.findings(FAILED, "--no-database", draft)
        self.assertRegex(out, rf"(?m)^{self.mapping}:4: error: ")
        self.assertEqual(self.findings(OK, "--no-database"), "")

    def test_a_file_that_is_neither(self):
        other = os.path.join(self.dir, "other.xml")
        write(other, "<x/>")
        self.assertIn("neither a form", self.expect(FAILED, "check", "--no-database", other).err)

    def test_two_forms_of_one_id(self):
        shutil.copy(self.form, os.path.join(self.forms, "f2.xml"))
        shutil.copytree(os.path.join(self.forms, "f1-media"), os.path.join(self.forms, "f2-media"))
        self.assertRegex(self.findings(FAILED, "--no-database"), r'f2\.xml: error: the form "f1" is in .*f1\.xml too')

    def test_in_french(self):
        os.remove(self.mapping)
        out = self.findings(OK, "--no-database", env=FRENCH)
        self.assertRegex(out, rf"\A{self.form}: warning: aucune correspondance")

    def test_the_national_forms(self):
        self.forms, self.mappings = os.path.join(ROOT, "xforms"), os.path.join(ROOT, "transforms")
        conf = self.write_conf("national.conf", "host=/nonexistent")
        done = self.expect(OK, "check", "--no-database", conf=conf)
        self.assertNotIn("error: ", done.out)


# ---- device ----------------------------------------------------------------------------------------


class Device(unittest.TestCase):
    URL = ["device", "sheet", "--url", "https://relais.example.bf/openrosa"]

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="relais-device-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.secret = os.path.join(self.dir, "secret")
        write(self.secret, "geheim\nsecond line\n")

    def settings(self, *arguments):
        done = relais(*self.URL, *arguments, "--text")
        self.assertEqual(done.code, OK, done.err)
        return json.loads(zlib.decompress(base64.b64decode(done.out.strip(), validate=True)))

    def test_the_text_is_what_collect_reads(self):
        found = self.settings("--name", "Équipe", "--user", "agent", "--password-file", self.secret)
        self.assertEqual(found["general"]["server_url"], "https://relais.example.bf/openrosa")
        self.assertEqual((found["general"]["username"], found["general"]["password"]), ("agent", "geheim"))
        self.assertEqual(found["general"]["form_update_mode"], "match_exactly")
        self.assertEqual(found["admin"], {})
        self.assertEqual(found["project"]["name"], "Équipe")

    def test_the_code_is_square_and_fits_a_usual_terminal(self):
        lines = relais(*self.URL).out.splitlines()
        self.assertEqual({len(line) for line in lines}, {len(lines[0])})
        self.assertLessEqual(len(lines[0]), 80)
        self.assertEqual(len(lines), (len(lines[0]) + 1) // 2)
        self.assertLessEqual(set("".join(lines)), set("█▀▄ "))

    def test_a_picture_for_its_owner(self):
        picture = os.path.join(self.dir, "code.png")
        self.assertEqual(relais(*self.URL, "--png", picture).code, OK)
        with open(picture, "rb") as file:
            self.assertEqual(file.read(8), b"\x89PNG\r\n\x1a\n")
        self.assertEqual(os.stat(picture).st_mode & 0o777, 0o600)

    def test_the_readable_settings_mask_the_password(self):
        out = relais(*self.URL, "--user", "agent", "--password-file", self.secret, "--json").out
        self.assertNotIn("geheim", out)
        self.assertEqual(json.loads(out)["general"]["password"], "********")

    def test_mistakes(self):
        empty = os.path.join(self.dir, "empty")
        write(empty, "\n")
        for code, arguments, expected in (
                (USAGE, ["--user", "agent"], "go together"),
                (USAGE, ["--text", "--json"], "exclude each other"),
                (USAGE, ["--url", "relais.example.bf"], "https://"),
                (USAGE, ["--url", "https://a:b@relais.example.bf"], "--password-file"),
                (FAILED, ["--user", "agent", "--password-file", "/nonexistent"], "/nonexistent"),
                (FAILED, ["--user", "agent", "--password-file", empty], "first line")):
            done = relais(*self.URL, *arguments)
            self.assertEqual((done.code, done.out), (code, ""), arguments)
            self.assertIn(expected, done.err)

    def test_a_password_over_plain_http_is_a_warning(self):
        done = relais("device", "sheet", "--url", "http://relais.example.bf", "--user", "a", "--password-file",
                      self.secret, "--text")
        self.assertEqual(done.code, OK)
        self.assertIn("only over https", done.err)


if __name__ == "__main__":
    unittest.main()
