"""The Apache module, as a phone meets it: the tests of the nginx module on Apache httpd.

Its capture is in test_apache_capture.py; what is Apache's own (directives, checks, error
documents) stands at the end.
"""
import re
import subprocess
import unittest

import test_module
import test_module_auth
import test_module_faults
import test_module_refused
import wire
from apacheserver import MODULE, ApacheServer
from builds import on_release
from collect import Phone
from test_module import submission
from webserver import free_port, xform


class OnApache:
    Server = ApacheServer


class Forms(OnApache, test_module.Forms):
    settings = {"main": "EnableSendfile On"}


class Publishing(OnApache, test_module.Publishing):
    settings = {"main": "SetOutputFilter DEFLATE"}


class Submissions(OnApache, test_module.Submissions):
    pass


class Transport(OnApache, test_module.Transport):
    settings = {}


class TooLarge(OnApache, test_module.TooLarge):
    settings = {"location": "LimitRequestBody 12582912"}


class Told(OnApache, test_module_refused.Told):
    settings = {"location": "LimitRequestBody 12582912"}
    reads_http2 = False


class Authentication(OnApache, test_module_auth.Authentication):
    """ErrorDocument is not followed where Relais serves: no phone can show such a page."""
    test_a_limit_of_requests = None
    test_an_error_page_written_in_the_location_itself_is_kept = None

    @staticmethod
    def settings(tls):
        pages = "".join(f"ErrorDocument {status} {where}\n" for status, where in (
            (401, "/page.html"), (403, "http://127.0.0.1/page.html"), (429, "text"),
            (503, "/page.html")))
        served = '<Location "/{0}">\nRelais serve\n{1}\n</Location>\n'
        return {
            "main": pages,
            "server": f"Listen 127.0.0.1:{tls}\n<VirtualHost 127.0.0.1:{tls}>\nSSLEngine on\n"
                      "SSLCertificateFile DIR/cert.pem\nSSLCertificateKeyFile DIR/key.pem\n"
                      "</VirtualHost>\nRedirect 429 /odd\nRedirect 503 /full\n"
                      + served.format("closed", "Require all denied")
                      + served.format("odd", "") + served.format("full", ""),
            "location": "AuthType Basic\nAuthName phones\nAuthUserFile DIR/users\n"
                        "Require valid-user"}


class Spool(OnApache, test_module_faults.Spool):
    pass


class Crowd(OnApache, test_module_faults.Crowd):
    test_a_full_thread_queue_gets_503 = None    # a request has a thread of its own
    test_a_named_pool = None


class Configuration(OnApache, test_module_faults.FaultTest):
    """Mistakes that an administrator can make, and the sentence that says how to mend them."""

    def refused(self, pattern, **settings):
        server = self.serve(**settings)
        is_good, text = server.check()
        self.assertFalse(is_good, settings)
        self.assertRegex(text, pattern)
        server.remove()

    def served(self, path, lines="", word="serve"):
        return f'<Location {path}>\nRelais {word}\n{lines}\n</Location>\n'

    def test_the_limits_must_agree(self):
        self.refused(r"LimitRequestBody is 1048576, .* 10000000 .* 10065536 .*"
                     r'"LimitRequestBody 104857600" in <Location "/openrosa/">.*httpd.conf:\d+',
                     location="LimitRequestBody 1048576")
        self.refused(r"RelaisAcceptLength is 104857600 and LimitRequestBody is 104857600,"
                     r' but it takes 104923136 .*"LimitRequestBody 105906176"',
                     location="RelaisAcceptLength 100m")
        self.refused("RelaisAcceptLength must be above 0", location="RelaisAcceptLength 0")
        # What another section says of the same path counts, in the order of httpd.
        self.refused("LimitRequestBody is 5000000",
                     server='<Location "/">\nLimitRequestBody 5000000\n</Location>\n')
        for settings, limit in (("LimitRequestBody 2097152\nRelaisAcceptLength 1m", 1 << 20),
                                ("LimitRequestBody 0", 100_000_000),
                                ("LimitRequestBody 0\nRelaisAcceptLength 1g", 1 << 30)):
            server = self.serve(location=settings)
            server.start()
            with Phone(server.url) as phone:
                self.assertEqual(phone.send(submission()).limit, limit)
            server.remove()

    def test_words_that_are_not_there(self):
        self.refused('unknown word "server"', server=self.served("/c/", word="server"))
        self.refused("is duplicate", location="Relais serve")
        self.refused("RelaisBaseURL.* whole address", location="RelaisBaseURL /openrosa")
        self.refused("RelaisSpoolFloor needs a size", location="RelaisSpoolFloor much")
        self.refused('statuses of success .*"404"', location="RelaisCaptureStatuses 201 404")
        self.refused("takes one argument", location="RelaisSpool")

    def test_places_where_it_makes_no_sense(self):
        for opening, closing in (("<Location ~ ^/x/>", "</Location>"),
                                 ("<LocationMatch ^/x/>", "</LocationMatch>"),
                                 ("<Location /x/*/y>", "</Location>"),
                                 ("<Directory /srv>", "</Directory>")):
            self.refused("has no place here", server=f"{opening}\nRelais serve\n{closing}")
        self.refused("not allowed here", main="Relais serve")

    def test_directories_are_needed(self):
        for word in ("RelaisSpool", "RelaisForms"):
            server = self.serve()
            server.edit(rf"(?m)^{word} .*", "")
            is_good, said = server.check()
            self.assertFalse(is_good)
            self.assertRegex(said, rf'"Relais serve" needs {word}; add "{word} DIRECTORY"')
        self.refused("RelaisForms names .*httpd.conf, which is not a directory",
                     location="RelaisForms httpd.conf")
        server = self.serve(location="RelaisSpool nowhere")
        is_good, said = server.check()
        self.assertTrue(is_good)
        self.assertRegex(said, r"RelaisSpool names \S+nowhere, which cannot be seen now")

    def test_relative_paths_begin_at_the_server_root(self):
        server = self.serve(location="RelaisSpool spool\nRelaisForms forms")
        server.start()
        with Phone(server.url) as phone:
            self.assertEqual(phone.send(submission()).statuses, [201])
        self.assertEqual(len(server.parcels()), 1)

    def test_base_url(self):
        server = self.serve(location="RelaisBaseURL https://forms.bf/a/openrosa//")
        server.start()
        with Phone(server.url) as phone:
            [form] = phone.form_list()
        self.assertEqual(form.url, "https://forms.bf/a/openrosa/forms/f/1/form.xml")

    def test_sections_inside_and_below(self):
        server = self.serve(server=self.served(
            "/m", "<LimitExcept GET>\nRequire all denied\n</LimitExcept>") + self.served(
                "/i", '<If "%{QUERY_STRING} =~ /deviceID/">\nHeader set X-Seen 1\n</If>')
            + self.served("/i/inner", word="off"))
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
        for path, url, form_id in (("/", "/", "g a/b"), ('"/fo rms/"', "/fo%20rms/", "g a"),
                                   ("/fö", "/f%C3%B6/", "é&"), ("/plain", "/plain", "a/b%2F")):
            server = self.serve(server=self.served(path))
            server.publish("g.xml", xform(form_id.replace("&", "&amp;"), "-1%"))
            server.start()
            with Phone(f"http://{server.host}{url}") as phone, self.subTest(path=path):
                self.assertEqual(len(phone.sync()), 2)
                self.assertEqual(phone.send(submission()).statuses, [201])
            server.remove()

    def test_a_virtual_host_has_its_own(self):
        port = free_port()
        server = self.serve(server=f"Listen 127.0.0.1:{port}\n<VirtualHost 127.0.0.1:{port}>\n"
                            "RelaisBaseURL https://two.bf/o\n" + self.served("/o")
                            + "</VirtualHost>\n")
        server.start()
        with Phone(f"http://127.0.0.1:{port}/o") as phone:
            self.assertTrue(phone.form_list()[0].url.startswith("https://two.bf/o/"))
        with Phone(server.url) as phone:
            self.assertTrue(phone.form_list()[0].url.startswith(server.url))


@on_release
class Module(unittest.TestCase):
    def test_it_brings_nothing_into_httpd_but_libxml2(self):
        needed = subprocess.run(["readelf", "-d", MODULE], capture_output=True, check=True)
        names = re.findall(r"NEEDED.*\[(.*?)\.so", needed.stdout.decode())
        self.assertEqual(sorted(name for name in names if not name.startswith("ld-")),
                         ["libc", "libxml2"])
        exported = subprocess.run(["nm", "-D", "--defined-only", MODULE], capture_output=True,
                                  check=True)
        self.assertEqual([line.split()[-1] for line in exported.stdout.decode().splitlines()],
                         ["relais_module"])


if __name__ == "__main__":
    unittest.main()
