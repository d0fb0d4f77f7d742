"""Fills a spool with generated submissions, in the parcel's documented form.

Written here by hand and not by the plugin's own code: a parcel is meant to be writable
without libraries. Nothing is fsynced; the benchmark does not measure this.
"""

import hashlib
import os
import pathlib
import sys
import time
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "cases" / "national"))
import generate  # noqa: E402  (the generator of national submissions)

BOUNDARY = "7b1d9c55-0a51-4f2e-9d1a-2f0f5f6f3c11"
SHARDS = 16


def parcel(instance_id, xml):
    """One parcel file's bytes for a submission without attachments."""
    body = (
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; "
        f'name="xml_submission_file"; filename="fiche.xml"\r\n'
        f"Content-Type: text/xml\r\n\r\n"
    ).encode() + xml + f"\r\n--{BOUNDARY}--\r\n".encode()
    head = (
        "relais-parcel: 1\n"
        "received: 2026-12-02T10:15:04.123Z\n"
        "source: serve\n"
        "form: bf_tip_ident\n"
        "version: \n"
        f"instance: {instance_id}\n"
        "user: \n"
        "device: collect:benchbenchbench1\n"
        f"content-type: multipart/form-data; boundary={BOUNDARY}\n"
        f"length: {len(body)}\n"
        f"sha256: {hashlib.sha256(body).hexdigest()}\n\n"
    ).encode()
    return head + body


def fill(spool, count, seed):
    """Writes `count` parcels into the spool's shards, as if they had just arrived."""
    owner = os.stat(spool)
    stamp = time.time_ns() // 1000
    for n in range(count):
        instance_id, xml = generate.submission(seed, n)
        moment = time.gmtime((stamp + n) // 1_000_000)
        name = "%s.%06dZ-%s.parcel" % (
            time.strftime("%Y%m%dT%H%M%S", moment),
            (stamp + n) % 1_000_000,
            uuid.uuid4().hex,
        )
        path = os.path.join(spool, "%02x" % (n % SHARDS), "new", name)
        with open(path, "wb") as out:
            out.write(parcel(instance_id, xml))
        os.chown(path, owner.st_uid, owner.st_gid)


if __name__ == "__main__":
    fill(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
