"""relais pull from a stand-in of ODK Central: what comes, once, whatever the server does.
"""
import datetime
import json
import os
import random
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from command import FAILED, FRENCH, LATER, OK, USAGE, database, program, read, relais, start_database, write  # noqa: E402
from pulling import Pulling, new_id, parts, visit_xml  # noqa: E402
from central import PASSWORD, USER, Central  # noqa: E402
from standin import now  # noqa: E402


def setUpModule():
    start_database()


def tearDownModule():
    database.remove()


def ago(**span):
    return now() - datetime.timedelta(**span)


class CentralCase(Pulling):
    server_class = Central
    source = "kind = central\nproject = 3\nforms = visit\n"
    credentials = f"user: {USER}\npassword: {PASSWORD}\n"

    def submit(self, count=1, **options):
        return [self.server.submit("visit", visit_xml(new_id(), f"c{number}"), **options)
                for number in range(count)]


class WhatComes(CentralCase):
    def test_the_parcel_is_as_a_phone_would_have_sent_it(self):
        root = new_id()
        xml = visit_xml(root, photo="a.jpg")
        when = datetime.datetime(2026, 3, 2, 10, 15, 4, 123000, datetime.timezone.utc)
        self.server.submit("visit", xml, {"a.jpg": b"\xff\xd8 photo"}, when)
        told = self.pull()
        self.assertEqual((told["pulled"], told["files"], told["listed"]), (1, 1, 1))
        [(head, body)] = self.parcels()
        self.assertEqual(
            {name: head[name] for name in ("source", "form", "version", "instance", "user", "device",
                                           "received")},
            {"source": "pull:central", "form": "visit", "version": "1", "instance": root,
             "user": "agent-017", "device": "collect:abc", "received": "2026-03-02T10:15:04.123Z"})
        self.assertEqual(parts(head, body),
                         {"xml_submission_file": xml, "a.jpg": b"\xff\xd8 photo"})
        self.assertIn(b'Content-Disposition: form-data; name="a.jpg"; filename="a.jpg"\r\n'
                      b'Content-Type: image/jpeg\r\n', body)

    def test_a_second_pull_brings_nothing(self):
        self.submit(5)
        self.submit(3, when=ago(days=40))
        self.assertEqual(self.pull()["pulled"], 8)
        self.empty_spool()
        asked = len(self.server.asked(r"\.xml$"))
        told = self.pull()
        self.assertEqual((told["pulled"], told["known"]), (0, 5))
        self.assertEqual(len(self.server.asked(r"\.xml$")), asked)
        self.assertEqual(self.parcels(), [])

    def test_what_is_new_comes_the_next_time(self):
        self.submit(2, when=ago(hours=1))
        self.pull()
        [new] = self.submit(1)
        self.empty_spool()
        self.assertEqual(self.pull()["pulled"], 1)
        self.assertEqual(list(self.xmls()), [new])

    def test_many_pages(self):
        self.server.page_limit = 7
        roots = self.submit(40)
        told = self.pull()
        self.assertEqual((told["pulled"], told["listed"]), (40, 40))
        self.assertEqual(sorted(self.xmls()), sorted(roots))

    def test_all_forms_of_the_project(self):
        self.source = "kind = central\nproject = 3\n"
        self.configure()
        self.submit(1)
        self.server.submit("other/ü", visit_xml(new_id()))
        done = self.expect(OK, "pull")
        self.assertIn("there visit: 1 pulled", done.out)
        self.assertIn("there other/ü: 1 pulled", done.out)
        self.assertEqual(self.server.asked("draft"), [], "what was sent to try a draft is not asked for")
        self.assertEqual(sorted(os.listdir(os.path.join(self.spool, "sources", "there"))),
                         ["lock", "other%2F%C3%BC.json", "visit.json"])

    def test_names_of_files_that_need_care(self):
        root = new_id()
        name = 'été "1"/é.jpg'
        self.server.submit("visit", visit_xml(root), {name: b"x", "empty.jpg": b"", "page.html": b"<html>"})
        self.assertEqual(self.pull()["files"], 3)
        [(head, body)] = self.parcels()
        self.assertIn('name="été %221%22/é.jpg"'.encode(), body)
        self.assertEqual(parts(head, body)["empty.jpg"], b"")

    def test_a_large_file_does_not_stay_in_memory(self):
        data = os.urandom(1 << 20) * 40
        self.server.submit("visit", visit_xml(new_id()), {"film.mp4": data})
        self.assertEqual(self.pull()["files"], 1)
        [(head, body)] = self.parcels()
        self.assertEqual(parts(head, body)["film.mp4"], data)
        self.assertEqual([name for name in os.listdir(os.path.join(self.spool, "sources", "there"))
                          if name.startswith(".")], [])

    def test_since_and_form(self):
        self.submit(1, when=ago(days=40))
        [new] = self.submit(1, when=ago(days=1))
        day = ago(days=3).strftime("%Y-%m-%d")
        self.assertEqual(self.pull("--since", day, "--form", "visit")["pulled"], 1)
        self.assertEqual(list(self.xmls()), [new])
        self.assertIn("no date", self.expect(FAILED, "pull", "--since", "yesterday").err)

    def test_since_later_than_the_stored_place_leaves_no_gap(self):
        self.submit(1, when=ago(days=40))
        self.pull()
        self.submit(1, when=ago(days=2))
        state = self.state()
        state["place"]["since"] = ago(days=30).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        write(os.path.join(self.spool, "sources/there/visit.json"), json.dumps(state))
        self.assertEqual(self.pull("--since", ago(days=1).strftime("%Y-%m-%dT%H:%M:%SZ"))["pulled"], 0)
        self.assertEqual(self.pull()["pulled"], 1)


class EditsAndFiles(CentralCase):
    def test_every_version_comes_in_order(self):
        [root] = self.submit(1, when=ago(days=3))
        second, third = new_id(), new_id()
        self.server.edit("visit", root, visit_xml(second, note="two", old=root), when=ago(days=2))
        self.server.edit("visit", root, visit_xml(third, note="three", old=second), when=ago(days=1))
        self.assertEqual(self.pull()["pulled"], 3)
        self.assertEqual(set(self.xmls()), {root, second, third})

    def test_only_the_new_version_of_what_was_pulled(self):
        [root] = self.submit(1, when=ago(days=3))
        self.pull()
        self.empty_spool()
        second = new_id()
        self.server.edit("visit", root, visit_xml(second, old=root))
        self.assertEqual(self.pull()["pulled"], 1)
        self.assertEqual(list(self.xmls()), [second])

    def test_a_review_brings_nothing_and_is_counted(self):
        roots = self.submit(2, when=ago(days=3))
        self.pull()
        self.empty_spool()
        self.server.review("visit", roots[0], "rejected")
        told = self.pull()
        self.assertEqual((told["pulled"], told["known"], told["rejected"]), (0, 1, 1))

    def test_a_deletion_is_told_once_and_takes_nothing_away(self):
        [root, _] = self.submit(2, when=ago(days=3))
        self.pull()
        self.server.delete("visit", root)
        told = self.pull()
        self.assertEqual((told["deleted"], told["deleted_ids"]), (1, [root]))
        self.assertEqual(len(self.parcels()), 2)
        self.assertEqual(self.pull()["deleted"], 0)

    def test_a_late_file_comes_with_the_same_xml(self):
        root = new_id()
        xml = visit_xml(root, photo="late.jpg")
        self.server.submit("visit", xml, {"late.jpg": None, "there.jpg": b"1"})
        self.assertEqual(self.pull()["waiting_for_files"], 1)
        self.empty_spool()
        self.assertEqual(self.pull()["waiting_for_files"], 1)
        self.assertEqual(self.parcels(), [])
        self.server.attach("visit", root, "late.jpg", b"late")
        told = self.pull()
        self.assertEqual((told["pulled"], told["files"], told["waiting_for_files"]), (1, 1, 0))
        [(head, body)] = self.parcels()
        self.assertEqual(parts(head, body), {"xml_submission_file": xml, "late.jpg": b"late"})
        self.empty_spool()
        self.assertEqual(self.pull()["pulled"], 0)

    def test_a_file_that_never_comes_is_given_up_with_a_word(self):
        self.configure(patience=0)
        root = new_id()
        self.server.submit("visit", visit_xml(root, photo="late.jpg"), {"late.jpg": None})
        self.assertEqual(self.pull()["waiting_for_files"], 1)
        time.sleep(1.1)
        told = self.pull()
        self.assertEqual(told["given_up_files"], [{"id": root, "file": "late.jpg"}])
        self.assertEqual(self.state()["aside"], [])

    def test_a_file_that_fails_does_not_hold_the_answers_up(self):
        root = new_id()
        self.server.submit("visit", visit_xml(root, photo="a.jpg"), {"a.jpg": b"1", "b.jpg": b"2"})
        self.server.fail(500, path=r"attachments/a\.jpg", times=2)
        told = self.pull(code=FAILED)
        self.assertEqual((told["pulled"], told["files"], told["waiting_for_files"]), (1, 1, 1))
        self.assertEqual(self.pull()["files"], 1)


class Rows(CentralCase):
    def setUp(self):
        super().setUp()
        self.prepare_database()

    def test_from_the_server_to_rows(self):
        root = new_id()
        self.server.submit("visit", visit_xml(root, note="one", photo="a.jpg"), {"a.jpg": b"1"})
        self.submit(20)
        self.pull()
        self.forward()
        self.assertEqual(self.sql("SELECT count(*) FROM lab.visit;"), "21")
        self.assertEqual(self.sql("SELECT state, source, submitted_by FROM relais.submission"
                                  f" WHERE instance_id = '{root}';"), "delivered|pull:central|agent-017")
        self.assertEqual(self.sql("SELECT name, size, expected FROM relais.attachment;"), "a.jpg|1|t")

    def test_captured_live_and_pulled_is_once(self):
        root = new_id()
        xml = visit_xml(root, photo="a.jpg")
        self.server.submit("visit", xml, {"a.jpg": b"1"})
        self.parcel("00/new", "20260302T101504.123456Z-" + "1" * 32 + ".parcel", xml,
                    form="visit", instance=root, source="capture")
        self.pull()
        self.forward()
        self.assertEqual(self.sql("SELECT count(*), min(source), min(state) FROM relais.submission;"),
                         "1|capture|delivered")
        self.assertEqual(self.sql("SELECT count(*) FROM relais.attachment;"), "1")

    def test_an_edit_replaces_the_rows(self):
        root, second = new_id(), new_id()
        self.server.submit("visit", visit_xml(root, note="one"), when=ago(days=1))
        self.pull()
        self.forward()
        self.server.edit("visit", root, visit_xml(second, note="two", old=root))
        self.pull()
        self.forward()
        self.assertEqual(self.notes().split(), ["two"])
        self.assertEqual(self.sql("SELECT string_agg(state, ',' ORDER BY state) FROM relais.submission;"),
                         "delivered,superseded")


class Faults(CentralCase):
    """Each fault: a clear message, an exit code, and afterwards everything is there once."""

    def recover(self, roots):
        self.server.heal()
        self.pull()
        self.assertEqual(sorted(self.xmls()), sorted(roots))
        for head, body in self.parcels():
            self.assertEqual(parts(head, body)["xml_submission_file"],
                             self.server.forms["visit"][head["instance"]].current.xml)

    def test_what_passes_is_tried_again_at_once(self):
        roots = self.submit(12)
        for action in (500, 502, "cut", "drop", "unended"):
            self.server.fail(action, path=r"\.xml$", after=1)
        self.server.fail("cut", path="Submissions")
        self.configure(tries=6)
        self.assertEqual(self.pull()["pulled"], 12)
        self.assertEqual(sorted(self.xmls()), sorted(roots))

    def test_a_pause_that_the_server_asks_for_is_kept(self):
        self.submit(1)
        self.server.fail(429, path="Submissions", Retry_After="2")
        began = time.monotonic()
        self.assertEqual(self.pull()["pulled"], 1)
        self.assertGreaterEqual(time.monotonic() - began, 2)

    def test_a_list_that_is_a_web_page(self):
        roots = self.submit(3)
        self.server.fail("html", path="Submissions")
        self.pull(code=FAILED)
        self.assertIn("web page", self.said)
        self.recover(roots)

    def test_a_list_that_is_half(self):
        roots = self.submit(3)
        self.server.fail("half", path="Submissions")
        self.pull(code=FAILED)
        self.assertIn("not JSON", self.said)
        self.recover(roots)

    def test_a_list_without_end(self):
        roots = self.submit(3)
        self.server.fail("huge", path="Submissions")
        self.pull(code=FAILED)
        self.assertIn("longer than", self.said)
        self.recover(roots)

    def test_a_server_that_fails_or_is_away(self):
        roots = self.submit(3)
        for action in (500, 503, "drop", "cut"):
            self.server.fail(action, path="Submissions", times=9)
            self.pull(code=FAILED if action == 500 else LATER)
            self.server.heal()
        self.recover(roots)
        self.server.close()
        self.pull(code=LATER)
        self.assertIn("does not answer", self.said)

    def test_xml_that_is_no_xml_is_asked_for_again(self):
        for action in ("html", "half", "huge", 500):
            with self.subTest(action):
                [root] = self.submit(1)
                others = self.submit(3)
                self.server.fail(action, path=root.replace(":", "%3A") + r"\.xml$", times=2)
                told = self.pull(code=FAILED)
                self.assertEqual((told["pulled"], told["failed"]), (3, 1))
                self.assertEqual([one["id"] for one in told["failures"]], [root])
                self.assertNotIn(root, self.xmls())
                self.assertEqual(set(others) - set(self.xmls()), set())
                self.server.heal()
                self.assertEqual(self.pull()["pulled"], 1)
                self.assertEqual(len(self.xmls()[root]), 1)
                self.assertEqual(self.state()["aside"], [])

    def test_another_submission_than_asked_for_is_refused(self):
        [one, other] = self.submit(2)
        xml = self.server.forms["visit"][other].current.xml
        self.server.fail(lambda _, good: type(good)(200, xml, "application/xml"),
                         path=one.replace(":", "%3A") + r"\.xml$")
        self.assertEqual(self.pull(code=FAILED)["failed"], 1)
        self.recover([one, other])
        self.assertEqual(len(self.parcels()), 2)

    def test_a_server_that_fails_at_everything_is_not_taken_for_done(self):
        roots = self.submit(25)
        self.server.fail("html", path=r"\.xml$", times=1000)
        told = self.pull(code=FAILED)
        self.assertIn("web page", told["error"]["text"])
        self.assertFalse(os.path.exists(os.path.join(self.spool, "sources/there/visit.json")))
        self.recover(roots)

    def test_a_page_that_comes_again_and_again(self):
        self.server.page_limit = 5
        roots = self.submit(20)
        first = []

        def repeat(request, good):
            first.append(good)
            return first[0]
        self.server.fail(repeat, path="Submissions", times=1000)
        told = self.pull(code=FAILED)
        self.assertIn("again and again", told["error"]["text"])
        self.recover(roots)

    def test_a_page_that_is_left_out(self):
        self.server.page_limit = 5
        roots = self.submit(20)

        def skip(request, good):
            value = json.loads(good.body)
            value["value"] = value["value"][:2]
            return type(good)(200, json.dumps(value).encode())
        self.server.fail(skip, path="skiptoken")
        told = self.pull(code=FAILED)
        self.assertIn("only 17 of the 20", told["error"]["text"])
        self.recover(roots)

    def test_redirects(self):
        roots = self.submit(1)
        for where, word in (("https://elsewhere.example/x", "another host, elsewhere.example"),
                            ("http://127.0.0.1.example/x", "another host")):
            self.server.fail(302, path="Submissions", Location=where)
            self.pull(code=FAILED)
            self.assertIn(word, self.said)
        self.server.fail(302, path="Submissions", times=9, Location="/v1/projects/3/forms")
        self.server.fail(302, path="forms$", times=9, Location="/v1/projects/3/forms")
        self.pull(code=FAILED)
        self.assertIn("circle", self.said)
        self.server.heal()
        self.recover(roots)

    def test_the_session_is_renewed_once_in_mid_run(self):
        roots = self.submit(30)
        self.server.fail(lambda *_: (self.server.expire(), self.server.answer(_[0]))[1],
                         path=r"\.xml$", after=10)
        self.assertEqual(self.pull()["pulled"], 30)
        self.assertEqual(self.server.sessions, 2)
        self.assertEqual(sorted(self.xmls()), sorted(roots))

    def test_a_session_that_is_refused_again_stops_clearly(self):
        roots = self.submit(3)
        self.server.fail(401, path=r"\.xml$", times=1000)
        self.pull(code=FAILED)
        self.assertIn("credentials are wrong, have expired", self.said)
        self.assertLess(self.server.sessions, 20)
        self.recover(roots)

    def test_wrong_credentials(self):
        write(self.secret, "user: x\npassword: WORDNOBODYMAYSEE\n")
        self.pull(code=FAILED)
        self.assertIn(self.secret, self.said)
        self.assertNotIn("WORDNOBODYMAYSEE", self.said)
        self.assertEqual(len(self.server.requests), 1)

    def test_a_disk_without_room(self):
        roots = self.submit(3)
        text = read(self.conf)
        write(self.conf, text.replace("[spool]\n", "[spool]\nfloor = 900000G\n"))
        self.pull(code=LATER)
        self.assertEqual(self.parcels(), [])
        write(self.conf, text)
        self.recover(roots)


class Kills(CentralCase):
    def start(self):
        return subprocess.Popen([program(), "--config", self.conf, "pull"], cwd="/",
                                env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)

    def test_killed_at_any_moment_nothing_is_missing_and_the_ledger_has_it_once(self):
        self.prepare_database()
        self.server.page_limit = 10
        self.server.delay = 0.004
        roots = self.submit(150)
        dice = random.Random(7)
        kills = 0
        for _ in range(60):
            process = self.start()
            try:
                process.wait(dice.uniform(0.02, 0.4))
                break
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                kills += 1
        self.pull()
        self.assertGreater(kills, 3)
        xmls = self.xmls()
        self.assertEqual(sorted(xmls), sorted(roots))
        self.assertEqual({len(set(copies)) for copies in xmls.values()}, {1})
        self.forward()
        self.assertEqual(self.sql("SELECT count(*), count(DISTINCT instance_id) FROM relais.submission;"),
                         "150|150")
        self.assertEqual(self.pull()["pulled"], 0)

    def test_it_goes_on_from_the_page_it_had_reached(self):
        self.server.page_limit = 10
        self.submit(60)
        self.server.fail(503, path="skiptoken", after=3, times=2)
        self.pull(code=LATER)
        self.assertEqual(len(self.parcels()), 40)
        asked = len(self.server.asked(r"\.xml$"))
        self.assertEqual(self.pull()["pulled"], 20)
        self.assertEqual(len(self.server.asked(r"\.xml$")) - asked, 20)

    def test_ctrl_c_ends_softly(self):
        self.server.delay = 0.02
        self.submit(100)
        process = self.start()
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(10), 0)
        self.pull()
        self.assertEqual(len(self.xmls()), 100)

    def test_two_pulls_of_one_source_do_not_meet(self):
        self.server.delay = 0.3
        self.submit(5)
        process = self.start()
        time.sleep(0.3)
        done = self.expect(LATER, "pull")
        self.assertIn("another `relais pull`", done.err)
        process.wait(20)


class Asking(CentralCase):
    def test_the_rate_is_kept(self):
        self.submit(20)
        self.configure(rate=10)
        began = time.monotonic()
        self.pull()
        self.assertGreater(time.monotonic() - began, 1.9)

    def test_every_minutes(self):
        self.submit(1)
        process = subprocess.Popen([program(), "--config", self.conf, "pull", "--every", "1"],
                                   env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.assertIn("1 pulled", process.stdout.readline())
        process.terminate()
        process.communicate(timeout=10)
        self.assertEqual(process.returncode, 0)

    def test_nothing_secret_is_said_or_stored(self):
        self.submit(2)
        self.server.fail(500, path=r"\.xml$", times=9)
        self.pull(code=FAILED)
        self.server.heal()
        done = self.expect(OK, "pull")
        kept = b""
        for top, _, names in os.walk(self.spool):
            for name in names:
                with open(os.path.join(top, name), "rb") as file:
                    kept += file.read()
        for secret in (PASSWORD, "session0000"):
            self.assertNotIn(secret, self.said + done.out + done.err)
            self.assertNotIn(secret.encode(), kept)

    def test_mistakes_in_the_configuration(self):
        for setting, word in ((dict(url="http://central.example.bf"), "https://"),
                              (dict(url="https://a:b@central.example.bf"), "credentials"),
                              (dict(url="https://central.example.bf/v1/key/abc/x"), "credentials"),
                              (dict(connections=0), "1 to 64"), (dict(conections=3), "connections"),
                              (dict(credentials="/nonexistent"), "/nonexistent")):
            self.configure(**setting)
            self.assertIn(word, self.expect(FAILED, "pull").err)
        self.configure()
        os.chmod(self.secret, 0o644)
        self.assertIn("chmod", self.expect(FAILED, "pull").err)
        self.assertIn("There are: there", self.expect(USAGE, "pull", "nowhere").err)
        self.assertIn("[source NAME]", relais("--config", self.write_conf("no.conf", "dbname=x"), "pull").err)

    def test_french(self):
        self.submit(1)
        self.assertIn("1 récupérée", self.expect(OK, "pull", env=FRENCH).out)


if __name__ == "__main__":
    unittest.main()
