"""A whole Relais whose programs can be killed at each call (points.py), and put back to where it
was: one PostgreSQL with the national schema, nginx that serves and captures, the command.

What a run leaves is compared as text: every row of the ledger and of the national tables, the
parcels in quarantine, and whatever else lies in the spool. Left out of it is what differs
between any two runs: times, and the bytes of what is sealed, of which the length stays.
"""
import contextlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), folder) for folder in ("e2e", "load", "standins")]

import harness  # noqa: E402  (the end-to-end tests' parts)
import keptlogs  # noqa: E402
import locked  # noqa: E402
from database import Database  # noqa: E402
from keys import Keys  # noqa: E402
from points import Plan  # noqa: E402
from spools import make_spool  # noqa: E402
from webserver import IS_ROOT, WebServer, wait_until  # noqa: E402

NAME = "crash"
LAST = "bf_tip_suivi"  # the form whose mapping comes late
CHANGED = "bf_tip_ident"  # the form whose mapping gets a column late
COLUMN = '      <column name="id_doc" select="person/id_doc" list="document"/>\n'
KILLED = -9
CHANCE = r"\d{4}-\d\d-\d\dT\d\d:[^\"]*|\"[^\"]{250,}\""  # in JSON: a time; a sealed value
# The code that takes the place of an erased person's is drawn.
ERASED = "SELECT FROM tip.victim v WHERE v.victim_id = t.victim_id AND v.erased_at IS NOT NULL"

TABLES = """
SELECT c.oid::regclass::text AS name, json_agg(json_build_object('name', a.attname,
       'type', format_type(a.atttypid, NULL), 'made', a.attidentity <> '',
       'computed', a.attgenerated <> '') ORDER BY a.attnum) AS columns
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
 WHERE c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
   AND (n.nspname IN ('relais', 'tip', 'identity', 'link', 'audit', 'lab') OR c.oid = 'ref.organisation'::regclass)
   AND c.relname NOT IN ('migration', 'rule')
 GROUP BY c.oid ORDER BY 1
"""
# Work lists and logs with numbers of their own; what they lead to is in the others.
NOT_COMPARED = ("link.", "audit.", "ref.", "relais.mapping", "mapping")


class Sql:
    """One psql that stays: a process for each question would take longer than the answers."""
    MARK = "end-of-answer"

    def __init__(self, database, name):
        self.process = subprocess.Popen(
            ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database.conninfo(name) + " application_name=test"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def __call__(self, statements):
        self.process.stdin.write(f"{statements}\n;\\echo {self.MARK}\n")
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            if line.rstrip("\n") == self.MARK:
                return "".join(lines).rstrip("\n")
            lines.append(line)
        raise AssertionError(f"psql: {''.join(lines)}")

    def rows(self, statement):
        return json.loads(self(f"SELECT coalesce(json_agg(q), '[]') FROM ({statement}) AS q"))

    def close(self):
        self.process.kill()
        self.process.communicate()


class Nginx(WebServer):
    """Serves and captures into a spool that is already there."""

    def __init__(self, spool, upstream, floor, **settings):
        self.given = spool
        place = f"location /central/ {{ relais capture; relais_spool_floor {floor}; proxy_pass http://127.0.0.1:{upstream}/; }}"
        super().__init__(server=place, http="client_body_buffer_size 16k;", location=f"relais_spool_floor {floor};", level="alert",
                         **settings)

    def make_spool(self):
        self.spool = self.given


class Stand:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="relais-crash-")
        os.chmod(self.dir, 0o711)
        self.spool = os.path.join(self.dir, "spool")
        self.database = Database()
        self.sql = self.web = self.upstream = None
        self.plan_web = self.plan = None
        self.web_floor = "0"  # that the disk is full is met where it is written
        self.snapshots = {}

    def start(self):
        self.database.start()
        self.database.create(NAME)
        make_spool(self.spool)
        if IS_ROOT:
            for path, directories, _ in os.walk(self.spool):
                shutil.chown(path, group="www-data")
                os.chmod(path, stat.S_IMODE(os.stat(path).st_mode) | stat.S_ISGID)
        self.keys, self.project = Keys(self.dir).make(), locked.ProjectKeys(self.dir)
        self.forms, self.mappings = self.copy_forms(), self.copy_mappings("mappings")
        self.conf = self.write_conf("relais.conf")
        self.conf_early = self.write_conf("early.conf", mappings=self.make_early(), form_keys=self.project.early)
        self.database.psql(NAME, self.run("plan").stdout)
        self.database.psql(NAME, locked.TABLE)
        self.sql = Sql(self.database, NAME)
        self.tables = self.sql.rows(TABLES)
        self.plan = Plan(self.dir, self.spool, "relais")
        self.plan_web = Plan(self.dir, self.spool, "web")
        self.upstream = harness.Upstream()
        self.web = Nginx(self.spool, self.upstream.port, self.web_floor, environment=self.plan_web.environment)
        shutil.copytree(self.forms, self.web.forms, dirs_exist_ok=True)
        self.web.start()

    def remove(self):
        for part in (self.web, self.database):
            if part is not None:
                part.remove()
        if self.upstream is not None:
            self.upstream.stop()
        if self.sql is not None:
            self.sql.close()
        keptlogs.keep(self.dir)
        shutil.rmtree(self.dir, ignore_errors=True)

    # ---- configuration ----------------------------------------------------------------------

    def write_conf(self, name, mappings=None, conninfo=None, form_keys=None, more=""):
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"[spool]\ndirectory = {self.spool}\nfloor = 1M\n"
                       f"[store]\nconninfo = {conninfo or self.database.conninfo(NAME)}\n"
                       f"[mappings]\ndirectory = {mappings or self.mappings}\n[forms]\ndirectory = {self.forms}\n"
                       f"[encryption]\nkeys = {form_keys or self.project.all}\n"
                       f"[forward]\nsweep_seconds = 60\n{self.keys.settings}{more}")
        return path

    def copy_forms(self):
        """The national ones, and one that is encrypted."""
        forms = os.path.join(self.dir, "forms")
        shutil.copytree(os.path.join(ROOT, "xforms"), forms, ignore=shutil.ignore_patterns("samples"))
        locked_form = os.path.join(forms, locked.FORM + ".xml")
        write(locked_form, locked.XFORM)
        os.utime(locked_form, (time.time() - 60,) * 2)  # no longer being written, for nginx
        return forms

    def copy_mappings(self, name):
        mappings = os.path.join(self.dir, name)
        shutil.copytree(os.path.join(ROOT, "transforms"), mappings)
        return write(os.path.join(mappings, locked.FORM + ".xml"), locked.MAPPING)

    def make_early(self):
        """The mappings before somebody put the last one there, and completed another."""
        early = self.copy_mappings("early")
        os.unlink(os.path.join(early, LAST + ".xml"))
        changed = os.path.join(early, CHANGED + ".xml")
        with open(changed, encoding="utf-8") as file:
            text = file.read()
        if COLUMN not in text:
            raise AssertionError(f"the mapping of {CHANGED} has no such column any more")
        return write(changed, text.replace(COLUMN, ""))

    # ---- the command --------------------------------------------------------------------------

    def run(self, *arguments, conf=None, check=True, point=None):
        """Runs it to its end; with a point it is killed there."""
        command = [os.path.join(os.environ["RELAIS_BUILD"], "bin", "relais"), "--config", conf or self.conf, *arguments]
        environment = {**os.environ, "LC_ALL": "C.UTF-8", **(self.plan.environment if self.plan else {})}
        done = subprocess.run(command, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
                              check=False, env=environment)
        if check and done.returncode != 0:
            raise AssertionError(f"relais {' '.join(arguments)} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done

    def killed(self, point, *arguments, conf=None):
        """Runs it until the point; True when it died there."""
        with self.plan.watching(point):
            done = self.run(*arguments, conf=conf, check=False)
        return done.returncode == KILLED and self.plan.was_reached(point)

    def forward(self, conf=None):
        """As a service manager would have it started again, with what is left over from long ago."""
        self.age()
        done = self.run("forward", "--once", conf=conf, check=False)
        if done.returncode != 0:
            raise AssertionError(f"forward --once: {done.stderr}")
        self.wait_for_the_dead()

    def wait_for_the_dead(self):
        wait_until(lambda: self.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'relais'") == "0",
                   20, "the connections of killed programs to end")

    def age(self):
        """What may be swept. A parcel in quarantine keeps its time, by which its copy is known."""
        for path in self.files("tmp") + [path for path in self.files("quarantine") if path.endswith(".reason")]:
            with contextlib.suppress(FileNotFoundError):  # another program's, which is done with it
                os.utime(path, (0, 0))

    # ---- the spool ------------------------------------------------------------------------------

    def files(self, place=None):
        """All of them, or those of tmp, new, quarantine."""
        return [os.path.join(path, name) for path, _, names in os.walk(self.spool) for name in names
                if place in (None, os.path.basename(path))]

    def save_spool(self):
        kept = {}
        for path in self.files():
            with open(path, "rb") as file:
                kept[path] = (file.read(), os.stat(path))
        return kept

    def restore_spool(self, kept):
        for path in self.files():
            os.unlink(path)
        for path, (data, status) in kept.items():
            with open(path, "wb") as file:
                file.write(data)
            os.chmod(path, stat.S_IMODE(status.st_mode))
            if IS_ROOT:
                os.chown(path, status.st_uid, status.st_gid)
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    # ---- the database ---------------------------------------------------------------------------

    def save(self, name):
        """Remembers all as it is now."""
        script = f"CREATE SCHEMA saved_{name};"
        for table in self.tables:
            script += f"CREATE TABLE saved_{name}.\"{table['name']}\" AS TABLE {table['name']};"
        self.sql(script)
        self.snapshots[name] = self.save_spool()

    def restore(self, name):
        script = "BEGIN; SET LOCAL session_replication_role = replica;"
        for table in self.tables:
            columns = ", ".join(column["name"] for column in table["columns"] if not column["computed"])
            script += (f"DELETE FROM {table['name']}; INSERT INTO {table['name']} ({columns}) OVERRIDING SYSTEM VALUE"
                       f" SELECT {columns} FROM saved_{name}.\"{table['name']}\";")
        self.sql(script + "COMMIT;")
        self.restore_spool(self.snapshots[name])

    def dump(self):
        """Everything that must be the same, as lines."""
        parts = []
        for table in self.tables:
            if table["name"].startswith(NOT_COMPARED):
                continue
            names = {column["name"] for column in table["columns"]}
            columns = ", ".join(filter(None, (told(column, names) for column in table["columns"])))
            parts.append(f"SELECT '{table['name']} ' || row_to_json(q)::text FROM (SELECT {columns} FROM {table['name']} t) q")
        lines = self.sql(" UNION ALL ".join(parts) + " ORDER BY 1").splitlines()
        return lines + sorted(map(self.told_file, self.files()))

    def told_file(self, path):
        """A parcel in quarantine by what its head says; of everything else its place."""
        place = os.path.relpath(path, self.spool)
        if not place.startswith("quarantine/"):
            return f"left in the spool: {re.sub('^0.', '*', place)}"
        with open(path, "rb") as file:
            lines = file.read().partition(b"\n\n")[0].decode("utf-8", "replace").splitlines()
        told_lines = [line for line in lines if line.startswith(("form:", "instance:", "class:", "path:"))]
        return f"quarantine/*{os.path.splitext(path)[1]} {'; '.join(told_lines)}"


def write(path, text):
    """Returns the directory that it is in."""
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return os.path.dirname(path)


def told(column, beside):
    """A column as it is compared, None when it is not; `beside` are the table's names."""
    name, kind = column["name"], column["type"]
    if column["made"] or name == "parcel" or kind.startswith("timestamp"):
        return None
    if kind == "jsonb":
        return f"regexp_replace({name}::text, '{CHANCE}', '', 'g') AS {name}"
    if name == "national_code" and "victim_id" in beside:
        return f"CASE WHEN EXISTS ({ERASED}) THEN 'of no card' ELSE {name} END AS {name}"
    if name == "sealed" or (kind == "bytea" and "sha256" not in name):
        return f"octet_length({name}) AS {name}"
    return f"encode({name}, 'hex') AS {name}" if kind == "bytea" else name
