"""Servers' logs that outlive their test: the end of a run searches them all (tests/answers_in_logs.py).

    keptlogs.keep(server.dir)    # before the directory goes
"""
import os
import pathlib
import shutil
import uuid

PLACE = os.environ.get("RELAIS_TEST_SERVER_LOGS")


def keep(directory):
    """Moves every log below the directory to where the run gathers them, if it does."""
    for log in pathlib.Path(directory).rglob("*.log") if PLACE else ():
        if log.is_file() and not log.is_symlink():
            shutil.move(log, os.path.join(PLACE, f"{uuid.uuid4().hex}-{log.name}"))
