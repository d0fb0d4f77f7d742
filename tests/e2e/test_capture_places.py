"""`relais capture` among nginx's other features: authentication before it, redirects inside nginx,
filters after it, several places for it; and mistakes in its configuration.
"""
import base64
import os
import unittest

from test_capture import CaptureTest, HTTP
from webserver import IS_ROOT, SHARDS, WebServer

PASS = "proxy_pass http://127.0.0.1:{port};"


class Before(CaptureTest):
    """What nginx refuses never reaches the disk."""
    locations = {
        "basic": HTTP + "auth_basic phones; auth_basic_user_file DIR/users;",
        "asked": HTTP + "auth_request /judge;",
        "denied": HTTP + "deny all;",
        "small": HTTP + "client_max_body_size 1k;",
        "limited": HTTP + "limit_req zone=few;",
        "only": HTTP + "limit_except GET { deny all; }",
    }
    settings = {
        "http": "limit_req_zone $server_addr zone=few:1m rate=1r/m;",
        "server": "location = /judge { internal; proxy_pass http://127.0.0.1:{port};"
                  "  proxy_pass_request_body off; proxy_set_header Content-Length '';"
                  "  proxy_set_header X-Script 'status=$http_x_verdict size=0'; }",
    }

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with open(os.path.join(cls.server.dir, "users"), "w", encoding="ascii") as file:
            file.write("agent-017:{PLAIN}secret\n")

    @unittest.skipUnless(IS_ROOT, "needs a spool that the server may not write")
    def test_refused_before_the_spool_is_asked(self):
        self.post(target="/limited/s")
        self.server.empty()
        for shard in SHARDS:
            os.chmod(os.path.join(self.server.spool, shard, "tmp"), 0o500)
            self.addCleanup(os.chmod, os.path.join(self.server.spool, shard, "tmp"), 0o2730)
        for target, status, verdict in (("/basic/s", 401, ""), ("/asked/s", 401, "401"),
                                        ("/asked/s", 403, "403"), ("/denied/s", 403, ""),
                                        ("/small/s", 413, ""), ("/limited/s", 503, ""),
                                        ("/only/s", 403, "")):
            with self.subTest(target=target, verdict=verdict):
                response = self.post("", ("X-Verdict", verdict), target=target)
                self.assertEqual(response.status, status)
                self.assertIsNone(response.header("X-OpenRosa-Version"))
        self.assert_asks_to_wait(self.post("", ("X-Verdict", "200"), target="/asked/s"))

    def test_let_through(self):
        credentials = base64.b64encode(b"agent-017:secret").decode()
        response = self.post("", ("Authorization", f"Basic {credentials}"), target="/basic/s")
        self.assertEqual(response.status, 201)
        self.assertEqual(self.post("", ("X-Verdict", "204"), target="/asked/s").status, 201)
        self.assert_kept(2)
        self.assertEqual({parcel.head.get("user") for parcel in self.server.parcels()},
                         {None, "agent-017"})


class Inside(CaptureTest):
    """Redirects inside nginx, which make it forget a module's context."""
    locations = {
        "fallback": HTTP + "proxy_intercept_errors on; error_page 404 = @second;",
        "changed": HTTP + "proxy_intercept_errors on; error_page 404 =201 /accepted;",
        "page": HTTP + "proxy_intercept_errors on; error_page 503 /page;",
        "late": "error_page 404 =201 @first; return 404;",
        "accel": HTTP,
        "try": "try_files /none @first;",
        "both": "relais capture; try_files /none @first;",
        "if": "relais capture; if ($arg_deviceID) { " + PASS + " }",
        "else": "if ($arg_deviceID = x) { return 404; } " + HTTP,
        "rewritten": "rewrite ^ /other break; " + HTTP,
        "away": "rewrite ^ /proxied/s last;",
        "proxied": HTTP,
        "outer": HTTP + " location /outer/inner/ { " + PASS + " }"
                 " location /outer/off/ { relais off; " + PASS + " }",
        "returned": "relais capture; return 201;",
        "none": HTTP + "relais_capture_statuses 200;",
        "down": "relais capture; proxy_pass http://127.0.0.1:9;",
        "retried": "relais capture; proxy_pass http://pair;",
    }
    settings = {
        "http": "upstream pair { server 127.0.0.1:9; server 127.0.0.1:{port}; }",
        "server": "error_page 502 /page;"
                  "location @first { " + HTTP + " }"
                  "location @second { " + PASS + " proxy_set_header X-Script $http_x_second; }"
                  "location = /accepted { return 200 accepted; }"
                  "location = /page { return 200 page; }"
                  "location /files/ { internal; root DIR; }",
    }

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        os.makedirs(os.path.join(cls.server.dir, "files"), exist_ok=True)
        os.chmod(os.path.join(cls.server.dir, "files"), 0o755)
        with open(os.path.join(cls.server.dir, "files", "a.txt"), "wb") as file:
            file.write(b"a file")
        os.chmod(os.path.join(cls.server.dir, "files", "a.txt"), 0o644)

    def test_where_it_ends(self):
        cases = (
            ("/fallback/s", "status=404", (("X-Second", "status=201 size=7"),), 201, 1),
            ("/fallback/s", "status=404", (("X-Second", "status=409 size=7"),), 409, 0),
            ("/fallback/s", "status=404", (("X-Second", "cut=3 size=7"),), 502, 0),
            ("/fallback/s", "", (), 201, 1),
            ("/page/s", "status=503", (), 503, 0),
            ("/accel/s", "header=X-Accel-Redirect:/files/a.txt", (), 200, 0),
            ("/accel/s", "header=X-Accel-Redirect:@second", (("X-Second", "status=202"),), 202, 1),
            ("/try/s", "", (), 201, 1),
            ("/try/s", "status=400", (), 400, 0),
            ("/both/s", "", (), 201, 1),
            ("/if/s?deviceID=a", "", (), 201, 1),
            ("/if/s", "", (), 404, 0),
            ("/else/s?deviceID=a", "status=202", (), 202, 1),
            ("/else/s?deviceID=x", "", (), 404, 0),
            ("/rewritten/s", "", (), 201, 1),
            ("/away/s", "", (), 201, 1),
            ("/outer/s", "", (), 201, 1),
            ("/outer/inner/s", "", (), 201, 0),
            ("/outer/off/s", "", (), 201, 0),
            ("/none/s", "status=200", (), 200, 1),
            ("/none/s", "status=201", (), 201, 0),
            ("/down/s", "", (), 502, 0),
            ("/retried/s", "", (), 201, 1),
        )
        for target, script, headers, status, count in cases:
            with self.subTest(target=target, script=script):
                self.server.empty()
                self.assertEqual(self.post(script, *headers, target=target).status, status)
                self.assert_kept(count)

    def test_no_acceptance_without_a_copy(self):
        self.assert_asks_to_wait(self.post(target="/returned/s"))
        self.assertIn("let an upstream answer in this location", self.server.log())
        self.assert_kept(0)

    def test_a_status_that_nginx_changes(self):
        """It is the phone that must not see an acceptance without a copy: here it has one."""
        response = self.post("status=404", target="/changed/s")
        self.assertEqual((response.status, response.body), (201, b"accepted"))
        self.assert_kept(1)

    @unittest.skipUnless(IS_ROOT, "the spool is the server's own")
    def test_an_error_page_does_not_hide_what_the_phone_must_read(self):
        for target in ("/page/s?deviceID=stage", "/page/s?deviceID=commit",
                       "/fallback/s?deviceID=sync", "/both/s?deviceID=commit",
                       "/late/s?deviceID=stage", "/late/s?deviceID=commit"):
            with self.subTest(target=target):
                self.assert_asks_to_wait(self.post(target=target))
        response = self.post("status=404", target="/changed/s?deviceID=commit")
        self.assert_asks_to_wait(response)
        self.assert_kept(0)


class Beside(CaptureTest):
    """Filters and sub-requests."""
    locations = {
        "mirrored": HTTP + "mirror /mirror;",
        "replaced": HTTP + "sub_filter_types *; sub_filter successful well-received;"
                           "proxy_set_header Accept-Encoding '';",
        "added": HTTP + "add_header X-Added yes always; expires 1h;",
        "slow": HTTP + "limit_rate 20k;",
        "aio": HTTP + "aio threads; sendfile on; client_body_in_file_only clean;",
        "cached": HTTP + "proxy_cache answers; proxy_cache_methods POST; proxy_cache_valid any 1h;"
                         "proxy_cache_key $request_uri;",
    }
    settings = {
        "http": "proxy_cache_path DIR/cache keys_zone=answers:1m;",
        "server": "location = /mirror { internal; proxy_set_header X-Script 'delay=50 status=500';"
                  + PASS + " }",
    }

    def test_each(self):
        for name in self.locations:
            with self.subTest(name):
                for script, status, count in (("size=3000", 201, 1), ("status=400", 400, 0)):
                    self.server.empty()
                    response = self.post(script, target=f"/{name}/s?{script[:6]}")
                    self.assertEqual(response.status, status)
                    self.assert_kept(count)

    def test_what_filters_do_to_the_answer(self):
        response = self.post("size=3000", target="/replaced/s")
        self.assertEqual(response.body.count(b"well-received"), 1)
        response = self.post(target="/added/s")
        self.assertEqual(response.all("X-Added"), ["yes"])

    def test_a_cached_acceptance_is_one_all_the_same(self):
        for count in (1, 2):
            self.assertEqual(self.post(target="/cached/same").status, 201)
            self.assert_kept(count)


class Configuration(unittest.TestCase):
    def check(self, **settings):
        server = WebServer(**settings)
        self.addCleanup(server.remove)
        return server.check()

    def refused(self, pattern, text):
        is_good, said = self.check(server=text)
        self.assertFalse(is_good)
        self.assertRegex(said, pattern)

    def test_mistakes(self):
        self.refused("from 200 to 299", "location /a/ { relais_capture_statuses 201 404; }")
        self.refused("from 200 to 299", "relais_capture_statuses created;")
        self.refused("is duplicate",
                     "location /a/ { relais_capture_statuses 200; relais_capture_statuses 201; }")
        self.refused("is duplicate", "location /a/ { relais capture; relais serve; }")
        self.refused('unknown word "captures"', "location /a/ { relais captures; }")

    def test_a_spool_is_needed(self):
        server = WebServer(server="location /a/ { relais capture; proxy_pass http://127.0.0.1:9; }")
        self.addCleanup(server.remove)
        path = os.path.join(server.dir, "nginx.conf")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace("relais_spool ", "# ").replace("relais serve;", ""))
        is_good, said = server.check()
        self.assertFalse(is_good)
        self.assertRegex(said, r'"relais capture" needs relais_spool; add "relais_spool '
                               r'DIRECTORY;" .*nginx\.conf:\d+')

    def test_an_upstream_is_missed(self):
        is_good, said = self.check(server="location /a/ { relais capture; }")
        self.assertTrue(is_good)
        self.assertRegex(said, r'\[warn\] location "/a/" captures, but has no upstream .*'
                               r'nginx\.conf:\d+')
        for text in ("proxy_pass http://127.0.0.1:9;", "uwsgi_pass 127.0.0.1:9;",
                     "fastcgi_pass 127.0.0.1:9;", "grpc_pass 127.0.0.1:9;"):
            is_good, said = self.check(server=f"location /a/ {{ relais capture; {text} }}")
            self.assertTrue(is_good)
            self.assertNotIn("[warn]", said)


if __name__ == "__main__":
    unittest.main()
