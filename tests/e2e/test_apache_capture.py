"""`Relais capture` in Apache: the tests of test_capture.py, and what is httpd's own. Under load:
test_apache_load.py.
"""
import os
import subprocess
import time
import unittest

import collect
import test_capture
import wire
from apacheserver import ApacheServer
from builds import on_release
from test_capture import head_of
from test_module import body_of, submission

HTTP = "Relais capture\nProxyPass http://127.0.0.1:{port}/"
LOCATIONS = {
    "proxied": HTTP,
    "unbuffered": HTTP + " flushpackets=on",
    "streamed": HTTP + "\nSetEnv proxy-sendchunked 1",
    "uwsgi": "Relais capture\nProxyPass uwsgi://127.0.0.1:{port}/",
    "scgi": "Relais capture\nProxyPass scgi://127.0.0.1:{port}/",
}


class OnApache:
    Server = ApacheServer
    locations = {"proxied": HTTP}


class Answers(OnApache, test_capture.Answers):
    locations = LOCATIONS
    refusal, failure = "status=409", "status=404 size=300000"

    @staticmethod
    def is_possible(name, script):
        """httpd believes no Content-Length over SCGI, so that a cut is an end."""
        return test_capture.Answers.is_possible(name, script) and not (
            name == "scgi" and "cut=" in script and "cut=-1" not in script)

    @staticmethod
    def statuses(status, script):
        """httpd's own answer to an upstream's silence differs by protocol."""
        return (500, 502) if script.startswith("cut=-1") else (status,)

    def serve_http2(self, tls, location):
        server = ApacheServer(server=location + f"""
            Listen 127.0.0.1:{tls}
            <VirtualHost 127.0.0.1:{tls}>
            Protocols h2
            SSLEngine on
            SSLCertificateFile {self.server.dir}/cert.pem
            SSLCertificateKeyFile {self.server.dir}/key.pem
            {location}
            </VirtualHost>""")
        return server.port, server


class TooLarge(OnApache, test_capture.TooLarge):
    """httpd has no limit of its own for what it passes on; the module reads while it refuses."""
    locations = {"proxied": HTTP, "small": HTTP + "\nLimitRequestBody 4096"}
    knows_form = True


class Bodies(OnApache, test_capture.Bodies):
    locations = {name: LOCATIONS[name] for name in ("proxied", "streamed")}


class Head(OnApache, test_capture.Head):
    locations = {"v1": HTTP}
    test_other_locations_log_as_before = None
    logged = ("no answer of the upstream to a submission: httpd answers 502: Error reading",
              "the body is larger than LimitRequestBody, 104857600")


class Faults(OnApache, test_capture.Faults):
    pass


class Places(OnApache, test_capture.CaptureTest):
    """What httpd itself can do around a capture."""
    settings = {"server": """
        RewriteEngine on
        RewriteRule ^/rewritten/(.*) /proxied/$1 [PT]
        ErrorDocument 404 /fallback/submission
        <Location "/again/">
            Relais capture
            ProxyErrorOverride On 404
            ProxyPass http://127.0.0.1:{port}/
        </Location>
        <Location "/fallback/">
            ProxyPass http://127.0.0.1:{port}/ disablereuse=on
            RequestHeader set X-Script status=201
        </Location>
        <Location "/closed/">
            Relais capture
            ProxyPass http://127.0.0.1:{port}/
            Require all denied
        </Location>
        <Location "/other/">
            Relais capture
            RelaisCaptureStatuses 200 201
            ProxyPass http://127.0.0.1:{port}/
        </Location>
        <Location "/dead/">
            Relais capture
            ProxyPass http://127.0.0.1:1/
        </Location>
        <Location "/packed/">
            Relais capture
            ProxyPass http://127.0.0.1:{port}/
            SetOutputFilter DEFLATE
        </Location>
        """}

    def test_a_rewritten_path(self):
        self.assertEqual(self.post(target="/rewritten/submission").status, 201)
        self.assert_kept(1)

    def test_an_error_document_that_accepts(self):
        self.assertEqual(self.post("status=404", target="/again/submission").status, 201)
        self.assert_kept(1)
        self.assertEqual(self.post("status=409", target="/again/submission").status, 409)
        self.assert_kept(1)

    def test_http2_without_a_length(self):
        """A body broken off looks like a whole one to httpd: the multipart must end."""
        content_type, body = body_of(submission())
        for kind, data, status in ((content_type, body, 201), (content_type, body[:-8], 400),
                                   ("text/xml", submission(), 400)):
            self.server.empty()
            run = subprocess.run(
                ["curl", "-sS", "--http2-prior-knowledge", "--max-time", "20", "-o", "/dev/null",
                 "-w", "%{http_version} %{http_code}", "-X", "POST", "-T", "-", "-H",
                 f"Content-Type: {kind}", f"http://{self.server.host}/proxied/submission"],
                input=data, stdout=subprocess.PIPE, check=True)
            self.assertEqual(run.stdout.decode(), f"2 {status}")
            self.assert_kept(1 if status == 201 else 0)

    def test_who_may_not_enter_is_not_staged(self):
        content_type, body = body_of(submission())
        response = self.post(body=(content_type, body), target="/closed/submission")
        self.assertEqual(response.status, 403)
        self.assert_kept(0)
        self.assertNotIn("/closed", self.server.log())

    def test_other_statuses(self):
        for status, count in ((200, 1), (201, 1), (202, 0)):
            self.server.empty()
            response = self.post(f"status={status}", target="/other/submission")
            self.assertEqual(response.status, status)
            self.assert_kept(count)

    def test_an_upstream_that_is_not_there(self):
        self.assertEqual(self.post(target="/dead/submission").status, 503)
        self.assert_kept(0)
        self.assertIn("no answer of the upstream to a submission: httpd answers 503",
                      self.server.log())

    def test_what_filters_do_to_the_answer(self):
        response = self.post("size=5000", ("Accept-Encoding", "gzip"), target="/packed/submission")
        self.assertEqual((response.status, response.header("Content-Encoding"),
                          len(response.body)), (201, "gzip", 5000))
        self.assert_kept(1)
        self.server.empty()
        response = self.post("size=300000", ("Accept-Encoding", "gzip"),
                             target="/packed/submission")
        self.assert_asks_to_wait(response)
        self.assert_kept(0)

    def test_expect_100_continue(self):
        content_type, body = body_of(submission())
        with self.connect() as connection:
            connection.write(head_of(len(body), content_type, "", ("Expect", "100-continue")))
            time.sleep(0.1)
            connection.write(body)
            response = connection.read()
        self.assertEqual((response.status, response.interim), (201, [100]))
        self.assert_kept(1)

    @on_release
    def test_a_large_upload_takes_little_memory(self):
        self.post()
        idle, size = self.server.memory(), 100 << 20
        film = os.path.join(self.server.dir, "film.mp4")
        with open(film, "wb") as file:
            file.truncate(size - 1_000_000)
        _, runs, length = wire.multipart(collect.submission_parts(submission(), [
            collect.File("film.mp4", film)]), "b")
        with self.connect() as connection:
            connection.write(head_of(length, "multipart/form-data; boundary=b"), *runs)
            highest = self.server.memory()
            self.assertEqual(connection.read().status, 201)
        self.assertLess(max(highest, self.server.memory()) - idle, 16 << 20)
        self.assertEqual(self.server.count("new"), 2)


if __name__ == "__main__":
    unittest.main()
