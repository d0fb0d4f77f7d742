"""Submissions that are too large for the web server: it leaves a note for the office, one for each,
however often a phone tries. What becomes of notes is in test_situations.py.
"""
import glob
import os
import subprocess
import time
import unittest

import wire
from builds import on_release
from collect import Failed, File
from test_module import ModuleTest, body_of, post_head, submission
from webserver import wait_until


def notes_of(server):
    """What the office is told (spool/note.h), without what differs each time."""
    found = []
    for path in glob.glob(os.path.join(server.spool, "00", "new", ".*.note")):
        with open(path, encoding="utf-8") as file:
            note = dict(line.split(": ", 1) for line in file.read().splitlines())
        if len(note.get("id", "")) == 32:  # else it is being written
            found.append({key: value for key, value in note.items() if key not in ("id", "received", "relais-note")})
    return found


class Told(ModuleTest):
    """What a phone could never send is told to the office: whose it is, and how large."""
    LIMIT = 12 << 20
    reads_http2 = True  # although it refuses
    settings = {"location": "client_max_body_size 12m; lingering_time 1s; lingering_timeout 1s;"}
    INSTANCE = "uuid:5d0c4f6e-1f39-4a57-a6ae-7d0a2f1a7c11"
    XML = submission(instance=INSTANCE)

    def setUp(self):
        super().setUp()
        self.forget()

    def forget(self):
        for path in glob.glob(os.path.join(self.server.spool, "00", "new", ".*.note")):
            os.unlink(path)

    def wait_for_note(self, **expected):
        wait_until(lambda: notes_of(self.server), 5, "a note")
        [note] = notes_of(self.server)
        self.assertEqual({key: note.get(key) for key in expected}, expected)
        self.assertEqual(self.server.count("new"), 0)

    def body(self, megabytes=14):
        return body_of(self.XML, [File("big.mp4", os.urandom(megabytes << 20))])

    def test_a_phone_tries_again_and_again(self):
        """Before the office has looked that is one note."""
        for _ in range(3):
            with self.assertRaises(Failed):
                self.phone.send(self.XML, [File("big.mp4", os.urandom(14 << 20))])
        self.wait_for_note(source="serve", form="f", version="1", instance=self.INSTANCE, user="",
                           device=self.phone.device, limit=str(self.LIMIT))
        [note] = notes_of(self.server)
        self.assertTrue(14 << 20 < int(note["size"]) < 15 << 20, note)
        self.assertEqual(self.phone.send(self.XML, [File("small.mp4", os.urandom(1 << 20))]).statuses, [201],
                         "the connection and the spool go on")

    def test_a_phone_that_loses_its_network(self):
        """The note does not wait for the end of what will never end."""
        content_type, body = self.body()
        with self.connect() as connection:
            connection.write(post_head(len(body), content_type))
            connection.write(body[:200_000])
            self.wait_for_note(form="f", instance=self.INSTANCE, device="collect:abc", size=str(len(body)))

    def test_without_an_announced_length(self):
        content_type, body = self.body()
        with self.connect() as connection:
            connection.write(post_head(None, content_type, ("Transfer-Encoding", "chunked")))
            connection.write(wire.chunked(body, 1 << 20))
            self.assert_openrosa(connection.read(), 413)
        self.wait_for_note(form="f", instance=self.INSTANCE, limit=str(self.LIMIT))
        [note] = notes_of(self.server)
        self.assertGreater(int(note["size"]), self.LIMIT * 9 // 10)

    def test_a_client_that_asks_first(self):
        content_type, body = self.body()
        with self.connect() as connection:
            connection.write(post_head(len(body), content_type, ("Expect", "100-continue")))
            response = connection.read()
        self.assert_openrosa(response, 413)
        self.assertEqual(response.interim, [])
        self.wait_for_note(form="", instance="", device="collect:abc", size=str(len(body)))

    @on_release
    def test_two_hundred_megabytes_take_no_memory(self):
        content_type, body = self.body(1)
        before = self.server.memory()
        with self.connect() as connection:
            connection.write(post_head(200 << 20, content_type))
            connection.write(body)
            for number in range(198):
                connection.write(b"x" * (1 << 20))
                if number == 190:
                    self.assertLess(self.server.memory() - before, 4 << 20)
            connection.write(b"x" * ((200 << 20) - (198 << 20) - len(body)))
            self.assert_openrosa(connection.read(), 413)
        self.wait_for_note(form="f", instance=self.INSTANCE, size=str(200 << 20))

    def test_http2(self):
        port = self.server.speak_http2(**self.settings)
        for name, data in (("instance.xml", self.XML), ("film.mp4", os.urandom(14 << 20))):
            with open(os.path.join(self.server.dir, name), "wb") as file:
                file.write(data)
        command = ["curl", "-sS", "--http2-prior-knowledge", "--max-time", "20", "-i",
                   "-F", f"xml_submission_file=@{self.server.dir}/instance.xml;type=text/xml",
                   "-F", f"film.mp4=@{self.server.dir}/film.mp4",
                   f"http://127.0.0.1:{port}/openrosa/submission?deviceID=collect:h2"]

        def answer():
            run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False,
                                 stdin=subprocess.DEVNULL)
            return run.stdout.decode() if run.stdout else None

        self.assertRegex(wait_until(answer, 10, "the server to speak HTTP/2"), r"^HTTP/2 413")
        self.wait_for_note(device="collect:h2", limit=str(self.LIMIT),
                           **{"form": "f", "instance": self.INSTANCE} if self.reads_http2 else {"form": ""})

    def test_what_is_no_submission(self):
        with self.connect() as connection:
            connection.write(post_head(13 << 20, "text/plain"), b"x" * (13 << 20))
            self.assert_openrosa(connection.read(), 413)
        self.wait_for_note(form="", device="collect:abc", size=str(13 << 20))

    def test_what_fits_is_not_told(self):
        self.assertEqual(self.phone.send(self.XML, [File("a.mp4", os.urandom(9 << 20))]).statuses, [201])
        time.sleep(0.2)
        self.assertEqual(notes_of(self.server), [])

    def test_a_flood_takes_no_room(self):
        for number in range(300):
            with self.connect() as connection:
                connection.write(wire.head("POST", f"/openrosa/submission?deviceID={number}", [
                    ("Host", "x"), ("Expect", "100-continue"), ("Content-Length", str(1 << 40))]))
                self.assertEqual(connection.read().status, 413)
        time.sleep(0.3)
        self.assertLessEqual(len(notes_of(self.server)), 128)


if __name__ == "__main__":
    unittest.main()
