"""Phones that speak HTTP/2: several submissions at a time on one connection, streams that are reset
and connections that vanish at any moment. The same records as of load_phones.

    records = h2phones.run(port, "/submission", requests=2000)

Needs Debian's python3-h2.
"""
import concurrent.futures
import dataclasses
import hashlib
import random
import select
import socket
import struct
import time

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

from harness import Record

STREAMS = 4     # at a time on one connection
PATIENCE = 30   # seconds for an answer
STATUSES = [201] * 10 + [202] * 2 + [200, 204, 302, 400, 401, 403, 404, 409, 413, 500, 503]


@dataclasses.dataclass
class Upload:
    """One submission and what became of it."""
    record: Record
    headers: list
    body: bytes
    leaves_at: int = None   # bytes sent by then; the length: while waiting
    leaves_after: float = 0
    sent: int = 0
    end: float = None       # when its last byte was sent
    is_over: bool = False


def new_upload(rng, path, aborts, faults, largest):
    size = int(200 * (largest / 200) ** rng.random())
    boundary = f"{rng.getrandbits(128):032x}"
    body = (f"--{boundary}\r\nContent-Disposition: form-data; name=\"xml_submission_file\"; "
            f"filename=\"a.xml\"\r\nContent-Type: text/xml\r\n\r\n<data id=\"load\" version=\"1\">"
            f"<meta><instanceID>uuid:{rng.getrandbits(128):032x}</instanceID></meta></data>\r\n"
            f"--{boundary}\r\nContent-Disposition: form-data; name=\"a\"; filename=\"a\"\r\n\r\n"
            ).encode() + rng.randbytes(size) + f"\r\n--{boundary}--\r\n".encode()
    status, told_size, end = rng.choice(STATUSES), rng.randrange(3000), "whole"
    script = f"status={status} size={told_size}"
    if rng.random() < 0.3:
        script += f" delay={rng.randrange(100)}"
    if rng.random() < 0.03:
        script, end = script + " cut=-1 end=reset", "nothing"
    elif rng.random() < 0.05 and told_size:
        script, end = script + f" cut={rng.randrange(told_size)}", "cut"
    fault = rng.choice(["stage", "commit", "sync", "slow"]) if rng.random() * 100 < faults else "none"
    record = Record(hashlib.sha256(body).hexdigest(), 0, "none", 0, status, end, told_size, fault)
    headers = [(":method", "POST"), (":scheme", "http"), (":authority", "127.0.0.1"),
               (":path", f"{path}?deviceID={fault}"), ("x-script", script),
               ("content-type", f"multipart/form-data; boundary={boundary}")]
    if rng.random() < 0.8:
        headers.append(("content-length", str(len(body))))
    upload = Upload(record, headers, body)
    if rng.random() * 100 < aborts:
        upload.leaves_at = rng.choice([rng.randrange(len(body)), len(body)])
        upload.leaves_after = rng.random() * 0.15
    return upload


class Phone:
    def __init__(self, port, rng):
        self.port, self.rng = port, rng
        self.socket = self.connection = None
        self.uploads = {}   # stream -> Upload

    def open(self):
        for _ in range(500):
            try:
                self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
                break
            except ConnectionRefusedError:
                time.sleep(0.01)
        config = h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
        self.connection = h2.connection.H2Connection(config)
        self.connection.initiate_connection()

    def close(self, is_reset=False):
        """Ends the connection; what was on its way has no answer."""
        if self.socket is None:
            return
        if is_reset:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            for upload in self.uploads.values():
                upload.record.how = "left"
        self.socket.close()
        self.socket = None
        for upload in self.uploads.values():
            upload.is_over = True
        self.uploads.clear()

    def begin(self, upload):
        if self.socket is None:
            self.open()
        stream = self.connection.get_next_available_stream_id()
        self.connection.send_headers(stream, upload.headers)
        self.uploads[stream] = upload

    def step(self):
        """Sends what may be sent, reads what has come."""
        try:
            for stream, upload in list(self.uploads.items()):
                self.push(stream, upload)
            self.socket.sendall(self.connection.data_to_send())
            if select.select([self.socket], [], [], 0.01)[0]:
                data = self.socket.recv(1 << 16)
                if not data:
                    self.close()
                    return
                for event in self.connection.receive_data(data):
                    self.take(event)
                self.socket.sendall(self.connection.data_to_send())
        except (OSError, h2.exceptions.ProtocolError):
            self.close()

    def push(self, stream, upload):
        limit = len(upload.body) if upload.leaves_at is None else upload.leaves_at
        while upload.sent < limit:
            room = min(self.connection.local_flow_control_window(stream),
                       self.connection.max_outbound_frame_size, limit - upload.sent)
            if room <= 0:
                return
            self.connection.send_data(stream, upload.body[upload.sent:upload.sent + room])
            upload.sent += room
        if upload.end is None:
            upload.end = time.monotonic()
            if limit == len(upload.body):
                self.connection.end_stream(stream)
        if upload.leaves_at is not None and time.monotonic() - upload.end > upload.leaves_after:
            upload.record.how = "left"
            self.connection.reset_stream(stream, h2.errors.ErrorCodes.CANCEL)
            self.over(stream)
        elif time.monotonic() - upload.end > PATIENCE:
            self.over(stream)

    def over(self, stream):
        self.uploads.pop(stream).is_over = True

    def take(self, event):
        stream = getattr(event, "stream_id", None)
        if isinstance(event, h2.events.DataReceived):
            self.connection.acknowledge_received_data(event.flow_controlled_length, stream)
        upload = self.uploads.get(stream)
        if upload is None:
            return
        record = upload.record
        if isinstance(event, h2.events.ResponseReceived):
            record.seen, record.how = int(dict(event.headers)[":status"]), "broken"
        elif isinstance(event, h2.events.DataReceived):
            record.size += len(event.data)
        elif isinstance(event, h2.events.StreamEnded):
            record.how = "whole"
            self.over(stream)
        elif isinstance(event, h2.events.StreamReset):
            self.over(stream)


def run_phone(port, path, count, seed, aborts, faults, largest):
    rng = random.Random(seed)
    phone, records, waiting = Phone(port, rng), [], []
    while count or waiting:
        while count and len(phone.uploads) < STREAMS:
            upload = new_upload(rng, path, aborts, faults, largest)
            records.append(upload.record)
            waiting.append(upload)
            count -= 1
            try:
                phone.begin(upload)
            except h2.exceptions.ProtocolError:     # no more streams: nothing was sent
                upload.record.how, upload.is_over = "left", True
                phone.close()
        if aborts and rng.random() < 0.002:
            phone.close(is_reset=True)
        if phone.socket is not None:
            phone.step()
        waiting = [upload for upload in waiting if not upload.is_over]
    phone.close()
    return records


def run(port, path, requests, connections=8, seed=1, aborts=20, faults=0, largest=100_000):
    with concurrent.futures.ThreadPoolExecutor(connections) as pool:
        runs = [pool.submit(run_phone, port, path, requests // connections, f"{seed}-{number}",
                            aborts, faults, largest) for number in range(connections)]
        return [record for done in runs for record in done.result()]
