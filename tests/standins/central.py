"""ODK Central as a reader meets it: sessions, forms, OData feed, XML, versions, attachments.

    with Central() as central:
        central.submit("visit", xml, {"a.jpg": b"...", "late.jpg": None})
        central.edit("visit", root, xml2)

Its quirks are kept: rows newest first, updatedAt null until an edit or a review and not moved
by a late attachment, ids of first versions with a 301 for later ones, a nextLink with the
server's own idea of its address, $skiptoken that stands while rows come in, rows that are
deleted told only to a filter that names deletedAt.
"""
import base64
import dataclasses
import datetime
import json
import re
import urllib.parse

from standin import Reply, Standin, iso, json_reply, now, problem

USER, PASSWORD = "reader@example.bf", "not a real password"


@dataclasses.dataclass
class Version:
    instance: str
    xml: bytes
    made: datetime.datetime
    files: dict                 # name -> bytes, None when it has not come
    device: str = "collect:abc"
    user: str = "agent-017"


@dataclasses.dataclass
class Submission:
    root: str
    versions: list
    updated: datetime.datetime = None
    deleted: datetime.datetime = None
    review: str = None

    @property
    def made(self):
        return self.versions[0].made

    @property
    def current(self):
        return self.versions[-1]

    def system(self):
        files = self.current.files
        return {"submissionDate": iso(self.made), "updatedAt": iso(self.updated),
                "submitterId": "7", "submitterName": self.versions[0].user,
                "attachmentsPresent": sum(data is not None for data in files.values()),
                "attachmentsExpected": len(files), "status": None, "reviewState": self.review,
                "deviceId": self.versions[0].device, "edits": len(self.versions) - 1,
                "formVersion": "1", "deletedAt": iso(self.deleted)}


def instance_of(xml):
    return re.search(rb"instanceID>([^<]+)<", xml).group(1).decode()


def literal(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


class Central(Standin):
    def __init__(self, project="3"):
        super().__init__()
        self.project = project
        self.forms = {}
        self.tokens = set()
        self.sessions = 0
        self.page_limit = None      # rows a page, whatever is asked for

    # ---- what tests do to it ----

    def submit(self, form, xml, files=None, when=None):
        when = when or now()
        one = Submission(instance_of(xml), [Version(instance_of(xml), xml, when, files or {})])
        with self.lock:
            self.forms.setdefault(form, {})[one.root] = one
        return one.root

    def edit(self, form, root, xml, files=None, when=None):
        """A new version; files of the version before are carried forward by name."""
        when = when or now()
        with self.lock:
            one = self.forms[form][root]
            before = one.current.files
            files = {name: before.get(name) if data is None else data
                     for name, data in (before if files is None else files).items()}
            one.versions.append(Version(instance_of(xml), xml, when, files))
            one.updated, one.review = when, "edited"

    def attach(self, form, root, name, data):
        with self.lock:
            self.forms[form][root].current.files[name] = data

    def review(self, form, root, state):
        with self.lock:
            one = self.forms[form][root]
            one.review, one.updated = state, now()

    def delete(self, form, root):
        with self.lock:
            self.forms[form][root].deleted = now()

    def expire(self):
        with self.lock:
            self.tokens.clear()

    # ---- what it answers ----

    def answer(self, request):
        if request.path == "/v1/sessions" and request.method == "POST":
            return self.open_session(request)
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or token not in self.tokens:
            return problem(401, "The credentials you presented are not valid")
        top = f"/v1/projects/{self.project}/forms"
        if request.path == top:
            return json_reply([{"xmlFormId": form, "name": form} for form in self.forms])
        found = re.fullmatch(re.escape(top) + r"/([^/]+?)(\.svc/Submissions|/submissions/.+)",
                             request.path)
        form = urllib.parse.unquote(found[1]) if found else None
        if form not in self.forms:
            return problem(404, "Could not find the resource you were looking for.")
        if found[2] == ".svc/Submissions":
            return self.feed(form, request)
        return self.submission(request, self.forms[form], found[2][len("/submissions/"):])

    def open_session(self, request):
        given = json.loads(request.body)
        if (given.get("email"), given.get("password")) != (USER, PASSWORD):
            return problem(401, "Could not authenticate with the provided credentials.")
        with self.lock:
            self.sessions += 1
            token = f"session{self.sessions:057d}"
            self.tokens.add(token)
        return json_reply({"token": token, "csrf": "x" * 64, "expiresAt": iso(now())})

    # ---- the feed ----

    def rows(self, form, text):
        with self.lock:
            everything = sorted(self.forms[form].values(), key=lambda one: (one.made, one.root),
                                reverse=True)
        if "deletedAt" not in text:
            everything = [one for one in everything if one.deleted is None]
        return [one for one in everything if holds(one, text)]

    def feed(self, form, request):
        if "$orderby" in request.query and "$skiptoken" in request.query:
            return problem(501, "$orderby with $skiptoken")
        rows = self.rows(form, request.query.get("$filter", ""))
        total = len(rows)
        token = request.query.get("$skiptoken")
        if token:
            last = json.loads(base64.urlsafe_b64decode(token))["instanceId"]
            known = self.forms[form].get(last)
            if known is None:
                return problem(400, "skiptoken")
            rows = [one for one in rows if (one.made, one.root) < (known.made, known.root)]
        top = min(int(request.query.get("$top", 1 << 30)), self.page_limit or 1 << 30)
        page = rows[:top]
        value = {"value": [{"__id": one.root, "__system": one.system()} for one in page],
                 "@odata.context": "https://central.example.bf/v1/$metadata#Submissions"}
        if request.query.get("$count") == "true":
            value["@odata.count"] = total
        if len(rows) > len(page):
            mark = base64.urlsafe_b64encode(json.dumps({"instanceId": page[-1].root}).encode())
            value["@odata.nextLink"] = (
                f"https://central.example.bf/v1/projects/{self.project}/forms/{form}.svc/"
                f"Submissions?%24top={top}&%24skiptoken={urllib.parse.quote(mark.decode())}")
        return json_reply(value)

    # ---- a submission ----

    def submission(self, request, form, rest):
        xml_of = re.fullmatch(r"([^/]+)\.xml", rest)
        listed = re.fullmatch(r"([^/]+)/versions", rest)
        version = re.fullmatch(r"([^/]+)/versions/([^/]+?)(\.xml|/attachments(?:/.+)?)", rest)
        files = re.fullmatch(r"([^/]+)/attachments(?:/(.+))?", rest)
        found = xml_of or listed or version or files
        if not found:
            return problem(404)
        named = [urllib.parse.unquote(group or "") for group in found.groups()]
        one = form.get(named[0])
        if one is None:
            return self.redirect(request, form, named[0])
        if one.deleted is not None:
            return problem(404)
        if listed:
            return json_reply([{"instanceId": v.instance, "createdAt": iso(v.made),
                                "deviceId": v.device, "submitterId": 7,
                                "current": v is one.current} for v in reversed(one.versions)])
        if version:
            own = next((v for v in one.versions if v.instance == named[1]), None)
            if own is None:
                return problem(404)
            if named[2] == ".xml":
                return Reply(200, own.xml, "application/xml")
            return attachments(own, named[2][len("/attachments/"):])
        if xml_of:
            return Reply(200, one.current.xml, "application/xml")
        return attachments(one.current, named[1])

    def redirect(self, request, form, instance):
        """A later version's id leads to the first one's."""
        for one in form.values():
            if any(version.instance == instance for version in one.versions):
                where = request.target.replace(urllib.parse.quote(instance, safe=""),
                                               urllib.parse.quote(one.root, safe=""))
                return Reply(301, b"", headers={"Location": where})
        return problem(404)


def holds(one, text):
    """A filter of comparisons joined by or; a null compares as false."""
    if not text:
        return True
    fields = {"submissionDate": one.made, "updatedAt": one.updated, "deletedAt": one.deleted}
    for part in text.split(" or "):
        name, operator, value = re.fullmatch(r"__system/(\w+) (gt|ge|lt|le) (\S+)", part).groups()
        have = fields[name]
        if have is not None and {"gt": have > literal(value), "ge": have >= literal(value),
                                 "lt": have < literal(value),
                                 "le": have <= literal(value)}[operator]:
            return True
    return False


def attachments(version, name):
    if not name:
        return json_reply([{"name": key, "exists": data is not None}
                           for key, data in version.files.items()])
    data = version.files.get(name)
    if data is None:
        return problem(404)
    return Reply(200, data, "image/jpeg")
