"""The national schema: constraints, linking, access and the log of accesses.

Each tests/cases/sql/NAME.sql is a pgTAP program that runs in a copy of a database made as an
administrator makes it: roles by a superuser, then transforms/schema by an owner without any
other right, through `relais plan` when there is a build to test.
"""
import csv
import glob
import os
import re
import subprocess
import tempfile
import unittest

from database import Database

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

if __name__ == "__main__":
    unittest.main()
