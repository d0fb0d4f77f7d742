/*
 * What a web server's configuration says: is the module there, does the announced limit fit
 * what the server lets in, can a phone that leaves spoil a submission, who is asked for a name.
 *
 * nginx is asked by `nginx -T`, which only root may do where certificates are; for a server in
 * a container or on another machine its output can be given as a file. Apache's module checks
 * its own limits whenever the configuration is tested, so its word is enough.
 */
#include "cli/doctor.h"

#include "cli/program.h"
#include "cli/speak.h"
#include "openrosa/limit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NO_PROGRAM = 127, SAYING_MAX = 1024 * 1024 };

/* nginx lets in this much when nothing is set. */
#define BODY_SIZE_DEFAULT (1024LL * 1024)

typedef struct web {
    relais_doctor *doctor;
    const relais_directive *first;
} web;

static bool is_named(const relais_directive *directive, const char *name)
{
    return directive->name != NULL && strcmp(directive->name, name) == 0;
}

static const char *first_argument(const relais_directive *directive)
{
    return directive == NULL || directive->count == 0 ? "" : directive->arguments[0];
}

/* "FILE:LINE", or where to look when the dump does not say. */
static const char *place(const web *w, const relais_directive *directive)
{
    const char *text = relais_arena_format(
        w->doctor->arena, "%s:%ld", directive->file[0] == '\0' ? "nginx.conf" : directive->file,
        directive->line);

    return text == NULL ? "nginx.conf" : text;
}

/* ---- one location ------------------------------------------------------------------------ */

static const char *value_in(const web *w, const relais_directive *location, const char *name,
                            const char *otherwise)
{
    const relais_directive *found = relais_webconf_find(w->first, location->block, name);

    return found == NULL ? otherwise : first_argument(found);
}

static void check_spool_path(const web *w, const relais_directive *relais)
{
    const char *path = value_in(w, relais, "relais_spool", "");
    const char *ours = w->doctor->config->spool_directory;
    size_t length = strlen(path);

    while (length > 1 && path[length - 1] == '/')
        length--;
    if (path[0] == '\0') {
        relais_doctor_say(w->doctor, RELAIS_FINDING_FAULT, _("%s: the location names no spool."),
                          place(w, relais));
        relais_doctor_advise(w->doctor, "relais_spool %s;", ours);
    } else if (strlen(ours) != length || strncmp(path, ours, length) != 0) {
        relais_doctor_say(w->doctor, RELAIS_FINDING_FAULT,
                          _("%s: nginx writes into %s, the forwarder reads %s."), place(w, relais),
                          path, ours);
        relais_doctor_advise(w->doctor, _("relais.conf, [spool]: directory = %s"), path);
    } else {
        relais_doctor_say(w->doctor, RELAIS_FINDING_OK, _("%s: writes into the spool %s."),
                          place(w, relais), path);
    }
}

static void check_body_size(const web *w, const relais_directive *relais)
{
    const relais_directive *set =
        relais_webconf_find(w->first, relais->block, "client_max_body_size");
    long long size = set == NULL ? BODY_SIZE_DEFAULT : relais_webconf_size(first_argument(set));
    long long told = relais_webconf_size(value_in(w, relais, "relais_accept_length", ""));
    long long needed = (told < 0 ? RELAIS_COLLECT_LIMIT : told) + RELAIS_MULTIPART_OVERHEAD;

    if (size == 0 || size >= needed) {
        relais_doctor_say(w->doctor, RELAIS_FINDING_OK,
                          _("%s: what phones are told to send is let in."), place(w, relais));
        return;
    }
    relais_doctor_say(w->doctor, RELAIS_FINDING_FAULT,
                      _("%s: phones send up to %lld bytes in one request, nginx lets in %lld: they "
                        "would be refused with 413 for ever."),
                      place(w, set == NULL ? relais : set), needed, size);
    relais_doctor_advise(w->doctor, "%s: client_max_body_size 100m;",
                         place(w, set == NULL ? relais : set));
}

/* What passes a request on, and what keeps it going when the phone hangs up. */
static const struct {
    const char *pass, *ignoring;
} passes[] = {
    {"proxy_pass", "proxy_ignore_client_abort"},
    {"uwsgi_pass", "uwsgi_ignore_client_abort"},
    {"scgi_pass", "scgi_ignore_client_abort"},
};

static void check_capture(const web *w, const relais_directive *relais)
{
    size_t i = 0;

    while (i < sizeof passes / sizeof passes[0] &&
           relais_webconf_find(w->first, relais->block, passes[i].pass) == NULL)
        i++;
    if (i == sizeof passes / sizeof passes[0]) {
        relais_doctor_say(w->doctor, RELAIS_FINDING_FAULT,
                          _("%s: capture has no server behind it."), place(w, relais));
        relais_doctor_advise(w->doctor, _("write proxy_pass into the same location"));
        return;
    }
    if (strcmp(value_in(w, relais, passes[i].ignoring, "off"), "on") == 0) {
        relais_doctor_say(w->doctor, RELAIS_FINDING_OK,
                          _("%s: a phone that hangs up does not undo a submission."),
                          place(w, relais));
        return;
    }
    relais_doctor_say(w->doctor, RELAIS_FINDING_WARN,
                      _("%s: when a phone hangs up while the server behind works, that server may "
                        "have the submission and Relais not."),
                      place(w, relais));
    relais_doctor_advise(w->doctor, "%s: %s on;", place(w, relais), passes[i].ignoring);
}

static bool listens_with_tls(const web *w, const relais_directive *server)
{
    for (const relais_directive *one = w->first; one != NULL; one = one->next) {
        if (one->block != server || !is_named(one, "listen"))
            continue;
        for (size_t i = 1; i < one->count; i++)
            if (strcmp(one->arguments[i], "ssl") == 0)
                return true;
    }
    return false;
}

static const relais_directive *server_of(const relais_directive *directive)
{
    const relais_directive *block = directive->block;

    while (block != NULL && !is_named(block, "server"))
        block = block->block;
    return block;
}

/* Collect gives its name and password by Basic over https only. */
static void check_names(const web *w, const relais_directive *relais)
{
    const char *basic = value_in(w, relais, "auth_basic", "off");
    bool asks = strcmp(basic, "off") != 0 ||
                relais_webconf_find(w->first, relais->block, "auth_request") != NULL;
    const relais_directive *server = server_of(relais);

    if (!asks) {
        relais_doctor_say(w->doctor, RELAIS_FINDING_WARN,
                          _("%s: whoever knows the address may send; nobody is asked for a name."),
                          place(w, relais));
        relais_doctor_advise(w->doctor, _("%s: auth_basic \"Relais\"; auth_basic_user_file FILE;"),
                             place(w, relais));
    }
    if (server == NULL || listens_with_tls(w, server))
        return;
    relais_doctor_say(w->doctor, RELAIS_FINDING_WARN,
                      _("%s: this server has no https of its own. Names are asked for over https "
                        "only; a proxy in front must have it."),
                      place(w, server));
    relais_doctor_advise(w->doctor, "%s: listen 443 ssl; ssl_certificate FILE;", place(w, server));
}

static void check_location(const web *w, const relais_directive *relais)
{
    const char *mode = first_argument(relais);

    check_spool_path(w, relais);
    if (strcmp(mode, "capture") == 0) {
        check_capture(w, relais);
        return;
    }
    check_body_size(w, relais);
    check_names(w, relais);
}

/* ---- nginx ------------------------------------------------------------------------------- */

static void check_module(const web *w, size_t locations)
{
    for (const relais_directive *one = w->first; one != NULL; one = one->next)
        if (is_named(one, "load_module") && strstr(first_argument(one), "relais") != NULL) {
            relais_doctor_say(w->doctor, RELAIS_FINDING_OK, _("%s: the module is loaded."),
                              place(w, one));
            return;
        }
    if (locations > 0) /* built in, or nginx would have refused the directives */
        return;
    relais_doctor_say(w->doctor, RELAIS_FINDING_NOTE, _("this nginx does not load the module."));
    relais_doctor_advise(w->doctor,
                         "load_module /usr/lib/*/nginx/modules/ngx_http_relais_module.so;");
}

static void take_user(const web *w)
{
    const relais_directive *user = relais_webconf_find(w->first, NULL, "user");

    if (w->doctor->web_user == NULL && user != NULL && user->count > 0)
        w->doctor->web_user = user->arguments[0];
}

static void look_at(relais_doctor *doctor, const relais_buffer *text)
{
    relais_directive *first;
    relais_error err = {0};
    size_t locations = 0;
    web w = {.doctor = doctor};

    if (!relais_webconf_read(text->data == NULL ? "" : text->data, text->length, doctor->arena,
                             &first, &err)) {
        relais_doctor_say_error(doctor, RELAIS_FINDING_NOTE, &err);
        return;
    }
    w.first = first;
    take_user(&w);
    for (const relais_directive *one = first; one != NULL; one = one->next)
        if (is_named(one, "relais") && strcmp(first_argument(one), "off") != 0) {
            check_location(&w, one);
            locations++;
        }
    check_module(&w, locations);
    if (locations == 0)
        relais_doctor_say(doctor, RELAIS_FINDING_NOTE,
                          _("no location of this nginx says relais serve or relais capture."));
}

static bool read_file(const char *path, relais_buffer *out, relais_error *err)
{
    char piece[64 * 1024];
    ssize_t length;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0;

    while (ok && (length = read(fd, piece, sizeof piece)) != 0) {
        ok = length > 0;
        if (ok)
            relais_buffer_append(out, piece, (size_t)length);
    }
    if (!ok)
        relais_error_system(err, errno, path, "the file cannot be read");
    if (fd >= 0)
        close(fd);
    return ok && relais_buffer_check(out, "nginx's configuration", err);
}

/* nginx's own words for what is wrong with its configuration. */
static void say_refusal(relais_doctor *doctor)
{
    char *const test[] = {(char *)"nginx", (char *)"-t", NULL};
    relais_buffer said;
    relais_error err = {0};
    int code;

    relais_buffer_init(&said, SAYING_MAX);
    if (relais_program_read(test, true, &said, &code, &err) && said.length > 0) {
        said.data[strcspn(said.data, "\n")] = '\0';
        relais_doctor_say(doctor, RELAIS_FINDING_FAULT, _("nginx -t fails: %s"), said.data);
    } else {
        relais_doctor_say(doctor, RELAIS_FINDING_FAULT, _("nginx -t fails."));
    }
    if (geteuid() != 0)
        relais_doctor_advise(doctor, _("only root may read certificates: sudo relais doctor"));
    relais_buffer_free(&said);
}

static void ask_nginx(relais_doctor *doctor, relais_buffer *text)
{
    char *const dump[] = {(char *)"nginx", (char *)"-T", NULL};
    relais_error err = {0};
    int code;

    if (!relais_program_read(dump, false, text, &code, &err)) {
        relais_doctor_say_error(doctor, RELAIS_FINDING_NOTE, &err);
    } else if (code == NO_PROGRAM) {
        relais_doctor_say(doctor, RELAIS_FINDING_NOTE, _("there is no nginx on this machine."));
        relais_doctor_advise(doctor, _("one in a container: docker compose exec nginx nginx -T > "
                                       "dump.txt; relais doctor --nginx-dump dump.txt"));
    } else if (code != 0) {
        say_refusal(doctor);
    } else {
        look_at(doctor, text);
    }
}

void relais_doctor_nginx(relais_doctor *doctor)
{
    relais_buffer text;
    relais_error err = {0};

    relais_buffer_init(&text, RELAIS_WEBCONF_TEXT_MAX);
    if (doctor->nginx_dump == NULL)
        ask_nginx(doctor, &text);
    else if (read_file(doctor->nginx_dump, &text, &err))
        look_at(doctor, &text);
    else
        relais_doctor_say_error(doctor, RELAIS_FINDING_FAULT, &err);
    relais_buffer_free(&text);
}

/* ---- Apache ------------------------------------------------------------------------------ */

/* The control program's name, by distribution. */
static const char *const controls[] = {"apache2ctl", "apachectl"};

static bool ask_apache(const char *control, const char *option, relais_buffer *said, int *code)
{
    char *const argv[] = {(char *)(uintptr_t)control, (char *)(uintptr_t)option, NULL};
    relais_error err = {0};

    relais_buffer_reset(said);
    return relais_program_read(argv, true, said, code, &err) && *code != NO_PROGRAM;
}

static void look_at_apache(relais_doctor *doctor, const char *control, relais_buffer *said)
{
    int code;

    if (!ask_apache(control, "-M", said, &code))
        return;
    if (code != 0) {
        if (said->length > 0)
            said->data[strcspn(said->data, "\n")] = '\0';
        relais_doctor_say(doctor, RELAIS_FINDING_FAULT, _("%s refuses its configuration: %s"),
                          control, said->data == NULL ? "" : said->data);
    } else if (strstr(said->data == NULL ? "" : said->data, "relais_module") != NULL) {
        relais_doctor_say(doctor, RELAIS_FINDING_OK,
                          _("the module is loaded, and content with its limits."));
    } else {
        relais_doctor_say(doctor, RELAIS_FINDING_NOTE, _("this Apache does not load the module."));
        relais_doctor_advise(doctor, "LoadModule relais_module /usr/lib/apache2/modules/"
                                     "mod_relais.so");
    }
}

void relais_doctor_apache(relais_doctor *doctor)
{
    relais_buffer said;
    int code;

    relais_buffer_init(&said, SAYING_MAX);
    for (size_t i = 0; i < sizeof controls / sizeof controls[0]; i++)
        if (ask_apache(controls[i], "-v", &said, &code)) {
            look_at_apache(doctor, controls[i], &said);
            break;
        }
    relais_buffer_free(&said);
}
