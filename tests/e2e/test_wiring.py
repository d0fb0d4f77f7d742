"""The wiring guides of plugin/README.md, line by line as they stand there: each block is put into a
real nginx in front of a stand-in of the server that it is for, and every address by which phones
send must be captured, and nothing else.
"""
import hashlib
import http.server
import os
import re
import socketserver
import subprocess
import tempfile
import threading
import unittest
import urllib.request

import builds
from webserver import MODULE, NGINX, WebServer, free_port, wait_until
from wire import Connection, Part, head, joined, multipart

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOKEN = "qzpdJ4OkRz9kNV7Pn2MuLx1h5XnT2oL6BVdZwGt8cYwQeRk3sAfHjUvC0iEoTyNm"


def wiring(name):
    """The block of plugin/README.md below "# wiring: NAME"."""
    with open(os.path.join(ROOT, "plugin/README.md"), encoding="utf-8") as file:
        text = file.read()
    found = re.search(rf"^    # wiring: {re.escape(name)}\n((?:    .*\n|\n(?=    ))+)", text, re.M)
    assert found, name
    return found.group(1)


class Upstream:
    """Answers 201 to every POST and keeps what it was sent: path → SHA-256 of the bodies."""

    def __init__(self):
        self.seen = {}
        self.server = self.make()
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def make(self):
        upstream = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                upstream.take(self.path, body)
                self.send_response(201)
                self.send_header("Content-Length", "4")
                self.end_headers()
                self.wfile.write(b"fine")

            def log_message(self, *_):
                pass

        return http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def take(self, path, body):
        self.seen.setdefault(path, []).append(hashlib.sha256(body).hexdigest())

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Asking(Upstream):
    """Asks for a name by Digest, or else by Basic, as Aggregate does; `given` is what came."""
    CHALLENGES = ['Digest realm="odk", nonce="n0nce", qop="auth", algorithm=MD5', 'Basic realm="odk"']

    def make(self):
        upstream = self
        self.given = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                upstream.given.append(self.headers.get("Authorization"))
                self.send_response(401 if upstream.given[-1] is None else 201)
                for challenge in upstream.CHALLENGES if upstream.given[-1] is None else ():
                    self.send_header("WWW-Authenticate", challenge)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_HEAD = do_POST = answer

            def log_message(self, *_):
                pass

        return http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)


class UwsgiUpstream(Upstream):
    """The same behind the uwsgi protocol: a head of four bytes, variables, the body."""

    def make(self):
        upstream = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                size = int.from_bytes(self.rfile.read(4)[1:3], "little")
                data, at, variables = self.rfile.read(size), 0, {}
                while at < size:
                    words = []
                    for _ in range(2):
                        length = int.from_bytes(data[at:at + 2], "little")
                        words.append(data[at + 2:at + 2 + length].decode())
                        at += 2 + length
                    variables[words[0]] = words[1]
                body = self.rfile.read(int(variables["CONTENT_LENGTH"]))
                upstream.take(variables["REQUEST_URI"], body)
                self.wfile.write(b"HTTP/1.1 201 Created\r\nContent-Length: 4\r\n\r\nfine")

        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        return server


def submission(number):
    xml = (f'<data id="f"><meta><instanceID>uuid:{number:08d}-0000-4000-8000-000000000000'
           "</instanceID></meta></data>").encode()
    boundary, runs, _ = multipart([Part("xml_submission_file", xml, "f.xml", "text/xml")])
    return f"multipart/form-data; boundary={boundary}", joined(runs)


class Wiring(unittest.TestCase):
    def post(self, port, path, number=1):
        content_type, body = submission(number)
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=body,
                                         headers={"Content-Type": content_type})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=20) as answer:
            return answer.status, answer.read(), hashlib.sha256(body).hexdigest()

    def upstream(self, kind):
        made = kind()
        self.addCleanup(made.stop)
        return made

    def wire(self, block, kind=Upstream, rest="", files=(), replace=()):
        upstream = self.upstream(kind)
        for old, new in [*replace, ("UPSTREAM", f"127.0.0.1:{upstream.port}")]:
            self.assertTrue(old in block or old == "UPSTREAM", old)
            block = block.replace(old, new)
        server = WebServer()
        self.addCleanup(server.remove)
        block = block.replace("/var/spool/relais", server.spool).replace("DIR", server.dir)
        server.configure(server=block + rest.replace("UPSTREAM", f"127.0.0.1:{upstream.port}"))
        for name, text in files:
            with open(os.path.join(server.dir, name), "w", encoding="utf-8") as file:
                file.write(text.replace("UPSTREAM", f"127.0.0.1:{upstream.port}"))
        server.start()
        return server, upstream

    def expect(self, server, upstream, captured, passed=()):
        for number, path in enumerate(captured):
            status, text, sha256 = self.post(server.port, path, number)
            self.assertEqual((status, text), (201, b"fine"), path)
            self.assertEqual(upstream.seen[path], [sha256], path)
            self.assertIn(sha256, {p.head["sha256"] for p in server.parcels()}, path)
        for path in passed:
            self.assertEqual(self.post(server.port, path, 99)[0], 201, path)
        self.assertEqual(len(server.parcels()), len(captured))
        self.assertEqual({p.head["source"] for p in server.parcels()}, {"capture"})
        self.assertNotIn(TOKEN, server.log())
        self.assertNotIn(TOKEN, str([p.head for p in server.parcels()]))

    # ---- each guide

    REST = "location / { proxy_pass http://UPSTREAM; }"
    CENTRAL = [f"/v1/key/{TOKEN}/projects/7/submission?deviceID=collect%3Aabc",
               "/v1/projects/12/submission"]
    CENTRAL_OTHER = ["/v1/projects/12/forms/f/draft/submission",
                     f"/v1/test/{TOKEN}/projects/12/forms/f/draft/submission",
                     "/v1/projects/12/forms/f/submissions"]

    def test_a_bare_nginx(self):
        server, upstream = self.wire(wiring("nginx"), rest=self.REST,
                                     replace=[("127.0.0.1:8383", "UPSTREAM")])
        self.expect(server, upstream, ["/submission", "/any/where/submission"],
                    ["/submissions", "/view/submissionList"])

    def test_names_are_asked_for_by_the_server_behind(self):
        """Its challenges in its order, and the phone's answer to the letter."""
        server, upstream = self.wire(wiring("nginx"), Asking, rest=self.REST, replace=[("127.0.0.1:8383", "UPSTREAM")])
        content_type, body = submission(1)
        given = 'Digest username="agent", realm="odk", nonce="n0nce", uri="/submission?deviceID=d", qop=auth, nc=00000001'
        with Connection("127.0.0.1", server.port) as connection:
            for method, headers, status in (("HEAD", [], 401), ("POST", [], 401), ("POST", [("Authorization", given)], 201)):
                sent = body if method == "POST" else b""
                connection.write(head(method, "/submission?deviceID=d", [
                    ("Host", "odk"), ("Content-Type", content_type), ("Content-Length", str(len(sent))), *headers]), sent)
                answer = connection.read(method)
                self.assertEqual(answer.status, status)
                self.assertEqual(answer.all("WWW-Authenticate"), Asking.CHALLENGES if status == 401 else [])
        self.assertEqual(upstream.given, [None, None, given])
        self.assertEqual(len(server.parcels()), 1)

    def test_central_with_the_module(self):
        server, upstream = self.wire(wiring("central template, module"), rest=self.REST,
                                     replace=[("service:8383", "UPSTREAM")])
        self.expect(server, upstream, self.CENTRAL, self.CENTRAL_OTHER)

    def test_central_with_a_sidecar(self):
        port = free_port()
        front, upstream = self.wire(wiring("central template, sidecar"), rest=self.REST,
                                    replace=[("relais:8080", f"127.0.0.1:{port}")])
        self.start_sidecar(port, front, upstream)
        self.expect(front, upstream, self.CENTRAL, self.CENTRAL_OTHER)

    def start_sidecar(self, port, front, upstream):
        directory = tempfile.mkdtemp(prefix="relais-sidecar-", dir=front.dir)
        text = wiring("central sidecar")
        for old, new in (("modules/ngx_http_relais_module.so", os.path.abspath(MODULE)),
                         ("listen 8080", f"listen 127.0.0.1:{port}"),
                         ("service:8383", f"127.0.0.1:{upstream.port}"),
                         ("/var/spool/relais", front.spool),
                         ("user www-data;", "user www-data;" if os.geteuid() == 0 else "")):
            self.assertIn(old, text)
            text = text.replace(old, new)
        path = os.path.join(directory, "nginx.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        process = subprocess.Popen(
            [NGINX, "-p", directory, "-e", os.path.join(directory, "error.log"), "-c", path,
             "-g", f"daemon off; pid {directory}/pid;"], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=builds.web())
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        wait_until(lambda: os.path.exists(os.path.join(directory, "pid")), 10, "the sidecar")

    KOBO = ["/submission", "/amina/submission", f"/collector/{TOKEN}/submission"]
    KOBO_OTHER = ["/amina/forms/submission/x", "/api/v1/submissions"]

    def test_kobo_by_proxy_pass(self):
        server, upstream = self.wire(wiring("kobo"), rest=self.REST,
                                     replace=[("/etc/nginx/includes/", "DIR/")],
                                     files=[("proxy_pass.conf", "proxy_pass http://UPSTREAM;\n")])
        self.expect(server, upstream, self.KOBO, self.KOBO_OTHER)

    def test_kobo_by_uwsgi_pass(self):
        server, upstream = self.wire(
            wiring("kobo"), kind=UwsgiUpstream, replace=[("/etc/nginx/includes/", "DIR/")],
            files=[("proxy_pass.conf", "include /etc/nginx/uwsgi_params; uwsgi_pass UPSTREAM;\n")])
        self.expect(server, upstream, self.KOBO)

    def test_ona(self):
        server, upstream = self.wire(
            wiring("ona"), kind=UwsgiUpstream,
            replace=[("unix:///var/run/onadata/onadata.sock", "UPSTREAM"),
                     ("include    uwsgi_params", "include /etc/nginx/uwsgi_params")])
        self.expect(server, upstream, ["/submission", "/amina/submission", "/projects/3/submission"])

    def test_aggregate(self):
        server, upstream = self.wire(wiring("aggregate"), rest=self.REST,
                                     replace=[("127.0.0.1:8080", "UPSTREAM")])
        self.expect(server, upstream, ["/submission", "/ODKAggregate/submission"],
                    ["/view/submission"])


if __name__ == "__main__":
    unittest.main()
