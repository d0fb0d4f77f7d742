"""The web server's module, as a phone meets it: what it serves, what it takes, what it refuses.

Against Debian's real nginx, and in test_apache.py against its Apache; see webserver.py for
what it needs. Faults of the machine (full disk, dying workers, a crowd) are in
test_module_faults.py, passwords in test_module_auth.py.
"""
import os
import random
import subprocess
import time
import unittest
import urllib.parse

import collect
import wire
from builds import on_release
from collect import Failed, File, Phone
from webserver import WebServer, wait_until, xform

HEADERS = [("Host", "phone"), ("X-OpenRosa-Version", "1.0")]
SUBMISSION = "/openrosa/submission?deviceID=collect%3Aabc"


def submission(form="f", version="1", instance="uuid:1", age="7"):
    return (f'<data id="{form}" version="{version}"><age>{age}</age>'
            f"<meta><instanceID>{instance}</instanceID></meta></data>").encode()


def body_of(xml, files=(), boundary="b-o-u-n-d"):
    """(Content-Type, body) of a whole multipart."""
    _, runs, _ = wire.multipart(collect.submission_parts(xml, files), boundary)
    return f"multipart/form-data; boundary={boundary}", wire.joined(runs)


def post_head(length, content_type, *more, target=SUBMISSION):
    headers = HEADERS + list(more)
    if content_type is not None:
        headers.append(("Content-Type", content_type))
    if length is not None:
        headers.append(("Content-Length", str(length)))
    return wire.head("POST", target, headers)


class ModuleTest(unittest.TestCase):
    """One server for all tests of a class; each finds its spool empty."""
    Server = WebServer
    settings = {}

    @classmethod
    def setUpClass(cls):
        cls.server = cls.Server(**cls.settings)
        cls.addClassCleanup(cls.server.remove)
        cls.server.publish("f.xml", xform("f"))
        cls.server.publish("f-media/list.csv", b"name,label\na,b\n")
        cls.server.publish("f-media/photo é.jpg", os.urandom(300_000))
        cls.server.publish("f-media/empty.txt", b"")
        cls.server.publish("g.xml", xform("g a/b", "", "G &amp; H"))
        cls.server.start()

    def setUp(self):
        self.server.empty()
        self.phone = Phone(self.server.url)
        self.addCleanup(self.phone.close)

    def connect(self):
        connection = wire.Connection("127.0.0.1", self.server.port, timeout=20)
        self.addCleanup(connection.close)
        return connection

    def get(self, target, *headers, method="GET"):
        with self.connect() as connection:
            connection.write(wire.head(method, target, HEADERS + list(headers)))
            return connection.read(method)

    def post(self, content_type, body, *headers, target=SUBMISSION):
        with self.connect() as connection:
            connection.write(post_head(len(body), content_type, *headers, target=target), body)
            return connection.read()

    def assert_openrosa(self, response, status, message=""):
        """An answer whose message Collect would show."""
        self.assertEqual(response.status, status)
        self.assertEqual(response.all("X-OpenRosa-Version"), ["1.0"])
        self.assertEqual(response.header("Content-Type"), "text/xml; charset=utf-8")
        self.assertTrue(response.message())
        self.assertIn(message, response.message())


class Forms(ModuleTest):
    settings = {"http": "sendfile on; aio threads;"}

    def test_a_phone_gets_all_forms_and_media(self):
        forms = {form.form_id: form for form in self.phone.sync()}
        self.assertEqual(sorted(forms), ["f", "g a/b"])
        self.assertEqual(forms["f"].xml, xform("f"))
        self.assertEqual(forms["g a/b"].name, "G & H")
        self.assertEqual(forms["g a/b"].version, "")
        media = {media.filename: media.data for media in forms["f"].media}
        self.assertEqual(sorted(media), ["empty.txt", "list.csv", "photo é.jpg"])
        self.assertEqual(len(media["photo é.jpg"]), 300_000)

    def test_headers_are_those_that_collect_and_caches_need(self):
        self.phone.sync()
        for url, response in self.phone.cache.items():
            with self.subTest(url=url):
                self.assertEqual(response.all("X-OpenRosa-Version"), ["1.0"])
                self.assertEqual(response.header("Cache-Control"), "no-cache")
                self.assertRegex(response.header("ETag"), r'^"[0-9a-f]{32}"$')
                self.assertIsNone(response.header("Last-Modified"))
                if "/media/" not in url:
                    self.assertEqual(response.header("Content-Type"), "text/xml; charset=utf-8")
        types = [response.header("Content-Type") for url, response in self.phone.cache.items()
                 if url.partition("?")[0].endswith("list.csv")]
        self.assertEqual(types, ["application/octet-stream"])

    def test_what_the_phone_has_is_not_sent_again(self):
        self.phone.sync()
        count = len(self.phone.requests)
        self.phone.sync()
        statuses = {status for _, _, status in self.phone.requests[count:]}
        self.assertEqual(statuses, {304})

    def test_head_of_a_form_says_what_get_would(self):
        got = self.get("/openrosa/formList")
        response = self.get("/openrosa/formList", method="HEAD")
        self.assertEqual(response.status, 200)
        self.assertEqual(response.header("Content-Length"), str(len(got.body)))
        self.assertEqual(response.header("ETag"), got.header("ETag"))

    def test_list_of_one_form(self):
        response = self.get("/openrosa/formList?formID=g%20a%2Fb&deviceID=x")
        self.assertEqual([form.form_id for form in collect.parse_form_list(response.body)],
                         ["g a/b"])

    def test_media_come_in_ranges(self):
        form = next(form for form in self.phone.sync() if form.form_id == "f")
        photo = next(media for media in form.media if media.filename.endswith(".jpg"))
        target = urllib.parse.urlsplit(photo.url).path
        response = self.get(target, ("Range", "bytes=100-199"))
        self.assertEqual((response.status, response.body), (206, photo.data[100:200]))
        self.assert_openrosa(self.get(target, ("Range", "bytes=400000-")), 416)

    def test_urls_have_the_scheme_and_host_that_the_phone_used(self):
        cases = (
            ([], "http://phone/openrosa/"),
            ([("X-Forwarded-Proto", "https")], "https://phone/openrosa/"),
            ([("X-Forwarded-Proto", "https, http"), ("X-Forwarded-Host", "forms.bf:8443, x")],
             "https://forms.bf:8443/openrosa/"),
            ([("X-Forwarded-Proto", "gopher"), ("X-Forwarded-Host", "<evil>")],
             "http://phone/openrosa/"),
        )
        for headers, expected in cases:
            with self.subTest(headers=headers):
                response = self.get("/openrosa/formList", *headers)
                for form in collect.parse_form_list(response.body):
                    self.assertTrue(form.url.startswith(expected), form.url)
                    self.assertTrue(form.manifest_url is None or
                                    form.manifest_url.startswith(expected), form.manifest_url)

    def test_slashes_that_people_type_do_no_harm(self):
        phone = Phone(self.server.url + "//")
        self.addCleanup(phone.close)
        self.assertEqual(len(phone.form_list()), 2)
        self.assertEqual(phone.send(submission()).statuses, [201])

    def test_nothing_is_served_that_is_not_published(self):
        for target in ("/openrosa/", "/openrosa", "/openrosa/forms", "/openrosa/f.xml",
                       "/openrosaformList", "/openrosa/forms/f/2/form.xml",
                       "/openrosa/forms/f/1/media/..%2Ff.xml",
                       "/openrosa/forms/f/1/media/../../../f.xml",
                       "/openrosa/forms/f/1/media/nothing.csv", "/openrosa/forms/%FF/1/form.xml",
                       "/openrosa/forms/f/1/media/" + "a" * 3000):
            with self.subTest(target=target[:60]):
                response = self.get(target)
                self.assertIn(response.status, (400, 404))
                if target not in ("/openrosa", "/openrosaformList"):
                    self.assert_openrosa(response, response.status)

    def test_other_methods_are_refused_with_those_that_work(self):
        for method, target, allow in (("GET", "submission", "HEAD, POST"),
                                      ("PUT", "submission", "HEAD, POST"),
                                      ("DELETE", "formList", "GET, HEAD"),
                                      ("POST", "forms/f/1/form.xml", "GET, HEAD")):
            with self.subTest(method=method, target=target):
                response = self.get("/openrosa/" + target, method=method)
                self.assert_openrosa(response, 405)
                self.assertEqual(response.header("Allow"), allow)


class Publishing(ModuleTest):
    settings = {"http": "gzip on; gzip_types *; gzip_min_length 1;"}

    def hashes(self):
        phone = Phone(self.server.url)
        self.addCleanup(phone.close)
        return {form.form_id: (form.version, form.hash) for form in phone.sync()}

    def wait_for(self, form_id, version):
        """Until that version is published. A form that is replaced between a phone's list and
        its download is not there for it; its next sync is whole."""
        def is_there():
            try:
                return self.hashes().get(form_id, (None,))[0] == version
            except Failed as failed:
                self.assertEqual(failed.status, 404)
                return False

        wait_until(is_there, 6, f"version {version} of {form_id}")

    def test_added_and_changed_forms_appear_without_a_reload(self):
        before = self.hashes()
        self.server.publish("new.xml", xform("new"))
        self.wait_for("new", "1")
        self.assertEqual(self.hashes()["f"], before["f"])
        self.assertEqual(self.phone.send(submission("new")).statuses, [201])
        self.server.publish("new.xml", xform("new", "2"))
        self.wait_for("new", "2")
        os.unlink(os.path.join(self.server.forms, "new.xml"))
        self.wait_for("new", None)

    def test_compressed_answers_are_the_same(self):
        forms = self.phone.sync()
        self.assertEqual({form.form_id: form.xml for form in forms}["f"], xform("f"))
        response = next(iter(self.phone.cache.values()))
        self.assertEqual(response.header("Content-Encoding"), "gzip")
        count = len(self.phone.requests)
        self.phone.sync()
        self.assertEqual({status for _, _, status in self.phone.requests[count:]}, {304})

    def test_a_submission_may_come_before_the_next_look(self):
        self.phone.form_list()
        self.server.publish("soon.xml", xform("soon"))
        self.assertEqual(self.phone.send(submission("soon")).statuses, [201])

    def test_a_form_that_is_being_written_is_never_served(self):
        old, new = xform("slow", "1"), xform("slow", "2", filler=200_000)
        self.server.publish("slow.xml", old)
        self.wait_for("slow", "1")
        seen = set()
        with open(os.path.join(self.server.forms, "slow.xml"), "wb", buffering=0) as file:
            for start in range(0, len(new), len(new) // 10):
                file.write(new[start:start + len(new) // 10])
                seen.add(self.hashes()["slow"][0])  # sync() compares bytes with hashes
                time.sleep(0.15)
        self.assertEqual(seen, {"1"})
        self.wait_for("slow", "2")

    def test_an_unusable_form_is_complained_of_once(self):
        self.server.publish("broken.xml", b"<html>")
        wait_until(lambda: self.hashes() and "broken.xml" in self.server.log(), 5, "a complaint")
        for _ in range(3):
            self.hashes()
            time.sleep(0.5)
        self.assertEqual(self.server.log().count("broken.xml"), 1)


class Submissions(ModuleTest):
    def test_head_announces_the_limit(self):
        response = self.phone.request("HEAD", self.server.url + "/submission")
        self.assertEqual(response.status, 204)
        self.assertEqual(response.all("X-OpenRosa-Version"), ["1.0"])
        self.assertEqual(response.header("X-OpenRosa-Accept-Content-Length"),
                         str(100 * 1024 * 1024 - 64 * 1024))
        self.assertIsNotNone(response.header("Date"))
        self.assertIsNone(response.header("Location"))
        self.assertIsNone(response.header("Content-Type"))

    def test_what_is_sent_is_in_the_spool_byte_for_byte(self):
        files = [File("vide.txt", b""), File("un.bin", b"x"), File("photo.jpg", os.urandom(700)),
                 File("film.mp4", random.Random(1).randbytes(3_000_000))]
        for old in (False, True):
            with self.subTest(old=old):
                self.server.empty()
                _, runs, _ = wire.multipart(collect.submission_parts(submission(), files),
                                            "b-1", old)
                body = wire.joined(runs)
                response = self.post("multipart/form-data; boundary=b-1", body)
                self.assert_openrosa(response, 201, "reçue")
                [parcel] = self.server.parcels()
                self.assertEqual(parcel.body, body)
                self.assertEqual({key: parcel.head.get(key) for key in (
                    "source", "form", "version", "instance", "device", "content-type")}, {
                        "source": "serve", "form": "f", "version": "1", "instance": "uuid:1",
                        "device": "collect:abc",
                        "content-type": "multipart/form-data; boundary=b-1"})
        self.assertEqual(self.server.count("tmp"), 0)

    def test_collect_old_and_new(self):
        for old in (False, True):
            with Phone(self.server.url, old=old) as phone:
                receipt = phone.send(submission(), [File('na"me é.jpg', b"abc")])
                self.assertEqual((receipt.message, receipt.posts), ("Fiche reçue.", 1))
        self.assertEqual(len(self.server.parcels()), 2)

    def test_more_files_than_one_post_holds(self):
        receipt = self.phone.send(submission(), [File(f"{n}.txt", b"%d" % n) for n in range(150)])
        self.assertEqual(receipt.statuses, [201, 201])
        incomplete = sorted(b"*isIncomplete*" in parcel.body for parcel in self.server.parcels())
        self.assertEqual(incomplete, [False, True])

    def test_an_english_phone_reads_english(self):
        response = self.post(*body_of(submission()), ("Accept-Language", "en-GB,en;q=0.9"))
        self.assert_openrosa(response, 201, "Form received.")

    def test_bad_input_is_refused_and_leaves_nothing(self):
        good = submission()
        multipart, body = body_of(good)
        raw = "text/xml"
        cases = {
            "no content type": (None, body, 400),
            "another content type": ("application/json", b"{}", 400),
            "no boundary": ("multipart/form-data", body, 400),
            "wrong boundary": ("multipart/form-data; boundary=other", body, 400),
            "boundary too long": ("multipart/form-data; boundary=" + "x" * 71, body, 400),
            "empty body": (multipart, b"", 400),
            "cut in the middle": (multipart, body[:len(body) // 2], 400),
            "no closing delimiter": (multipart, body[:-len("--\r\n")], 400),
            "no XML part": (multipart, body.replace(b"xml_submission_file", b"another"), 400),
            "empty XML part": body_of(b"") + (400,),
            "not XML": body_of(b"hello") + (400,),
            "root that cannot be read": body_of(b'<data id="f') + (400,),
            "DOCTYPE": body_of(b"<!DOCTYPE data>" + good) + (400,),
            "entities": body_of(b'<!DOCTYPE d [<!ENTITY x SYSTEM "/etc/passwd">]>' + good) + (400,),
            "root without id": body_of(b"<data><age>1</age></data>") + (400,),
            "empty id": body_of(b'<data id=""/>') + (400,),
            "unknown form": body_of(submission("nobody")) + (404,),
            "raw XML of an unknown form": (raw, submission("nobody"), 404),
            "raw XML that is empty": (raw, b"", 400),
        }
        for name, (content_type, data, status) in cases.items():
            with self.subTest(name):
                french = self.post(content_type, data)
                self.assert_openrosa(french, status)
                english = self.post(content_type, data, ("Accept-Language", "en"))
                self.assert_openrosa(english, status)
                self.assertNotEqual(french.message(), english.message())
                self.assertEqual((self.server.count("new"), self.server.count("tmp")), (0, 0))

    def test_odd_input_is_kept_as_it_came(self):
        cases = {
            "not well-formed further on": submission(age="<b>1</c> &#0; &#55357;"),
            "undeclared prefix": b'<data id="f"><orx:meta><orx:instanceID>x</orx:instanceID>'
                                 b'</orx:meta></data>',
            "unknown version": submission(version="99"),
            "no instanceID": b'<data id="f"/>',
            "raw XML": None,
        }
        names = ["../../etc/passwd", "a/b\\c", "\x01\x7f", "é" * 150, "e\u0301.jpg", "", "same",
                 "same", "nul\0name"]
        files = [File(name, b"data") for name in names]
        for name, xml in cases.items():
            with self.subTest(name):
                self.server.empty()
                content_type, body = (("application/xml", submission()) if xml is None
                                      else body_of(xml, files))
                self.assert_openrosa(self.post(content_type, body), 201)
                [parcel] = self.server.parcels()
                self.assertEqual(parcel.body, body)

    def test_a_very_long_device_does_not_hold_a_submission_up(self):
        target = "/openrosa/submission?deviceID=" + "x%0Ay" * 500
        self.assert_openrosa(self.post(*body_of(submission()), target=target), 201)
        self.assertEqual(len(self.server.parcels()), 1)

    def test_a_post_is_never_redirected(self):
        for target in ("/openrosa", "/openrosa/submission/", "/openrosa//submission"):
            with self.subTest(target=target):
                response = self.post(*body_of(submission()), target=target)
                self.assertNotIn(response.status // 100, (3,))
                self.assertNotEqual(response.status, 200)


class Transport(ModuleTest):
    settings = {
        "http": "keepalive_requests 100000;",
        "server": "large_client_header_buffers 4 16k; lingering_time 1s; lingering_timeout 1s;",
        "location": "client_body_buffer_size 16k; client_body_timeout 2s;",
    }

    def test_chunked(self):
        content_type, body = body_of(submission(), [File("a", os.urandom(50_000))])
        with self.connect() as connection:
            connection.write(post_head(None, content_type, ("Transfer-Encoding", "chunked")),
                             wire.chunked(body, 777))
            self.assert_openrosa(connection.read(), 201)
        self.assertEqual(self.server.parcels()[0].body, body)

    def test_expect_100_continue(self):
        content_type, body = body_of(submission())
        with self.connect() as connection:
            connection.write(post_head(len(body), content_type, ("Expect", "100-continue")))
            time.sleep(0.05)
            connection.write(body)
            response = connection.read()
        self.assertEqual(response.interim, [100])
        self.assert_openrosa(response, 201)

    def test_a_slow_phone(self):
        """The server's time counts from piece to piece, and not for the whole body."""
        content_type, body = body_of(submission(), [File("a.jpg", os.urandom(4000))])
        with self.connect() as connection:
            connection.write(post_head(len(body), content_type))
            connection.write_slowly(body, len(body) // 6, 1)
            self.assert_openrosa(connection.read(), 201)

    def test_pipelined_requests_are_answered_in_order(self):
        count = 20
        requests = b""
        for number in range(count):
            content_type, body = body_of(submission("f" if number % 2 else "nobody"))
            requests += post_head(len(body), content_type) + body
        with self.connect() as connection:
            connection.write(requests)
            statuses = [connection.read().status for _ in range(count)]
        self.assertEqual(statuses, [404, 201] * (count // 2))

    @on_release
    def test_two_thousand_on_one_connection_leak_nothing(self):
        content_type, body = body_of(submission(), [File("a.jpg", os.urandom(20_000))])
        request = post_head(len(body), content_type) + body
        before = None
        with self.connect() as connection:
            for number in range(2000):
                connection.write(request)
                self.assertEqual(connection.read().status, 201)
                if number % 500 == 499:
                    self.phone.sync()
                    before = before or (self.server.descriptors(), self.server.memory())
            descriptors, memory = self.server.descriptors(), self.server.memory()
        self.assertLessEqual(descriptors, before[0] + 2)
        self.assertLess(memory, before[1] + 2_000_000)

    def test_http2(self):
        before = set(self.server.workers())
        port = self.server.speak_http2(**self.settings)
        file = os.path.join(self.server.dir, "instance.xml")
        with open(file, "wb") as out:
            out.write(submission())
        command = ["curl", "-sS", "--http2-prior-knowledge", "--max-time", "20", "-i",
                   "-F", f"xml_submission_file=@{file};type=text/xml",
                   "-F", f"film.mp4=@{self.server.forms}/f-media/photo é.jpg",
                   f"http://127.0.0.1:{port}/openrosa/submission"]

        def answer():
            run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                 check=False, stdin=subprocess.DEVNULL)
            return run.stdout.decode() if run.returncode == 0 else None

        text = wait_until(answer, 10, "the server to speak HTTP/2")
        self.assertRegex(text, r"^HTTP/2 201")
        self.assertIn("x-openrosa-version: 1.0", text)
        self.assertEqual(len(self.server.parcels()), 1)
        # The old worker still accepts for a moment, and ends between two requests.
        wait_until(lambda: not before & set(self.server.workers()), 10, "the old worker's end")

    def test_phones_that_vanish_leave_nothing_and_harm_nobody(self):
        content_type, body = body_of(submission(), [File("a", os.urandom(100_000))])
        rng = random.Random(7)
        for number in range(60):
            connection = self.connect()
            connection.write(post_head(len(body), content_type),
                             body[:rng.randrange(len(body) - 1)])
            (connection.reset, connection.close, connection.half_close)[number % 3]()
        self.assertEqual(self.phone.send(submission()).statuses, [201])
        wait_until(lambda: self.server.count("tmp") == 0, 5, "tmp to be empty")
        self.assertEqual(len(self.server.parcels()), 1)
        self.assertEqual(self.server.alarms(), [])

    def test_a_phone_that_half_closes_gets_its_answer(self):
        content_type, body = body_of(submission())
        with self.connect() as connection:
            connection.write(post_head(len(body), content_type), body)
            connection.half_close()
            self.assert_openrosa(connection.read(), 201)


class TooLarge(ModuleTest):
    """The location's lingering times are nginx's own or shorter: the module sees to it that a
    phone can send all and then read why it was refused."""
    settings = {"location": "client_max_body_size 12m; lingering_time 1s; lingering_timeout 1s;"}

    def test_the_message_names_the_limit(self):
        response = self.post("multipart/form-data; boundary=x", b"x" * (13 << 20))
        self.assert_openrosa(response, 413, "12\u00a0Mo")
        response = self.post("multipart/form-data; boundary=x", b"x" * (13 << 20),
                             ("Accept-Language", "en"))
        self.assert_openrosa(response, 413, "12\u00a0MB")

    def test_a_slow_phone_can_send_all_and_then_read_it(self):
        body = b"x" * (30 << 20)
        with self.connect() as connection:
            connection.write(post_head(len(body), "multipart/form-data; boundary=x"))
            connection.write_slowly(body, 3 << 20, 0.3)
            time.sleep(1.5)  # longer than the lingering_timeout as written
            self.assert_openrosa(connection.read(), 413, "12")

    def test_chunked_beyond_the_limit(self):
        with self.connect() as connection:
            connection.write(post_head(None, "multipart/form-data; boundary=x",
                                       ("Transfer-Encoding", "chunked")))
            connection.write(wire.chunked(b"x" * (13 << 20), 1 << 20))
            self.assert_openrosa(connection.read(), 413, "12")

    def test_collect_splits_by_what_was_announced(self):
        files = [File(f"{n}.jpg", os.urandom(5 << 20)) for n in range(3)]
        receipt = self.phone.send(submission(), files)
        self.assertEqual((receipt.statuses, receipt.limit),
                         ([201, 201], (12 << 20) - 65536))
        with self.assertRaises(Failed) as failed:
            self.phone.send(submission(), [File("big.mp4", os.urandom(14 << 20))])
        self.assertEqual(failed.exception.status, 413)
        self.assertIn("12", failed.exception.text)


if __name__ == "__main__":
    unittest.main()
