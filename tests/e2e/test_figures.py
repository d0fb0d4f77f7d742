"""The figures: every line of every view against a truth that was counted without SQL.

A population of more than 5,000 people, recorded more than 8,000 times (tests/cases/national/population.py),
is written into a database made by the migrations; truth.py counts it in Python; the programs of
tests/cases/sql/stat compare, line by line. Programs called hand_* run in a database of their own, on cases
made by hand. The published tables are attacked as a reader would.

Other people's submissions (nation.py) come by the real mappings and the forwarder's own login, and the
same programs compare the same views with what told.py reads in those submissions.
"""
import datetime
import hashlib
import os
import random
import shutil
import subprocess
import tempfile
import time
import unittest
import uuid

import figures
import test_schema as schema
import told
from figures import SETTINGS, database, table, truth
from keys import Keys
from spools import make_spool

import nation  # noqa: E402
import population  # noqa: E402
import population_rows  # noqa: E402
import protection  # noqa: E402

SEED = os.environ.get("RELAIS_SEED", "figures")
SENT_PEOPLE = 5800 if os.environ.get("RELAIS_TEST_LONG") else 900


def today():
    return datetime.date.fromisoformat(database.psql("postgres", SETTINGS + "SELECT current_date;"))


def setUpModule():
    schema.setUpModule()
    made = population.Population(SEED)
    schema.copy("population")
    database.psql("population", SETTINGS + population_rows.script(made))
    facts = truth.people(made)
    Population.made, Population.facts = made, facts
    figures.load("population", truth.lines(made, facts, list(population_rows.inhabitants()), today()))


def add_programs(case, paths, name_of):
    for path in paths:
        name = os.path.splitext(os.path.basename(path))[0]
        setattr(case, f"test_{name}", lambda self, path=path: figures.run_program(self, name_of(path), path))


class Programs(unittest.TestCase):
    """One test for each pgTAP program."""

    @staticmethod
    def database_of(path):
        if not figures.is_by_hand(path):
            return "population"
        return schema.copy("t_" + os.path.splitext(os.path.basename(path))[0])


add_programs(Programs, figures.programs(), Programs.database_of)


class EveryView(unittest.TestCase):
    # What other views are made of, and what Published compares by itself.
    OTHERS = {"place_area", "recording", "episode", "care", "public_cell", "public_table", "ministry_table"}

    def test_has_its_truth(self):
        views = {row["viewname"] for row in table("population", "SELECT viewname FROM pg_views WHERE schemaname = 'stat'")}
        compared = {row["tablename"] for row in table("population", "SELECT tablename FROM pg_tables WHERE schemaname = 'truth'")}
        self.assertEqual(views - self.OTHERS, compared - {"tip_report"})
        text = "".join(schema.read(path) for path in figures.programs() if not figures.is_by_hand(path))
        for view in compared:
            self.assertIn(f"truth.{view}", text, "no program compares it")
            self.assertNotEqual(table("population", f"SELECT * FROM truth.{view} LIMIT 1"), [], f"{view} compares nothing")


@unittest.skipUnless(schema.program(), "needs a build")
class Sent(unittest.TestCase):
    """The same views, of rows that the forwarder made of submissions of all four forms."""

    NAME = "sent"

    @classmethod
    def setUpClass(cls):
        schema.copy(cls.NAME)
        made = nation.Nation(SEED, SENT_PEOPLE)
        cls.submissions = [(one.form, one.record, one.instance, one.xml, cls.received(one, n)) for n, one in enumerate(made.sent)]
        cls.forward()
        cls.told = told.Told(cls.submissions)
        cls.put_roots_first()
        cls.facts = truth.people(cls.told)
        inhabitants = list(population_rows.inhabitants())
        database.psql(cls.NAME, population_rows.copy("ref.population", "year, sex, age_group, persons, source", inhabitants) + "ANALYZE;")
        figures.load(cls.NAME, truth.lines(cls.told, cls.facts, inhabitants, today()))

    @staticmethod
    def received(one, n):
        """In the order of arrival, no two at once."""
        return datetime.datetime.combine(one.arrival[0], datetime.time(6)) + datetime.timedelta(seconds=n)

    @classmethod
    def forward(cls):
        directory = tempfile.mkdtemp(prefix="relais-figures-")
        cls.addClassCleanup(shutil.rmtree, directory)
        spool, conf, keys = os.path.join(directory, "spool"), os.path.join(directory, "relais.conf"), Keys(directory).make()
        make_spool(spool)
        for n, one in enumerate(cls.submissions):
            cls.put(spool, n, *one)
        with open(conf, "w", encoding="utf-8") as file:
            file.write(f"[spool]\ndirectory = {spool}\n[store]\nconninfo = {database.conninfo(cls.NAME, 't_forwarder')}\n"
                       f"[mappings]\ndirectory = {schema.TRANSFORMS}\n[forms]\ndirectory = {schema.ROOT}/xforms\n{keys.settings}")
        done = subprocess.run([schema.program(), "--config", conf, "forward", "--once"], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=600, check=False)
        if done.returncode != 0 or os.listdir(os.path.join(spool, "quarantine")):
            raise AssertionError(f"{os.listdir(os.path.join(spool, 'quarantine'))}\n{done.stderr}")

    @staticmethod
    def put(spool, n, form, _record, instance, xml, received):
        head = (f"relais-parcel: 1\nreceived: {received:%Y-%m-%dT%H:%M:%S}.000Z\nsource: serve\nform: {form}\nversion: \n"
                f"instance: {instance}\nuser: \ndevice: \ncontent-type: text/xml\nlength: {len(xml)}\n"
                f"sha256: {hashlib.sha256(xml).hexdigest()}\n\n")
        path = os.path.join(spool, f"{n % 16:02x}", "new", f"{received:%Y%m%dT%H%M%S}.{n % 1_000_000:06d}Z-{uuid.uuid4().hex}.parcel")
        with open(path, "wb") as file:
            file.write(head.encode() + xml)

    @classmethod
    def put_roots_first(cls):
        """Of people joined by a document the row that stays depends on what arrived first; all else does not."""
        roots = {row["victim_id"] for row in table(cls.NAME, "SELECT victim_id FROM tip.victim WHERE merged_into IS NULL")}
        for person in cls.told.people:
            person.victims.sort(key=lambda victim: str(victim.id) not in roots)

    def test_people_are_those_that_cards_and_documents_say(self):
        rows = table(self.NAME, "SELECT string_agg(v.victim_id::text, ' ' ORDER BY v.victim_id) AS ids FROM tip.victim v WHERE EXISTS (SELECT FROM"
                     " tip.identification i WHERE i.victim_id = v.victim_id AND i.consent_basis <> 'co_none')"
                     " GROUP BY coalesce(v.merged_into, v.victim_id)")
        self.assertEqual(sorted(row["ids"] for row in rows),
                         sorted(" ".join(sorted(str(victim.id) for victim in person.victims)) for person in self.told.people))

    def test_all_is_there_that_could_be_counted_wrongly(self):
        traps = {
            "two cards, one document": [p for p in self.told.people if len(p.victims) > 1], "open pair": self.told.pairs,
            "help": [h for p in self.told.people for h in p.help], "visit": [v for p in self.told.people for v in p.visits],
            "refusal": self.told.refusals, "counted out": len(self.told.people) > len(self.facts),
            "convicted": [c for case in self.told.cases for c in case.charges if truth.is_convicted(c)],
            "acquitted": [c for case in self.told.cases for c in case.charges if c.stage == "sg_acq"],
            "nil report": [r for r in self.told.reports if r[2] == 0], "several recordings": [f for f in self.facts if f.records > 1]}
        self.assertEqual([name for name, found in traps.items() if not found], [])


add_programs(Sent, [path for path in figures.programs() if not figures.is_by_hand(path)], lambda path: Sent.NAME)


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
            given_away = protection.gives_away(root)
            self.assertEqual([key for key, node in nodes.items() if node in given_away], [], year)
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
