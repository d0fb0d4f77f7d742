"""The benchmark behind README.md's tables; see run.sh."""

import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import fill
import pulling

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CONNECTIONS = (1, 8, 32, 64)
PHOTO = 500 * 1024
XML = 4096
# All that a submission of the identification form becomes.
TABLES = (
    "relais.submission",
    "relais.claim",
    "tip.victim",
    "tip.identification",
    "tip.identification_item",
    "tip.exploitation",
    "tip.route_leg",
    "tip.assistance",
    "identity.person",
    "link.match_key",
)


class Relais:
    """A private Relais, started by the quickstart."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        subprocess.run(
            ["sh", str(ROOT / "plugin/quickstart.sh"), "--detach", "--dir", directory],
            check=True, stdout=sys.stderr)
        self.env = dict(
            line.split("=", 1) for line in (self.directory / "env").read_text().splitlines()
            if "=" in line and not line.startswith("#"))
        self.env = {k.replace("export ", "").strip(): v.strip("'\"") for k, v in self.env.items()}
        self.spool = self.env["RELAIS_SPOOL"]
        self.stop_forwarder()

    def stop_forwarder(self):
        """The quickstart's own forwarder would take part in what is measured."""
        pid = self.pid_of("forward")
        os.kill(pid, signal.SIGTERM)
        for _ in range(200):
            if not is_alive(pid):
                break
            time.sleep(0.05)
        self.empty_spool()

    def pid_of(self, name):
        """The quickstart notes "pid start-time" for each process."""
        return int((self.directory / "run" / f"{name}.pid").read_text().split()[0])

    def empty_spool(self):
        for path in pathlib.Path(self.spool).glob("*/new/*"):
            path.unlink()

    def psql(self, sql, *options):
        done = subprocess.run(
            ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-At", *options, self.env["RELAIS_DB"]],
            input=sql, text=True, check=False, capture_output=True)
        if done.returncode != 0:
            sys.exit(f"bench: psql failed: {done.stderr}")
        return done.stdout.strip()

    def empty_tables(self):
        self.psql("TRUNCATE relais.submission, tip.victim CASCADE;")

    def workers(self):
        master = self.pid_of("nginx")
        children = pathlib.Path(f"/proc/{master}/task/{master}/children").read_text().split()
        return [int(pid) for pid in children]

    def reload_with_body_limit(self, limit):
        self.reload(lambda text: re.sub(r"client_max_body_size\s+\S+;",
                                        f"client_max_body_size {limit};", text))

    def reload_in_front_of(self, port):
        """Two locations that pass to the same upstream: /plain/, and /captured/ with a copy."""
        way = 'proxy_pass http://behind; proxy_http_version 1.1; proxy_set_header Connection "";'
        self.reload(lambda text: text.replace(
            "    server {",
            f"    upstream behind {{ server 127.0.0.1:{port}; keepalive 64; }}\n    server {{", 1
        ).replace(
            "location /openrosa/",
            f"location /plain/ {{ {way} }}\n"
            f"location /captured/ {{ relais capture; relais_spool {self.spool}; {way} }}\n"
            "location /openrosa/", 1))

    def reload(self, change):
        conf = next(self.directory.glob("**/nginx.conf"))
        conf.write_text(change(conf.read_text()))
        before = set(self.workers())
        os.kill(self.pid_of("nginx"), signal.SIGHUP)
        deadline = time.time() + 20
        while time.time() < deadline and before & set(self.workers()):
            time.sleep(0.1)

    def stop(self):
        subprocess.run(
            ["sh", str(ROOT / "plugin/quickstart.sh"), "--stop", "--dir", str(self.directory)],
            check=False, stdout=sys.stderr)


def is_alive(pid):
    """A process that has ended but was not waited for counts as ended."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return text.rsplit(")", 1)[1].split()[0] != "Z"


def status_kb(pid, key):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"^{key}:\s+(\d+) kB", text, re.M).group(1))


def run_json(*command):
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"bench: {' '.join(map(str, command))} failed with {done.returncode}.")
    return json.loads(done.stdout)


def build_tools(directory):
    build = os.path.join(directory, "bench-build")
    subprocess.run(["cmake", "-S", str(ROOT), "-B", build, "-DCMAKE_BUILD_TYPE=Release",
                    "-DRELAIS_NGINX=OFF"], check=True, stdout=subprocess.DEVNULL)
    programs = ("tests/bench/bench_durable", "tests/bench/bench_load", "tests/load/load_upstream")
    subprocess.run(["cmake", "--build", build, "--target", *map(os.path.basename, programs)],
                   check=True, stdout=subprocess.DEVNULL)
    return [os.path.join(build, program) for program in programs]


def write_template(directory):
    """A national submission with INSTANCE where its uuid was."""
    instance_id, xml = fill.generate.submission(1, 0)
    path = os.path.join(directory, "template.xml")
    text = xml.decode().replace(instance_id.removeprefix("uuid:"), "INSTANCE")
    pathlib.Path(path).write_text(text)
    return path


def measure_answers(relais, tools, directory, seconds):
    durable, load, _ = tools
    template = write_template(directory)
    address = re.match(r"https?://([^:/]+):(\d+)(/.*)", relais.env["RELAIS_URL"])
    host, port, prefix = address.group(1), address.group(2), address.group(3).rstrip("/")
    rows = []
    for photo in (0, PHOTO):
        for connections in CONNECTIONS:
            # Two rounds, in turn, so that a disk that drifts drifts for both.
            limits, answers = [], []
            for _ in range(2):
                limits.append(run_json(durable, relais.spool, str(connections),
                                       str(XML + photo + 1000), str(seconds)))
                answers.append(run_json(load, host, port, prefix + "/submission", template,
                                        str(connections), str(XML), str(photo), str(seconds)))
                relais.empty_spool()
            limit = sum(r["per_second"] for r in limits) / 2
            rate = sum(r["per_second"] for r in answers) / 2
            median = sum(r["median_ms"] for r in answers) / 2
            p99 = max(r["p99_ms"] for r in answers)
            rows.append((("4 KB + 500 KB photo" if photo else "4 KB"), connections, limit, rate,
                         rate / limit, median, p99, p99 / median))
    print("\n| submission | connections | durable writes/s | answered/s | share | median ms |"
          " p99 ms | p99/median |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for row in rows:
        print("| %s | %d | %.0f | %.0f | %.2f | %.2f | %.2f | %.1f |" % row, flush=True)


def measure_capture(relais, tools, directory, seconds):
    """In front of an upstream that itself writes what it accepts durably, on the same disk."""
    durable, load, upstream = tools
    template = write_template(directory)
    kept = os.path.join(directory, "upstream")
    os.makedirs(kept)
    process = subprocess.Popen([upstream, "--durable", kept], stdout=subprocess.PIPE, text=True)
    relais.reload_in_front_of(int(process.stdout.readline()))
    host, port = re.match(r"https?://([^:/]+):(\d+)", relais.env["RELAIS_URL"]).groups()
    print("\n| connections | durable writes/s | proxied/s | captured/s | of proxied |"
          " of durable | median ms | p99 ms |")
    print("|---:|---:|---:|---:|---:|---:|---:|---:|")
    try:
        for connections in (8, 32):
            rounds = []
            for _ in range(3):
                limit = run_json(durable, relais.spool, str(connections), str(XML + 1000),
                                 str(seconds))
                plain, captured = [run_json(load, host, port, f"/{way}/submission", template,
                                            str(connections), str(XML), "0", str(seconds))
                                   for way in ("plain", "captured")]
                rounds.append((limit, plain, captured))
                relais.empty_spool()
                shutil.rmtree(kept)
                os.makedirs(kept)
            limit, plain, captured = [sum(run[part]["per_second"] for run in rounds) / len(rounds)
                                      for part in range(3)]
            print("| %d | %.0f | %.0f | %.0f | %.2f | %.2f | %.2f | %.2f |" % (
                connections, limit, plain, captured, captured / plain, captured / limit,
                sum(run[2]["median_ms"] for run in rounds) / len(rounds),
                max(run[2]["p99_ms"] for run in rounds)), flush=True)
    finally:
        process.kill()
        process.wait()


def send_body(relais, megabytes):
    """One 500 MB file in one POST, as Collect sends a file above every limit: whole."""
    import http.client
    address = re.match(r"https?://([^:/]+):(\d+)(/.*)", relais.env["RELAIS_URL"])
    instance_id, xml = fill.generate.submission(2, 0)
    head = (f"--{fill.BOUNDARY}\r\nContent-Disposition: form-data; name=\"xml_submission_file\"; "
            f"filename=\"a.xml\"\r\nContent-Type: text/xml\r\n\r\n").encode() + xml + (
            f"\r\n--{fill.BOUNDARY}\r\nContent-Disposition: form-data; name=\"v.mp4\"; "
            f"filename=\"v.mp4\"\r\nContent-Type: video/mp4\r\n\r\n").encode()
    end = f"\r\n--{fill.BOUNDARY}--\r\n".encode()
    piece = os.urandom(1 << 20)
    connection = http.client.HTTPConnection(address.group(1), int(address.group(2)), timeout=300)
    connection.putrequest("POST", address.group(3).rstrip("/") + "/submission")
    connection.putheader("Content-Type", f"multipart/form-data; boundary={fill.BOUNDARY}")
    connection.putheader("Content-Length", str(len(head) + len(end) + (megabytes << 20)))
    connection.putheader("X-OpenRosa-Version", "1.0")
    connection.endheaders()
    connection.send(head)
    for _ in range(megabytes):
        connection.send(piece)
    connection.send(end)
    answer = connection.getresponse()
    answer.read()
    if answer.status != 201:
        sys.exit(f"bench: the upload of {megabytes} MB got {answer.status}")


def measure_worker_memory(relais):
    relais.reload_with_body_limit("600m")
    workers = relais.workers()
    idle = {pid: status_kb(pid, "VmRSS") for pid in workers}
    for pid in workers:
        pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")
    started = time.time()
    send_body(relais, 500)
    took = time.time() - started
    grown = max(status_kb(pid, "VmHWM") - idle[pid] for pid in workers)
    print("\n| worker | MB above idle (%.0f) | seconds |" % (max(idle.values()) / 1024))
    print("|---|---:|---:|")
    print("| during one 500 MB upload | %.1f | %.1f |" % (grown / 1024, took), flush=True)
    relais.empty_spool()


def ended_children_cpu(pid):
    """CPU seconds of the processes that a postmaster has had and that have ended."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def forward_once(relais):
    """Runs `relais forward --once`; seconds, peak memory in MB, and CPU seconds of the forwarder
    and of its connection's server process: what the work costs whatever else the machine does."""
    postmaster = relais.pid_of("postgres")
    server = ended_children_cpu(postmaster)
    command = [os.path.join(relais.env["RELAIS_BIN"], "relais"), "--config",
               relais.env["RELAIS_CONF"], "forward", "--once"]
    log = open(relais.directory / "bench-forward.log", "ab")
    started = time.time()
    child = subprocess.Popen(command, stdout=log, stderr=log)
    _, status, usage = os.wait4(child.pid, 0)
    took = time.time() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"bench: relais forward ended with {child.returncode}; see {log.name}")
    time.sleep(0.5)  # the server process ends a moment after its connection
    server = ended_children_cpu(postmaster) - server
    return took, usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime + server


def count_rows(relais):
    return int(relais.psql("SELECT " + " + ".join(f"(SELECT count(*) FROM {t})" for t in TABLES)))


def columns_of(relais, table):
    schema, name = table.split(".")
    return relais.psql(
        "SELECT string_agg(quote_ident(column_name), ',' ORDER BY ordinal_position) "
        f"FROM information_schema.columns WHERE table_schema = '{schema}' "
        f"AND table_name = '{name}' AND is_generated = 'NEVER'")


def copy_same_rows(relais, directory):
    """COPY by psql of the very rows that the forwarder wrote; seconds.

    With every index and foreign key, but without the triggers that link recordings of one
    person: the forwarder's time includes that work, COPY's does not.
    """
    dump = os.path.join(directory, "copy")
    os.makedirs(dump, exist_ok=True)
    out, back = [], ["BEGIN;"]
    for table in TABLES:
        columns = columns_of(relais, table)
        out.append(f"\\copy {table} ({columns}) TO '{dump}/{table}'")
        back.append(f"\\copy {table} ({columns}) FROM '{dump}/{table}'")
    back.append("COMMIT;")
    relais.psql("\n".join(out) + "\n")
    relais.empty_tables()
    relais.psql("".join(f"ALTER TABLE {table} DISABLE TRIGGER USER;" for table in TABLES))
    started = time.time()
    relais.psql("\n".join(back) + "\n")
    took = time.time() - started
    relais.psql("".join(f"ALTER TABLE {table} ENABLE TRIGGER USER;" for table in TABLES))
    shutil.rmtree(dump)
    return took


def measure_forward(relais, directory, counts):
    print("\n| parcels waiting | parcels/s | rows/s | COPY rows/s | share | ms a parcel |"
          " CPU ms a parcel | peak MB |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for count in counts:
        relais.empty_tables()
        fill.fill(relais.spool, count, 1000 + count)
        took, peak, cpu = forward_once(relais)
        delivered = int(relais.psql(
            "SELECT count(*) FROM relais.submission WHERE state = 'delivered'"))
        if delivered != count:
            sys.exit(f"bench: {count} parcels waited but {delivered} were delivered")
        rows = count_rows(relais)
        copied = copy_same_rows(relais, directory)
        print("| %d | %.0f | %.0f | %.0f | %.2f | %.3f | %.3f | %.0f |" % (
            count, count / took, rows / took, rows / copied, copied / took,
            took * 1000 / count, cpu * 1000 / count, peak), flush=True)


def measure_big_ledger(relais, existing, count):
    relais.empty_tables()
    relais.psql(f"""
        INSERT INTO relais.submission (sub_id, form_id, instance_id, xml_sha256, record_id,
                                       form_version, state, received_at, delivered_at, source, xml)
        SELECT gen_random_uuid(), 'bf_tip_ident', i, sha256(convert_to(i, 'UTF8')), i, '2026',
               'delivered', now(), now(), 'serve', convert_to(repeat(i, 30), 'UTF8')
        FROM (SELECT 'uuid:' || gen_random_uuid() AS i FROM generate_series(1, {existing})) AS g;
        INSERT INTO tip.victim (victim_id, national_code)
        SELECT gen_random_uuid(), lpad(n::text, 10, '0') || lpad((98 - (n * 100) % 97)::text, 2, '0')
        FROM generate_series(1::bigint, {existing}::bigint) AS n;
        ANALYZE;""")
    fill.fill(relais.spool, count, 77)
    took, peak, cpu = forward_once(relais)
    print("\n| ledger already holds | parcels | parcels/s | ms a parcel | CPU ms a parcel |"
          " peak MB |")
    print("|---:|---:|---:|---:|---:|---:|")
    print("| %d | %d | %.0f | %.3f | %.3f | %.0f |" % (
        existing, count, count / took, took * 1000 / count, cpu * 1000 / count, peak), flush=True)


def main():
    parser = argparse.ArgumentParser(description="Relais beside what the machine can do")
    parser.add_argument("--seconds", type=float, default=5, help="for each measurement of answers")
    parser.add_argument("--short", action="store_true", help="smaller numbers, about four minutes")
    parser.add_argument("--only", default="answers,capture,pull,memory,forward,ledger",
                        help="comma-separated parts")
    parser.add_argument("--parcels", type=lambda text: [int(n) for n in text.split(",")],
                        help="how many wait, for the part forward: 1000,10000,100000")
    options = parser.parse_args()
    parts = options.only.split(",")
    seconds = min(options.seconds, 2) if options.short else options.seconds
    directory = tempfile.mkdtemp(prefix="relais-bench-")
    os.chmod(directory, 0o755)
    relais = None
    try:
        tools = build_tools(directory)
        relais = Relais(os.path.join(directory, "system"))
        print(f"{os.cpu_count()} cores, Linux {os.uname().release}, "
              f"{time.strftime('%Y-%m-%d')}, Relais {subprocess.run(['git', '-C', str(ROOT), 'rev-parse', '--short', 'HEAD'], capture_output=True, text=True).stdout.strip()}")
        if "answers" in parts:
            measure_answers(relais, tools, directory, seconds)
        if "capture" in parts:
            measure_capture(relais, tools, directory, seconds)
        if "pull" in parts:
            pulling.measure(relais, lambda threads, size: run_json(
                tools[0], relais.spool, str(threads), str(size), str(seconds))["per_second"],
                directory, ((2000, 0), (200, PHOTO)) if options.short else ((10000, 0), (1000, PHOTO)))
        if "memory" in parts:
            measure_worker_memory(relais)
        if "forward" in parts:
            measure_forward(relais, directory, options.parcels or
                            ((1000, 5000) if options.short else (1000, 10000, 100000)))
        if "ledger" in parts:
            measure_big_ledger(relais, 50000 if options.short else 1000000, 10000)
    finally:
        if relais is not None:
            relais.stop()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
