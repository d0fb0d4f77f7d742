"""plugin/quickstart.sh itself: what it refuses, what it says, and that it leaves nothing running."""
import os
import signal
import socket
import subprocess
import tempfile
import unittest

import builds
from quickstart import SCRIPT, Quickstart, free_port, wait_until


class Refusals(unittest.TestCase):
    def run_script(self, *arguments):
        return Quickstart.run(*arguments)

    def test_help(self):
        done = self.run_script("--help")
        self.assertEqual(done.returncode, 0)
        for word in ("--dir", "--port", "--detach", "--stop", "RELAIS_DB"):
            self.assertIn(word, done.stdout)

    def test_misuse_shows_the_usage(self):
        for arguments in (["--nonsense"], ["--dir"], ["--port", "http"], ["--stop"]):
            done = self.run_script(*arguments)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertIn("usage:", done.stdout)

    def test_stopping_what_is_not_there(self):
        done = self.run_script("--stop", "--dir", "/nonexistent/relais")
        self.assertEqual(done.returncode, 1)
        self.assertIn("there is no directory", done.stdout)

    def test_a_path_that_configuration_files_would_misread(self):
        with tempfile.TemporaryDirectory(prefix="relais path;") as directory:
            done = self.run_script("--dir", directory)
            self.assertEqual(done.returncode, 1)
            self.assertIn("Choose a --dir", done.stdout)

    def test_a_port_that_is_taken(self):
        with socket.create_server(("127.0.0.1", 0)) as other, \
                tempfile.TemporaryDirectory(prefix="relais-path-") as directory:
            port = other.getsockname()[1]
            done = self.run_script("--dir", directory, "--port", str(port), "--detach")
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn(f"port {port} is taken", done.stdout)
            self.assertFalse(os.path.exists(os.path.join(directory, "env")))


class Life(unittest.TestCase):
    def setUp(self):
        self.server = Quickstart()
        self.addCleanup(self.server.remove)

    def running(self):
        return [name for name in ("nginx", "forward", "postgres") if self.server.pid(name)]

    def test_below_a_directory_that_the_servers_may_not_enter(self):
        """Everything works all the same; as a plain user nothing is out of reach."""
        self.server.dir = os.path.join(self.server.dir, "private", "relais")
        os.makedirs(self.server.dir)
        os.chmod(os.path.dirname(self.server.dir), 0o700)
        self.server.start()
        self.assertEqual(len(self.running()), 3)
        self.assertGreater(self.server.sql("SELECT count(*) AS n FROM relais.submission")[0]["n"], 0)
        self.assertEqual(os.stat(os.path.dirname(self.server.dir)).st_mode & 0o777, 0o700)

    def start_in_foreground(self):
        """Returns the running script and a function that reads what it has said so far. A test
        run in the background ignores SIGINT, and a shell cannot trap what it was born ignoring."""
        said = os.path.join(self.server.top, "said")
        with open(said, "wb") as output:
            process = subprocess.Popen(
                ["sh", SCRIPT, "--dir", self.server.dir, "--port", str(free_port())],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                start_new_session=True, env=builds.script(),
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))

        def read():
            with open(said, encoding="utf-8") as text:
                return text.read()
        wait_until(lambda: "\nRunning." in read() or process.poll() is not None, 240, "the servers")
        self.assertEqual(len(self.running()), 3, read())
        return process, read

    def test_ctrl_c_stops_everything(self):
        process, said = self.start_in_foreground()
        os.killpg(process.pid, signal.SIGINT)
        self.assertEqual(process.wait(60), 0, said())
        self.assertIn("Stopped: nginx forward postgres", said())
        self.assertEqual(self.running(), [])

    def test_a_server_that_ends_by_itself_is_told_and_the_rest_stopped(self):
        process, said = self.start_in_foreground()
        self.server.kill("forward")
        self.assertEqual(process.wait(60), 1, said())
        self.assertIn("one of the servers ended", said())
        self.assertEqual(self.running(), [])


if __name__ == "__main__":
    unittest.main()
