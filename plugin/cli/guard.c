/*
 * The checks at the forwarder's start. See guard.h.
 */
#include "cli/guard.h"

#include "cli/speak.h"
#include "spool/guard.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the spool ------------------------------------------------------------------------------- */

static void refuse_owner(const relais_spool_gap *gap, relais_error *err)
{
    relais_error_set(err, RELAIS_ERR_CONFIG,
                     "the spool's directory %s belongs to another user (%u), who could read the "
                     "answers in it; run: chown %u %s",
                     gap->path, (unsigned)gap->owner, (unsigned)geteuid(), gap->path);
}

static void refuse_mode(const relais_spool_gap *gap, relais_error *err)
{
    relais_error_set(err, RELAIS_ERR_CONFIG,
                     "the spool's directory %s is open to others (mode %04o), who could read or "
                     "change what is in it; run: chmod %04o %s",
                     gap->path, gap->mode, gap->wanted, gap->path);
}

/* The first that is grave becomes the error; the others are told when that is mended. */
static void judge_gap(void *context, const relais_spool_gap *gap)
{
    relais_error *err = context;

    if (gap->is_foreign)
        refuse_owner(gap, err);
    else if (gap->is_grave)
        refuse_mode(gap, err);
    else
        relais_say(_("the spool's directory %s can be listed by others (mode %04o). Run: chmod "
                     "%04o %s"),
                   gap->path, gap->mode, gap->wanted, gap->path);
}

static bool check_spool(const char *directory, relais_error *err)
{
    relais_error grave = {0};

    if (!relais_spool_guard(directory, judge_gap, &grave, err))
        return false;
    if (grave.code == RELAIS_ERR_NONE)
        return true;
    *err = grave;
    return false;
}

/* ---- the private key ------------------------------------------------------------------------- */

/* A key with its certificate and comments; as many files as a directory of certificates has. */
enum { KEY_FILE_MAX = 64 * 1024, FILES_MAX = 1000 };

static bool is_small_file(int dirfd, const char *name)
{
    struct stat st;

    return fstatat(dirfd, name, &st, 0) == 0 && S_ISREG(st.st_mode) && st.st_size <= KEY_FILE_MAX;
}

/* A key with a passphrase does not tell whose it is, and is of no use to whoever finds it. */
static bool is_private_key(const char *path, const relais_seal *seal)
{
    relais_seal_key *key = NULL;
    bool is = relais_seal_key_read(path, NULL, NULL, &key, NULL) &&
              strcmp(relais_seal_key_id_of(key), relais_seal_key_id(seal)) == 0;

    relais_seal_key_free(key);
    return is;
}

/* Beside the certificate is where it was made, and forgotten. */
void relais_guard_find_keys(const char *certificate, const relais_seal *seal,
                            relais_guard_key_found *found, void *context)
{
    int length = (int)(strrchr(certificate, '/') + 1 - certificate); /* the path is absolute */
    char path[4096];
    struct dirent *entry;
    DIR *dir;

    snprintf(path, sizeof path, "%.*s", length, certificate);
    dir = opendir(path);
    for (int seen = 0; dir != NULL && (entry = readdir(dir)) != NULL && seen < FILES_MAX; seen++) {
        snprintf(path, sizeof path, "%.*s%s", length, certificate, entry->d_name);
        if (is_small_file(dirfd(dir), entry->d_name) && is_private_key(path, seal))
            found(context, path);
    }
    if (dir != NULL)
        closedir(dir);
}

static void say_key(void *context, const char *path)
{
    (void)context;
    relais_say(_("the private key of the certificate lies on this machine (%s): whoever takes the "
                 "disk opens what is sealed. Move it to where only the person who holds it has it"),
               path);
}

bool relais_guard_check(const relais_config *config, const relais_seal *seal, relais_error *err)
{
    if (seal != NULL)
        relais_guard_find_keys(config->seal_certificate, seal, say_key, NULL);
    return check_spool(config->spool_directory, err);
}
