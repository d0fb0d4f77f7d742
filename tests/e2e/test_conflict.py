"""`relais conflict`: versions that contradict each other are listed, shown field by field, and one
is chosen, on a real PostgreSQL. What is chosen must stand whatever arrives later, and be undone by
choosing another.
"""
import json
import os
import unittest

import situations
from keys import Keys
from situations import Situation, at, document, keys, new_id, relais, rows


def setUpModule():
    situations.start()


class Conflict(Situation):
    def run_it(self, *arguments, code=0, **options):
        done = relais("conflict", *arguments, **options)
        self.assertEqual(done.returncode, code, f"{arguments}: {done.stdout}\n{done.stderr}")
        return done

    def choose(self, version, by="A. Traoré", reason="vu le dossier", **options):
        return self.run_it("choose", version, "--by", by, "--reason", reason, **options)

    def two(self, form=situations.PLAIN, **more):
        """One instanceID with two contents: (instance, sub_id of the first, sub_id of the second)."""
        instance = new_id()
        self.put(document(instance, form=form, name="Awa", age=14, note="", legs=["one"], **more), at(1))
        self.put(document(instance, form=form, name="Awa", age=15, note="n", legs=["one", "two"], **more), at(2))
        self.forward()
        return instance, *[row["sub_id"] for row in self.versions(instance)]

    def fork(self):
        """(ids, sub_ids) of a version and two edits of it."""
        ids = [new_id() for _ in range(3)]
        self.put(document(ids[0], age=14), at(0))
        self.put(document(ids[1], ids[0], age=15), at(1))
        self.put(document(ids[2], ids[0], age=16), at(2))
        self.forward()
        return ids, [self.versions(one)[0]["sub_id"] for one in ids]

    def ages(self, *records):
        return [row["age"] for row in self.visits(*records)]


class Listing(Conflict):
    def test_what_waits_for_a_choice(self):
        _, first, second = self.two()
        _, fork = self.fork()
        out = self.run_it("list").stdout
        for version in (first, second, fork[1], fork[2]):
            self.assertIn(version, out)
        self.assertNotIn(fork[0], out, "the version before both is no rival")
        listed = {one["version"]: one for one in json.loads(self.run_it("list", "--json").stdout)}
        self.assertEqual([listed[one]["state"] for one in (first, second, fork[1], fork[2])],
                         ["delivered", "conflict", "delivered", "conflict"])
        self.assertEqual(listed[second]["user"], "agent-017")

    def test_what_was_decided_is_listed_when_asked_for(self):
        _, first, second = self.two()
        self.choose(second)
        self.assertNotIn(first, self.run_it("list").stdout)
        self.assertNotIn(second, self.run_it("list").stdout)
        out = self.run_it("list", "--all").stdout
        self.assertIn(first, out)
        self.assertRegex(out, rf"{second} .*A\. Traoré")

    def test_the_status_counts_them_until_somebody_chooses(self):
        def count():
            out = json.loads(relais("status", "--json").stdout)
            return json.dumps(out).count('"conflict"'), rows(
                "SELECT count(*) AS n FROM relais.submission WHERE state = 'conflict'")[0]["n"]
        _, _, second = self.two()
        before = count()[1]
        self.choose(second)
        self.assertEqual(count()[1], before - 1)


class Showing(Conflict):
    def test_field_by_field(self):
        _, first, second = self.two()
        shown = json.loads(self.run_it("show", second, "--json").stdout)
        self.assertEqual((shown["a"], shown["b"], shown["compared"]), (first, second, "answers"))
        self.assertEqual(shown["differences"], [
            {"path": "/data/age", "a": "14", "b": "15"}, {"path": "/data/note", "a": "", "b": "n"},
            {"path": "/data/leg[2]/place", "a": None, "b": "two"},
            {"path": "/data/leg[2]/photo", "a": None, "b": ""}])
        text = self.run_it("show", first).stdout
        self.assertRegex(text, r"(?s)/data/age\n  A 14\n  B 15\n")
        self.assertIn("/data/leg[2]/place\n  A (not there)\n  B two\n", text)
        self.assertNotIn("Awa", text, "what is the same is not shown")

    def test_two_edits_of_one_parent(self):
        ids, versions = self.fork()
        shown = json.loads(self.run_it("show", versions[2], "--json").stdout)
        self.assertEqual(shown["differences"], [{"path": "/data/age", "a": "15", "b": "16"}])
        self.assertEqual(len(shown["versions"]), 3)
        with_first = json.loads(self.run_it("show", versions[2], "--with", versions[0], "--json").stdout)
        self.assertEqual(with_first["differences"], [{"path": "/data/age", "a": "14", "b": "16"}])

    def test_files_that_differ(self):
        instance = new_id()
        self.post(document(instance, age=14, photo="p.jpg"), [("p.jpg", b"one"), ("same.jpg", b"s")])
        self.post(document(instance, age=14, photo="p.jpg", note=""), [("p.jpg", b"three"), ("same.jpg", b"s")])
        self.forward()
        shown = json.loads(self.run_it("show", self.versions(instance)[1]["sub_id"], "--json").stdout)
        self.assertEqual(sorted((one["a"], one["b"]) for one in shown["files"]), [("", "5"), ("3", "")])
        self.assertEqual([one["path"] for one in shown["differences"]], ["/data/note"])

    def test_the_same_answers_in_other_bytes(self):
        instance = new_id()
        xml = document(instance, age=14)
        self.put(xml, at(1))
        self.put(xml.replace(b"<age>", b"\n  <age>"), at(2))
        self.forward()
        out = self.run_it("show", self.versions(instance)[1]["sub_id"]).stdout
        self.assertIn("Their answers are the same", out)

    def test_two_thousand_repeats_are_compared(self):
        instance = new_id()
        many = [str(number) for number in range(2000)]
        self.put(document(instance, legs=many), at(1))
        self.put(document(instance, legs=many[:1999] + ["x"]), at(2))
        self.forward()
        shown = json.loads(self.run_it("show", self.versions(instance)[1]["sub_id"], "--json").stdout)
        self.assertEqual(shown["differences"], [{"path": "/data/leg[2000]/place", "a": "1999", "b": "x"}])

    def test_controls_are_not_printed(self):
        instance = new_id()
        self.put(document(instance, note="n"), at(1))
        self.put(document(instance, note="N").replace(b">N<", b">a&#9;\xc2\x9b31m<"), at(2))
        self.forward()
        self.assertNotIn("\x9b", self.run_it("show", self.versions(instance)[1]["sub_id"]).stdout)

    def test_a_version_that_is_not_there(self):
        done = self.run_it("show", "00000000-0000-4000-8000-000000000000", code=1)
        self.assertIn("the ledger has no version", done.stderr)

    def test_by_the_id_that_a_person_has_at_hand(self):
        ids, versions = self.fork()
        for name in (ids[0], ids[1], ids[2]):  # the record's, and those of its edits
            with self.subTest(name=ids.index(name)):
                shown = json.loads(self.run_it("show", name, "--json").stdout)
                self.assertEqual(shown["differences"], [{"path": "/data/age", "a": "15", "b": "16"}])
        self.choose(versions[2])
        self.assertEqual(json.loads(self.run_it("show", ids[0], "--json").stdout)["b"], versions[2])
        self.assertIn("is in no conflict", self.run_it("show", new_id(), code=1).stderr)


class Choosing(Conflict):
    def test_the_rows_are_those_of_the_chosen_version(self):
        instance, first, second = self.two()
        self.assertEqual(self.ages(instance), [14])
        self.choose(second)
        self.assertEqual(self.states(instance), [(instance, "superseded"), (instance, "delivered")])
        row = self.visits(instance)[0]
        self.assertEqual((row["age"], row["note"], row["legs"]), (15, "n", ["one", "two"]))
        self.assertEqual(len(rows(f"SELECT 1 FROM sit.visit WHERE record = '{instance}'")), 1)

    def test_who_chose_and_why_is_kept(self):
        _, first, second = self.two()
        self.choose(second)
        kept = rows(f"SELECT chosen_by, reason, login, rivals FROM relais.choice WHERE sub_id = '{second}'")
        self.assertEqual(kept, [{"chosen_by": "A. Traoré", "reason": "vu le dossier", "login": "relais", "rivals": [first]}])

    def test_choosing_the_other_takes_it_back(self):
        instance, first, second = self.two()
        before = self.visits(instance)
        for _ in range(2):
            self.choose(second)
            self.assertEqual(self.ages(instance), [15])
            self.choose(first)
            self.assertEqual(self.visits(instance), before)
            self.assertEqual(self.states(instance), [(instance, "delivered"), (instance, "superseded")])

    def test_the_same_choice_twice_is_one(self):
        _, _, second = self.two()
        self.choose(second)
        again = self.choose(second, by="B. Sawadogo")
        self.assertIn("current one already", again.stdout)
        self.assertEqual(len(rows(f"SELECT 1 FROM relais.choice WHERE sub_id = '{second}'")), 1)

    def test_the_current_version_is_confirmed(self):
        instance, first, second = self.two()
        self.choose(first)
        self.assertEqual(self.states(instance), [(instance, "delivered"), (instance, "superseded")])
        self.assertNotIn(second, self.run_it("list").stdout)

    def test_a_fork(self):
        ids, versions = self.fork()
        self.choose(versions[2])
        self.assertEqual([state for _, state in self.states(*ids)], ["superseded", "superseded", "delivered"])
        self.assertEqual(self.ages(*ids), [16])
        self.choose(versions[1])
        self.assertEqual(self.ages(*ids), [15])

    def test_the_branch_of_a_later_edit(self):
        ids, versions = self.fork()
        last = new_id()
        self.put(document(last, ids[2], age=17), at(3))
        self.forward()
        refused = self.choose(versions[2], code=1)
        self.assertIn("choose that edit", refused.stderr)
        self.assertEqual(self.ages(*ids), [15])
        self.choose(self.versions(last)[0]["sub_id"])
        self.assertEqual(self.ages(*ids), [17])
        self.assertEqual([state for _, state in self.states(*ids, last)],
                         ["superseded", "superseded", "superseded", "delivered"])

    def test_what_comes_later_does_not_undo_it(self):
        """Re-sent versions, an edit of the rejected one, an edit of the chosen one, a third rival."""
        ids, versions = self.fork()
        self.choose(versions[2])
        for number, one in enumerate(ids):
            self.put(document(one, *ids[:1] if number else (), age=14 + number), at(number))
        of_rejected, of_chosen, third = new_id(), new_id(), new_id()
        self.put(document(of_rejected, ids[1], age=20), at(4))
        self.put(document(third, ids[0], age=30), at(0))
        self.forward()
        self.assertEqual(self.ages(*ids), [16])
        self.assertEqual(dict(self.states(of_rejected, third)), {of_rejected: "conflict", third: "conflict"})
        self.put(document(of_chosen, ids[2], age=40), at(5))
        self.forward()
        self.assertEqual(self.ages(*ids), [40])
        self.assertEqual(dict(self.states(ids[1], ids[2])), {ids[1]: "superseded", ids[2]: "superseded"})

    def test_what_is_refused_changes_nothing(self):
        instance = new_id()
        self.put(document(instance, age=14), at(1))
        self.put(document(instance, age=999), at(2))
        self.forward()
        good, bad = self.versions(instance)
        done = self.choose(bad["sub_id"], code=1)
        self.assertIn("nothing was changed", done.stderr)
        self.assertNotIn("999", done.stderr + done.stdout, "an answer is not said")
        self.assertEqual([row["state"] for row in self.versions(instance)], [good["state"], bad["state"]])
        self.assertEqual(self.ages(instance), [14])
        self.assertEqual(rows(f"SELECT 1 FROM relais.choice WHERE sub_id = '{bad['sub_id']}'"), [])

    def test_an_unknown_form_cannot_be_chosen_of(self):
        _, _, second = self.two()
        path = os.path.join(situations.mappings, "sit.xml")
        os.rename(path, path + ".away")
        self.addCleanup(os.rename, path + ".away", path)
        self.assertIn("relais check", self.choose(second, code=1).stderr)

    def test_misuse_says_what_to_do(self):
        for arguments, words in ((("choose",), "name the version"), (("choose", "x", "--by", "me"), "name the version"),
                                 (("choose", "00000000-0000-4000-8000-000000000000"), "--by says who"),
                                 (("list", "--by", "me"), "only choose"), (("lost",), "Did you mean list"), ((), "what to do")):
            with self.subTest(arguments=arguments):
                self.assertIn(words, self.run_it(*arguments, code=2).stderr)
        french = relais("conflict", language="fr")
        self.assertIn("list, show ou choose", french.stderr)


class Sealed(Conflict):
    """The same of a sensitive form, whose answers the ledger keeps sealed."""

    def two_sealed(self):
        return self.two(form=situations.SEALED)

    def test_answers_are_shown_with_the_key_only(self):
        _, first, second = self.two_sealed()
        without = self.run_it("show", second, code=1)
        self.assertIn("--key FILE", without.stderr)
        self.assertNotRegex(without.stdout, r"A 14")
        self.assertEqual(json.loads(self.run_it("show", second, "--json", code=1).stdout)["compared"], "sealed")
        shown = json.loads(self.run_it("show", second, "--json", key=keys.private).stdout)
        self.assertIn({"path": "/data/age", "a": "14", "b": "15"}, shown["differences"])

    def test_another_key_opens_nothing(self):
        _, _, second = self.two_sealed()
        os.makedirs(os.path.join(situations.directory, "other"), exist_ok=True)
        other = Keys(os.path.join(situations.directory, "other")).make()
        self.assertIn("does not open", self.run_it("show", second, key=other.private, code=1).stderr)

    def test_rows_of_versions_that_wait_are_compared_without_the_key(self):
        """Two edits whose parent has not come: the ledger keeps what their rows say."""
        parent, one, other = (new_id() for _ in range(3))
        self.put(document(one, parent, form=situations.SEALED, age=15), at(1))
        self.put(document(other, parent, form=situations.SEALED, age=16), at(2))
        self.forward()
        shown = json.loads(self.run_it("show", self.versions(other)[0]["sub_id"], "--json").stdout)
        self.assertEqual(shown["compared"], "rows")
        self.assertEqual(shown["differences"], [{"path": "sit.visit.age", "a": "15", "b": "16"}])

    def test_the_later_version_can_be_chosen_without_the_key(self):
        """The ledger kept its rows; going back to the first takes the key."""
        instance, first, second = self.two_sealed()
        self.choose(second)
        self.assertEqual(self.ages(instance), [15])
        self.assertIn("--key", self.choose(first, code=1).stderr)
        self.assertEqual(self.ages(instance), [15])
        self.choose(first, key=keys.private)
        self.assertEqual(self.ages(instance), [14])
        self.choose(second)
        self.assertEqual(self.ages(instance), [15])

    def test_nothing_is_kept_in_the_clear(self):
        _, _, second = self.two_sealed()
        self.choose(second)
        self.assertEqual(rows("SELECT 1 FROM relais.submission WHERE form_id = 'sit_sealed' AND seal IS NULL"), [])


if __name__ == "__main__":
    unittest.main()
