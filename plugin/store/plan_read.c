/*
 * The files that a plan is made of. See plan.h.
 */
#include "store/plan.h"
#include "store/script.h"

#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A schema grows by some files a year; the lists are a dozen. */
enum { FILES_MAX = 2000, NUMBER_DIGITS = 4 };

typedef struct files {
    const char *directory;
    const char **names;
    size_t count;
} files;

static bool has_ending(const char *name, const char *ending)
{
    size_t length = strlen(name), ending_length = strlen(ending);

    return name[0] != '.' && length > ending_length &&
           strcmp(name + length - ending_length, ending) == 0;
}

static int compare_names(const void *left, const void *right)
{
    const char *const *a = left, *const *b = right;

    return strcmp(*a, *b);
}

static bool add_file(files *out, const char *name, relais_arena *arena, relais_error *err)
{
    if (out->count == FILES_MAX) {
        relais_error_set(err, RELAIS_ERR_LIMIT, "more than %d files", FILES_MAX);
        relais_error_at(err, out->directory, 0);
        return false;
    }
    out->names[out->count] = relais_arena_text(arena, name);
    if (out->names[out->count] == NULL)
        return relais_arena_error(arena, err);
    out->count++;
    return true;
}

/* The names in a directory that have an ending, sorted. A missing directory holds none. */
static bool list_files(const char *directory, const char *ending, relais_arena *arena, files *out,
                       relais_error *err)
{
    DIR *dir = opendir(directory);
    bool ok = true;

    *out = (files){.directory = directory};
    if (dir == NULL && errno == ENOENT)
        return true;
    if (dir == NULL)
        return relais_error_system(err, errno, directory, "the directory cannot be read");
    out->names = relais_arena_alloc(arena, FILES_MAX * sizeof *out->names);
    if (out->names == NULL)
        ok = relais_arena_error(arena, err);
    for (struct dirent *entry; ok && (entry = readdir(dir)) != NULL;)
        if (has_ending(entry->d_name, ending))
            ok = add_file(out, entry->d_name, arena, err);
    closedir(dir);
    if (ok && out->count > 0)
        qsort(out->names, out->count, sizeof *out->names, compare_names);
    return ok;
}

static bool read_bytes(int fd, char *bytes, size_t length, const char *path, relais_error *err)
{
    size_t done = 0;

    while (done < length) {
        ssize_t got = read(fd, bytes + done, length - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return relais_error_system(err, got < 0 ? errno : EIO, path, "the file cannot be read");
        done += (size_t)got;
    }
    return true;
}

static bool read_file(const char *path, relais_arena *arena, const char **bytes, size_t *length,
                      relais_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    bool ok = false;
    char *content;

    if (fd < 0 || fstat(fd, &status) != 0) {
        relais_error_system(err, errno, path, "the file cannot be opened");
        goto done;
    }
    if (!S_ISREG(status.st_mode) || status.st_size > RELAIS_PLAN_FILE_MAX) {
        relais_error_set(err, RELAIS_ERR_LIMIT, "not a plain file of at most %d bytes",
                         RELAIS_PLAN_FILE_MAX);
        relais_error_at(err, path, 0);
        goto done;
    }
    content = relais_arena_alloc(arena, (size_t)status.st_size + 1);
    if (content == NULL) {
        relais_arena_error(arena, err);
        goto done;
    }
    *bytes = content;
    *length = (size_t)status.st_size;
    ok = read_bytes(fd, content, *length, path, err);

done:
    if (fd >= 0)
        close(fd);
    return ok;
}

static void hash_bytes(const char *bytes, size_t length, uint8_t out[RELAIS_SHA256_SIZE])
{
    relais_digest_state state;

    relais_sha256_begin(&state);
    relais_sha256_add(&state, bytes, length);
    relais_sha256_end(&state, out);
}

/* ---- migrations -------------------------------------------------------------------------- */

/* Names stand in comments and literals of the script, so they are plain. */
static bool is_schema_name(const char *name)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

    for (size_t i = 0; i < NUMBER_DIGITS; i++)
        if (name[i] < '0' || name[i] > '9')
            return false;
    return name[NUMBER_DIGITS] == '_' && name[strspn(name, plain)] == '\0';
}

static bool check_name(const char *path, const char *name, const char *previous, relais_error *err)
{
    if (!is_schema_name(name))
        relais_error_set(err, RELAIS_ERR_CONFIG,
                         "a schema file is called by four digits and a plain name, such as "
                         "0002_national.sql; they are applied in that order");
    else if (previous != NULL && strncmp(name, previous, NUMBER_DIGITS) == 0)
        relais_error_set(err, RELAIS_ERR_CONFIG,
                         "the number is that of %s too; give the newer file a number of its own",
                         previous);
    else
        return true;
    relais_error_at(err, path, 0);
    return false;
}

/* The file becomes a part of the script: its bytes must be psql's, and its transaction ours. */
static bool check_text(const relais_migration *migration, relais_error *err)
{
    long line = 0;

    if (!relais_utf8_valid(migration->sql, migration->length) ||
        memchr(migration->sql, '\0', migration->length) != NULL)
        relais_error_set(err, RELAIS_ERR_CONFIG, "the file is not UTF-8 text");
    else if (migration->length >= 3 && memcmp(migration->sql, "\xef\xbb\xbf", 3) == 0)
        relais_error_set(err, RELAIS_ERR_CONFIG,
                         "the file begins with a byte order mark; save it without");
    else if ((line = relais_script_transaction(migration->sql, migration->length)) > 0)
        relais_error_set(err, RELAIS_ERR_CONFIG,
                         "the file begins or ends a transaction; take that out, for each file is "
                         "applied in a transaction of its own");
    else
        return true;
    relais_error_at(err, migration->file, line);
    return false;
}

static bool read_migrations(const char *directory, relais_arena *arena, relais_plan *out,
                            relais_error *err)
{
    files found;

    if (!list_files(directory, ".sql", arena, &found, err))
        return false;
    out->migrations = relais_arena_alloc(arena, (found.count + 1) * sizeof *out->migrations);
    if (out->migrations == NULL)
        return relais_arena_error(arena, err);
    for (size_t i = 0; i < found.count; i++) {
        relais_migration *one = &out->migrations[i];
        one->name = found.names[i];
        one->applied_at = "";
        one->file = relais_arena_format(arena, "%s/%s", directory, one->name);
        if (one->file == NULL)
            return relais_arena_error(arena, err);
        if (!check_name(one->file, one->name, i > 0 ? found.names[i - 1] : NULL, err) ||
            !read_file(one->file, arena, &one->sql, &one->length, err) || !check_text(one, err))
            return false;
        hash_bytes(one->sql, one->length, one->sha256);
        out->migration_count++;
    }
    return true;
}

/* ---- reference data ----------------------------------------------------------------------- */

/* "ref.code" of "ref.code.csv"; NULL, with err set, when the name is not of that shape. */
static const char *table_of(const char *path, const char *name, relais_arena *arena,
                            relais_error *err)
{
    size_t length = strlen(name) - strlen(".csv");
    const char *dot = memchr(name, '.', length);
    char *table;

    if (dot == NULL || dot == name || dot == name + length - 1 ||
        memchr(dot + 1, '.', length - (size_t)(dot - name) - 1) != NULL) {
        relais_error_set(err, RELAIS_ERR_CONFIG,
                         "a file of reference data is called by its table: SCHEMA.TABLE.csv");
        relais_error_at(err, path, 0);
        return NULL;
    }
    table = relais_arena_copy(arena, name, length);
    if (table == NULL)
        relais_arena_error(arena, err);
    return table;
}

static bool read_references(const char *directory, relais_arena *arena, relais_plan *out,
                            relais_error *err)
{
    files found;

    if (!list_files(directory, ".csv", arena, &found, err))
        return false;
    out->references = relais_arena_alloc(arena, (found.count + 1) * sizeof *out->references);
    if (out->references == NULL)
        return relais_arena_error(arena, err);
    for (size_t i = 0; i < found.count; i++) {
        const char *path = relais_arena_format(arena, "%s/%s", directory, found.names[i]);
        const char *table, *bytes;
        size_t length;
        if (path == NULL)
            return relais_arena_error(arena, err);
        table = table_of(path, found.names[i], arena, err);
        if (table == NULL || !read_file(path, arena, &bytes, &length, err) ||
            !relais_reference_parse(path, table, bytes, length, arena, &out->references[i], err))
            return false;
        out->reference_count++;
    }
    return true;
}

/* By the order in which the schema's files create the tables. */
static bool sort_references(relais_plan *plan, relais_arena *arena, relais_error *err)
{
    relais_names tables = {0};

    for (size_t i = 0; i < plan->migration_count; i++)
        if (!relais_script_tables(plan->migrations[i].sql, plan->migrations[i].length, &tables,
                                  arena, err))
            return false;
    return relais_reference_sort(plan->references, plan->reference_count, tables.items,
                                 tables.count, NULL, 0, arena, err);
}

static bool check_directory(const char *directory, relais_error *err)
{
    if (access(directory, R_OK | X_OK) == 0)
        return true;
    return relais_error_system(err, errno, directory, "the mappings' directory cannot be read");
}

bool relais_plan_read(const char *directory, relais_arena *arena, relais_plan *out,
                      relais_error *err)
{
    const char *schema = relais_arena_format(arena, "%s/schema", directory);
    const char *codes = relais_arena_format(arena, "%s/codes", directory);

    *out = (relais_plan){0};
    if (schema == NULL || codes == NULL)
        return relais_arena_error(arena, err);
    if (!check_directory(directory, err) || !read_migrations(schema, arena, out, err) ||
        !read_references(codes, arena, out, err))
        return false;
    if (out->migration_count > 0)
        return sort_references(out, arena, err);
    relais_error_set(err, RELAIS_ERR_MISSING,
                     "there are no schema files; [mappings] directory must name the directory "
                     "that holds schema/ and codes/");
    relais_error_at(err, schema, 0);
    return false;
}
