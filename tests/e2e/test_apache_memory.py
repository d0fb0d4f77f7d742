"""Relais in Apache under AddressSanitizer and under valgrind, long runs only: nothing is used after
it is freed, nothing leaks.

RELAIS_SANITIZED_BUILD names a build with -DRELAIS_SANITIZE=ON (default: that of tests/run.sh, beside
RELAIS_BUILD). httpd itself is Debian's: its pools are memory of one piece for both tools.
"""
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import apacheserver
import test_apache_load
from builds import on_release
from collect import File, Phone
from test_capture_load import IS_LONG, Rules, h2phones, harness
from test_module import submission
from webserver import xform

BUILD = os.environ.get("RELAIS_SANITIZED_BUILD") or os.path.join(
    os.environ.get("RELAIS_BUILD", "build"), "../gcc-watched")
SANITIZED = os.path.join(BUILD, "plugin/apache/mod_relais.so")


class MemoryTest(test_apache_load.LoadTest):
    """One process without a parent, which tells of itself when it ends."""

    def use_forms(self, server):
        """A phone's whole day with `Relais serve` beside the captures."""
        server.publish("f.xml", xform("f"))
        server.publish("f-media/a.jpg", os.urandom(300_000))
        for _ in range(20):
            with Phone(server.url) as phone:
                self.assertEqual(len(phone.sync()), 1)
                phone.sync()
                self.assertEqual(phone.send(submission(), [File("b", os.urandom(200_000))]).statuses,
                                 [201])
        server.empty()

    def run_all(self, server, requests, rules=None):
        self.use_forms(server)
        self.run_load(server, requests, rules, faults=8)
        self.run_load(server, requests // 64 * 8, Rules(is_killed=True), run=h2phones.run,
                      connections=8, faults=8)
        server.process.terminate()
        server.process.wait(120)


@on_release
@unittest.skipUnless("RELAIS_SANITIZED_BUILD" in os.environ or (IS_LONG and os.path.exists(SANITIZED)),
                     "long; needs a build with sanitizers")
class Sanitized(MemoryTest):
    def test_serve_and_capture(self):
        library = subprocess.run(["gcc", "-print-file-name=libasan.so"], check=True, text=True,
                                 stdout=subprocess.PIPE).stdout.strip()
        self.addCleanup(setattr, apacheserver, "MODULE", apacheserver.MODULE)
        apacheserver.MODULE = SANITIZED
        logs = tempfile.mkdtemp(prefix="relais-asan-")
        self.addCleanup(shutil.rmtree, logs)
        os.chmod(logs, 0o777)
        server = self.serve(single=True, environment={
            "LD_PRELOAD": f"{library} {harness.FAULTS}",
            "ASAN_OPTIONS": f"log_path={logs}/log:detect_leaks=1",
            "UBSAN_OPTIONS": f"log_path={logs}/log:print_stacktrace=1"})
        server.start()
        self.run_all(server, 16_000 if IS_LONG else 3000)
        for name in os.listdir(logs):
            with open(os.path.join(logs, name), encoding="utf-8", errors="replace") as file:
                self.check_report(file.read())

    def check_report(self, text):
        """httpd has unloaded its modules by then, so that frames have no names; what a child opens
        at its start it keeps to its end."""
        self.assertNotRegex(text, "ERROR: AddressSanitizer|runtime error")
        leaks = [block for block in text.split("\n\n") if " leak of " in block]
        self.assertEqual([leak for leak in leaks if "ap_run_child_init" not in leak], [])


@on_release
@unittest.skipUnless(IS_LONG and shutil.which("valgrind"), "long; needs valgrind")
class Valgrind(MemoryTest):
    def test_serve_and_capture(self):
        logs = tempfile.mkdtemp(prefix="relais-valgrind-")
        self.addCleanup(shutil.rmtree, logs)
        server = self.serve(single=True, threads=32, prefix=[
            "valgrind", "--leak-check=full", f"--log-file={logs}/log"])
        server.start()
        self.run_all(server, 1000, Rules(is_killed=True))
        with open(f"{logs}/log", encoding="utf-8") as file:
            text = file.read()
        self.assertEqual(re.findall(r".*mod_relais\.so.*", text), [])
        self.assertIn("ERROR SUMMARY", text)


if __name__ == "__main__":
    unittest.main()
