"""The national form bf_tip_ident: well made by the ODK XForms specification, complete in both
languages, with the codes of the national lists; and its samples and the generated submissions
are what that form lets a phone send.

Nothing runs here but Python: the form's rules are read and evaluated by
tests/cases/national/form_rules.py.
"""
import csv
import itertools
import pathlib
import random
import re
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "cases" / "national"))
import form_rules  # noqa: E402
import form_xpath  # noqa: E402
import generate  # noqa: E402

FORM = form_rules.Form(ROOT / "xforms" / "bf_tip_ident.xml")
SAMPLES = sorted((ROOT / "xforms" / "samples").glob("bf_tip_ident-*.xml"))
XF, JR = form_rules.XF, form_rules.JR
FRENCH, ENGLISH = "Français (fr)", "English (en)"
ITEXT = re.compile(r"jr:itext\('([^']*)'\)")
OWN_LISTS = {"yn", "done", "stage"}  # short lists that are no codes of the database
FROM_TABLES = {"org": ("organisation", "org_code"), "country": ("country", "iso3"),
               "region": ("place", "place_code"), "province": ("place", "place_code")}


def node_at(path):
    """The form's node at an absolute path, or None."""
    nodes = [form_xpath.document(FORM.root)]
    for name in path.strip("/").split("/"):
        nodes = form_xpath.Evaluator.step(nodes, name)
    return nodes[0] if len(nodes) == 1 else None


def all_nodes(node=None):
    """The form's nodes, or those from one node down."""
    node = node or FORM.root
    yield node
    for child in node.children:
        yield from all_nodes(child)


def itext():
    """Language -> text id -> text element."""
    return {translation.get("lang"): {text.get("id"): text for text in translation.findall(XF + "text")}
            for translation in FORM.model.find(XF + "itext").findall(XF + "translation")}


def outputs():
    return [output.get("value") for texts in itext().values() for text in texts.values()
            for output in text.iter(XF + "output")]


def expressions():
    """(expression, node it is evaluated at) for everything in the form that is XPath."""
    for path, bind in FORM.binds.items():
        for attribute in form_rules.EXPRESSIONS:
            if bind.get(attribute) is not None:
                yield bind.get(attribute), node_at(path)
    for path, itemset in FORM.itemsets.items():
        yield itemset.nodeset, node_at(path)
    for value in outputs():
        yield value, FORM.root


class Shape(form_xpath.Evaluator):
    """Resolves paths against the form's shape and its lists, and notes those that lead nowhere.
    Predicates are looked into, but let everything pass."""

    def __init__(self):
        super().__init__(FORM.instances)
        self.lost = []

    def operate(self, tree, node, current):
        for side in tree[2:]:
            self.value(side, node, current)
        return True

    def call(self, name, arguments, node, current):
        if name in ("instance", "current"):
            return super().call(name, arguments, node, current)
        for argument in arguments:
            self.value(argument, node, current)
        return True

    def path(self, tree, node, current):
        found = super().path(tree, node, current)
        if not found:
            self.lost.append("/".join(name for name, _ in tree[2]))
        return found


class FormIsWellMade(unittest.TestCase):
    """What depends on the form is in these; test_national_forms.py turns the checks on others."""
    FORM_ID, REPEATS, EXPRESSIONS_AT_LEAST = "bf_tip_ident", 3, 100
    NAMED_AFTER = {"/data/event/date", "/data/reporter/org_code"}

    def test_identity_of_the_form(self):
        self.assertEqual(FORM.data.get("id"), self.FORM_ID)
        self.assertRegex(FORM.data.get("version"), r"^20\d{8}$")
        self.assertTrue(FORM.title)

    def test_every_bind_resolves_and_every_answer_has_one(self):
        self.assertEqual(len(FORM.binds), len(FORM.model.findall(XF + "bind")), "a nodeset twice")
        for path in FORM.binds:
            self.assertIsNotNone(node_at(path), path)
        for node in all_nodes():
            if not node.children:
                self.assertIn(form_rules.path_of(node), FORM.binds)

    def test_every_ref_of_the_body_resolves(self):
        for element in FORM.body.iter():
            for attribute in ("ref", "nodeset"):
                path = element.get(attribute, "")
                if path.startswith("/"):
                    self.assertIsNotNone(node_at(path), path)

    def test_every_question_is_asked_and_every_control_has_a_bound_leaf(self):
        asked = [control.get("ref") for control in FORM.controls]
        self.assertEqual(len(asked), len(set(asked)), "a question is asked twice")
        for path in asked:
            self.assertEqual(node_at(path).children, [], path)
        computed = {path for path, bind in FORM.binds.items() if bind.get("calculate") or bind.get(JR + "preload")}
        leaves = {form_rules.path_of(node) for node in all_nodes() if not node.children}
        self.assertEqual(leaves - set(asked), {path for path in computed if path not in asked})

    def test_siblings_have_different_names(self):
        def check(element):
            names = [form_rules.name_of(child) for child in element]
            for child in element:
                if names.count(form_rules.name_of(child)) > 1:
                    twins = [c for c in element if c.tag == child.tag]
                    self.assertEqual([c.get(JR + "template") for c in twins], ["", None], child.tag)
                check(child)
        check(FORM.data)

    def test_repeats_have_a_template_and_a_hidden_lasting_id(self):
        self.assertEqual(len(FORM.repeats), self.REPEATS)
        templates = {e.tag.removeprefix(XF) for e in FORM.data.iter() if e.get(JR + "template") is not None}
        self.assertEqual(templates, {path.rsplit("/", 1)[1] for path in FORM.repeats})
        for path in FORM.repeats:
            self.assertEqual(FORM.binds[path + "/rid"].get("calculate"), "once(uuid())")

    def test_meta_has_an_instance_id_and_a_name_without_the_person(self):
        instance = FORM.binds["/data/orx:meta/orx:instanceID"]
        self.assertEqual(instance.get(JR + "preload"), "uid")
        name = FORM.binds["/data/orx:meta/orx:instanceName"].get("calculate")
        read = set(re.findall(r"/data/[\w/]+", name))
        self.assertTrue(read <= self.NAMED_AFTER, read)

    def test_every_expression_parses_and_leads_somewhere(self):
        known = set(form_xpath.FUNCTIONS) | form_xpath.RANDOM | {"current", "instance"}
        count = 0
        for expression, node in expressions():
            with self.subTest(expression=expression):
                tree, shape = form_xpath.parse(expression), Shape()
                self.assertLessEqual(form_xpath.functions_of(tree), known)
                shape.value(tree, node)
                self.assertEqual(shape.lost, [])
            count += 1
        self.assertGreater(count, self.EXPRESSIONS_AT_LEAST)

    def test_a_wrong_expression_would_be_seen(self):
        shape = Shape()
        shape.value(form_xpath.parse("/data/person/agee > 3 and ../sexe = 'x'"), node_at("/data/reporter/org_code"))
        self.assertEqual(shape.lost, ["data/person/agee", "../sexe"])
        for wrong in ("a = ", "selected(a, 'b'", "a b", "a['x]", "#"):
            with self.assertRaises(ValueError, msg=wrong):
                form_xpath.parse(wrong)

    def test_every_constraint_says_what_to_do(self):
        for path, bind in FORM.binds.items():
            self.assertEqual(bind.get("constraint") is None, bind.get(JR + "constraintMsg") is None, path)

    def test_paths_in_repeats_stay_in_their_repeat(self):
        """An absolute path to another answer of the same repeat means its first instance in some clients."""
        for path, bind in FORM.binds.items():
            for repeat in FORM.repeats:
                if path.startswith(repeat + "/"):
                    for attribute in form_rules.EXPRESSIONS:
                        self.assertNotIn(repeat + "/", bind.get(attribute, ""), path)


class LanguagesAndLists(unittest.TestCase):
    SAME = {"event.province", "event.commune", "person.origin_province", "stage.transit", "story.route.province",
            "story.exploitation.province"}

    def used_ids(self):
        used = set()
        for element in itertools.chain(FORM.body.iter(), FORM.model.iter(XF + "bind")):
            for value in element.attrib.values():
                used |= set(ITEXT.findall(value))
        for instance in FORM.instance_elements[1:]:
            used |= {item.text for item in instance.iter(XF + "itextId")}
        return used

    def test_both_languages_have_every_text_and_no_other(self):
        texts = itext()
        self.assertEqual(list(texts), [FRENCH, ENGLISH])
        first = FORM.model.find(XF + "itext")[0]
        self.assertEqual(first.get("default"), "true()", "French is the default")
        for language, found in texts.items():
            self.assertEqual(set(found), self.used_ids(), language)
            for key, text in found.items():
                self.assertTrue("".join(text.itertext()).strip(), f"{language}: {key} is empty")

    def test_no_language_is_a_copy_of_the_other(self):
        texts = itext()
        same = [key for key, text in texts[FRENCH].items() if "." in key and
                "".join(text.itertext()) == "".join(texts[ENGLISH][key].itertext())]
        self.assertLessEqual(set(same), self.SAME)

    def test_every_instance_is_there_and_used(self):
        used = {name for expression, _ in expressions() for name in re.findall(r"instance\('(\w+)'\)", expression)}
        self.assertEqual(used, set(FORM.instances))

    def test_media_files_are_those_of_the_form(self):
        named = {e.get("src").removeprefix("jr://file-csv/") for e in FORM.instance_elements if e.get("src")}
        self.assertEqual(named, {file.name for file in FORM.media.iterdir()})
        for name in named:
            with open(FORM.media / name, encoding="utf-8", newline="") as file:
                rows = list(csv.DictReader(file))
            self.assertTrue(rows, f"{name}: phones refuse a list without a row")
            names = [row["name"] for row in rows]
            self.assertEqual(len(names), len(set(names)), name)
            for row in rows:
                self.assertNotIn(None, row, f"{name}: a field too many")
                self.assertNotIn(None, row.values(), f"{name}: a field too few")
                self.assertTrue(row["label"])
                self.assertNotRegex(row["name"], r"\s")

    def test_choices_are_the_codes_of_the_database_with_their_labels(self):
        texts = itext()
        for name, instance in FORM.instances.items():
            if name in OWN_LISTS or name in FROM_TABLES or name == "commune":
                continue
            items = [{child.name: child.text for child in item.children} for item in instance.children[0].children]
            rows = [row for row in generate.table("code") if row["list"] == name]
            self.assertEqual([item["name"] for item in items], [row["code"] for row in rows])
            for item, row in zip(items, rows):
                self.assertEqual(texts[FRENCH][item["itextId"]][0].text, row["label_fr"])
                self.assertEqual(texts[ENGLISH][item["itextId"]][0].text, row["label_en"])

    def test_long_lists_hold_what_the_database_holds(self):
        for name, (table, column) in FROM_TABLES.items():
            if name not in FORM.instances:
                continue
            known = {row[column] for row in generate.table(table) if table != "place" or row["level"] == name}
            listed = [item.children[0].text for item in FORM.instances[name].children[0].children]
            self.assertEqual(set(listed), known, name)
        if "country" not in FORM.instances:
            return
        countries = [item.children[0].text for item in FORM.instances["country"].children[0].children]
        self.assertEqual(tuple(countries[:34]), generate.countries())

    def test_lists_agree_with_the_rows_they_are_filtered_by(self):
        if "province" in FORM.instances:
            regions = {row["name"]: row["region"] for row in FORM.read_list("province.csv")}
            self.assertEqual(regions, generate.provinces())
        types = {row["name"]: row["type"] for row in FORM.read_list("org.csv")}
        self.assertEqual(types, generate.organisations())


class CardCode(unittest.TestCase):
    """The arithmetic of the form itself, with its own expressions."""

    def made(self, ca, cb):
        card = form_xpath.Node("card", form_xpath.Node("data"))
        card.parent.children = [card]
        for name, value in (("ca", ca), ("cb", cb), ("cc", ""), ("made", "")):
            card.add(name, str(value))
        for node in card.children[2:]:
            tree = FORM.expression("/data/card/" + node.name, "calculate")
            node.text = form_xpath.text_of(FORM.evaluator.value(tree, node))
        return card.children[3].text

    def accepts(self, code):
        results = {FORM.holds("/data/card/" + name, "constraint", form_xpath.Node(name, FORM.root, code), True)
                   for name in ("typed", "scan")}
        self.assertEqual(len(results), 1, "typed and scanned codes obey the same rule")
        return results.pop()

    def test_made_codes_are_accepted_and_right(self):
        rng = random.Random(97)
        for ca, cb in [(10000, 10000), (99999, 99999)] + [
                (rng.randint(10000, 99999), rng.randint(10000, 99999)) for _ in range(500)]:
            code = self.made(ca, cb)
            self.assertRegex(code, r"^\d{12}$")
            self.assertEqual(int(code) % 97, 1)
            self.assertTrue(self.accepts(code), code)
            self.assertEqual(code, generate.card_from(ca, cb))

    def test_one_wrong_digit_and_two_swapped_neighbours_are_refused(self):
        rng = random.Random(98)
        for _ in range(20):
            code = self.made(rng.randint(10000, 99999), rng.randint(10000, 99999))
            for at, digit in itertools.product(range(12), "0123456789"):
                if code[at] != digit:
                    self.assertFalse(self.accepts(code[:at] + digit + code[at + 1:]))
            for at in range(11):
                swapped = code[:at] + code[at + 1] + code[at] + code[at + 2:]
                if swapped != code:
                    self.assertFalse(self.accepts(swapped), f"{code} {swapped}")

    def test_the_second_writing_of_the_same_check_digits_is_refused(self):
        """01 and 98 are the same modulo 97; only 02 to 98 are ever made."""
        for first in range(10000, 10200):
            code = self.made(first, 54321)
            check = int(code[10:])
            for other in (check - 97, check + 97):
                if 0 <= other <= 99:
                    self.assertFalse(self.accepts(f"{code[:10]}{other:02d}"))

    def test_what_is_no_code_is_refused(self):
        code = self.made(12345, 67890)
        for wrong in (code[:11], code + "0", code[:6] + " " + code[6:], code[:11] + "x", "0" * 12):
            self.assertFalse(self.accepts(wrong), wrong)


class Submissions(unittest.TestCase):
    def test_the_generator_writes_for_this_version(self):
        self.assertEqual(generate.VERSION, FORM.data.get("version"))

    def test_samples_are_what_the_form_lets_a_phone_send(self):
        self.assertGreaterEqual(len(SAMPLES), 10)
        for sample in SAMPLES:
            with self.subTest(sample=sample.name):
                self.assertEqual(FORM.faults(sample.read_bytes()), [])

    def test_samples_are_written_as_collect_writes(self):
        declarations = set()
        for sample in SAMPLES:
            xml = sample.read_bytes()
            found = re.match(rb"(<\?xml version='1\.0' (?:encoding='UTF-8' )?\?>)<data ([^>]*)>", xml)
            self.assertTrue(found, sample.name)
            declarations.add(found.group(1))
            for prefix in (b"h", b"jr", b"odk", b"orx"):
                self.assertIn(b"xmlns:" + prefix + b"=", found.group(2))
            self.assertNotRegex(xml, rb">\s+<")
            self.assertNotRegex(xml, rb"<([\w:]+)></\1>", "an empty element is written <name />")
            self.assertTrue(xml.endswith(b"</orx:meta></data>"))
        self.assertEqual(len(declarations), 2, "Collect's writers differ in the declaration")

    def test_samples_have_ids_of_their_own(self):
        ids = [re.search(rb"instanceID>(uuid:[0-9a-f-]{36})<", sample.read_bytes()).group(1) for sample in SAMPLES]
        self.assertEqual(len(ids), len(set(ids)))

    def test_samples_cover_what_a_mapping_must_tell_apart(self):
        texts = {sample.stem.removeprefix("bf_tip_ident-"): sample.read_text() for sample in SAMPLES}
        every = "".join(texts.values())
        for code in generate.codes("co") + generate.codes("vs"):
            self.assertIn(f">{code}<", every)
        self.assertNotIn("<person>", texts["refusal"])
        self.assertNotIn("<identity>", texts["anonymous"])
        self.assertGreater(texts["several"].count("<exploitation>"), 2)
        self.assertGreater(texts["several"].count("<route>"), 4)
        self.assertIn("<realised>intended<", texts["intercepted"])
        self.assertIn("Ɛlɩnɩ Yʋʋma Noëlle", texts["accents"])
        card = re.search(r"<made>(\d+)<", texts["presumed"]).group(1)
        self.assertIn(f"<typed>{card}<", texts["confirmed"])

    def test_generated_submissions_obey_the_form(self):
        for n in range(80):
            _, xml = generate.submission(20261125, n)
            with self.subTest(n=n):
                self.assertEqual(FORM.faults(xml), [])

    def test_generated_submissions_are_repeatable_varied_and_of_the_usual_size(self):
        some = [generate.submission("a", n) for n in range(200)]
        self.assertEqual(some, [generate.submission("a", n) for n in range(200)])
        self.assertNotEqual(some[:3], [generate.submission("b", n) for n in range(3)])
        self.assertEqual(len({instance for instance, _ in some}), 200)
        sizes = sorted(len(xml) for _, xml in some)
        self.assertTrue(2000 < sizes[100] < 4500, sizes[100])
        text = b"".join(xml for _, xml in some)
        for wanted in (b"co_none", b"co_stat", b"<typed>", b"<scan>", b"minor_seen", b"ex_armn", b"<need>"):
            self.assertIn(wanted, text)
        for instance, xml in some:
            self.assertIn(f"<orx:instanceID>{instance}</orx:instanceID>".encode(), xml)

    def test_what_the_form_forbids_is_seen(self):
        """Without this, a checker that finds nothing would pass for a good form."""
        adult = (ROOT / "xforms/samples/bf_tip_ident-adult.xml").read_text()
        for old, new, fault in (
                ("<age>23<", "<age>17<", "/data/person/age: against the constraint"),
                ("<age>23<", "<age>x<", "/data/person/age: not of type int"),
                ("<sex>sx_f</sex>", "<sex />", "/data/person/sex: required, yet empty"),
                ("sx_f", "sx_q", "/data/person/sex: sx_q is not a choice"),
                ("<region>BF-03<", "<region>BF-09<", "/data/event/province: BF-KAD is not a choice"),
                ("me_dec", "me_unk", "/data/story/means: against the constraint"),
                ("<act>yes<", "<act>no<", "/data/assessment/act: not what the form computes"),
                ("<safety />", "<safety>x</safety>", "/data/safety: an answer to a note"),
                ("<safety />", "", "/data/safety: 0 times"),
                ("<write />", "<write /><typed />", "/data/card/typed: not relevant, yet present"),
                ("2026-09-14<", "2999-09-14<", "/data/event/date: against the constraint"),
                ("<guide>", "<guide><other />", "/data/guide/other: not in the form"),
                ("<safety />", "<together><code /></together><safety />", "/data: not in the form's order")):
            self.assertIn(old, adult)
            with self.subTest(fault=fault):
                self.assertIn(fault, FORM.faults(adult.replace(old, new, 1)))


if __name__ == "__main__":
    unittest.main()
