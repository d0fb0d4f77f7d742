"""A small Relais for situations: an nginx that serves one form, a PostgreSQL, and `relais forward
--once` whenever a test wants what has arrived to be delivered.

The form is not sensitive, so that what the ledger keeps can be compared byte for byte; the same
form under another name is, for what must be sealed.
"""
import grp
import hashlib
import itertools
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest
import uuid
from xml.sax.saxutils import escape

import collect
import wire
from database import LEDGER, Database
from keys import Keys
from spools import make_spool
from webserver import WebServer

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAME = "situations"
PLAIN, SEALED = "sit", "sit_sealed"
TABLES = """CREATE SCHEMA sit;
CREATE TABLE sit.visit (visit_id uuid PRIMARY KEY, sub_id uuid NOT NULL, form text NOT NULL, record text NOT NULL,
    name text, age smallint CONSTRAINT visit_age CHECK (age < 111), note text, place text);
CREATE TABLE sit.leg (visit_id uuid NOT NULL REFERENCES sit.visit ON DELETE CASCADE, seq smallint NOT NULL,
    place text, PRIMARY KEY (visit_id, seq));
CREATE TABLE sit.house (visit_id uuid NOT NULL REFERENCES sit.visit ON DELETE CASCADE, house smallint, name text,
    PRIMARY KEY (visit_id, house));
CREATE TABLE sit.person (visit_id uuid, house smallint, person smallint, name text, PRIMARY KEY (visit_id, house, person),
    FOREIGN KEY (visit_id, house) REFERENCES sit.house ON DELETE CASCADE);
CREATE TABLE sit.illness (visit_id uuid, house smallint, person smallint, seq smallint, name text,
    PRIMARY KEY (visit_id, house, person, seq),
    FOREIGN KEY (visit_id, house, person) REFERENCES sit.person ON DELETE CASCADE);
"""
NEST = """<mapping xmlns="urn:relais:mapping:1" form="nest">
  <let name="visit" select="uuid5('sit.visit', $form, $record)"/>
  <row table="sit.visit">
    <column name="visit_id" select="$visit"/>
    <column name="sub_id" select="$submission"/>
    <column name="form" select="$form"/>
    <column name="record" select="$record"/>
    <row table="sit.house" for-each="house" replace="visit_id">
      <let name="house" select="position()"/>
      <column name="visit_id" select="$visit"/>
      <column name="house" select="$house"/>
      <column name="name" select="name"/>
      <row table="sit.person" for-each="person" replace="visit_id">
        <let name="person" select="position()"/>
        <column name="visit_id" select="$visit"/>
        <column name="house" select="$house"/>
        <column name="person" select="$person"/>
        <column name="name" select="name"/>
        <row table="sit.illness" for-each="illness" replace="visit_id">
          <column name="visit_id" select="$visit"/>
          <column name="house" select="$house"/>
          <column name="person" select="$person"/>
          <column name="seq" select="position()"/>
          <column name="name" select="name"/>
        </row>
      </row>
    </row>
  </row>
</mapping>
"""
MAPPING = """<mapping xmlns="urn:relais:mapping:1" form="{form}"{more}>
  <let name="visit" select="uuid5('sit.visit', $form, $record)"/>
  <row table="sit.visit">
    <column name="visit_id" select="$visit"/>
    <column name="sub_id" select="$submission"/>
    <column name="form" select="$form"/>
    <column name="record" select="$record"/>
    <column name="name" select="name"/>
    <column name="age" select="age"/>
    <column name="note" select="note"/>
    <column name="place"><from select="home/place"/><from select="trip/place"/></column>
    <row table="sit.leg" for-each="leg" replace="visit_id">
      <column name="visit_id" select="$visit"/>
      <column name="seq" select="position()"/>
      <column name="place" select="place"/>
    </row>
  </row>
  <file select="photo"/>
  <file select="leg/photo"/>
</mapping>
"""
XFORM = """<?xml version="1.0"?>
<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml"
  xmlns:orx="http://openrosa.org/xforms"><h:head><h:title>Situations</h:title><model><instance>
<data id="{form}" version="1"><name/><age/><note/><home><place/></home><trip><place/></trip><photo/>
<leg><place/><photo/></leg><orx:meta><orx:instanceID/></orx:meta></data></instance></model></h:head>
<h:body><input ref="/data/name"><label>Name</label></input></h:body></h:html>
"""

directory = tempfile.mkdtemp(prefix="relais-situations-")
database = Database()
keys = Keys(directory)
conf = os.path.join(directory, "relais.conf")
mappings = os.path.join(directory, "mappings")
turn = itertools.count()


class Server(WebServer):
    """Its spool is the forwarder's, who runs as root where the tests do."""

    def make_spool(self):
        make_spool(self.spool)
        if os.geteuid() == 0:
            for place, _, _ in os.walk(self.spool):
                mode = os.stat(place).st_mode & 0o7777
                os.chown(place, 0, grp.getgrnam("www-data").gr_gid)
                os.chmod(place, mode)


server = Server()


def start():
    """For setUpModule of a module of tests."""
    unittest.addModuleCleanup(shutil.rmtree, directory, ignore_errors=True)
    unittest.addModuleCleanup(server.remove)
    unittest.addModuleCleanup(database.remove)
    database.start()
    database.create(NAME)
    for text in LEDGER.values():
        database.psql(NAME, text)
    database.psql(NAME, TABLES)
    keys.make()
    os.mkdir(mappings)
    for form, more in ((PLAIN, ""), (SEALED, ' sensitive="yes"')):
        write_mapping(form, MAPPING.format(form=form, more=more))
        server.publish(form + ".xml", XFORM.format(form=form).encode())
    write_mapping("nest", NEST)
    with open(conf, "w", encoding="utf-8") as file:
        file.write(f"[spool]\ndirectory = {server.spool}\n[store]\nconninfo = {database.conninfo(NAME)}\n"
                   f"[mappings]\ndirectory = {mappings}\n[forms]\ndirectory = {server.forms}\n{keys.settings}")
    server.start()


def write_mapping(form, text):
    with open(os.path.join(mappings, form + ".xml"), "w", encoding="utf-8") as file:
        file.write(text)


def relais(*arguments, language="en", key=None):
    """The command, as at a terminal without one; `key` gives the path of a private key."""
    more = ["--key", key] if key else []
    return subprocess.run([os.path.join(os.environ.get("RELAIS_BIN") or os.path.join(os.environ["RELAIS_BUILD"], "bin"),
                                        "relais"), "--config", conf, *arguments, *more],
                          stdin=subprocess.DEVNULL, cwd="/", capture_output=True, text=True, timeout=120, check=False,
                          env={**os.environ, "LC_ALL": "C.UTF-8", "LANGUAGE": language})


def rows(sql):
    return json.loads(database.psql(NAME, f"SELECT coalesce(json_agg(q), '[]') FROM ({sql}) AS q"))


def at(minute):
    """An instant at which a web server received something."""
    return f"2026-03-02T10:{minute:02d}:00.000Z"


def new_id():
    return f"uuid:{uuid.uuid4()}"


def document(instance, deprecated=None, form=PLAIN, legs=(), home=None, trip=None, version="1", **answers):
    """A submission as Collect serialises it. A leg is a place, or a place and a photo."""
    def element(name, text):
        return f"<{name}>{escape(str(text))}</{name}>" if text != "" else f"<{name}/>"
    body = "".join(element(*pair) for pair in answers.items())
    body += "".join(f"<{group}>{element('place', place)}</{group}>"
                    for group, place in (("home", home), ("trip", trip)) if place is not None)
    for leg in legs:
        place, photo = leg if isinstance(leg, tuple) else (leg, "")
        body += f"<leg>{element('place', place)}{element('photo', photo)}</leg>"
    replaced = f"<orx:deprecatedID>{deprecated}</orx:deprecatedID>" if deprecated else ""
    return (f"<?xml version='1.0' ?><data id=\"{form}\" version=\"{version}\" xmlns:orx=\"http://openrosa.org/xforms\">"
            f"{body}<orx:meta><orx:instanceID>{instance}</orx:instanceID>{replaced}</orx:meta></data>").encode()


class Situation(unittest.TestCase):
    """What all tests of situations can do and ask."""

    def setUp(self):
        self.forward()  # nothing of the test before
        shutil.rmtree(os.path.join(server.spool, "quarantine"))
        os.mkdir(os.path.join(server.spool, "quarantine"), 0o700)
        os.chmod(os.path.join(server.spool, "quarantine"), 0o2700)

    def post(self, xml, files=(), is_incomplete=False, names=()):
        """One POST as a phone writes it; `names` are extra parts (name, filename, bytes)."""
        parts = collect.submission_parts(xml, [collect.File(*file) for file in files], is_incomplete=is_incomplete)
        parts += [wire.Part(name, data, filename, "image/jpeg") for name, filename, data in names]
        boundary, runs, length = wire.multipart(parts)
        return self.post_body(wire.joined(runs), f"multipart/form-data; boundary={boundary}", length).status

    def post_body(self, body, content_type, length=None):
        with wire.Connection("127.0.0.1", server.port, timeout=30) as connection:
            connection.write(wire.head("POST", "/openrosa/submission?deviceID=collect%3Asit", [
                ("Host", "phone"), ("X-OpenRosa-Version", "1.0"), ("Content-Type", content_type),
                ("Content-Length", str(len(body) if length is None else length))]), body)
            return connection.read()

    def put(self, xml, received, files=(), device="collect:sit"):
        """A parcel that a web server received at that time."""
        form = re.search(rb' id="([^"]*)"', xml).group(1).decode()
        boundary, runs, _ = wire.multipart(collect.submission_parts(xml, [collect.File(*file) for file in files]))
        body = wire.joined(runs)
        head = (f"relais-parcel: 1\nreceived: {received}\nsource: serve\nform: {form}\nversion: 1\ninstance: -\n"
                f"user: agent-017\ndevice: {device}\ncontent-type: multipart/form-data; boundary={boundary}\nlength: {len(body)}\n"
                f"sha256: {hashlib.sha256(body).hexdigest()}\n\n")
        name = f"20260302T101504.{next(turn):06d}Z-{uuid.uuid4().hex}.parcel"
        with open(os.path.join(server.spool, "00", "new", name), "wb") as file:
            file.write(head.encode() + body)

    def forward(self):
        done = relais("forward", "--once")
        self.assertEqual(done.returncode, 0, done.stderr)

    def versions(self, *instances):
        """What the ledger says of them, in the order received."""
        names = ", ".join(f"'{one}'" for one in instances)
        return rows("SELECT sub_id, instance_id, record_id, state, missing, encode(xml, 'hex') AS xml, seal, reason"
                    f" FROM relais.submission WHERE instance_id IN ({names}) ORDER BY received_at, xml_sha256")

    def states(self, *instances):
        return [(row["instance_id"], row["state"]) for row in self.versions(*instances)]

    def assert_state(self, instance, state, missing=None):
        row = self.versions(instance)
        self.assertEqual([(one["state"], sorted(one["missing"] or [])) for one in row],
                         [(state, sorted(missing or []))])

    def files(self, instance):
        """(name, bytes, expected) of what the ledger has."""
        return sorted((row["name"], bytes.fromhex(row["bytes"]), row["expected"]) for row in rows(
            "SELECT name, encode(bytes, 'hex') AS bytes, expected FROM relais.attachment"
            f" JOIN relais.submission USING (sub_id) WHERE instance_id = '{instance}'"))

    def visits(self, *records):
        """The national rows of these records, with their legs; the ids of both are left out."""
        names = ", ".join(f"'{one}'" for one in records)
        return rows("SELECT record, name, age, note, place, s.instance_id AS version,"
                    " (SELECT array_agg(l.place ORDER BY seq) FROM sit.leg l WHERE l.visit_id = v.visit_id) AS legs"
                    "  FROM sit.visit v JOIN relais.submission s USING (sub_id)"
                    f" WHERE record IN ({names}) ORDER BY record")

    def quarantined(self):
        return [name for name in os.listdir(os.path.join(server.spool, "quarantine")) if name.endswith(".parcel")]
