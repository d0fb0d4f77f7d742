"""Which build a test is for, and what the instrumented one asks of its tests.

Tests run on a build with AddressSanitizer, UBSan and counters of lines. What a sanitizer has to say goes into
a file, never into the output of a program that a test expects to fail: reports() gives what is new, and the
test that caused it fails. tests/unittest_results.py asks after each test; a program that runs alone ends
with it. A web server that loads a module with sanitizers needs their library first: web().

A test that measures memory or time, that looks at what is linked, or whose tool bears no sanitizer, says so:

    @on_release
    def test_memory_stays(self): ...

tests/run.sh runs it on the Release build instead; with @on_both on both, and the test asks is_watched()
where it measures. Run alone, a file runs all of it on RELAIS_BUILD.
"""
import atexit
import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

BUILD = os.environ.get("RELAIS_BUILD", "build")
FOUND = 99  # the exit code of a program in which a sanitizer found something: none of Relais's own
NGINX = "/usr/sbin/nginx"
WATCHED, RELEASE = "watched", "release"  # the parts of a program: what runs on which build


def on_release(test):
    """Marks a test, or a class of them, for the Release build."""
    test.parts = (RELEASE,)
    return test


def on_both(test):
    test.parts = (WATCHED, RELEASE)
    return test


def parts(test):
    """Of a test as unittest knows it."""
    method = getattr(test, getattr(test, "_testMethodName", ""), test)
    return getattr(method, "parts", None) or getattr(test, "parts", (WATCHED,))


@functools.cache
def is_watched():
    """Whether the build has the sanitizers in it."""
    try:
        with open(os.path.join(BUILD, "CMakeCache.txt"), encoding="utf-8") as cache:
            return "RELAIS_SANITIZE:BOOL=ON\n" in cache
    except OSError:
        return False


@functools.cache
def directory():
    """Where reports go; servers' users write there too."""
    made = tempfile.mkdtemp(prefix="relais-reports-")
    os.chmod(made, 0o1777)
    atexit.register(end)
    return made


def watch():
    """Tells the sanitizers of all programs that this one starts where to report."""
    if not is_watched():
        return
    common = f"log_path={directory()}/report:exitcode={FOUND}:print_stacktrace=1"
    os.environ.setdefault("ASAN_OPTIONS", common + ":detect_stack_use_after_return=1")
    os.environ.setdefault("UBSAN_OPTIONS", common)


def reports():
    """What has been reported since the last call, as one text."""
    if not is_watched():
        return ""
    found = []
    for name in sorted(os.listdir(directory())):
        path = os.path.join(directory(), name)
        if name.startswith("report"):
            with open(path, encoding="utf-8", errors="replace") as file:
                found.append(file.read())
            os.unlink(path)
    return "\n".join(found)


def look_into(log):
    """What a web server's log has of UBSan, which reads its options when it first reports: by then nginx has
    written its title over them."""
    if is_watched() and "runtime error: " in log:
        with open(os.path.join(directory(), f"report.log.{time.monotonic_ns()}"), "w", encoding="utf-8") as file:
            file.write("\n".join(re.findall(r".*runtime error: .*(?:\n +#.*)*", log)) + "\n")


def end():
    """Nothing that was reported goes unread."""
    left = reports()
    shutil.rmtree(directory(), ignore_errors=True)
    if left:
        sys.stderr.write(f"\nThe sanitizers reported:\n{left}\n")
        sys.stderr.flush()
        os._exit(1)  # the code of a program is settled by now


@functools.cache
def library():
    return subprocess.run(["gcc", "-print-file-name=libasan.so"], check=True, text=True,
                          stdout=subprocess.PIPE).stdout.strip()


def web(environment=None):
    """The environment of a web server. Its leaks are its own: memory of pools, which the module's is too.
    Each dynamic module has tables of the same names (detect_odr_violation)."""
    environment = os.environ | (environment or {})
    if is_watched() and library() not in environment.get("LD_PRELOAD", ""):
        environment |= {
            "LD_PRELOAD": f"{library()} {environment.get('LD_PRELOAD', '')}".strip(),
            "ASAN_OPTIONS": environment["ASAN_OPTIONS"] + ":detect_leaks=0:detect_odr_violation=0"}
    return environment


@functools.cache
def programs():
    """A directory with an nginx that is started as web() says, for scripts that find it on their PATH."""
    made = os.path.join(directory(), "bin")
    os.mkdir(made)
    path = os.path.join(made, "nginx")
    with open(path, "w", encoding="utf-8") as file:
        said = web()
        file.write(f"#!/bin/sh\nLD_PRELOAD='{said['LD_PRELOAD']}' ASAN_OPTIONS='{said['ASAN_OPTIONS']}' "
                   f"exec {NGINX} \"$@\"\n")
    os.chmod(path, 0o755)
    return made


def script():
    """The environment of a script that starts a web server."""
    if not is_watched():
        return os.environ
    return os.environ | {"PATH": f"{programs()}:{os.environ['PATH']}"}


watch()
