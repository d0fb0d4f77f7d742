"""Steady traffic on a Relais that is in trouble: phones that never stop, a forwarder that is kept
running, each kind of trouble with its end, and the books.

    running = Running(); running.start()
    with running.traffic() as phones: running.trouble["store stops"](2.0)
    running.settle(); running.wrong()      # [] when sent = acknowledged = in the ledger, rows = the truth
"""
import contextlib
import json
import os
import random
import signal
import stat
import subprocess
import sys
import threading
import time

import stand as stands  # (finds the end-to-end tests' parts)
import cable
from book import Book
from keys import Opener
from phones import Carrier, Phone
from relay import Relay
from webserver import IS_ROOT, wait_until

WRITER = "writer"  # the forwarder's own role: a superuser would not feel most of the trouble
PHONES = 3
SPOOL_MEGABYTES = 12
# What is gone without a word is noticed in seconds, where the forwarder's own settings take a minute.
PORT_OPTIONS = "connect_timeout=2 tcp_user_timeout=1500 keepalives_idle=1 keepalives_interval=1 keepalives_count=2"


class Running(stands.Stand):
    """With a forwarder that runs, as a role of its own and over TCP, where the network can fail."""

    def __init__(self, small_spool=False):
        super().__init__()
        self.small_spool = small_spool
        self.book, self.rng = Book(), random.Random(20261129)
        self.forwarder = self.network = self.opener = None
        self.forwarders = self.seed = 0
        self.trouble = {
            "store stops": self.store_stops, "store crashes": self.store_crashes,
            "no connections left": self.no_connections, "read-only": self.read_only,
            "network cut": lambda seconds: self.network_is("cut", seconds),
            "network silent": lambda seconds: self.network_is("stall", seconds),
            "answers lost": lambda seconds: self.network_is("mute", seconds),
            "network slow": lambda seconds: self.network_is("crawl", seconds),
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
        self.network = cable.lay()
        if self.network is not None:
            self.database.address = self.network.host
        super().start()
        self.database.psql("postgres", f"CREATE ROLE {WRITER} LOGIN; GRANT relais TO {WRITER}")
        if self.network is None:
            self.network = Relay(os.path.join(self.database.dir, ".s.PGSQL.5432"))
        print(f"note: between the forwarder and PostgreSQL is {self.network.what}", file=sys.stderr)
        self.conf = self.write_conf("relais.conf", conninfo=f"host={self.network.host} port={self.network.port}"
                                    f" dbname={stands.NAME} user={WRITER} {PORT_OPTIONS}")
        self.opener = Opener(self.keys.private)
        self.start_forwarder()

    def remove(self):
        if self.forwarder is not None and self.forwarder.poll() is None:
            self.forwarder.kill()
            self.forwarder.wait()
        if self.network is not None:
            self.network.stop()
        if self.small_spool:
            subprocess.run(["umount", "-l", self.disk], check=False)
        super().remove()

    # ---- the forwarder --------------------------------------------------------------------------

    def start_forwarder(self):
        self.age()
        with open(os.path.join(self.dir, "forward.log"), "ab") as log:
            self.forwarder = subprocess.Popen(
                [*self.network.prefix, os.path.join(os.environ["RELAIS_BUILD"], "bin", "relais"), "--config", self.conf, "forward"], cwd="/",
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
        senders = [kind(self, over, self.seed + number) for number, kind in enumerate([Phone] * PHONES + [Carrier])]
        self.seed += len(senders)
        for sender in senders:
            sender.start()
        try:
            yield senders[:PHONES]
        finally:
            over.set()
            for sender in senders:
                sender.join(300)
        told = [text for sender in senders for text in sender.refused]
        if told:
            raise AssertionError(f"{told}: {self.log()[-3000:]}")

    def settle(self, seconds=120):
        """Until all that is acknowledged is delivered."""
        def is_empty():
            self.keep_forwarder()
            return not self.files("new")
        wait_until(is_empty, seconds, "the spool to be empty: " + self.log()[-1500:])

    def log(self):
        with open(os.path.join(self.dir, "forward.log"), encoding="utf-8", errors="replace") as text:
            return text.read()

    # ---- the books --------------------------------------------------------------------------------

    def plain_bytes(self, text, seal):
        data = bytes.fromhex(text)
        return data if seal is None else self.opener.open(data)

    def instance_aside(self, path):
        """Of a parcel in quarantine, by its head."""
        with open(path, "rb") as file:
            lines = file.read(4096).partition(b"\n\n")[0].decode("utf-8", "replace").splitlines()
        return next((line.removeprefix("instance: ") for line in lines if line.startswith("instance: ")), "nothing")

    def empty_quarantine(self):
        """As somebody does who has looked at it all, before it fills the small disk."""
        names = [one["name"] for one in json.loads(self.run("quarantine", "list", "--json").stdout)]
        if names:
            self.run("quarantine", "drop", *names, "--yes")
        self.book.drop()

    def wrong(self):
        """Everything that is not as it must be."""
        return self.book.wrong(self)

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

    def network_is(self, way, seconds):
        self.network.go(way)
        time.sleep(seconds)
        self.network.go("pass")

    def network_dies(self, seconds):
        self.network.go("stall")
        time.sleep(seconds)
        self.network_is("cut", 0.2)

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
