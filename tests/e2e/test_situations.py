"""Situations that users of other systems suffered, one test each: the table is in tests/README.md.

Split posts go through the real web server; edits and contradictions are parcels with the times at
which web servers received them, since it is these, and not the order of arrival, that must count.
"""
import concurrent.futures
import itertools
import os
import pathlib
import re
import shutil
import unicodedata
import unittest

import collect
import situations
import wire
from situations import MAPPING, Situation, at, database, document, new_id, relais, rows, server
from webserver import wait_until

TESTS = pathlib.Path(__file__).resolve().parents[1]


def setUpModule():
    situations.start()


class SplitPosts(Situation):
    """A submission that comes in several POSTs, each with the same XML."""

    def three_parts(self):
        instance = new_id()
        names = ["1.jpg", "2.jpg", "3.jpg"]
        xml = document(instance, name="Awa", age=14, legs=[(f"p{name}", name) for name in names])
        return instance, xml, [(name, name.encode() * 100) for name in names]

    def test_parts_in_any_order(self):
        for order in itertools.permutations(range(3)):
            with self.subTest(order=order):
                instance, xml, files = self.three_parts()
                missing = {name for name, _ in files}
                for number, which in enumerate(order):
                    self.assertEqual(self.post(xml, [files[which]], is_incomplete=which < 2), 201)
                    self.forward()
                    missing.discard(files[which][0])
                    self.assert_state(instance, "delivered" if number == 2 else "partial", missing)
                self.assertEqual(self.files(instance), [(name, data, True) for name, data in files])
                self.assertEqual(self.visits(instance)[0]["legs"], ["p1.jpg", "p2.jpg", "p3.jpg"])

    def test_the_middle_part_lost_and_sent_again(self):
        """Collect begins again from part one: what is there already must not hide what is new."""
        instance, xml, files = self.three_parts()
        for which in (0, 2):
            self.post(xml, [files[which]], is_incomplete=which < 2)
        self.forward()
        self.assert_state(instance, "partial", ["2.jpg"])
        self.assertEqual(self.visits(instance)[0]["age"], 14, "rows do not wait for photos")
        for which in range(3):
            self.assertEqual(self.post(xml, [files[which]], is_incomplete=which < 2), 201)
        self.forward()
        self.assert_state(instance, "delivered")
        self.assertEqual(self.files(instance), [(name, data, True) for name, data in files])

    def test_parts_that_wait_together(self):
        """All of them, twice, in one batch of the forwarder."""
        instance, xml, files = self.three_parts()
        for which in (2, 0, 1, 0, 1, 2):
            self.post(xml, [files[which]])
        self.forward()
        self.assert_state(instance, "delivered")
        self.assertEqual(len(self.files(instance)), 3)

    def test_a_later_part_that_fails_takes_nothing_back(self):
        instance, xml, files = self.three_parts()
        self.post(xml, files[:2], is_incomplete=True)
        broken = b"--b\r\nContent-Disposition: form-data; name=\"xml_submission_file\"\r\n\r\n" + xml
        self.assertEqual(self.post_body(broken, "multipart/form-data; boundary=b").status, 400)
        self.forward()
        self.assert_state(instance, "partial", ["3.jpg"])
        self.assertEqual([name for name, _, _ in self.files(instance)], ["1.jpg", "2.jpg"])

    def test_parts_of_an_edit(self):
        """An edit need not send again what it leaves as it is, and waits for what is new."""
        first, second = new_id(), new_id()
        old, new = document(first, name="Awa", legs=[("a", "1.jpg"), ("b", "2.jpg")]), document(
            second, first, name="Awa", legs=[("a", "1.jpg"), ("b", "3.jpg"), ("c", "4.jpg")])
        self.post(new, [("4.jpg", b"4")])  # the edit begins to arrive before what it edits
        self.forward()
        self.assert_state(second, "partial", ["1.jpg", "3.jpg"])
        self.post(old, [("1.jpg", b"1")], is_incomplete=True)
        self.forward()
        self.assert_state(first, "superseded")
        self.post(new, [("3.jpg", b"3")])
        self.forward()
        self.assert_state(second, "delivered")
        self.post(old, [("2.jpg", b"2")])
        self.forward()
        self.assertEqual([name for name, _, _ in self.files(first)], ["1.jpg", "2.jpg"])
        self.assertEqual(self.visits(first)[0]["legs"], ["a", "b", "c"])

    def test_enketo_splits_without_the_flag(self):
        """It sends batches by size, the XML each time, and no *isIncomplete*; names are any Unicode."""
        instance = new_id()
        names = ["photo é-9_4_59.jpg", "صورة-9_5_1.png"]
        xml = document(instance, legs=[("x", name) for name in names])
        for name in names:
            self.assertEqual(self.post(xml, names=[(name, name, name.encode())]), 201)
        self.forward()
        self.assert_state(instance, "delivered")
        self.assertEqual(len(self.files(instance)), 2)

    def test_101_files(self):
        instance = new_id()
        files = [(f"{number}.jpg", b"%d" % number) for number in range(102)]
        xml = document(instance, legs=[("x", name) for name, _ in files])
        with collect.Phone(server.url) as phone:
            self.assertEqual(phone.send(xml, files).statuses, [201, 201])
        self.forward()
        self.assert_state(instance, "delivered")
        self.assertEqual(len(self.files(instance)), 102)

    def test_the_last_file_comes_months_later(self):
        instance = new_id()
        xml = document(instance, photo="p.jpg")
        self.put(xml, "2026-03-02T10:00:00.000Z")
        self.forward()
        self.assert_state(instance, "partial", ["p.jpg"])
        self.put(xml, "2026-11-02T10:00:00.000Z", files=[("p.jpg", b"P")])
        self.forward()
        self.assert_state(instance, "delivered")
        self.assertEqual(self.files(instance), [("p.jpg", b"P", True)])

    def test_the_same_name_with_other_bytes(self):
        """Neither replaces the other: both are evidence."""
        instance = new_id()
        xml = document(instance, photo="p.jpg")
        self.post(xml, [("p.jpg", b"first")])
        self.forward()
        self.assertEqual(self.post(xml, [("p.jpg", b"second")]), 201)
        self.forward()
        self.assertEqual(self.files(instance), [("p.jpg", b"first", True), ("p.jpg", b"second", True)])
        self.assert_state(instance, "delivered")

    def test_files_that_nobody_names(self):
        """A replaced photo, audit.csv, a name in another case: kept, and marked."""
        instance = new_id()
        self.post(document(instance, photo="p.jpg"), [("p.jpg", b"P"), ("P.JPG", b"X"), ("audit.csv", b"event\n")])
        self.forward()
        self.assert_state(instance, "delivered")
        self.assertEqual(self.files(instance), [("P.JPG", b"X", False), ("audit.csv", b"event\n", False),
                                                ("p.jpg", b"P", True)])

    def test_a_name_in_another_case_is_not_the_file(self):
        instance = new_id()
        self.post(document(instance, photo="p.jpg"), [("P.JPG", b"X")])
        self.forward()
        self.assert_state(instance, "partial", ["p.jpg"])
        self.assertEqual(self.files(instance), [("P.JPG", b"X", False)])

    def test_a_name_in_another_normal_form_is_the_file(self):
        """é as one character or as two: file systems and form builders write either."""
        instance = new_id()
        name = "relevé.jpg"
        self.post(document(instance, photo=unicodedata.normalize("NFD", name)),
                  [(unicodedata.normalize("NFC", name), b"P")])
        self.forward()
        self.assert_state(instance, "delivered")
        self.assertEqual([expected for _, _, expected in self.files(instance)], [True])

    def test_files_of_no_bytes(self):
        instance = new_id()
        self.post(document(instance, photo="p.jpg"), [("p.jpg", b""), ("q.jpg", b"")])
        self.forward()
        self.assert_state(instance, "delivered")
        self.assertEqual(self.files(instance), [("p.jpg", b"", True), ("q.jpg", b"", False)])

    def test_files_named_by_the_question_and_not_by_their_name(self):
        """A part's name is data: the file name that the answers give finds it all the same."""
        instance = new_id()
        self.post(document(instance, photo="p.jpg"), names=[("photo", "p.jpg", b"P")])
        self.forward()
        self.assert_state(instance, "delivered")

    def test_what_is_partial_is_counted_with_what_is_missing(self):
        self.post(document(new_id(), photo="never.jpg"))
        self.forward()
        shown = relais("status")
        self.assertEqual(shown.returncode, 0, shown.stderr)
        self.assertRegex(shown.stdout, r"partial")
        self.assertRegex(relais("status", "--prometheus").stdout,
                         r'relais_ledger_missing_files\{form="sit"\} [1-9]')


class Edits(Situation):
    """Chains of edits: the rows are those of the last version, whatever came when."""

    def chain(self):
        """Four versions: answers change, are cleared; the first leg goes; the place moves between groups."""
        ids = [new_id() for _ in range(4)]
        return ids, [
            document(ids[0], name="Awa", age=14, note="n", home="Kaya", legs=["one", "two"]),
            document(ids[1], ids[0], name="Awa", age=15, note="n", home="Kaya", legs=["one", "two", "three"]),
            document(ids[2], ids[1], name="Awa", age=15, note="", home="Kaya", legs=["two", "three"]),
            document(ids[3], ids[2], name="Awa B.", age="", note="", trip="Dori", legs=["three"]),
        ]

    EXPECTED = {"name": "Awa B.", "age": None, "note": None, "place": "Dori", "legs": ["three"]}

    def test_all_24_orders_of_four_versions(self):
        """Each order delivers version by version; all 24 records end in the same rows."""
        chains = [(order, *self.chain()) for order in itertools.permutations(range(4))]
        for step in range(4):
            for order, ids, xml in chains:
                self.put(xml[order[step]], at(order[step]))
            self.forward()
        for order, ids, _ in chains:
            with self.subTest(order=order):
                self.assertEqual(self.states(*ids), list(zip(ids, ["superseded"] * 3 + ["delivered"])))
                self.assertEqual(self.visits(*ids), [{**self.EXPECTED, "record": ids[0], "version": ids[3]}])
                self.assertEqual({row["record_id"] for row in self.versions(*ids)}, {ids[0]})

    def test_all_24_orders_in_one_batch(self):
        chains = [(order, *self.chain()) for order in itertools.permutations(range(4))]
        for order, ids, xml in chains:
            for which in order:
                self.put(xml[which], at(which))
        self.forward()
        for order, ids, _ in chains:
            with self.subTest(order=order):
                self.assertEqual(self.visits(*ids), [{**self.EXPECTED, "record": ids[0], "version": ids[3]}])

    def test_every_order_when_times_say_nothing(self):
        """A phone's queue is emptied within one millisecond: the links alone order the versions."""
        chains = [(order, *self.chain()) for order in itertools.permutations(range(4))]
        for step in range(4):
            for order, ids, xml in chains:
                self.put(xml[order[step]], at(0))
            self.forward()
        for order, ids, _ in chains:
            with self.subTest(order=order):
                self.assertEqual(self.visits(*ids), [{**self.EXPECTED, "record": ids[0], "version": ids[3]}])

    def edit(self, before, after):
        """The row after an edit, each version delivered by itself."""
        first, second = new_id(), new_id()
        self.put(document(first, **before), at(1))
        self.forward()
        self.put(document(second, first, **after), at(2))
        self.forward()
        self.assertEqual(self.states(first, second), [(first, "superseded"), (second, "delivered")])
        return self.visits(first)[0]

    def test_an_edit_that_clears_answers(self):
        row = self.edit({"name": "Awa", "age": 14, "note": "n"}, {"name": "Awa", "age": "", "note": ""})
        self.assertEqual((row["name"], row["age"], row["note"]), ("Awa", None, None))

    def test_an_edit_that_leaves_answers_out(self):
        """A question that is no longer relevant is absent, not empty."""
        row = self.edit({"name": "Awa", "age": 14, "home": "Kaya"}, {"name": "Awa"})
        self.assertEqual((row["name"], row["age"], row["place"]), ("Awa", None, None))

    def test_an_edit_that_drops_the_first_repeat(self):
        self.assertEqual(self.edit({"legs": ["one", "two", "three"]}, {"legs": ["two", "three"]})["legs"], ["two", "three"])

    def test_an_edit_that_drops_all_repeats(self):
        self.assertIsNone(self.edit({"legs": ["one", "two"]}, {"name": "Awa"})["legs"])

    def test_an_edit_that_moves_a_field_between_groups(self):
        self.assertEqual(self.edit({"home": "Kaya"}, {"trip": "Dori"})["place"], "Dori")

    def test_the_original_sent_again_after_an_edit(self):
        """The phone never saw the first 201: it must see one now, and nothing must move."""
        first, second = new_id(), new_id()
        original = document(first, name="Awa", age=14)
        self.assertEqual(self.post(original), 201)
        self.post(document(second, first, name="Awa", age=15))
        self.forward()
        before = self.versions(first, second)
        for _ in range(3):
            self.assertEqual(self.post(original), 201)
        self.forward()
        self.assertEqual(self.versions(first, second), before)
        self.assertEqual(self.visits(first)[0]["age"], 15)

    def test_an_edit_of_a_quarantined_version(self):
        """The mend of what could not be delivered, whichever comes first."""
        for order in ((0, 1), (1, 0)):
            with self.subTest(order=order):
                first, second = new_id(), new_id()
                versions = [document(first, name="Awa", age=999), document(second, first, name="Awa", age=99)]
                for which in order:
                    self.put(versions[which], at(which))
                    self.forward()
                self.assertEqual([(row["record"], row["age"]) for row in self.visits(first, second)], [(first, 99)])
                self.assertEqual(self.states(second), [(second, "delivered")])

    def test_an_edit_that_is_refused_leaves_the_version_before(self):
        first, second = new_id(), new_id()
        self.put(document(first, age=14), at(1))
        self.put(document(second, first, age=999), at(2))
        self.forward()
        self.assertEqual(self.states(first, second), [(first, "delivered"), (second, "quarantined")])
        self.assertEqual(self.visits(first)[0]["age"], 14)
        self.assertEqual(len(self.quarantined()), 1)

    def test_two_edits_of_one_parent(self):
        """Both are kept; the one received first is current; the other is shown as a conflict."""
        for order in itertools.permutations(range(3)):
            with self.subTest(order=order):
                ids = [new_id() for _ in range(3)]
                versions = [document(ids[0], age=14), document(ids[1], ids[0], age=15), document(ids[2], ids[0], age=16)]
                for which in order:
                    self.put(versions[which], at(which))
                    self.forward()
                self.assertEqual([state for _, state in self.states(*ids)], ["superseded", "delivered", "conflict"])
                self.assertEqual([row["age"] for row in self.visits(*ids)], [15])
                listed = relais("conflict", "list")
                self.assertIn(self.versions(ids[2])[0]["sub_id"], listed.stdout)

    def test_an_edit_with_the_version_attribute_of_before(self):
        """Web forms leave the old version on an edit that has new fields."""
        first, second = new_id(), new_id()
        self.put(document(first, name="Awa", version="1"), at(1))
        self.put(document(second, first, name="Awa", trip="Dori", version="1"), at(2))
        self.forward()
        self.assertEqual(self.visits(first)[0]["place"], "Dori")


class SameIdOtherBytes(Situation):
    """One instanceID, two contents: an upload was broken off, the form changed, and sent again."""

    def test_both_are_kept_byte_for_byte(self):
        for order in ((0, 1), (1, 0)):
            with self.subTest(order=order):
                instance = new_id()
                versions = [document(instance, age=14, photo="p.jpg"), document(instance, age=15, photo="p.jpg")]
                for which in order:
                    self.put(versions[which], at(which))
                    self.forward()
                kept = self.versions(instance)
                self.assertEqual([bytes.fromhex(row["xml"]) for row in kept], versions)
                self.assertEqual([row["state"] for row in kept], ["partial", "conflict"])
                self.assertEqual([row["age"] for row in self.visits(instance)], [14])

    def test_the_phone_is_thanked_for_both(self):
        instance = new_id()
        self.assertEqual([self.post(document(instance, age=age)) for age in (14, 15, 14, 15)], [201] * 4)
        self.forward()
        self.assertEqual(len(self.versions(instance)), 2)

    def test_files_of_both_are_kept(self):
        instance = new_id()
        self.post(document(instance, age=14, photo="p.jpg"), [("p.jpg", b"one")])
        self.post(document(instance, age=15, photo="p.jpg"), [("p.jpg", b"two")])
        self.forward()
        self.assertEqual([data for _, data, _ in self.files(instance)], [b"one", b"two"])

    def test_fifty_at_once_are_two(self):
        instance = new_id()
        with concurrent.futures.ThreadPoolExecutor(10) as pool:
            answers = list(pool.map(lambda n: self.post(document(instance, age=14 + n % 2)), range(50)))
        self.assertEqual(set(answers), {201})
        self.forward()
        self.assertEqual(sorted(row["state"] for row in self.versions(instance)), ["conflict", "delivered"])

    def test_the_same_submission_months_later(self):
        instance = new_id()
        xml = document(instance, age=14)
        self.put(xml, "2026-03-02T10:00:00.000Z")
        self.forward()
        before = self.versions(instance), self.visits(instance)
        self.put(xml, "2026-11-02T10:00:00.000Z", device="collect:another")
        self.forward()
        self.assertEqual((self.versions(instance), self.visits(instance)), before)

    def test_the_same_id_in_another_form_is_another_submission(self):
        instance = new_id()
        self.put(document(instance, age=14), at(1))
        self.put(document(instance, age=15, form=situations.SEALED), at(2))
        self.forward()
        self.assertEqual([row["state"] for row in self.versions(instance)], ["delivered", "delivered"])


    def test_an_unfinished_form_imported_and_then_finished(self):
        """Collect keeps drafts beside what is finished, and nothing in the XML tells them apart."""
        instance = new_id()
        folder = pathlib.Path(situations.directory, "stick", "instances", "F_2026-03-02_10-15-04")
        folder.mkdir(parents=True)
        self.addCleanup(shutil.rmtree, folder.parents[1])
        (folder / f"{folder.name}.xml").write_bytes(document(instance, name="Awa"))
        self.assertEqual(relais("import", str(folder.parents[1])).returncode, 0)
        self.forward()
        finished = document(instance, name="Awa", age=14)
        self.assertEqual(self.post(finished), 201)
        self.forward()
        self.assertEqual(sorted(row["state"] for row in self.versions(instance)), ["conflict", "delivered"])
        later = next(row for row in self.versions(instance) if bytes.fromhex(row["xml"]) == finished)
        done = relais("conflict", "choose", later["sub_id"], "--by", "K. Ouedraogo", "--reason", "the finished one")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.visits(instance)[0]["age"], 14)


class Versions(Situation):
    """A form's versions, and what a mapping knows of them."""

    def test_a_version_that_the_mapping_learns(self):
        """The phone has its 201; the submission waits for whoever keeps the mapping."""
        instance, form = new_id(), "sit_versions"
        server.publish(form + ".xml", situations.XFORM.format(form=form).encode())
        situations.write_mapping(form, MAPPING.format(form=form, more=' versions="1"'))
        self.addCleanup(os.unlink, os.path.join(situations.mappings, form + ".xml"))
        xml = document(instance, name="Awa", form=form, version="2")
        wait_until(lambda: self.post(xml) == 201, 10, "the form to be published")
        self.forward()
        self.assertEqual(self.states(instance), [(instance, "quarantined")])
        self.assertEqual(self.versions(instance)[0]["reason"]["class"], "unknown-version")
        self.assertEqual(self.visits(instance), [])
        situations.write_mapping(form, MAPPING.format(form=form, more=' versions="1 2"'))
        self.assertEqual(relais("quarantine", "replay", "--all").returncode, 0)
        self.forward()
        self.assertEqual(self.states(instance), [(instance, "delivered")])
        self.assertEqual(self.visits(instance)[0]["name"], "Awa")

    def test_answers_that_no_path_picks_up_are_listed(self):
        instance = new_id()
        self.post(document(instance, name="Awa", nickname="A"))
        self.forward()
        self.assert_state(instance, "delivered")
        self.assertEqual(rows(f"SELECT unmapped FROM relais.submission WHERE instance_id = '{instance}'"),
                         [{"unmapped": ["/data/nickname"]}])


class NestedRepeats(Situation):
    """Repeats in repeats in repeats: each row has its parent, before and after an edit."""

    def tree(self, instance, houses, deprecated=None):
        def element(kind, name, within=""):
            return f"<{kind}><name>{name}</name>{within}</{kind}>"
        body = "".join(element("house", house, "".join(
            element("person", person, "".join(element("illness", one) for one in illnesses))
            for person, illnesses in people)) for house, people in houses)
        return document(instance, deprecated, form="nest").replace(b"<orx:meta>", body.encode() + b"<orx:meta>")

    def joined(self, record):
        return [tuple(row.values()) for row in rows(
            "SELECT h.name AS house, p.name AS person, i.name AS illness FROM sit.visit v JOIN sit.house h USING (visit_id)"
            " LEFT JOIN sit.person p USING (visit_id, house) LEFT JOIN sit.illness i USING (visit_id, house, person)"
            f" WHERE v.record = '{record}' ORDER BY h.house, p.person, i.seq")]

    def test_three_levels_join_and_an_edit_takes_the_middle_out(self):
        first, second = new_id(), new_id()
        self.put(self.tree(first, [("A", [("Awa", ["m", "n"]), ("Ali", [])]), ("B", []), ("C", [("Ada", ["m"])])]), at(1))
        self.forward()
        self.assertEqual(self.joined(first), [("A", "Awa", "m"), ("A", "Awa", "n"), ("A", "Ali", None),
                                              ("B", None, None), ("C", "Ada", "m")])
        self.put(self.tree(second, [("A", [("Ali", ["x"])]), ("C", [("Ada", [])])], first), at(2))
        self.forward()
        self.assertEqual(self.joined(first), [("A", "Ali", "x"), ("C", "Ada", None)])


class TooLarge(Situation):
    """What a phone can never send: the office hears of it the same day."""

    def setUp(self):
        super().setUp()
        database.psql(situations.NAME, "DELETE FROM relais.refusal")

    def refuse(self, instance, device="collect:old", form="sit"):
        """A phone whose network breaks within a film of 300 MB, as it always will."""
        boundary, runs, _ = wire.multipart(collect.submission_parts(
            document(instance, photo="film.mp4", form=form), [collect.File("film.mp4", b"x" * 100_000)]))
        with wire.Connection("127.0.0.1", server.port, timeout=30) as connection:
            connection.write(wire.head("POST", f"/openrosa/submission?deviceID={device}", [
                ("Host", "phone"), ("Content-Type", f"multipart/form-data; boundary={boundary}"),
                ("Content-Length", str(300 << 20))]), wire.joined(runs))
            wait_until(self.notes, 5, "a note")

    @staticmethod
    def notes():
        return [path for path in pathlib.Path(server.spool, "00", "new").glob(".*.note") if b"\nid: " in path.read_bytes()]

    def refusals(self):
        return rows("SELECT source, device_id, submitted_by, form_id, instance_id, form_version, size, times,"
                    " day = (now() AT TIME ZONE 'UTC')::date AS is_today FROM relais.refusal ORDER BY device_id")

    def test_the_office_hears_of_it(self):
        instance = new_id()
        self.refuse(instance)
        self.forward()
        self.assertEqual(self.refusals(), [{
            "source": "serve", "device_id": "collect:old", "submitted_by": "", "form_id": "sit", "instance_id": instance,
            "form_version": "1", "size": 300 << 20, "times": 1, "is_today": True}])
        self.assertEqual(self.notes(), [])
        self.assertRegex(relais("status").stdout, rf"(?m)^collect:old +- +sit +{instance} +300 MB +100 MB +1 ")

    def test_its_tries_are_counted_on_one_line(self):
        instance = new_id()
        for _ in range(3):
            self.refuse(instance)
            self.forward()
        self.assertEqual([row["times"] for row in self.refusals()], [3])

    def test_a_forwarder_killed_before_it_removed_the_note_counts_it_once(self):
        self.refuse(new_id())
        [note] = self.notes()
        copy = note.read_bytes()
        for _ in range(2):
            self.forward()
            self.assertEqual([row["times"] for row in self.refusals()], [1])
            note.write_bytes(copy)
        self.forward()

    def test_a_flood_fills_no_table(self):
        """Whoever can reach the server can cause a note, in front of other servers without a password."""
        database.psql(situations.NAME, "INSERT INTO relais.refusal SELECT (now() AT TIME ZONE 'UTC')::date, 'serve',"
                      " 'flood:' || n, '', '', '', '', 1, 1, now(), now(), 1, gen_random_uuid() FROM generate_series(1, 1000) n")
        for device in ("flood:new", "flood:newer", "flood:1"):
            self.refuse("", device, "")
            self.forward()
        found = {row["device_id"]: row for row in self.refusals()}
        self.assertEqual(len(found), 1001)
        self.assertEqual((found[""]["source"], found[""]["times"]), ("autres", 2))
        self.assertIn("(many others)", relais("status").stdout)

    def test_old_ones_are_forgotten(self):
        database.psql(situations.NAME, "INSERT INTO relais.refusal SELECT (now() AT TIME ZONE 'UTC')::date - 91, 'serve',"
                      " 'collect:gone', '', '', '', '', 1, 1, now(), now(), 1, gen_random_uuid()")
        self.refuse(new_id())
        self.forward()
        self.assertEqual([row["device_id"] for row in self.refusals()], ["collect:old"])

    def test_a_note_that_is_none_holds_up_nothing(self):
        path = pathlib.Path(server.spool, "00", "new", ".07.note")
        for text in ("relais-note: 1\nreceived: some day\nsource: serve\nid: " + "0" * 32 + "\n", "x\n"):
            path.write_text(text, encoding="utf-8")
            os.utime(path, (0, 0))
            instance = new_id()
            self.post(document(instance))
            self.forward()
            self.assert_state(instance, "delivered")
            self.assertFalse(path.exists())
        self.assertEqual(self.refusals(), [])


class Table(unittest.TestCase):
    """The table of tests/README.md."""

    def is_there(self, name):
        path, _, test = name.partition("::")
        if path.startswith("cases/"):
            return any((TESTS / path).parent.glob((TESTS / path).name + ".*"))
        if path.startswith("unit/"):
            return re.search(rf"^static void {test}\(", (TESTS / (path + ".c")).read_text(), re.M)
        wanted, _, method = test.partition(".")
        within = (TESTS / path).read_text().partition(f"\nclass {wanted}")[2].partition("\nclass ")[0]
        return f"    def {method}(self" in within

    def test_every_test_of_the_table_exists(self):
        table = (TESTS / "README.md").read_text().partition("\n## What users of other systems suffered\n")[2]
        lines = [line for line in table.partition("\n## ")[0].splitlines() if line.startswith("| ")][1:]
        self.assertGreater(len(lines), 50)
        for line in lines:
            situation, _, shown = line.strip("| ").partition(" |")
            names = re.findall(r"`((?:e2e|crash|unit|cases)/[^`]+)`", shown)
            with self.subTest(situation=situation):
                self.assertTrue(names or "does not apply" in shown or "`serve`" in shown or situation.startswith("**"))
                self.assertEqual([name for name in names if not self.is_there(name)], [])


if __name__ == "__main__":
    unittest.main()
