"""A private nginx with the Relais module, for tests: its configuration, forms and spool live
in a temporary directory, its ports are free ones of loopback.

    server = WebServer()                       # not yet running
    server.publish("f.xml", xform("f", "1"))
    server.start()
    ... server.url, server.parcels(), server.log() ...
    server.remove()

RELAIS_MODULE names the module (default: below RELAIS_BUILD), RELAIS_NGINX the server. When
run as root the workers are www-data and the spool is another user's, as in real life: they
may make files there and rename them, and not list.
"""
import dataclasses
import grp
import hashlib
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.parse

import builds
import keptlogs

NGINX = os.environ.get("RELAIS_NGINX", builds.NGINX)
MODULE = os.environ.get("RELAIS_MODULE") or os.path.join(
    os.environ.get("RELAIS_BUILD", "build"), "plugin/nginx/ngx_http_relais_module.so")
IS_ROOT = os.geteuid() == 0
SHARDS = [f"{number:02x}" for number in range(16)]

CONFIGURATION = """
load_module {module};
{user}
daemon off;
pid {dir}/nginx.pid;
error_log {dir}/error.log {level};
worker_processes {workers};
worker_rlimit_nofile 4096;
{main}
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    client_max_body_size 100m;
    relais_spool {spool};
    relais_forms {forms};
    {http}
    server {{
        listen 127.0.0.1:{port};
        {server}
        location /openrosa/ {{ relais serve; {location} }}
    }}
}}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, seconds, what):
    """Waits for a true value and returns it."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"after {seconds} s still waiting for {what}")
        time.sleep(0.02)
    return value


def xform(form_id, version="1", title="A form", filler=0):
    """A small XForm; `filler` makes it that many bytes longer."""
    version = f' version="{version}"' if version else ""
    return f"""<?xml version="1.0"?>
<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml"
  xmlns:orx="http://openrosa.org/xforms">
<h:head><h:title>{title}</h:title><model><instance><data id="{form_id}"{version}><age/>
<orx:meta><orx:instanceID/></orx:meta></data></instance><bind nodeset="/data/age" type="int"/>
</model></h:head><h:body><input ref="/data/age"><label>Age{"." * filler}</label></input></h:body>
</h:html>
""".encode()


def visible(directory):
    """The names in a directory of the spool that may be parcels': notes are hidden."""
    return [name for name in os.listdir(directory) if not name.startswith(".")]


@dataclasses.dataclass
class Parcel:
    head: dict
    body: bytes


def read_parcel(path):
    """A parcel with its own claims checked."""
    with open(path, "rb") as file:
        data = file.read()
    text, _, body = data.partition(b"\n\n")
    lines = text.decode().split("\n")
    assert lines[0] == "relais-parcel: 1", lines[0]
    head = {key: urllib.parse.unquote(value) for key, _, value in
            (line.partition(": ") for line in lines[1:])}
    assert int(head["length"]) == len(body), path
    assert head["sha256"] == hashlib.sha256(body).hexdigest(), path
    return Parcel(head, body)


class WebServer:
    """nginx; apacheserver.py has another that a test can use in its place."""
    NAME = "nginx"
    WORDS = {"body": "client_max_body_size {};", "buffer": "client_body_buffer_size {};",
             "accept": "relais_accept_length {};", "floor": "relais_spool_floor {};",
             "unbuffered": "proxy_buffering off;"}

    @staticmethod
    def location(path, text):
        """A location of the configuration."""
        return f"location {path} {{ {text} }}"

    @classmethod
    def say(cls, **settings):
        """Settings in this server's own directives; what it has no word for is left out."""
        return " ".join(cls.WORDS[key].format(value) for key, value in settings.items()
                        if key in cls.WORDS)

    def __init__(self, *, environment=None, prefix=(), **settings):
        """Settings: main, http, server, location (text for those places, DIR being this
        server's directory), workers, level. `environment` is added to the server's own;
        `prefix` are words before its command, of a tool that watches it."""
        self.dir = tempfile.mkdtemp(prefix=f"relais-{self.NAME}-")
        os.chmod(self.dir, 0o711)
        self.forms = os.path.join(self.dir, "forms")
        self.spool = os.path.join(self.dir, "spool")
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.host}/openrosa"
        self.process = None
        self.environment = environment or {}
        self.prefix = list(prefix)
        os.mkdir(self.forms)
        self.make_spool()
        self.configure(**settings)

    # ---- files

    def make_spool(self):
        for name in ["", "quarantine"] + [os.path.join(shard, leaf) for shard in SHARDS
                                          for leaf in ("", "tmp", "new")]:
            path = os.path.join(self.spool, name)
            os.makedirs(path, exist_ok=True)
            if IS_ROOT:
                os.chown(path, pwd.getpwnam("nobody").pw_uid, grp.getgrnam("www-data").gr_gid)
                os.chmod(path, 0o2730)

    def configure(self, **settings):
        self.is_single = "master_process off;" in settings.get("main", "")
        text = {key: settings.get(key, "") for key in ("main", "http", "server", "location")}
        values = dict(module=os.path.abspath(MODULE), dir=self.dir, spool=self.spool,
                      forms=self.forms, port=self.port, workers=settings.get("workers", 1),
                      level=settings.get("level", "info"),
                      user="user www-data www-data;" if IS_ROOT else "")
        text = {key: part.replace("DIR", self.dir) for key, part in text.items()}
        with open(os.path.join(self.dir, "nginx.conf"), "w", encoding="utf-8") as file:
            file.write(CONFIGURATION.format(**values, **text))

    def publish(self, name, data, age=60):
        """Puts a form or a media file in place by a rename, as if written `age` seconds ago."""
        path = os.path.join(self.forms, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path + ".new", "wb") as file:
            file.write(data)
        os.utime(path + ".new", (time.time() - age,) * 2)
        os.rename(path + ".new", path)

    def parcels(self):
        """All that is committed; nothing else may be in the spool."""
        found = []
        for shard in SHARDS:
            directory = os.path.join(self.spool, shard, "new")
            found += [read_parcel(os.path.join(directory, name))
                      for name in visible(directory)]
        return found

    def count(self, place):
        """The number of files in new or tmp."""
        return sum(len(visible(os.path.join(self.spool, shard, place))) for shard in SHARDS)

    def empty(self):
        for shard in SHARDS:
            for place in ("tmp", "new"):
                directory = os.path.join(self.spool, shard, place)
                for name in os.listdir(directory):
                    os.unlink(os.path.join(directory, name))

    def alarms(self):
        """Lines of the log that no test may cause."""
        return re.findall(r".*\[(?:alert|emerg|crit)\].*", self.log())

    def log(self):
        path = os.path.join(self.dir, "error.log")
        if not os.path.exists(path):
            return ""
        with open(path, encoding="utf-8") as file:
            return file.read()

    # ---- the process

    def command(self, *arguments):
        return [NGINX, "-p", self.dir, "-e", os.path.join(self.dir, "error.log"),
                "-c", os.path.join(self.dir, "nginx.conf"), *arguments]

    def check(self):
        """-t: (whether the server is content, what it says)."""
        run = subprocess.run(self.command("-t"), stdin=subprocess.DEVNULL, timeout=20,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                             env=builds.web(self.environment))
        return run.returncode == 0, run.stdout.decode()

    def start(self):
        self.process = subprocess.Popen(self.prefix + self.command(), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        env=builds.web(self.environment),
                                        start_new_session=True)  # httpd may signal its group
        wait_until(self._answers, 60 if self.prefix else 10, f"{self.NAME} to listen")

    def _answers(self):
        assert self.process.poll() is None, f"{self.NAME} ended: {self.log() or self.check()}"
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return bool(self.workers())

    def workers(self):
        """Process ids of the workers; the server may be its own only one."""
        if self.is_single:
            return [self.process.pid]
        path = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        with open(path, encoding="ascii") as file:
            return [int(pid) for pid in file.read().split()]

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def speak_http2(self, **settings):
        """Reloads with one more port, for HTTP/2 without TLS: its number. `settings` are those
        that hold already."""
        port = free_port()
        self.configure(**settings | {
            "server": f"listen 127.0.0.1:{port} http2; " + settings.get("server", "")})
        self.reload()
        return port

    def descriptors(self):
        """Open descriptors of the workers."""
        return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in self.workers())

    def memory(self):
        """The largest anonymous memory of a worker, in bytes."""
        sizes = [0]
        for pid in self.workers():
            with open(f"/proc/{pid}/status", encoding="ascii") as file:
                sizes.append(int(re.search(r"RssAnon:\s+(\d+) kB", file.read())[1]) * 1024)
        return max(sizes)

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    def remove(self):
        self.stop()
        builds.look_into(self.log())
        keptlogs.keep(self.dir)
        shutil.rmtree(self.dir, ignore_errors=True)
