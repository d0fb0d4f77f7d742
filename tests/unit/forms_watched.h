/*
 * A watched directory for each test: opened before it, closed and removed after it.
 */
#ifndef RELAIS_TESTS_FORMS_WATCHED_H
#define RELAIS_TESTS_FORMS_WATCHED_H

static relais_forms *forms;

static inline int setup(void **state)
{
    return setup_directory(state) == 0 && relais_forms_open(directory, &forms, NULL) ? 0 : -1;
}

static inline int teardown(void **state)
{
    relais_forms_close(forms);
    return teardown_directory(state);
}

static inline relais_snapshot *look(void)
{
    relais_error err;
    relais_snapshot *snapshot;

    relais_error_clear(&err);
    snapshot = relais_forms_acquire(forms, true, &err);
    assert_non_null(snapshot);
    assert_int_equal(err.code, RELAIS_ERR_NONE);
    return snapshot;
}

#endif
