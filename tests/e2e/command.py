"""What the tests of the command `relais` share: running it, and a site with directories, a
configuration, parcels and a database of its own.
"""
import hashlib
import os
import shutil
import subprocess
import tempfile
import unittest

from database import LEDGER, Database
from spools import make_spool

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OK, FAILED, USAGE, LATER = 0, 1, 2, 3

ENGLISH = {"LC_ALL": "C.UTF-8"}
FRENCH = {"LC_ALL": "C.UTF-8", "LANGUAGE": "fr"}

# One cluster for the tests of a program, started by the first that needs it.
database = Database()


def start_database():
    database.start()
    database.psql("postgres", "CREATE ROLE reader LOGIN;")


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
        make_spool(self.spool)
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
        path, whole = os.path.join(self.spool, place, name), os.path.join(self.dir, name)
        with open(whole, "wb") as file:
            file.write(text.encode() + b"\n" + body)
        os.rename(whole, path)  # as the web server does: a forwarder that watches never sees half of one
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

    def ledger(self):
        """Its migrations, among those of the mappings."""
        for name, text in LEDGER.items():
            self.schema(name, text)

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
