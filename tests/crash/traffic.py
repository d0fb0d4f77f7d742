"""Steady traffic on a Relais that is in trouble: phones that never stop, a forwarder that is kept
running, each kind of trouble with its end, and the books.

    running = Running(); running.start()
    with running.traffic() as phones: running.trouble["store stops"](2.0)
    running.settle(); running.wrong()      # [] when sent = acknowledged = in the ledger, rows = the truth
"""
import contextlib
import os
import random
import signal
import stat
import subprocess
import threading
import time

import stand as stands  # (finds the end-to-end tests' parts)
import collect
import expected
import lives
from keys import Opener
from relay import Relay
from webserver import IS_ROOT, wait_until

WRITER = "writer"  # the forwarder's own role: a superuser would not feel most of the trouble
PHONES = 3
PAUSE = 0.05      # seconds between two submissions of a phone, at most twice that
SPOOL_MEGABYTES = 12
PORT_OPTIONS = "connect_timeout=2 tcp_user_timeout=3000"


class Phone(threading.Thread):
    """Sends one submission after the other, each until it is acknowledged."""

    def __init__(self, url, book, over, seed):
        super().__init__(daemon=True)
        self.url, self.book, self.over = url, book, over
        self.rng = random.Random(seed)
        self.statuses = set()  # of what was not acknowledged; None: no answer
        self.sent, self.refused = 0, []

    def run(self):
        while not self.over.is_set():
            instance, xml = lives.fresh(self.rng.choice(("adult", "child", "presumed")), self.rng)
            files = [("photo.jpg", self.rng.randbytes(self.rng.choice((0, 1, 2000, 40_000))))]
            self.send(instance, xml, files if self.rng.random() < 0.7 else [])
            time.sleep(self.rng.uniform(0, 2 * PAUSE))

    def send(self, instance, xml, files):
        until = time.monotonic() + 120
        while time.monotonic() < until:
            try:
                with collect.Phone(self.url, timeout=30) as phone:
                    phone.send(xml, files)
            except collect.Failed as failed:
                self.statuses.add(failed.status)
                if failed.status is not None and failed.status < 500:
                    self.refused.append(str(failed))
                    return
                time.sleep(0.02)
                continue
            self.book.acknowledge(instance, xml, files)
            self.sent += 1
            return
        self.refused.append("never acknowledged")


class Running(stands.Stand):
    """With a forwarder that runs, as a role of its own and over TCP, where the network can fail."""

    def __init__(self, small_spool=False):
        super().__init__()
        self.small_spool = small_spool
        self.book, self.rng = lives.Book(), random.Random(20261129)
        self.forwarder = self.relay = self.opener = None
        self.forwarders = self.seed = 0
        self.trouble = {
            "store stops": self.store_stops, "store crashes": self.store_crashes,
            "no connections left": self.no_connections, "read-only": self.read_only,
            "network cut": lambda seconds: self.network("cut", seconds),
            "network silent": lambda seconds: self.network("stall", seconds),
            "network slow": lambda seconds: self.network("crawl", seconds),
            "network silent, then cut": self.network_dies, "connections end": self.connections_end,
            "forwarder killed": self.kill_forwarder, "worker killed": self.kill_worker,
            "forwarder killed at a call": self.kill_forwarder_at_call, "worker killed at a call": self.kill_worker_at_call,
            "spool full": self.spool_full,
        }

    def start(self):
        if self.small_spool:
            self.disk = os.path.join(self.dir, "disk")
            self.spool = os.path.join(self.disk, "spool")
            os.mkdir(self.disk)
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SPOOL_MEGABYTES}m,mode=0755", "none", self.disk], check=True)
        super().start()
        self.database.psql("postgres", f"CREATE ROLE {WRITER} LOGIN; GRANT relais TO {WRITER}")
        self.relay = Relay(os.path.join(self.database.dir, ".s.PGSQL.5432"))
        self.conf = self.write_conf("relais.conf", os.path.join(stands.ROOT, "transforms"),
                                    f"host=127.0.0.1 port={self.relay.port} dbname={stands.NAME} user={WRITER} {PORT_OPTIONS}")
        self.opener = Opener(self.keys.private)
        self.start_forwarder()

    def remove(self):
        if self.forwarder is not None and self.forwarder.poll() is None:
            self.forwarder.kill()
            self.forwarder.wait()
        if self.relay is not None:
            self.relay.stop()
        if self.small_spool:
            subprocess.run(["umount", "-l", self.disk], check=False)
        super().remove()

    # ---- the forwarder --------------------------------------------------------------------------

    def start_forwarder(self):
        self.age()
        with open(os.path.join(self.dir, "forward.log"), "ab") as log:
            self.forwarder = subprocess.Popen(
                [os.path.join(os.environ["RELAIS_BUILD"], "bin", "relais"), "--config", self.conf, "forward"], cwd="/",
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, **self.plan.environment})
        self.forwarders += 1

    def keep_forwarder(self):
        """As a service manager does."""
        if self.forwarder.poll() is not None:
            self.start_forwarder()

    # ---- traffic --------------------------------------------------------------------------------

    @contextlib.contextmanager
    def traffic(self):
        over = threading.Event()
        phones = []
        for _ in range(PHONES):
            self.seed += 1
            phones.append(Phone(f"http://{self.web.host}/openrosa", self.book, over, self.seed))
            phones[-1].start()
        try:
            yield phones
        finally:
            over.set()
            for phone in phones:
                phone.join(150)

    def settle(self, seconds=120):
        """Until all that is acknowledged is delivered."""
        def is_empty():
            self.keep_forwarder()
            return not [path for path in self.files() if "/new/" in path]
        wait_until(is_empty, seconds, "the spool to be empty: " + self.log()[-1500:])

    def log(self):
        with open(os.path.join(self.dir, "forward.log"), encoding="utf-8", errors="replace") as text:
            return text.read()

    # ---- the books --------------------------------------------------------------------------------

    def plain_bytes(self, text, seal):
        data = bytes.fromhex(text)
        return data if seal is None else self.opener.open(data)

    def wrong(self):
        """Everything that is not as it must be."""
        server = Books(self)
        rows = server.sql("SELECT count(*) AS n FROM relais.submission")[0]["n"]
        found = self.book.balance(server) + expected.differences(server)
        if rows != len(self.book.submissions):
            found.append(f"{len(self.book.submissions)} acknowledged, {rows} in the ledger")
        return found + [line for line in map(self.told_file, self.files()) if "*/tmp/" not in line]

    # ---- trouble ----------------------------------------------------------------------------------

    def admin(self, statements):
        self.database.psql("postgres", statements)

    def connections_end(self, seconds=0):
        self.admin(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{WRITER}'")
        time.sleep(seconds)

    def store_stops(self, seconds):
        self.sql.close()
        self.database._postgres(f"{self.database.bin}/pg_ctl", "-D", self.database.data, "-w", "-s", "-m", "fast", "stop")
        time.sleep(seconds)
        self.database.start()
        self.sql = stands.Sql(self.database, stands.NAME)

    def store_crashes(self, seconds):
        self.sql.close()
        self.database.stop()  # immediate
        time.sleep(seconds)
        self.database.start()
        self.sql = stands.Sql(self.database, stands.NAME)

    def no_connections(self, seconds):
        self.admin(f"ALTER ROLE {WRITER} CONNECTION LIMIT 0")
        self.connections_end(seconds)
        self.admin(f"ALTER ROLE {WRITER} CONNECTION LIMIT -1")

    def read_only(self, seconds):
        self.admin(f"ALTER ROLE {WRITER} SET default_transaction_read_only = on")
        self.connections_end(seconds)
        self.admin(f"ALTER ROLE {WRITER} RESET default_transaction_read_only")
        self.connections_end()

    def network(self, way, seconds):
        self.relay.go(way)
        time.sleep(seconds)
        self.relay.go("pass")

    def network_dies(self, seconds):
        self.relay.go("stall")
        time.sleep(seconds)
        self.relay.go("cut")
        time.sleep(0.2)
        self.relay.go("pass")

    def kill_forwarder(self, seconds=0):
        self.forwarder.kill()
        self.forwarder.wait(20)
        time.sleep(seconds)
        self.start_forwarder()

    def kill_worker(self, seconds=0):
        os.kill(self.rng.choice(wait_until(self.web.workers, 20, "a worker")), signal.SIGKILL)
        time.sleep(seconds)

    def kill_forwarder_at_call(self, seconds):
        """At one of the next calls that matter, whichever that is."""
        self.plan.arm_number(self.rng.randint(1, 60), self.rng.random() < 0.5)
        until = time.monotonic() + seconds + 2
        while time.monotonic() < until and self.forwarder.poll() is None:
            time.sleep(0.02)
        self.plan.disarm()
        self.keep_forwarder()

    def kill_worker_at_call(self, seconds):
        self.plan_web.arm_number(self.rng.randint(1, 30), self.rng.random() < 0.5)
        time.sleep(seconds)
        self.plan_web.disarm()

    def spool_full(self, seconds):
        if self.small_spool:
            with self.filled():
                time.sleep(seconds)

    @contextlib.contextmanager
    def filled(self):
        """Somebody else's file takes what is left of the spool's file system."""
        ballast = os.path.join(self.disk, "ballast")
        with open(ballast, "wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(65536))
        try:
            yield
        finally:
            os.unlink(ballast)


class Books:
    """What lives.Book and expected ask of a server."""

    def __init__(self, running):
        self.sql, self.plain_bytes = running.sql.rows, running.plain_bytes


def may_mount():
    """True when a small file system can be had."""
    if not IS_ROOT:
        return False
    place = subprocess.run(["mktemp", "-d"], capture_output=True, text=True, check=True).stdout.strip()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", place], capture_output=True, check=False)
    if mounted.returncode == 0:
        subprocess.run(["umount", place], check=True)
    os.rmdir(place)
    return mounted.returncode == 0


def open_to(path, user):
    subprocess.run(["chown", user, path], check=True)
    os.chmod(path, stat.S_IRWXU)
