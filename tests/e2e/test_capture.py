"""`relais capture`: whatever an upstream answers, the phone gets it as it is, and what the
upstream accepted is in the spool before the phone reads so.

The upstream is tests/load/upstream.c: it speaks HTTP, uwsgi and SCGI, and answers as the X-Script
header of a request tells it. Under load: test_capture_load.py; with nginx's other features, and
mistakes in the configuration: test_capture_places.py.
"""
import base64
import os
import re
import subprocess
import sys
import time
import unittest

import wire
from collect import File
from test_module import body_of, submission
from test_module_refused import notes_of
from webserver import IS_ROOT, WebServer, free_port, wait_until

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "load"))
# pylint: disable=wrong-import-position
import harness

TOKEN = "Wc1sVqyzlFsLaIV9kI7Zv0mD3"
HTTP = "relais capture; proxy_pass http://127.0.0.1:{port};"
PARAMETERS = ("{kind}_param CONTENT_LENGTH $content_length;"
              "{kind}_param REQUEST_METHOD $request_method; {kind}_param SCGI 1;")
LOCATIONS = {
    "proxied": HTTP,
    "unbuffered": HTTP + "proxy_buffering off;",
    "streamed": HTTP + "proxy_request_buffering off; proxy_http_version 1.1;",
    "small": HTTP + "proxy_buffers 4 4k; proxy_buffer_size 4k; proxy_busy_buffers_size 8k;"
                    "client_body_buffer_size 1k;",
    "uwsgi": "relais capture; uwsgi_pass 127.0.0.1:{port};" + PARAMETERS.replace("{kind}", "uwsgi"),
    "scgi": "relais capture; scgi_pass 127.0.0.1:{port};" + PARAMETERS.replace("{kind}", "scgi"),
}

# What the upstream is told, the status that the phone sees, whether it is kept.
ANSWERS = (
    ("", 201, True),
    ("status=202", 202, True),
    ("size=0", 201, True),
    ("framing=close size=5000", 201, True),
    ("framing=chunked size=100000", 201, True),
    ("framing=chunked size=0", 201, True),
    ("size=262144", 201, True),
    ("size=262145", 503, False),
    ("size=300000 framing=chunked", 503, False),
    ("delay=200", 201, True),
    ("size=5000 pause=200", 201, True),
    ("status=200", 200, False),
    ("status=204", 204, False),
    ("status=302 header=Location:/elsewhere", 302, False),
    ("status=304", 304, False),
    ("status=400", 400, False),
    ("status=401 header=WWW-Authenticate:Basic", 401, False),
    ("status=404 size=300000", 404, False),
    ("status=409", 409, False),
    ("status=500 framing=chunked", 500, False),
    ("status=503", 503, False),
    ("cut=-1", 502, False),
    ("cut=-1 end=reset", 502, False),
    ("cut=0 size=100", 502, False),
    ("cut=50 size=100", 502, False),
    ("cut=9000 size=10000 framing=chunked", 502, False),
    ("cut=50 size=100 end=reset", 502, False),
)


def head_of(length, content_type, script="", *headers, target="/proxied/submission?deviceID=d"):
    lines = [("Host", "odk.example.bf"), ("X-OpenRosa-Version", "1.0"), ("X-Script", script)]
    lines += list(headers)
    if content_type is not None:
        lines.append(("Content-Type", content_type))
    if length is not None:
        lines.append(("Content-Length", str(length)))
    return wire.head("POST", target, lines)


class CaptureTest(unittest.TestCase):
    """One server and one upstream for all tests of a class; each finds the spool empty."""
    Server = WebServer
    locations = LOCATIONS
    settings = {}

    @classmethod
    def setUpClass(cls):
        cls.upstream = harness.Upstream()
        cls.addClassCleanup(cls.upstream.stop)
        places = "".join(cls.Server.location(f"/{name}/", content)
                         for name, content in cls.locations.items())
        settings = dict(cls.settings, server=places + cls.settings.get("server", ""))
        settings = {key: text.replace("{port}", str(cls.upstream.port))
                    for key, text in settings.items()}
        cls.server = cls.Server(environment={"LD_PRELOAD": harness.FAULTS}, **settings)
        cls.addClassCleanup(cls.server.remove)
        cls.server.start()

    def setUp(self):
        self.server.empty()

    def connect(self):
        connection = wire.Connection("127.0.0.1", self.server.port, timeout=20)
        self.addCleanup(connection.close)
        return connection

    def post(self, script="", *headers, body=None, target="/proxied/submission?deviceID=d"):
        content_type, data = body or body_of(submission(), [File("a.jpg", os.urandom(3000))])
        with self.connect() as connection:
            connection.write(head_of(len(data), content_type, script, *headers, target=target),
                             data)
            return connection.read()

    def assert_kept(self, count):
        """So many parcels, and what was staged for others goes as soon as they are answered."""
        self.assertEqual(self.server.count("new"), count)
        wait_until(lambda: self.server.count("tmp") == 0, 5, "tmp to be empty")

    def assert_asks_to_wait(self, response, status=503):
        self.assertEqual(response.status, status)
        self.assertEqual(response.all("X-OpenRosa-Version"), ["1.0"])
        self.assertEqual(response.header("Content-Type"), "text/xml; charset=utf-8")
        self.assertIn("n\u2019a pas enregistré la fiche", response.message())
        self.assertEqual(response.header("Retry-After"), "30" if status == 503 else None)


class Answers(CaptureTest):
    refusal, failure = "status=400", "size=300000"  # answers that leave the connection open

    def test_every_answer_of_every_upstream(self):
        for name in self.locations:
            for script, status, is_kept in ANSWERS:
                if not self.is_possible(name, script):
                    continue
                with self.subTest(location=name, script=script):
                    self.server.empty()
                    response = self.post(script, target=f"/{name}/submission")
                    self.assertIn(response.status, self.statuses(status, script))
                    self.assert_kept(1 if is_kept else 0)
                    self.check_body(script, response)

    @staticmethod
    def is_possible(name, script):
        """uwsgi and SCGI have no chunks."""
        return name not in ("uwsgi", "scgi") or "chunked" not in script

    @staticmethod
    def statuses(status, script):
        """What the phone may see."""
        return (status,)

    def check_body(self, script, response):
        """The upstream's own answer, or one of ours that the phone understands."""
        told = re.search(r"status=(\d+)", script)
        if response.status == int(told[1] if told else 201):
            size = re.search(r"size=(\d+)", script)
            size = int(size[1] if size else 200)
            self.assertEqual(len(response.body), 0 if response.status in (204, 304) else size)
            self.assertEqual(response.all("X-Upstream"), ["yes"])
            self.assertEqual(response.all("X-OpenRosa-Version"), ["1.0"])
        elif response.status == 503 or "cut=-1" not in script:
            self.assertEqual(response.all("X-Upstream"), [])
            self.assert_asks_to_wait(response, response.status)

    def test_a_refusal_that_is_cut_is_passed_as_it_comes(self):
        content_type, body = body_of(submission())
        with self.connect() as connection:
            connection.write(head_of(len(body), content_type, "status=400 cut=50 size=100"), body)
            with self.assertRaises(ConnectionError):
                connection.read()
        self.assert_kept(0)

    def test_what_is_kept_is_what_was_sent(self):
        for size in (0, 900, 20_000, 3_000_000):
            body = body_of(submission("any form"), [File("a.bin", os.urandom(size))])
            for name in self.locations:
                with self.subTest(size=size, location=name):
                    self.server.empty()
                    self.assertEqual(self.post(body=body, target=f"/{name}/x").status, 201)
                    [parcel] = self.server.parcels()
                    self.assertEqual(parcel.body, body[1])
                    self.assertEqual(parcel.head["form"], "any form")

    def test_answers_on_one_connection(self):
        content_type, body = body_of(submission())
        scripts = ("", self.refusal, self.failure, "status=202", "status=204", "")
        with self.connect() as connection:
            for script in scripts * 5:
                connection.write(head_of(len(body), content_type, script), body)
                self.assertNotEqual(connection.read().header("Connection"), "close")
        self.assert_kept(15)

    def test_pipelined(self):
        content_type, body = body_of(submission())
        with self.connect() as connection:
            connection.write(*[part for number in range(20) for part in (
                head_of(len(body), content_type, self.refusal if number % 2 else ""), body)])
            self.assertEqual([connection.read().status for _ in range(20)],
                             [201, int(self.refusal[-3:])] * 10)
        self.assert_kept(10)

    def test_other_requests_pass_untouched(self):
        for method in ("GET", "HEAD", "PUT", "DELETE"):
            with self.subTest(method=method), self.connect() as connection:
                connection.write(wire.head(method, "/proxied/submission", [
                    ("Host", "x"), ("Content-Length", "0"), ("X-Script", "status=201")]))
                response = connection.read(method)
                self.assertEqual((response.status, response.header("X-Upstream")), (201, "yes"))
        self.assert_kept(0)

    def serve_http2(self, tls, location):
        """A server that speaks HTTP/2, and its port for the same without TLS."""
        clear = free_port()
        return clear, self.Server(server=f"listen 127.0.0.1:{clear} http2;"
                                         f"listen 127.0.0.1:{tls} ssl http2;"
                                         f"ssl_certificate {self.server.dir}/cert.pem;"
                                         f"ssl_certificate_key {self.server.dir}/key.pem;"
                                         + location)

    def test_http2(self):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                        "-subj", "/CN=127.0.0.1", "-keyout", f"{self.server.dir}/key.pem",
                        "-out", f"{self.server.dir}/cert.pem"], check=True,
                       stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        tls = free_port()
        clear, server = self.serve_http2(tls, self.Server.location(
            "/proxied/", self.locations["proxied"].replace("{port}", str(self.upstream.port))))
        self.addCleanup(server.remove)
        server.start()
        file = os.path.join(server.dir, "instance.xml")
        with open(file, "wb") as out:
            out.write(submission())
        for url, option in ((f"http://127.0.0.1:{clear}", "--http2-prior-knowledge"),
                            (f"https://127.0.0.1:{tls}", "--http2")):
            for script, status, is_kept in ANSWERS:
                with self.subTest(url=url, script=script):
                    server.empty()
                    run = subprocess.run(
                        ["curl", "-sSk", option, "--max-time", "20", "-o", "/dev/null", "-w",
                         "%{http_version} %{http_code}", "-F",
                         f"xml_submission_file=@{file};type=text/xml", "-H",
                         f"X-Script: {script}", url + "/proxied/submission"],
                        stdout=subprocess.PIPE, check=True, stdin=subprocess.DEVNULL)
                    self.assertIn(run.stdout.decode(),
                                  [f"2 {seen}" for seen in self.statuses(status, script)])
                    self.assertEqual(server.count("new"), 1 if is_kept else 0)


class Bodies(CaptureTest):
    locations = {name: LOCATIONS[name] for name in ("proxied", "streamed")}

    def test_what_was_cut_is_refused_before_the_upstream_is_asked(self):
        content_type, body = body_of(submission())
        for data in (body[:-8], body[:50], b""):
            with self.subTest(length=len(data)):
                response = self.post(body=(content_type, data))
                self.assertEqual(response.status, 400)
                self.assertIn("interrompu", response.message())
                self.assertEqual(response.all("X-OpenRosa-Version"), ["1.0"])
                self.assertIsNone(response.header("X-Upstream"))
        self.assert_kept(0)

    def test_what_cannot_be_read_is_the_upstreams_to_judge(self):
        bodies = {
            "no multipart": ("application/json", b'{"id": "f"}'),
            "no content type": (None, b"x"),
            "no boundary": ("multipart/form-data", body_of(submission())[1]),
            "no XML": body_of(b""),
            "no form": body_of(b"<data/>"),
            "DOCTYPE": body_of(b"<!DOCTYPE d><data id='f'/>"),
            "nothing": ("text/xml", b""),
        }
        for name, body in bodies.items():
            for script, count in (("", 1), ("status=400", 0)):
                with self.subTest(name, script=script):
                    self.server.empty()
                    self.assertEqual(self.post(script, body=body).status, 400 if script else 201)
                    self.assert_kept(count)
                    for parcel in self.server.parcels():
                        self.assertEqual((parcel.head["form"], parcel.body), ("", body[1]))
        self.assertEqual(self.server.log().count("will be put into quarantine"), len(bodies))

    def test_chunked_and_slow_requests(self):
        content_type, body = body_of(submission(), [File("a", os.urandom(50_000))])
        for name in self.locations:
            with self.connect() as connection:
                connection.write(head_of(None, content_type, "", ("Transfer-Encoding", "chunked"),
                                         target=f"/{name}/s"), wire.chunked(body, 7000))
                self.assertEqual(connection.read().status, 201)
            with self.connect() as connection:
                connection.write(head_of(len(body), content_type, target=f"/{name}/s"))
                connection.write_slowly(body, 5000, 0.02)
                self.assertEqual(connection.read().status, 201)
        self.assert_kept(4)

    def test_a_phone_that_leaves_while_the_upstream_works(self):
        content_type, body = body_of(submission())
        for end in ("close", "reset", "half_close"):
            with self.subTest(end):
                self.server.empty()
                connection = self.connect()
                connection.write(head_of(len(body), content_type, "delay=300"), body)
                time.sleep(0.1)
                getattr(connection, end)()
                wait_until(lambda: self.server.count("new") == 1, 5, "the parcel")
                self.assert_kept(1)

    def test_a_phone_that_leaves_before_its_end(self):
        content_type, body = body_of(submission(), [File("a", os.urandom(100_000))])
        for length in (0, 10, 5000, len(body) - 1):
            connection = self.connect()
            connection.write(head_of(len(body), content_type), body[:length])
            connection.reset()
        self.assertEqual(self.post().status, 201)
        self.assert_kept(1)


class Head(CaptureTest):
    locations = {"v1": LOCATIONS["proxied"]}
    logged = ("too large body", 'request: "POST (path not logged)", upstream: "127.0.0.1:')

    def post_as(self, *headers, query="?deviceID=collect%3Aabc"):
        self.server.empty()
        target = f"/v1/key/{TOKEN}/projects/1/submission{query}"
        self.assertEqual(self.post("", *headers, target=target).status, 201)
        [parcel] = self.server.parcels()
        return parcel.head

    def test_what_is_written_down(self):
        head = self.post_as()
        for key, value in (("source", "capture"), ("host", "odk.example.bf"), ("form", "f"),
                           ("version", "1"), ("instance", "uuid:1"), ("device", "collect:abc")):
            self.assertEqual(head[key], value)
        self.assertNotIn("user", head)
        credentials = base64.b64encode(b"agent-017:secret").decode()
        head = self.post_as(("Authorization", f"Basic {credentials}"),
                            ("X-Forwarded-Host", "phones.bf:8443, inner"))
        self.assertEqual((head["user"], head["host"]), ("agent-017", "phones.bf:8443"))

    def test_no_token_is_stored_or_logged(self):
        for script in ("", "status=400", "cut=-1", "cut=5 size=10", "size=300000", "early=1"):
            self.post(script, target=f"/v1/key/{TOKEN}/projects/1/submission?st={TOKEN}")
        self.post(body=("application/json", b"{}"), target=f"/v1/key/{TOKEN}/submission")
        self.post(body=("multipart/form-data; boundary=b", b"{}"), target=f"/v1/{TOKEN}")
        with self.connect() as connection:    # refused by the server itself
            connection.write(head_of(1 << 40, "text/xml", target=f"/v1/{TOKEN}/submission"))
            connection.half_close()
            self.assertEqual(connection.read().status, 413)
        for words in self.logged:
            wait_until(lambda: words in self.server.log(), 5, words)
        self.assertNotIn(TOKEN, self.server.log())
        self.assertGreater(self.server.count("new"), 1)
        for parcel in self.server.parcels():
            self.assertNotIn(TOKEN, str(parcel.head))

    def test_other_locations_log_as_before(self):
        with self.connect() as connection:
            connection.write(wire.head("GET", "/nothing/here", [("Host", "x")]))
            self.assertEqual(connection.read().status, 404)
        wait_until(lambda: 'request: "GET /nothing/here HTTP/1.1"' in self.server.log(), 5,
                   "the request's line")


class TooLarge(CaptureTest):
    """What the server behind refuses for its size, or this one before it: the office is told."""
    locations = {"proxied": HTTP, "small": HTTP + "client_max_body_size 4k;"}
    knows_form = False  # of what this server refuses before it reads anything

    def note(self):
        wait_until(lambda: notes_of(self.server), 5, "a note")
        [note] = notes_of(self.server)
        return note

    def test_by_the_server_behind(self):
        body = body_of(submission(instance="uuid:7"), [File("a.jpg", os.urandom(9000))])
        self.assertEqual(self.post("status=413", body=body, target="/proxied/submission?deviceID=d").status, 413)
        self.assertEqual(self.note(), {"source": "capture", "form": "f", "version": "1", "instance": "uuid:7",
                                       "user": "", "device": "d", "size": str(len(body[1]))})
        self.assert_kept(0)

    def test_by_this_one(self):
        credentials = base64.b64encode(b"agent-9:secret").decode()
        body = body_of(submission(instance="uuid:8"), [File("a.jpg", os.urandom(9000))])
        self.assertEqual(self.post("", ("Authorization", f"Basic {credentials}"), body=body,
                                   target="/small/submission?deviceID=d").status, 413)
        form, version, instance = ("f", "1", "uuid:8") if self.knows_form else ("", "", "")
        self.assertEqual(self.note(), {"source": "capture", "form": form, "version": version, "instance": instance,
                                       "user": "agent-9", "device": "d", "size": str(len(body[1])), "limit": "4096"})
        self.assert_kept(0)

    def test_other_refusals_are_not_told(self):
        for status in (400, 409, 500):
            self.assertEqual(self.post(f"status={status}").status, status)
        time.sleep(0.3)
        self.assertEqual(notes_of(self.server), [])


class Faults(CaptureTest):
    locations = {"proxied": LOCATIONS["proxied"]}

    @unittest.skipUnless(IS_ROOT, "the spool is the server's own")
    def test_a_step_that_fails(self):
        for step in ("stage", "commit", "sync"):
            with self.subTest(step):
                for script in ("", "status=202", "status=400", ""):
                    response = self.post(script, target=f"/proxied/s?deviceID={step}")
                    if step != "stage" and script == "status=400":
                        self.assertEqual(response.status, 400)
                    else:
                        self.assert_asks_to_wait(response)
                self.assert_kept(0)
        self.assertIn("a submission was not captured", self.server.log())
        self.assertEqual(self.post().status, 201)

    def test_a_spool_that_comes_later(self):
        server = self.Server(server=self.Server.location(
            "/p/", self.locations["proxied"].replace("{port}", str(self.upstream.port))))
        self.addCleanup(server.remove)
        away = server.spool + ".away"
        os.rename(server.spool, away)
        server.start()
        self.server, before = server, self.server
        self.addCleanup(setattr, self, "server", before)
        response = self.post(target="/p/submission")
        self.assert_asks_to_wait(response)
        self.assertIsNone(response.header("X-Upstream"))
        os.rename(away, server.spool)
        self.assertEqual(self.post(target="/p/submission").status, 201)
        self.assert_kept(1)


if __name__ == "__main__":
    unittest.main()
