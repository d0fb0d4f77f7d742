"""The national schema and the mapping of bf_tip_ident, on a real PostgreSQL: what the tables
refuse, and which rows a submission becomes, above all where less must be kept than was said.
No web server: parcels are put into a spool and `relais forward --once` delivers them.
"""
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(ROOT / "tests" / "cases" / "national"))
import form_rules  # noqa: E402
import generate  # noqa: E402
from database import Database  # noqa: E402
from keys import Keys  # noqa: E402
from spools import make_spool  # noqa: E402

NAME = "national"
SAMPLES = ROOT / "xforms" / "samples"
SUBMISSION = "00000000-0000-4000-8000-00000000000a"
CARD = generate.card_from(10000, 10000)
OTHER = CARD[:11] + str((int(CARD[11]) + 1) % 10)  # one digit wrong

database = Database()
directory = tempfile.mkdtemp(prefix="relais-national-")
spool = pathlib.Path(directory, "spool")
conf = pathlib.Path(directory, "relais.conf")
KEYS = Keys(directory)


def program():
    if "RELAIS_BIN" in os.environ:
        return os.path.join(os.environ["RELAIS_BIN"], "relais")
    return os.path.join(os.environ["RELAIS_BUILD"], "bin", "relais")


def relais(*arguments):
    return subprocess.run([program(), "--config", str(conf), *arguments], stdin=subprocess.DEVNULL, cwd="/",
                          capture_output=True, text=True, timeout=120, check=False,
                          env={**os.environ, "LC_ALL": "C.UTF-8"})


def setUpModule():
    unittest.addModuleCleanup(shutil.rmtree, directory, ignore_errors=True)
    unittest.addModuleCleanup(database.remove)
    database.start()
    database.create(NAME)
    make_spool(spool)
    KEYS.make()
    conf.write_text(f"[spool]\ndirectory = {spool}\n[store]\nconninfo = {database.conninfo(NAME)}\n"
                    f"[mappings]\ndirectory = {ROOT}/transforms\n[forms]\ndirectory = {ROOT}/xforms\n{KEYS.settings}")
    planned = relais("plan")
    if planned.returncode != 0:
        raise AssertionError(planned.stderr)
    database.psql(NAME, planned.stdout)


def query(sql):
    """The rows of a SELECT, as dictionaries."""
    out = database.psql(NAME, f"SELECT coalesce(json_agg(q), '[]') FROM ({sql}) AS q")
    return json.loads(out)


def values(sql):
    return [next(iter(row.values())) for row in query(sql)]


def put(xml):
    """Leaves a submission in the spool as the web server does."""
    instance = re.search(rb"instanceID>([^<]*)<", xml).group(1).decode()
    head = (f"relais-parcel: 1\nreceived: 2026-11-20T10:15:04.123Z\nsource: serve\nform: bf_tip_ident\n"
            f"version: {generate.VERSION}\ninstance: {instance}\nuser: \ndevice: \ncontent-type: text/xml\n"
            f"length: {len(xml)}\nsha256: {hashlib.sha256(xml).hexdigest()}\n\n")
    name = f"20261120T101504.{put.count:06d}Z-{uuid.uuid4().hex}.parcel"
    put.count += 1
    (spool / "00" / "new" / name).write_bytes(head.encode() + xml)
    return instance


put.count = 0


def forward():
    done = relais("forward", "--once")
    if done.returncode != 0:
        raise AssertionError(done.stderr)


def sample(name):
    """The sample of that situation, with an instanceID and a card of its own."""
    xml = (SAMPLES / f"bf_tip_ident-{name}.xml").read_text()
    return re.sub(r"uuid:[0-9a-f-]{36}", f"uuid:{uuid.uuid4()}", xml, count=1)


def recording(instance):
    return query("SELECT i.* FROM tip.identification i JOIN relais.submission s USING (sub_id)"
                 f" WHERE s.instance_id = '{instance}'")


def children(table, instance, columns, order):
    return [tuple(row.values()) for row in query(
        f"SELECT {columns} FROM tip.{table} WHERE identification_id IN (SELECT identification_id"
        f" FROM tip.identification JOIN relais.submission USING (sub_id) WHERE instance_id = '{instance}')"
        f" ORDER BY {order}")]


class Schema(unittest.TestCase):
    def test_the_plan_leaves_nothing_to_apply(self):
        done = relais("plan")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([line for line in done.stdout.splitlines() if line and not line.startswith("--")], [])

    def test_form_mapping_and_tables_agree(self):
        done = relais("check")
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)

    def test_every_table_and_column_is_explained(self):
        self.assertEqual(values(
            "SELECT c.relname || coalesce('.' || a.attname, '') FROM pg_class c"
            " JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname IN ('ref', 'tip') AND c.relkind = 'r'"
            " LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
            " WHERE obj_description(c.oid, 'pg_class') IS NULL OR col_description(c.oid, a.attnum) IS NULL"), [])

    def test_every_constraint_has_a_name_that_says_what_it_asks(self):
        names = values("SELECT c.conname FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace"
                       " WHERE n.nspname IN ('ref', 'tip')")
        self.assertGreater(len(names), 60)
        for name in names:
            self.assertNotRegex(name, r"_(check|fkey|key)\d*$")
            self.assertLess(len(name), 63, f"PostgreSQL has cut {name}")

    def test_every_reference_between_people_and_facts_has_an_index(self):
        self.assertEqual(values(
            "SELECT c.conrelid::regclass || ': ' || c.conname FROM pg_constraint c"
            " JOIN pg_namespace n ON n.oid = c.connamespace AND n.nspname = 'tip'"
            " WHERE c.contype = 'f' AND c.confrelid NOT IN (SELECT oid FROM pg_class"
            "   WHERE relnamespace = 'ref'::regnamespace)"
            " AND NOT EXISTS (SELECT FROM pg_index x WHERE x.indrelid = c.conrelid AND x.indkey[0] = c.conkey[1])"), [])

    def test_reference_data_are_those_of_the_files(self):
        for name, part in (("code", ""), ("code_map", ""), ("country", ""), ("organisation", ""),
                           ("place", "WHERE level <> 'commune'")):
            self.assertEqual(values(f"SELECT count(*) FROM ref.{name} {part}"), [len(generate.table(name))], name)
        levels = query("SELECT level, count(*) FROM ref.place WHERE level <> 'commune' GROUP BY level")
        self.assertEqual({row["level"]: row["count"] for row in levels}, {"country": 1, "region": 17, "province": 47})
        self.assertEqual(values("SELECT count(DISTINCT coalesce(parent_before_2025, parent)) FROM ref.place"
                                " WHERE level = 'province'"), [13], "the series of before 2025")


class Refusals(unittest.TestCase):
    """What the tables themselves do not let in, whoever writes."""

    ROW = {"identification_id": "gen_random_uuid()", "sub_id": f"'{SUBMISSION}'", "victim_id": f"'{SUBMISSION}'",
           "national_code": f"'{CARD}'", "org_code": "'SOC-HOU'", "agent_code": "'A1'",
           "event_date": "'2026-03-01'", "reported_at": "now()", "place_code": "'BF-HOU'", "detection": "'dt_road'",
           "consent_basis": "'co_guar'"}

    def error(self, **columns):
        row = self.ROW | columns
        return self.run_insert(f"INSERT INTO tip.identification ({', '.join(row)}) VALUES ({', '.join(row.values())});")

    def run_insert(self, statement):
        script = (
            "BEGIN; INSERT INTO relais.submission (sub_id, form_id, instance_id, xml_sha256, record_id, state,"
            f" received_at, source) VALUES ('{SUBMISSION}', 'f', 'i', sha256(''), 'i', 'delivered', now(), 'serve');"
            f"INSERT INTO tip.victim (victim_id, national_code) VALUES ('{SUBMISSION}', '{CARD}');"
            f"{statement} ROLLBACK;")
        with self.assertRaises(AssertionError) as caught:
            database.psql(NAME, script)
            raise AssertionError("accepted")
        return str(caught.exception)

    def test_the_row_itself_is_good(self):
        self.assertIn("accepted", self.error())

    def test_each_rule_has_its_name_in_the_message(self):
        for constraint, columns in {
                "identification_only_adults_consent_alone": {"consent_basis": "'co_self'", "age": "17"},
                "identification_refusal_says_nothing_of_the_person": {"consent_basis": "'co_none'", "sex": "'sx_f'"},
                "identification_status_has_organisation_and_date": {"status": "'vs_conf'"},
                "identification_minor_seen_only_without_age": {"age": "30", "minor_seen": "false"},
                "identification_sex_list_sx": {"sex": "'dt_road'"},
                "identification_sex_known": {"sex": "'sx_new'"},
                "identification_age_0_to_110": {"age": "111"},
                "identification_org_code_known": {"org_code": "'NOBODY'"},
                "identification_place_code_known": {"place_code": "'BF-NOWHERE'"},
                "identification_sub_id_known": {"sub_id": "gen_random_uuid()"},
                "identification_victim_id_known": {"victim_id": "gen_random_uuid()"},
                "identification_national_code_check_digits": {"national_code": f"'{OTHER}'"},
                "identification_national_code_twelve_digits": {"national_code": "'12'"}}.items():
            with self.subTest(constraint=constraint):
                self.assertIn(f'"{constraint}"', self.error(**columns))

    def test_a_card_code_has_one_writing(self):
        """01 is 98 modulo 97: the same ten digits would have two codes."""
        digits = next(n for n in range(1000010000, 1000020000) if 98 - n * 100 % 97 == 98)
        message = self.run_insert(f"INSERT INTO tip.victim VALUES (gen_random_uuid(), '{digits}01');")
        self.assertIn("victim_national_code_check_digits", message)

    def test_a_second_main_form_is_refused(self):
        row = ", ".join(self.ROW.values()).replace("gen_random_uuid()", f"'{SUBMISSION}'", 1)
        message = self.run_insert(
            f"INSERT INTO tip.identification ({', '.join(self.ROW)}) VALUES ({row});"
            "INSERT INTO tip.exploitation (identification_id, seq, form, realised, main) VALUES"
            f" ('{SUBMISSION}', 1, 'ex_oth', true, true), ('{SUBMISSION}', 2, 'ex_unk', true, true);")
        self.assertIn("exploitation_one_main_form", message)


class Rows(unittest.TestCase):
    def deliver(self, *documents):
        instances = [put(xml.encode()) for xml in documents]
        forward()
        self.assertEqual(list((spool / "quarantine").iterdir()), [], "a submission is in quarantine")
        return instances if len(instances) > 1 else instances[0]

    def one(self, instance):
        rows = recording(instance)
        self.assertEqual(len(rows), 1)
        return rows[0]

    def test_every_sample_arrives_and_no_answer_is_left_over(self):
        documents = [sample(file.stem.removeprefix("bf_tip_ident-")) for file in SAMPLES.glob("bf_tip_ident-*.xml")]
        instances = self.deliver(*documents)
        for instance in instances:
            self.one(instance)
        self.assertEqual(query("SELECT instance_id, state, unmapped FROM relais.submission WHERE instance_id IN"
                               f" {tuple(instances)} AND (state <> 'delivered' OR cardinality(unmapped) > 0)"), [])

    def test_a_refusal_says_nothing_of_the_person(self):
        card = generate.card_from(24680, 13579)
        xml = sample("refusal").replace("<has_card>no</has_card>", f"<has_card>yes</has_card><scan>{card}</scan>")
        xml = xml.replace("<write />", "").replace("<code />", "<code>G-1</code><size>4</size>")
        row = self.one(self.deliver(xml))
        said = {name for name, value in row.items() if value not in (None, False)}
        self.assertEqual(said, {"identification_id", "sub_id", "victim_id", "national_code", "org_code", "agent_code",
                                "event_date", "reported_at", "place_code", "detection", "consent_basis"})
        self.assertNotEqual(row["national_code"], card, "the row would lead to the person's card")

    def test_an_edit_that_withdraws_everything_clears_everything(self):
        before = sample("several")
        first = self.deliver(before)
        row = self.one(first)
        self.assertEqual(len(children("route_leg", first, "seq", "seq")), 7)
        refusal = re.sub(r"<(share_\w+)>[^<]*</\1>", "", before).replace("co_guar", "co_none")
        refusal = re.sub(r"</consent>.*<orx:meta>", "<stop /></consent><orx:meta>", refusal)
        second = f"uuid:{uuid.uuid4()}"
        refusal = refusal.replace(f"{first}</orx:instanceID>", f"{second}</orx:instanceID>").replace(
            "</orx:meta>", f"<deprecatedID>{first}</deprecatedID></orx:meta>")
        self.deliver(refusal)
        after = self.one(second)
        self.assertEqual(after["identification_id"], row["identification_id"])
        self.assertEqual((after["sex"], after["age"], after["status"], after["share_justice"], after["group_code"]),
                         (None, None, None, False, None))
        for table in ("identification_item", "exploitation", "route_leg"):
            self.assertEqual(children(table, second, "1", "1"), [], table)

    def test_the_commune_is_kept_only_for_a_service_that_helps(self):
        database.psql(NAME, "INSERT INTO ref.place (place_code, level, name_fr, parent, code_status)"
                            " VALUES ('BF-HOU-TEST', 'commune', 'Essai', 'BF-HOU', 'national') ON CONFLICT DO NOTHING")
        xml = sample("child").replace("</province><detection>", "</province><commune>BF-HOU-TEST</commune><detection>")
        self.assertEqual(self.one(self.deliver(xml))["place_code"], "BF-HOU-TEST")
        xml = re.sub(r"uuid:[0-9a-f-]{36}", f"uuid:{uuid.uuid4()}", xml, count=1)
        xml = xml.replace("<share_assist>yes<", "<share_assist>no<")
        self.assertEqual(self.one(self.deliver(xml))["place_code"], "BF-HOU")

    def test_of_armed_forms_only_the_region_is_kept_and_no_journey(self):
        xml = sample("armed-group").replace("<vulnerabilities>", "<route><rid>x</rid><kind>origin</kind>"
                                            "<country>BFA</country><province>BF-SOM</province></route><vulnerabilities>")
        instance = self.deliver(xml)
        row = self.one(instance)
        self.assertEqual((row["place_code"], row["origin_place"]), ("BF-10", "BF-15"))
        self.assertEqual(children("exploitation", instance, "form, place_code", "seq"), [("ex_armn", "BF-15")])
        self.assertEqual(children("route_leg", instance, "1", "1"), [])

    def test_consent_to_statistics_is_asked_given_or_the_rule(self):
        for name, expected in (("adult", True), ("minor-of-unknown-age", False), ("mandate", True), ("vital", True),
                               ("anonymous", True), ("refusal", False)):
            with self.subTest(sample=name):
                self.assertIs(self.one(self.deliver(sample(name)))["share_stats"], expected)

    def test_no_identity_reaches_a_table(self):
        self.deliver(sample("accents"), sample("several"))
        dump = database.psql(NAME, "".join(f"TABLE tip.{table};" for table in (
            "victim", "identification", "identification_item", "exploitation", "route_leg")))
        for secret in ("Kambiré", "Yʋʋma", "05000003", "71000004", "Agbodjan", "004512", "Karpala", "2010-03-30"):
            self.assertNotIn(secret, dump)

    def test_forms_legs_and_items_keep_their_order_and_one_is_the_main(self):
        instance = self.deliver(sample("several"))
        self.assertEqual(children("exploitation", instance, "seq, form, realised, main, country, place_code", "seq"), [
            (1, "ex_l_bar", True, False, "BFA", "BF-BLG"), (2, "ex_s_pros", True, True, "BFA", "BF-KAD"),
            (3, "ex_marr", False, False, "LBN", None)])
        legs = children("route_leg", instance, "kind, month", "seq")
        self.assertEqual(legs[0], ("origin", "2025-12-01"))
        self.assertEqual(legs[-1], ("destination", None))
        items = children("identification_item", instance, "code", "code")
        self.assertEqual(len(items), 5 + 5 + 7 + 5)

    def test_of_two_main_forms_the_first_wins_and_the_only_form_is_main(self):
        xml = sample("several").replace("<main>no<", "<main>yes<")
        self.assertEqual(children("exploitation", self.deliver(xml), "main", "seq"), [(True,), (False,), (False,)])
        only = self.deliver(sample("anonymous"))
        self.assertEqual(children("exploitation", only, "main", "seq"), [(True,)])

    def test_a_month_is_kept_as_its_first_day(self):
        xml = sample("mandate").replace("<month>2026-05-01<", "<month>2026-05-23<")
        months = {month for _, month in children("route_leg", self.deliver(xml), "seq, month", "seq")}
        self.assertEqual(months, {"2026-05-01"})

    def test_the_same_card_is_the_same_person(self):
        presumed, confirmed = self.deliver(sample("presumed"), sample("confirmed"))
        first, second = self.one(presumed), self.one(confirmed)
        self.assertEqual(first["victim_id"], second["victim_id"])
        self.assertNotEqual(first["identification_id"], second["identification_id"])
        self.assertEqual((first["first_record"], second["first_record"]), (True, False))
        self.assertEqual((first["status"], second["status"]), ("vs_pres", "vs_conf"))
        self.assertEqual((second["status_org"], second["status_date"]), ("SOC-HOU", "2026-01-22"))

    def test_needs_are_rows_of_assistance_from_the_day_they_were_seen(self):
        def needs(instance):
            return [tuple(row.values()) for row in query(
                "SELECT a.seq, a.org_code, a.service, a.needed_on, a.referred_to, a.referral_status, a.started_on"
                " FROM tip.assistance a JOIN relais.submission s USING (sub_id)"
                f" WHERE s.record_id = '{instance}' ORDER BY a.seq")]
        xml = sample("child")
        first = self.deliver(xml)
        self.assertEqual(needs(first), [
            (1, "SOC-HOU", "sv_shel", "2026-10-02", "CEN-HOU", "rf_done", "2026-10-02"),
            (2, "SOC-HOU", "sv_trac", "2026-10-02", "SOC-KOS", "rf_prop", None),
            (3, "SOC-HOU", "sv_sch", "2026-10-02", None, None, None)])
        second = f"uuid:{uuid.uuid4()}"
        self.deliver(re.sub("<need>.*?</need>", "", xml, count=1).replace(
            f"{first}</orx:instanceID>", f"{second}</orx:instanceID>").replace(
            "</orx:meta>", f"<deprecatedID>{first}</deprecatedID></orx:meta>"))
        self.assertEqual([need[2] for need in needs(first)], ["sv_trac", "sv_sch"])

    def test_an_unknown_age_leaves_what_was_seen(self):
        row = self.one(self.deliver(sample("minor-of-unknown-age")))
        self.assertEqual((row["age"], row["minor_seen"], row["is_child"]), (None, True, True))


class Communes(unittest.TestCase):
    """Two files make communes usable: the form's list and the database's. No code, no form, no mapping changes."""

    COMMUNES = (("BF-HOU-01", "Koudougou-Est", "BF-HOU"), ("BF-HOU-02", "Sabou-Nord", "BF-HOU"))

    def test_communes_of_two_files_are_asked_for_kept_and_counted(self):
        copy = pathlib.Path(tempfile.mkdtemp(dir=directory))
        for name in ("xforms", "transforms"):
            shutil.copytree(ROOT / name, copy / name)
        media = copy / "xforms" / "bf_tip_ident-media" / "commune.csv"
        media.unlink()
        media.write_text("name,label,province\n" + "".join(f"{code},{label},{province}\n" for code, label, province in self.COMMUNES))
        with open(copy / "transforms" / "codes" / "ref.place.csv", "a", encoding="utf-8") as places:
            for code, label, province in self.COMMUNES:
                places.write(f"{code},commune,{label},,{province},,,national,\n")
        settings = conf.read_text()
        self.addCleanup(conf.write_text, settings)
        conf.write_text(settings.replace(f"{ROOT}/", f"{copy}/"))
        planned = relais("plan")
        self.assertEqual(planned.returncode, 0, planned.stderr)
        database.psql(NAME, planned.stdout)
        done = relais("check")
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)

        form = form_rules.Form(copy / "xforms" / "bf_tip_ident.xml")
        xml = sample("child").replace("</province><detection>", "</province><commune>BF-HOU-02</commune><detection>")
        self.assertEqual(form.faults(xml.encode()), [], "a phone asks for the commune, and offers this one")
        elsewhere = xml.replace("<commune>BF-HOU-02<", "<commune>BF-KAD-01<")
        self.assertIn("/data/event/commune: BF-KAD-01 is not a choice", form.faults(elsewhere.encode()))
        instance = put(xml.encode())
        forward()
        self.assertEqual(recording(instance)[0]["place_code"], "BF-HOU-02")
        self.assertEqual(query("SELECT a.province, a.region FROM tip.identification i JOIN relais.submission s USING (sub_id)"
                               f" JOIN stat.place_area a USING (place_code) WHERE s.instance_id = '{instance}'"),
                         [{"province": "BF-HOU", "region": "BF-09"}])


class Quarantined(unittest.TestCase):
    def test_a_child_that_consents_alone_waits_for_a_person(self):
        child = re.sub("<age_at_start>[0-9]+<", "<age_at_start>15<", sample("adult").replace("<age>23<", "<age>16<"))
        put(child.encode())
        forward()
        listed = list((spool / "quarantine").glob("*.reason"))
        self.addCleanup(lambda: [file.unlink() for file in (spool / "quarantine").iterdir()])
        self.assertEqual(len(listed), 1)
        reason = listed[0].read_text()
        self.assertIn("identification_only_adults_consent_alone", reason)
        for answer in ("AG-017", "sx_f", "NGA", "2026-09-14"):
            self.assertNotIn(answer, reason)


if __name__ == "__main__":
    unittest.main()
