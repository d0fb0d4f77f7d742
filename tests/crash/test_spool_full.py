"""The spool's disk fills while phones send: 503 to the phone, which keeps its copy and sends again;
nothing half-written stays, the forwarder goes on, and once there is room all is delivered. (One
request at a disk that is full: e2e/test_module_faults.py; the spool alone, to the byte:
unit/spool_write.c.)
"""
import os
import signal
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import phones  # noqa: E402
import traffic  # noqa: E402
from webserver import wait_until  # noqa: E402

running = traffic.Running(small_spool=True)


def setUpModule():
    if not traffic.may_mount():
        raise unittest.SkipTest("needs to mount a small file system")
    unittest.addModuleCleanup(running.remove)
    running.start()


class Full(unittest.TestCase):
    def tell(self, trouble, wants_refusals=True):
        with running.traffic() as senders:
            time.sleep(0.5)
            trouble()
            time.sleep(0.5)
        statuses = set().union(*(phone.statuses for phone in senders))
        self.assertLessEqual(statuses, {503}, "a phone is told to come again, and nothing else")
        self.assertEqual(statuses == {503}, wants_refusals)
        running.settle()
        self.assertEqual(running.wrong(), [])
        self.assertEqual(running.files("tmp"), [], "nothing half-written")

    def test_somebody_elses_file_fills_it(self):
        self.tell(lambda: running.spool_full(2))

    def test_the_backlog_fills_it(self):
        """Parcels that the store does not take, because it is away."""
        def outage():
            running.network.go("cut")
            until = time.monotonic() + 60
            while time.monotonic() < until and free(running.spool) > 100_000:
                time.sleep(0.1)
            time.sleep(1)
            running.network.go("pass")
        self.tell(outage)

    def test_full_when_something_must_go_into_quarantine(self):
        """What is sealed for quarantine needs room of its own: it waits in new/ until there is some."""
        running.forwarder.send_signal(signal.SIGSTOP)
        phone = phones.Phone(running, None, "of one press")
        phone.refused_answer()
        ((version, _),) = phone.own
        with running.filled():
            running.forwarder.send_signal(signal.SIGCONT)
            wait_until(lambda: instance_state(version.instance) == "quarantined", 20, "the forwarder to refuse it")
            time.sleep(1)
            self.assertEqual(len(running.files("new")), 1, "it waits")
            self.assertIsNone(running.forwarder.poll())
        running.settle()
        self.assertEqual(running.wrong(), [])


def instance_state(instance):
    return running.sql(f"SELECT state FROM relais.submission WHERE instance_id = '{instance}'")


def free(path):
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize


if __name__ == "__main__":
    unittest.main()
