/*
 * What two versions of a record differ in, field by field, for the person who must choose. See
 * conflict.h.
 *
 * Sealed versions are opened in memory with the key; without it the rows that the ledger keeps of
 * versions that wait are compared, where both have them.
 */
#include "cli/conflict.h"

#include "cli/json.h"
#include "cli/speak.h"
#include "cli/table.h"
#include "xform/difference.h"

#include <stdio.h>
#include <string.h>

typedef enum {
    BASIS_ANSWERS,
    BASIS_ROWS,   /* without the key: the rows kept of both */
    BASIS_SEALED, /* without the key: nothing to compare */
    BASIS_NONE    /* there is only one version, or its answers were erased */
} basis;

static const char *const basis_words[] = {"answers", "rows", "sealed", "none"};

typedef struct comparison {
    const relais_rival *one, *other; /* `other`: NULL when there is none */
    basis basis;
    relais_differences differences;
    relais_rival_files files;
} comparison;

/* A version's answers, opened; `plain` is wiped when they have been compared. */
typedef struct opened {
    relais_rival_answers kept;
    relais_submission submission;
    relais_buffer plain;
    bool is_readable;
} opened;

/* ---- which two ------------------------------------------------------------------------------- */

static const relais_rival *find_version(const relais_rivals *record, const char *sub_id)
{
    for (size_t i = 0; i < record->count; i++)
        if (strcasecmp(record->list[i].sub_id, sub_id) == 0)
            return &record->list[i];
    return NULL;
}

static bool is_current(const relais_rival *one)
{
    return strcmp(one->state, "delivered") == 0 || strcmp(one->state, "partial") == 0;
}

/* The current version; for that one itself the first that contradicts it. */
static const relais_rival *find_counterpart(const relais_rivals *record, const relais_rival *shown)
{
    const relais_rival *best = NULL;

    for (size_t i = 0; i < record->count; i++) {
        const relais_rival *one = &record->list[i];
        if (one == shown)
            continue;
        if (is_current(one))
            return one;
        if (best == NULL || (one->is_beside && !best->is_beside))
            best = one;
    }
    return best;
}

/* In the order received, so that a comparison reads the same whichever of the two is named. */
static bool choose_two(const relais_rivals *record, const relais_conflict_wish *wish,
                       comparison *out, relais_error *err)
{
    const relais_rival *one = find_version(record, wish->sub_id);
    const relais_rival *other =
        wish->with == NULL ? find_counterpart(record, one) : find_version(record, wish->with);

    if (wish->with != NULL && (other == NULL || other == one))
        return relais_error_set(err, RELAIS_ERR_MISSING, "%s is not another version of this record",
                                wish->with);
    out->one = other != NULL && other < one ? other : one;
    out->other = other == NULL || other < one ? (other == NULL ? NULL : one) : other;
    return true;
}

/* ---- opening --------------------------------------------------------------------------------- */

static bool open_version(relais_store *store, const relais_rival *version,
                         const relais_seal_key *key, relais_arena *arena, opened *out,
                         relais_error *err)
{
    const char *xml;
    size_t length;
    int64_t offset;

    if (!relais_conflict_open(store, version->sub_id, arena, &out->kept, err))
        return false;
    xml = out->kept.xml;
    length = out->kept.xml_length;
    if (version->seal[0] != '\0') {
        if (key == NULL || xml == NULL)
            return true;
        if (strcmp(relais_seal_key_id_of(key), version->seal) != 0)
            return relais_error_set(err, RELAIS_ERR_CONFIG,
                                    "this key (%.16s...) does not open version %s: that is sealed "
                                    "for the key %.16s...",
                                    relais_seal_key_id_of(key), version->sub_id, version->seal);
        relais_buffer_init(&out->plain, length);
        if (!relais_unseal_bytes(key, xml, length, &out->plain, err))
            return false;
        xml = out->plain.data;
        length = out->plain.length;
    }
    out->is_readable = xml != NULL;
    return xml == NULL ||
           relais_submission_parse(xml, length, arena, &out->submission, &offset, err);
}

static void close_version(opened *version)
{
    if (version->plain.data != NULL)
        explicit_bzero(version->plain.data, version->plain.length);
    relais_buffer_free(&version->plain);
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* "lab.item[2].code" of the rows kept of a version. Ids and what is made anew for each version
 * (sealed values, the submission's id) say nothing. */
static bool is_telling(const json_t *body, const char *column, const char *value)
{
    const json_t *one;
    size_t i;

    const char *record = json_string_value(json_object_get(body, "record"));

    if (strcmp(column, "sub_id") == 0 || (value != NULL && strncmp(value, "\\x", 2) == 0) ||
        (value != NULL && record != NULL && strcmp(value, record) == 0))
        return false;
    json_array_foreach(json_object_get(body, "derived"), i, one)
    {
        const char *id = json_string_value(json_object_get(one, "id"));
        if (id != NULL && value != NULL && strcmp(id, value) == 0)
            return false;
    }
    return true;
}

static bool lay_row(const json_t *body, const json_t *row, json_t *seen, json_t *out)
{
    const json_t *shape = json_array_get(json_object_get(body, "shapes"),
                                         (size_t)json_integer_value(json_object_get(row, "shape")));
    const char *table = json_string_value(json_object_get(shape, "table"));
    const json_t *columns = json_object_get(shape, "columns"), *one;
    json_int_t number;
    size_t i;

    if (table == NULL)
        return false;
    number = json_integer_value(json_object_get(seen, table)) + 1;
    json_object_set_new(seen, table, json_integer(number));
    json_array_foreach(columns, i, one)
    {
        const char *column = json_string_value(one);
        json_t *value = json_array_get(json_object_get(row, "values"), i);
        char path[256];
        if (column == NULL || !is_telling(body, column, json_string_value(value)))
            continue;
        if (number > 1)
            snprintf(path, sizeof path, "%s[%lld].%s", table, (long long)number, column);
        else
            snprintf(path, sizeof path, "%s.%s", table, column);
        json_object_set(out, path, value == NULL ? json_null() : value);
    }
    return true;
}

/* An object from paths to values, NULL when the text is not what the ledger keeps. */
static json_t *lay_rows(const char *text)
{
    json_t *body = json_loads(text, 0, NULL);
    json_t *out = json_object(), *seen = json_object();
    const json_t *row;
    size_t i;
    bool ok = body != NULL;

    json_array_foreach(json_object_get(body, "rows"), i, row) ok =
        ok && lay_row(body, row, seen, out);
    json_decref(body);
    json_decref(seen);
    if (ok)
        return out;
    json_decref(out);
    return NULL;
}

static bool add_difference(relais_differences *out, const char *path, const json_t *one,
                           const json_t *other, relais_arena *arena)
{
    const char *a = json_string_value(one), *b = json_string_value(other);
    relais_difference *made = &out->list[out->count];

    if (a == NULL ? b == NULL : b != NULL && strcmp(a, b) == 0)
        return true;
    made->path = relais_arena_text(arena, path);
    made->one = a == NULL ? NULL : relais_arena_text(arena, a);
    made->other = b == NULL ? NULL : relais_arena_text(arena, b);
    out->count++;
    return made->path != NULL && (a == NULL || made->one != NULL) &&
           (b == NULL || made->other != NULL);
}

static bool compare_rows(const char *one, const char *other, relais_arena *arena,
                         relais_differences *out, relais_error *err)
{
    json_t *a = lay_rows(one), *b = lay_rows(other);
    const char *path;
    json_t *value;
    bool ok = a != NULL && b != NULL;

    out->list = relais_arena_alloc(arena, (json_object_size(a) + json_object_size(b) + 1) *
                                              sizeof *out->list);
    ok = ok && out->list != NULL;
    json_object_foreach(a, path, value) ok =
        ok && add_difference(out, path, value, json_object_get(b, path), arena);
    json_object_foreach(b, path, value) if (ok && json_object_get(a, path) == NULL) ok =
        add_difference(out, path, NULL, value, arena);
    json_decref(a);
    json_decref(b);
    return ok || relais_error_set(err, RELAIS_ERR_DATABASE,
                                  "what is kept of a sealed submission cannot be read");
}

/* ---- comparing ------------------------------------------------------------------------------- */

static bool compare_opened(const opened *one, const opened *other, relais_arena *arena,
                           comparison *out, relais_error *err)
{
    if (one->is_readable && other->is_readable) {
        out->basis = BASIS_ANSWERS;
        return relais_submission_differences(&one->submission, &other->submission, arena,
                                             &out->differences, err);
    }
    if (one->kept.xml == NULL || other->kept.xml == NULL)
        return true;
    out->basis = BASIS_SEALED;
    if (one->kept.rows == NULL || other->kept.rows == NULL)
        return true;
    out->basis = BASIS_ROWS;
    return compare_rows(one->kept.rows, other->kept.rows, arena, &out->differences, err);
}

static bool compare(relais_store *store, const relais_seal_key *key, relais_arena *arena,
                    comparison *out, relais_error *err)
{
    opened one = {0}, other = {0};
    bool ok;

    out->basis = BASIS_NONE;
    if (out->other == NULL)
        return true;
    ok = relais_conflict_files(store, out->one->sub_id, out->other->sub_id, arena, &out->files,
                               err) &&
         open_version(store, out->one, key, arena, &one, err) &&
         open_version(store, out->other, key, arena, &other, err) &&
         compare_opened(&one, &other, arena, out, err);
    close_version(&one);
    close_version(&other);
    return ok;
}

/* ---- printing -------------------------------------------------------------------------------- */

static void print_value(const char *mark, const char *value)
{
    printf("  %s ", mark);
    if (value == NULL)
        fputs(_("(not there)"), stdout);
    else if (value[0] == '\0')
        fputs(_("(empty)"), stdout);
    else
        relais_print_plain(stdout, value);
    putchar('\n');
}

static void print_files(const comparison *c)
{
    for (size_t i = 0; i < c->files.count; i++) {
        const relais_rival_file *file = &c->files.list[i];
        fputs(_("File "), stdout);
        relais_print_plain(stdout, file->name);
        putchar('\n');
        print_value("A", file->one[0] == '\0' ? NULL : file->one);
        print_value("B", file->other[0] == '\0' ? NULL : file->other);
    }
}

static void print_comparison(const comparison *c)
{
    if (c->other == NULL) {
        puts(_("This record has one version only."));
        return;
    }
    printf("\nA  %s  %s\nB  %s  %s\n\n", c->one->sub_id, c->one->received, c->other->sub_id,
           c->other->received);
    for (size_t i = 0; i < c->differences.count; i++) {
        const relais_difference *one = &c->differences.list[i];
        relais_print_plain(stdout, one->path);
        putchar('\n');
        print_value("A", one->one);
        print_value("B", one->other);
    }
    print_files(c);
    if (c->basis == BASIS_NONE)
        puts(_("The answers were erased."));
    else if (c->basis != BASIS_SEALED && c->differences.count + c->files.count == 0)
        puts(_("Their answers are the same; only the bytes around them differ."));
}

static json_t *differences_json(const comparison *c)
{
    json_t *list = json_array();

    for (size_t i = 0; i < c->differences.count; i++) {
        const relais_difference *one = &c->differences.list[i];
        json_array_append_new(list, json_pack("{s:s, s:s?, s:s?}", "path", one->path, "a", one->one,
                                              "b", one->other));
    }
    return list;
}

static json_t *files_json(const comparison *c)
{
    json_t *list = json_array();

    for (size_t i = 0; i < c->files.count; i++) {
        const relais_rival_file *one = &c->files.list[i];
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:s}", "name", one->name, "a", one->one, "b", one->other));
    }
    return list;
}

static json_t *comparison_json(const relais_rivals *record, const comparison *c)
{
    return json_pack("{s:o, s:s, s:s?, s:s, s:o, s:o}", "versions", relais_conflict_json(record),
                     "a", c->one->sub_id, "b", c->other == NULL ? NULL : c->other->sub_id,
                     "compared", basis_words[c->basis], "differences", differences_json(c), "files",
                     files_json(c));
}

/* What stands between the person and the answers, on standard error. */
static void say_basis(const comparison *c)
{
    if (c->basis == BASIS_ROWS)
        relais_say(_("The answers are sealed: what the rows of both would say is compared. Give "
                     "--key FILE, where the key is, to compare the answers."));
    else if (c->basis == BASIS_SEALED)
        relais_say(
            _("The answers are sealed: give --key FILE, where the key is, to compare them."));
}

bool relais_conflict_show(relais_store *store, const relais_conflict_wish *wish,
                          relais_arena *arena, bool *is_sealed, relais_error *err)
{
    comparison c = {0};
    relais_rivals record;

    if (!relais_conflict_record(store, wish->sub_id, arena, &record, err) ||
        !choose_two(&record, wish, &c, err) || !compare(store, wish->key, arena, &c, err))
        return false;
    *is_sealed = c.basis == BASIS_SEALED;
    if (wish->as_json) {
        if (!relais_json_print(comparison_json(&record, &c), err))
            return false;
    } else {
        if (!relais_conflict_print(&record, arena, err))
            return false;
        print_comparison(&c);
    }
    say_basis(&c);
    return true;
}
