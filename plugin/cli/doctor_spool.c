/*
 * The spool and the files with secrets: who may do what there, how much room there is, and
 * whether what waits is taken away.
 *
 * What the web server's user may do is tried in a child that becomes that user, which only
 * root can; anybody else is told what the modes say.
 */
#include "cli/doctor.h"

#include "cli/guard.h"
#include "cli/overview.h"
#include "cli/speak.h"
#include "spool/guard.h"
#include "spool/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

#define WEB_USER "www-data" /* Debian's */

/* A parcel is forwarded within seconds; one that is older than this was forgotten. */
enum { LATE_SECONDS = 600 };

static const char *web_user(const relais_doctor *doctor)
{
    return doctor->web_user == NULL ? WEB_USER : doctor->web_user;
}

/* ---- the disk ---------------------------------------------------------------------------- */

static bool is_fit(long magic)
{
    return magic == EXT4_SUPER_MAGIC || magic == XFS_SUPER_MAGIC || magic == BTRFS_SUPER_MAGIC;
}

static void check_file_system(relais_doctor *doctor, const char *directory)
{
    struct statfs fs;

    if (statfs(directory, &fs) != 0 || is_fit(fs.f_type))
        return;
    relais_doctor_say(doctor, RELAIS_FINDING_WARN,
                      _("%s is on a file system of which is not known that a renamed file survives "
                        "power loss (type %lx)."),
                      directory, (unsigned long)fs.f_type);
    relais_doctor_advise(doctor, _("put the spool on a local ext4, XFS or btrfs"));
}

static void check_room(relais_doctor *doctor, const char *directory)
{
    uint64_t floor = doctor->config->spool_floor, room;
    struct statvfs fs;

    if (statvfs(directory, &fs) != 0)
        return;
    room = (uint64_t)fs.f_bavail * fs.f_frsize;
    if (room <= floor || (fs.f_files > 0 && fs.f_favail <= fs.f_files / 100)) {
        relais_doctor_say(
            doctor, RELAIS_FINDING_FAULT,
            _("%" PRIu64 " MB are free, the floor is %" PRIu64 " MB: phones are asked to wait."),
            room >> 20, floor >> 20);
        relais_doctor_advise(doctor, "df -h %s; df -i %s", directory, directory);
        return;
    }
    relais_doctor_say(doctor, room < 4 * floor ? RELAIS_FINDING_WARN : RELAIS_FINDING_OK,
                      _("%" PRIu64 " MB are free, the floor is %" PRIu64 " MB."), room >> 20,
                      floor >> 20);
}

/* ---- modes ------------------------------------------------------------------------------- */

static void check_exists(relais_doctor *doctor, const char *path)
{
    struct stat is;

    if (stat(path, &is) != 0)
        relais_doctor_say(doctor, RELAIS_FINDING_FAULT, _("%s: %s."), path, strerror(errno));
}

/* The guard passes over what is missing: the forwarder makes it. The web server cannot. */
static void check_places(relais_doctor *doctor, const char *directory)
{
    static const char *const leaves[] = {"tmp", "new"};
    char path[4096];

    snprintf(path, sizeof path, "%s/quarantine", directory);
    check_exists(doctor, path);
    for (int shard = 0; shard < RELAIS_SPOOL_SHARDS; shard++)
        for (size_t i = 0; i < sizeof leaves / sizeof leaves[0]; i++) {
            snprintf(path, sizeof path, "%s/%02x/%s", directory, (unsigned)shard, leaves[i]);
            check_exists(doctor, path);
        }
}

static void say_gap(void *context, const relais_spool_gap *gap)
{
    relais_doctor *doctor = context;
    relais_finding finding = gap->is_grave ? RELAIS_FINDING_FAULT : RELAIS_FINDING_WARN;

    if (gap->is_foreign) {
        relais_doctor_say(doctor, finding, _("%s belongs to another user (%u)."), gap->path,
                          (unsigned)gap->owner);
        relais_doctor_advise(doctor, "chown %u %s", (unsigned)geteuid(), gap->path);
        return;
    }
    relais_doctor_say(doctor, finding,
                      _("%s has mode %04o: others may do more there than they need."), gap->path,
                      gap->mode);
    relais_doctor_advise(doctor, "chmod %04o %s", gap->wanted, gap->path);
}

static void check_modes(relais_doctor *doctor, const char *directory)
{
    size_t before = doctor->counts[RELAIS_FINDING_FAULT] + doctor->counts[RELAIS_FINDING_WARN];
    relais_error err = {0};

    check_places(doctor, directory);
    if (!relais_spool_guard(directory, say_gap, doctor, &err))
        relais_doctor_say_error(doctor, RELAIS_FINDING_FAULT, &err);
    if (doctor->counts[RELAIS_FINDING_FAULT] + doctor->counts[RELAIS_FINDING_WARN] == before)
        relais_doctor_say(doctor, RELAIS_FINDING_OK, _("the directories are closed to others."));
}

/* ---- what the web user may do ------------------------------------------------------------ */

/* The child's exit code: bits of what went otherwise than it must. */
enum { CANNOT_BECOME = 1, CANNOT_CREATE = 2, CANNOT_RENAME = 4, CAN_LIST = 8 };

/* In the child, as the web user. The hidden name is nobody's parcel. */
static int try_shard(const char *directory)
{
    char made[4096], moved[4096], new[4096];
    int failed = 0, fd;

    snprintf(new, sizeof new, "%s/00/new", directory);
    snprintf(made, sizeof made, "%s/00/tmp/.doctor-%ld", directory, (long)getpid());
    snprintf(moved, sizeof moved, "%s/00/new/.doctor-%ld", directory, (long)getpid());
    fd = open(made, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (fd < 0)
        return CANNOT_CREATE;
    close(fd);
    if (rename(made, moved) != 0) {
        failed |= CANNOT_RENAME;
        unlink(made);
    } else {
        unlink(moved);
    }
    fd = open(new, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        failed |= CAN_LIST;
    return failed;
}

static int try_as(const struct passwd *user, const char *directory)
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        if (initgroups(user->pw_name, user->pw_gid) != 0 || setgid(user->pw_gid) != 0 ||
            setuid(user->pw_uid) != 0)
            _exit(CANNOT_BECOME);
        _exit(try_shard(directory));
    }
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
        return CANNOT_BECOME;
    return WEXITSTATUS(status);
}

static void say_trial(relais_doctor *doctor, const char *user, int failed, const char *directory)
{
    if (failed & (CANNOT_CREATE | CANNOT_RENAME)) {
        relais_doctor_say(doctor, RELAIS_FINDING_FAULT,
                          _("%s cannot put files there: phones get 503."), user);
        relais_doctor_advise(doctor, "chgrp -R %s %s; chmod 2730 %s/*/tmp %s/*/new", user,
                             directory, directory, directory);
    }
    if (failed & CAN_LIST) {
        relais_doctor_say(doctor, RELAIS_FINDING_FAULT,
                          _("%s can list what waits: the web server must write, not read."), user);
        relais_doctor_advise(doctor, "chmod 2730 %s/*/tmp %s/*/new", directory, directory);
    }
    if (failed == 0)
        relais_doctor_say(doctor, RELAIS_FINDING_OK,
                          _("%s may put files there, and not list them."), user);
}

static void check_web_user(relais_doctor *doctor, const char *directory)
{
    const char *name = web_user(doctor);
    const struct passwd *user = getpwnam(name);
    int failed;

    if (user == NULL) {
        relais_doctor_say(doctor, RELAIS_FINDING_NOTE, _("there is no user %s here."), name);
        relais_doctor_advise(doctor, "relais doctor --web-user USER");
        return;
    }
    if (geteuid() != 0) {
        relais_doctor_say(doctor, RELAIS_FINDING_NOTE,
                          _("only root can try what %s may do there: sudo relais doctor"), name);
        return;
    }
    failed = try_as(user, directory);
    if (failed & CANNOT_BECOME)
        relais_doctor_say(doctor, RELAIS_FINDING_NOTE, _("what %s may do cannot be tried."), name);
    else
        say_trial(doctor, name, failed, directory);
}

/* ---- what waits -------------------------------------------------------------------------- */

static double age_of(const char *received)
{
    struct tm tm = {0};

    return strptime(received, "%Y-%m-%dT%H:%M:%S", &tm) == NULL ? 0
                                                                : difftime(time(NULL), timegm(&tm));
}

static void check_waiting(relais_doctor *doctor)
{
    relais_overview seen = {.oldest = ""};
    relais_error err = {0};

    if (!relais_overview_read(doctor->config, doctor->arena, &seen, &err)) {
        relais_doctor_say_error(doctor, RELAIS_FINDING_NOTE, &err);
        return;
    }
    if (seen.waiting > 0 && age_of(seen.oldest) > LATE_SECONDS) {
        relais_doctor_say(doctor, RELAIS_FINDING_FAULT,
                          _("%zu submissions wait, the oldest since %s: the forwarder is not "
                            "running, or the database is away."),
                          seen.waiting, seen.oldest);
        relais_doctor_advise(doctor, "systemctl status relais-forward; journalctl -u "
                                     "relais-forward -n 20");
    } else {
        relais_doctor_say(doctor, RELAIS_FINDING_OK, _("%zu submissions wait to be forwarded."),
                          seen.waiting);
    }
    if (seen.quarantined == 0)
        return;
    relais_doctor_say(doctor, RELAIS_FINDING_WARN, _("%zu submissions are in quarantine."),
                      seen.quarantined);
    relais_doctor_advise(doctor, "relais quarantine list");
}

void relais_doctor_spool(relais_doctor *doctor)
{
    const char *directory = doctor->config->spool_directory;
    struct stat is;

    if (stat(directory, &is) != 0 || !S_ISDIR(is.st_mode)) {
        relais_doctor_say(doctor, RELAIS_FINDING_FAULT, _("%s: %s."), directory,
                          strerror(errno == 0 ? ENOTDIR : errno));
        relais_doctor_advise(doctor, "install -d -m 2710 -o relais -g %s %s", web_user(doctor),
                             directory);
        return;
    }
    check_file_system(doctor, directory);
    check_room(doctor, directory);
    check_modes(doctor, directory);
    check_web_user(doctor, directory);
    check_waiting(doctor);
}

/* ---- keys -------------------------------------------------------------------------------- */

static void say_key(void *context, const char *path)
{
    relais_doctor *doctor = context;

    relais_doctor_say(doctor, RELAIS_FINDING_FAULT,
                      _("the private key of the certificate lies on this machine (%s): whoever "
                        "takes the disk opens what is sealed."),
                      path);
    relais_doctor_advise(doctor, _("move it to where only the person who holds it has it"));
}

static void say_form_keys(relais_doctor *doctor, const relais_form_keys *keys)
{
    size_t count;

    if (keys == NULL)
        return; /* nobody needs them who has no encrypted form; relais check knows */
    count = relais_form_keys_count(keys);
    if (count == 0)
        relais_doctor_say(doctor, RELAIS_FINDING_WARN,
                          _("the directory of the keys of encrypted forms holds no NAME.pem."));
    else
        relais_doctor_say(doctor, RELAIS_FINDING_OK,
                          ngettext("%zu key of encrypted forms is readable.",
                                   "%zu keys of encrypted forms are readable.", count),
                          count);
}

void relais_doctor_secrets(relais_doctor *doctor)
{
    const relais_secret_files files = relais_config_secrets(doctor->config);
    relais_secrets secrets;
    relais_error err = {0};

    if (!relais_secrets_read(&files, &secrets, &err)) {
        relais_doctor_say_error(doctor, RELAIS_FINDING_FAULT, &err);
        return;
    }
    if (secrets.keys == NULL) {
        relais_doctor_say(doctor, RELAIS_FINDING_WARN,
                          _("no secret for keyed pseudonyms is configured; the national mappings "
                            "ask for it."));
        relais_doctor_advise(doctor, _("relais.conf, [keys]: secret = FILE   (made by: openssl "
                                       "rand -hex 32)"));
    } else {
        relais_doctor_say(doctor, RELAIS_FINDING_OK,
                          _("the secret of keyed pseudonyms is readable, version %s."),
                          secrets.key_version);
    }
    if (secrets.seal == NULL) {
        relais_doctor_say(doctor, RELAIS_FINDING_WARN,
                          _("no certificate to seal to is configured; the national mappings ask "
                            "for it."));
        relais_doctor_advise(doctor, _("relais.conf, [seal]: certificate = FILE"));
    } else {
        relais_doctor_say(doctor, RELAIS_FINDING_OK, _("sealing goes to the key %.16s…"),
                          relais_seal_key_id(secrets.seal));
        relais_guard_find_keys(doctor->config->seal_certificate, secrets.seal, say_key, doctor);
    }
    say_form_keys(doctor, secrets.form_keys);
    relais_secrets_free(&secrets);
}
