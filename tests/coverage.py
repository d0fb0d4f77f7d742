"""Which share of each folder's lines has run, as gcov counted them: one line a folder of plugin/, and one for all.

usage: coverage.py BUILD            prints the shares
       coverage.py --prepare BUILD  makes the files of counts, so that programs of every user can add to them
"""
import collections
import json
import os
import pathlib
import subprocess
import sys

PLUGIN = pathlib.Path(__file__).resolve().parent.parent / "plugin"


def prepare(build):
    """From zero. What is empty is not read, and written by the first process that ends."""
    for notes in build.glob("**/*.gcno"):
        counts = notes.with_suffix(".gcda")
        counts.write_bytes(b"")
        counts.chmod(0o666)


def read(build):
    """{(file, line): whether it ran}. A line stands in several objects when a header is included."""
    objects = [notes for notes in (build / "plugin").glob("**/*.gcno")]
    for notes in objects:
        counts = notes.with_suffix(".gcda")
        if counts.exists() and counts.stat().st_size == 0:
            counts.unlink()  # gcov takes what is not there for what did not run
    said = subprocess.run(["gcov", "--json-format", "--stdout", *objects], stdin=subprocess.DEVNULL, cwd=build,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout
    ran = collections.defaultdict(bool)
    for text in said.splitlines():
        for file in json.loads(text)["files"]:
            path = pathlib.Path(file["file"])
            for line in file["lines"] if path.is_relative_to(PLUGIN) else ():
                ran[path.relative_to(PLUGIN), line["line_number"]] |= line["count"] > 0
    return ran


def show(ran):
    lines, hits = collections.Counter(), collections.Counter()
    for (path, _), has_run in ran.items():
        for name in (path.parts[0], "plugin"):
            lines[name] += 1
            hits[name] += has_run
    for name in sorted(lines, key=lambda name: (name == "plugin", name)):
        print(f"coverage  {name:12} {100 * hits[name] / lines[name]:5.1f} % of {lines[name]:6} lines")


def main():
    build = pathlib.Path(os.path.abspath(sys.argv[-1]))
    if sys.argv[1] == "--prepare":
        prepare(build)
        return 0
    ran = read(build)
    show(ran)
    return 0 if any(ran.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
