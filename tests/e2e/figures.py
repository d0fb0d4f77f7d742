"""What the tests of the figures share: the truth beside each view, and the programs that compare."""
import csv
import glob
import io
import os
import pathlib
import re
import sys
import tempfile

import test_schema as schema

ROOT = pathlib.Path(schema.ROOT)
sys.path.insert(0, str(ROOT / "tests" / "cases" / "national"))
import truth  # noqa: E402

CASES = ROOT / "tests" / "cases" / "sql" / "stat"
SETTINGS = "SET client_min_messages = warning;\nSET timezone = 'UTC';\nSET jit = off;\n"
database = schema.database


def load(name, lines):
    """The truth, beside each view a table of the same shape."""
    database.psql(name, SETTINGS + """CREATE SCHEMA truth;
        CREATE VIEW truth.report AS
        SELECT NULL::date AS period_from, NULL::date AS period_to, line, total, female, male, children, adults, nationals, foreigners
          FROM stat.tip_report(NULL, NULL);""")
    with tempfile.TemporaryDirectory() as directory:
        for view, rows in lines.items():
            source = "truth.report" if view == "tip_report" else f"stat.{view}"
            columns = database.psql(name, f"""{SETTINGS}CREATE TABLE truth.{view} AS SELECT * FROM {source} WITH NO DATA;
                SELECT attname FROM pg_attribute WHERE attrelid = 'truth.{view}'::regclass AND attnum > 0 ORDER BY attnum;""").split()
            path = os.path.join(directory, f"{view}.csv")
            truth.write(path, columns, rows)
            names = ", ".join(f'"{column}"' for column in columns)
            database.psql(name, f"\\copy truth.{view} ({names}) FROM '{path}' CSV\n")


def table(name, query):
    return list(csv.DictReader(io.StringIO(database.psql(name, f"{SETTINGS}COPY ({query}) TO STDOUT CSV HEADER;"))))


def programs():
    return sorted(glob.glob(str(CASES / "*.sql")))


def is_by_hand(path):
    return os.path.basename(path).startswith("hand_")


def run_program(test, name, path):
    said = database.psql(name, "SET search_path = tap, public;\n" + SETTINGS + schema.read(path))
    planned = re.search(r"^1\.\.(\d+)$", said, re.MULTILINE)
    test.assertIsNotNone(planned, f"no plan in:\n{said}")
    results = [line for line in said.splitlines() if re.match(r"(not )?ok \d+", line)]
    failed = "\n".join(line for line in said.splitlines() if line.startswith(("not ok", "#")))
    test.assertFalse(any(line.startswith("not ok") for line in results), failed)
    test.assertEqual(len(results), int(planned.group(1)), failed)
    test.assertGreater(len(results), 0)
