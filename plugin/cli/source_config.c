/*
 * The settings of sources: a table, as for the other sections. See source_config.h.
 */
#include "cli/source_config.h"

#include "base/buffer.h"
#include "base/text.h"
#include "cli/speak.h"
#include "sources/pool.h"
#include "transform/nearest.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* A country has some servers, not hundreds. */
enum { SOURCES_MAX = 64 };

typedef struct setting {
    const char *name;
    size_t offset;
    const char *value; /* default of a text, or NULL for a number */
    uint64_t number, minimum, maximum;
    bool is_list; /* may stand again: the values add up */
} setting;

#define AT(member) offsetof(relais_source, member)

/* A day's overlap is more than any clock is wrong; files that have not come after ten years
 * will not. */
static const setting settings[] = {
    {"kind", AT(kind), "", 0, 0, 0, false},
    {"url", AT(url), "", 0, 0, 0, false},
    {"project", AT(project), "", 0, 0, 0, false},
    {"forms", AT(forms), "", 0, 0, 0, true},
    {"credentials", AT(credentials), "", 0, 0, 0, false},
    {"file_hosts", AT(file_hosts), "", 0, 0, 0, true},
    {"connections", AT(connections), NULL, 8, 1, RELAIS_CONNECTIONS_MAX, false},
    {"rate", AT(rate), NULL, 0, 0, 100000, false},
    {"tries", AT(tries), NULL, 6, 1, 100, false},
    {"timeout", AT(timeout), NULL, 60, 1, 3600, false},
    {"overlap", AT(overlap), NULL, 10, 0, 1440, false},
    {"recheck", AT(recheck), NULL, 60, 0, 525600, false},
    {"patience", AT(patience), NULL, 30, 0, 3650, false},
};

enum { SETTINGS = sizeof settings / sizeof settings[0] };

static char **text_member(relais_source *source, const setting *one)
{
    return (char **)((char *)source + one->offset);
}

static uint64_t *number_member(relais_source *source, const setting *one)
{
    return (uint64_t *)((char *)source + one->offset);
}

const char *relais_source_section(const char *section)
{
    static const char word[] = "source ";

    return strncmp(section, word, sizeof word - 1) == 0 ? section + sizeof word - 1 : NULL;
}

/* ---- sources ----------------------------------------------------------------------------- */

static void free_source(relais_source *source)
{
    for (size_t i = 0; i < SETTINGS; i++)
        if (settings[i].value != NULL)
            free(*text_member(source, &settings[i]));
    free(source->name);
}

static bool set_defaults(relais_source *source, const char *name)
{
    bool ok;

    memset(source, 0, sizeof *source);
    source->name = strdup(name);
    ok = source->name != NULL;
    for (size_t i = 0; i < SETTINGS; i++) {
        if (settings[i].value == NULL) {
            *number_member(source, &settings[i]) = settings[i].number;
            continue;
        }
        *text_member(source, &settings[i]) = strdup(settings[i].value);
        ok = ok && *text_member(source, &settings[i]) != NULL;
    }
    return ok;
}

static relais_source *add_source(relais_config *config, const char *name, relais_error *err)
{
    relais_source *longer;

    if (config->source_count == SOURCES_MAX) {
        relais_error_set(err, RELAIS_ERR_LIMIT, "more than %d sources", SOURCES_MAX);
        return NULL;
    }
    longer = realloc(config->sources, (config->source_count + 1) * sizeof *longer);
    if (longer == NULL) {
        relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
        return NULL;
    }
    config->sources = longer;
    if (!set_defaults(&longer[config->source_count], name)) {
        free_source(&longer[config->source_count]);
        relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
        return NULL;
    }
    return &longer[config->source_count++];
}

const relais_source *relais_source_find(const relais_config *config, const char *name)
{
    for (size_t i = 0; i < config->source_count; i++)
        if (strcmp(config->sources[i].name, name) == 0)
            return &config->sources[i];
    return NULL;
}

static const char *list_names(const relais_config *config, char *out, size_t size)
{
    size_t length = 0;

    out[0] = '\0';
    for (size_t i = 0; i < config->source_count && length < size; i++)
        length += (size_t)snprintf(out + length, size - length, "%s%s", i == 0 ? "" : ", ",
                                   config->sources[i].name);
    return out;
}

bool relais_sources_named(const relais_config *config, int argc, char **argv, int first)
{
    char names[512];

    if (config->source_count == 0) {
        relais_say(_("no server to pull from is configured; add a section [source NAME] to %s"),
                   config->file);
        return false;
    }
    for (int i = first; i < argc; i++) {
        if (relais_source_find(config, argv[i]) != NULL)
            continue;
        relais_say(_("there is no source \"%s\". There are: %s"), argv[i],
                   list_names(config, names, sizeof names));
        return false;
    }
    return true;
}

void relais_sources_config_free(relais_config *config)
{
    for (size_t i = 0; i < config->source_count; i++)
        free_source(&config->sources[i]);
    free(config->sources);
}

/* ---- settings ---------------------------------------------------------------------------- */

static bool refuse_name(const char *source, const char *name, relais_error *err)
{
    relais_nearest nearest;
    relais_buffer list;

    relais_nearest_init(&nearest, name);
    relais_buffer_init(&list, 512);
    for (size_t i = 0; i < SETTINGS; i++) {
        relais_nearest_consider(&nearest, settings[i].name);
        relais_buffer_append_format(&list, "%s%s", i == 0 ? "" : ", ", settings[i].name);
    }
    if (nearest.best != NULL)
        relais_error_set(err, RELAIS_ERR_CONFIG,
                         "there is no setting \"%s\" in [source %s]; did you mean \"%s\"? There "
                         "are: %s",
                         name, source, nearest.best, list.data);
    else
        relais_error_set(err, RELAIS_ERR_CONFIG,
                         "there is no setting \"%s\" in [source %s]; there are: %s", name, source,
                         list.data);
    relais_buffer_free(&list);
    return false;
}

static bool take_number(relais_source *source, const setting *one, const char *value,
                        relais_error *err)
{
    uint64_t number;

    if (!relais_parse_number(value, one->maximum, &number) || number < one->minimum)
        return relais_error_set(err, RELAIS_ERR_CONFIG,
                                "[source %s] %s needs a whole number from %llu to %llu, not "
                                "\"%s\"",
                                source->name, one->name, (unsigned long long)one->minimum,
                                (unsigned long long)one->maximum, value);
    *number_member(source, one) = number;
    return true;
}

static bool take_text(relais_source *source, const setting *one, const char *value,
                      relais_error *err)
{
    char **member = text_member(source, one);
    bool adds = one->is_list && (*member)[0] != '\0';
    char *text;

    if ((*member)[0] != '\0' && !one->is_list)
        return relais_error_set(err, RELAIS_ERR_CONFIG, "[source %s] %s stands a second time",
                                source->name, one->name);
    if (!adds)
        text = strdup(value);
    else if (asprintf(&text, "%s %s", *member, value) < 0)
        text = NULL;
    if (text == NULL)
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    free(*member);
    *member = text;
    return true;
}

bool relais_source_take(relais_config *config, const char *source, const char *name,
                        const char *value, relais_error *err)
{
    relais_source *own = (relais_source *)relais_source_find(config, source);

    if (own == NULL && (own = add_source(config, source, err)) == NULL)
        return false;
    for (size_t i = 0; i < SETTINGS; i++) {
        if (strcmp(settings[i].name, name) != 0)
            continue;
        return settings[i].value == NULL ? take_number(own, &settings[i], value, err)
                                         : take_text(own, &settings[i], value, err);
    }
    return refuse_name(source, name, err);
}
