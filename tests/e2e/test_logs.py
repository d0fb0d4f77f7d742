"""No answer, name, token or card code is in any log, at any level.

A mix of everything that happens to a Relais in its life: good submissions of all four forms, bad and
hostile ones, corrections, quarantine and replay, erasure, linking, commands called wrongly. Every
personal answer of the mix bears a mark that no other text has, and every card, phone and document
number is known. Then all logs at their most talkative level are searched: the forwarder's, nginx's
error and access log, PostgreSQL's, and what commands print where systemd or cron would log it.

The levels: [log] level = debug; error_log debug; an access log; PostgreSQL with each statement in its
log, in a database that was set up as plugin/README.md says (transforms/logging.sql).
"""
import glob
import os
import pathlib
import re
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cases" / "national"))
import collect  # noqa: E402
import generate  # noqa: E402
import generate_others as others  # noqa: E402
import lives  # noqa: E402
import nation  # noqa: E402
from quickstart import Quickstart, wait_until  # noqa: E402
from wire import Connection, head  # noqa: E402

MARK = "Qzx"
SEED = "logs"
PEOPLE = 40
TEXTS = ("surname given_names alias mother father contact_name quarter birth_place employer plate".split())
NUMBERS = ("scan typed made code document_number phone contact_phone".split())

server = Quickstart()
numbers = set()          # digits and codes that were answers
printed = {}             # what commands printed: their arguments and their output


# ---- the mix -----------------------------------------------------------------------------------------


def marked(xml):
    """The submission with the mark on every text that a person typed; its numbers are remembered."""
    text = xml.decode()
    for name in TEXTS:
        text = re.sub(rf"<{name}>([^<]+)<", rf"<{name}>{MARK} \1<", text)
    text = re.sub(r"<agent_code>([^<]+)<", rf"<agent_code>{MARK}-\1<", text)
    text = re.sub(r"<together><code>([^<]+)<", rf"<together><code>{MARK}-\1<", text)
    text = re.sub(r"<case><code>([^<]+)<", rf"<case><code>{MARK.upper()}-\1<", text)
    for name in NUMBERS:
        numbers.update(found for found in re.findall(rf"<{name}>([A-Z]?\d+)<", text))
    return text.encode()


def good():
    return [(one.instance, marked(one.xml)) for one in nation.Nation(SEED, PEOPLE).sent]


rng = lives.generator(SEED)


def fresh(form, **changes):
    """A new marked submission of that form; `changes` (path with _ for /) replace answers."""
    made = TEMPLATES[form]
    xml = made.replace(re.search(rb"instanceID>([^<]*)<", made).group(1), lives.new_instance(rng).encode())
    for path, value in changes.items():
        xml = lives.with_answer(xml, path.replace("__", "/"), value.encode())
        numbers.update(re.findall(r"(?<!\d)\d{6,}(?!\d)", value))
    return xml


def adult():
    """An interview with an adult who gave her identity, found among generated ones."""
    for n in range(500):
        _, xml = generate.submission(SEED, n)
        if b"<basis>co_self<" in xml and b"<birth_date>" in xml and b"<origin_province>" in xml and b"<months>" in xml \
                and b"<age>" in xml and b"<surname>" in xml and xml.count(b"<exploitation>") > 1 and b"<has_card>no<" in xml:
            return marked(xml)
    raise AssertionError("no such person was generated")


def case():
    sent = (one for one in nation.Nation(SEED, PEOPLE).sent if one.form == others.CASE)
    return next(marked(one.xml) for one in sent if one.xml.count(b"<suspect>") > 1 and b"<victim>" in one.xml and b"<surname>" in one.xml)


def visit():
    sent = (one for one in nation.Nation(SEED, PEOPLE).sent if one.form == others.VISIT)
    return next(marked(one.xml) for one in sent if b"<started_on>" in one.xml and b"<result>" in one.xml)


def month():
    return next(marked(one.xml) for one in nation.Nation(SEED, PEOPLE).sent if one.form == others.MONTH)


TEMPLATES = {generate.FORM: adult(), others.CASE: case(), others.VISIT: visit(), others.MONTH: month()}


def bad():
    """What no form would send: each is refused, for a reason of its own."""
    f1, f2, f3, f4 = generate.FORM, others.CASE, others.VISIT, others.MONTH
    yield fresh(f1, person__sex=f"{MARK}sex")
    yield fresh(f1, person__age=f"{MARK}age")
    yield fresh(f1, person__age="16")                                  # a child who consents alone: a rule of the table
    yield fresh(f1, person__age="99999999999")
    yield fresh(f1, person__age="150")
    yield fresh(f1, reporter__org_code=f"{MARK}ORG")
    yield fresh(f1, reporter__agent_code=MARK * 2000)
    yield fresh(f1, event__date=f"{MARK}-02-30")
    yield fresh(f1, event__date="2026-02-30")
    yield fresh(f1, event__date="2026-13-45")
    yield fresh(f1, event__province=f"{MARK}")
    yield fresh(f1, card__made="777777777777")                         # wrong check digits
    yield fresh(f1, card__made=f"{MARK}")
    yield fresh(f1, together__code=f"{MARK}" * 400)
    yield fresh(f1, story__months=f"-{MARK}")
    yield fresh(f1, story__months="-7")
    yield fresh(f1, story__acts=f"ac_recr {MARK}act")
    yield fresh(f1, identity__details__birth_date=f"{MARK}")
    yield fresh(f1, story__exploitation__form=f"{MARK}form")
    yield fresh(f1, person__origin_province=f"{MARK}'; DROP TABLE tip.victim; --")
    yield fresh(f2, case__code=f"{MARK} without a shape")
    yield fresh(f2, victim__code="888888888888")
    yield fresh(f2, suspect__rank=f"{MARK}rank")
    yield fresh(f2, suspect__person__age="150")
    yield fresh(f2, suspect__person__role=f"{MARK}role")
    yield re.sub(rb"<rank>\d+<", b"<rank>1<", fresh(f2))              # one suspect twice
    yield fresh(f2, case__opened_on="2999-01-01")
    yield fresh(f3, help__started_on="2001-01-01")
    yield fresh(f3, help__service=f"{MARK}service")
    yield fresh(f4, report__seen="-3")
    yield fresh(f4, report__seen=f"{MARK}many")


def hostile():
    """(XML, files) that are no submissions of a form at all, or broken ones."""
    xml = fresh(generate.FORM)
    at = xml.index(MARK.encode())
    yield xml[:at] + b"<" + xml[at:], ()
    yield xml[:at] + b"&" + xml[at:], ()
    yield xml[:at] + b"\xff\xfe" + xml[at:], ()
    yield xml[:at] + b"]]>" + xml[at:], ()
    yield xml.replace(b"<surname>", f"<{MARK}>".encode(), 1), ()
    yield xml[:len(xml) // 2], ()
    yield xml.replace(b'id="bf_tip_ident"', b'id="nobody_knows_it"'), ()
    yield f"<{MARK}>{MARK} Awa</{MARK}>".encode(), ()
    yield f"{MARK} says: no XML".encode(), ()
    yield b"<!DOCTYPE data [<!ENTITY e '" + MARK.encode() + b"'>]>" + fresh(generate.FORM), ()
    yield fresh(generate.FORM), [(f"{MARK} Awa.jpg", b"photo"), (f"../../{MARK}", b"x"), (f"{MARK}\n.jpg", b"y")]


def edit(xml):
    """The submission corrected: its answers in another place, and the number of its version before."""
    first, second = re.search(rb"instanceID>([^<]*)<", xml).group(1), lives.new_instance(rng).encode()
    xml = xml.replace(first, second).replace(b"</orx:meta>", b"<deprecatedID>" + first + b"</deprecatedID></orx:meta>")
    return re.sub(rb"<surname>[^<]*<", f"<surname>{MARK} corrected<".encode(), xml)


def command(*arguments):
    done = server.relais(*arguments)
    printed[" ".join(arguments)] = done.stdout + done.stderr
    return done


# ---- the server, at its most talkative ---------------------------------------------------------------


def replace_in(path, old, new):
    text = pathlib.Path(path).read_text(encoding="utf-8")
    if old not in text:
        raise AssertionError(f"{path} has no {old}")
    pathlib.Path(path).write_text(text.replace(old, new), encoding="utf-8")


def talk():
    """Every level at its end."""
    superuser = server.env["RELAIS_DB"].replace("user=relais", "user=postgres")
    subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", superuser, "-c", "ALTER SYSTEM SET log_min_duration_statement = 0",
                    "-c", "ALTER SYSTEM SET log_min_messages = debug1", "-c", "SELECT pg_reload_conf()"], check=True, timeout=60,
                   stdout=subprocess.DEVNULL)
    with open(server.env["RELAIS_CONF"], "a", encoding="utf-8") as conf:
        conf.write("[log]\nlevel = debug\n")
    server.signal("forward", signal.SIGTERM)
    server.start_forwarder()
    nginx = os.path.join(server.state, "nginx", "nginx.conf")
    replace_in(nginx, "nginx.log warn;", "nginx.log debug;")
    replace_in(nginx, "access_log off;", f"access_log {server.state}/log/access.log;")
    server.signal("nginx", signal.SIGHUP, wait=0)
    wait_until(lambda: os.path.exists(os.path.join(server.state, "log", "access.log")), 20, "the access log")


def send(xml, files=()):
    """As a phone, whatever comes of it."""
    try:
        collect.Phone(server.url).send(xml, files)
    except collect.Failed:
        pass


def play():
    for _, xml in good():
        send(xml)
    server.wait_empty()
    first = fresh(generate.FORM)
    for xml in (first, edit(first), *bad()):
        send(xml)
    for xml, files in hostile():
        send(xml, files)
    send_raw()
    server.wait_empty()


def send_raw():
    """What is no multipart, or a broken one."""
    address = re.match(r"http://([^:/]+):(\d+)(/.*)", server.url)
    for content_type, body in (("text/xml", fresh(generate.FORM)), ("multipart/form-data", fresh(generate.FORM)),
                               ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; name=\"" + MARK.encode()
                                + b"\"\r\n\r\n" + MARK.encode()),
                               ("multipart/form-data; boundary=x", b"--x\r\n" + MARK.encode() * 3000),
                               ("application/unheard-of", MARK.encode())):
        connection = Connection(address.group(1), int(address.group(2)))
        connection.write(head("POST", address.group(3) + "/submission", (
            ("Host", f"{address.group(1)}:{address.group(2)}"), ("X-OpenRosa-Version", "1.0"), ("Content-Type", content_type),
            ("Content-Length", len(body)))), body)
        connection.read("POST")
        connection.close()


def operate():
    """What an administrator does with all that, rightly and wrongly."""
    card = server.sql("SELECT national_code AS code FROM tip.identification JOIN tip.followup USING (victim_id)"
                      " ORDER BY identification_id DESC LIMIT 1")[0]["code"]
    for name in server.quarantined():
        command("quarantine", "show", name)
        command("quarantine", "show", name, "--key", server.key)
    command("quarantine", "list")
    command("quarantine", "list", "--json")
    server.signal("forward", signal.SIGTERM)
    command("quarantine", "replay", *server.quarantined()[5:8])
    command("quarantine", "replay", *server.quarantined()[:5], "--key", server.key)
    server.start_forwarder()
    for arguments in (
            ("status",), ("status", "--json"), ("status", "--prometheus"), ("status", "--devices"), ("check",), ("link", "list"),
            ("link", "list", "--json"), ("link", "show", "1"), ("link", "decide", "1", "different", "--by", "essai"),
            ("link", "show", "999999999"), ("erase", "--card", card, "--reason", f"{MARK} asked for it", "--dry-run"),
            ("erase", "--card", card, "--reason", f"{MARK} asked for it", "--yes"),
            ("erase", "--instance", "uuid:00000000-0000-4000-8000-000000000000", "--reason", "there is none", "--yes")):
        command(*arguments)
    server.wait_empty()


def setUpModule():
    unittest.addModuleCleanup(server.remove)
    server.start()
    talk()
    play()
    operate()


# ---- the search --------------------------------------------------------------------------------------


def found_in(text):
    """Marks and numbers in a text; numbers as words of their own, for identifiers are full of digits. The random
    name of a device is none of them, and may hold a mark by chance."""
    text = re.sub(r"collect(:|%3A)\w{16}", "", text)
    words = set(re.findall(r"(?<![0-9A-Za-z.-])[A-Z]?\d{7,}(?![0-9A-Za-z.-])", text))
    at = text.lower().find(MARK.lower())
    return ([text[max(0, at - 160):at + 60]] if at >= 0 else []) + sorted(words & numbers)


class Logs(unittest.TestCase):
    def log(self, name):
        text = server.log(name)
        self.assertGreater(len(text), 100, f"{name} says nothing: the search would find nothing")
        return text

    def test_the_search_would_find(self):
        self.assertGreater(len(numbers), 120)
        xml = TEMPLATES[generate.FORM].decode()
        self.assertGreater(len(found_in(xml.replace("<", " ").replace(">", " "))), 4)

    def test_everything_happened(self):
        self.assertGreaterEqual(len(server.quarantined()), 30)
        states = {row["state"] for row in server.sql("SELECT DISTINCT state FROM relais.submission")}
        self.assertLessEqual({"delivered", "superseded", "erased", "held"}, states)
        self.assertEqual({server.reason(name)["class"] for name in server.quarantined()}, {"data", "syntax"})
        self.assertIn("level=debug", self.log("forward"))
        self.assertIn("[debug]", self.log("nginx"))

    def test_forwarder(self):
        self.assertEqual(found_in(self.log("forward")), [])

    def test_nginx(self):
        self.assertEqual(found_in(self.log("nginx")), [])

    def test_access_log(self):
        self.assertEqual(found_in(self.log("access")), [])

    def test_postgresql(self):
        self.assertIn("violates check constraint", self.log("postgres"), "the database refused nothing")
        self.assertIn("duration:", self.log("postgres"), "statements are not logged")
        self.assertEqual(found_in(self.log("postgres")), [])

    def test_every_other_log_of_the_server(self):
        others_ = {os.path.basename(path) for path in glob.glob(os.path.join(server.state, "log", "*"))}
        for name in others_ - {"forward.log", "nginx.log", "access.log", "postgres.log"}:
            with open(os.path.join(server.state, "log", name), encoding="utf-8", errors="replace") as file:
                self.assertEqual(found_in(file.read()), [], name)

    def test_reasons_of_the_quarantine(self):
        for name in server.quarantined():
            self.assertEqual(found_in("\n".join(server.reason(name).values())), [], name)

    def test_commands(self):
        for arguments, text in printed.items():
            with self.subTest(arguments):
                self.assertEqual(found_in(text), [])


if __name__ == "__main__":
    unittest.main()
