"""The forwarder under valgrind's memcheck: the samples of all forms, what is put aside, and files, from the
spool into the national tables. It sees what the sanitizers of the unit tests do not run through: libpq,
OpenSSL and libxml2 as Debian builds them, and bytes that are used before they are set.
"""
import subprocess
import unittest

import test_aside as aside
import test_national_rows as base
from builds import on_release
from test_national_rows import SAMPLES, database, values

ERRORS = 99


def setUpModule():
    aside.setUpModule()


@on_release
class Memcheck(unittest.TestCase):
    def test_all_samples_and_what_is_put_aside(self):
        sent = [path.read_text(encoding="utf-8") for path in sorted(SAMPLES.glob("*.xml"))]
        for n, xml in enumerate(sent):
            aside.put(xml, attachment=1 << 20 if n == 0 else None)
        aside.put(sent[0].replace(' id="', ' id="draft-'))
        aside.put(sent[0], user="\\'; DROP")
        aside.put(sent[0].replace("</", "<", 1))
        done = subprocess.run(
            ["valgrind", "--quiet", f"--error-exitcode={ERRORS}", "--leak-check=full", "--show-leak-kinds=definite",
             "--errors-for-leak-kinds=definite", "--child-silent-after-fork=yes", base.program(), "--config",
             str(base.conf), "forward", "--once"], cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=600, check=False)
        self.assertNotEqual(done.returncode, ERRORS, done.stderr)
        self.assertNotIn("== ", done.stderr)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(aside.files("*/new/*", "*/tmp/*"), [])
        self.assertEqual(len(aside.files("quarantine/*.parcel")), 2)
        self.assertEqual(values("SELECT count(*) FROM relais.submission WHERE state = 'delivered'"),
                         [len(sent)])


if __name__ == "__main__":
    unittest.main()
