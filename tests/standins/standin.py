"""A server that stands in for one that cannot run here: HTTP/1.1 on loopback, a thread a
connection, and faults on demand.

    class Server(standin.Standin):
        def answer(self, request):
            return standin.json_reply({"path": request.path})

    with Server() as server:
        server.fail("cut", path=r"\\.xml$", times=2)
        ... http://127.0.0.1:{server.port} ...

What was asked for is in server.requests. A fault is taken off its list when it was played its
`times`; `after` lets so many matching requests pass first.
"""
import dataclasses
import datetime
import email.utils
import gzip
import json
import re
import socket
import threading
import time
import urllib.parse

PAGE = b"<!DOCTYPE html><html><body><form>Please log in</form></body></html>"


@dataclasses.dataclass
class Request:
    method: str
    target: str             # as received
    path: str               # as received, without the query
    query: dict             # name -> value, the last of each
    headers: dict           # lower-case names
    body: bytes


@dataclasses.dataclass
class Reply:
    status: int = 200
    body: bytes = b""
    media_type: str = "application/json"
    headers: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Fault:
    action: object          # a name, a status, or a function of the request and the good reply
    path: str
    times: int
    after: int
    headers: dict


def json_reply(value, status=200, **headers):
    return Reply(status, json.dumps(value).encode(), "application/json; charset=utf-8", headers)


def problem(status, message="refused"):
    """An error as Central and its like word it."""
    return json_reply({"message": message, "code": status}, status)


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def iso(when, digits=3):
    """2026-03-02T10:15:04.123Z; None stays None."""
    if when is None:
        return None
    text = when.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")
    return text[:20 + digits].rstrip(".") + "Z"


class Standin:
    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.lock = threading.RLock()
        self.requests = []
        self.faults = []
        self.open = set()
        self.is_closed = False
        self.delay = 0              # seconds before each answer
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.is_closed:
            return
        self.is_closed = True
        self.listener.shutdown(socket.SHUT_RDWR)    # accept() is woken by nothing less
        self.listener.close()
        with self.lock:
            for connection in self.open:
                connection.close()

    def answer(self, request):
        raise NotImplementedError

    # ---- faults ----

    def fail(self, action, path="", times=1, after=0, **headers):
        with self.lock:
            self.faults.append(Fault(action, path, times, after, headers))

    def heal(self):
        with self.lock:
            self.faults.clear()

    def _fault(self, request):
        with self.lock:
            for fault in self.faults:
                if not re.search(fault.path, request.target):
                    continue
                if fault.after > 0:
                    fault.after -= 1
                    continue
                fault.times -= 1
                if fault.times == 0:
                    self.faults.remove(fault)
                return fault
        return None

    def asked(self, pattern=""):
        """Targets of the requests so far that match."""
        with self.lock:
            return [one.target for one in self.requests if re.search(pattern, one.target)]

    # ---- the wire ----

    def _accept(self):
        while not self.is_closed:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        stream = connection.makefile("rb")
        try:
            while self._exchange(connection, stream):
                pass
        except (OSError, ValueError):
            pass
        finally:
            stream.close()
            connection.close()
            with self.lock:
                self.open.discard(connection)

    def _exchange(self, connection, stream):
        request = read_request(stream)
        if request is None:
            return False
        with self.lock:
            self.requests.append(request)
        if self.delay:
            time.sleep(self.delay)
        fault = self._fault(request)
        if fault is None:
            connection.sendall(encode(self.answer(request), request))
            return True
        return play(fault, request, self.answer(request), connection)


def read_request(stream):
    line = stream.readline(65536).decode("latin-1").split()
    if len(line) != 3:
        return None
    headers = {}
    while True:
        name, _, value = stream.readline(65536).decode("latin-1").partition(":")
        if not name.strip():
            break
        headers[name.strip().lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", 0)))
    path, _, query = line[1].partition("?")
    pairs = urllib.parse.parse_qsl(query, keep_blank_values=True)
    return Request(line[0], line[1], path, dict(pairs), headers, body)


def encode(reply, request=None, length=None):
    body = reply.body
    lines = [f"HTTP/1.1 {reply.status} X", f"Content-Type: {reply.media_type}",
             f"Date: {email.utils.formatdate(usegmt=True)}"]
    if request and len(body) > 1000 and "gzip" in request.headers.get("accept-encoding", ""):
        body = gzip.compress(body, 1)
        lines.append("Content-Encoding: gzip")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in reply.headers.items()]
    lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def play(fault, request, good, connection):
    """Plays a fault; True when the connection goes on."""
    if callable(fault.action):
        connection.sendall(encode(fault.action(request, good), request))
        return True
    if isinstance(fault.action, int):
        connection.sendall(encode(Reply(fault.action, b"{}", headers=fault.headers)))
        return True
    return FAULTS[fault.action](good, connection)


def play_html(_, connection):
    connection.sendall(encode(Reply(200, PAGE, "text/html; charset=utf-8")))
    return True


def play_cut(good, connection):
    """The length of the whole, half of the bytes, and the end of the connection."""
    head = encode(dataclasses.replace(good, body=b""), length=len(good.body))
    connection.sendall(head + good.body[:len(good.body) // 2])
    return False


def play_unended(good, connection):
    """As old proxies do: no length, and half of the bytes."""
    head = f"HTTP/1.1 200 X\r\nContent-Type: {good.media_type}\r\nConnection: close\r\n\r\n"
    connection.sendall(head.encode() + good.body[:len(good.body) // 2])
    return False


def play_half(good, connection):
    """Half of the body, well wrapped: what a broken cache gives."""
    connection.sendall(encode(dataclasses.replace(good, body=good.body[:len(good.body) // 2])))
    return True


def play_huge(good, connection):
    """More and more white space, until the client has had enough."""
    connection.sendall(encode(dataclasses.replace(good, body=b""), length=1 << 40))
    for _ in range(1 << 14):
        connection.sendall(b" " * 65536)
    return False


def play_drop(*_):
    return False


FAULTS = {"html": play_html, "cut": play_cut, "unended": play_unended, "half": play_half,
          "huge": play_huge, "drop": play_drop}
