"""What becomes of the identity of the form bf_tip_ident: sealed for whoever has the key, and keys
that are computed here a second time, from the answers alone and without the project's code."""
import collections
import hashlib
import hmac
import json
import os
import re
import unittest
import xml.etree.ElementTree as ElementTree

import test_national_lives as lives
import test_national_rows as base
from canonical import code, fold
from test_national_rows import NAME, database, forward, put, query, sample, values

setUpModule = base.setUpModule
BASES = ("co_self", "co_guar", "co_chil", "co_vita", "co_mand")


# ---- the same rules, written again -------------------------------------------------------------


def key(*parts):
    if not all(parts):
        return None
    message = b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts)
    return parts[0], hmac.new(base.KEYS.secret_bytes(), message, hashlib.sha256).hexdigest()


def answers(xml):
    root = ElementTree.fromstring(xml)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return lambda path: ((root.findtext(path) or "").strip())


def expected_keys(get):
    details = {name: get("identity/details/" + name) for name in
               ("surname", "given_names", "mother", "birth_date", "document_number", "phone")}
    names = fold(details["surname"]), fold(details["given_names"])
    sex, age, age_basis = get("person/sex"), get("person/age"), get("person/age_basis")
    born, year = details["birth_date"], None
    if born:
        year = int(born[:4])
    elif age:
        year = int(get("event/date")[:4]) - int(age)
    years = [] if year is None else [year] if born and age_basis != "ab_est" else [year - 1, year, year + 1]
    document = get("person/id_doc")
    phone = details["phone"] and "+226" + details["phone"]
    found = [key("K1", *names, sex, born if age_basis == "ab_doc" else "")]
    found += [key("K2", *names, sex, str(one)) for one in years]
    found += [key("K3", *names, fold(details["mother"]), get("person/origin_province")),
              key("K4", "" if document in ("id_none", "id_held", "id_unk") else document,
                  code(details["document_number"])),
              key("K5", phone)]
    return {one for one in found if one}


# ---- what is in the database --------------------------------------------------------------------


def stored_keys(instance):
    return {(row["kind"], row["hmac"]) for row in query(
        "SELECT k.kind, encode(k.hmac, 'hex') AS hmac FROM link.match_key k JOIN tip.identification i"
        f" USING (identification_id) JOIN relais.submission s USING (sub_id) WHERE s.instance_id = '{instance}'")}


def stored_identity(instance):
    return query("SELECT encode(p.sealed, 'hex') AS sealed, p.seal_key, p.keep_until, p.victim_id, p.person_id"
                 " FROM identity.person p JOIN relais.submission s USING (sub_id)"
                 f" WHERE s.instance_id = '{instance}'")


def deliver(*submissions):
    instances = [put(xml.encode()) for xml in submissions]
    forward()
    return instances


class Identity(unittest.TestCase):
    def one(self, instance):
        rows = stored_identity(instance)
        self.assertEqual(len(rows), 1)
        return rows[0]

    def test_every_sample_has_the_keys_and_the_identity_that_its_answers_give(self):
        names = [path.stem.removeprefix("bf_tip_ident-") for path in base.SAMPLES.glob("bf_tip_ident-*.xml")]
        kinds = collections.Counter()
        for name in names:
            with self.subTest(sample=name):
                xml = sample(name)
                get = answers(xml)
                instance, = deliver(xml)
                allowed = get("consent/basis") in BASES and get("identity/needed") == "yes"
                self.assertEqual(stored_keys(instance), expected_keys(get) if allowed else set())
                kinds.update(kind for kind, _ in stored_keys(instance))
                if not allowed:
                    self.assertEqual(stored_identity(instance), [])
                    continue
                row = self.one(instance)
                details = json.loads(base.KEYS.unseal(bytes.fromhex(row["sealed"])))
                wanted = {one.tag.rpartition("}")[2]: one.text.strip()
                          for one in ElementTree.fromstring(xml).find("identity/details") if (one.text or "").strip()}
                self.assertEqual(details, wanted)
                self.assertEqual(row["seal_key"], base.KEYS.key_id())
        self.assertEqual(sorted(kinds), ["K1", "K2", "K3", "K4", "K5"], "the samples show every kind")

    def test_spellings_of_one_name_meet(self):
        first, second = deliver(*(re.sub(r"<surname>[^<]*<", f"<surname>{name}<", sample("accents"))
                                  for name in ("Ouédraogo", "WEDRAOGO")))
        self.assertTrue(stored_keys(first))
        self.assertEqual(stored_keys(first), stored_keys(second))

    def test_without_a_basis_nothing_of_an_identity_is_kept_even_if_it_is_sent(self):
        xml = sample("several")
        self.assertIn("<identity>", xml)
        xml = re.sub(r"<basis>\w+<", "<basis>co_stat<", xml)
        instance, = deliver(xml)
        self.assertEqual((stored_keys(instance), stored_identity(instance)), (set(), []))

    def test_a_correction_replaces_and_a_withdrawal_removes(self):
        xml = sample("accents")
        first, = deliver(xml)
        before = stored_keys(first)
        person = self.one(first)["person_id"]
        second_xml = self.corrected(xml, first, "uuid:00000000-0000-4000-8000-0000000000b1",
                                    (r"<surname>[^<]*<", "<surname>Zongo<"))
        second, = deliver(second_xml)
        self.assertEqual((stored_keys(first), stored_identity(first)), (set(), []))
        self.assertNotEqual(stored_keys(second), before)
        row = self.one(second)
        self.assertEqual(row["person_id"], person)
        self.assertEqual(json.loads(base.KEYS.unseal(bytes.fromhex(row["sealed"])))["surname"], "Zongo")
        third, = deliver(self.corrected(second_xml, second, "uuid:00000000-0000-4000-8000-0000000000b2",
                                        (r"<needed>yes<", "<needed>no<")))
        self.assertEqual((stored_keys(third), stored_identity(third)), (set(), []))
        self.assertEqual(values(f"SELECT count(*) FROM identity.person WHERE person_id = '{person}'"), [0])

    @staticmethod
    def corrected(xml, old, new, *changes):
        for pattern, text in changes:
            xml, count = re.subn(pattern, text, xml)
            assert count, pattern
        xml = re.sub(r"<(\w+:)?deprecatedID>[^<]*</(\w+:)?deprecatedID>", "", xml)
        return re.sub(r"(<(\w+:)?instanceID>)[^<]*(</(\w+:)?instanceID>)",
                      rf"\g<1>{new}\3<deprecatedID>{old}</deprecatedID>", xml, count=1)

    def test_a_child_is_kept_until_23_and_an_adult_five_whole_years(self):
        for age, until in (("16", 8), ("17", 7), ("18", 6), ("60", 6)):
            with self.subTest(age=age):
                xml = re.sub(r"<age>\d*<", f"<age>{age}<", sample("several"), count=1)
                year = int(answers(xml)("event/date")[:4])
                instance, = deliver(xml)
                self.assertEqual(self.one(instance)["keep_until"], f"{year + until}-01-01")

    def test_no_name_number_or_telephone_is_readable_anywhere_in_the_national_tables(self):
        xml = sample("accents")
        deliver(xml)
        secrets = {one.text.strip() for one in ElementTree.fromstring(xml).find("identity/details")
                   if len((one.text or "").strip()) > 5}
        self.assertTrue(secrets)
        tables = values("SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                        " WHERE c.relkind = 'r' AND n.nspname IN ('tip', 'link', 'identity', 'audit')")
        dump = database.psql(NAME, "".join(f"TABLE {table};" for table in tables))
        for secret in secrets:
            self.assertNotIn(secret, dump)
            self.assertNotIn(secret.encode().hex(), dump)

    def test_of_an_armed_group_the_region_is_the_data_bases_whatever_the_phone_computed(self):
        xml = re.sub(r"<origin_region>[^<]*<", "<origin_region>BF-01<", sample("armed-group"))
        instance, = deliver(xml)
        self.assertEqual(base.recording(instance)[0]["origin_place"], "BF-15")


class WithoutSecrets(unittest.TestCase):
    """The forwarder and the check where relais.conf names no secret, or one that is open to all."""

    def setUp(self):
        self.conf = base.conf.read_text()
        self.addCleanup(base.conf.write_text, self.conf)

    def test_nothing_is_delivered_and_nothing_is_lost_until_they_are_there(self):
        base.conf.write_text(self.conf.replace(base.KEYS.settings, ""))
        instance = put(sample("accents").encode())
        done = base.relais("forward", "--once")
        self.assertIn("no secret is configured", done.stdout + done.stderr)
        self.assertEqual(values(f"SELECT count(*) FROM relais.submission WHERE instance_id = '{instance}'"), [0])
        checked = base.relais("check")
        self.assertRegex(checked.stdout, r"bf_tip_ident\.xml:\d+: error: this makes keys")
        self.assertRegex(checked.stdout, r"bf_tip_case\.xml:\d+: error: this seals answers")
        self.assertEqual(checked.returncode, 1)
        alone = base.relais("check", "--no-database", f"{base.ROOT}/transforms/bf_tip_ident.xml")
        self.assertRegex(alone.stdout, r"bf_tip_ident\.xml:\d+: warning: this makes keys")
        base.conf.write_text(self.conf)
        forward()
        self.assertTrue(stored_keys(instance))

    def test_a_secret_that_others_may_read_is_refused(self):
        os.chmod(base.KEYS.secret, 0o644)
        self.addCleanup(os.chmod, base.KEYS.secret, 0o600)
        for command in (("forward", "--once"), ("check",)):
            done = base.relais(*command)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("keys.secret: ", done.stdout + done.stderr)
            self.assertIn("chmod", done.stdout + done.stderr)

    def test_a_private_key_on_the_server_is_refused(self):
        base.conf.write_text(self.conf.replace(base.KEYS.certificate, base.KEYS.private))
        done = base.relais("forward", "--once")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("private key", done.stderr)


class Suspects(unittest.TestCase):
    def setUp(self):
        self.xml = lives.sample(lives.CASE, "three-suspects")
        lives.put(self.xml)
        forward()

    def sealed(self, xml):
        return [(json.loads(base.KEYS.unseal(bytes.fromhex(row["sealed"]))), row["suspect_id"]) for row in query(
            "SELECT encode(p.sealed, 'hex') AS sealed, p.suspect_id FROM identity.person p JOIN relais.submission s"
            f" USING (sub_id) WHERE s.instance_id = '{lives.instance_of(xml)}' AND p.victim_id IS NULL"
            f" AND p.seal_key = '{base.KEYS.key_id()}'")]

    @staticmethod
    def details(xml):
        return [{one.tag: one.text.strip() for one in found if (one.text or "").strip()}
                for found in ElementTree.fromstring(xml).iterfind("suspect/identity/details")]

    def test_each_is_sealed_by_itself(self):
        found, wanted = self.sealed(self.xml), [one for one in self.details(self.xml) if one]
        self.assertTrue(wanted)
        self.assertCountEqual([identity for identity, _ in found], wanted)
        self.assertEqual(len({suspect for _, suspect in found}), len(wanted))

    def test_a_correction_that_no_longer_needs_them_removes_them(self):
        corrected = lives.edit(self.xml, ("<needed>yes</needed>", "<needed>no</needed>"))
        lives.put(corrected)
        forward()
        self.assertEqual((self.sealed(self.xml), self.sealed(corrected)), ([], []))


if __name__ == "__main__":
    unittest.main()
