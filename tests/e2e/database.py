"""A PostgreSQL of the test's own: a temporary cluster that listens on a unix socket only, or at
one address too.

PostgreSQL refuses to run as root, so as root it runs as the user postgres; role "relais" is
a superuser for what a test prepares, and role "reader" may only read.
"""
import glob
import os
import pathlib
import shutil
import subprocess
import tempfile

# What the ledger is made of, without the national tables: for tests that have small tables of their own.
LEDGER = {file.name: file.read_text(encoding="utf-8") for file in (
    pathlib.Path(__file__).resolve().parents[2] / "transforms" / "schema" / name for name in (
        "0001_ledger.sql", "0022_sealed_ledger.sql", "0025_claims.sql", "0030_choice.sql",
        "0032_reports.sql"))}


def postgres_directory():
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
    if not found:
        raise AssertionError("PostgreSQL's initdb is not below /usr/lib/postgresql")
    return os.path.dirname(found[-1])


class Database:
    def __init__(self):
        self.dir = self.data = self.bin = None
        self.address = ""  # set before the start: neighbours are let in there
        self.prefix = []

    def _prepare(self):
        self.dir = tempfile.mkdtemp(prefix="relais-db-")
        self.data = os.path.join(self.dir, "data")
        self.bin = postgres_directory()
        if os.geteuid() == 0:
            shutil.chown(self.dir, "postgres", "postgres")
            self.prefix = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"]
        if "RELAIS_TEST_MARK" in os.environ:
            self._copy_cluster()
        else:
            self._make_cluster(self.data)
        if self.address:
            with open(os.path.join(self.data, "pg_hba.conf"), "a", encoding="utf-8") as file:
                file.write(f"host all all {self.address}/30 trust\n")

    def _make_cluster(self, directory):
        self._postgres(f"{self.bin}/initdb", "-D", directory, "-U", "relais", "-A", "trust",
                       "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")

    def _copy_cluster(self):
        """tests/run.sh starts a dozen clusters: the first one's files are copied for the others.
        Its TMPDIR ends with the run."""
        made = os.path.join(tempfile.gettempdir(), "relais-cluster")
        if not os.path.exists(made):
            self._make_cluster(os.path.join(self.dir, "made"))
            os.rename(os.path.join(self.dir, "made"), made)
        subprocess.run(["cp", "-a", made, self.data], check=True, timeout=120)

    def _postgres(self, *command):
        done = subprocess.run([*self.prefix, *command], cwd="/", stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=120, check=False)
        if done.returncode != 0:
            raise AssertionError(f"{command[0]} ended with {done.returncode}:\n{done.stdout}")

    def start(self):
        if self.dir is None:
            self._prepare()
        options = f"-c listen_addresses={self.address} -c unix_socket_directories={self.dir} -c fsync=off"
        self._postgres(f"{self.bin}/pg_ctl", "-D", self.data, "-w", "-t", "60", "-s",
                       "-l", os.path.join(self.dir, "log"), "-o", options, "start")

    def stop(self):
        self._postgres(f"{self.bin}/pg_ctl", "-D", self.data, "-w", "-s", "-m", "immediate", "stop")

    def remove(self):
        if os.path.exists(os.path.join(self.data, "postmaster.pid")):
            self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def conninfo(self, name, user="relais"):
        return f"host={self.dir} dbname={name} user={user}"

    def psql(self, name, sql, user="relais", check=True):
        """Runs a script as `psql -f -` would, and returns what it prints."""
        done = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1",
                               "-d", self.conninfo(name, user), "-f", "-"],
                              input=sql, capture_output=True, text=True, timeout=120, check=False)
        if check and done.returncode != 0:
            raise AssertionError(f"psql ended with {done.returncode}: {done.stderr}")
        return done.stdout.strip()

    def create(self, name):
        self.psql("postgres", f'CREATE DATABASE "{name}";')
