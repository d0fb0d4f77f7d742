"""Searches the logs of all servers that a run of the tests started for answers of the sample people.

usage: answers_in_logs.py DIR

DIR holds what e2e/keptlogs.py gathered: logs of the forwarder, nginx, Apache, and of PostgreSQL where it was
set up as plugin/README.md says. The people are those of xforms/samples, which most tests send.
Ends with 1 and the places when an answer is in a log, and when there is nothing to search.
"""
import html
import pathlib
import re
import sys

SAMPLES = pathlib.Path(__file__).resolve().parents[1] / "xforms" / "samples"
# What names a person, reaches them or opens their file.
TELLING = ("surname given_names alias mother father contact_name quarter birth_place employer plate phone"
           " contact_phone document_number made scan typed code").split()
FEWEST_ANSWERS, FEWEST_LOGS = 60, 10  # below this the search itself is broken


def answers():
    text = "".join(path.read_text(encoding="utf-8") for path in sorted(SAMPLES.glob("*.xml")))
    return sorted({html.unescape(found) for found in re.findall(rf"<(?:{'|'.join(TELLING)})>([^<]+)<", text)})


def pattern(words):
    """As words of their own: ids and hashes are full of digits. A log may have written é as \\xC3\\xA9."""
    spelled = {form for word in words for form in (word, re.sub(r"[^\x20-\x7e]", escaped, word))}
    return re.compile(rf"(?<![\w.-])(?:{'|'.join(map(re.escape, sorted(spelled, key=len, reverse=True)))})(?![\w.-])")


def escaped(found):
    return "".join(f"\\x{byte:02X}" for byte in found[0].encode())


def places(search, log):
    """Where an answer stands, without the answer."""
    with open(log, encoding="utf-8", errors="replace") as text:
        for number, line in enumerate(text, 1):
            if search.search(line):
                yield f"{log}:{number}: {search.sub('[answer]', line.rstrip())[:300]}"


def main():
    people, logs = answers(), sorted(pathlib.Path(sys.argv[1]).glob("*.log"))
    search = pattern(people)
    if len(people) < FEWEST_ANSWERS or len(logs) < FEWEST_LOGS or not all(map(search.search, people)):
        raise SystemExit(f"{len(people)} answers and {len(logs)} logs: too few to have searched for anything")
    found = [place for log in logs for place in places(search, log)]
    print(*found, sep="\n")
    print(f"{len(people)} answers, {len(logs)} logs of {sum(log.stat().st_size for log in logs) / 1e6:.1f} MB,"
          f" {len(found)} lines with an answer")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
