"""Pulling, measured: `relais pull` at eight connections from a stand-in of ODK Central.

As a program, `pulling.py COUNT BYTES`, it is that stand-in: COUNT national submissions, each
with a photo of BYTES (0: none). It prints its port and ends when its standard input does.
"""
import json
import os
import pathlib
import subprocess
import sys
import time
import urllib.parse
import urllib.request

import fill

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "standins"))
import central  # noqa: E402

FORM = "bf_tip_ident"
CONNECTIONS = 8


def serve(count, photo):
    server = central.Central()
    data = os.urandom(photo)
    for number in range(count):
        _, xml = fill.generate.submission(number + 1, number)
        server.submit(FORM, xml, {"photo.jpg": data} if photo else {})
    print(server.port, flush=True)
    sys.stdin.read()


class Server:
    """The stand-in in a process of its own, so that it has an interpreter's lock of its own."""

    def __init__(self, count, photo):
        self.process = subprocess.Popen([sys.executable, __file__, str(count), str(photo)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}"

    def stop(self):
        self.process.stdin.close()
        self.process.wait()

    def alone(self, directory, count):
        """Answers a second to curl, which only throws the XML away: what the stand-in can do."""
        login = json.dumps({"email": central.USER, "password": central.PASSWORD}).encode()
        with urllib.request.urlopen(self.url + "/v1/sessions", login) as answer:
            token = json.load(answer)["token"]
        forms = f"{self.url}/v1/projects/3/forms/{FORM}"
        feed = urllib.request.Request(f"{forms}.svc/Submissions?%24top={count}",
                                      headers={"Authorization": "Bearer " + token})
        with urllib.request.urlopen(feed) as answer:
            ids = [row["__id"] for row in json.load(answer)["value"]]
        path = os.path.join(directory, "asked.curl")
        lines = [f'header = "Authorization: Bearer {token}"\n']
        for one in ids:
            lines.append(f'url = "{forms}/submissions/{urllib.parse.quote(one, safe="")}.xml"\n'
                         'output = "/dev/null"\n')
        pathlib.Path(path).write_text("".join(lines))
        began = time.monotonic()
        subprocess.run(["curl", "-s", "-Z", "--parallel-max", str(CONNECTIONS), "-K", path], check=True)
        return len(ids) / (time.monotonic() - began)


def configure(relais, directory, url):
    secret = os.path.join(directory, "central.credentials")
    pathlib.Path(secret).write_text(f"user: {central.USER}\npassword: {central.PASSWORD}\n")
    os.chmod(secret, 0o600)
    conf = os.path.join(directory, "pull.conf")
    pathlib.Path(conf).write_text(
        pathlib.Path(relais.env["RELAIS_CONF"]).read_text() +
        f"\n[source bench]\nkind = central\nurl = {url}\nproject = 3\nforms = {FORM}\n"
        f"credentials = {secret}\nconnections = {CONNECTIONS}\n")
    return conf


def pull_once(relais, conf):
    """Seconds and peak megabytes of one `relais pull`, which ends with everything pulled."""
    began = time.monotonic()
    process = subprocess.Popen([os.path.join(relais.env["RELAIS_BIN"], "relais"), "--config", conf,
                                "pull", "--json"], stdout=subprocess.PIPE, text=True)
    told = json.loads(process.stdout.read())["sources"][0]["forms"][0]
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0 or told["error"]:
        sys.exit(f"bench: relais pull failed: {told}")
    return told["pulled"], time.monotonic() - began, usage.ru_maxrss / 1024


def measure(relais, durable_writes, directory, rows):
    """`durable_writes(threads, bytes)` is the limit of the disk, a second; rows are pairs of how
    many submissions and how many bytes of a photo."""
    print("\n| submission | connections | stand-in alone/s | durable writes/s | pulled/s |"
          " of durable | peak MB |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for count, photo in rows:
        server = Server(count, photo)
        try:
            alone = server.alone(directory, count)
            limit = durable_writes(CONNECTIONS, 5000 + photo)
            pulled, seconds, peak = pull_once(relais, configure(relais, directory, server.url))
        finally:
            server.stop()
        relais.empty_spool()
        subprocess.run(["rm", "-rf", os.path.join(relais.spool, "sources", "bench")], check=True)
        print("| %s | %d | %.0f | %.0f | %.0f | %.2f | %.0f |" % (
            "4 KB + 500 KB photo" if photo else "4 KB", CONNECTIONS, alone, limit, pulled / seconds,
            pulled / seconds / limit, peak), flush=True)


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]))
