/*
 * The private PostgreSQL of the forwarder's tests. See store_fixture.h.
 */
#include "store_fixture.h"

#include "base/log.h"

#include <fcntl.h>
#include <ftw.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Debian 12 keeps one directory of server programs for each version of PostgreSQL. */
#define PG_CTL   "/usr/lib/postgresql/15/bin/pg_ctl"
#define INITDB   "/usr/lib/postgresql/15/bin/initdb"
#define BOUNDARY "b7c1a2"

/* Runs a program as the user that owns the server; its words go to a file. */
static void run_as_server(const fixture *f, const char *const *argv)
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0) {
        char log[96];
        int fd;
        const struct passwd *user = getuid() == 0 ? getpwnam("postgres") : NULL;
        if (user != NULL && (setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0))
            _exit(126);
        snprintf(log, sizeof log, "%s/server/words", f->directory);
        fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
        dup2(fd, STDOUT_FILENO);
        dup2(fd, STDERR_FILENO);
        close(fd);
        if (chdir("/") != 0)
            _exit(126);
        execv(argv[0], (char *const *)argv);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("%s ended with status %d; see %s/server/words", argv[0], status, f->directory);
}

static const char *data_directory(const fixture *f)
{
    static char path[96];

    snprintf(path, sizeof path, "%s/server/data", f->directory);
    return path;
}

/* fsync is off: these tests kill processes, never the machine. */
void store_start(fixture *f)
{
    char options[256];

    snprintf(options, sizeof options,
             "-c fsync=off -c listen_addresses='' -c unix_socket_directories=%s/server "
             "-c max_connections=20 -c shared_buffers=32MB -c log_min_messages=fatal",
             f->directory);
    run_as_server(f, (const char *const[]){PG_CTL, "-w", "-D", data_directory(f), "-o", options,
                                           "-l", "/dev/null", "start", NULL});
}

void store_stop(fixture *f, const char *mode)
{
    run_as_server(
        f, (const char *const[]){PG_CTL, "-w", "-D", data_directory(f), "-m", mode, "stop", NULL});
}

static void make_server(fixture *f)
{
    char path[96];
    const struct passwd *user = getuid() == 0 ? getpwnam("postgres") : NULL;

    snprintf(path, sizeof path, "%s/server", f->directory);
    assert_int_equal(mkdir(path, 0755), 0);
    if (user != NULL)
        assert_int_equal(chown(path, user->pw_uid, user->pw_gid), 0);
    run_as_server(f, (const char *const[]){INITDB, "-D", data_directory(f), "-U", "postgres", "-A",
                                           "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync",
                                           NULL});
}

int store_group_setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    relais_log_set_level(RELAIS_LOG_ERROR);
    snprintf(f->directory, sizeof f->directory, "/tmp/relais-store-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    assert_int_equal(chmod(f->directory, 0755), 0);
    snprintf(f->spool_directory, sizeof f->spool_directory, "%s/spool", f->directory);
    snprintf(f->mappings, sizeof f->mappings, "%s/mappings", f->directory);
    snprintf(f->conninfo, sizeof f->conninfo, "host=%s/server user=postgres dbname=postgres",
             f->directory);
    make_server(f);
    store_start(f);
    *state = f;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)st, (void)type, (void)walk;
    return remove(path);
}

static void remove_tree(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int store_group_teardown(void **state)
{
    fixture *f = *state;

    PQfinish(f->conn);
    relais_spool_close(f->spool);
    store_stop(f, "immediate");
    remove_tree(f->directory);
    free(f);
    return 0;
}

static char *read_file(const char *path)
{
    int fd = open(path, O_RDONLY);
    struct stat st;
    char *text;

    if (fd < 0 || fstat(fd, &st) != 0)
        fail_msg("%s cannot be read", path);
    text = calloc(1, (size_t)st.st_size + 1);
    assert_non_null(text);
    assert_int_equal(read(fd, text, (size_t)st.st_size), st.st_size);
    close(fd);
    return text;
}

static void run_file(fixture *f, const char *name)
{
    char path[512];
    char *sql;

    snprintf(path, sizeof path, RELAIS_SOURCE_DIR "/%s", name);
    sql = read_file(path);
    store_ask(f, "%s", sql);
    free(sql);
}

static void copy_mapping(const fixture *f, const char *name)
{
    char from[512], to[256];
    char *text;
    int fd;

    snprintf(from, sizeof from, RELAIS_SOURCE_DIR "/tests/cases/store/%s", name);
    snprintf(to, sizeof to, "%s/%s", f->mappings, name);
    text = read_file(from);
    fd = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    free(text);
}

int store_setup(void **state)
{
    fixture *f = *state;

    PQfinish(f->conn);
    f->conn = PQconnectdb(f->conninfo);
    assert_int_equal(PQstatus(f->conn), CONNECTION_OK);
    store_ask(f, "SET client_min_messages = error; SET TIME ZONE 'UTC';"
                 "DROP SCHEMA IF EXISTS relais, lab, ref CASCADE");
    run_file(f, "transforms/schema/0001_ledger.sql");
    run_file(f, "transforms/schema/0022_sealed_ledger.sql");
    run_file(f, "transforms/schema/0025_claims.sql");
    run_file(f, "transforms/schema/0030_choice.sql");
    run_file(f, "transforms/schema/0032_reports.sql");
    run_file(f, "tests/cases/store/schema.sql");
    relais_spool_close(f->spool);
    f->spool = NULL;
    remove_tree(f->spool_directory);
    remove_tree(f->mappings);
    assert_int_equal(mkdir(f->mappings, 0755), 0);
    copy_mapping(f, "visit.xml");
    copy_mapping(f, "registry.xml");
    copy_mapping(f, "follow.xml");
    relais_error_clear(&f->err);
    assert_ok(relais_spool_create(f->spool_directory, &f->err), f->err);
    assert_ok(relais_spool_open(f->spool_directory, 0, &f->spool, &f->err), f->err);
    return 0;
}

const char *store_ask(fixture *f, const char *format, ...)
{
    static char answers[8][1024];
    static unsigned turn;
    char *answer = answers[turn++ % 8];
    PGresult *result;
    va_list args;
    char *sql;

    va_start(args, format);
    assert_true(vasprintf(&sql, format, args) >= 0);
    va_end(args);
    result = PQexec(f->conn, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
        fail_msg("%.200s: %s", sql, PQerrorMessage(f->conn));
    snprintf(answer, sizeof answers[0], "%s",
             PQntuples(result) > 0 && PQnfields(result) > 0 ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    free(sql);
    return answer;
}

static void append_part(relais_buffer *body, const char *name, const char *type)
{
    relais_buffer_append_format(body,
                                "--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"%s\"; "
                                "filename=\"%s\"\r\nContent-Type: %s\r\n\r\n",
                                name, name, type);
}

static void append_pattern(relais_buffer *body, size_t size)
{
    char *place = relais_buffer_extend(body, size);

    assert_non_null(place);
    for (size_t i = 0; i < size; i++)
        place[i] = (char)(i * 2654435761u >> 24);
}

static void build_body(relais_buffer *body, const char *xml, const store_file *files)
{
    append_part(body, "xml_submission_file", "text/xml");
    relais_buffer_append_text(body, xml);
    for (; files != NULL && files->name != NULL; files++) {
        relais_buffer_append_text(body, "\r\n");
        append_part(body, files->name, "image/jpeg");
        if (files->bytes != NULL)
            relais_buffer_append_text(body, files->bytes);
        else
            append_pattern(body, files->size);
    }
    relais_buffer_append_text(body, "\r\n--" BOUNDARY "--\r\n");
}

/* The root's id, as the web server reads it. */
static const char *form_of(const char *xml)
{
    static char form[64];
    const char *id = strstr(xml, " id=\"");

    snprintf(form, sizeof form, "%.*s", id == NULL ? 0 : (int)strcspn(id + 5, "\""),
             id == NULL ? "" : id + 5);
    return form[0] == '\0' ? "none" : form;
}

static void describe(relais_parcel_head *head, const char *received, const char *form,
                     const relais_buffer *body)
{
    relais_digest_state digest;

    relais_parcel_head_init(head);
    head->received = received;
    head->source = "serve";
    head->form = form;
    head->user = "agent-017";
    head->device = "collect:test";
    head->content_type = "multipart/form-data; boundary=" BOUNDARY;
    head->length = body->length;
    relais_sha256_begin(&digest);
    relais_sha256_add(&digest, body->data, body->length);
    relais_sha256_end(&digest, head->sha256);
}

void store_post(fixture *f, const char *received, const char *xml, const store_file *files)
{
    relais_parcel_head head;
    relais_staged staged;
    relais_segment segment;
    relais_buffer body;

    relais_buffer_init(&body, 256 * 1024 * 1024);
    build_body(&body, xml, files);
    assert_int_equal(body.failed, RELAIS_ERR_NONE);
    describe(&head, received, form_of(xml), &body);
    segment = (relais_segment){.data = body.data, .length = body.length};
    assert_ok(relais_spool_stage(f->spool, &head, &segment, 1, &staged, &f->err), f->err);
    assert_ok(relais_spool_commit(f->spool, &staged, &f->err), f->err);
    relais_buffer_free(&body);
}

void store_visit(fixture *f, const char *received, const char *instance, const char *deprecated,
                 const char *answers, const store_file *files)
{
    char *xml;

    assert_true(asprintf(&xml,
                         "<data id=\"visit\" version=\"7\">%s<meta><instanceID>%s</instanceID>"
                         "%s%s%s</meta></data>",
                         answers, instance, deprecated == NULL ? "" : "<deprecatedID>",
                         deprecated == NULL ? "" : deprecated,
                         deprecated == NULL ? "" : "</deprecatedID>") > 0);
    store_post(f, received, xml, files);
    free(xml);
}

bool store_try_forward(fixture *f)
{
    relais_forwarder_options options = {.conninfo = f->conninfo,
                                        .spool = f->spool_directory,
                                        .mappings = f->mappings,
                                        .batch = 50,
                                        .scan_seconds = 1,
                                        .sweep_seconds = 3600,
                                        .once = true};

    relais_error_clear(&f->err);
    return relais_forwarder_run(&options, &f->counts, &f->err);
}

void store_forward(fixture *f)
{
    assert_ok(store_try_forward(f), f->err);
}

size_t store_waiting(fixture *f)
{
    relais_spool_entry entry;
    size_t count, total;

    assert_ok(relais_spool_list(f->spool, &entry, 1, &count, &total, &f->err), f->err);
    return total;
}

struct quarantine_look {
    size_t count;
    char text[2048];
};

static bool look(void *context, const char *name, const relais_reason *reason)
{
    struct quarantine_look *found = context;

    (void)name;
    found->count++;
    if (reason != NULL)
        snprintf(found->text, sizeof found->text, "%s|%s|%s|%s|%s", reason->class_word,
                 reason->path, reason->column, reason->rule, reason->text);
    return true;
}

static struct quarantine_look *look_at_quarantine(fixture *f)
{
    static struct quarantine_look found;

    memset(&found, 0, sizeof found);
    assert_ok(relais_quarantine_walk(f->spool, look, &found, &f->err), f->err);
    return &found;
}

size_t store_quarantined(fixture *f)
{
    return look_at_quarantine(f)->count;
}

const char *store_reason(fixture *f)
{
    return look_at_quarantine(f)->text;
}
