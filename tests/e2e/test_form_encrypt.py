"""`relais form encrypt`: the national forms with a key in them are the same forms but for the key, and
what cannot be locked is refused.
"""
import glob
import os
import shutil
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

import envelope
from command import FAILED, FRENCH, OK, ROOT, USAGE, relais, write

FORMS = sorted(glob.glob(os.path.join(ROOT, "xforms", "*.xml")))
SUBMISSION = "{http://www.w3.org/2002/xforms}submission"


class Encrypt(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="relais-encrypt-")
        cls.addClassCleanup(shutil.rmtree, cls.dir)
        cls.public = envelope.make_key(cls.dir, "project")
        cls.key = os.path.join(cls.dir, "project.pub.pem")
        envelope.openssl("pkey", "-in", os.path.join(cls.dir, "project.pem"), "-pubout", "-out", cls.key)

    def refuse(self, *arguments, code=FAILED):
        done = relais("form", "encrypt", *arguments)
        self.assertEqual((done.code, done.out), (code, ""), done.err)
        return done.err

    @staticmethod
    def canonical(root):
        return ElementTree.canonicalize(ElementTree.tostring(root), strip_text=True)

    def canonical_without_key(self, text):
        root = ElementTree.fromstring(text)
        for model in root.iter("{http://www.w3.org/2002/xforms}model"):
            for found in model.findall(SUBMISSION):
                self.assertEqual(found.attrib.pop("base64RsaPublicKey"), self.public)
                before = list(model)[list(model).index(found) - 1]
                before.tail = (before.tail or "") + (found.tail or "")
                model.remove(found)
        return self.canonical(root)

    def test_the_national_forms_are_the_same_but_for_the_key(self):
        self.assertEqual(len(FORMS), 4)
        for form in FORMS:
            with self.subTest(form):
                done = relais("form", "encrypt", self.key, form)
                self.assertEqual(done.code, OK, done.err)
                self.assertEqual(done.out.count("base64RsaPublicKey"), 1)
                with open(form, encoding="utf-8") as file:
                    original = self.canonical(ElementTree.fromstring(file.read().encode()))
                self.assertEqual(self.canonical_without_key(done.out), original)
                self.assertIn("version", done.err)

    def test_a_private_key_gives_its_public_half_and_a_second_key_replaces_the_first(self):
        done = relais("form", "encrypt", os.path.join(self.dir, "project.pem"), FORMS[0])
        self.assertIn(self.public, done.out)
        self.assertNotIn("PRIVATE", done.out)
        other = envelope.make_key(self.dir, "other")
        path = os.path.join(self.dir, "form.xml")
        write(path, done.out)
        again = relais("form", "encrypt", os.path.join(self.dir, "other.pem"), path)
        self.assertEqual(again.out, done.out.replace(self.public, other))

    def test_what_cannot_be_locked(self):
        path = os.path.join(self.dir, "bad.xml")
        write(path, '<h:html xmlns:h="x"><h:head><model><instance><data id="a"/></instance></model></h:head></h:html>')
        self.assertIn("instanceID", self.refuse(self.key, path))
        write(path, "<a/>")
        self.assertIn("no model", self.refuse(self.key, path))
        write(path, "<a>")
        self.refuse(self.key, path)
        self.refuse(self.key, "/nowhere.xml")
        self.refuse(FORMS[0], FORMS[0])
        small = os.path.join(self.dir, "ec.pem")
        envelope.openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", small)
        self.assertIn("RSA", self.refuse(small, FORMS[0]))

    def test_how_it_is_called(self):
        self.refuse(self.key, code=USAGE)
        self.assertEqual(relais("form").code, USAGE)
        self.assertEqual(relais("form", "bake").code, USAGE)
        self.assertIn("clé", relais("form", "encrypt", "/nowhere.pem", FORMS[0], env=FRENCH).err +
                      relais("form", "encrypt", FORMS[0], FORMS[0], env=FRENCH).err)


if __name__ == "__main__":
    unittest.main()
