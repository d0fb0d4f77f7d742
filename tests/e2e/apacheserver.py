"""A private Apache httpd with the Relais module, for tests: as webserver.py has nginx.

    server = ApacheServer()                    # not yet running
    server.publish("f.xml", xform("f", "1"))
    server.start()
    ... server.url, server.parcels(), server.log() ...
    server.remove()

RELAIS_APACHE_MODULE names the module (default: below RELAIS_BUILD), RELAIS_HTTPD the server.
"""
import os
import re
import signal

from webserver import IS_ROOT, WebServer

HTTPD = os.environ.get("RELAIS_HTTPD", "/usr/sbin/apache2")
MODULE = os.environ.get("RELAIS_APACHE_MODULE") or os.path.join(
    os.environ.get("RELAIS_BUILD", "build"), "plugin/apache/mod_relais.so")
MODULES = os.environ.get("RELAIS_HTTPD_MODULES", "/usr/lib/apache2/modules")

LOADED = """alias auth_basic authn_core authn_file authz_core authz_host authz_user deflate dir env
    filter headers http2 proxy proxy_http proxy_scgi proxy_uwsgi reqtimeout rewrite setenvif
    socache_shmcb ssl""".split()

CONFIGURATION = """
ServerRoot {dir}
DefaultRuntimeDir {dir}
PidFile {dir}/httpd.pid
ServerName 127.0.0.1
Listen 127.0.0.1:{port}
ErrorLog {dir}/error.log
LogLevel {level}
LoadModule mpm_{mpm}_module {modules}/mod_mpm_{mpm}.so
{loads}
LoadModule relais_module {module}
{user}
{processes}
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 60
Timeout 60
Protocols h2c http/1.1
LimitRequestBody 104857600
RelaisSpool {spool}
RelaisForms {forms}
{main}
{server}
<Location "/openrosa/">
    Relais serve
    {location}
</Location>
"""

PROCESSES = {
    "event": "StartServers {workers}\nServerLimit {limit}\nThreadLimit {threads}\n"
             "ThreadsPerChild {threads}\nMinSpareThreads 1\nMaxSpareThreads {all}\nMaxRequestWorkers {all}",
    "prefork": "StartServers 8\nMinSpareServers 4\nMaxSpareServers 16\nServerLimit {all}\n"
               "MaxRequestWorkers {all}",
}
PROCESSES["worker"] = PROCESSES["event"]


class ApacheServer(WebServer):
    """Settings: main, server, location (text for those places, DIR being this server's
    directory), mpm, workers, threads, level; `single` for one process without a parent."""
    NAME = "httpd"
    WORDS = {"body": "LimitRequestBody {}\n", "accept": "RelaisAcceptLength {}\n",
             "floor": "RelaisSpoolFloor {}\n"}

    @staticmethod
    def location(path, text):
        return f'<Location "{path}">\n{text}\n</Location>\n'

    def configure(self, **settings):
        self.is_single = settings.get("single", False)
        threads = settings.get("threads", 64)
        workers, mpm = settings.get("workers", 1), settings.get("mpm", "event")
        text = {key: settings.get(key, "").replace("DIR", self.dir)
                for key in ("main", "server", "location")}
        values = dict(
            module=os.path.abspath(MODULE), modules=MODULES, dir=self.dir, spool=self.spool,
            forms=self.forms, port=self.port, mpm=mpm, level=settings.get("level", "info"),
            loads="\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so"
                            for name in LOADED),
            user="User www-data\nGroup www-data" if IS_ROOT else "",
            processes=PROCESSES[mpm].format(workers=workers, limit=workers + 4, threads=threads,
                                            all=workers * threads))
        with open(os.path.join(self.dir, "httpd.conf"), "w", encoding="utf-8") as file:
            file.write(CONFIGURATION.format(**values, **text))

    def edit(self, pattern, text):
        """Changes the configuration as written."""
        path = os.path.join(self.dir, "httpd.conf")
        with open(path, encoding="utf-8") as file:
            old = file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write(re.sub(pattern, text, old))

    def command(self, *arguments):
        return [HTTPD, "-f", os.path.join(self.dir, "httpd.conf"),
                "-X" if self.is_single else "-DFOREGROUND", *arguments]

    def reload(self):
        self.process.send_signal(signal.SIGUSR1)

    def speak_http2(self, **settings):
        """It always does."""
        self.reload()
        return self.port

    def alarms(self):
        return re.findall(r".*:(?:alert|emerg|crit)\].*", self.log())
