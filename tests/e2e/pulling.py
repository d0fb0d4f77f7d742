"""What the tests of `relais pull` share: a site with the small schema, a stand-in of a server,
its source's configuration, and the submissions of one form."""
import hashlib
import json
import os
import re
import shutil
import sys
import uuid

from command import OK, ROOT, Site, database, read, write

sys.path.insert(0, os.path.join(ROOT, "tests", "standins"))

CASES = os.path.join(ROOT, "tests", "cases", "store")


def visit_xml(instance, code="c1", note="n", photo="", old=""):
    """A submission as Collect writes it."""
    deprecated = f"<deprecatedID>{old}</deprecatedID>" if old else ""
    photo = f"<photo>{photo}</photo>" if photo else ""
    return (f"<?xml version='1.0' ?><data id=\"visit\" version=\"1\" "
            f"xmlns:orx=\"http://openrosa.org/xforms\"><code>{code}</code><sex>sx_f</sex>"
            f"<age>19</age><day>2026-03-02</day><note>{note}</note>{photo}"
            f"<orx:meta><orx:instanceID>{instance}</orx:instanceID>{deprecated}</orx:meta>"
            f"</data>").encode()


def new_id():
    return f"uuid:{uuid.uuid4()}"


class Pulling(Site):
    """A test with a server, whose class is `server_class`, and a source of the name "there"."""
    server_class = None
    source = ""
    credentials = ""

    def setUp(self):
        super().setUp()
        self.server = self.server_class()
        self.addCleanup(self.server.close)
        self.secret = os.path.join(self.dir, "there.credentials")
        write(self.secret, self.credentials)
        os.chmod(self.secret, 0o600)
        self.configure()

    def configure(self, **settings):
        merged = {"url": self.server.url, "credentials": self.secret, "tries": 2, "timeout": 5,
                  **settings}
        text = read(self.write_conf("relais.conf", database.conninfo(self.database)))
        write(self.conf, text + f"[source there]\n{self.source}" +
              "".join(f"{name} = {value}\n" for name, value in merged.items()))

    def pull(self, *arguments, code=OK):
        """Pulls and returns what the one form's JSON says."""
        done = self.expect(code, "pull", "--json", *arguments)
        self.said = done.err
        source = json.loads(done.out)["sources"][0]
        self.source_error = source["error"]
        return source["forms"][0] if source["forms"] else None

    # ---- the spool ----

    def parcels(self):
        """What waits: a list of (head, body)."""
        found = []
        for shard in range(16):
            directory = os.path.join(self.spool, f"{shard:02x}", "new")
            for name in os.listdir(directory):
                with open(os.path.join(directory, name), "rb") as file:
                    head, _, body = file.read().partition(b"\n\n")
                found.append((dict(line.split(": ", 1) for line in head.decode().splitlines()), body))
        return found

    def xmls(self):
        """The XML of each parcel, by instanceID."""
        result = {}
        for head, body in self.parcels():
            result.setdefault(head["instance"], []).append(parts(head, body)["xml_submission_file"])
        return result

    def empty_spool(self):
        for shard in range(16):
            directory = os.path.join(self.spool, f"{shard:02x}", "new")
            for name in os.listdir(directory):
                os.remove(os.path.join(directory, name))

    def state(self, form="visit", source="there"):
        return json.loads(read(os.path.join(self.spool, "sources", source, form + ".json")))

    # ---- rows ----

    def prepare_database(self):
        database.create(self.database)
        # The ledger's own files, as the forwarder's unit tests name them.
        fixture = read(os.path.join(ROOT, "tests", "unit", "store_fixture.c"))
        for path in re.findall(r'"(transforms/schema/[^"]+)"', fixture):
            self.schema(os.path.basename(path), read(os.path.join(ROOT, path)))
        self.apply()
        self.sql(read(os.path.join(CASES, "schema.sql")))
        shutil.copy(os.path.join(CASES, "visit.xml"), self.mappings)

    def forward(self):
        return self.expect(OK, "forward", "--once")

    def notes(self):
        return self.sql("SELECT string_agg(note, ',' ORDER BY note) FROM lab.visit;")


def parts(head, body):
    """The parts of a multipart body by name, as stored."""
    boundary = re.search("boundary=(.*)", head["content-type"])[1].encode()
    assert hashlib.sha256(body).hexdigest() == head["sha256"]
    assert body.endswith(b"--" + boundary + b"--\r\n")
    found = {}
    for part in body.split(b"--" + boundary)[1:-1]:
        lines, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        name = re.search(rb'name="([^"]*)"', lines)[1].decode()
        found[name] = content.removesuffix(b"\r\n")
    return found
