"""kill -9 at every call that matters, one at a time: nothing lost, nothing twice.

A workload that takes each path once is played without a kill; what its programs did, call by
call, is written down by shim.c. Then the same again for each call, with the program killed
before or after just that one: nginx's worker, `relais forward`, `relais import`, and a replay
from quarantine. Whoever runs them does what he does in life: the service manager starts the
forwarder again, nginx's master a worker, a person repeats his command, a phone sends again what
it got no 201 for. In the end every row, every parcel in quarantine and the rest of the spool
must be as without the kill, and what phones were told is safe must be in the ledger once.
"""
import hashlib
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import stand as stands  # noqa: E402
import workload  # noqa: E402
from points import choose  # noqa: E402

LONG = bool(os.environ.get("RELAIS_TEST_LONG"))
WANTED = 100  # distinct points at the least
SHOWN = 12    # differences
SEALED = (b"\x30\x82", b"\x30\x83", b"\x30\x80")  # how a CMS message begins

stand = stands.Stand()
work = workload.Workload()
seen = {}     # program -> the points at which it was killed
points = {}   # program -> all that there are
known = set() # kinds of bytes on their way, of which one was seen


def setUpModule():
    unittest.addModuleCleanup(stand.remove)
    stand.start()
    prepare()


def prepare():
    """A person who is erased before her phone sends her again, and a phone's folder."""
    before = phone()
    before.send(workload.Sent("before she is erased", work.erased))
    stand.forward()
    stand.run("erase", "--instance", before.acknowledged[0].instance, "--yes", "--reason", "demande de la personne")
    stand.folder = work.write_folder(os.path.join(stand.dir, "stick"))
    stand.save("begin")


def phone():
    return workload.Phone(f"http://{stand.web.host}")


def send_all():
    by = phone()
    for one in work.sent:
        by.send(one)
    return by.acknowledged


def quarantined():
    """The name of the parcel whose form's mapping was not there."""
    for one in json.loads(stand.run("quarantine", "list", "--json").stdout):
        if one["form"] == stands.LAST:
            return one["name"]
    raise AssertionError("nothing waits for its mapping")


def replay(name, check=True):
    return stand.run("quarantine", "replay", name, "--key", stand.keys.private, check=check)


def differences(truth):
    """Lines that are not in both, with the number of times."""
    there = stand.dump()
    lost = [f"lost: {line}" for line in truth if truth.count(line) > there.count(line)]
    more = [f"too many: {line}" for line in there if there.count(line) > truth.count(line)]
    return (lost + more)[:SHOWN]


class Points(unittest.TestCase):
    """Test methods run in the order of their names."""
    maxDiff = None

    def sweep(self, program, back_to, kill, recover, truth):
        """Every point of a program: kill(point) says whether it was killed there."""
        seen[program] = set()
        chosen = choose(points[program], LONG, known)
        for point in chosen:
            with self.subTest(str(point)):
                stand.restore(back_to)
                if not kill(point):
                    continue  # the run took another way: counted below
                seen[program].add(point)
                recover()
                self.assertEqual(differences(truth), [])
        self.assertGreaterEqual(len(seen[program]), 0.9 * len(chosen), "most points are met again")

    # ---- without a kill -------------------------------------------------------------------

    def test_1_the_books_without_a_kill(self):
        with stand.plan_web.watching():
            acknowledged = send_all()
        self.assertEqual(acknowledged, work.sent)
        points["web"] = stand.plan_web.points("web")
        stand.save("received")
        with stand.plan.watching():
            stand.forward(stand.conf_without)
        points["forward"] = stand.plan.points("forward")
        stand.truth_received = stand.dump()
        self.check_ledger(acknowledged)
        self.check_states({"delivered": 6, "superseded": 1, "quarantined": 2, "held": 1, "conflict": 1, "erased": 1})

    def test_2_what_waited_is_delivered_later(self):
        stand.sql("INSERT INTO ref.organisation (org_code, name, org_type, place_code)"
                  " VALUES ('NEW-KAD', 'Essai', 'og_soc', 'BF-HOU')")
        stand.name = quarantined()
        stand.save("mended")
        with stand.plan.watching():
            replay(stand.name)
        points["replay"] = stand.plan.points("replay")
        stand.save("replayed")
        with stand.plan.watching():
            stand.forward()
        points["forward again"] = stand.plan.points("forward again")
        stand.truth_mended = stand.dump()
        self.check_states({"delivered": 8, "superseded": 1, "quarantined": 1, "conflict": 1, "erased": 1})

    def test_3_a_folder_is_imported(self):
        stand.restore("begin")
        with stand.plan.watching():
            stand.run("import", stand.folder)
        points["import"] = stand.plan.points("import")
        stand.forward()
        stand.truth_imported = stand.dump()
        self.check_ledger([*work.carried, work.sent[0]])

    def test_4_nothing_but_chance_differs_between_two_runs(self):
        stand.restore("begin")
        send_all()
        stand.forward(stand.conf_without)
        self.assertEqual(differences(stand.truth_received), [])

    def check_states(self, expected):
        self.assertEqual({row["state"]: row["n"] for row in stand.sql.rows(
            "SELECT state, count(*) AS n FROM relais.submission GROUP BY state")}, expected)

    def check_ledger(self, acknowledged):
        """What phones were told is safe, byte for byte: opened with the key, which is not on the server."""
        for one in acknowledged:
            rows = stand.sql.rows("SELECT sub_id, state, encode(xml, 'hex') AS xml FROM relais.submission"
                                  f" WHERE instance_id = '{one.instance}' AND xml_sha256 = '\\x{one.sha256}'")
            self.assertEqual(len(rows), 1, one.name)
            if rows[0]["state"] == "erased":
                continue  # only what keeps the person from coming back
            self.assertEqual(self.hash_of(rows[0]["xml"]), one.sha256, one.name)
            files = {(row["name"], self.hash_of(row["bytes"])) for row in stand.sql.rows(
                f"SELECT name, encode(bytes, 'hex') AS bytes FROM relais.attachment WHERE sub_id = '{rows[0]['sub_id']}'")}
            for name, data in one.files if rows[0]["state"] != "quarantined" else ():
                self.assertIn((name, hashlib.sha256(data).hexdigest()), files, one.name)

    def hash_of(self, digits):
        """Of what is kept, which is sealed where the form's mapping is sensitive."""
        data = bytes.fromhex(digits)
        if data.startswith(SEALED):
            data = stand.keys.unseal(data)
        return hashlib.sha256(data).hexdigest()

    # ---- killed -----------------------------------------------------------------------------

    def test_5_nginx_worker(self):
        def kill(point):
            with stand.plan_web.watching(point):
                by = phone()
                for one in work.sent:
                    by.send(one)
            self.assertEqual(by.acknowledged, work.sent)
            return stand.plan_web.was_reached(point)

        self.sweep("web", "begin", kill, lambda: stand.forward(stand.conf_without), stand.truth_received)

    def test_6_forwarder(self):
        self.sweep("forward", "received", lambda point: stand.killed(point, "forward", "--once", conf=stand.conf_without),
                   lambda: stand.forward(stand.conf_without), stand.truth_received)

    def test_7_forwarder_with_what_waited(self):
        self.sweep("forward again", "replayed", lambda point: stand.killed(point, "forward", "--once"),
                   stand.forward, stand.truth_mended)

    def test_8_replay(self):
        """A person repeats the command; it may find nothing left to do."""
        def recover():
            replay(stand.name, check=False)
            stand.forward()

        self.sweep("replay", "mended", lambda point: stand.killed(
            point, "quarantine", "replay", stand.name, "--key", stand.keys.private), recover, stand.truth_mended)

    def test_8_import(self):
        """A person repeats the command: what was imported already comes twice, and is kept once."""
        def recover():
            stand.run("import", stand.folder)
            stand.forward()

        self.sweep("import", "begin", lambda point: stand.killed(point, "import", stand.folder), recover,
                   stand.truth_imported)

    def test_9_at_least_a_hundred_points_were_seen(self):
        count = sum(map(len, seen.values()))
        each = ", ".join(f"{program} {len(found)} of {len(points[program])}" for program, found in seen.items())
        print(f"note: killed at {count} distinct points ({each})", file=sys.stderr)
        self.assertGreaterEqual(count, WANTED)


if __name__ == "__main__":
    unittest.main()
