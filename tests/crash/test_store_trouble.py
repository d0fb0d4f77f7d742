"""PostgreSQL or the network to it in every kind of trouble, under steady traffic: phones see 201 all
the time, and when it is over all is delivered, once. (What outages of the whole server do is
shown on the whole path too: e2e/test_path.py.)
"""
import os
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import phones  # noqa: E402
import traffic  # noqa: E402
from stand import NAME  # noqa: E402
from webserver import wait_until  # noqa: E402

SECONDS = 2.5  # of trouble
running = traffic.Running()


def setUpModule():
    unittest.addModuleCleanup(running.remove)
    running.start()


class Trouble(unittest.TestCase):
    def tell(self, seconds=SECONDS, trouble=None, is_felt=True):
        """Traffic before, while and after; `is_felt`: the forwarder must have met it."""
        began, pid = len(running.log()), running.forwarder.pid
        with running.traffic() as senders:
            time.sleep(0.5)
            trouble(seconds)
            time.sleep(0.5)
        self.assertEqual(set().union(*(phone.statuses for phone in senders)), set(), "phones saw nothing but 201")
        self.assertGreater(sum(phone.sent for phone in senders), 10)
        running.settle(60)
        self.assertEqual((running.forwarder.poll(), running.forwarder.pid), (None, pid), "it lives through it")
        if is_felt:
            self.assertRegex(running.log()[began:], "event=store[.](down|refuses)", "the trouble was met")
        self.assertEqual(running.wrong(), [])

    def test_books_tell_what_is_wrong(self):
        """Each damage is told, and was not there before nor is afterwards."""
        phone = phones.Phone(running, None, "of one press")
        for habit in (phone.new, phone.locked_whole, phone.refused_answer):
            habit()
        running.settle(60)
        one = "(SELECT sub_id FROM relais.submission WHERE state = 'delivered' AND form_id = '{}' ORDER BY sub_id LIMIT 1)"
        national, locked = one.format("bf_tip_ident"), one.format("locked")
        for damage, told in (
                (f"DELETE FROM relais.submission WHERE sub_id = {national}", "acknowledged, .* in the ledger"),
                (f"UPDATE relais.submission SET state = 'superseded' WHERE sub_id = {national}", "which should be"),
                (f"UPDATE relais.submission SET xml = xml || ' ' WHERE sub_id = {locked}", "nobody sent it"),
                ("DELETE FROM relais.attachment WHERE ctid = (SELECT min(ctid) FROM relais.attachment)", "were sent"),
                (f"UPDATE tip.identification SET age = age + 1 WHERE sub_id = {national}", "identification: missing"),
                (f"UPDATE lab.person SET age = age + 1 WHERE sub_id = {locked}", "lab.person: missing"),
                (f"DELETE FROM lab.person WHERE sub_id = {locked}", "lab.person: missing")):
            with self.subTest(damage):
                running.sql(f"BEGIN; SET LOCAL session_replication_role = replica; {damage}")
                wrong = running.wrong()
                running.sql("ROLLBACK")
                self.assertRegex("\n".join(wrong), told)
        wrong = self.wrong_without_quarantine()
        self.assertRegex("\n".join(wrong), "not in quarantine")
        self.assertEqual(running.wrong(), [])

    def wrong_without_quarantine(self):
        """All of it is away: what was posted twice is put aside twice."""
        quarantine = os.path.join(running.spool, "quarantine")
        away = os.path.join(running.dir, "away")
        os.rename(quarantine, away)
        os.mkdir(quarantine)
        try:
            return running.wrong()
        finally:
            os.rmdir(quarantine)
            os.rename(away, quarantine)

    def test_stopped(self):
        self.tell(trouble=running.store_stops)

    def test_stopped_without_a_word(self):
        """pg_ctl stop -m immediate: what was not committed is gone."""
        self.tell(trouble=running.store_crashes)

    def test_out_of_connections(self):
        self.tell(trouble=running.no_connections)

    def test_read_only(self):
        self.tell(trouble=running.read_only)

    def test_connections_ended_by_the_administrator(self):
        def again_and_again(seconds):
            for _ in range(8):
                running.connections_end(seconds / 8)
        self.tell(trouble=again_and_again)

    def test_network_cut(self):
        self.tell(trouble=running.trouble["network cut"])

    def test_network_silent(self):
        """Nothing comes through, nothing ends; then it goes on."""
        self.tell(trouble=running.trouble["network silent"], is_felt=False)

    def test_network_silent_then_cut(self):
        self.tell(trouble=running.network_dies)

    def test_answers_lost(self):
        """PostgreSQL does what it is told, a COMMIT too, and the forwarder hears nothing of it."""
        self.tell(trouble=running.trouble["answers lost"])

    def test_network_silent_in_the_middle_of_a_transaction(self):
        """Of a client that is gone PostgreSQL hears nothing: it must find out by itself, or the rows of
        that batch stay locked for as long as it waits, two hours as it comes."""
        def silence(seconds):
            until = time.monotonic() + 30
            while True:
                running.forwarder.send_signal(signal.SIGSTOP)
                time.sleep(0.05)
                if running.sql(f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{traffic.WRITER}'"
                               " AND state = 'idle in transaction'") != "0":
                    break
                running.forwarder.send_signal(signal.SIGCONT)
                self.assertLess(time.monotonic(), until, "no transaction was met")
                time.sleep(0.03)
            running.network.go("stall")
            running.forwarder.send_signal(signal.SIGCONT)
            time.sleep(seconds)
            running.network.go("pass")
        self.tell(4, silence)

    def test_network_slow(self):
        self.tell(trouble=running.trouble["network slow"], is_felt=False)

    @unittest.skipUnless(traffic.may_mount(), "needs to mount a small file system")
    def test_disk_full(self):
        """Of the tablespace that attachments are in: every phone's photo waits until there is room."""
        place = os.path.join(running.database.dir, "small")
        os.mkdir(place)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "none", place], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", place], check=True)
        traffic.open_to(place, "postgres")
        running.sql(f"CREATE TABLESPACE small LOCATION '{place}'")
        running.sql("CREATE TABLE public.kept TABLESPACE pg_default AS TABLE relais.attachment; TRUNCATE relais.attachment;"
                    "ALTER TABLE relais.attachment SET TABLESPACE small; INSERT INTO relais.attachment TABLE public.kept")
        self.addCleanup(running.sql, "ALTER TABLE relais.attachment SET TABLESPACE pg_default;"
                                     "DROP TABLE public.kept; DROP TABLESPACE small")

        def full(seconds):
            began = len(running.log())
            running.sql("CREATE TABLE public.ballast (number bigint) TABLESPACE small")
            running.database.psql(NAME, "INSERT INTO public.ballast SELECT generate_series(1, 100000000)", check=False)
            wait_until(lambda: "SQLSTATE 53100" in running.log()[began:], 30, "the disk to be full")
            time.sleep(seconds)
            running.sql("DROP TABLE public.ballast")

        self.tell(trouble=full)


if __name__ == "__main__":
    unittest.main()
