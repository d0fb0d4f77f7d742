/*
 * Golden cases of mappings. See mapping_case.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_target.h"
#include "mapping_case.h"

#include <stdio.h>
#include <stdlib.h>

#define CASES RELAIS_SOURCE_DIR "/tests/cases/mapping/"

enum { ARENA_MAX = 16 * 1024 * 1024, LINES_MAX = 1024 * 1024 };

const relais_facts mapping_case_facts = {
    .submission = "00000000-0000-5000-8000-000000000001",
    .record = "uuid:1",
    .instance = "uuid:1",
    .form = "ident",
    .version = "2",
    .received = "2026-03-02T22:31:04.123Z",
    .user = "agent 7",
    .device = "collect:x",
};

const relais_secrets *mapping_case_secrets;

const relais_secrets *mapping_case_default_secrets(void)
{
    static const relais_secret_files files = {.certificate =
                                                  RELAIS_SOURCE_DIR "/tests/fuzz/seal.crt"};
    static relais_secrets secrets;
    relais_error err = {0};

    if (secrets.seal == NULL && !relais_secrets_read(&files, &secrets, &err))
        fail_msg("%s: %s", err.path, err.text);
    return &secrets;
}

static const char *const policies[] = {"upsert", "absent", "newest", "replaced"};

void mapping_case_begin(struct mapping_case *subject, const char *name)
{
    char map[512], xml[512];

    snprintf(map, sizeof map, CASES "%s.map.xml", name);
    snprintf(xml, sizeof xml, CASES "%s.xml", name);
    mapping_case_begin_with(subject, name, map, xml);
}

void mapping_case_begin_with(struct mapping_case *subject, const char *name, const char *map,
                             const char *xml)
{
    *subject = (struct mapping_case){.name = name};
    relais_buffer_init(&subject->lines, LINES_MAX);
    subject->arena = relais_arena_create(ARENA_MAX);
    assert_non_null(subject->arena);
    if (!relais_mapping_read(map, &subject->mapping, &subject->err))
        fail_msg("%s:%ld: %s", subject->err.path, subject->err.line, subject->err.text);
    if (!relais_mapping_bind(subject->mapping, &fake_target,
                             mapping_case_secrets != NULL ? mapping_case_secrets
                                                          : mapping_case_default_secrets(),
                             &subject->err))
        fail_msg("%s:%ld: %s", subject->err.path, subject->err.line, subject->err.text);
    subject->submission.doc = xmlReadFile(xml, NULL, XML_PARSE_NONET);
    assert_non_null(subject->submission.doc);
}

void mapping_case_run(struct mapping_case *subject)
{
    subject->ok = relais_mapping_run(subject->mapping, &subject->submission, &mapping_case_facts,
                                     &fake_target, subject->arena, &subject->output,
                                     &subject->misfit, &subject->err);
}

static void print_value(relais_buffer *lines, const char *name, const char *value)
{
    relais_buffer_append_format(lines, " %s=%s", name, value == NULL ? "NULL" : value);
}

static void print_rows(struct mapping_case *subject, const relais_row_shape *shapes)
{
    relais_buffer *lines = &subject->lines;

    for (size_t i = 0; i < subject->output.clearance_count; i++) {
        const relais_clearance *clearance = &subject->output.clearances[i];
        const relais_row_shape *shape = &shapes[clearance->shape];
        relais_buffer_append_format(lines, "clear %s", shape->table_name);
        for (size_t j = 0; j < shape->replace_count; j++)
            print_value(lines, shape->replace[j], clearance->values[j]);
        relais_buffer_append_char(lines, '\n');
    }
    for (size_t i = 0; i < subject->output.count; i++) {
        const relais_row *row = &subject->output.rows[i];
        const relais_row_shape *shape = &shapes[row->shape];
        relais_buffer_append_format(lines, "row %s[%s]\n", shape->table_name,
                                    policies[shape->policy]);
        for (size_t j = 0; j < shape->column_count; j++) {
            relais_buffer_append_text(lines, "   ");
            print_value(lines, shape->columns[j], row->values[j]);
            relais_buffer_append_format(lines, "  <- %s\n", row->paths[j]);
        }
    }
}

void mapping_case_print(struct mapping_case *subject)
{
    relais_buffer *lines = &subject->lines;
    size_t count;

    if (!subject->ok) {
        const relais_misfit *misfit = &subject->misfit;
        assert_int_equal(subject->err.code, RELAIS_ERR_DATA);
        relais_buffer_append_format(lines, "misfit %s -> %s\n", misfit->path, misfit->column);
        relais_buffer_append_format(lines, "    %s: %s; %s\n", misfit->code, misfit->rule,
                                    misfit->value_class);
        relais_buffer_append_format(lines, "    %s: %s; %s\n", misfit->code, misfit->rule_en,
                                    misfit->value_class_en);
        return;
    }
    print_rows(subject, relais_mapping_shapes(subject->mapping, &count));
    for (size_t i = 0; i < subject->output.file_count; i++)
        relais_buffer_append_format(lines, "file %s\n", subject->output.files[i]);
    for (size_t i = 0; i < subject->output.unmapped_count; i++)
        relais_buffer_append_format(lines, "unmapped %s\n", subject->output.unmapped[i]);
}

void mapping_case_compare(struct mapping_case *subject)
{
    char file[512], expected[64 * 1024];
    FILE *stream;
    size_t length;

    snprintf(file, sizeof file, CASES "%s.rows", subject->name);
    if (getenv("RELAIS_UPDATE_CASES") != NULL) {
        stream = fopen(file, "we");
        assert_non_null(stream);
        fwrite(subject->lines.data, 1, subject->lines.length, stream);
        fclose(stream);
        return;
    }
    stream = fopen(file, "re");
    assert_non_null(stream);
    length = fread(expected, 1, sizeof expected - 1, stream);
    expected[length] = '\0';
    fclose(stream);
    assert_string_equal(subject->lines.data, expected);
}

void mapping_case_end(struct mapping_case *subject)
{
    relais_mapping_free(subject->mapping);
    xmlFreeDoc(subject->submission.doc);
    relais_buffer_free(&subject->lines);
    relais_arena_destroy(subject->arena);
}
