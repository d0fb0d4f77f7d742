"""`relais capture` under load: phones that go away at any moment, an upstream that fails in every
way, a disk that fails, workers that are killed. Whatever happens, what a phone saw
acknowledged is in the spool with its bytes, and what it saw refused is not.

tests/load/ has the phones, the upstream, the faults and the invariants. RELAIS_TEST_LONG makes the
runs longer.
"""
import collections
import os
import re
import signal
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "load"))
# pylint: disable=wrong-import-position
import harness
import h2phones
from builds import on_release
from harness import Record, Rules
from webserver import IS_ROOT, WebServer, free_port, wait_until

IS_LONG = bool(os.environ.get("RELAIS_TEST_LONG"))
PATH = "/v1/key/SecretToken/projects/1/submission"
LOCATION = "location /v1/ {{ relais capture; {} proxy_pass http://127.0.0.1:{}; {} }}"


class LoadTest(unittest.TestCase):
    Server = WebServer

    def setUp(self):
        self.upstream = harness.Upstream()
        self.addCleanup(self.upstream.stop)

    def location(self, before, after):
        return LOCATION.format(before, self.upstream.port, after)

    def serve(self, location="", before="", **settings):
        settings.setdefault("environment", {"LD_PRELOAD": harness.FAULTS})
        server = self.Server(server=self.location(before, location),
                             **{"level": "warn"} | settings)
        self.addCleanup(server.remove)
        return server

    def run_load(self, server, requests, rules=None, meanwhile=None, run=None, **options):
        """Runs phones, and `meanwhile(ended)` beside them; checks, and returns what was seen."""
        run = run or harness.run_phones
        options = {"port": server.port, "connections": 64, "seed": os.getpid()} | options
        ended = threading.Event()
        thread = threading.Thread(target=meanwhile, args=(ended,)) if meanwhile else None
        with harness.Forwarder(server.spool) as forwarder:
            if thread:
                thread.start()
            try:
                records = run(path=PATH, requests=requests, **options)
            finally:
                ended.set()
                if thread:
                    thread.join()
            if not (rules and rules.is_killed):
                wait_until(lambda: server.count("tmp") == 0, 20, "tmp to be empty")
        self.assertEqual(len(records), requests)
        seen = harness.check(records, forwarder.taken, rules, forwarder.damaged)
        self.assertLessEqual(set(forwarder.heads), {("capture", "127.0.0.1", "load")})
        self.assertNotIn("SecretToken", server.log())
        grave = re.findall(r".*[\[:](?:alert|emerg)\].*", server.log())
        self.assertEqual([line for line in grave if "exited on signal 9" not in line], [])
        return seen


class CaptureLoad(LoadTest):
    def test_everything_at_once(self):
        server = self.serve()
        server.start()
        seen = self.run_load(server, 60_000 if IS_LONG else 3000, faults=8)
        for status in (201, 202, 400, 401, 502, 503, "left"):
            self.assertGreater(seen[status], 20)

    @on_release
    def test_memory_stays_flat(self):
        server = self.serve(location=self.Server.say(unbuffered="on"))
        server.start()
        self.run_load(server, 1500, largest=50_000)
        before = server.memory(), server.descriptors()
        self.run_load(server, 50_000 if IS_LONG else 1500, largest=50_000)
        after = server.memory(), server.descriptors()
        self.assertLess(after[0], before[0] + 3_000_000)
        self.assertLess(after[1], before[1] + 20)

    def test_upstream_connections_are_kept(self):
        server = self.serve()
        server.configure(server="location /v1/ { relais capture; proxy_pass http://kept;"
                                'proxy_http_version 1.1; proxy_set_header Connection ""; }',
                         http=f"upstream kept {{ server 127.0.0.1:{self.upstream.port}; "
                              "keepalive 16; }", level="warn")
        server.start()
        self.run_load(server, 20_000 if IS_LONG else 1000, faults=8)

    def test_http2(self):
        port = free_port()
        server = self.serve()
        server.configure(server=f"listen 127.0.0.1:{port} http2;" +
                                LOCATION.format("", self.upstream.port, ""),
                         http="keepalive_requests 300;", level="warn")
        server.start()
        seen = self.run_load(server, 12_000 if IS_LONG else 600, run=h2phones.run, port=port,
                             connections=8, faults=8)
        for status in (201, 202, 400, 503, "left"):
            self.assertGreater(seen[status], 5)

    def test_workers_are_killed(self):
        server = self.serve(workers=2)
        server.start()

        def kill(ended):
            while not ended.wait(0.7):
                for pid in server.workers()[:1]:
                    os.kill(pid, signal.SIGKILL)

        self.run_load(server, 8000 if IS_LONG else 1000, Rules(is_killed=True), kill, faults=4)

    def test_the_server_is_reloaded(self):
        server = self.serve(workers=2)
        server.start()

        def reload(ended):
            while not ended.wait(1):
                server.reload()

        self.run_load(server, 10_000 if IS_LONG else 1000, Rules(is_killed=True), reload)
        wait_until(lambda: server.count("tmp") == 0, 20, "tmp to be empty")

    def test_a_queue_of_one(self):
        server = self.serve(main="thread_pool default threads=1 max_queue=1;")
        server.start()
        seen = self.run_load(server, 10_000 if IS_LONG else 1000, Rules(is_full=True))
        self.assertGreater(seen[201], 10)
        self.assertGreater(server.log().count("queue overflow"), 20)

    @unittest.skipUnless(IS_ROOT, "needs to mount a small file system")
    def test_a_full_disk(self):
        server = self.serve(before=self.Server.say(floor="0"))
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", server.spool],
                       check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", server.spool], check=True)
        server.make_spool()
        server.start()
        seen = self.run_load(server, 10_000 if IS_LONG else 1000, Rules(is_full=True))
        self.assertGreater(len(re.findall("No space left|does not fit", server.log())), 20)
        self.assertGreater(seen[201], 50)


class Invariants(unittest.TestCase):
    """The test's own judge: every kind of fault is one that it sees."""

    def wrong(self, pattern, kept=0, rules=None, **values):
        values = {"sha256": "a", "seen": 201, "how": "whole", "size": 10, "told": 201,
                  "end": "whole", "told_size": 10, "fault": "none"} | values
        taken = collections.Counter({"a": kept} if kept else {})
        with self.assertRaisesRegex(AssertionError, pattern):
            harness.check([Record(**values)], taken, rules)

    def test_what_is_lost_or_kept_wrongly(self):
        self.wrong("acknowledged and lost")
        self.wrong("acknowledged and lost", how="broken", rules=Rules(is_killed=True))
        self.wrong("kept twice", kept=2)
        self.wrong("refused to the phone and kept", kept=1, seen=503)
        self.wrong("the upstream refused", kept=1, seen=0, how="left", told=400)
        self.wrong("did not end its answer", kept=1, seen=0, how="left", end="cut")
        self.wrong("made to fail", kept=1, seen=0, how="left", fault="commit")
        with self.assertRaisesRegex(AssertionError, "nobody sent"):
            harness.check([], collections.Counter("b"))

    def test_what_is_answered_wrongly(self):
        self.wrong("staging was made to fail", kept=1, fault="stage")
        self.wrong("the commit was made to fail", kept=1, fault="sync")
        self.wrong("not the upstream's", kept=1, told=202)
        self.wrong("body is not the upstream's", kept=1, size=9)
        self.wrong("cut or missing", kept=1, how="broken")
        self.wrong("cut or missing", seen=0, how="none")
        self.wrong("not the upstream's", kept=1, size=300_000, told_size=300_000)


if __name__ == "__main__":
    unittest.main()
