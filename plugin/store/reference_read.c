/*
 * Reading reference data by libcsv. See reference.h.
 */
#include "base/text.h"
#include "store/reference.h"

#include <csv.h>
#include <stdint.h>
#include <string.h>

/* The state of reading one file. */
typedef struct reading {
    const char *file;
    relais_arena *arena;
    relais_error *err;
    relais_reference *out;
    size_t capacity;
    const char *fields[RELAIS_REFERENCE_COLUMNS_MAX];
    size_t field_count;
    long line;     /* the line that is being fed */
    long row_line; /* where the present row began */
    bool is_in_row;
} reading;

static bool find_fault(reading *read, long line, const char *text)
{
    relais_error_set(read->err, RELAIS_ERR_CONFIG, "%s", relais_translate(text));
    relais_error_at(read->err, read->file, line);
    return false;
}

static bool fail_memory(reading *read)
{
    return relais_arena_error(read->arena, read->err);
}

/* libcsv's field callback; NULL stands for an empty field without quotes. */
static void take_field(void *bytes, size_t length, void *context)
{
    reading *read = context;
    char *copy = NULL;

    if (read->err->code != RELAIS_ERR_NONE)
        return;
    if (read->field_count == RELAIS_REFERENCE_COLUMNS_MAX) {
        relais_error_set(read->err, RELAIS_ERR_LIMIT, "more than %d columns",
                         RELAIS_REFERENCE_COLUMNS_MAX);
        relais_error_at(read->err, read->file, read->row_line);
        return;
    }
    if (bytes != NULL) {
        copy = relais_arena_copy(read->arena, bytes, length);
        if (copy == NULL)
            fail_memory(read);
    }
    read->fields[read->field_count++] = copy;
}

static const char **keep_fields(reading *read)
{
    const char **kept = relais_arena_alloc(read->arena, read->field_count * sizeof *kept);

    if (kept == NULL)
        fail_memory(read);
    else
        memcpy(kept, read->fields, read->field_count * sizeof *kept);
    return kept;
}

static void take_header(reading *read)
{
    for (size_t i = 0; i < read->field_count; i++) {
        const char *name = read->fields[i];
        if (name == NULL || strpbrk(name, ";\t") != NULL) {
            find_fault(read, read->row_line,
                       "the first line must name the columns, with commas between them");
            return;
        }
        for (size_t j = 0; j < i; j++) {
            if (strcmp(read->fields[j], name) == 0) {
                find_fault(read, read->row_line, "the first line names a column twice");
                return;
            }
        }
    }
    read->out->columns = keep_fields(read);
    read->out->column_count = read->field_count;
}

static bool make_room(reading *read)
{
    relais_reference *out = read->out;
    size_t capacity = read->capacity == 0 ? 64 : read->capacity * 2;
    relais_reference_row *rows;

    if (out->row_count < read->capacity)
        return true;
    rows = relais_arena_alloc(read->arena, capacity * sizeof *rows);
    if (rows == NULL)
        return fail_memory(read);
    if (out->row_count > 0)
        memcpy(rows, out->rows, out->row_count * sizeof *rows);
    out->rows = rows;
    read->capacity = capacity;
    return true;
}

static void add_row(reading *read)
{
    if (read->field_count != read->out->column_count) {
        relais_error_set(read->err, RELAIS_ERR_CONFIG,
                         "the row has %zu fields where the first line names %zu columns",
                         read->field_count, read->out->column_count);
        relais_error_at(read->err, read->file, read->row_line);
    } else if (make_room(read)) {
        read->out->rows[read->out->row_count++] =
            (relais_reference_row){read->row_line, keep_fields(read), true};
    }
}

/* libcsv's end of a row. */
static void take_row(int terminator, void *context)
{
    reading *read = context;

    (void)terminator;
    read->is_in_row = false;
    if (read->err->code == RELAIS_ERR_NONE) {
        if (read->out->columns == NULL)
            take_header(read);
        else
            add_row(read);
    }
    read->field_count = 0;
}

static int is_never_space(unsigned char c)
{
    (void)c;
    return 0; /* blanks belong to their field, as COPY has it */
}

/* Line by line, so that each row knows where it stands. */
static bool feed_lines(reading *read, struct csv_parser *parser, const char *bytes, size_t length)
{
    const char *end = bytes + length;

    while (bytes < end && read->err->code == RELAIS_ERR_NONE) {
        const char *newline = memchr(bytes, '\n', (size_t)(end - bytes));
        size_t count = newline == NULL ? (size_t)(end - bytes) : (size_t)(newline - bytes) + 1;

        read->line++;
        if (!read->is_in_row)
            read->row_line = read->line;
        read->is_in_row = true;
        if (csv_parse(parser, bytes, count, take_field, take_row, read) != count)
            return find_fault(read, read->line,
                              "a double quote stands inside a field without quotes");
        if (count == 1 && read->field_count == 0)
            read->is_in_row = false; /* an empty line is no row */
        bytes += count;
    }
    if (read->err->code == RELAIS_ERR_NONE && csv_fini(parser, take_field, take_row, read) != 0)
        return find_fault(read, read->row_line, "a quoted field has no end");
    return read->err->code == RELAIS_ERR_NONE;
}

bool relais_reference_parse(const char *file, const char *table, const char *bytes, size_t length,
                            relais_arena *arena, relais_reference *out, relais_error *err)
{
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    reading read = {.file = file, .arena = arena, .err = err, .out = out};
    struct csv_parser parser;
    bool ok;

    *out = (relais_reference){.file = file, .table = table};
    if (!relais_utf8_valid(bytes, length) || memchr(bytes, '\0', length) != NULL)
        return find_fault(&read, 0, "the file is not UTF-8 text; save it as CSV UTF-8");
    if (length >= 3 && memcmp(bytes, byte_order_mark, 3) == 0) {
        bytes += 3;
        length -= 3;
    }
    if (csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI | CSV_EMPTY_IS_NULL) != 0)
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    csv_set_space_func(&parser, is_never_space);
    ok = feed_lines(&read, &parser, bytes, length);
    csv_free(&parser);
    if (ok && out->columns == NULL)
        return find_fault(&read, 0, "the file is empty; its first line must name the columns");
    out->differing = out->row_count;
    return ok;
}
