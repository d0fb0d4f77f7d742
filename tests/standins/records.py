"""KoBoToolbox (API v2) and Ona (API v1) as a reader meets them: JSON records with a growing _id.

An edit keeps _id and _submission_time and changes _uuid. KoBo has no time of an edit in its
records, Ona has _last_edited. Filters are the few MongoDB operators that the servers document.
"""
import base64
import dataclasses
import datetime
import json
import re
import urllib.parse

from standin import Reply, Standin, iso, json_reply, now, problem

USER, PASSWORD, TOKEN = "reader", "not a real password", "0123456789abcdef0123456789abcdef01234567"
DECLARATION = b'<?xml version="1.0" encoding="utf-8"?>'


@dataclasses.dataclass
class Record:
    number: int
    xml: bytes
    made: datetime.datetime
    files: dict                     # name -> bytes
    expected: int                   # files that are to come in all
    edited: datetime.datetime = None
    user: str = "agent-017"

    @property
    def uuid(self):
        return re.search(rb"instanceID>uuid:([^<]+)<", self.xml).group(1).decode()


class Records(Standin):
    """What both share; a form is a name with its records by number."""

    def __init__(self):
        super().__init__()
        self.forms = {}
        self.numbers = 1000

    def submit(self, form, xml, files=None, when=None, expected=None):
        files = files or {}
        with self.lock:
            self.numbers += 3
            self.forms.setdefault(form, {})[self.numbers] = Record(
                self.numbers, xml, when or now(), files,
                len(files) if expected is None else expected)
            return self.numbers

    def edit(self, form, number, xml, when=None):
        with self.lock:
            one = self.forms[form][number]
            one.xml, one.edited = xml, when or now()

    def attach(self, form, number, name, data):
        with self.lock:
            self.forms[form][number].files[name] = data

    def delete(self, form, number):
        with self.lock:
            del self.forms[form][number]

    # ---- authorization ----

    def refuses(self, request):
        word = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        return request.headers.get("authorization") not in (f"Token {TOKEN}", f"Basic {word}")

    # ---- lists ----

    def select(self, form, request):
        """The records that the query finds, in the order asked for; all of them."""
        query = json.loads(request.query.get("query", "{}"))
        sort = json.loads(request.query.get("sort", '{"_id": -1}'))
        with self.lock:
            found = [self.describe(form, one) for one in self.forms[form].values()]
        found = [one for one in found if matches(one, query)]
        for name, way in sort.items():
            found.sort(key=lambda one, key=name: one[key], reverse=way < 0)
        fields = json.loads(request.query.get("fields", "null"))
        if fields:
            found = [{name: one[name] for name in fields if name in one} for one in found]
        return found

    def describe(self, form, one):
        raise NotImplementedError


def matches(record, query):
    for name, wanted in query.items():
        value = record.get(name)
        for operator, operand in (wanted if isinstance(wanted, dict) else {"$eq": wanted}).items():
            if value is None:
                return False
            if name in ("_submission_time", "_last_edited"):
                value, operand = moment(value), moment(operand)
            if not {"$gt": value > operand, "$gte": value >= operand, "$lt": value < operand,
                    "$lte": value <= operand, "$eq": value == operand}[operator]:
                return False
            value = record.get(name)
    return True


def moment(text):
    when = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return when if when.tzinfo else when.replace(tzinfo=datetime.timezone.utc)


class Kobo(Records):
    """/api/v2/assets/{uid}/data/..."""
    page_max = 1000

    def answer(self, request):
        if self.refuses(request):
            return problem(401)
        found = re.fullmatch(r"/api/v2/assets/([^/]+)/data(/.*)", request.path)
        if not found or urllib.parse.unquote(found[1]) not in self.forms:
            return problem(404)
        form = urllib.parse.unquote(found[1])
        rest = found[2]
        if rest == "/":
            return self.list(form, request)
        one = re.fullmatch(r"/(\d+)(\.xml|/|/attachments/([^/]+)/)", rest)
        record = self.forms[form].get(int(one[1])) if one else None
        if record is None:
            return problem(404)
        if one[2] == ".xml":
            declared = record.xml if record.xml.startswith(b"<?xml") else DECLARATION + record.xml
            return Reply(200, declared, "application/xml")
        if one[2] == "/":
            return json_reply(self.describe(form, record))
        for name, data in record.files.items():
            if attachment_uid(record, name) == one[3]:
                return Reply(200, data, "image/jpeg")
        return problem(404)

    def list(self, form, request):
        found = self.select(form, request)
        start = int(request.query.get("start", 0))
        limit = min(int(request.query.get("limit", 100)), self.page_max)
        return json_reply({"count": len(found), "next": None, "previous": None,
                           "results": found[start:start + limit]})

    def describe(self, form, one):
        return {"_id": one.number, "_uuid": one.uuid, "_submitted_by": one.user,
                "_submission_time": one.made.strftime("%Y-%m-%dT%H:%M:%S"),
                "formhub/uuid": "x", "meta/instanceID": "uuid:" + one.uuid, "note": "an answer",
                "_attachments": [
                    {"download_url": f"https://kc.example/media/{name}", "mimetype": "image/jpeg",
                     "filename": f"reader/attachments/x/{name}", "media_file_basename": name,
                     "uid": attachment_uid(one, name), "is_deleted": False}
                    for name in one.files]}


def attachment_uid(record, name):
    return f"att{record.number}x{sum(name.encode())}"


class Ona(Records):
    """/api/v1/data/{pk}..., /api/v1/files/{id}"""

    def answer(self, request):
        if self.refuses(request):
            return problem(401)
        if request.path == "/api/v1/forms.json":
            return json_reply([{"formid": int(form), "id_string": f"form{form}"}
                               for form in self.forms])
        if request.path.startswith("/api/v1/files/"):
            form, number = request.path[len("/api/v1/files/"):].split("-")
            name = request.query["filename"].rpartition("/")[2]
            return Reply(200, self.forms[form][int(number)].files[name], "image/jpeg")
        found = re.fullmatch(r"/api/v1/data/(\d+)(?:/(\d+))?\.(json|xml)", request.path)
        if not found or found[1] not in self.forms:
            return problem(404)
        if found[2] is None:
            rows = self.select(found[1], request)
            start = int(request.query.get("start", 0))
            return json_reply(rows[start:start + int(request.query.get("limit", 1 << 30))])
        record = self.forms[found[1]].get(int(found[2]))
        if record is None:
            return problem(404)
        if found[3] == "xml":
            return Reply(200, record.xml, "text/xml")
        return json_reply(self.describe(found[1], record))

    def describe(self, form, one):
        return {"_id": one.number, "_uuid": one.uuid, "_submitted_by": one.user,
                "_submission_time": iso(one.made, 0).rstrip("Z"),
                "_last_edited": iso(one.edited, 6), "_edited": one.edited is not None,
                "_total_media": one.expected, "_media_count": len(one.files),
                "_media_all_received": len(one.files) >= one.expected, "note": "an answer",
                "_attachments": [
                    {"id": position + 1, "name": name, "filename": f"reader/attachments/{name}",
                     "mimetype": "image/jpeg",
                     "download_url": f"/api/v1/files/{form}-{one.number}?filename="
                                     f"{urllib.parse.quote('reader/attachments/' + name)}"}
                    for position, name in enumerate(one.files)]}
