"""The command `relais` itself: help, mistakes, languages, and the code that sets up a phone.
"""
import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import zlib

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from command import ENGLISH, FAILED, FRENCH, OK, ROOT, USAGE, program, relais, write  # noqa: E402


# ---- help and mistakes ----------------------------------------------------------------------


class Words(unittest.TestCase):
    def test_help_lists_the_commands(self):
        for arguments in (["help"], ["--help"], ["-h"]):
            done = relais(*arguments)
            self.assertEqual((done.code, done.err), (OK, ""))
            for name in ("forward", "check", "plan", "status", "quarantine", "device", "help", "version"):
                self.assertRegex(done.out, rf"(?m)^  {name} ")
            self.assertNotIn("revoke", done.out)

    def test_each_command_has_its_help_three_ways(self):
        for name in ("forward", "check", "plan", "status", "quarantine", "device"):
            first = relais("help", name)
            self.assertEqual(first.code, OK)
            self.assertIn(f"relais [--config FILE] {name}", first.out)
            self.assertEqual(relais(name, "--help", conf="/dev/null").out, first.out)
            self.assertEqual(relais(name, "-h", conf="/dev/null").out, first.out)

    def test_version(self):
        with open(os.path.join(ROOT, "CMakeLists.txt"), encoding="utf-8") as file:
            version = re.search(r"project\(relais VERSION ([0-9.]+)", file.read()).group(1)
        for word in ("version", "--version"):
            self.assertEqual(relais(word).out, f"relais {version}\n")

    def test_nothing_and_nonsense_say_what_was_possible(self):
        for arguments, expected in (([], "say what to do"), (["statsu"], "Did you mean status?"),
                                    (["help", "plam"], "Did you mean plan?"), (["xyzzy"], "Commands: forward, "),
                                    (["--confg", "x"], "Did you mean --config?"), (["--config"], "needs a value"),
                                    (["status", "--jsno"], "Did you mean --json?"),
                                    (["status", "--json=1"], "takes no value"), (["status", "now"], "takes no"),
                                    (["forward", "--batch", "0"], "from 1 to 5000"),
                                    (["quarantine"], "list, show, replay or drop"),
                                    (["quarantine", "lits"], "Did you mean list?"),
                                    (["quarantine", "drop", "x"], "--yes"),
                                    (["quarantine", "replay"], "--all"), (["device"], "sheet"),
                                    (["device", "add"], "There is: sheet"), (["device", "sheet"], "--url")):
            done = relais(*arguments, conf=None if arguments[:1] == ["--config"] else "/dev/null")
            self.assertEqual((done.code, done.out), (USAGE, ""), arguments)
            self.assertIn(expected, done.err, arguments)

    def test_a_unique_beginning_is_enough(self):
        self.assertEqual(relais("ver").out, relais("version").out)
        self.assertEqual(relais("help", "quar").out, relais("help", "quarantine").out)

    def test_a_faulty_configuration_stops_only_what_needs_one(self):
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            file.write("[spool]\n\ndirektory = /x\n")
            file.flush()
            done = relais("status", conf=file.name)
            self.assertEqual(done.code, FAILED)
            self.assertIn(f"{file.name}:3: ", done.err)
            self.assertIn('did you mean "directory"', done.err)
            self.assertEqual(relais("help", conf=file.name).code, OK)
            self.assertEqual(relais("device", "sheet", "--url", "https://x.bf", "--text", conf=file.name).code, OK)

    def test_the_configuration_of_the_environment(self):
        done = relais("status", env={**ENGLISH, "RELAIS_CONF": "/nonexistent/relais.conf"})
        self.assertEqual(done.code, FAILED)
        self.assertIn("/nonexistent/relais.conf", done.err)

    def test_a_full_disk_behind_standard_output_is_a_failure(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([program(), "help"], env={"PATH": os.environ["PATH"], **ENGLISH}, stdout=full,
                                  stderr=subprocess.PIPE, timeout=60, check=False)
        self.assertEqual(done.returncode, FAILED)
        self.assertIn(b"standard output", done.stderr)


class French(unittest.TestCase):
    """French is reachable on a Debian that has no French locale."""

    def assert_french(self, env):
        done = relais("help", env=env)
        self.assertIn("Commandes :", done.out, env)
        self.assertNotIn("Commands:", done.out, env)

    def test_by_language(self):
        self.assert_french(FRENCH)
        self.assert_french({"LANGUAGE": "fr"})

    def test_by_a_locale_that_is_not_installed(self):
        self.assert_french({"LANG": "fr_BF.UTF-8"})
        self.assert_french({"LC_ALL": "fr_FR.UTF-8"})
        self.assert_french({"LANG": "en_US.UTF-8", "LC_MESSAGES": "fr_FR.UTF-8"})

    def test_english_otherwise(self):
        for env in ({}, {"LANG": "C"}, {"LC_ALL": "C.UTF-8"}, {"LC_ALL": "en_GB.UTF-8"}, {"LC_ALL": "xx_YY"}):
            self.assertIn("Commands:", relais("help", env=env).out, env)

    def test_mistakes_and_errors(self):
        done = relais("statsu", env=FRENCH)
        self.assertEqual(done.code, USAGE)
        self.assertIn("Vouliez-vous dire status", done.err)
        done = relais("status", env=FRENCH, conf="/nonexistent")
        self.assertIn("la configuration ne peut pas être ouverte", done.err)

    def test_every_text_of_the_sources_is_translated(self):
        """When this fails: sh plugin/po/update.sh, then fill the empty msgstr of plugin/po/fr.po."""
        catalogue = os.path.join(ROOT, "plugin", "po", "fr.po")
        with tempfile.TemporaryDirectory() as directory:
            template = os.path.join(directory, "relais.pot")
            merged = os.path.join(directory, "merged.po")
            for command in (["sh", os.path.join(ROOT, "plugin", "po", "update.sh"), "--template", template],
                            ["msgmerge", "--quiet", "--no-fuzzy-matching", "-o", merged, catalogue, template]):
                subprocess.run(command, check=True, timeout=120)
            missing = subprocess.run(["msgattrib", "--untranslated", "--no-wrap", merged], check=True, timeout=120,
                                     capture_output=True, text=True).stdout
        self.assertEqual(re.findall(r'(?m)^msgid "(.+)"$', missing), [])

    def test_the_catalogue_is_sound(self):
        done = subprocess.run(["msgfmt", "--check", "--statistics", "-o", "/dev/null",
                               os.path.join(ROOT, "plugin", "po", "fr.po")],
                              capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotRegex(done.stderr, "fuzzy|untranslated")


# ---- device ----------------------------------------------------------------------------------------


class Device(unittest.TestCase):
    URL = ["device", "sheet", "--url", "https://relais.example.bf/openrosa"]

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="relais-device-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.secret = os.path.join(self.dir, "secret")
        write(self.secret, "geheim\nsecond line\n")

    def settings(self, *arguments):
        done = relais(*self.URL, *arguments, "--text")
        self.assertEqual(done.code, OK, done.err)
        return json.loads(zlib.decompress(base64.b64decode(done.out.strip(), validate=True)))

    def test_the_text_is_what_collect_reads(self):
        found = self.settings("--name", "Équipe", "--user", "agent", "--password-file", self.secret)
        self.assertEqual(found["general"]["server_url"], "https://relais.example.bf/openrosa")
        self.assertEqual((found["general"]["username"], found["general"]["password"]), ("agent", "geheim"))
        self.assertEqual(found["general"]["form_update_mode"], "match_exactly")
        self.assertEqual(found["admin"], {})
        self.assertEqual(found["project"]["name"], "Équipe")

    def test_the_code_is_square_and_fits_a_usual_terminal(self):
        lines = relais(*self.URL).out.splitlines()
        self.assertEqual({len(line) for line in lines}, {len(lines[0])})
        self.assertLessEqual(len(lines[0]), 80)
        self.assertEqual(len(lines), (len(lines[0]) + 1) // 2)
        self.assertLessEqual(set("".join(lines)), set("█▀▄ "))

    def test_a_picture_for_its_owner(self):
        picture = os.path.join(self.dir, "code.png")
        self.assertEqual(relais(*self.URL, "--png", picture).code, OK)
        with open(picture, "rb") as file:
            self.assertEqual(file.read(8), b"\x89PNG\r\n\x1a\n")
        self.assertEqual(os.stat(picture).st_mode & 0o777, 0o600)

    def test_the_readable_settings_mask_the_password(self):
        out = relais(*self.URL, "--user", "agent", "--password-file", self.secret, "--json").out
        self.assertNotIn("geheim", out)
        self.assertEqual(json.loads(out)["general"]["password"], "********")

    def test_mistakes(self):
        empty = os.path.join(self.dir, "empty")
        write(empty, "\n")
        for code, arguments, expected in (
                (USAGE, ["--user", "agent"], "go together"),
                (USAGE, ["--text", "--json"], "exclude each other"),
                (USAGE, ["--url", "relais.example.bf"], "https://"),
                (USAGE, ["--url", "https://a:b@relais.example.bf"], "--password-file"),
                (FAILED, ["--user", "agent", "--password-file", "/nonexistent"], "/nonexistent"),
                (FAILED, ["--user", "agent", "--password-file", empty], "first line")):
            done = relais(*self.URL, *arguments)
            self.assertEqual((done.code, done.out), (code, ""), arguments)
            self.assertIn(expected, done.err)

    def test_a_password_over_plain_http_is_a_warning(self):
        done = relais("device", "sheet", "--url", "http://relais.example.bf", "--user", "a", "--password-file",
                      self.secret, "--text")
        self.assertEqual(done.code, OK)
        self.assertIn("only over https", done.err)


if __name__ == "__main__":
    unittest.main()
