"""`relais capture` under AddressSanitizer and under valgrind: nothing is used after it is freed,
nothing leaks. Only with RELAIS_TEST_LONG (tests/run.sh --long): it builds an nginx for it.

RELAIS_SANITIZED names a directory that tests/load/sanitized.sh has already filled.
"""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

import webserver
from builds import on_release
from test_capture_load import IS_LONG, LoadTest, harness, h2phones
from harness import Rules
from webserver import free_port

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SANITIZED = os.environ.get("RELAIS_SANITIZED")


@on_release
@unittest.skipUnless(IS_LONG or SANITIZED, "long")
class Sanitized(LoadTest):
    @classmethod
    def setUpClass(cls):
        directory = SANITIZED or tempfile.mkdtemp(prefix="relais-sanitized-")
        if not SANITIZED:
            cls.addClassCleanup(shutil.rmtree, directory)
            subprocess.run(["sh", str(ROOT / "tests/load/sanitized.sh"), directory], check=True,
                           stdin=subprocess.DEVNULL)
        for constant, file in (("NGINX", "nginx"), ("MODULE", "module.so")):
            cls.addClassCleanup(setattr, webserver, constant, getattr(webserver, constant))
            setattr(webserver, constant, os.path.join(directory, file))

    def serve(self, **settings):
        """Every dynamic module has tables of the same names (detect_odr_violation); the faults are
        loaded before the sanitizer (verify_asan_link_order)."""
        options = "detect_odr_violation=0:verify_asan_link_order=0:detect_leaks=1"
        return super().serve(environment={"LD_PRELOAD": harness.FAULTS, "ASAN_OPTIONS": options},
                             **settings)

    def finish(self, server):
        """Ends nginx as a reload would, so that leaks are looked for, and reads its log."""
        server.process.send_signal(signal.SIGQUIT)
        self.assertEqual(server.process.wait(60), 0)
        self.assertEqual(re.findall(r".*Sanitizer.*|.*plugin/.*runtime error.*", server.log()), [])

    def test_load(self):
        server = self.serve()
        server.start()
        self.run_load(server, 16_000, faults=8)
        self.finish(server)

    def test_load_over_http2(self):
        port = free_port()
        server = self.serve(location="proxy_buffering off;")
        server.configure(level="warn", server=f"listen 127.0.0.1:{port} http2; location /v1/ {{"
                         f"relais capture; proxy_pass http://127.0.0.1:{self.upstream.port}; }}")
        server.start()
        self.run_load(server, 4000, run=h2phones.run, port=port, connections=8, faults=8)
        self.finish(server)

    def test_slow_commits_and_short_timeouts(self):
        server = self.serve(http="send_timeout 1s;")
        server.start()
        self.run_load(server, 3000, Rules(is_killed=True), aborts=50, faults=60, delay=300)
        self.finish(server)

    def test_reloads(self):
        server = self.serve(workers=2)
        server.start()

        def reload(ended):
            while not ended.wait(1):
                server.reload()

        self.run_load(server, 6000, Rules(is_killed=True), reload, faults=8)
        self.finish(server)


@on_release
@unittest.skipUnless(IS_LONG and shutil.which("valgrind"), "long; needs valgrind")
class Valgrind(LoadTest):
    def test_load(self):
        log = tempfile.mkdtemp(prefix="relais-valgrind-") + "/log"
        self.addCleanup(shutil.rmtree, os.path.dirname(log))
        server = self.serve(main="master_process off;",
                            prefix=["valgrind", "--leak-check=full", f"--log-file={log}",
                                    "--show-leak-kinds=definite",
                                    "--errors-for-leak-kinds=definite"])
        server.start()
        self.run_load(server, 2000, Rules(is_killed=True, reads_spool=True), faults=4,
                      connections=16)     # alone, nginx stays root
        server.process.send_signal(signal.SIGQUIT)
        server.process.wait(120)
        with open(log, encoding="utf-8") as file:
            text = file.read()
        self.assertNotIn("relais", text.replace("relais-valgrind-", "").replace(server.dir, ""))
        self.assertRegex(text, r"definitely lost: [0-9]{1,2} bytes")    # nginx's environment
        self.assertRegex(text, r"ERROR SUMMARY: [01] errors")


if __name__ == "__main__":
    unittest.main()
