"""What nobody's phone sends: XML and bodies that are made to cost memory or time, to be read in two ways, or
to be executed. Through the real nginx and the forwarder into a real PostgreSQL, each with its stated
answer: refused at once, or 201 and then quarantine with the class that is said here.

While all of it comes in, every request is answered within SECONDS, nothing half-written stays behind, and in the
Release build a worker of nginx and the forwarder stay within WORKER and FORWARDER.
"""
import base64
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse
from xml.sax.saxutils import escape, quoteattr

import wire
from builds import is_watched, on_both
from database import LEDGER, Database
from spools import DROP, PASS, PRIVATE
from webserver import SHARDS, WebServer, wait_until, xform

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MEGABYTE = 1024 * 1024
WORKER = 16 * MEGABYTE          # above what it has before the first request
FORWARDER = 128 * MEGABYTE      # its peak, all told
SECONDS = 60                    # of one answer, on a machine that is busy with other tests
BOUNDARY = "b-o-u-n-d"
NAME = "hostile"

MAPPING = """<mapping xmlns="urn:relais:mapping:1" form="h"><row table="public.thing">
<column name="sub_id" select="$submission"/><column name="a" select="a"/><column name="b" select="b"/>
<column name="form" select="$form"/><column name="version" select="$version"/>
<column name="instance" select="$instance"/><column name="sender" select="$user"/>
<column name="device" select="$device"/>
<row table="public.choice" tokens="c" replace="sub_id"><column name="sub_id" select="$submission"/>
<column name="code" select="$token"/></row></row></mapping>"""
TABLES = """CREATE TABLE public.thing (sub_id uuid PRIMARY KEY, a text, b varchar(2000), form text, version text,
 instance text, sender text, device text);
CREATE TABLE public.choice (sub_id uuid REFERENCES public.thing ON DELETE CASCADE, code text, PRIMARY KEY (sub_id, code));"""

USERS = ["agent", "'; DROP TABLE public.thing; --", 'x"\\N${jndi}']

database = Database()


class Relais:
    """nginx, PostgreSQL and a forwarder, with one small form."""

    def start(self):
        self.dir = tempfile.mkdtemp(prefix="relais-hostile-")
        unittest.addModuleCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.start_web()
        self.start_database()
        self.forwarder = subprocess.Popen([self.program, "--config", self.conf, "forward"], cwd="/",
                                          stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        unittest.addModuleCleanup(self.forwarder.wait)
        unittest.addModuleCleanup(self.forwarder.kill)
        self.idle = self.web.memory()

    def start_web(self):
        self.web = WebServer(location="auth_basic x; auth_basic_user_file DIR/users;")
        unittest.addModuleCleanup(self.web.remove)
        with open(os.path.join(self.web.dir, "users"), "w", encoding="utf-8") as file:
            file.write("".join(f"{user}:{{PLAIN}}p\n" for user in USERS))
        spool = self.web.spool
        for path, mode in [("", PASS), ("quarantine", PRIVATE)] + [
                (os.path.join(shard, leaf), mode) for shard in SHARDS
                for leaf, mode in (("", PASS), ("tmp", DROP), ("new", DROP))]:
            os.chmod(os.path.join(spool, path), mode)
        self.web.publish("h.xml", xform("h"))
        self.web.start()

    def start_database(self):
        unittest.addModuleCleanup(database.remove)
        database.start()
        database.create(NAME)
        schema = os.path.join(self.dir, "mappings", "schema")
        os.makedirs(schema)
        for name, text in LEDGER.items():
            with open(os.path.join(schema, name), "w", encoding="utf-8") as file:
                file.write(text)
        with open(os.path.join(self.dir, "mappings", "h.xml"), "w", encoding="utf-8") as file:
            file.write(MAPPING)
        self.conf = os.path.join(self.dir, "relais.conf")
        with open(self.conf, "w", encoding="utf-8") as file:
            file.write(f"[spool]\ndirectory = {self.web.spool}\n[store]\nconninfo = {database.conninfo(NAME)}\n"
                       f"[mappings]\ndirectory = {self.dir}/mappings\n[forms]\ndirectory = {self.web.forms}\n"
                       "[forward]\nscan_seconds = 1\n")
        self.program = os.path.join(os.environ["RELAIS_BUILD"], "bin", "relais")
        database.psql(NAME, self.relais("plan").stdout + TABLES)

    def relais(self, *arguments):
        return subprocess.run([self.program, "--config", self.conf, *arguments], stdin=subprocess.DEVNULL, cwd="/",
                              capture_output=True, text=True, timeout=120, check=True)

    # ---- sending

    def post(self, content_type, *runs, user="agent", device="collect:hostile", headers=()):
        """The status of one POST; 0 when the connection was closed without an answer."""
        length = sum(len(run) for run in runs)
        target = "/openrosa/submission?deviceID=" + urllib.parse.quote(device, safe="")
        fields = [("Host", "phone"), ("X-OpenRosa-Version", "1.0"), authorization(user),
                  ("Content-Type", content_type), ("Content-Length", str(length)), *headers]
        with wire.Connection("127.0.0.1", self.web.port, timeout=SECONDS) as connection:
            try:
                connection.write(wire.head("POST", target, fields), *runs)
            except (BrokenPipeError, ConnectionResetError):
                pass                    # refused before all was sent; the answer may be there
            try:
                return connection.read("POST").status
            except ConnectionError:
                return 0

    def send(self, xml, files=(), **options):
        return self.post(f"multipart/form-data; boundary={BOUNDARY}", body_of(xml, files), **options)

    def settle(self):
        """Waits until the forwarder has taken everything; the classes in quarantine, which is emptied."""
        wait_until(lambda: self.web.count("new") == 0, 120, "the spool to be empty")
        aside = os.path.join(self.web.spool, "quarantine")
        names = [name for name in os.listdir(aside) if name.endswith(".reason")]
        classes = []
        for name in names:
            with open(os.path.join(aside, name), encoding="utf-8") as lines:
                classes += [line.split(": ", 1)[1].strip() for line in lines if line.startswith("class: ")]
        for name in os.listdir(aside):
            os.unlink(os.path.join(aside, name))
        return classes

    def peak(self):
        """The forwarder's largest resident memory since the last call."""
        with open(f"/proc/{self.forwarder.pid}/status", encoding="ascii") as status:
            peak = int(re.search(r"VmHWM:\s+(\d+) kB", status.read())[1]) * 1024
        with open(f"/proc/{self.forwarder.pid}/clear_refs", "w", encoding="ascii") as clear:
            clear.write("5")
        return peak


relais = Relais()


def setUpModule():
    relais.start()


def authorization(user):
    return ("Authorization", "Basic " + base64.b64encode(f"{user}:p".encode()).decode())


def submission(inner="", instance=None, form="h", version="1", before="", attributes=""):
    instance = instance or f"uuid:{os.urandom(16).hex()}"
    text = (f"{before}<data id={quoteattr(form)} version={quoteattr(version)}{attributes}>{inner}"
            f"<meta><instanceID>{escape(instance)}</instanceID></meta></data>")
    return text.encode()


def part(name, data, filename="x", content_type="text/xml"):
    """`name` and `filename` are bytes or text, written as they are."""
    raw = [text if isinstance(text, bytes) else text.encode() for text in (name, filename)]
    return (b'Content-Disposition: form-data; name="' + raw[0] + b'"; filename="' + raw[1] + b'"\r\nContent-Type: '
            + content_type.encode() + b"\r\n\r\n" + data)


def body_of(xml, files=(), boundary=BOUNDARY):
    parts = [part("xml_submission_file", xml)] + [part(name, data, name, "image/jpeg") for name, data in files]
    line = b"--" + boundary.encode()
    return b"".join(line + b"\r\n" + one + b"\r\n" for one in parts) + line + b"--\r\n"


@on_both
class Hostile(unittest.TestCase):
    def setUp(self):
        relais.settle()
        database.psql(NAME, "DELETE FROM public.thing")
        relais.peak()
        self.began = time.monotonic()

    def tearDown(self):
        self.assertIsNone(relais.forwarder.poll(), "the forwarder ended")
        self.assertEqual(relais.web.count("tmp"), 0, "half-written files")
        self.assertEqual(relais.web.alarms(), [])
        if not is_watched():
            self.assertLess(relais.web.memory() - relais.idle, WORKER)
            self.assertLess(relais.peak(), FORWARDER)

    def refused(self, status):
        self.assertEqual(status, 400)
        self.assertEqual(relais.web.count("new"), 0)
        self.assertEqual(relais.settle(), [])

    def aside(self, status, class_word):
        self.assertEqual(status, 201)
        self.assertEqual(relais.settle(), [class_word])

    def delivered(self, status, a):
        self.assertEqual(status, 201)
        self.assertEqual(relais.settle(), [])
        self.assertEqual(database.psql(NAME, "DELETE FROM public.thing RETURNING a"), a)


class Xml(Hostile):
    """The submission itself."""

    def test_entities_that_grow(self):
        laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
        self.refused(relais.send(submission("<a>&l9;</a>", before=f'<!DOCTYPE d [<!ENTITY l0 "ha">{laughs}]>')))

    def test_an_entity_from_a_file(self):
        self.refused(relais.send(submission(
            "<a>&f;</a>", before='<!DOCTYPE d [<!ENTITY f SYSTEM "file:///etc/passwd">]>')))

    def test_a_doctype_far_down(self):
        comment = f"<!--{'x' * 70_000}-->"
        self.assertIn(relais.send(submission(before=comment + '<!DOCTYPE d [<!ENTITY f "f">]>')), (400,))
        self.assertEqual(relais.settle(), [])

    def test_10_000_deep(self):
        self.aside(relais.send(submission("<g>" * 10_000 + "</g>" * 10_000)), "limit")

    def test_100_000_repeats(self):
        self.aside(relais.send(submission("<r><a>1</a></r>" * 100_000)), "limit")

    def test_8_megabytes_of_tiny_elements(self):
        self.aside(relais.send(submission("<a/>" * (2 * MEGABYTE - 100))), "limit")

    def test_50_000_attributes(self):
        crowd = "".join(f" a{n}=''" for n in range(50_000))
        self.aside(relais.send(submission(f"<a{crowd}/>")), "limit")
        self.assertLess(time.monotonic() - self.began, SECONDS)

    def test_50_000_attributes_of_the_root(self):
        crowd = "".join(f" a{n}=''" for n in range(50_000))
        self.refused(relais.send(submission(attributes=crowd)))

    def test_a_name_of_a_megabyte(self):
        name = "n" * MEGABYTE
        self.aside(relais.send(submission(f"<{name}>1</{name}>")), "syntax")
        self.aside(relais.send(submission(f"<a {name}='1'/>")), "syntax")

    def test_an_attribute_of_50_megabytes(self):
        self.aside(relais.send(submission(f"<a b='{'x' * 50 * MEGABYTE}'/>")), "limit")

    def test_a_nul_and_bytes_that_are_no_utf8(self):
        for wrong in (b"\0", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xff"):
            with self.subTest(wrong=wrong):
                self.aside(relais.send(submission("<a>@</a>").replace(b"@", wrong)), "syntax")

    def test_other_encodings(self):
        text = "<a>é</a>"
        latin = submission(text, before="<?xml version='1.0' encoding='ISO-8859-1'?>").decode().encode("latin-1")
        self.delivered(relais.send(latin), "é")
        wide = submission(text).decode().encode("utf-16")
        self.delivered(relais.send(wide), "é")

    def test_an_encoding_that_hides_what_it_says(self):
        self.refused(relais.send(submission(before="<?xml version='1.0' encoding='UTF-7'?>")))


class Bodies(Hostile):
    """What is around it."""

    def send(self, body, boundary=BOUNDARY, quoted=None):
        return relais.post(f"multipart/form-data; boundary={quoted or boundary}", body)

    def test_the_boundary_inside_a_file(self):
        inside = f"--{BOUNDARY}".encode()
        files = [("f", b"x" + inside + b"\r\ny"), ("g", b"\r" + inside + b"--"), ("h", b"\r\n--" + BOUNDARY[:-1].encode()),
                 ("i", b"\r\n" + inside + b"x\r\n"), ("j", b"")]
        self.assertEqual(relais.send(submission("<a>1</a>"), files), 201)
        self.assertEqual(relais.settle(), [])
        kept = database.psql(NAME, "SELECT name || ' ' || encode(bytes, 'hex') FROM relais.attachment JOIN"
                                   " relais.submission USING (sub_id) JOIN public.thing USING (sub_id) ORDER BY name")
        self.assertEqual(kept.split("\n"), [f"{name} {data.hex()}".rstrip() for name, data in files])
        self.delivered(201, "1")

    def test_boundaries_of_other_kinds(self):
        for boundary, quoted in (("x" * 70, None), ("a b'()+_,-./:=?", "\"a b'()+_,-./:=?\""), ("0", None)):
            with self.subTest(boundary=boundary):
                self.delivered(self.send(body_of(submission("<a>1</a>"), boundary=boundary), boundary, quoted), "1")

    def test_a_boundary_that_is_too_long_or_none(self):
        self.refused(self.send(body_of(submission(), boundary="x" * 71), "x" * 71))
        self.refused(self.send(body_of(submission()), '""'))
        self.refused(relais.post("multipart/form-data", body_of(submission())))

    def test_before_and_after_the_parts(self):
        body = body_of(submission("<a>1</a>"))
        self.delivered(self.send(b"a preamble\r\n" + body + b"an epilogue\r\n--" + BOUNDARY.encode() + b"\r\n"), "1")
        self.delivered(self.send(body_of(submission("<a>2</a>")).removesuffix(b"\r\n")), "2")

    def test_a_body_without_its_end(self):
        body = body_of(submission("<a>1</a>"), [("f", b"x" * 1000)])
        for cut in (body.removesuffix(b"--\r\n"), body[:-500], body[:40]):
            self.refused(self.send(cut))

    def test_100_000_parts(self):
        line = b"--" + BOUNDARY.encode()
        tiny = line + b'\r\nContent-Disposition: form-data; name="f"\r\n\r\nx\r\n'
        body = line + b"\r\n" + part("xml_submission_file", submission()) + b"\r\n" + tiny * 100_000 + line + b"--\r\n"
        self.refused(self.send(body))

    def test_headers_without_end(self):
        head = b"".join(b"X-%d: x\r\n" % n for n in range(100_000))
        body = body_of(submission()).replace(b"Content-Type: text/xml\r\n", head)
        self.refused(self.send(body))
        status = relais.post("text/xml", submission(), headers=[(f"X-{n}", "x" * 100) for n in range(10_000)])
        self.assertIn(status, (400, 431, 0))
        self.refused(400)


class Slow(Hostile):
    def test_300_that_never_finish_keep_nobody_waiting(self):
        """Slowloris: each says a long body is to come, and sends a byte now and then."""
        head = wire.head("POST", "/openrosa/submission", [
            ("Host", "phone"), authorization("agent"), ("Content-Type", f"multipart/form-data; boundary={BOUNDARY}"),
            ("Content-Length", "1000000")])
        slow = []
        for _ in range(300):
            one = socket.create_connection(("127.0.0.1", relais.web.port), timeout=SECONDS)
            self.addCleanup(one.close)
            one.sendall(head + b"--")
            slow.append(one)
        stop = threading.Event()

        def drip():
            while not stop.wait(0.5):
                for one in slow:
                    one.sendall(b"x")

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            for n in range(10):
                began = time.monotonic()
                self.assertEqual(relais.send(submission(f"<a>{n}</a>")), 201)
                self.assertLess(time.monotonic() - began, 10)
        finally:
            stop.set()
            dripping.join()
        for one in slow:
            one.close()
        wait_until(lambda: relais.web.count("tmp") == 0, 30, "what was begun to be gone")
        self.assertEqual(relais.settle(), [])
        self.assertEqual(database.psql(NAME, "WITH d AS (DELETE FROM public.thing RETURNING a) SELECT count(*) FROM d"), "10")


EVIL = ["'; DROP TABLE public.thing; --", '"; DROP TABLE public.thing; --', "\\N", "\\.", "a\\", "\\x41\\000\\n", "NULL",
        '{"a",NULL}', "{}", "$1", "$$;SELECT 1;$$", "%s%n%x", "../../../../../../tmp/relais-evil", "/etc/passwd", "..",
        "a\tb", "a\nb", "E'\\x41'", "${jndi:ldap://x}", "$(touch /tmp/relais-evil)", "`id`", "--", "/*", "<!--", "]]>", "&amp;",
        "\u202eabc\ufeff", "\U0001f600", "é" * 400, "a\u0301", "\x7f", "\x85x", "relais-parcel: 1", "%00", "%0A", "\u2028"]


PARCEL = r"[0-9TZ.]+-[0-9a-f]{32}\.parcel(\.reason)?"


def shown(text):
    """As the ledger keeps what may hold any byte: controls as \\xNN."""
    return re.sub(r"[\x00-\x1f\x7f]", lambda found: f"\\x{ord(found[0]):02X}", text)


class Injection(Hostile):
    """Texts that would do something if they were ever part of a statement, a path, a head or a format."""

    def tearDown(self):
        super().tearDown()
        self.assertFalse(os.path.exists("/tmp/relais-evil"))
        self.assertEqual(database.psql(NAME, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "2")

    def check(self, column, sent):
        """Rows hold what was sent, to the character."""
        self.assertEqual(relais.settle(), [])
        kept = database.psql(NAME, f"SELECT encode(convert_to({column}, 'UTF8'), 'hex') FROM public.thing")
        self.assertEqual(sorted(bytes.fromhex(line).decode() for line in kept.split("\n")), sorted(sent))
        database.psql(NAME, "DELETE FROM public.thing")

    def test_answers(self):
        for evil in EVIL:
            self.assertEqual(relais.send(submission(f"<a>{escape(evil)}</a><b>{escape(evil)}</b>")), 201)
        self.check("a", EVIL)

    def test_choices(self):
        words = [evil for evil in EVIL if not re.search(r"\s", evil)]
        self.assertEqual(relais.send(submission(f"<c>{escape(' '.join(words))}</c>")), 201)
        self.assertEqual(relais.settle(), [])
        kept = database.psql(NAME, "SELECT encode(convert_to(code, 'UTF8'), 'hex') FROM public.choice")
        self.assertEqual(sorted(bytes.fromhex(line).decode() for line in kept.split("\n")), sorted(words))
        database.psql(NAME, "DELETE FROM public.thing")

    def test_version_and_instance(self):
        texts = [evil for evil in EVIL if not re.search(r"[\t\n]", evil)]
        for evil in texts:
            self.assertEqual(relais.send(submission(version=evil, instance=evil)), 201)
        relais.settle()
        for column in ("version", "instance"):
            kept = database.psql(NAME, f"SELECT encode(convert_to({column}, 'UTF8'), 'hex') FROM public.thing")
            self.assertEqual(sorted(bytes.fromhex(line).decode() for line in kept.split("\n")), sorted(texts))
        database.psql(NAME, "DELETE FROM public.thing")

    def test_forms_that_are_not_published(self):
        for evil in EVIL:
            self.assertEqual(relais.send(submission(form=evil)), 404, evil)
        self.assertEqual(relais.settle(), [])

    def test_forms_without_a_mapping(self):
        """In quarantine, under the names of parcels and of nothing else. ".." has no address to be published at."""
        forms = [evil for evil in EVIL if not re.search(r"[\t\n]", evil) and evil != ".."]
        for n, evil in enumerate(forms):
            relais.web.publish(f"e{n}.xml", xform(escape(evil, {'"': "&quot;"})))
        for evil in forms:
            wait_until(lambda text=submission(form=evil): relais.send(text) == 201, 30, f"the form {evil}")
        wait_until(lambda: relais.web.count("new") == 0, 120, "the spool to be empty")
        names = os.listdir(os.path.join(relais.web.spool, "quarantine"))
        self.assertEqual([name for name in names if not re.fullmatch(PARCEL, name)], [])
        self.assertEqual(relais.relais("quarantine", "list").stdout.count("unknown-form"), len(forms))
        self.assertEqual(relais.settle(), ["unknown-form"] * len(forms))

    def test_files(self):
        names = [evil.replace('"', "%22").replace("\n", "%0A") for evil in EVIL if "\\" not in evil]
        files = [(name, name.encode()) for name in names]
        self.assertEqual(relais.send(submission("<a>files</a>"), files), 201)
        self.assertEqual(relais.settle(), [])
        kept = database.psql(NAME, "SELECT encode(bytes, 'hex') FROM relais.attachment JOIN relais.submission"
                                   " USING (sub_id) JOIN public.thing USING (sub_id) WHERE a = 'files'")
        self.assertEqual(sorted(bytes.fromhex(line).decode() for line in kept.split("\n")), sorted(names))
        database.psql(NAME, "DELETE FROM public.thing")

    def test_a_nul_in_a_files_name(self):
        self.assertEqual(relais.send(submission("<a>nul</a>"), [(b"a\0b'; DROP TABLE x;", b"x")]), 201)
        self.delivered(201, "nul")

    def test_devices_and_users(self):
        for evil in EVIL:
            self.assertEqual(relais.send(submission(), device=evil), 201)
        self.check("device", [shown(evil) for evil in EVIL])
        for user in USERS:
            self.assertEqual(relais.send(submission(), user=user), 201)
        self.check("sender", USERS)


if __name__ == "__main__":
    unittest.main()
