/*
 * Rows that were made under one record's name, given to another: as a run under that would have
 * made them, or known to be something else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_target.h"
#include "mapping_case.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ARENA_MAX = 1024 * 1024 };

#define HEAD                                                                                       \
    "<mapping xmlns='urn:relais:mapping:1' form='f'>"                                              \
    "<row table='test.types' replace='u'>"                                                         \
    "<column name='t' select='code'/>"
#define TAIL "</row></mapping>"

/* One run of a mapping under a record's name. */
struct run {
    relais_mapping *mapping;
    relais_submission submission;
    relais_arena *arena;
    relais_output output;
};

static void begin(struct run *run, const char *text)
{
    static const char xml[] = "<f><code>a</code><name>uuid:one</name></f>";
    char file[] = "/tmp/relais-derive-XXXXXX";
    relais_error err = {0};
    int fd = mkstemp(file);

    *run = (struct run){.arena = relais_arena_create(ARENA_MAX)};
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    if (!relais_mapping_read(file, &run->mapping, &err) ||
        !relais_mapping_bind(run->mapping, &fake_target, NULL, &err))
        fail_msg("%ld: %s", err.line, err.text);
    unlink(file);
    run->submission.doc = xmlReadMemory(xml, sizeof xml - 1, NULL, NULL, XML_PARSE_NONET);
    assert_non_null(run->submission.doc);
}

static void evaluate(struct run *run, const char *record, relais_output *out)
{
    relais_facts facts = mapping_case_facts;
    relais_misfit misfit;
    relais_error err = {0};

    facts.record = record;
    facts.is_for_keeping = true;
    if (!relais_mapping_run(run->mapping, &run->submission, &facts, &fake_target, run->arena, out,
                            &misfit, &err))
        fail_msg("%s: %s", err.path, err.text);
}

static void end(struct run *run)
{
    xmlFreeDoc(run->submission.doc);
    relais_mapping_free(run->mapping);
    relais_arena_destroy(run->arena);
}

/* True when the rows of one name, renamed, are those of the other. */
static bool renames(const char *mapping)
{
    struct run run;
    relais_output other;
    relais_error err = {0};
    bool same;

    begin(&run, mapping);
    evaluate(&run, "uuid:stand-in", &run.output);
    evaluate(&run, "uuid:one", &other);
    assert_false(relais_output_equals(run.mapping, &run.output, &other));
    assert_true(relais_output_rename(run.mapping, &run.output, "uuid:stand-in", "uuid:one",
                                     run.arena, &err));
    same = relais_output_equals(run.mapping, &run.output, &other);
    end(&run);
    return same;
}

static void test_id_of_the_name(void **state)
{
    (void)state;
    assert_true(renames(HEAD "<column name='u' select=\"uuid5('p', $record)\"/>" TAIL));
}

static void test_id_of_an_id(void **state)
{
    (void)state;
    assert_true(renames(HEAD "<let name='p' select=\"uuid5('p', $record)\"/>"
                             "<column name='u' select=\"uuid5('c', $p, code)\"/>" TAIL));
}

static void test_the_name_itself(void **state)
{
    (void)state;
    assert_true(renames("<mapping xmlns='urn:relais:mapping:1' form='f'>"
                        "<row table='test.types'>"
                        "<column name='t' select='$record'/>"
                        "<column name='u' select=\"uuid5('p', code)\"/>" TAIL));
}

/* An id made of an answer that only looks like the name is not the name's. */
static void test_an_answer_like_the_name(void **state)
{
    struct run run;
    relais_output other;
    relais_error err = {0};

    (void)state;
    begin(&run, HEAD "<column name='u' select=\"uuid5('p', name)\"/>" TAIL);
    evaluate(&run, "uuid:stand-in", &run.output);
    assert_int_equal(run.output.derived_count, 0);
    evaluate(&run, "uuid:two", &other);
    assert_true(relais_output_rename(run.mapping, &run.output, "uuid:stand-in", "uuid:two",
                                     run.arena, &err));
    assert_true(relais_output_equals(run.mapping, &run.output, &other));
    end(&run);
}

/* What is made of the name by other means is noticed. */
static void test_other_means(void **state)
{
    (void)state;
    assert_false(renames("<mapping xmlns='urn:relais:mapping:1' form='f'>"
                         "<row table='test.types'>"
                         "<column name='t' select=\"concat($record, '/1')\"/>"
                         "<column name='u' select=\"uuid5('p', code)\"/>" TAIL));
    assert_false(
        renames(HEAD "<column name='u' select=\"uuid5('p', substring($record, 6))\"/>" TAIL));
}

/* Who does not ask pays nothing. */
static void test_nobody_asks(void **state)
{
    struct run run;
    relais_misfit misfit;
    relais_error err = {0};

    (void)state;
    begin(&run, HEAD "<column name='u' select=\"uuid5('p', $record)\"/>" TAIL);
    assert_true(relais_mapping_run(run.mapping, &run.submission, &mapping_case_facts, &fake_target,
                                   run.arena, &run.output, &misfit, &err));
    assert_int_equal(run.output.count, 1);
    assert_int_equal(run.output.derived_count, 0);
    end(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_id_of_the_name),  cmocka_unit_test(test_id_of_an_id),
        cmocka_unit_test(test_the_name_itself), cmocka_unit_test(test_an_answer_like_the_name),
        cmocka_unit_test(test_other_means),     cmocka_unit_test(test_nobody_asks),
    };

    return cmocka_run_group_tests_name("mapping_derive", tests, NULL, NULL);
}
