"""`relais doctor` on installations that are well and on ones with each fault that it knows: a
real nginx with the module, a real PostgreSQL, and the configuration as nginx prints it.
"""
import json
import os
import shutil
import subprocess
import unittest

import builds
import command
from command import FAILED, FRENCH, OK, Site, database
from keys import Keys
from webserver import SHARDS, WebServer, xform

DUMP = """# configuration file /etc/nginx/nginx.conf:
user web;
load_module modules/ngx_http_relais_module.so;
http {
    {http}
    include conf.d/*.conf;
}

# configuration file /etc/nginx/conf.d/site.conf:
# a comment with { braces ; and "quotes
server {
    {listen}
    log_format odd '${request} "{" $status';
    location /openrosa/ {
        relais serve;
        {serve}
    }
    location = /submission {
        relais capture;
        {capture}
    }
}
"""

LINE_OF_SERVE, LINE_OF_CAPTURE = 6, 10


def setUpModule():
    command.start_database()


def tearDownModule():
    database.remove()


class Doctor(Site):
    def setUp(self):
        super().setUp()
        self.close_spool(self.spool)
        database.create(self.database)

    @staticmethod
    def close_spool(spool):
        for shard in SHARDS:
            for leaf, mode in (("tmp", 0o2730), ("new", 0o2730), ("", 0o2710)):
                os.chmod(os.path.join(spool, shard, leaf), mode)
        os.chmod(os.path.join(spool, "quarantine"), 0o2700)
        os.chmod(spool, 0o2710)

    def dump(self, http="client_max_body_size 100m;", listen="listen 443 ssl;",
             serve="auth_basic x;", capture="proxy_pass http://app; proxy_ignore_client_abort on;",
             spool=None):
        path = os.path.join(self.dir, "dump.txt")
        text = DUMP
        values = {"http": f"{http} relais_spool {spool or self.spool};", "listen": listen,
                  "serve": serve, "capture": capture}
        for key, value in values.items():
            text = text.replace("{" + key + "}", value)
        command.write(path, text)
        return path

    def findings(self, *arguments, part=None, dump=None, **options):
        done = self.relais("doctor", "--json", "--nginx-dump", dump or self.dump(), *arguments,
                           **options)
        found = json.loads(done.out)
        self.assertEqual(done.code, FAILED if any(one["finding"] == "fault" for one in found)
                         else OK, done.err)
        return [one for one in found if part is None or one["part"] == part]

    def sole(self, found, finding):
        chosen = [one for one in found if one["finding"] == finding]
        self.assertEqual(len(chosen), 1, found)
        return chosen[0]


class Nginx(Doctor):
    def nginx(self, **settings):
        return self.findings(part="nginx", dump=self.dump(**settings))

    def test_a_good_configuration_has_only_good_findings(self):
        self.assertEqual({one["finding"] for one in self.nginx()}, {"ok"})

    def test_a_body_limit_below_what_phones_are_told(self):
        fault = self.sole(self.nginx(http="client_max_body_size 2m;"), "fault")
        self.assertIn("2097152", fault["text"])
        self.assertEqual(fault["do"], ["/etc/nginx/nginx.conf:4: client_max_body_size 100m;"])

    def test_no_body_limit_at_all_is_nginx_own(self):
        fault = self.sole(self.nginx(http=""), "fault")
        self.assertEqual(fault["do"],
                         [f"/etc/nginx/conf.d/site.conf:{LINE_OF_SERVE}: "
                          "client_max_body_size 100m;"])

    def test_a_lower_limit_that_is_told_as_well(self):
        found = self.nginx(http="client_max_body_size 3m;",
                           serve="auth_basic x; relais_accept_length 2m;")
        self.assertEqual({one["finding"] for one in found}, {"ok"})

    def test_another_spool_than_the_forwarder_reads(self):
        found = [one for one in self.nginx(spool="/elsewhere") if one["finding"] == "fault"]
        self.assertEqual(len(found), 2)  # serve and capture
        self.assertIn("/elsewhere", found[0]["text"])

    def test_capture_that_a_phone_can_undo_by_hanging_up(self):
        warning = self.sole(self.nginx(capture="uwsgi_pass unix:/s;"), "warning")
        self.assertEqual(warning["do"],
                         [f"/etc/nginx/conf.d/site.conf:{LINE_OF_CAPTURE}: "
                          "uwsgi_ignore_client_abort on;"])

    def test_capture_without_a_server_behind_it(self):
        fault = self.sole(self.nginx(capture="proxy_ignore_client_abort on;"), "fault")
        self.assertIn("behind", fault["text"])

    def test_nobody_is_asked_for_a_name_and_no_https(self):
        found = self.nginx(serve="", listen="listen 80;")
        self.assertEqual([one["finding"] for one in found].count("warning"), 2)

    def test_text_that_is_no_configuration(self):
        path = os.path.join(self.dir, "noise")
        with open(path, "wb") as file:
            file.write(b"}}}{{{ \x00\xff ;;; 'open " * 5000)
        self.assertTrue(self.findings(part="nginx", dump=path))

    def test_a_dump_that_is_not_there(self):
        fault = self.sole(self.findings(part="nginx", dump="/nowhere/dump"), "fault")
        self.assertIn("/nowhere/dump", fault["text"])


class SpoolAndKeys(Doctor):
    """The very checks that the forwarder makes at its start."""

    def test_a_directory_that_others_may_enter(self):
        os.chmod(os.path.join(self.spool, "quarantine"), 0o2755)
        os.chmod(os.path.join(self.spool, "03"), 0o2730)
        found = [one for one in self.findings(part="spool") if one["finding"] == "fault"]
        self.assertEqual([one["do"] for one in found],
                         [[f"chmod 2710 {self.spool}/0?"], [f"chmod 2700 {self.spool}/quarantine"]])

    def test_a_directory_that_is_missing(self):
        os.rmdir(os.path.join(self.spool, "0f", "new"))
        fault = self.sole(self.findings(part="spool"), "fault")
        self.assertIn(os.path.join(self.spool, "0f", "new"), fault["text"])

    def test_the_private_key_beside_the_certificate(self):
        keys = Keys(self.dir).make()
        command.write(self.conf, command.read(self.conf) + keys.settings)
        faults = [one for one in self.findings() if one["finding"] == "fault" and "private key" in one["text"]]
        self.assertEqual(len(faults), 1, faults)
        self.assertIn(keys.private, faults[0]["text"])
        os.unlink(keys.private)
        self.assertEqual([one for one in self.findings() if "private key" in one["text"]], [])


@unittest.skipUnless(os.geteuid() == 0, "only root can become the web server's user")
class SpoolOfTheWebUser(Doctor):
    def setUp(self):
        super().setUp()
        os.chmod(self.dir, 0o711)
        for directory, _, _ in os.walk(self.spool):
            shutil.chown(directory, "nobody", "www-data")
        self.close_spool(self.spool)

    def spool_findings(self):
        return self.findings("--web-user", "www-data", part="spool")

    def test_a_good_spool(self):
        self.assertNotIn("fault", {one["finding"] for one in self.spool_findings()})
        self.assertEqual(os.listdir(os.path.join(self.spool, "00", "new")), [])
        self.assertEqual(os.listdir(os.path.join(self.spool, "00", "tmp")), [])

    def test_the_web_user_may_list(self):
        os.chmod(os.path.join(self.spool, "00", "new"), 0o2770)
        found = [one for one in self.spool_findings() if one["finding"] == "fault"]
        self.assertTrue(any("list" in one["text"] for one in found), found)
        self.assertTrue(any("chmod 2730" in line for one in found for line in one["do"]), found)

    def test_the_web_user_may_not_create(self):
        os.chmod(os.path.join(self.spool, "00", "tmp"), 0o2700)
        fault = self.sole(self.spool_findings(), "fault")
        self.assertIn("503", fault["text"])

    def test_what_waits_too_long(self):
        self.parcel("00/new", command.parcel_name(1), received="2026-03-02T10:15:04.123Z")
        fault = self.sole(self.spool_findings(), "fault")
        self.assertIn("2026-03-02", fault["text"])

    def test_a_spool_that_is_not_there(self):
        shutil.rmtree(self.spool)
        fault = self.sole(self.spool_findings(), "fault")
        self.assertIn("install -d", fault["do"][0])


class Store(Doctor):
    def store(self, **options):
        return self.findings(part="database", **options)

    def pending(self):
        return [one for one in self.store() if one["finding"] == "fault" and
                any(" plan " in line for line in one["do"])]

    def test_files_that_were_not_applied(self):
        self.schema("0001_a.sql", "CREATE TABLE a (a int);\n")
        self.assertEqual(len(self.pending()), 1)
        self.apply()
        self.assertEqual(self.pending(), [])

    def test_a_database_that_is_away(self):
        conf = self.write_conf("away.conf", "host=/nowhere dbname=x")
        fault = self.sole(self.store(conf=conf), "fault")
        self.assertNotIn("\n", fault["text"])

    def test_a_server_that_forgets_at_power_loss(self):
        # The tests' own cluster runs with fsync off, which is just the fault.
        found = self.store()
        self.assertTrue(any("fsync" in one["text"] for one in found if one["finding"] == "fault"))


    def quoting(self):
        return [one for one in self.store() if one["finding"] == "warning" and "quotes" in one["text"]]

    def test_a_server_whose_log_quotes_what_it_refuses(self):
        (warning,) = self.quoting()
        self.assertEqual(warning["do"], [f"psql -d DATABASE -f {self.mappings}/logging.sql"])
        self.sql(command.read(os.path.join(command.ROOT, "transforms", "logging.sql")))
        self.assertEqual(self.quoting(), [])
        for setting in ("log_error_verbosity = default", "log_min_error_statement = error", "log_parameter_max_length = -1",
                        "log_parameter_max_length_on_error = 8"):
            with self.subTest(setting):
                self.sql(command.read(os.path.join(command.ROOT, "transforms", "logging.sql")))
                self.sql(f'ALTER DATABASE "{self.database}" SET {setting};')
                self.assertEqual(len(self.quoting()), 1)


class Address(Doctor):
    """The address as phones use it, over http and over https with a certificate of our own."""

    @classmethod
    def setUpClass(cls):
        cls.server = WebServer(server="listen 127.0.0.1:TLS ssl; ssl_certificate DIR/cert.pem; "
                               "ssl_certificate_key DIR/key.pem;".replace(
                                   "TLS", str(cls.free_tls_port())))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
                        "-keyout", f"{cls.server.dir}/key.pem",
                        "-out", f"{cls.server.dir}/cert.pem"], check=True, capture_output=True)
        cls.server.publish("f.xml", xform("f", "1"))
        cls.server.start()
        cls.addClassCleanup(cls.server.remove)

    @classmethod
    def free_tls_port(cls):
        from webserver import free_port
        cls.tls_port = free_port()
        return cls.tls_port

    def address(self, url, **env):
        return self.findings("--url", url, part="address",
                             env={**command.ENGLISH, "no_proxy": "*", **env})

    def test_a_server_that_serves(self):
        found = self.address(self.server.url)
        self.assertEqual({one["finding"] for one in found}, {"ok"})
        self.assertTrue(any("1 forms" in one["text"] for one in found), found)

    def test_a_chain_that_phones_refuse(self):
        fault = self.sole(self.address(f"https://127.0.0.1:{self.tls_port}/openrosa"), "fault")
        self.assertIn("fullchain", fault["do"][0])

    def test_a_certificate_near_its_end(self):
        found = self.address(f"https://127.0.0.1:{self.tls_port}/openrosa/",
                             SSL_CERT_FILE=f"{self.server.dir}/cert.pem")
        self.assertIn("days", self.sole(found, "warning")["text"])

    def test_an_address_that_is_no_openrosa(self):
        found = self.address(f"http://127.0.0.1:{self.server.port}")
        self.assertEqual([one["finding"] for one in found].count("fault"), 2, found)

    def test_nobody_there(self):
        self.sole(self.address("http://127.0.0.1:1/openrosa"), "fault")

    def test_the_real_configuration_of_this_nginx(self):
        dump = os.path.join(self.dir, "real.txt")
        with open(dump, "wb") as file:
            subprocess.run(self.server.command("-T"), stdout=file, stderr=subprocess.DEVNULL,
                           check=True, env=builds.web())
        found = self.findings(part="nginx", dump=dump)
        self.assertTrue(any("module is loaded" in one["text"] for one in found), found)
        self.assertTrue(any(self.server.spool in one["text"] for one in found), found)


class ForPeople(Doctor):
    def test_lines_in_french(self):
        done = self.relais("doctor", "--nginx-dump", self.dump(http=""), env=FRENCH)
        self.assertEqual(done.code, FAILED)
        self.assertIn("DÉFAUT", done.out)
        self.assertIn("client_max_body_size 100m;", done.out)

    def test_what_it_does_not_take(self):
        self.expect(command.USAGE, "doctor", "quickly")


if __name__ == "__main__":
    unittest.main()
