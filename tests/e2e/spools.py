"""A spool as the forwarder makes it, for tests that put parcels there before it has run."""
import os

PASS, DROP, PRIVATE = 0o2710, 0o2730, 0o2700


def make_spool(path):
    """The directories, with the modes that the forwarder asks for."""
    places = {"": PASS, "quarantine": PRIVATE}
    for shard in range(16):
        places |= {f"{shard:02x}": PASS, f"{shard:02x}/tmp": DROP, f"{shard:02x}/new": DROP}
    for place, mode in places.items():
        directory = os.path.join(path, place)
        os.makedirs(directory)
        os.chmod(directory, mode)
