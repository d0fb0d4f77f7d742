"""Two tables of plugin/README.md against the code. Limits: each row names its constant and says its value;
each limit that a public header sets has a row, or is one of INTERNAL. Events: those that are logged, no other.

usage: python3 tests/limits.py      (from the top; prints what differs, and fails if anything does)
"""
import glob
import math
import re
import sys

GUIDE = "plugin/README.md"
EVENT = r'relais_log\(\w+, "([\w.]+)"|log_file\("([\w.]+)"|log_refused\(\w+, "([\w.]+)"'
UNITS = {"": 1, "KB": 1024, "MB": 1024 ** 2, "GB": 1024 ** 3}

# What nobody meets: memory of one command, widths of columns, what a caller gives of its own.
INTERNAL = set("""
CLI_FD OPTIONS CLASSES REMAINS_MEMORY REMAINS_PARCEL SELECTION_MEMORY SHEET_TEXT SOURCES_MEMORY WEBCONF_MEMORY
WEBCONF_ARGUMENTS BODY_MEMORY CREDENTIAL TREE_MEMORY REASON PIPELINE PARAMS_ARRAY PLAN_MEMORY PLAN_SCRIPT MARKS WAITS
MISSING_FILES ARGUMENTS ENCRYPT_FORM REFERENCE_COLUMNS DEVICES CONFLICT_MEMORY BUNDLE_MEMORY REPORTS
""".split())


def evaluate(expression):
    """A C constant that is a decimal number or a product of some; None for anything else."""
    text = re.sub(r"\((?:size_t|uint64_t|int64_t|unsigned)\)", "", expression).strip(" ()")
    if not re.fullmatch(r"\d+[uUlL]*( \* \d+[uUlL]*)*", text):
        return None
    return math.prod(int(factor.rstrip("uUlL")) for factor in text.split(" * "))


def constants():
    """(file, name) → value, of all #defines and enums that end in a number."""
    found = {}
    for path in glob.glob("plugin/*/*.[ch]"):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        for name, value in re.findall(r"#define\s+([A-Z]\w+)[ \t]+([^\n]*)", text) + \
                re.findall(r"\b([A-Z][A-Z0-9_]+) = ([\d(][^,}\n]*)", text):
            number = evaluate(value.split("/*")[0].strip())
            if number is not None:
                found[path, name] = number
    return found


def rows():
    """(constant, file, value) of the table."""
    with open(GUIDE, encoding="utf-8") as guide:
        part = guide.read().partition("\n## Limits\n")[2].partition("\n## ")[0]
    for line in part.splitlines():
        named = re.search(r"\| `(\w+)` in `([\w./]+)` \|$", line)
        if named:
            number = re.match(r"([\d,]+) ?(KB|MB|GB)?\b", line.split("|")[2].strip())
            value = int(number[1].replace(",", "")) * UNITS[number[2] or ""] if number else None
            yield named[1], "plugin/" + named[2], value


def events():
    """What differs between the events that are logged and the table of them."""
    with open(GUIDE, encoding="utf-8") as guide:
        part = guide.read().partition("### What the forwarder logs\n")[2].partition("\n## ")[0]
    told = set(re.findall(r"^\| `([\w.]+)` \|", part, re.M))
    logged = set()
    for path in glob.glob("plugin/store/*.c"):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        for found in re.findall(EVENT, text):
            logged.add(next(filter(None, found)))
        logged.update(re.findall(r'return "((?:store|forward)\.\w+)"', text))
    return [f"the event {name} is {'logged' if name in logged else 'told'} only" for name in sorted(logged ^ told)]


def main():
    known, wrong, told = constants(), [], set()
    for name, path, value in rows():
        told.add(name)
        if known.get((path, name)) != value:
            wrong.append(f"{name}: {GUIDE} says {value}, {path} says {known.get((path, name))}")
    if not told:
        wrong.append(f"{GUIDE} has no table of limits")
    for path, name in sorted(known):
        public = re.fullmatch(r"RELAIS_(\w+)_MAX", name)
        if path.endswith(".h") and public and name not in told and public[1] not in INTERNAL:
            wrong.append(f"{name} of {path} is not in the table of {GUIDE}")
    wrong += events()
    print("\n".join(wrong), end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
