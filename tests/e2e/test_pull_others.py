"""relais pull from stand-ins of Aggregate (the Briefcase API), KoBoToolbox and Ona.
"""
import datetime
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from command import FAILED, OK, database, start_database, write  # noqa: E402
from pulling import Pulling, new_id, parts, visit_xml  # noqa: E402
import briefcase  # noqa: E402
import records  # noqa: E402
from standin import Reply, iso, now  # noqa: E402


def setUpModule():
    start_database()


def tearDownModule():
    database.remove()


def ago(**span):
    return now() - datetime.timedelta(**span)


class Others(Pulling):
    form = "visit"

    def state(self):
        return super().state(self.form)

    def submit(self, count=1, **options):
        ids = [new_id() for _ in range(count)]
        for number, instance in enumerate(ids):
            self.server.submit(self.form, visit_xml(instance, f"c{number}"), **options)
        return ids


# ---- the Briefcase API ---------------------------------------------------------------------


class BriefcaseCase(Others):
    source = "kind = briefcase\n"
    credentials = f"user: {briefcase.USER}\npassword: {briefcase.PASSWORD}\n"


class Aggregate(BriefcaseCase):
    server_class = briefcase.Briefcase

    def test_submissions_with_their_files(self):
        root = new_id()
        self.server.submit("visit", visit_xml(root, photo="é 1.jpg"), {"é 1.jpg": b"photo"},
                           datetime.datetime(2026, 3, 2, 10, 15, 4, tzinfo=datetime.timezone.utc))
        self.assertEqual(self.pull()["files"], 1)
        [(head, body)] = self.parcels()
        self.assertEqual((head["source"], head["instance"], head["received"]),
                         ("pull:briefcase", root, "2026-03-02T10:15:04.000Z"))
        found = parts(head, body)
        self.assertEqual(found["é 1.jpg"], b"photo")
        xml = found["xml_submission_file"].decode()
        for added in ("submissionDate", "isComplete", "markedAsComplete", " instanceID=",
                      briefcase.NAMESPACE):
            self.assertNotIn(added, xml)
        self.assertIn('xmlns:orx="http://openrosa.org/xforms"', xml)
        self.assertIn("<code>c1</code>", xml)

    def test_pages_until_the_list_is_empty_and_then_nothing(self):
        ids = self.submit(250)
        self.assertEqual(self.pull()["pulled"], 250)
        self.assertEqual(sorted(self.xmls()), sorted(ids))
        self.empty_spool()
        self.assertEqual(self.pull()["listed"], 0)
        [new] = self.submit(1)
        self.assertEqual(self.pull()["pulled"], 1)
        self.assertEqual(list(self.xmls()), [new])

    def test_a_late_file_lists_the_submission_again_with_the_same_xml(self):
        root = new_id()
        self.server.submit("visit", visit_xml(root, photo="a.jpg"), {"a.jpg": None})
        self.pull()
        [before] = self.xmls()[root]
        self.empty_spool()
        self.server.attach("visit", root, "a.jpg", b"late")
        self.assertEqual(self.pull()["files"], 1)
        self.assertEqual(self.xmls()[root], [before])

    def test_a_file_that_was_changed_on_its_way_is_asked_for_again(self):
        root = new_id()
        self.server.submit("visit", visit_xml(root, photo="a.jpg"), {"a.jpg": b"true"})
        self.server.fail(lambda *_: Reply(200, b"false", "image/jpeg"), path="binaryData")
        told = self.pull(code=FAILED)
        self.assertEqual((told["pulled"], told["files"], told["waiting_for_files"]), (1, 0, 1))
        self.assertEqual(self.pull()["files"], 1)

    def test_captured_live_and_pulled_in_other_bytes_is_once(self):
        self.prepare_database()
        for copy_first in (False, True):
            with self.subTest(copy_first=copy_first):
                root = new_id()
                xml = visit_xml(root, code=f"c{copy_first}", note="one")
                self.server.submit("visit", xml, when=ago(days=1))

                def capture():
                    self.parcel("00/new", f"20260302T101504.123456Z-{int(copy_first):032x}.parcel",
                                xml, form="visit", instance=root, source="capture", received=iso(now()))
                    self.forward()

                def pull():
                    self.pull()
                    self.forward()
                for step in (pull, capture) if copy_first else (capture, pull):
                    step()
                self.assertEqual(
                    self.sql("SELECT string_agg(source || ' ' || state, ', ' ORDER BY source)"
                             f" FROM relais.submission WHERE instance_id = '{root}';"),
                    "capture delivered, pull:briefcase superseded")
                self.assertEqual(self.sql("SELECT count(*) FROM lab.visit v JOIN relais.submission s"
                                          f" USING (sub_id) WHERE s.instance_id = '{root}'"
                                          " AND s.source = 'capture';"), "1")
        self.assertEqual(self.sql("SELECT count(*) FROM lab.visit;"), "2")

    def test_faults_of_the_list(self):
        ids = self.submit(150)
        for action, word in (("html", "web page"), ("half", "not the XML"), (500, "500"),
                             ("huge", "longer than")):
            self.server.fail(action, path="submissionList", times=9)
            self.pull(code=FAILED)
            self.assertIn(word, self.said)
            self.server.heal()
        self.pull()
        self.assertEqual(sorted(self.xmls()), sorted(ids))
        self.assertEqual(len(self.parcels()), 150)

    def test_a_cursor_that_does_not_move(self):
        ids = self.submit(150)
        first = []

        def repeat(_, good):
            first.append(good)
            return first[0]
        self.server.fail(repeat, path="submissionList", times=9)
        told = self.pull(code=FAILED)
        self.assertIn("does not move on", told["error"]["text"])
        self.server.heal()
        self.pull()
        self.assertEqual(sorted(self.xmls()), sorted(ids))

    def test_since_is_refused_with_a_reason(self):
        self.submit(1)
        self.pull("--since", "2026-03-02", code=FAILED)
        self.assertIn("no dates", self.said)

    def test_wrong_credentials(self):
        write(self.secret, "user: x\npassword: y\n")
        self.pull(code=FAILED)
        self.assertIn("credentials are wrong", self.said)


class BriefcaseOfKobo(BriefcaseCase):
    def server_class(self):
        return briefcase.Briefcase("kobo")

    def test_numbers_as_cursors(self):
        ids = self.submit(120)
        self.assertEqual(self.pull()["pulled"], 120)
        self.assertEqual(sorted(self.xmls()), sorted(ids))
        self.assertEqual(self.state()["place"], {"cursor": "120"})
        self.assertEqual(self.pull()["listed"], 0)


# ---- KoBo ----------------------------------------------------------------------------------


class Kobo(Others):
    server_class = records.Kobo
    form = "aXyZ"
    source = f"kind = kobo\nforms = {form}\nrecheck = 0\n"
    credentials = f"token: {records.TOKEN}\n"

    def test_submissions_with_their_files(self):
        root = new_id()
        xml = visit_xml(root, photo="a b.jpg")
        self.server.submit(self.form, xml, {"a b.jpg": b"photo"},
                           datetime.datetime(2026, 3, 2, 10, 15, 4, tzinfo=datetime.timezone.utc))
        self.assertEqual(self.pull()["files"], 1)
        [(head, body)] = self.parcels()
        self.assertEqual((head["source"], head["user"], head["received"]),
                         ("pull:kobo", "agent-017", "2026-03-02T10:15:04.000Z"))
        self.assertEqual(parts(head, body), {"xml_submission_file": xml, "a b.jpg": b"photo"})
        self.assertNotIn("note", self.server.asked("query=")[0])

    def test_a_user_with_a_password_will_do(self):
        write(self.secret, f"user: {records.USER}\npassword: {records.PASSWORD}\n")
        self.submit(1)
        self.assertEqual(self.pull()["pulled"], 1)

    def test_what_a_browser_sent_without_a_declaration_keeps_its_bytes(self):
        root = new_id()
        xml = visit_xml(root).partition(b"?>")[2]
        self.server.submit(self.form, xml)
        self.pull()
        self.assertEqual(self.xmls(), {root: [xml]})

    def test_pages_and_then_nothing(self):
        ids = self.submit(1100)
        told = self.pull()
        self.assertEqual((told["pulled"], sorted(self.xmls()) == sorted(ids)), (1100, True))
        self.empty_spool()
        told = self.pull()
        self.assertEqual((told["pulled"], told["known"]), (0, 1100))

    def test_an_edit_keeps_its_number_and_is_found(self):
        first, second = new_id(), new_id()
        number = self.server.submit(self.form, visit_xml(first))
        self.submit(3)
        self.pull()
        self.empty_spool()
        self.server.edit(self.form, number, visit_xml(second, note="two", old=first))
        told = self.pull()
        self.assertEqual((told["pulled"], told["known"]), (1, 3))
        self.assertEqual(list(self.xmls()), [second])
        self.assertEqual(self.pull()["pulled"], 0)

    def test_edits_are_looked_for_at_intervals(self):
        self.source = self.source.replace("recheck = 0", "recheck = 60")
        self.configure()
        first = new_id()
        number = self.server.submit(self.form, visit_xml(first))
        self.pull()
        self.server.edit(self.form, number, visit_xml(new_id(), old=first))
        self.assertEqual(self.pull()["pulled"], 0)
        state = self.state()
        state["place"]["rechecked"] = "2026-03-02T10:15:04.000Z"
        write(os.path.join(self.spool, "sources/there", self.form + ".json"), json.dumps(state))
        self.assertEqual(self.pull()["pulled"], 1)

    def test_a_late_file_is_found(self):
        number = self.server.submit(self.form, visit_xml(new_id(), photo="a.jpg"))
        self.pull()
        self.server.attach(self.form, number, "a.jpg", b"late")
        self.assertEqual(self.pull()["files"], 1)
        self.assertEqual(self.pull()["files"], 0)

    def test_a_deletion_is_told_once(self):
        number = self.server.submit(self.form, visit_xml(new_id()))
        self.submit(2)
        self.pull()
        self.server.delete(self.form, number)
        self.assertEqual(self.pull()["deleted_ids"], [str(number)])
        self.assertEqual(self.pull()["deleted"], 0)

    def test_the_table_that_is_lost_costs_only_time(self):
        self.submit(3)
        self.pull()
        os.remove(os.path.join(self.spool, "sources/there", self.form + ".seen"))
        self.assertEqual(self.pull()["pulled"], 3)
        self.assertEqual({len(set(copies)) for copies in self.xmls().values()}, {1})

    def test_since(self):
        self.submit(1, when=ago(days=9))
        [new] = self.submit(1)
        self.assertEqual(self.pull("--since", ago(days=2).strftime("%Y-%m-%d"))["pulled"], 1)
        self.assertEqual(list(self.xmls()), [new])

    def test_captured_live_and_pulled_is_once(self):
        self.prepare_database()
        root = new_id()
        xml = visit_xml(root, photo="a.jpg")
        self.server.submit(self.form, xml, {"a.jpg": b"1"})
        self.parcel("00/new", "20260302T101504.123456Z-" + "1" * 32 + ".parcel", xml, form="visit",
                    instance=root, source="capture")
        self.pull()
        self.forward()
        self.assertEqual(self.sql("SELECT count(*), min(state) FROM relais.submission;"), "1|delivered")

    def test_paging_that_repeats_or_skips(self):
        ids = self.submit(600)
        first = []

        def repeat(_, good):
            first.append(good)
            return first[0]

        def skip(_, good):
            value = json.loads(good.body)
            value["results"] = value["results"][:7]
            return Reply(200, json.dumps(value).encode())
        self.server.fail(skip, path="query=")
        self.assertIn("only 7 of the 600", self.pull(code=FAILED)["error"]["text"])
        self.server.fail(repeat, path="query=", times=9)
        self.assertIn("again, or out of order", self.pull(code=FAILED)["error"]["text"])
        self.server.heal()
        self.pull()
        self.assertEqual(sorted(self.xmls()), sorted(ids))
        self.assertEqual(len(self.parcels()), 600)

    def test_faults(self):
        ids = self.submit(30)
        for action, word in (("html", "web page"), ("half", "not JSON"), (500, "500")):
            self.server.fail(action, path="query=", times=9)
            self.pull(code=FAILED)
            self.assertIn(word, self.said)
            self.server.heal()
        self.server.fail("half", path=r"\.xml$", after=3, times=2)
        told = self.pull(code=FAILED)
        self.assertEqual((told["pulled"], told["failed"]), (28, 2))
        self.assertEqual(self.pull()["pulled"], 2)
        self.assertEqual(sorted(self.xmls()), sorted(ids))


# ---- Ona -----------------------------------------------------------------------------------


class Ona(Others):
    server_class = records.Ona
    form = "77"
    source = "kind = ona\n"
    credentials = f"token: {records.TOKEN}\n"

    def test_submissions_with_their_files(self):
        root = new_id()
        xml = visit_xml(root, photo="a b.jpg")
        self.server.submit(self.form, xml, {"a b.jpg": b"photo"})
        self.assertEqual(self.pull()["files"], 1)
        [(head, body)] = self.parcels()
        self.assertEqual((head["source"], head["form"]), ("pull:ona", "visit"))
        self.assertEqual(parts(head, body), {"xml_submission_file": xml, "a b.jpg": b"photo"})

    def test_pages_and_then_nothing(self):
        ids = self.submit(1100)
        self.assertEqual(self.pull()["pulled"], 1100)
        self.assertEqual(sorted(self.xmls()), sorted(ids))
        self.empty_spool()
        self.assertEqual(self.pull()["listed"], 0)
        self.submit(1)
        self.assertEqual(self.pull()["pulled"], 1)

    def test_an_edit_is_found_once(self):
        first, second = new_id(), new_id()
        number = self.server.submit(self.form, visit_xml(first))
        self.submit(2)
        self.pull()
        self.empty_spool()
        self.server.edit(self.form, number, visit_xml(second, old=first))
        self.assertEqual(self.pull()["pulled"], 1)
        self.assertEqual(list(self.xmls()), [second])
        told = self.pull()
        self.assertEqual((told["pulled"], told["known"]), (0, 1))

    def test_late_files_are_waited_for(self):
        root = new_id()
        number = self.server.submit(self.form, visit_xml(root, photo="a.jpg"), {"b.jpg": b"1"},
                                    expected=2)
        self.assertEqual(self.pull()["waiting_for_files"], 1)
        self.empty_spool()
        self.assertEqual(self.pull()["pulled"], 0)
        self.server.attach(self.form, number, "a.jpg", b"late")
        told = self.pull()
        self.assertEqual((told["pulled"], told["waiting_for_files"]), (1, 0))
        [(head, body)] = self.parcels()
        self.assertEqual(parts(head, body)["a.jpg"], b"late")
        self.assertEqual(self.pull()["pulled"], 0)

    def test_paging_that_repeats(self):
        ids = self.submit(600)
        first = []

        def repeat(_, good):
            first.append(good)
            return first[0]
        self.server.fail(repeat, path="query=", times=9)
        self.assertIn("again, or out of order", self.pull(code=FAILED)["error"]["text"])
        self.server.heal()
        self.pull()
        self.assertEqual(sorted(self.xmls()), sorted(ids))

    def test_wrong_credentials(self):
        self.submit(1)
        write(self.secret, "token: WORDNOBODYMAYSEE\n")
        self.pull(code=FAILED)
        self.assertIn("credentials are wrong", self.said)
        self.assertNotIn("WORDNOBODYMAYSEE", self.said)


if __name__ == "__main__":
    unittest.main()
