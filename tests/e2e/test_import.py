"""`relais import`: what a phone's storage, a zip of it and Briefcase's folder hold becomes parcels
that say what a phone would have sent; what cannot be taken is named, and the rest is imported.
"""
import json
import os
import stat
import struct
import unittest
import zipfile

import command
from command import FAILED, LATER, OK, Site
from webserver import SHARDS, read_parcel

def parse_multipart(content_type, body):
    """Part name → bytes, of a body as relais makes it."""
    mark = b"\r\n--" + content_type.partition("boundary=")[2].encode()
    pieces = (b"\r\n" + body).split(mark)
    assert pieces[0] == b"" and pieces[-1] == b"--\r\n", (pieces[0], pieces[-1])
    parts = {}
    for piece in pieces[1:-1]:
        head, _, data = piece.partition(b"\r\n\r\n")
        parts[head.decode().partition('name="')[2].partition('"')[0]] = data
    return parts


UUID = "uuid:00000000-0000-4000-8000-%012d"


def submission(number, form="f1", files=()):
    """With the declarations of Collect, which are those of the form."""
    names = "".join(f"<photo>{name}</photo>" for name in files)
    return (f'<?xml version=\'1.0\' ?><data xmlns:h="http://www.w3.org/1999/xhtml" xmlns:orx="http://openrosa.org/'
            f'xforms" id="{form}" version="1"><age>{number}</age>{names}<orx:meta><orx:instanceID>{UUID % number}'
            f"</orx:instanceID></orx:meta></data>").encode()


FORM = (b'<h:html xmlns:h="http://www.w3.org/1999/xhtml" xmlns="http://www.w3.org/2002/xforms"><h:head>'
        b'<model><instance><data id="f1"/></instance></model></h:head></h:html>')


class Imports(Site):
    def setUp(self):
        super().setUp()
        self.source = os.path.join(self.dir, "stick")
        self.sources = set()
        os.mkdir(self.source)

    def put(self, name, data):
        path = os.path.join(self.source, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def zip(self, entries, name="phone.zip"):
        path = os.path.join(self.dir, name)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for entry, data in entries:
                archive.writestr(entry, data)
        return path

    def run_import(self, path=None, *arguments, code=OK):
        done = self.relais("import", "--json", *arguments, path or self.source)
        self.assertEqual(done.code, code, done.out + done.err)
        return json.loads(done.out)

    def parcels(self):
        """instanceID → {file name: bytes}, each with the XML under its part's name."""
        found = {}
        for shard in SHARDS:
            directory = os.path.join(self.spool, shard, "new")
            for name in os.listdir(directory):
                parcel = read_parcel(os.path.join(directory, name))
                self.assertIn(parcel.head["source"], ("import", "import:briefcase"))
                self.sources.add(parcel.head["source"])
                self.assertNotIn(parcel.head["instance"], found)
                found[parcel.head["instance"]] = parse_multipart(parcel.head["content-type"],
                                                                 parcel.body)
        return found

    def refused(self, report):
        return {one["file"]: one["why"] for one in report["refused"]}


class Folders(Imports):
    def test_a_phones_folder(self):
        self.put("instances/Fiche_2026-03-02_10-15-04/Fiche_2026-03-02_10-15-04.xml",
                 submission(1, files=["a.jpg"]))
        self.put("instances/Fiche_2026-03-02_10-15-04/a.jpg", b"\xff\xd8 photo")
        self.put("instances/Fiche é_2/Fiche é_2.xml", submission(2))
        self.put("instances/Fiche é_2/.hidden", b"x")
        self.put("forms/fiche.xml", FORM)
        self.put("forms/fiche-media/places.csv", b"a,b\n")
        self.put("metadata/instances.db", b"SQLite format 3")
        report = self.run_import()
        self.assertEqual((report["submissions"], report["files"], report["others"]), (2, 1, 3))
        self.assertEqual(report["refused"], [])
        self.assertEqual(self.parcels(), {
            UUID % 1: {"xml_submission_file": submission(1, files=["a.jpg"]), "a.jpg": b"\xff\xd8 photo"},
            UUID % 2: {"xml_submission_file": submission(2)}})

    def test_the_instances_folder_itself_and_one_submissions_own(self):
        path = self.put("F_1/F_1.xml", submission(1))
        self.put("F_2/F_2.xml", submission(2))
        self.assertEqual(self.run_import()["submissions"], 2)
        self.assertEqual(self.run_import(os.path.dirname(path))["submissions"], 1)

    def test_briefcases_storage(self):
        folder = "ODK Briefcase Storage/forms/Fiche/instances/uuid00000000-1"
        self.put(f"{folder}/submission.xml", submission(1, files=["b.xml"]))
        self.put(f"{folder}/b.xml", b"<x/>")
        self.put("ODK Briefcase Storage/forms/Fiche/Fiche.xml", FORM)
        report = self.run_import()
        self.assertEqual((report["submissions"], report["files"], report["others"]), (1, 1, 1))
        self.assertEqual(self.parcels()[UUID % 1]["b.xml"], b"<x/>")
        self.assertEqual(self.sources, {"import:briefcase"})

    def test_submissions_beside_each_other_in_one_folder(self):
        self.put("flat/one.xml", submission(1))
        self.put("flat/two.xml", submission(2))
        self.put("flat/photo.jpg", b"whose?")
        report = self.run_import(code=FAILED)
        self.assertEqual(report["submissions"], 2)
        self.assertEqual(list(self.refused(report)), ["flat/photo.jpg"])

    def test_damaged_ones_are_named_and_the_rest_is_imported(self):
        self.put("instances/A_1/A_1.xml", b"")
        self.put("instances/A_2/A_2.xml", b"\0" * 4096)
        self.put("instances/A_3/A_3.xml", b"<data><age>1</age></data>")
        self.put("instances/A_4/A_4.xml", submission(4))
        self.put("instances/A_5/1764057600123.jpg", b"its XML is lost")
        self.put("instances/A_6/A_6.xml", b'<!DOCTYPE d [<!ENTITY e "x">]>' + submission(6))
        report = self.run_import(code=FAILED)
        self.assertEqual(list(self.parcels()), [UUID % 4])
        self.assertEqual(sorted(self.refused(report)),
                         ["instances/A_1/A_1.xml", "instances/A_2/A_2.xml", "instances/A_3/A_3.xml",
                          "instances/A_5/1764057600123.jpg", "instances/A_6/A_6.xml"])

    def test_a_symbolic_link_is_named_and_not_followed(self):
        secret = os.path.join(self.dir, "secret")
        command.write(secret, "SECRET")
        self.put("instances/A_1/A_1.xml", submission(1))
        os.symlink(secret, os.path.join(self.source, "instances/A_1/a.jpg"))
        os.symlink("/etc", os.path.join(self.source, "instances/etc"))
        report = self.run_import(code=FAILED)
        self.assertEqual(sorted(self.refused(report)), ["instances/A_1/a.jpg", "instances/etc"])
        self.assertEqual(list(self.parcels()[UUID % 1]), ["xml_submission_file"])

    def test_a_large_file_goes_through_the_disk(self):
        video = os.urandom(1 << 20) * 20
        self.put("instances/A_1/A_1.xml", submission(1, files=["v.mp4"]))
        self.put("instances/A_1/v.mp4", video)
        self.run_import()
        self.assertEqual(self.parcels()[UUID % 1]["v.mp4"], video)

    def test_a_file_that_no_database_takes(self):
        """Named with its size's limit; the answers are imported without it."""
        self.put("instances/A_1/A_1.xml", submission(1, files=["film.mp4"]))
        os.truncate(self.put("instances/A_1/film.mp4", b"x"), 1_000_000_001)
        report = self.run_import(code=FAILED)
        self.assertIn("larger than 1 GB", self.refused(report)["instances/A_1/film.mp4"])
        self.assertEqual(list(self.parcels()), [UUID % 1])

    def test_a_dry_run_writes_nothing(self):
        self.put("instances/A_1/A_1.xml", submission(1))
        self.assertEqual(self.run_import(self.source, "--dry-run")["submissions"], 1)
        self.assertEqual(self.parcels(), {})

    def test_a_full_spool_stops_and_says_so(self):
        self.put("instances/A_1/A_1.xml", submission(1))
        conf = command.read(self.conf).replace("[spool]", "[spool]\nfloor = 99999999M")
        command.write(self.conf, conf)
        self.run_import(code=LATER)
        self.assertEqual(self.parcels(), {})

    def test_nothing_to_import(self):
        self.expect(FAILED, "import", self.source)
        self.expect(FAILED, "import", os.path.join(self.dir, "not there"))
        self.expect(command.USAGE, "import")
        self.expect(FAILED, "import", "/dev/null")


class Zips(Imports):
    def test_a_zip_of_a_phones_folder(self):
        self.run_import(self.zip([("instances/", b""), ("instances/A_1/A_1.xml", submission(1)),
                                  ("instances/A_1/é.jpg", b"photo"),
                                  ("instances/A_2/A_2.xml", submission(2))]))
        self.assertEqual(self.parcels()[UUID % 1]["é.jpg"], b"photo")
        self.assertEqual(sorted(self.parcels()), [UUID % 1, UUID % 2])

    def test_names_that_lead_out_and_over_long_ones(self):
        bad = ["../../etc/A_9/A_9.xml", "/etc/passwd", "instances\\..\\..\\x.xml", "C:\\x.xml",
               "instances/A_1/" + "n" * 300 + ".jpg"]
        report = self.run_import(self.zip([("instances/A_1/A_1.xml", submission(1))] +
                                          [(name, submission(9)) for name in bad]), code=FAILED)
        self.assertEqual(sorted(self.refused(report)), sorted(bad))
        self.assertEqual(list(self.parcels()), [UUID % 1])

    def test_a_symbolic_link_in_a_zip(self):
        link = zipfile.ZipInfo("instances/A_1/a.jpg")
        link.create_system = 3
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        report = self.run_import(self.zip([("instances/A_1/A_1.xml", submission(1)),
                                           (link, "/etc/passwd")]), code=FAILED)
        self.assertIn("instances/A_1/a.jpg", self.refused(report))

    def test_a_bomb_beside_a_submission(self):
        report = self.run_import(self.zip([("instances/A_1/A_1.xml", submission(1)),
                                           ("instances/A_1/b.jpg", b"\0" * 50_000_000)]), code=FAILED)
        self.assertIn("bomb", self.refused(report)["instances/A_1/b.jpg"])
        self.assertEqual(list(self.parcels()), [UUID % 1])

    def test_entries_that_share_their_bytes(self):
        path = self.zip([(f"instances/A_{n}/A_{n}.xml", os.urandom(2000)) for n in range(40)])
        with open(path, "rb") as file:
            data = bytearray(file.read())
        # Every entry of the directory at the end points to the first one's bytes.
        at = data.find(b"PK\x01\x02")
        while at >= 0:
            data[at + 42:at + 46] = struct.pack("<I", 0)
            at = data.find(b"PK\x01\x02", at + 4)
        del data[2200:data.find(b"PK\x01\x02")]
        end = data.rfind(b"PK\x05\x06")
        data[end + 16:end + 20] = struct.pack("<I", data.find(b"PK\x01\x02"))
        with open(path, "wb") as file:
            file.write(data)
        done = self.expect(FAILED, "import", path)
        self.assertIn("bomb", done.err)
        self.assertEqual(self.parcels(), {})

    def test_a_damaged_entry_a_cut_archive_and_no_archive(self):
        photo = os.urandom(5000)
        path = self.zip([("instances/A_1/A_1.xml", submission(1, files=["a.jpg"])),
                         ("instances/A_1/a.jpg", photo), ("instances/A_2/A_2.xml", submission(2))])
        with open(path, "r+b") as file:
            data = bytearray(file.read())
            at = data.find(photo[:50])
            data[at + 100] ^= 0xff
            file.seek(0)
            file.write(data)
        report = self.run_import(path, code=FAILED)
        self.assertEqual(list(self.refused(report)), ["instances/A_1/a.jpg"])
        self.assertEqual(sorted(self.parcels()), [UUID % 1, UUID % 2])
        self.assertEqual(list(self.parcels()[UUID % 1]), ["xml_submission_file"])
        with open(path, "r+b") as file:
            file.truncate(len(data) - 100)
        self.assertIn("copy it again", self.expect(FAILED, "import", path).err)
        command.write(path, "no archive at all")
        self.assertIn("copy it again", self.expect(FAILED, "import", path).err)

    def test_an_encrypted_entry(self):
        path = self.zip([("instances/A_1/A_1.xml", submission(1)), ("instances/A_1/a.jpg", b"x" * 64)])
        with open(path, "r+b") as file:
            data = bytearray(file.read())
            for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
                data[data.rfind(mark) + offset] |= 1
            file.seek(0)
            file.write(data)
        report = self.run_import(path, code=FAILED)
        self.assertIn("encrypted", self.refused(report)["instances/A_1/a.jpg"])
        self.assertEqual(list(self.parcels()), [UUID % 1])

    def test_an_entry_that_lies_about_its_size(self):
        path = self.zip([("instances/A_1/A_1.xml", submission(1)), ("instances/A_1/a.jpg", b"x" * 6400)])
        with open(path, "r+b") as file:
            data = bytearray(file.read())
            at = data.rfind(b"PK\x01\x02")
            data[at + 24:at + 28] = struct.pack("<I", 64)
            file.seek(0)
            file.write(data)
        report = self.run_import(path, code=FAILED)
        self.assertEqual(list(self.refused(report)), ["instances/A_1/a.jpg"])

    def test_centrals_export_is_refused_with_advice(self):
        path = self.zip([("fiche.csv", b"SubmissionDate,age\n"), ("media/a.jpg", b"x")],
                        "submissions.csv.zip")
        self.assertIn("relais pull", self.expect(FAILED, "import", path).err)

    def test_a_zip_with_a_hundred_thousand_entries(self):
        path = os.path.join(self.dir, "many.zip")
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr("instances/A_1/A_1.xml", submission(1))
            for number in range(100_000):
                archive.writestr(f"forms/media/{number}.png", b"")
        report = self.run_import(path)
        self.assertEqual((report["submissions"], report["others"]), (1, 100_000))


class ForPeople(Imports):
    def test_what_is_said(self):
        self.put("instances/A_1/A_1.xml", submission(1))
        self.put("instances/A_2/A_2.xml", b"")
        done = self.relais("import", self.source, env=command.FRENCH)
        self.assertEqual(done.code, FAILED)
        self.assertIn("1 envois", done.out)
        self.assertIn("instances/A_2/A_2.xml", done.err)


if __name__ == "__main__":
    unittest.main()
