"""The web server's module behind Basic authentication and https, as Collect deals with them,
and the errors that the server itself makes: each reaches the phone as an OpenRosaResponse.
"""
import base64
import hashlib
import os
import shutil
import ssl
import subprocess
import time
import unittest

import collect
import wire
from collect import Failed, File, Phone
from test_module import HEADERS, submission
from test_module_refused import notes_of
from webserver import WebServer, free_port, xform


@unittest.skipUnless(shutil.which("openssl"), "needs openssl")
class Authentication(unittest.TestCase):
    """Basic over https, as Collect does it, and errors of the server's own."""
    Server = WebServer

    @staticmethod
    def settings(tls):
        return {
            "http": "limit_req_zone $server_addr zone=few:1m rate=1r/m;"
                    "error_page 401 403 404 413 500 503 /page.html;",
            "server": f"listen 127.0.0.1:{tls} ssl; ssl_certificate DIR/cert.pem;"
                      "ssl_certificate_key DIR/key.pem; location = /page.html { return 200 web; }"
                      "location /closed/ { relais serve; deny all; }"
                      "location /limited/ { relais serve; limit_req zone=few; }"
                      "location /odd/ { relais serve; return 429; }"
                      "location /full/ { relais serve; return 503; }"
                      "location /own/ { relais serve; deny all; error_page 403 /page.html; }",
            "location": "auth_basic phones; auth_basic_user_file DIR/users;"}

    @classmethod
    def setUpClass(cls):
        cls.tls = free_port()
        cls.server = cls.Server(**cls.settings(cls.tls))
        cls.addClassCleanup(cls.server.remove)
        cls.certificate = os.path.join(cls.server.dir, "cert.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                        "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
                        "-keyout", os.path.join(cls.server.dir, "key.pem"),
                        "-out", cls.certificate], check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(os.path.join(cls.server.dir, "users"), "w", encoding="ascii") as file:
            digest = hashlib.sha1(b"secret").digest()
            file.write("agent-017:{SHA}" + base64.b64encode(digest).decode() + "\n")
        cls.server.publish("f.xml", xform("f"))
        cls.server.start()
        cls.url = f"https://127.0.0.1:{cls.tls}/openrosa"

    def setUp(self):
        self.server.empty()

    def phone(self, *credentials, url=None):
        phone = Phone(url or self.url, *credentials, cafile=self.certificate)
        self.addCleanup(phone.close)
        return phone

    def test_the_right_password(self):
        phone = self.phone("agent-017", "secret")
        [form] = phone.sync()
        self.assertTrue(form.url.startswith(self.url + "/"))
        self.assertEqual(phone.send(submission(), [File("a", b"b")]).statuses, [201])
        self.assertEqual([status for _, _, status in phone.requests].count(401), 1)
        [parcel] = self.server.parcels()
        self.assertEqual(parcel.head["user"], "agent-017")

    def test_the_wrong_password(self):
        phone = self.phone("agent-017", "wrong")
        for attempt in (phone.form_list, lambda: phone.send(submission())):
            with self.assertRaises(Failed) as failed:
                attempt()
            self.assertEqual(failed.exception.status, 401)
        response = phone.request("POST", self.url + "/submission",
                                 parts=collect.submission_parts(submission()))
        self.assertEqual(response.status, 401)
        self.assertIn("Basic", response.header("WWW-Authenticate"))
        self.assertIn("mot de passe", response.message())
        self.assertEqual(self.server.count("new"), 0)

    def test_strangers_leave_no_notes(self):
        """What is too large is told of those alone whose name was checked."""
        for user, password, count in (("agent-017", "wrong", 0), ("agent-017", "secret", 1)):
            context = ssl.create_default_context(cafile=self.certificate)
            given = base64.b64encode(f"{user}:{password}".encode()).decode()
            with wire.Connection("127.0.0.1", self.tls, context) as connection:
                connection.write(wire.head("POST", "/openrosa/submission?deviceID=d", HEADERS + [
                    ("Authorization", f"Basic {given}"), ("Expect", "100-continue"), ("Content-Type", "text/xml"),
                    ("Content-Length", str(1 << 40))]))
                self.assertEqual(connection.read().status, 413 if count else 401)
            time.sleep(0.3)
            self.assertEqual([note["user"] for note in notes_of(self.server)], [user] * count)

    def test_no_password_travels_in_the_clear(self):
        phone = self.phone("agent-017", "secret", url=self.server.url)
        with self.assertRaises(Failed) as failed:
            phone.send(submission())
        self.assertEqual(failed.exception.status, 401)
        self.assertEqual(len(phone.requests), 1)

    def test_a_certificate_that_is_not_trusted(self):
        phone = Phone(self.url, "agent-017", "secret")
        self.addCleanup(phone.close)
        with self.assertRaisesRegex(Failed, "securely"):
            phone.form_list()

    def get(self, path, *headers):
        context = ssl.create_default_context(cafile=self.certificate)
        with wire.Connection("127.0.0.1", self.tls, context) as connection:
            connection.write(wire.head("GET", path, HEADERS + list(headers)))
            return connection.read()

    def check(self, path, status, *headers):
        response = self.get(path, *headers)
        self.assertEqual(response.status, status)
        self.assertEqual(response.all("X-OpenRosa-Version"), ["1.0"])
        self.assertTrue(response.message(), response.body)
        return response

    def test_errors_of_the_server_itself_are_said_to_the_phone(self):
        self.check("/closed/formList", 403)
        self.check("/odd/formList", 429)
        self.check("/odd/formList", 429, ("Accept-Language", "en"))
        self.check("/openrosa/formList", 401, ("Authorization", "Basic !!!"))
        response = self.check("/full/formList", 503)
        self.assertEqual(response.header("Retry-After"), "30")

    def test_a_limit_of_requests(self):
        self.assertEqual(self.get("/limited/formList").status, 200)
        response = self.check("/limited/formList", 503)
        self.assertEqual(response.header("Retry-After"), "30")

    def test_an_error_page_written_in_the_location_itself_is_kept(self):
        response = self.get("/own/formList")
        self.assertEqual(response.body, b"web")


if __name__ == "__main__":
    unittest.main()
