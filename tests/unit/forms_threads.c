/*
 * The watched directory under several threads: whatever a thread gets is a whole form.
 */
#include "openrosa/forms.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <libxml/parser.h>

#include "forms_directory.h"
#include "forms_watched.h"

static void check_version(const char *expected)
{
    relais_snapshot *snapshot = look();

    assert_non_null(relais_snapshot_find(snapshot, "f", expected));
    relais_snapshot_release(snapshot);
}

static atomic_bool is_over;
static atomic_int mistakes;

/* Whatever a thread gets is a whole form. */
static void *use_snapshots(void *argument)
{
    bool force = argument != NULL;

    while (!is_over) {
        relais_snapshot *snapshot = relais_forms_acquire(forms, force, NULL);
        const relais_form_entry *form = relais_snapshot_find(snapshot, "f", NULL);

        if (form == NULL || strstr(form->xml, "</h:html>") == NULL ||
            strstr(form->xml, form->version) == NULL)
            mistakes++;
        relais_snapshot_release(snapshot);
    }
    return NULL;
}

static void test_threads(void **state)
{
    pthread_t threads[4];

    (void)state;
    write_file("f.xml", FORM("f", "1000", ""), OLD);
    check_version("1000");
    is_over = false;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, use_snapshots, i % 2 == 0 ? NULL : &is_over), 0);
    for (int i = 0; i < 100; i++) {
        write_file("f.xml.tmp", i % 2 == 0 ? FORM("f", "2000", "") : FORM("f", "3000", ""), OLD);
        rename_file("f.xml.tmp", "f.xml");
        usleep(1000);
    }
    is_over = true;
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(mistakes, 0);
    check_version("3000");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    xmlCleanupParser();
    return failed;
}
