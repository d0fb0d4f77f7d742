"""relais quarantine and relais check: what lies in the spool, in forms and in mappings.
"""
import json
import os
import shutil
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from command import FAILED, FRENCH, LATER, OK, ROOT, Site, USAGE, database, parcel_name, read, start_database, write  # noqa: E402
from keys import Keys  # noqa: E402


def setUpModule():
    start_database()


def tearDownModule():
    database.remove()


# ---- quarantine --------------------------------------------------------------------------------------


MULTIPART = (b'--B\r\nContent-Disposition: form-data; name="xml_submission_file"; filename="x.xml"\r\n'
             b"Content-Type: text/xml\r\n\r\n<data><name>geheim</name></data>\r\n"
             b'--B\r\nContent-Disposition: form-data; name="photo.jpg"; filename="photo.jpg"\r\n'
             b"Content-Type: image/jpeg\r\n\r\n\xff\xd8\x00\x01\r\n--B--\r\n")
TYPE = "multipart/form-data; boundary=B"


class Quarantine(Site):
    def setUp(self):
        super().setUp()
        self.names = [self.quarantined(parcel_name(1), "data", MULTIPART, content_type=TYPE),
                      self.quarantined(parcel_name(2), "data", form="f2"),
                      self.quarantined(parcel_name(3), "unknown-form", form="f2")]

    def left(self):
        return [item["name"] for item in json.loads(self.expect(OK, "quarantine", "list", "--json").out)]

    def test_list(self):
        out = self.expect(OK, "quarantine", "list").out
        self.assertEqual([line.split()[0] for line in out.splitlines()], ["NAME", *self.names])
        self.assertIn("tip.identification.age", out)
        self.assertEqual(self.left(), self.names)
        self.assertNotIn(self.names[0], self.expect(OK, "quarantine", "list", "--form", "f2").out)
        self.assertIn("NOM", self.expect(OK, "quarantine", "list", env=FRENCH).out)

    def test_show_tells_everything_but_answers(self):
        out = self.expect(OK, "quarantine", "show", "20260302T101501").out
        for expected in ("Class: data", "Answer: /data/age", "Column: tip.identification.age", "Form: f1",
                         "Instance: uuid:1", "an answer does not fit"):
            self.assertIn(expected, out)
        self.assertRegex(out, r"(?m)^ +32  xml_submission_file  text/xml$")
        self.assertRegex(out, r"(?m)^ +4  photo.jpg  image/jpeg$")
        self.assertNotIn("geheim", out)

    def test_show_in_french(self):
        reason = os.path.join(self.spool, "quarantine", self.names[2] + ".reason")
        text = read(reason).replace("an answer does not fit", "no mapping knows this form; add one to the directory of"
                                    " mappings and replay")
        write(reason, text)
        out = self.expect(OK, "quarantine", "show", self.names[2], env=FRENCH).out
        self.assertIn("Raison: aucune correspondance ne connaît ce formulaire", out.replace(" :", ":"))

    def test_show_raw_is_the_body_byte_for_byte(self):
        self.assertEqual(self.expect(OK, "quarantine", "show", self.names[0], "--raw").bytes, MULTIPART)

    def test_show_of_a_cut_body_says_where_it_ends(self):
        name = self.quarantined(parcel_name(4), "syntax", MULTIPART[:150], content_type=TYPE)
        self.assertIn("then: ", self.expect(OK, "quarantine", "show", name).out)

    def test_show_of_a_damaged_parcel_still_has_its_reason(self):
        name = self.quarantined(parcel_name(4), "damaged")
        with open(os.path.join(self.spool, "quarantine", name), "ab") as file:
            file.write(b"x")
        self.assertIn("Class: damaged", self.expect(FAILED, "quarantine", "show", name).out)

    def test_controls_in_names_do_not_reach_the_terminal(self):
        body = MULTIPART.replace(b'name="photo.jpg"', b'name="a\x1b[31mb"')
        name = self.quarantined(parcel_name(4), "data", body, content_type=TYPE)
        self.assertNotIn("\x1b", self.expect(OK, "quarantine", "show", name).out)

    def test_replay_by_name_class_form_and_all(self):
        self.assertIn("1 parcel ", self.expect(OK, "quarantine", "replay", self.names[0][:20]).out)
        self.assertEqual((self.left(), self.new_parcels()), (self.names[1:], self.names[:1]))
        self.expect(OK, "quarantine", "replay", "--form", "f2", "--class", "data")
        self.assertEqual(self.left(), self.names[2:])
        self.assertIn("1 parcel ", self.expect(OK, "quarantine", "replay", "--all").out)
        self.assertEqual((self.left(), self.new_parcels()), ([], self.names))
        self.assertIn("empty", self.expect(OK, "quarantine", "list").out)

    def test_replay_of_several(self):
        self.assertIn("2 parcels ", self.expect(OK, "quarantine", "replay", *self.names[:2]).out)

    def test_an_ambiguous_or_unknown_name_moves_nothing(self):
        self.assertIn("3 parcels begin", self.expect(FAILED, "quarantine", "replay", "2026").err)
        self.assertIn("no parcel", self.expect(FAILED, "quarantine", "replay", self.names[0], "nothing").err)
        self.assertEqual((self.left(), self.new_parcels()), (self.names, []))

    def test_drop_needs_a_yes(self):
        self.expect(USAGE, "quarantine", "drop", self.names[0])
        self.expect(USAGE, "quarantine", "drop", "--all", "--yes")
        self.assertEqual(self.left(), self.names)
        self.expect(OK, "quarantine", "drop", self.names[0], "--yes")
        self.assertEqual((self.left(), self.new_parcels()), (self.names[1:], []))

    def test_without_a_spool(self):
        shutil.rmtree(self.spool)
        self.assertIn(self.spool, self.expect(LATER, "quarantine", "list").err)


# ---- check -----------------------------------------------------------------------------------------


FORM = """<?xml version="1.0"?>
<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml"
    xmlns:jr="http://openrosa.org/javarosa" xmlns:orx="http://openrosa.org/xforms">
 <h:head><h:title>T</h:title><model>
  <instance><data id="f1" version="1">
   <age/>
   <acts/>
   <orx:meta><orx:instanceID/></orx:meta>
  </data></instance>
  <instance id="acts" src="jr://file-csv/acts.csv"/>
  <bind nodeset="/data/age" type="int"/>
  <bind nodeset="/data/acts" type="string"/>
  <bind nodeset="/data/orx:meta/orx:instanceID" type="string" jr:preload="uid"/>
 </model></h:head>
 <h:body>
  <input ref="/data/age"><label>Age</label></input>
  <select ref="/data/acts"><label>Acts</label>
   <itemset nodeset="instance('acts')/root/item"><value ref="name"/><label ref="label"/></itemset>
  </select>
 </h:body>
</h:html>
"""

MAPPING = """<mapping xmlns="urn:relais:mapping:1" form="f1">
 <row table="tip.thing">
  <column name="sub_id" select="$submission"/>
  <column name="age" select="age"/>
 </row>
 <row table="tip.act" tokens="acts" replace="sub_id">
  <column name="sub_id" select="$submission"/>
  <column name="code" select="$token"/>
 </row>
</mapping>
"""

THINGS = """CREATE SCHEMA tip;
CREATE TABLE tip.thing (sub_id uuid PRIMARY KEY, age smallint);
CREATE TABLE tip.act (sub_id uuid REFERENCES tip.thing, code text, PRIMARY KEY (sub_id, code));
"""


class Check(Site):
    def setUp(self):
        super().setUp()
        self.form = os.path.join(self.forms, "f1.xml")
        self.mapping = os.path.join(self.mappings, "f1.xml")
        self.media = os.path.join(self.forms, "f1-media", "acts.csv")
        write(self.form, FORM)
        write(self.mapping, MAPPING)
        write(self.media, "name,label\nac_a,A\nac_b,B\n")

    def findings(self, code, *arguments, **options):
        return self.expect(code, "check", *arguments, **options).out

    def change(self, path, old, new):
        text = read(path)
        self.assertIn(old, text)
        write(path, text.replace(old, new))

    def test_what_is_right_is_silent(self):
        done = self.expect(OK, "check", "--no-database")
        self.assertEqual(done.out, "")
        self.assertIn("0 errors, 0 warnings in 2 files", done.err)

    def test_with_the_database(self):
        database.create(self.database)
        self.sql(THINGS)
        self.assertEqual(self.findings(OK), "")
        self.sql("ALTER TABLE tip.thing RENAME COLUMN age TO years;")
        self.assertRegex(self.findings(FAILED), rf"(?m)^{self.mapping}:4: error: .*age")

    def test_a_database_that_is_away_is_told_apart(self):
        conf = self.write_conf("away.conf", "host=/nonexistent dbname=x")
        done = self.expect(LATER, "check", conf=conf)
        self.assertEqual(done.out, "")
        self.assertIn("--no-database", done.err)
        self.change(self.mapping, 'select="age"', 'select="old"')
        self.expect(FAILED, "check", conf=conf)

    def test_a_path_that_the_form_has_not(self):
        self.change(self.mapping, 'select="age"', 'select="agee"')
        self.assertRegex(self.findings(FAILED, "--no-database"), rf"(?m)^{self.mapping}:4: error: .*agee")

    def test_a_form_without_mapping_and_a_mapping_without_form(self):
        os.remove(self.mapping)
        self.assertRegex(self.findings(OK, "--no-database"), rf"\A{self.form}: warning: ")
        write(self.mapping, MAPPING)
        os.remove(self.form)
        self.assertRegex(self.findings(FAILED, "--no-database"), rf'\A{self.mapping}: error: .*"f1"')

    def test_files_that_cannot_be_read(self):
        write(self.form, FORM.replace("</h:body>", ""))
        self.assertRegex(self.findings(FAILED, "--no-database"), rf"(?m)^{self.form}:\d+: error: ")
        write(self.form, FORM)
        self.change(self.mapping, "<column name", "<colum name")
        self.assertRegex(self.findings(FAILED, "--no-database"), rf"(?m)^{self.mapping}:\d+: error: ")

    def test_instance_id(self):
        bind = '<bind nodeset="/data/orx:meta/orx:instanceID" type="string" jr:preload="uid"/>'
        for old, new, expected in (
                ("<orx:instanceID/>", "<orx:timeStart/>", r":5: error: .*no meta/instanceID"),
                (bind, "", r":8: error: nothing fills instanceID"),
                ('jr:preload="uid"', "calculate=\"concat('uuid:', uuid())\"", r":13: error: .*every save"),
                ('jr:preload="uid"', "calculate=\"once(concat('uuid:', uuid()))\"", None)):
            with self.subTest(new):
                write(self.form, FORM.replace(old, new))
                out = self.findings(FAILED if expected else OK, "--no-database", self.form)
                if expected:
                    self.assertRegex(out, rf"(?m)^{self.form}{expected}")

    def test_two_questions_of_one_name(self):
        self.change(self.form, "<acts/>", "<acts/>\n<age/>")
        self.assertRegex(self.findings(FAILED, "--no-database", self.form),
                         rf'(?m)^{self.form}:8: error: "age" .*line 6')

    def test_a_template_is_no_second_question(self):
        write(self.form, FORM.replace("<age/>", '<age/><child jr:template=""><n/></child><child><n/></child>')
              .replace("</h:body>", '<group ref="/data/child"><repeat nodeset="/data/child">'
                                    '<input ref="/data/child/n"/></repeat></group></h:body>'))
        write(self.mapping, MAPPING.replace("</mapping>", '<ignore select="child" reason="test"/></mapping>'))
        self.assertNotIn("stands in this group already", self.expect(OK, "check", "--no-database", self.form).out)

    def test_choices_with_white_space(self):
        write(self.media, "name,label\nac_a,A\nac b,B\n")
        self.assertRegex(self.findings(FAILED, "--no-database", self.form), r'error: the choice "ac b" on line 3 of ')
        write(self.media, "name,label\nac_a,A\n")
        self.change(self.form, "<itemset", "<item><label>X</label><value>a b</value></item><itemset")
        self.assertRegex(self.findings(FAILED, "--no-database", self.form), r'error: the choice "a b" ')

    def test_choices_that_are_not_there(self):
        os.remove(self.media)
        self.assertRegex(self.findings(FAILED, "--no-database", self.form), r"error: .*f1-media/acts\.csv")

    def test_a_submission_address_of_its_own(self):
        self.change(self.form, "</model>", '<submission action="https://other.example/submission"/></model>')
        self.assertRegex(self.findings(OK, "--no-database", self.form), r":\d+: warning: .*submission address")

    def test_a_draft_takes_the_place_of_what_is_there(self):
        draft = os.path.join(self.dir, "draft.xml")
        write(draft, FORM.replace("age", "years"))
        os.makedirs(os.path.join(self.dir, "draft-media"))
        shutil.copy(self.media, os.path.join(self.dir, "draft-media", "acts.csv"))
        out = self.findings(FAILED, "--no-database", draft)
        self.assertRegex(out, rf"(?m)^{self.mapping}:4: error: ")
        self.assertEqual(self.findings(OK, "--no-database"), "")

    def test_a_file_that_is_neither(self):
        other = os.path.join(self.dir, "other.xml")
        write(other, "<x/>")
        self.assertIn("neither a form", self.expect(FAILED, "check", "--no-database", other).err)

    def test_two_forms_of_one_id(self):
        shutil.copy(self.form, os.path.join(self.forms, "f2.xml"))
        shutil.copytree(os.path.join(self.forms, "f1-media"), os.path.join(self.forms, "f2-media"))
        self.assertRegex(self.findings(FAILED, "--no-database"), r'f2\.xml: error: the form "f1" is in .*f1\.xml too')

    def test_in_french(self):
        os.remove(self.mapping)
        out = self.findings(OK, "--no-database", env=FRENCH)
        self.assertRegex(out, rf"\A{self.form}: warning: aucune correspondance")

    def test_the_national_forms(self):
        self.forms, self.mappings = os.path.join(ROOT, "xforms"), os.path.join(ROOT, "transforms")
        self.conf = self.write_conf("national.conf", database.conninfo(self.database))
        with open(self.conf, "a", encoding="utf-8") as file:
            file.write(Keys(self.dir).make().settings)
        database.create(self.database)
        database.psql("postgres", read(os.path.join(self.mappings, "roles.sql")))
        self.apply()
        self.assertNotIn("error: ", self.findings(OK))


if __name__ == "__main__":
    unittest.main()
