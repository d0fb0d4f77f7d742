"""kill -9 at every call that matters, one at a time: nothing lost, nothing twice.

A workload that takes each path once is played without a kill; what its programs did, call by
call, is written down by shim.c. Then the same again for each call, with the program killed
before or after just that one: nginx's worker, `relais forward`, `import`, `pull`, `replay`,
`quarantine replay`, `conflict choose`, `erase`. Whoever runs them does what he does in life: the
service manager starts the forwarder again, nginx's master a worker, a person repeats his
command, a phone sends again what it got no 201 for. In the end every row, every parcel in
quarantine and the rest of the spool must be as without the kill, and what phones were told is
safe must be in the ledger once.
"""
import hashlib
import json
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import stand as stands  # noqa: E402
import workload  # noqa: E402
from central import PASSWORD, USER, Central  # noqa: E402
from points import choose  # noqa: E402

LONG = bool(os.environ.get("RELAIS_TEST_LONG"))
WANTED = 100  # distinct points at the least
SHOWN = 12    # differences
SEALED = (b"\x30\x82", b"\x30\x83", b"\x30\x80")  # how a CMS message begins
REASON = ("--reason", "demande de la personne")
BY = ("--by", "A. Traore", "--reason", "vu le dossier")

stand = stands.Stand()
seen = {}     # program -> the points at which it was killed
points = {}   # program -> all that there are
known = set() # kinds of bytes on their way, of which one was seen


def setUpModule():
    unittest.addModuleCleanup(stand.remove)
    stand.start()
    stand.work = workload.Workload(stand.project)
    stand.there = Central()
    unittest.addModuleCleanup(stand.there.close)
    stand.conf_pull = configure_pull()
    prepare()


def configure_pull():
    """One connection, so that every run does the same in the same order."""
    stand.work.fill(stand.there)
    credentials = os.path.join(stand.dir, "there.credentials")
    stands.write(credentials, f"user: {USER}\npassword: {PASSWORD}\n")
    os.chmod(credentials, 0o600)
    return stand.write_conf("pull.conf", more=f"[source there]\nkind = central\nproject = 3\nforms = bf_tip_ident\n"
                            f"url = {stand.there.url}\ncredentials = {credentials}\nconnections = 1\n")


def prepare():
    """A person who is erased before her phone sends her again, and a phone's folder."""
    before = phone()
    before.send(workload.Sent("before she is erased", stand.work.before))
    stand.forward()
    stand.run("erase", "--instance", before.acknowledged[0].instance, "--yes", *REASON)
    stand.folder = stand.work.write_folder(os.path.join(stand.dir, "stick"))
    stand.save("begin")


def phone():
    return workload.Phone(f"http://{stand.web.host}")


def send_all(everything):
    by = phone()
    for one in everything:
        by.send(one)
    return by.acknowledged


def differences(truth):
    """Lines that are not in both, with the number of times."""
    there = stand.dump()
    lost = [f"lost: {line}" for line in truth if truth.count(line) > there.count(line)]
    more = [f"too many: {line}" for line in there if there.count(line) > truth.count(line)]
    return (lost + more)[:SHOWN]


class Command:
    """A program of `relais` with what a person repeats, and what ends the work that it began."""

    def __init__(self, program, *arguments, conf=None, then=lambda: None, check=True):
        self.program, self.arguments, self.conf, self.check = program, arguments, conf, check
        self.then = then

    def watch(self, back_to):
        """Without a kill: its points, and the truth."""
        stand.save(back_to)
        with stand.plan.watching():
            stand.run(*self.arguments, conf=self.conf, check=self.check)
        points[self.program] = stand.plan.points(self.program)
        self.back_to = back_to
        self.then()
        self.truth = stand.dump()

    def kill(self, point):
        return stand.killed(point, *self.arguments, conf=self.conf)

    def recover(self):
        """Repeated; it may find nothing left to do, and say so by its exit status."""
        stand.age()
        stand.run(*self.arguments, conf=self.conf, check=False)
        stand.wait_for_the_dead()
        self.then()


class Points(unittest.TestCase):
    """Test methods run in the order of their names."""
    maxDiff = None
    commands = {}

    def watch(self, back_to, program, *arguments, **options):
        self.commands[program] = Command(program, *arguments, **options)
        self.commands[program].watch(back_to)

    def sweep(self, program, back_to, kill, recover, truth):
        """Every point of a program: kill(point) says whether it was killed there."""
        seen[program] = set()
        chosen, began = choose(points[program], LONG, known), time.monotonic()
        for point in chosen:
            with self.subTest(str(point)):
                stand.restore(back_to)
                if not kill(point):
                    continue  # the run took another way: counted below
                seen[program].add(point)
                recover()
                self.assertEqual(differences(truth), [])
        print(f"note: {program}: {len(seen[program])} of {len(points[program])} points in"
              f" {time.monotonic() - began:.0f} s", file=sys.stderr)
        self.assertGreaterEqual(len(seen[program]), 0.9 * len(chosen), "most points are met again")

    def sweep_command(self, program):
        one = self.commands[program]
        self.sweep(program, one.back_to, one.kill, one.recover, one.truth)

    # ---- without a kill -------------------------------------------------------------------

    def test_10_the_books_without_a_kill(self):
        with stand.plan_web.watching():
            acknowledged = send_all(stand.work.at_web)
        points["web"] = stand.plan_web.points("web")
        stand.forward(stand.conf_early)
        stand.truth_web = stand.dump()
        self.check_ledger(acknowledged)
        self.check_states({"delivered": 3, "partial": 1, "erased": 1})

    def test_20_each_path_once(self):
        stand.restore("begin")
        acknowledged = send_all(stand.work.sent)
        self.assertEqual(acknowledged, stand.work.sent)
        self.watch("received", "forward", "forward", "--once", conf=stand.conf_early)
        self.check_ledger(acknowledged)
        self.check_states({"delivered": 8, "superseded": 1, "quarantined": 4, "held": 1, "conflict": 1, "erased": 1})

    def test_21_what_waited_is_delivered_later(self):
        """A list, a mapping, a column and a key are there now."""
        stand.sql("INSERT INTO ref.organisation (org_code, name, org_type, place_code)"
                  " VALUES ('NEW-KAD', 'Essai', 'og_soc', 'BF-HOU')")
        self.watch("mended", "replay", "replay", "--key", stand.keys.private, check=False)
        # From the ledger alone: the files of an envelope that no key opened are in quarantine still.
        self.check_states({"delivered": 10, "superseded": 1, "quarantined": 3, "conflict": 1, "erased": 1})
        self.watch("replayed", "quarantine replay", "quarantine", "replay", "--all", "--key", stand.keys.private,
                   then=stand.forward)
        after = self.commands["quarantine replay"].truth
        stand.restore("replayed")
        stand.run("quarantine", "replay", "--all", "--key", stand.keys.private)
        self.watch("given_back", "forward again", "forward", "--once")
        self.assertEqual(self.commands["forward again"].truth, after)
        self.check_states({"delivered": 11, "superseded": 1, "quarantined": 2, "conflict": 1, "erased": 1})

    def test_22_one_of_two_is_chosen(self):
        (version,) = stand.sql.rows("SELECT sub_id FROM relais.submission WHERE state = 'conflict'")
        self.watch("contradicted", "conflict choose", "conflict", "choose", version["sub_id"], "--key", stand.keys.private,
                   *BY)
        self.check_states({"delivered": 11, "superseded": 2, "quarantined": 2, "erased": 1})

    def test_23_a_person_is_erased(self):
        """Rows, a version on its way, one that was put aside, and her files."""
        send_all(stand.work.on_its_way[2:3])
        stand.forward()
        send_all(one for one in stand.work.on_its_way if one is not stand.work.on_its_way[2])
        self.watch("to_erase", "erase", "erase", "--card", stand.work.card, "--key", stand.keys.private,
                   "--yes", *REASON, then=stand.forward, check=False)
        for one in [stand.work.sent[0], *stand.work.on_its_way[:3]]:
            self.assertIn([row["state"] for row in stand.sql.rows(
                f"SELECT state FROM relais.submission WHERE instance_id = '{one.instance}'")], ([], ["erased"]), one.name)
        self.assertEqual([one for one in stand.run("quarantine", "list", "--json").stdout.splitlines()
                          if stand.work.on_its_way[2].instance in one], [])

    def test_30_a_folder_is_imported(self):
        stand.restore("begin")
        self.watch("to_import", "import", "import", stand.folder, then=stand.forward)
        self.check_ledger([*stand.work.carried, stand.work.sent[0]])

    def test_31_another_server_is_pulled(self):
        stand.restore("begin")
        self.watch("to_pull", "pull", "pull", conf=stand.conf_pull, then=stand.forward)
        self.check_ledger([*stand.work.there, stand.work.there_edited, stand.work.sent[0]])
        told = json.loads(stand.run("pull", "--json", conf=stand.conf_pull).stdout)["sources"][0]["forms"][0]
        self.assertEqual(told["pulled"], 0, "a second pull brings nothing")

    def test_40_nothing_but_chance_differs_between_two_runs(self):
        stand.restore("begin")
        send_all(stand.work.sent)
        stand.forward(stand.conf_early)
        self.assertEqual(differences(self.commands["forward"].truth), [])

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

    def test_50_nginx_worker(self):
        def kill(point):
            with stand.plan_web.watching(point):
                acknowledged = send_all(stand.work.at_web)
            self.assertEqual(acknowledged, stand.work.at_web)
            return stand.plan_web.was_reached(point)

        self.sweep("web", "begin", kill, lambda: stand.forward(stand.conf_early), stand.truth_web)

    def test_51_forwarder(self):
        self.sweep_command("forward")

    def test_52_forwarder_with_what_waited(self):
        self.sweep_command("forward again")

    def test_53_replay(self):
        self.sweep_command("replay")

    def test_53_replay_from_quarantine(self):
        self.sweep_command("quarantine replay")

    def test_53_choice_between_two_versions(self):
        self.sweep_command("conflict choose")

    def test_53_erasure(self):
        self.sweep_command("erase")

    def test_53_import(self):
        """What was imported already comes twice, and is kept once."""
        self.sweep_command("import")

    def test_53_pull(self):
        self.sweep_command("pull")

    def test_90_at_least_a_hundred_points_were_seen(self):
        count = sum(map(len, seen.values()))
        each = ", ".join(f"{program} {len(found)} of {len(points[program])}" for program, found in seen.items())
        print(f"note: killed at {count} distinct points ({each})", file=sys.stderr)
        self.assertGreaterEqual(count, WANTED)


if __name__ == "__main__":
    unittest.main()
