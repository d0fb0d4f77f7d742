"""relais reconcile: what servers have and the ledger lacks, by form and day.
"""
import datetime
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from command import FAILED, LATER, OK, database, read, start_database, write  # noqa: E402
from pulling import Pulling, new_id, visit_xml  # noqa: E402
import central  # noqa: E402
import records  # noqa: E402
from standin import now  # noqa: E402


def setUpModule():
    start_database()


def tearDownModule():
    database.remove()


def day(days):
    return now() - datetime.timedelta(days=days)


class Reconciling(Pulling):
    def setUp(self):
        super().setUp()
        self.prepare_database()

    def deliver(self):
        self.expect(OK, "pull")
        self.forward()

    def compare(self, code, *arguments):
        done = self.expect(code, "reconcile", "--json", *arguments)
        self.said = done.err
        return json.loads(done.out)[0]["forms"]


class Central(Reconciling):
    server_class = central.Central
    source = "kind = central\nproject = 3\nforms = visit\n"
    credentials = f"user: {central.USER}\npassword: {central.PASSWORD}\n"

    def submit(self, days, **options):
        return self.server.submit("visit", visit_xml(new_id()), when=day(days), **options)

    def test_nothing_lacking_is_said(self):
        for days in (1, 1, 2):
            self.submit(days)
        self.deliver()
        self.assertIn("there visit: 3 there, 0 of them not here", self.expect(OK, "reconcile").out)

    def test_what_is_lacking_by_day_and_filled_exactly(self):
        for days in (1, 2, 2, 30):
            self.submit(days)
        self.deliver()
        self.server.page_limit = 2
        lost = [self.submit(2), self.submit(9)]
        place = self.state()
        found = self.compare(FAILED)["visit"]
        self.assertEqual(sorted(found["lacking_ids"]), sorted(lost))
        self.assertEqual(found["days"][day(2).strftime("%Y-%m-%d")], {"there": 3, "lacking": 1})
        self.assertEqual(found["days"][day(30).strftime("%Y-%m-%d")], {"there": 1})
        table = self.expect(FAILED, "reconcile").out
        self.assertIn(day(9).strftime("%Y-%m-%d"), table)
        self.assertNotIn(day(30).strftime("%Y-%m-%d"), table)
        self.empty_spool()
        self.expect(OK, "reconcile", "--fill")
        self.assertEqual(sorted(self.xmls()), sorted(lost))
        self.assertEqual(self.state(), place)
        self.forward()
        self.expect(OK, "reconcile")

    def test_an_edited_and_an_erased_record_are_here(self):
        root = self.submit(3)
        self.deliver()
        self.server.edit("visit", root, visit_xml(new_id(), note="two", old=root))
        self.deliver()
        erased = self.submit(1)
        self.sql(f"INSERT INTO relais.tombstone (form_id, record_id) VALUES ('visit', '{erased}');")
        self.assertNotIn("lacking_ids", self.compare(OK)["visit"])

    def test_what_waits_in_the_spool_is_mentioned(self):
        self.submit(1)
        self.expect(OK, "pull")
        self.compare(FAILED)
        self.assertIn("1 parcels wait in the spool", self.said)

    def test_a_server_or_database_that_is_away(self):
        self.submit(1)
        self.server.fail(503, path="Submissions", times=99)
        self.assertIn("503", self.expect(LATER, "reconcile").err)
        write(self.conf + ".away", read(self.conf).replace(database.dir, "/nonexistent"))
        self.expect(LATER, "reconcile", conf=self.conf + ".away")


class Kobo(Reconciling):
    server_class = records.Kobo
    source = "kind = kobo\nforms = aXyZ\n"
    credentials = f"token: {records.TOKEN}\n"

    def test_a_form_by_another_name(self):
        for _ in range(3):
            self.server.submit("aXyZ", visit_xml(new_id()))
        self.deliver()
        lost = new_id()
        number = self.server.submit("aXyZ", visit_xml(lost))
        self.assertEqual(self.compare(FAILED)["aXyZ"]["lacking_ids"], [lost])
        self.expect(OK, "reconcile", "--fill")
        self.assertEqual(list(self.xmls()), [lost])
        self.assertLess(self.state("aXyZ")["place"]["id"], number)


if __name__ == "__main__":
    unittest.main()
