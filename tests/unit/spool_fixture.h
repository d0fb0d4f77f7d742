/*
 * A spool in a temporary directory, and the few steps that every test of it begins with.
 */
#ifndef RELAIS_TESTS_SPOOL_FIXTURE_H
#define RELAIS_TESTS_SPOOL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"
#include "spool/quarantine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct fixture {
    char directory[64];
    relais_spool *spool;
    relais_arena *arena;
} fixture;

#define assert_ok(call, err)                                                                       \
    do {                                                                                           \
        char said_[1024];                                                                          \
        if (!(call))                                                                               \
            fail_msg("%s: %s", #call, relais_error_format(&(err), said_, sizeof said_));           \
    } while (0)

static inline int fixture_remove_one(const char *path, const struct stat *st, int type,
                                     struct FTW *walk)
{
    (void)st, (void)type, (void)walk;
    return remove(path);
}

static inline int fixture_setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    relais_error err = {0};

    assert_non_null(f);
    snprintf(f->directory, sizeof f->directory, "/tmp/relais-spool-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    assert_ok(relais_spool_create(f->directory, &err), err);
    assert_ok(relais_spool_open(f->directory, 0, &f->spool, &err), err);
    f->arena = relais_arena_create(4 * 1024 * 1024);
    assert_non_null(f->arena);
    *state = f;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    fixture *f = *state;

    relais_arena_destroy(f->arena);
    relais_spool_close(f->spool);
    nftw(f->directory, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(f);
    return 0;
}

static inline void fixture_head(relais_parcel_head *head, const void *body, size_t length)
{
    relais_digest_state state;

    relais_parcel_head_init(head);
    head->source = "serve";
    head->form = "bf_tip_ident";
    head->content_type = "text/xml";
    head->length = length;
    relais_sha256_begin(&state);
    relais_sha256_add(&state, body, length);
    relais_sha256_end(&state, head->sha256);
}

/* Stages and commits a body in memory and says where it is. */
static inline relais_spool_entry fixture_put(fixture *f, const char *body)
{
    relais_segment segment = {.data = body, .length = strlen(body)};
    relais_spool_entry entry;
    relais_parcel_head head;
    relais_staged staged;
    relais_error err = {0};

    fixture_head(&head, body, strlen(body));
    assert_ok(relais_spool_stage(f->spool, &head, &segment, 1, &staged, &err), err);
    entry.shard = staged.shard;
    memcpy(entry.name, staged.name, sizeof entry.name);
    assert_ok(relais_spool_commit(f->spool, &staged, &err), err);
    return entry;
}

/* DIR/SHARD/sub/NAME, or DIR/quarantine/NAME with shard -1. */
static inline const char *fixture_path(const fixture *f, int shard, const char *sub,
                                       const char *name)
{
    static char path[512];

    if (shard < 0)
        snprintf(path, sizeof path, "%s/quarantine/%s", f->directory, name);
    else
        snprintf(path, sizeof path, "%s/%02x/%s/%s", f->directory, (unsigned)shard, sub, name);
    return path;
}

static inline bool fixture_exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

static inline void fixture_write(const char *path, const void *bytes, size_t length)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, length), length);
    close(fd);
}

static inline size_t fixture_count_files(const char *path)
{
    DIR *dir = opendir(path);
    size_t count = 0;

    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        count += entry->d_name[0] != '.' ||
                 (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0);
    closedir(dir);
    return count;
}

/* All files below every SHARD/sub. */
static inline size_t fixture_count(const fixture *f, const char *sub)
{
    size_t count = 0;

    for (int shard = 0; shard < RELAIS_SPOOL_SHARDS; shard++)
        count += fixture_count_files(fixture_path(f, shard, sub, ""));
    return count;
}

#endif
