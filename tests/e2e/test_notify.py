"""What the forwarder tells the service manager, heard at a socket in systemd's place: that it is ready,
that it lives (also with nothing to do and with the database away), and nothing while a statement hangs.
"""
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
import unittest

import command
from command import ROOT, Site, database, program, read, write

WATCHDOG = 3.0          # seconds that "systemd" waits; the forwarder speaks each third of it


def setUpModule():
    command.start_database()


def tearDownModule():
    database.remove()


class Listener:
    """NOTIFY_SOCKET's other end."""

    def __init__(self, directory):
        self.path = os.path.join(directory, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)

    def next(self, seconds):
        """The next message as a dictionary; None when there is none in time."""
        self.socket.settimeout(seconds)
        try:
            text = self.socket.recv(4096).decode()
        except TimeoutError:
            return None
        return dict(line.split("=", 1) for line in text.splitlines())

    def wait(self, key, seconds):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            message = self.next(left)
            if message and key in message:
                return message
        return None


class Notify(Site):
    def setUp(self):
        if b"libsystemd" not in subprocess.run(["ldd", program()], capture_output=True, check=True).stdout:
            self.skipTest("built without libsystemd")
        super().setUp()
        database.create(self.database)
        self.ledger()
        self.apply()
        self.sql("CREATE TABLE public.thing (sub_id uuid PRIMARY KEY);")
        write(os.path.join(self.mappings, "f1.xml"), '<mapping xmlns="urn:relais:mapping:1" form="f1">'
              '<row table="public.thing"><column name="sub_id" select="$submission"/></row></mapping>')
        self.listener = Listener(self.dir)
        self.addCleanup(self.listener.socket.close)

    def forward(self, conf=None):
        environment = {**os.environ, "LC_ALL": "C.UTF-8", "NOTIFY_SOCKET": self.listener.path,
                       "WATCHDOG_USEC": str(int(WATCHDOG * 1e6))}
        environment.pop("WATCHDOG_PID", None)
        process = subprocess.Popen([program(), "--config", conf or self.conf, "forward"], env=environment,
                                   cwd="/", stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertEqual(self.listener.next(60), {"READY": "1"})
        return process

    def assert_lives(self, times=4):
        for _ in range(times):
            message = self.listener.next(WATCHDOG)
            self.assertIsNotNone(message, "the watchdog would have ended it")
            self.assertEqual(message["WATCHDOG"], "1")
        return message["STATUS"]

    def test_it_lives_with_nothing_to_do_and_says_when_it_ends(self):
        process = self.forward()
        status = self.assert_lives()
        self.assertRegex(status, r"^\d+ delivered, \d+ known already, \d+ quarantined, \d+ held since the start$")
        process.send_signal(signal.SIGTERM)
        self.assertIsNotNone(self.listener.wait("STOPPING", 60))

    def test_the_status_counts(self):
        self.parcel("00/new", command.parcel_name(1), b"<not-closed", instance="uuid:1")
        self.forward()
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if re.search(r"\b1 quarantined", self.listener.wait("STATUS", 30)["STATUS"]):
                return
        self.fail("the parcel in quarantine was never counted")

    def test_it_lives_while_the_database_is_away(self):
        self.forward(self.write_conf("away.conf", f"host={tempfile.gettempdir()}/nowhere dbname=x"))
        self.assertTrue(self.assert_lives().startswith("waiting for the database; "))

    def test_it_is_silent_while_a_statement_hangs(self):
        self.forward()
        self.assert_lives(2)
        backends = [int(pid) for pid in self.sql("SELECT pid FROM pg_stat_activity WHERE application_name"
                                                 f" = 'relais' AND datname = '{self.database}';").split()]
        self.assertEqual(len(backends), 1)
        os.kill(backends[0], signal.SIGSTOP)
        self.addCleanup(os.kill, backends[0], signal.SIGCONT)
        self.parcel("00/new", command.parcel_name(2), b'<d id="f1" version="1"/>', instance="uuid:2")
        deadline = time.monotonic() + 60
        while self.listener.next(WATCHDOG) is not None:
            self.assertLess(time.monotonic(), deadline, "it goes on saying that it lives")
        os.kill(backends[0], signal.SIGCONT)
        self.assert_lives()


if __name__ == "__main__":
    unittest.main()
