"""The web server's module when something is wrong: the disk, the crowd, a killed worker, and the
configuration itself. Whatever happens, a 201 is a parcel in the spool, whole, and no parcel
is there for an answer that was not one.
"""
import collections
import concurrent.futures
import hashlib
import os
import random
import re
import signal
import subprocess
import threading
import time
import unittest

import collect
import wire
from builds import on_release
from collect import File, Phone
from test_module import body_of, post_head, submission
from webserver import IS_ROOT, SHARDS, WebServer, wait_until, xform


class Book:
    """What each sender was answered, by the hash of the body it sent."""

    def __init__(self):
        self.lock = threading.Lock()
        self.answers = collections.defaultdict(list)

    def write(self, body, status):
        with self.lock:
            self.answers[hashlib.sha256(body).hexdigest()].append(status)

    def statuses(self):
        return collections.Counter(status for answers in self.answers.values()
                                   for status in answers)


class FaultTest(unittest.TestCase):
    Server = WebServer

    def serve(self, **settings):
        server = self.Server(**settings)
        self.addCleanup(server.remove)
        server.publish("f.xml", xform("f"))
        return server

    def post(self, server, body, boundary="b"):
        with wire.Connection("127.0.0.1", server.port, timeout=30) as connection:
            connection.write(post_head(len(body), f"multipart/form-data; boundary={boundary}"),
                             body)
            return connection.read()

    def assert_busy(self, response, message):
        self.assertEqual(response.status, 503)
        self.assertEqual(response.header("Retry-After"), "30")
        self.assertIn(message, response.message())

    def send_many(self, server, book, senders, seconds, sizes=(200, 60_000)):
        """Phones that send one submission after the other, each body different, and write
        down what they were answered; a broken connection is written down as None."""
        end = time.monotonic() + seconds

        def sender(seed):
            rng = random.Random(seed)
            connection = None
            while time.monotonic() < end:
                instance = f"uuid:{rng.getrandbits(128):032x}"
                _, body = body_of(submission(instance=instance),
                                  [File("a.bin", rng.randbytes(rng.randint(*sizes)))], "b")
                response = None
                try:
                    connection = connection or wire.Connection("127.0.0.1", server.port)
                    connection.write(post_head(len(body), "multipart/form-data; boundary=b"),
                                     body)
                    response = connection.read()
                    assert response.status == 201 or response.message(), response
                except OSError:
                    time.sleep(0.01)
                book.write(body, response and response.status)
                if connection and (response is None or "close" in response.header("Connection", "")):
                    connection.close()
                    connection = None
            if connection is not None:
                connection.close()

        with concurrent.futures.ThreadPoolExecutor(senders) as pool:
            for done in [pool.submit(sender, seed) for seed in range(senders)]:
                done.result()

    def assert_kept(self, server, book, unanswered=False):
        """Every 201 is in the spool once; nothing else is, but for bodies without any answer
        where `unanswered` says that a worker was killed."""
        kept = collections.Counter(parcel.head["sha256"] for parcel in server.parcels())
        for body, answers in book.answers.items():
            self.assertEqual(len(answers), 1)
            if answers == [201]:
                self.assertEqual(kept.pop(body, 0), 1, "a submission answered with 201 is lost")
            elif answers == [None] and unanswered:
                self.assertLessEqual(kept.pop(body, 0), 1)
        self.assertFalse(kept, "there are parcels of submissions that were refused")


class Spool(FaultTest):
    def test_below_the_floor(self):
        server = self.serve(location=self.Server.say(floor="1000000g"))
        server.start()
        self.assert_busy(self.post(server, body_of(submission(), (), "b")[1]), "plus de place")
        self.assertEqual((server.count("new"), server.count("tmp")), (0, 0))

    @unittest.skipUnless(IS_ROOT, "needs to mount a small file system")
    def test_a_full_disk_gets_503_and_nothing_half_written(self):
        server = self.serve(location=self.Server.say(floor="0", buffer="1m"))
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", server.spool],
                       check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", server.spool], check=True)
        server.make_spool()
        server.start()
        book = Book()
        self.send_many(server, book, 4, 2, (100_000, 900_000))
        statuses = book.statuses()
        self.assertEqual(set(statuses), {201, 503})
        self.assertGreater(statuses[503], 3)
        self.assert_kept(server, book)
        wait_until(lambda: server.count("tmp") == 0, 5, "tmp to be empty")
        server.empty()
        self.assertEqual(self.post(server, body_of(submission(), (), "b")[1]).status, 201)

    def test_a_spool_that_comes_later(self):
        server = self.serve()
        away = server.spool + ".away"
        os.rename(server.spool, away)
        server.start()
        wait_until(lambda: "the spool cannot be opened" in server.log(), 5, "a word of it")
        phone = Phone(server.url)
        self.addCleanup(phone.close)
        self.assertEqual(len(phone.sync()), 1)
        body = body_of(submission(), (), "b")[1]
        self.assert_busy(self.post(server, body), "occupé")
        os.rename(away, server.spool)
        self.assertEqual(self.post(server, body).status, 201)

    def test_a_spool_that_cannot_be_written(self):
        server = self.serve()
        server.start()
        body = body_of(submission(), (), "b")[1]
        self.assertEqual(self.post(server, body).status, 201)
        server.empty()
        for shard in SHARDS:
            os.chmod(os.path.join(server.spool, shard, "tmp"), 0o500)
        if not IS_ROOT:
            self.skipTest("the spool is the server's own")
        self.assert_busy(self.post(server, body), "occupé")
        self.assertEqual(server.count("new"), 0)
        for shard in SHARDS:
            os.chmod(os.path.join(server.spool, shard, "tmp"), 0o2730)
        self.assertEqual(self.post(server, body).status, 201)

    def test_forms_that_come_later(self):
        server = self.serve()
        os.rename(server.forms, server.forms + ".away")
        server.start()
        body = body_of(submission(), (), "b")[1]
        self.assert_busy(self.post(server, body), "occupé")
        os.rename(server.forms + ".away", server.forms)
        wait_until(lambda: self.post(server, body).status == 201, 5, "the forms")


class Crowd(FaultTest):
    def test_a_full_thread_queue_gets_503(self):
        server = self.serve(main="thread_pool default threads=1 max_queue=1;",
                            location="client_body_buffer_size 1m;")
        server.start()
        book = Book()
        self.send_many(server, book, 12, 2)
        statuses = book.statuses()
        self.assertEqual(set(statuses), {201, 503})
        self.assertGreater(statuses[201], 20)
        self.assert_kept(server, book)
        self.assertEqual(server.count("tmp"), 0)

    def test_a_named_pool(self):
        server = self.serve(main="thread_pool phones threads=2;",
                            location="relais_thread_pool phones;")
        server.start()
        self.assertEqual(self.post(server, body_of(submission(), (), "b")[1]).status, 201)

    def test_workers_killed_under_load(self):
        server = self.serve(workers=2)
        server.start()
        book = Book()
        ended = threading.Event()

        def killer():
            rng = random.Random(3)
            while not ended.wait(0.2 + 0.3 * rng.random()):
                for pid in server.workers()[:1]:
                    os.kill(pid, signal.SIGKILL)

        thread = threading.Thread(target=killer)
        thread.start()
        try:
            self.send_many(server, book, 12, 3)
        finally:
            ended.set()
            thread.join()
        statuses = book.statuses()
        self.assertGreater(statuses[201], 100)
        self.assertGreater(statuses[None], 0, "no connection was cut: nothing was tried")
        self.assertEqual(set(statuses), {201, None})
        self.assert_kept(server, book, unanswered=True)

    def test_reloads_under_load(self):
        server = self.serve(workers=2)
        server.start()
        book = Book()
        thread = threading.Thread(target=self.send_many, args=(server, book, 8, 3))
        thread.start()
        while thread.is_alive():
            server.reload()
            thread.join(0.7)
        self.assertGreater(book.statuses()[201], 50)
        self.assert_kept(server, book, unanswered=True)
        wait_until(lambda: server.count("tmp") == 0, 5, "tmp to be empty")
        self.assertEqual(server.alarms(), [])

    @on_release
    def test_a_large_upload_takes_little_memory(self):
        server = self.serve(location=self.Server.say(body="0"))
        server.start()
        phone = Phone(server.url)
        self.addCleanup(phone.close)
        phone.send(submission())
        idle, size = server.memory(), 300 << 20
        film = os.path.join(server.dir, "film.mp4")
        with open(film, "wb") as file:
            file.truncate(size)
        highest = [idle]
        ended = threading.Event()

        def watch():
            while not ended.wait(0.02):
                highest.append(server.memory())

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            receipt = phone.send(submission(), [File("film.mp4", film)])
        finally:
            ended.set()
            thread.join()
        self.assertEqual((receipt.statuses, receipt.limit), ([201], 100_000_000))
        self.assertLess(max(highest) - idle, 32 << 20)
        self.assertGreater(len(highest), 10)


class Configuration(FaultTest):
    """Mistakes that an administrator can make, and the sentence that says how to mend them."""

    def refused(self, pattern, **settings):
        server = self.serve(**settings)
        is_good, text = server.check()
        self.assertFalse(is_good, settings)
        self.assertRegex(text, pattern)
        server.remove()

    def test_the_limits_must_agree(self):
        self.refused(r"client_max_body_size is 1048576, .* 10000000 .* 10065536 .*"
                     r'"client_max_body_size 100m;".*nginx.conf:\d+',
                     location="client_max_body_size 1m;")
        self.refused(r"relais_accept_length is 104857600 and client_max_body_size is 104857600,"
                     r' but it takes 104923136 .*"client_max_body_size 101m;"',
                     location="relais_accept_length 100m;")
        self.refused('"relais_accept_length" directive must be above 0', location="relais_accept_length 0;")
        for settings, limit in (("client_max_body_size 2m; relais_accept_length 1m;", 1 << 20),
                                ("client_max_body_size 0;", 100_000_000),
                                ("client_max_body_size 0; relais_accept_length 1g;", 1 << 30)):
            server = self.serve(location=settings)
            server.start()
            with Phone(server.url) as phone:
                self.assertEqual(phone.send(submission()).limit, limit)
            server.remove()

    def test_words_that_are_not_there(self):
        self.refused('unknown word "server"', server="location /c/ { relais server; }")
        self.refused("is duplicate", location="relais serve;")
        self.refused("relais_base_url.* whole address", location="relais_base_url /openrosa;")
        self.refused("unknown thread pool \"none\"", location="relais_thread_pool none;")

    def test_places_where_it_makes_no_sense(self):
        for place in ("= /openrosa/submission", "~ ^/x/", "@name"):
            self.refused("has no place in location", server=f"location {place} {{ relais serve; }}")

    def test_directories_are_needed(self):
        for word in ("relais_spool", "relais_forms"):
            server = self.serve()
            path = os.path.join(server.dir, "nginx.conf")
            with open(path, encoding="utf-8") as file:
                text = file.read()
            with open(path, "w", encoding="utf-8") as file:
                file.write(re.sub(rf"{word} .*;", "", text))
            is_good, said = server.check()
            self.assertFalse(is_good)
            self.assertRegex(said, rf'"relais serve" needs {word}; add "{word} DIRECTORY;"')

    def test_relative_paths_begin_at_the_prefix(self):
        server = self.serve(location="relais_spool spool; relais_forms forms;")
        server.start()
        with Phone(server.url) as phone:
            self.assertEqual(phone.send(submission()).statuses, [201])
        self.assertEqual(len(server.parcels()), 1)

    def test_base_url(self):
        server = self.serve(location="relais_base_url https://forms.bf/a/openrosa//;")
        server.start()
        with Phone(server.url) as phone:
            [form] = phone.form_list()
        self.assertEqual(form.url, "https://forms.bf/a/openrosa/forms/f/1/form.xml")

    def test_limit_except_and_if_are_the_same_location(self):
        server = self.serve(server="location /m/ { relais serve; limit_except GET { deny all; } }"
                                   "location /i/ { relais serve;"
                                   " if ($arg_deviceID) { set $x 1; } }"
                                   "location /i/inner/ { relais off; }")
        server.start()
        for path, method, status in (("/m/formList", "GET", 200), ("/m/submission", "POST", 403),
                                     ("/i/formList?deviceID=x", "GET", 200),
                                     ("/i/submission?deviceID=x", "HEAD", 204),
                                     ("/i/inner/formList", "GET", 404)):
            with wire.Connection("127.0.0.1", server.port) as connection:
                connection.write(wire.head(method, path, [("Host", "x"), ("Content-Length", "0")]))
                response = connection.read(method)
            with self.subTest(path=path):
                self.assertEqual(response.status, status)
                self.assertEqual(response.message() is not None, status == 403)

    def test_a_prefix_at_the_root_and_one_to_be_encoded(self):
        for name, url in (("/", "/"), ('"/fo rms/"', "/fo%20rms/"), ("/fö", "/f%C3%B6/")):
            server = self.serve(server=f"location {name} {{ relais serve; }}")
            server.publish("g.xml", xform("g a/b", "-1%"))
            server.start()
            with Phone(f"http://{server.host}{url}") as phone, self.subTest(name=name):
                self.assertEqual(len(phone.sync()), 2)
                self.assertEqual(phone.send(submission()).statuses, [201])
            server.remove()


if __name__ == "__main__":
    unittest.main()
