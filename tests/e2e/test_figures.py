"""The figures: every line of every view against a truth that was counted without SQL.

A population of more than 5,000 people, recorded more than 8,000 times (tests/cases/national/population.py),
is written into a database made by the migrations; truth.py counts it in Python; the programs of
tests/cases/sql/stat compare, line by line. Programs called hand_* run in a database of their own, on cases
made by hand. The published tables are attacked as a reader would.
"""
import csv
import datetime
import glob
import io
import os
import pathlib
import random
import re
import sys
import tempfile
import time
import unittest

import test_schema as schema

ROOT = pathlib.Path(schema.ROOT)
sys.path.insert(0, str(ROOT / "tests" / "cases" / "national"))
import population  # noqa: E402
import population_rows  # noqa: E402
import protection  # noqa: E402
import truth  # noqa: E402

CASES = ROOT / "tests" / "cases" / "sql" / "stat"
SEED = os.environ.get("RELAIS_SEED", "figures")
SETTINGS = "SET client_min_messages = warning;\nSET timezone = 'UTC';\nSET jit = off;\n"
database = schema.database


def setUpModule():
    schema.setUpModule()
    made = population.Population(SEED)
    schema.copy("population")
    database.psql("population", SETTINGS + population_rows.script(made))
    today = datetime.date.fromisoformat(database.psql("population", SETTINGS + "SELECT current_date;"))
    facts = truth.people(made)
    Population.made, Population.facts = made, facts
    load(truth.lines(made, facts, list(population_rows.inhabitants()), today))


def load(lines):
    """The truth, beside each view a table of the same shape."""
    database.psql("population", SETTINGS + """CREATE SCHEMA truth;
        CREATE VIEW truth.report AS
        SELECT NULL::date AS period_from, NULL::date AS period_to, line, total, female, male, children, adults, nationals, foreigners
          FROM stat.tip_report(NULL, NULL);""")
    with tempfile.TemporaryDirectory() as directory:
        for view, rows in lines.items():
            source = "truth.report" if view == "tip_report" else f"stat.{view}"
            columns = database.psql("population", f"""{SETTINGS}CREATE TABLE truth.{view} AS SELECT * FROM {source} WITH NO DATA;
                SELECT attname FROM pg_attribute WHERE attrelid = 'truth.{view}'::regclass AND attnum > 0 ORDER BY attnum;""").split()
            path = os.path.join(directory, f"{view}.csv")
            truth.write(path, columns, rows)
            names = ", ".join(f'"{column}"' for column in columns)
            database.psql("population", f"\\copy truth.{view} ({names}) FROM '{path}' CSV\n")


def table(name, query):
    return list(csv.DictReader(io.StringIO(database.psql(name, f"{SETTINGS}COPY ({query}) TO STDOUT CSV HEADER;"))))


class Programs(unittest.TestCase):
    """One test for each pgTAP program."""

    def run_program(self, path):
        name = "population"
        if os.path.basename(path).startswith("hand_"):
            name = schema.copy("t_" + os.path.splitext(os.path.basename(path))[0])
        said = database.psql(name, "SET search_path = tap, public;\n" + SETTINGS + schema.read(path))
        planned = re.search(r"^1\.\.(\d+)$", said, re.MULTILINE)
        self.assertIsNotNone(planned, f"no plan in:\n{said}")
        results = [line for line in said.splitlines() if re.match(r"(not )?ok \d+", line)]
        failed = "\n".join(line for line in said.splitlines() if line.startswith(("not ok", "#")))
        self.assertFalse(any(line.startswith("not ok") for line in results), failed)
        self.assertEqual(len(results), int(planned.group(1)), failed)
        self.assertGreater(len(results), 0)


def add_programs():
    for path in sorted(glob.glob(str(CASES / "*.sql"))):
        name = os.path.splitext(os.path.basename(path))[0]
        setattr(Programs, f"test_{name}", lambda self, path=path: self.run_program(path))


add_programs()


class Population(unittest.TestCase):
    """The population is one that could show a wrong count."""

    def test_is_large(self):
        self.assertGreaterEqual(len(self.made.people), 5000)
        self.assertGreaterEqual(len(self.made.all_recordings()), 8000)

    def test_has_every_trap(self):
        people, facts = self.made.people, self.facts
        counted = {fact.person for fact in facts}
        traps = {
            "left out": [p for p in people if p.victims[0].id not in counted],
            "merged": [f for f in facts if len(f.thing.victims) > 1],
            "new episode": [f for f in facts if f.thing.card],
            "help of a new episode": [f for f in facts if f.thing.card and f.thing.help],
            "withdrawn": [p for p in people if p.withdrawn],
            "erased": [f for f in facts if f.thing.victims[0].erased],
            "chosen, not the best status": [f for f in facts if f.speaking.status != f.status],
            "chosen, says no": [f for f in facts if f.speaking.status == "vs_not"],
            "chosen before a merge": [f for f in facts if any(v.chosen is f.speaking for v in f.thing.victims[1:])],
            "another year than the speaking record": [f for f in facts if f.speaking.day.year != f.year],
            "another region": [f for f in facts if truth.area(f.speaking.place)[1] != f.region],
            "another way of being found": [f for f in facts if f.speaking.detection != f.detection],
            "status of another organisation": [f for f in facts if f.speaking.org not in {r.org for r in f.victim_records if r.status == f.status}],
            "contradicting sex": [f for f in facts if len({r.sex for r in f.victim_records}) > 1],
            "in 13 regions only": [f for f in facts if f.region != f.region_13],
            "unknown region": [f for f in facts if f.region is None], "unknown age": [f for f in facts if f.is_child is None],
            "unassessed": [r for p in people for r in p.recordings if not r.status], "refusal": self.made.refusals,
            "intended": [f for f in facts if f.realised is False], "no form": [f for f in facts if f.form is None],
            "merged suspect": [s for s in self.made.suspects if s.merged_into],
            "convicted under appeal": [c for case in self.made.cases for c in case.charges if c.stage == "sg_app" and truth.is_convicted(c)],
        }
        self.assertEqual([name for name, found in traps.items() if not found], [])


class Published(unittest.TestCase):
    """Masks hold against whoever subtracts."""

    COLUMNS = "year, level, region_13, region, sex, age_group, tip_class, victims"

    def shown(self, name, k):
        years = {}
        for row in table(name, f"SELECT {self.COLUMNS} FROM stat.protected_table({k})"):
            cell = (row["sex"], row["age_group"], row["tip_class"]) if row["level"] == "cell" else None
            years.setdefault(row["year"], {})[row["region_13"] or None, row["region"] or None, cell] = row["victims"]
        return years

    def check(self, name, k, cells_by_year):
        """What is published is exactly what may be; and it gives nothing away, read as a stranger reads it."""
        hidden_totals = 0
        shown = self.shown(name, k)
        self.assertEqual(set(shown), set(cells_by_year))
        for year, cells in cells_by_year.items():
            root = protection.tree(cells, k)
            protection.publish(root)
            nodes = protection.named(root, cells)
            self.assertEqual(shown[year], {key: node.text() for key, node in nodes.items()}, year)
            for key, node in nodes.items():
                node.shown = int(shown[year][key]) if shown[year][key].isdigit() else None
            self.assertEqual([key for key, node in nodes.items() if node in protection.gives_away(root)], [], year)
            hidden_totals += sum(node.text() == "…" and not node.is_secret() for node in nodes.values())
        return hidden_totals

    def cells(self):
        regions = {(one[2], one[1]) for place, one in truth.AREA.items() if place == one[1]} | {("unknown", "unknown")}
        years = {str(year): {(former, region, (sex, group, kind)): 0 for former, region in regions for sex in ("sx_f", "sx_m", "sx_unk")
                             for group in ("child", "adult", "unknown") for kind in ("SEX", "LAB", "OTH", "UNK")}
                 for year in {f.year for f in Population.facts}}
        for f in Population.facts:
            if f.status != "vs_risk":
                years[str(f.year)][f.region_13 or "unknown", f.region or "unknown",
                                   (f.sex or "sx_unk", f.age_group or "unknown", f.tip_class)] += 1
        return years

    def test_population(self):
        for view, k in (("public_table", 11), ("ministry_table", 5)):
            self.check("population", k, self.cells())
            self.assertEqual(table("population", f"TABLE stat.{view}"), table("population", f"SELECT * FROM stat.protected_table({k})"))

    def test_tables_made_to_be_undone(self):
        """Few cells, of numbers near the limits, where a total would undo a mask."""
        dice = random.Random(f"{SEED} tables")
        years = {}
        for year in range(1, 201):
            cells = years[str(year)] = {}
            for former in range(dice.randint(1, 3)):
                for region in range(dice.randint(1, 3)):
                    for cell in range(dice.randint(1, 4)):
                        cells[f"f{former}", f"f{former}r{region}", ("sx_f", "child", f"c{cell}")] = dice.choice((0, 1, 2, 4, 5, 9, 10, 11, 14, 15, 19, 30))
        schema.copy("tables")
        rows = "".join(f"{year},{former},{region},{','.join(cell)},{number}\n" for year, cells in years.items()
                       for (former, region, cell), number in cells.items())
        database.psql("tables", f"""{SETTINGS}CREATE TABLE test.cell (LIKE stat.public_cell);
COPY test.cell FROM STDIN CSV;\n{rows}\\.
ALTER TABLE test.cell OWNER TO t_owner;
CREATE OR REPLACE VIEW stat.public_cell AS SELECT * FROM test.cell;""")
        for k in (5, 11):
            self.assertGreater(self.check("tables", k, years), 0, "no total was held back: the tables are too easy")

    def test_no_smaller_limit(self):
        self.assertEqual(table("population", "SELECT * FROM stat.protected_table(4)"), [])

    def test_a_number_alone(self):
        self.assertEqual(table("population", "SELECT stat.safe(n) AS n FROM unnest('{0,1,10,11,14,15}'::bigint[]) n"),
                         [{"n": n} for n in ("<11", "<11", "<11", "10", "10", "15")])


class Speed(unittest.TestCase):
    """A hundred thousand recordings are counted in seconds: nothing is quadratic in them."""

    SECONDS = 30      # five on a machine with nothing else to do; a quadratic plan takes hours

    # Each person a dozen times, without the checks of what is already known to be right.
    COPIES = """SET session_replication_role = replica;
        CREATE FUNCTION test.nth(id uuid, n integer) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT md5(id::text || n)::uuid $$;
        INSERT INTO tip.victim (victim_id, merged_into, primary_ident)
        SELECT test.nth(victim_id, n), test.nth(merged_into, n), test.nth(primary_ident, n) FROM tip.victim, generate_series(1, 11) n;
        INSERT INTO tip.identification (identification_id, sub_id, victim_id, national_code, org_code, agent_code, event_date, reported_at,
               place_code, detection, consent_basis, share_stats, status, status_org, status_date, sex, age, citizenship)
        SELECT test.nth(identification_id, n), sub_id, test.nth(victim_id, n), national_code, org_code, agent_code, event_date, reported_at,
               place_code, detection, consent_basis, share_stats, status, status_org, status_date, sex, age, citizenship
          FROM tip.identification, generate_series(1, 11) n;
        INSERT INTO tip.identification_item SELECT test.nth(identification_id, n), code FROM tip.identification_item, generate_series(1, 11) n;
        INSERT INTO tip.exploitation SELECT test.nth(identification_id, n), seq, form, realised, main, country, place_code
          FROM tip.exploitation, generate_series(1, 11) n;
        INSERT INTO tip.route_leg (identification_id, seq, kind, country) SELECT test.nth(identification_id, n), seq, kind, country
          FROM tip.route_leg, generate_series(1, 11) n;
        SET session_replication_role = origin;
        ANALYZE;
        SELECT count(*) FROM tip.identification;"""

    def test_hundred_thousand(self):
        database.psql("postgres", "CREATE DATABASE large TEMPLATE population OWNER t_owner;")
        self.assertGreater(int(database.psql("large", SETTINGS + self.COPIES)), 100_000)
        small = {row["line"]: int(row["total"]) for row in table("population", "SELECT line, total FROM stat.tip_report(NULL, NULL)")}
        begun = time.monotonic()
        large = {row["line"]: int(row["total"]) for row in table("large", "SELECT line, total FROM stat.tip_report(NULL, NULL)")}
        self.assertLess(time.monotonic() - begun, self.SECONDS)
        for line in ("V1", "V2"):     # what ties of dates, which go by identifiers, do not decide
            self.assertEqual(large[line], 12 * small[line], line)
        for view in ("interceptions", "corridor", "linkage", "actor_overlap", "answer_share", "public_table"):
            with self.subTest(view=view):
                database.psql("large", f"{SETTINGS}SET statement_timeout = '{self.SECONDS}s'; SELECT count(*) FROM (SELECT * FROM stat.{view} OFFSET 0) v;")


if __name__ == "__main__":
    unittest.main()
