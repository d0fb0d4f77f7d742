"""Random trouble of every kind under steady traffic, for as long as one likes; the books at the end.

    RELAIS_BUILD=BUILD python3 tests/crash/soak.py [--minutes 30] [--seed N]

Each trouble is a line; what follows a seed is the same kinds in the same order. Ends with 0 when
sent = acknowledged = in the ledger and the rows are the truth, else it says what is wrong.
"""
import argparse
import os
import random
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import traffic  # noqa: E402

CHECK = 120  # seconds between two looks at the books; what is in quarantine fills the small disk meanwhile


def play(running, minutes, seed):
    rng = random.Random(seed)
    running.rng.seed(seed)
    running.seed = 1000 * seed
    kinds = sorted(running.trouble)
    until, count = time.monotonic() + 60 * minutes, 0
    while time.monotonic() < until:
        pause = min(until, time.monotonic() + CHECK)
        with running.traffic():
            while time.monotonic() < pause:
                time.sleep(rng.uniform(0.2, 3))
                kind, seconds = rng.choice(kinds), rng.uniform(0.2, 4)
                count += 1
                print(f"{time.strftime('%H:%M:%S')} {kind}, {seconds:.1f} s", flush=True)
                running.trouble[kind](seconds)
                running.keep_forwarder()
        running.settle(300)
        wrong = running.wrong()
        if wrong:
            print("\n".join(wrong))
            raise SystemExit(f"{running.book.balance} were sent: the books do not balance")
        print(f"{running.book.balance} sent = acknowledged = in the ledger after {count} troubles and"
              f" {running.forwarders} starts of the forwarder; the rows are the truth", flush=True)
        running.empty_quarantine()


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--minutes", type=float, default=30)
    options.add_argument("--seed", type=int, default=random.randrange(10**6))
    chosen = options.parse_args()
    print(f"seed {chosen.seed}", flush=True)
    running = traffic.Running(small_spool=traffic.may_mount())
    running.web_floor = "1m"  # the import's own: with none the phones would leave no room for it
    try:
        running.start()
        play(running, chosen.minutes, chosen.seed)
    finally:
        running.remove()


if __name__ == "__main__":
    main()
