"""A phone: ODK Collect's side of OpenRosa, to the byte, over raw sockets.

    phone = Phone("http://127.0.0.1:8080/openrosa")
    for form in phone.sync():                 # formList, manifests, forms and media
        print(form.form_id, form.version, len(form.xml), [m.filename for m in form.media])
    receipt = phone.send(xml, [File("photo.jpg", data), File("film.mp4", "/path/of/it")])
    print(receipt.message, receipt.posts)     # raises Failed when Collect would show an error

What Collect (OkHttp 5) writes is written here in the same order and spelling: header lines,
`?deviceID=collect%3A...` on every URL, the Date with its 12-hour clock, multipart bodies with
a UUID for boundary, splitting by the announced limit with the same XML in each chunk. What
Collect demands of an answer is demanded here: Failed carries the sentence that the user
would see (in English, shortened) and the status. `old=True` is a Collect before v2025.4
(OkHttp 4), which sends a Content-Length in every part.

For requests that no phone would send there is the layer below, wire.py: Connection (one
socket), head(), multipart(), chunked(). Not imitated: HTTP/2, freshness by max-age (a cached answer is
always asked for again with If-None-Match), DNS fallback, proxies.
"""
import base64
import dataclasses
import datetime
import hashlib
import os
import random
import re
import ssl
import string
import urllib.parse
import xml.etree.ElementTree as ElementTree

from wire import TIMEOUT, Connection, File, Part, Response, head, multipart

USER_AGENT = "org.odk.collect.android/v2026.3.3 Dalvik/2.1.0 (Linux; U; Android 14; SM-A155F)"
DEFAULT_LIMIT = 10_000_000
FILES_PER_POST = 101    # Collect adds one more after it has counted a hundred
REDIRECTS = 20
LIST_NAMESPACE = "http://openrosa.org/xforms/xformsList"
MANIFEST_NAMESPACE = "http://openrosa.org/xforms/xformsManifest"

# By extension: Collect's own four, then what Android's MimeTypeMap says.
MEDIA_TYPES = {
    "amr": "audio/amr", "oga": "audio/ogg", "ogv": "video/ogg", "webm": "video/webm",
    "jpg": "image/jpeg", "jpeg": "image/jpeg", "png": "image/png", "gif": "image/gif",
    "mp4": "video/mp4", "3gp": "video/3gpp", "m4a": "audio/mpeg", "mp3": "audio/mpeg",
    "wav": "audio/x-wav", "pdf": "application/pdf", "txt": "text/plain", "xml": "text/xml",
    "csv": "text/comma-separated-values", "zip": "application/zip",
}


class Failed(Exception):
    """What Collect reports to its user; `status` is None when there was no usable answer."""

    def __init__(self, text, status=None):
        super().__init__(text if status is None else f"{text} [{status}]")
        self.text = text
        self.status = status


@dataclasses.dataclass
class Media:
    filename: str
    hash: str
    url: str
    type: str = ""
    data: bytes = None


@dataclasses.dataclass
class Form:
    form_id: str
    version: str
    name: str
    hash: str
    url: str
    manifest_url: str = None
    xml: bytes = None
    media: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Receipt:
    message: str            # what Collect shows after success
    statuses: list          # of each POST
    posts: int
    limit: int              # by which it was split


# ---- bytes --------------------------------------------------------------------------------


def collect_date(when=None):
    """The Date header as Collect writes it: hours of a 12-hour clock, no am or pm."""
    when = when or datetime.datetime.now(datetime.timezone.utc)
    day = "Mon Tue Wed Thu Fri Sat Sun".split()[when.weekday()]
    month = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()[when.month - 1]
    hour = (when.hour - 1) % 12 + 1
    return f"{day}, {when.day:02d} {month} {when.year} {hour:02d}:{when:%M:%S} GMT"


def media_type(name):
    return MEDIA_TYPES.get(os.path.splitext(name)[1].lower().lstrip("."),
                           "application/octet-stream")


def submission_parts(xml, files=(), name="submission.xml", is_incomplete=False):
    """The parts of one POST, in Collect's order."""
    parts = [Part("xml_submission_file", xml, name, "text/xml")]
    parts += [Part(file.name, file.data, file.name, media_type(file.name)) for file in files]
    if is_incomplete:
        parts.append(Part("*isIncomplete*", b"yes"))
    return parts


def split(xml_size, files, limit):
    """Collect's chunks: a list of (files, is_incomplete). Only file bytes count, and each
    chunk takes one file whatever its size."""
    chunks, rest = [], list(files)
    while rest or not chunks:
        chunk, size = [], xml_size
        while rest:
            chunk.append(rest.pop(0))
            size += chunk[-1].size()
            if rest and (len(chunk) >= FILES_PER_POST or size + rest[0].size() > limit):
                break
        chunks.append((chunk, bool(rest)))
    return chunks


def instance_name(title="Identification"):
    """The name Collect gives to an instance's file."""
    return f"{title}_{datetime.datetime.now():%Y-%m-%d_%H-%M-%S}.xml"


# ---- authentication ------------------------------------------------------------------------


class Credentials:
    """Answers challenges as Collect does: Digest anywhere, Basic only over https, the first
    supported one in the order of the response."""

    def __init__(self, user, password):
        self.user = user
        self.password = password
        self.challenge = None   # of this server, once met: (scheme, parameters)
        self.nonce_count = 0

    def take(self, response, is_tls):
        """Remembers a challenge that can be answered; False when there is none."""
        for value in response.all("WWW-Authenticate"):
            scheme, _, rest = value.partition(" ")
            parameters = {key.lower(): quoted or plain for key, quoted, plain in
                          re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', rest)}
            if scheme.lower() == "digest" and {"realm", "nonce"} <= parameters.keys():
                self.challenge, self.nonce_count = ("digest", parameters), 0
                return True
            if scheme.lower() == "basic" and is_tls:
                self.challenge = ("basic", parameters)
                return True
        return False

    def header(self, method, target):
        scheme, parameters = self.challenge
        if scheme == "basic":
            plain = f"{self.user}:{self.password}".encode("iso-8859-1", "replace")
            return "Basic " + base64.b64encode(plain).decode()
        return self._digest(method, target, parameters)

    def _digest(self, method, target, challenge):
        algorithm = challenge.get("algorithm", "MD5")
        digest = algorithm.lower().removesuffix("-sess").replace("-", "")

        def hashed(text):
            return hashlib.new(digest, text.encode("ascii", "replace")).hexdigest()

        self.nonce_count += 1
        count, own = f"{self.nonce_count:08x}", os.urandom(8).hex()
        realm, nonce = challenge["realm"], challenge["nonce"]
        first = hashed(f"{self.user}:{realm}:{self.password}")
        if algorithm.lower().endswith("-sess"):
            first = hashed(f"{first}:{nonce}:{own}")
        second = hashed(f"{method}:{target}")
        line = f'Digest username="{self.user}", realm="{realm}", nonce="{nonce}", uri="{target}"'
        if "qop" in challenge:
            response = hashed(f"{first}:{nonce}:{count}:{own}:auth:{second}")
            line += f', response="{response}", qop=auth, nc={count}, cnonce="{own}"'
        else:
            response = hashed(f"{first}:{nonce}:{second}")
            line += f', response="{response}"'
        line += f", algorithm={algorithm}"
        return line + (f', opaque="{challenge["opaque"]}"' if "opaque" in challenge else "")


# ---- the phone ----------------------------------------------------------------------------


class Phone:
    """One installation of Collect with one project. Not for several threads at once."""

    def __init__(self, server_url, user=None, password=None, *, device=None, old=False,
                 cafile=None, timeout=TIMEOUT, headers=()):
        self.server_url = server_url
        self.credentials = Credentials(user, password) if user is not None else None
        letters = string.ascii_letters + string.digits
        self.device = device or "collect:" + "".join(random.choices(letters, k=16))
        self.old = old
        self.timeout = timeout
        self.extra_headers = list(headers)  # beyond Collect's own, such as Accept-Language
        self.context = None
        if server_url.startswith("https:"):
            self.context = ssl.create_default_context(cafile=cafile)
            self.context.set_alpn_protocols(["http/1.1"])
        self.connections = {}   # (scheme, host, port) -> idle Connection
        self.cache = {}         # URL -> Response with an ETag or a Last-Modified
        self.locations = {}     # submission URL -> where its HEAD sent us
        self.requests = []      # (method, URL, status) of all that went over the wire

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        for connection in self.connections.values():
            connection.close()
        self.connections = {}

    # ---- forms

    def form_list(self):
        response = self._get_openrosa(self.server_url.rstrip("/") + "/formList",
                                      "This server does not correctly implement the OpenRosa "
                                      "formList API.")
        return parse_form_list(response.body)

    def manifest(self, form):
        """The media of a form; Collect would swallow what is raised here, and go without."""
        response = self._get_openrosa(form.manifest_url, "not an OpenRosa manifest")
        return parse_manifest(response.body)

    def download(self, url):
        """A form's XML or a media file."""
        return self._get(url).body

    def sync(self):
        """Everything a phone with no forms does: the forms with their XML and media, each
        held against the hash that was announced (a wrong one means a download at every
        sync)."""
        forms = self.form_list()
        for form in forms:
            if form.manifest_url:
                form.media = self.manifest(form)
        for form in forms:
            form.xml = self._download_hashed(form.url, form.hash)
            for media in form.media:
                media.data = self._download_hashed(media.url, media.hash)
        return forms

    def _download_hashed(self, url, announced):
        data = self.download(url)
        if hashlib.md5(data).hexdigest() != announced[4:]:
            raise Failed(f"{url} has not the hash that was announced")
        return data

    def _get(self, url):
        response = self.request("GET", url)
        if response.status == 401:
            raise Failed("Server requires authentication", 401)
        if response.status == 404:
            raise Failed(f"Collect can't reach the server at {url}", 404)
        if response.status != 200:
            raise Failed(f"The server returned status code {response.status}.", response.status)
        return response

    def _get_openrosa(self, url, complaint):
        response = self._get(url)
        content_type = response.header("Content-Type")
        if content_type is not None and "text/xml" not in content_type.lower():
            raise Failed(f"ContentType: {content_type} is not text/xml")
        if response.header("X-OpenRosa-Version") is None:
            raise Failed(complaint)
        return response

    # ---- submissions

    def send(self, xml, files=(), name=None, url=None):
        """HEAD, then one POST or more. `files` are File, or (name, data) pairs; `url` is a
        form's own submission URL."""
        files = [file if isinstance(file, File) else File(*file) for file in files]
        url = url or self.server_url.removesuffix("/") + "/submission"
        name = name or instance_name()
        target, limit = self._ask(url)
        statuses, response = [], None
        for chunk, is_incomplete in split(File("", xml).size(), files, limit):
            parts = submission_parts(xml, chunk, name, is_incomplete)
            response = self.request("POST", target, parts=parts)
            statuses.append(response.status)
            if response.status not in (201, 202):
                raise Failed(_post_failure(response, target), response.status)
        message = response.message()
        if message is None or message == "full submission upload was successful!":
            message = "Success"
        return Receipt(message, statuses, len(statuses), limit)

    def _ask(self, url):
        """HEAD: where to send, and how much at once."""
        if url in self.locations:
            return self.locations[url], DEFAULT_LIMIT
        response = self.request("HEAD", url)
        if response.status == 401:
            raise Failed("Server requires authentication", 401)
        if response.status != 204:
            if 200 <= response.status < 300:
                raise Failed(f"Failed to send to {url}. Is this an OpenRosa submission "
                             "endpoint?", response.status)
            return url, DEFAULT_LIMIT
        limit = response.header("X-OpenRosa-Accept-Content-Length", "")
        limit = int(limit) if limit.isdigit() else DEFAULT_LIMIT
        location = response.header("Location")
        if location is None:
            return url, limit
        target = urllib.parse.unquote_plus(location)
        if urllib.parse.urlsplit(target).hostname != urllib.parse.urlsplit(url).hostname:
            raise Failed(f"Unexpected redirect to a different host: {target}", 204)
        self.locations[url] = target
        return target, limit

    # ---- one request, as OkHttp carries it out

    def request(self, method, url, *, parts=None):
        """Follows redirects, answers a challenge, repeats what OkHttp repeats. The URL gets
        the deviceID."""
        url = self._with_device(url)
        has_repeated = False
        for _ in range(REDIRECTS + 1):
            response = self._request_authorised(method, url, parts)
            if not has_repeated and (response.status == 408 or (
                    response.status == 503 and response.header("Retry-After") == "0")):
                has_repeated = True
                continue
            location = response.header("Location")
            if response.status not in (300, 301, 302, 303, 307, 308) or location is None:
                return response
            if method == "POST" and response.status not in (307, 308):
                method, parts = "GET", None
            url = urllib.parse.urljoin(url, location)
        raise Failed("Too many follow-up requests: 21")

    def _with_device(self, url):
        mark = "&" if "?" in url else "?"
        return f"{url}{mark}deviceID={urllib.parse.quote(self.device, safe='')}"

    def _request_authorised(self, method, url, parts):
        address = urllib.parse.urlsplit(url)
        is_ours = address.hostname == urllib.parse.urlsplit(self.server_url).hostname
        credentials = self.credentials if is_ours else None
        was_sent = credentials is not None and credentials.challenge is not None
        response = self._request_once(method, url, parts, credentials if was_sent else None)
        if response.status != 401 or credentials is None:
            return response
        if was_sent:
            is_stale = any(re.search(r"(?i)^digest.*stale=\"?true", value)
                           for value in response.all("WWW-Authenticate"))
            credentials.challenge = None
            if not is_stale:    # OkHttp forgets the challenge and begins again
                response = self._request_once(method, url, parts, None)
        if response.status == 401 and credentials.take(response, address.scheme == "https"):
            response = self._request_once(method, url, parts, credentials)
            if response.status == 401:
                credentials.challenge = None
        return response

    def _request_once(self, method, url, parts, credentials):
        address = urllib.parse.urlsplit(url)
        target = (address.path or "/") + ("?" + address.query if address.query else "")
        headers = [("User-Agent", USER_AGENT), ("X-OpenRosa-Version", "1.0"),
                   ("Date", collect_date())] + self.extra_headers
        if credentials is not None:
            headers.append(("Authorization", credentials.header(method, target)))
        runs = []
        if parts is not None:
            boundary, runs, length = multipart(parts, old=self.old)
            headers += [("Content-Type", f"multipart/form-data; boundary={boundary}"),
                        ("Content-Length", str(length))]
        headers += [("Host", address.netloc), ("Connection", "Keep-Alive"),
                    ("Accept-Encoding", "gzip")]
        cached = self.cache.get(url) if method == "GET" else None
        if cached is not None:
            if cached.header("ETag"):
                headers.append(("If-None-Match", cached.header("ETag")))
            else:
                headers.append(("If-Modified-Since", cached.header("Last-Modified")))
        response = self._carry(address, method, [head(method, target, headers)] + runs)
        self.requests.append((method, url, response.status))
        return self._through_cache(method, url, cached, response)

    def _through_cache(self, method, url, cached, response):
        """Collect never sees a 304: it sees the 200 of before, with the headers of now."""
        if method != "GET":
            return response
        if response.status == 304 and cached is not None:
            fresh = {name.lower() for name, _ in response.headers}
            kept = [(name, value) for name, value in cached.headers if name.lower() not in fresh]
            return Response(200, cached.reason, kept + response.headers, cached.body)
        no_store = "no-store" in (response.header("Cache-Control") or "")
        if response.status == 200 and not no_store and (
                response.header("ETag") or response.header("Last-Modified")):
            self.cache[url] = response
        return response

    def _carry(self, address, method, runs):
        """One exchange on a kept connection or a new one. OkHttp sends again, once, when a
        kept connection turns out to be dead before it answered."""
        port = address.port or (443 if address.scheme == "https" else 80)
        key = (address.scheme, address.hostname, port)
        while True:
            connection = self.connections.pop(key, None)
            was_kept = connection is not None
            try:
                if connection is None:
                    context = self.context if address.scheme == "https" else None
                    connection = Connection(address.hostname, port, context, self.timeout)
                response = self._exchange(connection, method, runs)
            except ssl.SSLError as error:
                raise Failed("Collect can't connect securely to the server: "
                             f"{error.reason}") from error
            except OSError as error:
                if connection is not None:
                    connection.close()
                if was_kept and not isinstance(error, TimeoutError):
                    continue
                raise Failed(f"Error: {error}") from error
            if (response.header("Connection") or "").lower() == "close":
                connection.close()
            else:
                self.connections[key] = connection
            return response

    @staticmethod
    def _exchange(connection, method, runs):
        """A server may answer and close before it has read all: the answer counts then."""
        try:
            connection.write(*runs)
        except (BrokenPipeError, ConnectionResetError) as broken:
            try:
                response = connection.read(method)
            except OSError:
                raise broken from None
            response.headers.append(("Connection", "close"))
            return response
        return connection.read(method)


def _post_failure(response, url):
    """The sentence of a refused POST."""
    message = response.message()
    if response.status == 200:
        return "Network login failure? Again?"
    if response.status == 204:
        return ""
    if response.status != 401 and message:
        return f"Error: {message}"
    if response.status == 400:
        return ("Failed to upload. Please make sure the form is configured to accept "
                "submissions on the server")
    return f"Error: {response.reason} ({response.status}) at {url}"


# ---- what Collect reads ---------------------------------------------------------------------


def _root(body, name, namespace):
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError as error:
        raise Failed(f"not well-formed XML: {error}") from error
    space, _, local = root.tag.rpartition("}")
    if local != name or space.lstrip("{").lower() != namespace.lower():
        raise Failed("The server provided an invalid response.")
    return root


def _children(element, namespace):
    """Local name -> trimmed text, of the children that are in the namespace."""
    found = {}
    for child in element:
        space, _, local = child.tag.rpartition("}")
        if space.lstrip("{").lower() == namespace.lower():
            found[local] = "".join(child.itertext()).strip()
    return found


def _is_absolute(url):
    address = urllib.parse.urlsplit(url)
    return address.scheme in ("http", "https") and bool(address.hostname)


def parse_form_list(body):
    """One form without its three texts spoils the whole list, and one without a hash could
    not be downloaded."""
    forms = []
    for element in _root(body, "xforms", LIST_NAMESPACE):
        if element.tag.lower() != "{" + LIST_NAMESPACE.lower() + "}xform":
            continue
        texts = _children(element, LIST_NAMESPACE)
        if not (texts.get("formID") and texts.get("name") and texts.get("downloadUrl")):
            raise Failed("The server provided an invalid response.")
        if not re.fullmatch(r"md5:[0-9a-f]{32}", texts.get("hash", "")):
            raise Failed("The server did not provide a hash for this form.")
        urls = [texts["downloadUrl"]] + ([texts["manifestUrl"]] if "manifestUrl" in texts else [])
        if not all(map(_is_absolute, urls)):
            raise Failed("Illegal URL in the form list.")
        forms.append(Form(texts["formID"], texts.get("version", ""), texts["name"],
                          texts["hash"], texts["downloadUrl"], texts.get("manifestUrl")))
    return forms


def parse_manifest(body):
    """One file without its three texts spoils the whole manifest."""
    media = []
    for element in _root(body, "manifest", MANIFEST_NAMESPACE):
        if element.tag.lower() != "{" + MANIFEST_NAMESPACE.lower() + "}mediafile":
            continue
        texts = _children(element, MANIFEST_NAMESPACE)
        if not (texts.get("filename") and texts.get("hash") and texts.get("downloadUrl")):
            raise Failed("The server provided an invalid manifest.")
        if not re.fullmatch(r"md5:[0-9a-f]{32}", texts["hash"]):
            raise Failed("A hash in the manifest is not that of a file.")
        if not _is_absolute(texts["downloadUrl"]):
            raise Failed("Illegal URL in the manifest.")
        filename = texts["filename"].rpartition("/")[2]
        media.append(Media(filename, texts["hash"], texts["downloadUrl"],
                           element.get("type", "")))
    return media
