"""HTTP/1.1 over raw sockets, as exactly as written: the layer below collect.py.

Nothing is added to a request and nothing hidden in an answer, so that tests can send what no
client library would: cut, slow, wrong. multipart() writes bodies as OkHttp does.
"""
import dataclasses
import gzip
import os
import re
import socket
import struct
import time
import uuid
import xml.etree.ElementTree as ElementTree

TIMEOUT = 60  # seconds for one read or write, as Collect sets it


@dataclasses.dataclass
class File:
    """An attachment: its bytes, or the path of a file that holds them."""
    name: str
    data: object = b""

    def size(self):
        return len(self.data) if isinstance(self.data, bytes) else os.path.getsize(self.data)


@dataclasses.dataclass
class Response:
    status: int
    reason: str
    headers: list           # of (name, value) as received
    body: bytes = b""       # inflated
    interim: list = dataclasses.field(default_factory=list)  # statuses 1xx before it

    def header(self, name, default=None):
        """The last header of that name, in any letter case."""
        values = self.all(name)
        return values[-1] if values else default

    def all(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def message(self):
        """Text of OpenRosaResponse's message as Collect finds it, or None."""
        if b"OpenRosaResponse" not in self.body:
            return None
        try:
            root = ElementTree.fromstring(self.body)
        except ElementTree.ParseError:
            return None
        for element in root.iter():
            if element.tag.rpartition("}")[2] == "message":
                return "".join(element.itertext()).strip()
        return None


# ---- one socket ---------------------------------------------------------------------------


class Connection:
    """One TCP (or TLS) connection. Requests are written as given; answers are parsed."""

    def __init__(self, host, port, context=None, timeout=TIMEOUT):
        self.socket = socket.create_connection((host, port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_hostname=host)
        self.buffer = b""
        self.answered = 0   # responses read on this connection

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        """Ends the connection as a lost phone does: RST, nothing more."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def write(self, *runs):
        """Writes runs of bytes; a run that is a path is read from that file."""
        for run in runs:
            if isinstance(run, (bytes, bytearray, memoryview)):
                self.socket.sendall(run)
                continue
            with open(run, "rb") as file:
                while piece := file.read(1 << 20):
                    self.socket.sendall(piece)

    def write_slowly(self, data, piece, pause):
        """Writes `piece` bytes every `pause` seconds."""
        for start in range(0, len(data), piece):
            self.socket.sendall(data[start:start + piece])
            time.sleep(pause)

    def read(self, method="GET"):
        """The next response, interim ones apart; ConnectionError when there is none."""
        interim = []
        while True:
            status, reason, headers = self._read_head()
            if status >= 200:
                break
            interim.append(status)
        response = Response(status, reason, headers, interim=interim)
        if method != "HEAD" and status not in (204, 304):
            response.body = self._read_body(response)
        self.answered += 1
        return response

    def at_end(self, timeout=5):
        """True when the server closes the connection without sending more."""
        self.socket.settimeout(timeout)
        try:
            return not self.buffer and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False

    def _fill(self):
        data = self.socket.recv(1 << 16)
        if not data:
            raise ConnectionError("unexpected end of stream")
        self.buffer += data

    def _read_line(self):
        while b"\n" not in self.buffer:
            self._fill()
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line.rstrip(b"\r").decode("utf-8", "replace")

    def _read_head(self):
        match = re.fullmatch(r"HTTP/1\.[01] (\d{3})(?: (.*))?", self._read_line())
        if not match:
            raise ConnectionError("unexpected status line")
        headers = []
        while line := self._read_line():
            name, _, value = line.partition(":")
            headers.append((name, value.strip()))
        return int(match[1]), match[2] or "", headers

    def _read_exactly(self, length):
        parts = [self.buffer]
        have = len(self.buffer)
        while have < length:
            data = self.socket.recv(min(1 << 20, length - have))
            if not data:
                raise ConnectionError("unexpected end of stream")
            parts.append(data)
            have += len(data)
        whole = b"".join(parts)
        self.buffer = whole[length:]
        return whole[:length]

    def _read_body(self, response):
        length = response.header("Content-Length")
        if (response.header("Transfer-Encoding") or "").lower() == "chunked":
            body = b""
            while size := int(self._read_line().partition(";")[0], 16):
                body += self._read_exactly(size)
                self._read_line()
            while self._read_line():
                pass
        elif length is not None:
            body = self._read_exactly(int(length))
        else:
            body = self.buffer
            self.buffer = b""
            while data := self.socket.recv(1 << 16):
                body += data
        if (response.header("Content-Encoding") or "").lower() == "gzip":
            body = gzip.decompress(body)
        return body


# ---- bytes of a request --------------------------------------------------------------------


def head(method, target, headers):
    """A request's head; headers is a list of (name, value)."""
    lines = [f"{method} {target} HTTP/1.1"] + [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def quote_name(name):
    """A form-data name in quotes, as OkHttp escapes it (WHATWG): raw UTF-8 otherwise."""
    name = name if isinstance(name, bytes) else name.encode()
    for plain, escaped in ((b"\n", b"%0A"), (b"\r", b"%0D"), (b'"', b"%22")):
        name = name.replace(plain, escaped)
    return b'"' + name + b'"'


@dataclasses.dataclass
class Part:
    name: object            # str or bytes
    data: object            # bytes, or a path
    filename: object = None
    content_type: str = None


def multipart(parts, boundary=None, old=False):
    """A body as OkHttp writes it: (boundary, runs for Connection.write, length)."""
    boundary = boundary or str(uuid.uuid4())
    runs, length = [], 0
    for part in parts:
        size = File("", part.data).size()
        lines = b"--" + boundary.encode() + b"\r\n"
        lines += b"Content-Disposition: form-data; name=" + quote_name(part.name)
        if part.filename is not None:
            lines += b"; filename=" + quote_name(part.filename)
        lines += b"\r\n"
        if part.content_type:
            lines += f"Content-Type: {part.content_type}\r\n".encode()
        if old:
            lines += f"Content-Length: {size}\r\n".encode()
        lines += b"\r\n"
        runs += [lines, part.data, b"\r\n"]
        length += len(lines) + size + 2
    end = f"--{boundary}--\r\n".encode()
    return boundary, runs + [end], length + len(end)


def chunked(data, size=1000):
    """A body in chunks of `size` bytes, for Transfer-Encoding: chunked."""
    out = b""
    for start in range(0, len(data), size):
        piece = data[start:start + size]
        out += f"{len(piece):x}\r\n".encode() + piece + b"\r\n"
    return out + b"0\r\n\r\n"


def joined(runs):
    """The runs of multipart() as one string of bytes."""
    out = []
    for run in runs:
        if not isinstance(run, bytes):
            with open(run, "rb") as file:
                run = file.read()
        out.append(run)
    return b"".join(out)
