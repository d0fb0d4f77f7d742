/*
 * What is announced fits into what the server lets in, with all that multipart adds.
 */
#include "openrosa/limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct {
    int64_t accept, body;
    bool fits;
    int64_t announced, needed;
    unsigned megabytes;
} cases[] = {
    {-1, 0, true, 100000000, 10065536, 100},
    {-1, 104857600, true, 104792064, 10065536, 100},
    {-1, 10065536, true, 10000000, 10065536, 9},
    {-1, 10065535, false, 0, 10065536, 9},
    {1048576, 2097152, true, 1048576, 1114112, 2},
    {104857600, 104857600, false, 0, 104923136, 100},
    {1 << 30, 0, true, 1 << 30, (1 << 30) + 65536, 100},
    {1, 500000, true, 1, 65537, 1},
};

static void test_limits(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        relais_limit limit;

        assert_int_equal(relais_limit_settle(cases[i].accept, cases[i].body, &limit),
                         cases[i].fits);
        if (cases[i].fits)
            assert_int_equal(limit.announced, cases[i].announced);
        assert_int_equal(limit.needed, cases[i].needed);
        assert_int_equal(limit.megabytes, cases[i].megabytes);
    }
}

static void test_megabytes_hold_what_they_stand_for(void **state)
{
    (void)state;
    assert_int_equal(relais_limit_megabytes(1), 1);
    assert_int_equal(relais_limit_megabytes(1048576), 1);
    assert_int_equal(relais_limit_megabytes(1048577), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_megabytes_hold_what_they_stand_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
