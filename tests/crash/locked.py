"""The encrypted form of the crash tests: its mapping, its form, its table, the project's keys, and
submissions that were locked by the openssl command.
"""
import dataclasses
import os
import shutil

import envelope

FORM = "locked"
TABLE = """CREATE SCHEMA lab;
CREATE TABLE lab.person (person_id uuid PRIMARY KEY, sub_id uuid NOT NULL, record text NOT NULL,
    age integer NOT NULL, sent_by text);"""
MAPPING = f"""<mapping xmlns="urn:relais:mapping:1" form="{FORM}" sensitive="yes" encrypted="yes">
  <row table="lab.person">
    <column name="person_id" select="uuid5('lab.person', $record)"/>
    <column name="sub_id" select="$submission"/>
    <column name="record" select="$record"/>
    <column name="age" select="age"/>
    <column name="sent_by" select="$device"/>
  </row>
  <file select="photo"/>
  <file select="film"/>
</mapping>
"""
XFORM = f"""<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml">
<h:head><h:title>F</h:title><model><instance><data id="{FORM}" version="1"><age/><photo/><film/>
<meta><instanceID/></meta></data></instance><submission base64RsaPublicKey="the project's"/></model></h:head>
<h:body/></h:html>
"""


class ProjectKeys:
    """`early` has the project's key alone, `all` the one that is rotated to as well."""

    def __init__(self, directory):
        self.early, self.all = os.path.join(directory, "form-keys"), os.path.join(directory, "form-keys-all")
        os.makedirs(self.early)
        os.makedirs(self.all)
        self.public = {"project": envelope.make_key(self.early, "project"), "next": envelope.make_key(self.all, "next")}
        shutil.copy2(os.path.join(self.early, "project.pem"), self.all)


@dataclasses.dataclass(frozen=True)
class Locked:
    """What a phone has after locking: the envelope, and the parts that it names."""
    xml: bytes
    parts: tuple  # of (name, bytes), the submission's own last


def plain(instance, age, files=(), deprecated=None):
    """The submission that nobody may see."""
    named = "".join(f"<{tag}>{name}</{tag}>" for tag, name in zip(("photo", "film"), files))
    replaced = f"<deprecatedID>{deprecated}</deprecatedID>" if deprecated else ""
    return (f'<data id="{FORM}" version="1"><age>{age}</age>{named}'
            f'<meta xmlns="http://openrosa.org/xforms"><instanceID>{instance}</instanceID>{replaced}</meta></data>').encode()


def lock(public, instance, age, files=(), deprecated=None, namespace=envelope.COLLECT):
    xml = plain(instance, age, [name for name, _ in files], deprecated)
    outside, parts = envelope.lock(public, FORM, "1", instance, xml, files, namespace)
    return Locked(outside, tuple(parts.items()))
