"""kill -9 at random moments, then the books are balanced.

Phones send without pause while the forwarder and nginx's workers are killed. A phone takes
only a 201 as kept; whatever else it sees, a broken connection above all, it sends again, as
Collect does. At the end every 201 is in the ledger exactly once, with its files, no national
row is there twice, and nothing is left in the spool.
"""
import os
import signal
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))

import collect  # noqa: E402  (the end-to-end tests' client and server)
import expected  # noqa: E402
import lives  # noqa: E402
from quickstart import Quickstart, start_time, wait_until  # noqa: E402

SEED = 20260714
LONG = bool(os.environ.get("RELAIS_TEST_LONG"))
KILLS = 600 if LONG else 60  # of the forwarder and of workers, by turns
PHONES = 6
PAUSE = 0.08  # seconds at most between two submissions of a phone

server = Quickstart()
book = lives.Book()


def setUpModule():
    unittest.addModuleCleanup(server.remove)
    server.start()


class Phone(threading.Thread):
    """Sends one submission after the other, each until it is acknowledged."""

    def __init__(self, number, over):
        super().__init__(daemon=True)
        self.rng = lives.generator(SEED + number)
        self.over = over
        self.sent = self.again = 0
        self.refused = []

    def run(self):
        while not self.over.is_set():
            instance, xml = lives.fresh(self.rng.choice(lives.sample_names()), self.rng)
            size = self.rng.choice([0, 1, 2000, 20_000, 200_000])
            self.send(instance, xml, [("photo.jpg", self.rng.randbytes(size))])
            time.sleep(self.rng.uniform(0, PAUSE))

    def send(self, instance, xml, files):
        for _ in range(1000):
            try:
                collect.Phone(server.url).send(xml, files)
                book.acknowledge(instance, xml, files)
                self.sent += 1
                return
            except collect.Failed as failed:
                if failed.status is not None and failed.status < 500:
                    self.refused.append(str(failed))
                    return
            self.again += 1
            time.sleep(0.01)
        self.refused.append("never acknowledged")


class Kill(unittest.TestCase):
    def kill_forwarder(self):
        pid = server.pid("forward")
        if pid is None:
            self.fail("the forwarder ended by itself: " + server.log("forward")[-500:])
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: server.pid("forward") is None, 10, "the forwarder's end")
        self.forwarders.append(server.start_forwarder())

    def kill_worker(self):
        """Every other time while a parcel is being written. nginx's master starts another
        worker by itself."""
        worker = self.rng.choice(wait_until(server.workers, 10, "a worker"))
        until = time.monotonic() + self.rng.choice([0, 0.5])
        while time.monotonic() < until and not server.parcels("tmp"):
            pass
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: start_time(worker) is None, 10, "the worker's end")

    def test_1_kill_at_random_moments(self):
        self.rng = lives.generator(SEED)
        self.forwarders = []
        over = threading.Event()
        phones = [Phone(number, over) for number in range(PHONES)]
        for phone in phones:
            phone.start()
        try:
            for _ in range(KILLS):
                time.sleep(self.rng.uniform(0.05, 1.2))
                self.rng.choice([self.kill_forwarder, self.kill_worker])()
        finally:
            over.set()
        for phone in phones:
            phone.join(60)
        # A phone repeats by itself what broke on a kept connection; what a killed worker was
        # writing stays in tmp/.
        interrupted = sum(phone.again for phone in phones) + len(server.parcels("tmp"))
        sent = sum(phone.sent for phone in phones)
        print(f"{sent} acknowledged, {interrupted} interrupted", file=sys.stderr)
        self.assertEqual([phone.refused for phone in phones if phone.refused], [])
        self.assertGreater(sent, 5 * KILLS)
        self.assertGreater(interrupted, 0, "no kill met a request: the test proves nothing")
        for process in self.forwarders[:-1]:
            process.wait(10)

    def test_2_nothing_is_left_in_the_spool(self):
        server.wait_empty(120)
        self.assertEqual(server.quarantined(), [])
        # What a killed worker was writing was never acknowledged; the next start sweeps it
        # once it is old enough to belong to nobody.
        for path in server.parcels("tmp"):
            os.utime(path, (0, 0))
        server.signal("forward", signal.SIGTERM)
        server.start_forwarder()
        wait_until(lambda: not server.parcels("tmp"), 30, "tmp/ to be swept")

    def test_3_every_201_is_in_the_ledger_once(self):
        self.assertEqual(book.balance(server), [])

    def test_4_no_submission_has_its_rows_twice_or_half(self):
        self.assertEqual(expected.differences(server), [])


if __name__ == "__main__":
    unittest.main()
