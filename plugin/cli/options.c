/*
 * getopt_long with a table of targets, and better words for mistakes. See options.h.
 */
#include "cli/options.h"

#include "base/buffer.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/speak.h"
#include "transform/nearest.h"

#include <getopt.h>
#include <string.h>

/* What getopt returns for --help, -h; the options follow from OPTION_BASE. */
enum { OPTION_HELP = 'h', OPTION_BASE = 256 };

/* The names of all actions of a command, and many more. */
enum { LIST_MAX = 1024 };

static void list_options(const relais_option *options, size_t count)
{
    fputs(_("Options: "), stderr);
    for (size_t i = 0; i < count; i++)
        fprintf(stderr, "--%s, ", options[i].name);
    fputs("--help\n", stderr);
}

static void refuse_option(const relais_option *options, size_t count, const char *word)
{
    relais_nearest nearest;
    const char *name = word + strspn(word, "-");
    char bare[64];
    size_t length = strcspn(name, "=");

    if (length >= sizeof bare)
        length = sizeof bare - 1;
    memcpy(bare, name, length);
    bare[length] = '\0';
    relais_nearest_init(&nearest, bare);
    for (size_t i = 0; i < count; i++)
        relais_nearest_consider(&nearest, options[i].name);
    relais_nearest_consider(&nearest, "help");
    if (nearest.best != NULL)
        relais_say(_("there is no option \"%s\" here. Did you mean --%s?"), word, nearest.best);
    else
        relais_say(_("there is no option \"%s\" here."), word);
    list_options(options, count);
}

int relais_usage_error(const char *command)
{
    relais_command_usage(stderr, command);
    return RELAIS_EXIT_USAGE;
}

static bool take_number(const relais_option *option, const char *text)
{
    uint64_t number;

    if (!relais_parse_number(text, option->maximum, &number) || number < option->minimum) {
        relais_say(_("--%s needs a whole number from %llu to %llu, not \"%s\"."), option->name,
                   (unsigned long long)option->minimum, (unsigned long long)option->maximum, text);
        return false;
    }
    *(uint64_t *)option->target = number;
    return true;
}

static bool take_option(const relais_option *option, const char *argument)
{
    switch (option->kind) {
    case RELAIS_OPTION_FLAG:
        *(bool *)option->target = true;
        return true;
    case RELAIS_OPTION_TEXT:
        *(const char **)option->target = argument;
        return true;
    case RELAIS_OPTION_NUMBER:
        break;
    }
    return take_number(option, argument);
}

/* What getopt refused: a missing value, a value too many, or a word it does not know. */
static void say_refusal(const relais_option *options, size_t count, int code, const char *word)
{
    if (code == ':')
        relais_say(_("%s needs a value."), word);
    else if (optopt >= OPTION_BASE)
        relais_say(_("--%s takes no value."), options[optopt - OPTION_BASE].name);
    else
        refuse_option(options, count, word);
}

static void fill_getopt(const relais_option *options, size_t count, struct option *table)
{
    for (size_t i = 0; i < count; i++) {
        bool has_argument = options[i].kind != RELAIS_OPTION_FLAG;
        table[i] = (struct option){options[i].name, has_argument ? required_argument : no_argument,
                                   NULL, OPTION_BASE + (int)i};
    }
    table[count] = (struct option){"help", no_argument, NULL, OPTION_HELP};
}

static relais_operands read_options(const relais_option *options, size_t count, int argc,
                                    char **argv, const char *letters)
{
    struct option table[RELAIS_OPTIONS_MAX + 2] = {0};
    int code;

    fill_getopt(options, count, table);
    opterr = 0;
    optind = 0; /* glibc: start anew */
    while ((code = getopt_long(argc, argv, letters, table, NULL)) != -1) {
        if (code == OPTION_HELP) {
            relais_command_help(argv[0]);
            return (relais_operands){optind, true, relais_close_output(RELAIS_EXIT_OK)};
        }
        if (code < OPTION_BASE) {
            say_refusal(options, count, code, argv[optind - 1]);
            return (relais_operands){optind, true, relais_usage_error(argv[0])};
        }
        if (!take_option(&options[code - OPTION_BASE], optarg))
            return (relais_operands){optind, true, relais_usage_error(argv[0])};
    }
    return (relais_operands){optind, false, RELAIS_EXIT_OK};
}

relais_operands relais_options_read(const relais_option *options, size_t count, int argc,
                                    char **argv)
{
    return read_options(options, count, argc, argv, ":h");
}

relais_operands relais_options_read_first(const relais_option *options, size_t count, int argc,
                                          char **argv)
{
    return read_options(options, count, argc, argv, "+:h");
}

/* ---- actions -------------------------------------------------------------------------------- */

/* "list, show or choose" */
static const char *list_names(relais_names names, relais_buffer *out)
{
    for (size_t i = 0; i < names.count; i++) {
        if (i > 0)
            relais_buffer_append_text(out, i + 1 < names.count ? ", " : _(" or "));
        relais_buffer_append_text(out, relais_names_at(names, i));
    }
    return out->data == NULL ? "" : out->data;
}

static void refuse_action(relais_names actions, const char *command, const char *word)
{
    const char *nearest = word == NULL ? NULL : relais_names_nearest(actions, word);
    relais_buffer list;

    relais_buffer_init(&list, LIST_MAX);
    if (word == NULL)
        relais_say(_("say what to do: %s."), list_names(actions, &list));
    else if (nearest != NULL)
        relais_say(_("%s has no action \"%s\". Did you mean %s?"), command, word, nearest);
    else
        relais_say(_("%s has no action \"%s\". There is: %s."), command, word,
                   list_names(actions, &list));
    relais_buffer_free(&list);
}

const void *relais_action_choose(relais_names actions, int argc, char **argv, int first)
{
    const char *word = first < argc ? argv[first] : NULL;
    const void *found = word == NULL ? NULL : relais_names_find(actions, word);

    if (found != NULL)
        return found;
    refuse_action(actions, argv[0], word);
    relais_usage_error(argv[0]);
    return NULL;
}
