"""Between the forwarder and its PostgreSQL: a relay over TCP that passes, stalls, crawls or cuts. It
stands in where cable.py's network may not be had, and has the same ways."""
import socket
import threading
import time

CHUNK = 1024
CRAWL = 0.002  # seconds a chunk: half a megabyte a second


class Relay:
    """Listens on .port of .host for a unix socket behind it. `way` is one of "pass", "stall"
    (nothing more goes through, connections stay), "mute" (the same of what the server says),
    "crawl", "cut" (all end, new ones too)."""
    host = "127.0.0.1"
    prefix = ()
    what = "a relay over TCP"

    def __init__(self, target):
        self.target = target
        self.way = "pass"
        self.pairs = set()
        self.lock = threading.Lock()
        self.listener = socket.create_server((self.host, 0))
        self.port = self.listener.getsockname()[1]
        self.over = False
        threading.Thread(target=self._accept, daemon=True).start()

    def go(self, way):
        self.way = way
        if way == "cut":
            with self.lock:
                for one in self.pairs:
                    shut(one)

    def stop(self):
        self.over = True
        self.go("cut")
        self.listener.close()

    def _accept(self):
        while not self.over:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.way == "cut":
                client.close()
                continue
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(self.target)
            except OSError:
                client.close()
                server.close()
                continue
            with self.lock:
                self.pairs |= {client, server}
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=self._carry, args=(one, other, one is server), daemon=True).start()

    def _carry(self, one, other, is_answer):
        try:
            while data := one.recv(CHUNK):
                while self.way == "stall" or (self.way == "mute" and is_answer):
                    time.sleep(0.02)
                if self.way == "crawl":
                    time.sleep(CRAWL)
                other.sendall(data)
        except OSError:
            pass
        for end in (one, other):
            shut(end)
        with self.lock:
            self.pairs.discard(one)
        one.close()


def shut(one):
    try:
        one.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
