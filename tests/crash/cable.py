"""A network that can really fail: PostgreSQL on this side, the forwarder in a network namespace of
its own, a cable (a veth pair) between them.

    cable = lay()                       # None where it may not be had: not root, no namespaces
    [*cable.prefix, "relais", ...]      # runs at the far end
    cable.go("cut")

The ways, which relay.py has too: "pass"; "cut" (the far end is down: unreachable at once);
"stall" (the near end is down: silence both ways, nothing is said to anybody); "mute" (what
PostgreSQL answers is dropped: it does what it is told, and nobody hears of it); "crawl".

Nothing is left behind: the namespace has no name and lives as long as what runs in it, which dies
with the test, and the cable goes with the namespace.
"""
import os
import subprocess

from webserver import IS_ROOT, wait_until

CRAWL = "tbf rate 4mbit burst 4kb latency 3s"
# Drops what comes in; it goes out all the same.
MUTE = "add table ip cable; add chain ip cable input { type filter hook input priority 0; policy drop; }"
# Each way as the commands at the far end and at the near end, then those that undo it.
WAYS = {
    "pass": ([], [], [], []),
    "cut": ([["ip", "link", "set", "FAR", "down"]], [], [["ip", "link", "set", "FAR", "up"]], []),
    "stall": ([], [["ip", "link", "set", "NEAR", "down"]], [], [["ip", "link", "set", "NEAR", "up"]]),
    "mute": ([["nft", MUTE]], [], [["nft", "delete table ip cable"]], []),
    "crawl": ([["tc", "qdisc", "add", "dev", "FAR", "root", *CRAWL.split()]],
              [["tc", "qdisc", "add", "dev", "NEAR", "root", *CRAWL.split()]],
              [["tc", "qdisc", "del", "dev", "FAR", "root"]], [["tc", "qdisc", "del", "dev", "NEAR", "root"]]),
}


class Cable:
    port = 5432
    what = "a network namespace"

    def __init__(self):
        self.way = "pass"
        self.near, self.far = f"relais{os.getpid()}", "forwarder"
        # A network of four addresses of those that RFC 2544 sets aside for tests, by the process.
        first = (198 << 24) + (18 << 16) + 4 * (os.getpid() % 32768)
        self.host, far_host = address(first + 1), address(first + 2)
        self.keeper = subprocess.Popen(["unshare", "-n", "setpriv", "--pdeathsig", "KILL", "sleep", "infinity"],
                                       stdin=subprocess.DEVNULL)
        try:
            self.lay(far_host)
        except BaseException:
            self.stop()
            raise

    def lay(self, far_host):
        own = os.readlink("/proc/self/ns/net")
        wait_until(lambda: os.readlink(f"/proc/{self.keeper.pid}/ns/net") != own, 10, "a network namespace")
        run("ip", "link", "add", self.near, "type", "veth", "peer", "name", self.far, "netns", str(self.keeper.pid))
        run("ip", "address", "add", f"{self.host}/30", "dev", self.near)
        run("ip", "link", "set", self.near, "up")
        run(*self.inside, "ip", "address", "add", f"{far_host}/30", "dev", self.far)
        run(*self.inside, "ip", "link", "set", self.far, "up")
        for way in WAYS:
            self.go(way)
        self.go("pass")

    @property
    def inside(self):
        return ["nsenter", f"--net=/proc/{self.keeper.pid}/ns/net"]

    @property
    def prefix(self):
        """Of what runs at the far end; it ends with the test."""
        return [*self.inside, "setpriv", "--pdeathsig", "KILL"]

    def go(self, way):
        if way == self.way:
            return
        self.carry_out(*WAYS[self.way][2:])
        self.carry_out(*WAYS[way][:2])
        self.way = way

    def carry_out(self, far, near):
        for command in far:
            run(*self.inside, *self.named(command))
        for command in near:
            run(*self.named(command))

    def named(self, command):
        names = {"NEAR": self.near, "FAR": self.far}
        return [names.get(word, word) for word in command]

    def stop(self):
        """What runs in it must have ended."""
        self.keeper.kill()
        self.keeper.wait()
        subprocess.run(["ip", "link", "delete", self.near], stderr=subprocess.DEVNULL, check=False)


def lay():
    """None where a part of it may not be had."""
    if not IS_ROOT:
        return None
    try:
        return Cable()
    except (OSError, subprocess.CalledProcessError, AssertionError):
        return None


def run(*command):
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True,
                   timeout=20)


def address(number):
    return ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))
