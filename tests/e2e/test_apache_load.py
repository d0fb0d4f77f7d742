"""`Relais capture` in Apache under load: the runs of test_capture_load.py, and httpd's other ways
to handle processes.
"""
import unittest

import test_capture_load
from apacheserver import ApacheServer
from builds import on_release
from test_capture_load import IS_LONG, Rules, h2phones

LOCATION = """<Location "/v1/">
Relais capture
{before}
ProxyPass http://127.0.0.1:{port}/v1/
{after}
</Location>
"""


class LoadTest(test_capture_load.LoadTest):
    Server = ApacheServer

    def serve(self, location="", before="", **settings):
        """With threads to spare: httpd closes idle connections when it has none left."""
        return super().serve(location, before, **{"threads": 256} | settings)

    def location(self, before, after):
        return LOCATION.format(before=before, after=after, port=self.upstream.port)


class CaptureLoad(LoadTest, test_capture_load.CaptureLoad):
    test_a_queue_of_one = None              # a request has a thread of its own

    @on_release
    def test_memory_stays_flat(self):
        """Once each thread has had its turn: APR keeps a pool a thread, and the C library too."""
        server = self.serve(threads=32)
        server.start()
        rounds = 50_000 if IS_LONG else 2000
        for requests in (2000, rounds):
            self.run_load(server, requests, largest=50_000, connections=12)
            before = server.memory(), server.descriptors()
        self.run_load(server, rounds, largest=50_000, connections=12)
        self.assertLess(server.memory(), before[0] + 3_000_000)
        self.assertLess(server.descriptors(), before[1] + 20)

    def test_upstream_connections_are_kept(self):
        """They are, unless SetEnv proxy-nokeepalive says otherwise."""
        server = self.serve(location="SetEnv proxy-nokeepalive 1")
        server.start()
        self.run_load(server, 10_000 if IS_LONG else 1000, faults=8)

    def test_http2(self):
        """mod_http2 ends a connection on which too many uploads were broken off, and the streams
        that it carries with it."""
        server = self.serve()
        server.start()
        requests = 12_000 if IS_LONG else 800
        seen = self.run_load(server, requests, Rules(is_killed=True), run=h2phones.run,
                             connections=8, faults=8)
        self.assertLess(seen["none"], requests / 10)
        for status in (201, 202, 400, 503, "left"):
            self.assertGreater(seen[status], 5)

    def test_prefork_and_worker(self):
        for mpm in ("prefork", "worker"):
            with self.subTest(mpm):
                server = self.serve(mpm=mpm)
                server.start()
                self.run_load(server, 10_000 if IS_LONG else 1000, faults=8)


if __name__ == "__main__":
    unittest.main()
