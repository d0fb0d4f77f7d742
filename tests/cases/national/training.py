"""Invented people to train with: the submissions of all four national forms that would come of
them, into a directory or to a server.

usage: python3 tests/cases/national/training.py --people N (--out DIR | --send URL) [options]

  --people N            how many people were seen; some 4 submissions come of each
  --seed WORD           other people for another word, the same for the same (default: training)
  --out DIR             one file each, DIR/FORM-NUMBER.xml, numbered as they arrive
  --send URL            to a server as Collect does, https://relais.example.bf/openrosa for instance
  --user NAME           with --send: who sends, when the server asks
  --password-file FILE  with --send: a file whose first line is the password
  --phones N            with --send: how many phones send at once (default 4)

Cards, cases and corrections refer to each other across the forms. Names are made of syllables, no
list of persons stands behind them. What must be in the tables afterwards is printed at the end.
Never send them to a server that holds real people: they could not be told apart afterwards.
"""

import argparse
import collections
import concurrent.futures
import json
import pathlib
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "e2e"))
import collect  # noqa: E402  (the phone)
import nation  # noqa: E402


def number_of_people(text):
    number = int(text)
    if not 1 <= number <= 200_000:
        raise argparse.ArgumentTypeError("from 1 to 200000")
    return number


def number_of_phones(text):
    number = int(text)
    if not 1 <= number <= 64:
        raise argparse.ArgumentTypeError("from 1 to 64")
    return number


def read_arguments(arguments):
    parser = argparse.ArgumentParser(prog="training.py", usage=__doc__.split("usage: ", 1)[1].split("\n")[0], add_help=False)
    parser.format_help = lambda: __doc__.lstrip()
    parser.add_argument("--people", type=number_of_people, required=True)
    parser.add_argument("--seed", default="training")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--out", type=pathlib.Path)
    where.add_argument("--send")
    parser.add_argument("--user")
    parser.add_argument("--password-file", type=pathlib.Path)
    parser.add_argument("--phones", type=number_of_phones, default=4)
    parser.add_argument("--help", "-h", action="help")
    return parser.parse_args(arguments)


def write(submissions, directory):
    directory.mkdir(parents=True, exist_ok=True)
    for n, one in enumerate(submissions):
        (directory / f"{one.form}-{n:06d}.xml").write_bytes(one.xml)


def send(submissions, url, user=None, password=None, phones=4):
    """Each phone sends every so-manieth submission, in order, and keeps its connection. Returns how
    many were acknowledged, and what Collect would show its user of the others."""
    own, complaints = threading.local(), collections.Counter()

    def send_one(one):
        if not hasattr(own, "phone"):
            own.phone = collect.Phone(url, user, password)
        try:
            own.phone.send(one.xml)
        except (collect.Failed, OSError) as why:
            own.phone.close()
            complaints[str(why)] += 1

    with concurrent.futures.ThreadPoolExecutor(phones) as pool:
        list(pool.map(send_one, submissions))
    return len(submissions) - sum(complaints.values()), complaints


def main(arguments):
    asked = read_arguments(arguments)
    made = nation.Nation(asked.seed, asked.people)
    if asked.out:
        write(made.sent, asked.out)
    else:
        password = asked.password_file.read_text(encoding="utf-8").split("\n")[0] if asked.password_file else None
        acknowledged, complaints = send(made.sent, asked.send, asked.user, password, asked.phones)
        for text, times in complaints.most_common():
            print(f"{times} not sent: {text}", file=sys.stderr)
        print(f"{acknowledged} of {len(made.sent)} submissions acknowledged", file=sys.stderr)
        if complaints:
            return 1
    print(json.dumps(made.counts(), indent=1, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
