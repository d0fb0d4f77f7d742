"""What lies in quarantine of the national forms: sealed, so that whoever takes the disk reads no
answer, and given back by whoever holds the key.

No web server: parcels are put into a spool as the module would, and `relais forward --once`
meets them, on a real PostgreSQL with the national schema.
"""
import glob
import hashlib
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import time
import unittest

import test_national_lives as lives
import test_national_rows as base
from builds import on_release
from keys import Keys, openssl
from spools import make_spool
from test_national_rows import KEYS, NAME, database, forward, relais, spool, values

NAMES = (b"Zerbo", b"Lassina", b"Petit Lass", b"Assetou", b"Bakary", b"70000001", b"Sarfalao")
PASSPHRASE = "cinq mots que nul ne devine"
BOUNDARY = "--------relais-aside"


def setUpModule():
    base.setUpModule()
    os.makedirs(os.path.join(base.directory, "other"))


def files(*patterns):
    return [path for pattern in patterns for path in spool.glob(pattern) if path.is_file()]


def names_in(data):
    """Sample people's answers that stand in the clear, or in hexadecimal."""
    return [name for name in NAMES if name in data or name.hex().encode() in data]


def read(path):
    with open(path, "rb") as file:
        return file.read()


def put(xml, name=None, attachment=None, **head):
    """A parcel as the web server leaves it; `attachment` is a number of bytes. Returns its path."""
    form, version = re.search(r' id="([^"]*)" version="([^"]*)"', xml).groups()
    name = name or f"20261120T121504.{random.randrange(10**6):06d}Z-{random.getrandbits(128):032x}.parcel"
    body, kind = xml.encode(), "text/xml"
    if attachment is not None:
        kind = f"multipart/form-data; boundary={BOUNDARY}"
        body = (f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="xml_submission_file"; filename="s.xml"\r\n'
                f"Content-Type: text/xml\r\n\r\n{xml}\r\n--{BOUNDARY}\r\nContent-Disposition: form-data;"
                f' name="film.mp4"; filename="film.mp4"\r\nContent-Type: video/mp4\r\n\r\n').encode()
        body += random.randbytes(2**20) * (attachment >> 20) + f"\r\n--{BOUNDARY}--\r\n".encode()
    fields = {"received": "2026-11-20T12:15:04.123Z", "source": "serve", "form": form, "version": version,
              "instance": lives.instance_of(xml), "user": "agent-017", "content-type": kind, **head,
              "length": str(len(body)), "sha256": hashlib.sha256(body).hexdigest()}
    text = "relais-parcel: 1\n" + "".join(f"{key}: {value}\n" for key, value in fields.items())
    path = spool / "00" / "new" / name
    path.write_bytes(text.encode() + b"\n" + body)
    return path


def head_of(path):
    return dict(line.split(": ", 1) for line in read(path).partition(b"\n\n")[0].decode().split("\n"))


def reason_of(path):
    return dict(line.split(": ", 1) for line in read(str(path) + ".reason").decode().splitlines())


class Aside(unittest.TestCase):
    def setUp(self):
        for file in files("quarantine/*", "quarantine/.*", "*/new/*", "*/tmp/*"):
            file.unlink()
        self.card = lives.fresh_card()

    def recording(self, *changes, card=None):
        xml = re.sub(r"<made>\d+<", f"<made>{card or self.card}<", lives.sample("bf_tip_ident", "child"))
        for old, new in changes:
            self.assertIn(old, xml)
            xml = xml.replace(old, new)
        return xml

    def refused(self, **options):
        """A recording of the sample with an age that is none: sent and put aside. Returns the submission,
        the parcel as it was received, and its path in quarantine."""
        xml = self.recording(("<age>11", "<age>onze ans"), **options)
        path = put(xml)
        original = read(path)
        forward()
        return xml, original, self.only()

    def only(self):
        self.assertEqual(files("*/new/*", "*/tmp/*"), [])
        self.assertEqual(len(files("quarantine/*")), 2, "one parcel and its reason")
        return files("quarantine/*.parcel")[0]

    def run_relais(self, *arguments, code=0, **options):
        done = subprocess.run([base.program(), "--config", str(base.conf), *arguments], cwd="/", capture_output=True,
                              timeout=120, check=False, env={**os.environ, "LC_ALL": "C.UTF-8"},
                              **{"stdin": subprocess.DEVNULL, **options})
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def state(self, xml):
        return values(f"SELECT state FROM relais.submission WHERE instance_id = '{lives.instance_of(xml)}'")


class Sealed(Aside):
    def test_no_answer_lies_on_the_disk(self):
        """Of the whole spool, what PostgreSQL keeps of the reason, and the log."""
        xml, original, aside = self.refused()
        self.assertNotEqual(names_in(original), [], "the test looks for names that are there")
        for path in files("**/*", "**/.*"):
            self.assertEqual(names_in(read(path)), [], path)
            self.assertNotIn(b"onze ans", read(path), path)
        self.assertEqual(len(values(f"SELECT reason FROM relais.submission WHERE instance_id = '{lives.instance_of(xml)}'"
                                    " AND reason::text NOT LIKE '%onze ans%'")), 1)

    def test_no_answer_lies_in_the_database_either(self):
        """Of what is refused the ledger keeps a copy: in the tables, the log and the write-ahead log."""
        if not values("SELECT 1 FROM information_schema.columns WHERE table_schema = 'relais' AND table_name ="
                      " 'submission' AND column_name = 'seal'"):
            self.skipTest("this schema's ledger seals nothing")
        word = f"Zerbo{random.getrandbits(64):x}"
        for changes in ((("<age>11", "<age>onze"),), ((' id="bf_tip_ident"', ' id="draft"'),)):
            put(self.recording(("Zerbo", word), *changes))
        forward()
        self.assertEqual(len(files("quarantine/*.parcel")), 2)
        database.psql(NAME, "CHECKPOINT")
        searched = 0
        for path in glob.glob(os.path.join(database.dir, "**"), recursive=True):
            if os.path.isfile(path):
                data, searched = read(path), searched + 1
                self.assertFalse(word.encode() in data or word.encode().hex().encode() in data, path)
        self.assertGreater(searched, 1000)

    def test_the_head_says_whose_and_to_which_key(self):
        xml, original, aside = self.refused()
        head = head_of(aside)
        self.assertEqual(head["sealed"], KEYS.key_id())
        self.assertEqual((head["instance"], head["form"], head["user"], head["received"], head["content-type"]),
                         (lives.instance_of(xml), "bf_tip_ident", "agent-017", "2026-11-20T12:15:04.123Z",
                          "application/pkcs7-mime"))
        body = read(aside).partition(b"\n\n")[2]
        self.assertEqual((int(head["length"]), head["sha256"]), (len(body), hashlib.sha256(body).hexdigest()))
        self.assertEqual(reason_of(aside)["class"], "data")
        self.assertIn("person/age", reason_of(aside)["path"])

    def test_stock_openssl_gives_the_parcel_as_it_was_received(self):
        _, original, aside = self.refused()
        self.assertEqual(KEYS.unseal(read(aside).partition(b"\n\n")[2]), original)

    def test_the_lines_of_the_manual_open_it(self):
        """Word for word from plugin/README.md, with this test's files in the place of its names."""
        _, original, aside = self.refused()
        manual = (base.ROOT / "plugin" / "README.md").read_text()
        lines = re.findall(r"^    (sed '1,/\^\$/d' .*(?:\\\n.*)?)$", manual, re.M)
        self.assertEqual(len(lines), 1, "the manual says how")
        shutil.copy(aside, os.path.join(base.directory, "NAME.parcel"))
        shutil.copy(KEYS.private, os.path.join(base.directory, "seal.key"))
        self.addCleanup(os.remove, os.path.join(base.directory, "seal.key"))
        subprocess.run(["sh", "-euc", lines[0]], cwd=base.directory, check=True, timeout=60, capture_output=True)
        self.assertEqual(read(os.path.join(base.directory, "original.parcel")), original)

    def test_what_no_mapping_knows_is_sealed_too(self):
        put(self.recording((' id="bf_tip_ident"', ' id="draft"')))
        forward()
        self.assertEqual(head_of(self.only())["form"], "draft")
        self.assertEqual(names_in(read(self.only())), [])

    def test_what_cannot_be_read_at_all_is_sealed_too(self):
        for text in (b"Zerbo Lassina, no parcel", b"relais-parcel: 1\nform: x\n\nZerbo", b"\n" * 20000 + b"Zerbo"):
            with self.subTest(text[:20]):
                self.setUp()
                (spool / "07" / "new" / "from a stick.txt").write_bytes(text)
                forward()
                aside = self.only()
                self.assertEqual(names_in(read(aside)), [])
                self.assertEqual((head_of(aside)["form"], reason_of(aside)["class"]), ("", "damaged"))
                self.assertEqual(KEYS.unseal(read(aside).partition(b"\n\n")[2]), text)

    def test_a_form_that_is_not_sensitive_stays_readable(self):
        xml = lives.sample("bf_tip_mois", next(path.stem.removeprefix("bf_tip_mois-")
                                                for path in base.SAMPLES.glob("bf_tip_mois-*.xml")))
        mapping = (base.ROOT / "transforms" / "bf_tip_mois.xml").read_text()
        if 'sensitive="yes"' in mapping[:2000]:
            self.skipTest("every national form is sensitive")
        path = put(xml.replace("</data>", ""))
        original = read(path)
        forward()
        self.assertEqual(read(self.only()), original)

    def test_moved_back_by_hand_it_goes_aside_again_as_it_is(self):
        _, _, aside = self.refused()
        before = read(aside)
        shutil.move(aside, spool / "03" / "new" / aside.name)
        forward()
        self.assertEqual(read(self.only()), before, "not sealed twice")
        self.assertEqual(reason_of(aside)["class"], "sealed")
        self.assertIn("--key", reason_of(aside)["text"])
        self.assertEqual(self.run_relais("quarantine", "replay", aside.name, "--key", KEYS.private).returncode, 0)

    def test_a_line_in_the_head_keeps_nothing_plain(self):
        put(self.recording(("<age>11", "<age>onze")), sealed="0" * 64)
        forward()
        self.assertEqual(names_in(read(self.only())), [])


class Shown(Aside):
    def test_list_and_show_without_the_key(self):
        xml, _, aside = self.refused()
        listed = json.loads(self.run_relais("quarantine", "list", "--json").stdout)
        self.assertEqual([(one["name"], one["sealed"], one["class"]) for one in listed],
                         [(aside.name, KEYS.key_id(), "data")])
        self.assertIn(KEYS.key_id()[:8].encode(), self.run_relais("quarantine", "list").stdout)
        shown = self.run_relais("quarantine", "show", aside.name).stdout.decode()
        for expected in (lives.instance_of(xml), KEYS.key_id(), "person/age", "--key"):
            self.assertIn(expected, shown)
        done = self.run_relais("quarantine", "show", aside.name, "--raw", code=1)
        self.assertEqual(done.stdout, b"")
        self.assertIn(b"--key", done.stderr)

    def test_show_with_the_key(self):
        _, original, aside = self.refused()
        self.assertIn("text/xml", self.run_relais("quarantine", "show", aside.name, "--key", KEYS.private).stdout.decode())
        raw = self.run_relais("quarantine", "show", aside.name, "--raw", "--key", KEYS.private).stdout
        self.assertEqual(raw, original.partition(b"\n\n")[2])
        self.only()

    def test_options_that_do_not_go_together(self):
        _, _, aside = self.refused()
        for wrong in (("drop", aside.name, "--yes", "--key", KEYS.private), ("list", "--key", KEYS.private),
                      ("replay", aside.name, "--passphrase-fd", "0")):
            with self.subTest(wrong):
                self.run_relais("quarantine", *wrong, code=2)


class Replayed(Aside):
    def forward_without(self, form):
        """As long as nobody has put the form's mapping there."""
        mappings, conf = os.path.join(base.directory, "fewer"), base.conf.read_text()
        shutil.copytree(base.ROOT / "transforms", mappings)
        os.remove(os.path.join(mappings, form + ".xml"))
        base.conf.write_text(conf.replace(f"{base.ROOT}/transforms", mappings))
        try:
            forward()
        finally:
            base.conf.write_text(conf)
            shutil.rmtree(mappings)

    def test_without_the_key_it_stays_and_others_go(self):
        _, _, aside = self.refused()
        plain = spool / "quarantine" / "plain.parcel"
        plain.write_bytes(b"no parcel")
        done = self.run_relais("quarantine", "replay", "--all", code=1)
        self.assertIn(b"1 parcel given back", done.stdout)
        self.assertIn(b"1 parcel is sealed and stays", done.stderr)
        self.assertTrue(aside.exists())
        self.assertFalse(plain.exists())

    def test_with_the_key_after_the_cause_is_mended(self):
        """The mapping was not there yet."""
        xml = self.recording()
        path = put(xml)
        original = read(path)
        self.forward_without("bf_tip_ident")
        aside = self.only()
        self.assertEqual((self.state(xml), reason_of(aside)["class"]), (["quarantined"], "unknown-form"))
        self.run_relais("quarantine", "replay", aside.name, "--key", KEYS.private)
        self.assertEqual(files("quarantine/*", "*/tmp/*"), [])
        (back,) = files("*/new/*")
        self.assertEqual((back.name, read(back), back.stat().st_mode & 0o777), (path.name, original, 0o640))
        forward()
        self.assertEqual(files("quarantine/*", "*/new/*"), [])
        self.assertEqual(self.state(xml), ["delivered"])

    def test_a_cause_that_is_not_mended_puts_it_aside_again(self):
        _, original, aside = self.refused()
        self.run_relais("quarantine", "replay", "--all", "--key", KEYS.private)
        forward()
        self.assertEqual(self.only().name, aside.name)
        self.assertEqual(KEYS.unseal(read(aside).partition(b"\n\n")[2]), original)

    def test_a_wrong_key_changes_nothing(self):
        _, _, aside = self.refused()
        before = read(aside), aside.stat().st_ino
        other = Keys(os.path.join(base.directory, "other")).make()
        done = self.run_relais("quarantine", "replay", aside.name, "--key", other.private, code=1)
        self.assertIn(other.key_id().encode(), done.stderr)
        self.assertIn(b"0 parcels given back", done.stdout)
        # The same with a head that lies about the key.
        aside.write_bytes(before[0].replace(KEYS.key_id().encode(), other.key_id().encode()))
        done = self.run_relais("quarantine", "replay", aside.name, "--key", other.private, code=1)
        self.assertIn(b"another key", done.stderr)
        self.only()
        for wrong in ("/nonexistent", str(base.conf)):
            self.run_relais("quarantine", "replay", aside.name, "--key", wrong, code=1)
        self.only()

    def test_a_changed_byte_gives_nothing_back(self):
        _, _, aside = self.refused()
        whole = bytearray(read(aside))
        whole[-100] ^= 1
        aside.write_bytes(whole)
        self.run_relais("quarantine", "replay", aside.name, "--key", KEYS.private, code=1)
        self.only()

    def test_a_key_with_a_passphrase(self):
        _, _, aside = self.refused()
        locked = os.path.join(base.directory, "locked.key")
        with open(locked, "wb") as file:
            file.write(openssl("pkcs8", "-topk8", "-in", KEYS.private, "-passout", f"pass:{PASSPHRASE}"))
        done = self.run_relais("quarantine", "replay", aside.name, "--key", locked, code=1, start_new_session=True)
        self.assertIn(b"--passphrase-fd", done.stderr)
        done = self.run_relais("quarantine", "replay", aside.name, "--key", locked, "--passphrase-fd", "0", code=1,
                               stdin=None, input=b"falsch\n")
        self.only()
        done = self.run_relais("quarantine", "replay", aside.name, "--key", locked, "--passphrase-fd", "0",
                               stdin=None, input=PASSPHRASE.encode() + b"\n")
        self.assertEqual(files("quarantine/*"), [])
        self.assertNotIn(PASSPHRASE.encode(), done.stdout + done.stderr)


class Erased(Aside):
    """A person who asks for it is found in sealed parcels too."""

    REASON = ("--reason", "demande écrite de la personne", "--yes")

    def forget(self, xml):
        """Only the parcel knows of it, as of one whose answers lie sealed in the ledger."""
        database.psql(NAME, f"DELETE FROM relais.submission WHERE instance_id = '{lives.instance_of(xml)}'")

    def test_by_instance_without_the_key(self):
        xml, _, _ = self.refused()
        self.run_relais("erase", "--instance", lives.instance_of(xml), *self.REASON)
        self.assertEqual(files("quarantine/*"), [])
        self.assertEqual(self.state(xml), ["erased"])

    def test_by_card_without_the_key_all_else_goes_and_it_says_so(self):
        delivered = self.recording()
        put(delivered)
        forward()
        refused, _, aside = self.refused()
        self.forget(refused)
        done = self.run_relais("erase", "--card", self.card, *self.REASON, code=1)
        self.assertIn("1 sealed parcel in quarantine could not be searched", done.stderr.decode())
        self.assertTrue(aside.exists())
        self.assertEqual(self.state(delivered), ["erased"])
        self.run_relais("erase", "--card", self.card, "--key", KEYS.private, *self.REASON)
        self.assertEqual(files("quarantine/*"), [])

    def test_by_card_with_the_key(self):
        mine, _, aside = self.refused()
        other = self.recording(("<age>11", "<age>onze"), card=lives.fresh_card())
        put(other)
        put(self.recording((' id="bf_tip_ident"', ' id="draft"')))
        forward()
        self.assertEqual(len(files("quarantine/*.parcel")), 3)
        done = self.run_relais("erase", "--card", self.card, "--key", KEYS.private, *self.REASON)
        self.assertRegex(done.stdout.decode(), r"in quarantine +2\n")
        self.assertEqual([head_of(path)["instance"] for path in files("quarantine/*.parcel")], [lives.instance_of(other)])
        self.assertEqual((self.state(mine), self.state(other)), (["erased"], ["quarantined"]))
        self.assertNotIn(self.card.encode(), done.stdout + done.stderr)

    def test_with_another_key_it_is_not_searched(self):
        refused, _, _ = self.refused()
        self.forget(refused)
        put(self.recording())
        forward()
        other = Keys(os.path.join(base.directory, "other")).make()
        done = self.run_relais("erase", "--card", self.card, "--key", other.private, *self.REASON, code=1)
        self.assertIn(b"sealed to another key", done.stderr)


class Large(Aside):
    @on_release
    def test_300_megabytes_in_a_little_memory(self):
        xml = self.recording(("<age>11", "<age>onze"))
        path = put(xml, attachment=300 << 20)
        digest = hashlib.sha256(read(path)).hexdigest()
        peak = self.peak("forward", "--once")
        aside = self.only()
        self.assertGreater(aside.stat().st_size, 300 << 20)
        self.assertIn(peak, range(5, 100), "MB")
        print(f"putting 300 MB aside: {peak} MB", end=" ", flush=True)
        peak = self.peak("quarantine", "show", aside.name, "--key", KEYS.private)
        self.assertIn(peak, range(5, 64), "MB")
        print(f"a look at it: {peak} MB", end=" ", flush=True)
        peak = self.peak("quarantine", "replay", aside.name, "--key", KEYS.private)
        self.assertIn(peak, range(5, 64), "MB")
        (back,) = files("*/new/*")
        self.assertEqual(hashlib.sha256(read(back)).hexdigest(), digest)
        print(f"replay of 300 MB: {peak} MB", end=" ", flush=True)

    def peak(self, *arguments):
        """The command's largest resident memory, in megabytes. What the system says at the end counts in the
        memory of the test that started it."""
        most = 0
        with subprocess.Popen([base.program(), "--config", str(base.conf), *arguments], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/") as running:
            while running.poll() is None:
                found = re.search(rb"Name:\trelais\n(?s:.*)VmHWM:\s*(\d+) kB", read(f"/proc/{running.pid}/status"))
                most = max(most, int(found.group(1)) if found else 0)
                time.sleep(0.005)
        self.assertEqual(running.returncode, 0)
        return most >> 10


class Killed(Aside):
    """kill -9 while it is put aside, and while it is given back."""

    TRIES = 200 if os.environ.get("RELAIS_TEST_LONG") else 25

    def spawn(self, *arguments):
        return subprocess.Popen([base.program(), "--config", str(base.conf), *arguments], stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")

    def kill_after(self, seconds, *arguments):
        with self.spawn(*arguments) as running:
            time.sleep(seconds)
            running.send_signal(signal.SIGKILL)
        return running.returncode == -signal.SIGKILL

    def took(self, *arguments):
        begin = time.monotonic()
        with self.spawn(*arguments) as running:
            running.wait()
        return time.monotonic() - begin

    def test_one_copy_whatever_the_moment(self):
        rng = random.Random(20261129)
        xml = self.recording(("<age>11", "<age>onze"))
        path = put(xml, attachment=8 << 20)
        original = hashlib.sha256(read(path)).hexdigest()
        forwarding = self.took("forward", "--once")
        replaying = self.took("quarantine", "replay", "--all", "--key", KEYS.private)
        killed = 0
        for _ in range(self.TRIES):
            killed += self.kill_after(rng.uniform(0.2, 1.1) * forwarding, "forward", "--once")
            self.whole(original)
            forward()
            self.assertEqual(self.only().name, path.name)
            self.assertEqual(files("quarantine/.*"), [])
            killed += self.kill_after(rng.uniform(0.2, 1.1) * replaying, "quarantine", "replay", "--all", "--key",
                                      KEYS.private)
            self.whole(original)
            relais("quarantine", "replay", "--all", "--key", KEYS.private)
            self.assertEqual([file.name for file in files("*/new/*")], [path.name])
            self.assertEqual(files("quarantine/*", "*/tmp/*"), [])
        self.assertGreater(killed, self.TRIES // 2, "no kill met it: the test proves nothing")

    def whole(self, original):
        """Somewhere the parcel is whole, plain or sealed, and no half of one lies about in the clear."""
        found = [hashlib.sha256(read(file)).hexdigest() == original for file in files("*/new/*")]
        found += [hashlib.sha256(KEYS.unseal(read(file).partition(b"\n\n")[2])).hexdigest() == original
                  for file in files("quarantine/*.parcel")]
        self.assertTrue(found)
        self.assertTrue(all(found))
        self.assertEqual(files("*/tmp/*"), [])


class Guarded(Aside):
    """What the forwarder refuses at its start, and how to mend it."""

    def start(self, code):
        done = relais("forward", "--once")
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stderr

    def test_directories_that_others_may_look_into(self):
        for place, mode in (("quarantine", 0o2750), ("quarantine", 0o2705), ("05/new", 0o2735), ("0a/tmp", 0o2733),
                            ("", 0o2712)):
            with self.subTest(place, mode=oct(mode)):
                before = (spool / place).stat().st_mode & 0o7777
                (spool / place).chmod(mode)
                said = self.start(1)
                self.assertIn(f"mode {mode:04o}", said)
                line = re.search(r"run: (chmod .*)", said).group(1)
                subprocess.run(["sh", "-euc", line], check=True, timeout=20)
                self.assertEqual((spool / place).stat().st_mode & 0o7777, before)
                self.start(0)

    def test_a_directory_that_is_only_listed_is_said(self):
        spool.chmod(0o2714)
        self.assertIn("chmod 2710", self.start(0))
        spool.chmod(0o2710)
        self.assertNotIn("chmod", self.start(0))

    def test_the_private_key_beside_the_certificate_is_said(self):
        self.assertIn(KEYS.private, self.start(0), "this test's own lies there")
        moved = os.path.join(base.directory, "other", "moved.key")
        shutil.move(KEYS.private, moved)
        self.addCleanup(shutil.move, moved, KEYS.private)
        self.assertNotIn("private key", self.start(0))

    def give_to_postgres(self):
        """Everything that the forwarder needs; returns the command that runs it as that user."""
        for directory in (base.directory, database.dir):
            os.chmod(directory, 0o755)
        os.chmod(KEYS.secret, 0o640)
        for path in [spool, *spool.glob("**/"), base.conf, KEYS.secret]:
            shutil.chown(path, "postgres", "postgres")
        self.addCleanup(lambda: [shutil.chown(path, "root", "root") for path in [spool, *spool.glob("**/"), KEYS.secret]])
        return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", base.program(), "--config",
                str(base.conf), "forward"]

    @unittest.skipUnless(os.geteuid() == 0, "only root can give a directory away")
    def test_another_users_directory(self):
        command = [*self.give_to_postgres(), "--once"]
        run = lambda: subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=60, check=False,
                                     env={**os.environ, "LC_ALL": "C.UTF-8"})
        done = run()
        self.assertEqual(done.returncode, 0, done.stderr)
        shutil.chown(spool / "quarantine", "www-data")
        done = run()
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr, rf"run: chown \d+ {spool}/quarantine")

    @unittest.skipUnless(os.geteuid() == 0, "only root can run it as another user")
    def test_no_core_is_dumped_and_nobody_looks_into_its_memory(self):
        unlimited = (resource.RLIM_INFINITY,) * 2
        with subprocess.Popen(self.give_to_postgres(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, cwd="/", preexec_fn=lambda: resource.setrlimit(
                                  resource.RLIMIT_CORE, unlimited)) as running:
            self.addCleanup(running.kill)
            for line in running.stderr:
                if b"event=store.up" in line:
                    break
            self.assertRegex(read(f"/proc/{running.pid}/limits").decode(), r"Max core file size +0 +0 ")
            self.assertEqual(os.stat(f"/proc/{running.pid}/mem").st_uid, 0, "the system's own, not its user's")
            running.terminate()
            self.assertEqual(running.wait(30), 0)


if __name__ == "__main__":
    unittest.main()
