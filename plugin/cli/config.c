/*
 * The configuration file: a table of settings, filled by inih. See config.h.
 *
 * Guarantees: every setting has a value after a successful read; every mistake is named with
 * its line and with what was possible; no secret is taken from this file.
 */
#include "cli/config.h"

#include "base/buffer.h"
#include "base/text.h"
#include "cli/source_config.h"
#include "cli/speak.h"
#include "store/conninfo.h"
#include "transform/nearest.h"

#include <errno.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>

/* inih's own line buffer, less line end and NUL; a conninfo of any use is shorter. */
enum { LINE_MAX_BYTES = 198 };

#define DEFAULT_FILE "/etc/relais/relais.conf"

typedef enum {
    SETTING_PATH,
    SETTING_FILE,
    SETTING_CONNINFO,
    SETTING_SIZE,
    SETTING_NUMBER,
    SETTING_LEVEL
} kind;

typedef struct setting {
    const char *section, *name;
    kind kind;
    size_t offset;     /* in relais_config */
    const char *value; /* default, as it would stand in the file */
    uint64_t minimum, maximum;
} setting;

#define AT(member) offsetof(relais_config, member)

/* A floor below a megabyte would not hold the submission that is being received; a batch is
 * bounded by the forwarder; scans and sweeps rarer than daily look like a broken forwarder. A
 * key's version is a smallint of the database. */
static const setting settings[] = {
    {"spool", "directory", SETTING_PATH, AT(spool_directory), "/var/spool/relais", 0, 0},
    {"spool", "floor", SETTING_SIZE, AT(spool_floor), "256M", 1 << 20, UINT64_C(1) << 50},
    {"store", "conninfo", SETTING_CONNINFO, AT(store_conninfo), "service=relais", 0, 0},
    {"mappings", "directory", SETTING_PATH, AT(mappings_directory), RELAIS_DATA_DIR "/transforms",
     0, 0},
    {"forms", "directory", SETTING_PATH, AT(forms_directory), RELAIS_DATA_DIR "/xforms", 0, 0},
    {"keys", "secret", SETTING_FILE, AT(keys_secret), "", 0, 0},
    {"keys", "version", SETTING_NUMBER, AT(keys_version), "1", 1, 32767},
    {"seal", "certificate", SETTING_FILE, AT(seal_certificate), "", 0, 0},
    {"encryption", "keys", SETTING_FILE, AT(encryption_keys), "", 0, 0},
    {"forward", "batch", SETTING_NUMBER, AT(forward_batch), "500", 1, 5000},
    {"forward", "scan_seconds", SETTING_NUMBER, AT(forward_scan_seconds), "10", 1, 86400},
    {"forward", "sweep_seconds", SETTING_NUMBER, AT(forward_sweep_seconds), "3600", 60, 86400},
    {"log", "level", SETTING_LEVEL, AT(log_level), "info", 0, 0},
};

enum { SETTINGS = sizeof settings / sizeof settings[0] };

static const char *const levels[] = {"error", "warn", "info", "debug"};

/* One reading of one file. */
typedef struct reading {
    relais_config *config;
    FILE *stream;
    long line;
    long seen[SETTINGS]; /* line on which a setting was given, 0 when not yet */
    relais_error *err;
} reading;

static char **text_member(relais_config *config, const setting *one)
{
    return (char **)((char *)config + one->offset);
}

static uint64_t *number_member(relais_config *config, const setting *one)
{
    return (uint64_t *)((char *)config + one->offset);
}

/* ---- values -------------------------------------------------------------------------- */

static bool take_text(relais_config *config, const setting *one, const char *value,
                      relais_error *err)
{
    char **member = text_member(config, one);
    char *copy = strdup(value);

    if (copy == NULL)
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    free(*member);
    *member = copy;
    return true;
}

static bool take_path(relais_config *config, const setting *one, const char *value,
                      relais_error *err)
{
    if (value[0] != '/')
        return relais_error_set(err, RELAIS_ERR_CONFIG,
                                "[%s] %s needs a path that begins with \"/\", not \"%s\"",
                                one->section, one->name, value);
    return take_text(config, one, value, err);
}

/* A file that need not be there: nothing behind "=" is none. */
static bool take_file(relais_config *config, const setting *one, const char *value,
                      relais_error *err)
{
    return value[0] == '\0' ? take_text(config, one, value, err)
                            : take_path(config, one, value, err);
}

static bool take_conninfo(relais_config *config, const setting *one, const char *value,
                          relais_error *err)
{
    return relais_conninfo_check(value, err) && take_text(config, one, value, err);
}

static bool take_level(relais_config *config, const setting *one, const char *value,
                       relais_error *err)
{
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
        if (strcmp(value, levels[i]) == 0)
            return take_text(config, one, value, err);
    return relais_error_set(err, RELAIS_ERR_CONFIG,
                            "[log] level can be error, warn, info or debug, not \"%s\"", value);
}

static bool take_number(relais_config *config, const setting *one, const char *value,
                        relais_error *err)
{
    uint64_t number;

    if (!relais_parse_number(value, one->maximum, &number) || number < one->minimum)
        return relais_error_set(err, RELAIS_ERR_CONFIG,
                                "[%s] %s needs a whole number from %llu to %llu, not \"%s\"",
                                one->section, one->name, (unsigned long long)one->minimum,
                                (unsigned long long)one->maximum, value);
    *number_member(config, one) = number;
    return true;
}

/* The shift of a unit letter, 0 for none or for a letter that is no unit. */
static unsigned unit_shift(char letter)
{
    static const char units[] = "kKmMgG";
    const char *at = letter == '\0' ? NULL : strchr(units, letter);

    return at == NULL ? 0 : 10 * (unsigned)((at - units) / 2 + 1);
}

static bool take_size(relais_config *config, const setting *one, const char *value,
                      relais_error *err)
{
    size_t length = strlen(value);
    unsigned shift = length == 0 ? 0 : unit_shift(value[length - 1]);
    char digits[24] = "";
    uint64_t number;

    length -= shift > 0;
    if (length < sizeof digits)
        memcpy(digits, value, length);
    if (!relais_parse_number(digits, one->maximum >> shift, &number) ||
        number << shift < one->minimum)
        return relais_error_set(err, RELAIS_ERR_CONFIG,
                                "[%s] %s needs a number of bytes of at least 1M, with K, M or G "
                                "behind it for larger units, such as 256M; not \"%s\"",
                                one->section, one->name, value);
    *number_member(config, one) = number << shift;
    return true;
}

static bool take_value(relais_config *config, const setting *one, const char *value,
                       relais_error *err)
{
    static bool (*const takers[])(relais_config *, const setting *, const char *,
                                  relais_error *) = {
        [SETTING_PATH] = take_path,         [SETTING_FILE] = take_file,
        [SETTING_CONNINFO] = take_conninfo, [SETTING_SIZE] = take_size,
        [SETTING_NUMBER] = take_number,     [SETTING_LEVEL] = take_level,
    };

    return takers[one->kind](config, one, value, err);
}

/* ---- names --------------------------------------------------------------------------- */

/* The settings of one section, or of all: "[spool] directory, [spool] floor". */
static const char *list_settings(const char *section, relais_buffer *out)
{
    for (size_t i = 0; i < SETTINGS; i++)
        if (section == NULL || strcmp(settings[i].section, section) == 0)
            relais_buffer_append_format(out, "%s[%s] %s", out->length > 0 ? ", " : "",
                                        settings[i].section, settings[i].name);
    return out->data == NULL || out->failed ? "" : out->data;
}

static bool is_section(const char *name)
{
    for (size_t i = 0; i < SETTINGS; i++)
        if (strcmp(settings[i].section, name) == 0)
            return true;
    return false;
}

static const char *nearest_name(const char *section, const char *name)
{
    relais_nearest nearest;

    relais_nearest_init(&nearest, name);
    for (size_t i = 0; i < SETTINGS; i++)
        if (strcmp(settings[i].section, section) == 0)
            relais_nearest_consider(&nearest, settings[i].name);
    return nearest.best;
}

static void set_unknown(const char *section, const char *name, relais_error *err)
{
    relais_buffer list;
    const char *meant = nearest_name(section, name);
    const char *possible;

    relais_buffer_init(&list, 1024);
    possible = list_settings(is_section(section) ? section : NULL, &list);
    if (meant != NULL)
        relais_error_set(err, RELAIS_ERR_CONFIG,
                         "there is no setting \"%s\" in [%s]; did you mean \"%s\"? There are: %s",
                         name, section, meant, possible);
    else
        relais_error_set(err, RELAIS_ERR_CONFIG,
                         "there is no setting \"%s\" in [%s]; there are: %s", name, section,
                         possible);
    relais_buffer_free(&list);
}

static int find_setting(const char *section, const char *name)
{
    for (int i = 0; i < SETTINGS; i++)
        if (strcmp(settings[i].section, section) == 0 && strcmp(settings[i].name, name) == 0)
            return i;
    return -1;
}

/* inih's handler: 0 means an error, which stays in read->err. */
static int take_setting(void *context, const char *section, const char *name, const char *value)
{
    reading *read = context;
    int index = find_setting(section, name);
    const char *source = relais_source_section(section);

    if (read->err->code != RELAIS_ERR_NONE)
        return 0;
    if (source != NULL) {
        if (relais_source_take(read->config, source, name, value, read->err))
            return 1;
        relais_error_at(read->err, read->config->file, read->line);
        return 0;
    }
    if (index < 0) {
        set_unknown(section, name, read->err);
    } else if (read->seen[index] != 0) {
        relais_error_set(read->err, RELAIS_ERR_CONFIG,
                         "[%s] %s stands a second time; the first is on line %ld", section, name,
                         read->seen[index]);
    } else if (take_value(read->config, &settings[index], value, read->err)) {
        read->seen[index] = read->line;
        return 1;
    }
    relais_error_at(read->err, read->config->file, read->line);
    return 0;
}

/* ---- the file ------------------------------------------------------------------------ */

/* fgets for inih: counts lines, and refuses those that inih would cut in two. */
static char *read_line(char *out, int size, void *context)
{
    reading *read = context;

    if (read->err->code != RELAIS_ERR_NONE || fgets(out, size, read->stream) == NULL)
        return NULL;
    read->line++;
    if (strlen(out) > LINE_MAX_BYTES && strchr(out, '\n') == NULL) {
        relais_error_set(read->err, RELAIS_ERR_CONFIG,
                         "the line is longer than %d bytes; for a long conninfo, put it into a "
                         "service file (pg_service.conf) and name the service",
                         LINE_MAX_BYTES);
        relais_error_at(read->err, read->config->file, read->line);
        return NULL;
    }
    return out;
}

static bool read_stream(FILE *stream, relais_config *config, relais_error *err)
{
    reading read = {.config = config, .stream = stream, .err = err};
    int faulty = ini_parse_stream((ini_reader)read_line, &read, take_setting, &read);

    /* inih goes on after a line that it cannot read; the first mistake is the one to tell. */
    if (err->code != RELAIS_ERR_NONE && (faulty <= 0 || faulty >= err->line))
        return false;
    relais_error_clear(err);
    if (ferror(stream))
        return relais_error_system(err, errno, config->file, "the file cannot be read");
    if (faulty == 0)
        return true;
    relais_error_set(err, RELAIS_ERR_CONFIG,
                     "this line is neither \"[section]\" nor \"name = value\" nor a comment");
    relais_error_at(err, config->file, faulty);
    return false;
}

static bool set_defaults(relais_config *config, relais_error *err)
{
    for (size_t i = 0; i < SETTINGS; i++)
        if (!take_value(config, &settings[i], settings[i].value, err))
            return false;
    return true;
}

/* The file's name; *may_miss tells whether nobody asked for it by name. */
static const char *choose_file(const char *given, bool *may_miss)
{
    const char *environment = getenv("RELAIS_CONF");

    *may_miss = false;
    if (given != NULL)
        return given;
    if (environment != NULL && environment[0] != '\0')
        return environment;
    *may_miss = true;
    return DEFAULT_FILE;
}

bool relais_config_read(const char *file, relais_config *out, relais_error *err)
{
    bool may_miss, ok;
    FILE *stream;

    memset(out, 0, sizeof *out);
    out->file = strdup(choose_file(file, &may_miss));
    if (out->file == NULL) {
        relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
        goto fail;
    }
    if (!set_defaults(out, err))
        goto fail;
    stream = fopen(out->file, "re");
    if (stream == NULL) {
        if (errno == ENOENT && may_miss)
            return true;
        relais_error_system(err, errno, out->file, "the configuration cannot be opened");
        goto fail;
    }
    ok = read_stream(stream, out, err);
    fclose(stream);
    if (ok)
        return true;

fail:
    relais_config_free(out);
    return false;
}

void relais_config_free(relais_config *config)
{
    for (size_t i = 0; i < SETTINGS; i++)
        if (settings[i].kind != SETTING_SIZE && settings[i].kind != SETTING_NUMBER)
            free(*text_member(config, &settings[i]));
    relais_sources_config_free(config);
    free(config->file);
    memset(config, 0, sizeof *config);
}

relais_secret_files relais_config_secrets(const relais_config *config)
{
    return (relais_secret_files){.keys = config->keys_secret,
                                 .key_version = (unsigned)config->keys_version,
                                 .certificate = config->seal_certificate,
                                 .form_keys = config->encryption_keys};
}
