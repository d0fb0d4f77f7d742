"""The Briefcase API: ODK Aggregate's, or (`style="kobo"`) what KoBo and Ona speak of it.

Aggregate orders by last update, so that a submission whose file came late is listed again; its
cursor is an XML document, escaped, and the end is an empty list. It writes the XML anew: another
declaration, times in its own zone, attributes of its own on the root. KoBo's cursor is a primary
key, echoed at the end, and what was edited is never listed again.
"""
import base64
import dataclasses
import datetime
import hashlib
import re
import urllib.parse
from xml.sax.saxutils import escape

from standin import Reply, Standin, iso, now, problem

USER, PASSWORD = "reader", "not a real password"
REALM, NONCE = "Aggregate", "abcdef0123456789"
NAMESPACE = "http://opendatakit.org/submissions"


@dataclasses.dataclass
class Entry:
    instance: str
    xml: bytes
    made: datetime.datetime
    updated: datetime.datetime
    files: dict                 # name -> bytes, None when it has not come
    number: int


class Briefcase(Standin):
    def __init__(self, style="aggregate"):
        super().__init__()
        self.style = style
        self.forms = {}
        self.number = 0

    def submit(self, form, xml, files=None, when=None):
        instance = re.search(rb"instanceID>([^<]+)<", xml).group(1).decode()
        with self.lock:
            self.number += 1
            when = when or now()
            self.forms.setdefault(form, {})[instance] = Entry(instance, xml, when, when,
                                                              files or {}, self.number)
        return instance

    def attach(self, form, instance, name, data):
        with self.lock:
            one = self.forms[form][instance]
            one.files[name], one.updated = data, now()

    # ---- answers ----

    def answer(self, request):
        if not self.is_known(request):
            return Reply(401, b"", "text/html", {
                "WWW-Authenticate": f'Digest realm="{REALM}", nonce="{NONCE}", qop="auth"'})
        if request.headers.get("x-openrosa-version") != "1.0":
            return problem(400)
        form = request.query.get("formId", "")
        if request.path == "/formList":
            return xml_reply('<xforms xmlns="http://openrosa.org/xforms/xformsList">' + "".join(
                f"<xform><formID>{escape(one)}</formID><name>{escape(one)}</name>"
                f"<downloadUrl>{self.base()}/formXml?formId={urllib.parse.quote(one)}"
                f"</downloadUrl></xform>" for one in self.forms) + "</xforms>")
        if request.path == "/formXml":
            return xml_reply('<h:html xmlns="http://www.w3.org/2002/xforms" '
                             'xmlns:h="http://www.w3.org/1999/xhtml"><h:head><h:title>V</h:title>'
                             f'<model><instance><data id="{escape(form)}"/></instance></model>'
                             '</h:head><h:body/></h:html>')
        if request.path == "/view/submissionList" and form in self.forms:
            return self.list(form, request)
        if request.path == "/view/downloadSubmission":
            return self.download(form)
        if request.path == "/view/binaryData":
            return self.binary(request.query["blobKey"])
        return problem(404)

    def base(self):
        """Aggregate behind a proxy links with the scheme and port that it sees itself."""
        return "http://127.0.0.1:8080" if self.style == "aggregate" else self.url

    def is_known(self, request):
        value = request.headers.get("authorization", "")
        if value.startswith("Basic "):
            return base64.b64decode(value[6:]).decode() == f"{USER}:{PASSWORD}"
        given = dict(re.findall(r'(\w+)="?([^",]+)"?', value.partition(" ")[2]))
        if given.get("nonce") != NONCE or given.get("uri") != request.target:
            return False
        first = md5(f"{USER}:{REALM}:{PASSWORD}")
        second = md5(f"{request.method}:{request.target}")
        return given["response"] == md5(
            f"{first}:{NONCE}:{given['nc']}:{given['cnonce']}:auth:{second}")

    # ---- the list ----

    def list(self, form, request):
        count = int(request.query.get("numEntries", 100))
        cursor = request.query.get("cursor", "")
        after = self.read_cursor(cursor)
        key = self.key
        with self.lock:
            rest = sorted((one for one in self.forms[form].values() if key(one) > after), key=key)
        page = rest[:count]
        last = self.write_cursor(page[-1]) if page else cursor or self.empty_cursor()
        ids = "".join(f"<id>{one.instance}</id>" for one in page)
        return xml_reply(f'<idChunk xmlns="{NAMESPACE}"><idList>{ids}</idList>'
                         f"<resumptionCursor>{escape(last)}</resumptionCursor></idChunk>")

    def key(self, one):
        return (iso(one.updated, 6), one.instance) if self.style == "aggregate" else one.number

    def read_cursor(self, cursor):
        if self.style != "aggregate":
            return int(cursor or 0)
        found = re.search(r"<attributeValue>(.*)</attributeValue>"
                          r"<uriLastReturnedValue>(.*)</uriLastReturnedValue>", cursor)
        return (found[1], found[2]) if found else ("", "")

    def write_cursor(self, one):
        if self.style != "aggregate":
            return str(one.number)
        return ('<cursor xmlns="http://www.opendatakit.org/cursor"><attributeName>'
                f"_LAST_UPDATE_DATE</attributeName><attributeValue>{iso(one.updated, 6)}"
                f"</attributeValue><uriLastReturnedValue>{one.instance}</uriLastReturnedValue>"
                "<isForwardCursor>true</isForwardCursor></cursor>")

    def empty_cursor(self):
        return "" if self.style == "aggregate" else "0"

    # ---- a submission ----

    def download(self, key):
        form, instance = key.partition("[")[0], key.rpartition("@key=")[2].rstrip("]")
        if "/data[" not in key:
            return Reply(500, b"<html>unexpected root</html>", "text/html")
        one = self.forms.get(form, {}).get(instance)
        if one is None:
            return problem(404)
        media = "".join(
            f"<mediaFile><filename>{escape(name)}</filename><hash>md5:{md5(data)}</hash>"
            f"<downloadUrl>{self.base()}/view/binaryData?blobKey="
            f"{urllib.parse.quote(f'{form}|{instance}|{name}')}</downloadUrl></mediaFile>"
            for name, data in one.files.items() if data is not None)
        return xml_reply(f'<submission xmlns="{NAMESPACE}" xmlns:orx="http://openrosa.org/xforms">'
                         f"<data>{self.rewrite(one)}</data>{media}</submission>")

    def rewrite(self, one):
        """The server's own XML of the answers, with attributes that change over time."""
        text = one.xml.decode().partition("?>")[2].strip()
        text = text.replace(' xmlns:orx="http://openrosa.org/xforms"', "")
        complete = all(data is not None for data in one.files.values())
        return text.replace('<data id="visit"', f'<data id="visit" instanceID="{one.instance}" '
                            f'submissionDate="{iso(one.made)}" isComplete="{str(complete).lower()}" '
                            f'markedAsCompleteDate="{iso(one.updated)}"')

    def binary(self, key):
        form, instance, name = key.split("|")
        data = self.forms[form][instance].files[name]
        return Reply(200, data, "image/jpeg")


def md5(data):
    return hashlib.md5(data if isinstance(data, bytes) else data.encode()).hexdigest()


def xml_reply(text):
    return Reply(200, b'<?xml version="1.0" encoding="UTF-8"?>' + text.encode(),
                 "text/xml; charset=utf-8", {"X-OpenRosa-Version": "1.0"})
