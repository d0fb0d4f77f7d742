"""One Relais, whole, as plugin/quickstart.sh starts it, for tests that play its life.

The servers live in a temporary directory and on free ports of loopback; stop() ends them.
Every wait is bounded: a test that would hang fails and says what it waited for.
"""
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import builds
import keptlogs
from keys import Opener

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCRIPT = os.path.join(ROOT, "plugin", "quickstart.sh")


def wait_until(condition, seconds, what):
    """Waits for a true value and returns it."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"after {seconds} s still waiting for {what}")
        time.sleep(0.1)


def start_time(pid):
    """The start of a process in kernel ticks, None when it has ended (as processes.sh)."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            fields = stat.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def free_port():
    """A port that nobody listens on now, drawn at random: several tests run at once."""
    while True:
        port = random.randint(10000, 19999)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port


class Quickstart:
    def __init__(self):
        self.dir = self.top = tempfile.mkdtemp(prefix="relais-path-")
        self.port = free_port()
        self.env = {}
        self.output = ""
        self.opener, self.plain = None, {}

    # ---- the whole ------------------------------------------------------------------------

    @staticmethod
    def run(*arguments, timeout=300):
        return subprocess.run(["sh", SCRIPT, *arguments], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=timeout, text=True, check=False, env=builds.script())

    def start(self):
        done = self.run("--dir", self.dir, "--port", str(self.port), "--detach")
        self.output = done.stdout
        if done.returncode != 0:
            raise AssertionError(f"quickstart ended with {done.returncode}:\n{done.stdout}")
        self.read_env()

    def read_env(self):
        with open(os.path.join(self.dir, "env"), encoding="utf-8") as lines:
            self.env = dict(re.findall(r"^(RELAIS_\w+)='(.*)'$", lines.read(), re.M))

    def stop(self):
        return self.run("--stop", "--dir", self.dir)

    def remove(self):
        if os.path.isdir(self.dir):
            self.stop()
            if os.path.exists(os.path.join(self.state, "log", "nginx.log")):
                builds.look_into(self.log("nginx"))
            keptlogs.keep(self.state)
        for directory in {self.state, self.dir, self.top}:
            shutil.rmtree(directory, ignore_errors=True)

    @property
    def url(self):
        return self.env["RELAIS_URL"]

    @property
    def spool(self):
        return self.env["RELAIS_SPOOL"]

    @property
    def state(self):
        aside = os.path.join(self.dir, "state")
        return os.path.realpath(aside) if os.path.exists(aside) else self.dir

    def log(self, name):
        with open(os.path.join(self.state, "log", name + ".log"), encoding="utf-8",
                  errors="replace") as text:
            return text.read()

    # ---- processes ------------------------------------------------------------------------

    def _pid_file(self, name):
        return os.path.join(self.state, "run", name + ".pid")

    def pid(self, name):
        """The running process of that name, or None."""
        try:
            with open(self._pid_file(name), encoding="ascii") as line:
                pid, since = line.read().split()
        except (OSError, ValueError):
            return None
        return int(pid) if start_time(pid) == since else None

    def remember(self, name, pid):
        with open(self._pid_file(name), "w", encoding="ascii") as line:
            line.write(f"{pid} {start_time(pid)}\n")

    def signal(self, name, number, wait=30):
        pid = self.pid(name)
        os.kill(pid, number)
        if wait:
            wait_until(lambda: self.pid(name) is None, wait, f"the end of {name}")

    def workers(self):
        """Pids of nginx's workers."""
        children = f"/proc/{self.pid('nginx')}/task/{self.pid('nginx')}/children"
        with open(children, encoding="ascii") as line:
            return [int(pid) for pid in line.read().split()]

    def _as(self, user, group):
        if os.geteuid() != 0:
            return []
        return ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups"]

    def start_forwarder(self):
        command = [os.path.join(self.env["RELAIS_BIN"], "relais"), "--config",
                   self.env["RELAIS_CONF"], "forward"]
        with open(os.path.join(self.state, "log", "forward.log"), "ab") as log:
            process = subprocess.Popen(self._as("postgres", "www-data") + command,
                                       cwd=self.state, stdin=subprocess.DEVNULL, stdout=log,
                                       stderr=log, start_new_session=True)
        self.remember("forward", process.pid)
        return process

    def pg_ctl(self, *arguments):
        """True when pg_ctl succeeded."""
        directory = sorted(os.listdir("/usr/lib/postgresql"), key=int)[-1]
        command = [f"/usr/lib/postgresql/{directory}/bin/pg_ctl", "-D",
                   os.path.join(self.state, "postgres"), "-w", "-t", "60", *arguments]
        done = subprocess.run(self._as("postgres", "postgres") + command, cwd=self.state,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, check=False)
        return done.returncode == 0

    def stop_postgres(self):
        wait_until(lambda: self.pg_ctl("-m", "fast", "stop"), 60, "PostgreSQL to stop")

    def start_postgres(self):
        """Again and again: after a kill -9 the orphaned backends hold on for a moment."""
        log = os.path.join(self.state, "log", "postgres.log")
        wait_until(lambda: self.pg_ctl("-l", log, "start"), 60, "PostgreSQL to start")
        with open(os.path.join(self.state, "postgres", "postmaster.pid"), encoding="utf-8") as file:
            self.remember("postgres", int(file.readline()))

    # ---- what is where --------------------------------------------------------------------

    def relais(self, *arguments):
        """Runs the command as an administrator would; returns the finished process."""
        return subprocess.run(
            [os.path.join(self.env["RELAIS_BIN"], "relais"), "--config", self.env["RELAIS_CONF"],
             *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            timeout=60, text=True, check=False, env={**os.environ, "LC_ALL": "C.UTF-8"})

    def sql(self, statement):
        """Runs one statement and returns its rows as dictionaries."""
        returns_rows = statement.lstrip().upper().startswith(("SELECT", "WITH"))
        if returns_rows:
            statement = f"SELECT coalesce(json_agg(t), '[]') FROM ({statement}) t"
        done = subprocess.run(
            ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", self.env["RELAIS_DB"], "-f", "-"],
            input=statement, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
            text=True, check=False)
        if done.returncode != 0:
            raise AssertionError(f"psql: {done.stderr}")
        return json.loads(done.stdout) if returns_rows else None

    def plain_bytes(self, text, seal):
        """Bytes of the ledger, given in hexadecimal: opened with the caller's key where they are sealed."""
        data = bytes.fromhex(text)
        if seal is None:
            return data
        if self.opener is None:
            self.opener = Opener(os.path.join(self.dir, "seal.key"))
        if data not in self.plain:
            self.plain[data] = self.opener.open(data)
        return self.plain[data]

    def parcels(self, folder="new"):
        """Files waiting in the spool's shards."""
        found = []
        for shard in range(16):
            directory = os.path.join(self.spool, f"{shard:02x}", folder)
            found += [os.path.join(directory, name) for name in os.listdir(directory)]
        return found

    def quarantined(self):
        """Names of parcels in quarantine."""
        names = os.listdir(os.path.join(self.spool, "quarantine"))
        return sorted(name for name in names if name.endswith(".parcel"))

    def reason(self, name):
        """The .reason beside a quarantined parcel, as a dictionary."""
        path = os.path.join(self.spool, "quarantine", name + ".reason")
        with open(path, encoding="utf-8") as lines:
            return dict(line.rstrip("\n").split(": ", 1) for line in lines if ": " in line)

    def parcel_body(self, name):
        """The body of a quarantined parcel, byte for byte."""
        with open(os.path.join(self.spool, "quarantine", name), "rb") as parcel:
            return parcel.read().partition(b"\n\n")[2]

    @property
    def key(self):
        """The private key that the demonstration seals for."""
        return os.path.join(self.dir, "seal.key")

    def opened(self, name):
        """What a sealed parcel in quarantine holds, opened by the openssl command."""
        return subprocess.run(["openssl", "cms", "-decrypt", "-inform", "DER", "-inkey", self.key],
                              input=self.parcel_body(name), capture_output=True, timeout=60, check=True).stdout

    def wait_empty(self, seconds=60):
        wait_until(lambda: not self.parcels(), seconds, "the spool to be empty")

    def kill(self, name):
        """kill -9, as the kernel does when memory is short."""
        self.signal(name, signal.SIGKILL)
