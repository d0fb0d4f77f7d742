/*
 * relais replay: evaluates submissions of the ledger again with today's mappings. What is sealed
 * there needs the private key, which whoever holds it brings for the time of the command.
 *
 * Guarantee: no answer is printed; what is refused stays as it was.
 */
#include "store/replay.h"

#include "base/log.h"
#include "cli/bar.h"
#include "cli/command.h"
#include "cli/json.h"
#include "cli/key.h"
#include "cli/options.h"
#include "cli/speak.h"
#include "cli/table.h"

#include <stdio.h>
#include <string.h>

typedef struct request {
    const char *key, *form, *instance;
    uint64_t passphrase_fd;
    bool all, as_json;
} request;

/* Which of those that were refused are named; the rest is counted. */
enum { REFUSED_SHOWN = 20 };

typedef struct heard {
    size_t refused;
} heard;

static void hear_progress(void *data, size_t done, size_t total)
{
    (void)data;
    relais_progress(_("replaying"), done, total);
}

static void hear_refused(void *data, const char *form, const char *instance,
                         const relais_reason *reason)
{
    heard *h = data;
    const char *where = reason->path[0] != '\0' ? reason->path : reason->column;

    if (h->refused++ >= REFUSED_SHOWN)
        return;
    relais_progress_end();
    relais_say(_("%s %s stays as it was: %s %s"), form, instance,
               reason->text[0] == '\0' ? reason->class_word : gettext(reason->text), where);
}

/* ---- the outcome ---------------------------------------------------------------------------- */

static bool print_json(const relais_replay_counts *counts, relais_error *err)
{
    json_t *object =
        json_pack("{s:I, s:I, s:I, s:I, s:I}", "found", (json_int_t)counts->found, "replayed",
                  (json_int_t)counts->done, "refused", (json_int_t)counts->refused, "sealed",
                  (json_int_t)counts->sealed, "stopped", (json_int_t)counts->stopped);

    return relais_json_print(object, err);
}

static void say_sealed(const relais_replay_counts *counts, bool has_key)
{
    if (has_key)
        relais_say(ngettext("%zu submission is sealed for another key (%.16s...): run this again "
                            "with that key.",
                            "%zu submissions are sealed for another key (%.16s...): run this "
                            "again with that key.",
                            counts->sealed),
                   counts->sealed, counts->seal);
    else
        relais_say(ngettext("%zu submission is sealed: give --key FILE, where the key is.",
                            "%zu submissions are sealed: give --key FILE, where the key is.",
                            counts->sealed),
                   counts->sealed);
}

static void print_text(const relais_replay_counts *counts, bool has_key)
{
    if (counts->found == 0)
        puts(_("There is nothing to replay."));
    else
        printf(ngettext("%zu submission evaluated again.\n", "%zu submissions evaluated again.\n",
                        counts->done),
               counts->done);
    if (counts->refused > 0)
        relais_say(ngettext("%zu submission was refused and stays as it was.",
                            "%zu submissions were refused and stay as they were.", counts->refused),
                   counts->refused);
    if (counts->stopped > 0)
        relais_say(ngettext("%zu submission is of a form whose mapping cannot be used: relais "
                            "check says why.",
                            "%zu submissions are of forms whose mappings cannot be used: relais "
                            "check says why.",
                            counts->stopped),
                   counts->stopped);
    if (counts->sealed > 0)
        say_sealed(counts, has_key);
}

static int report(const request *wish, const relais_replay_counts *counts)
{
    bool is_whole = counts->refused + counts->sealed + counts->stopped == 0;
    relais_error err = {0};

    if (wish->as_json && !print_json(counts, &err))
        return relais_say_error(&err);
    if (!wish->as_json)
        print_text(counts, wish->key != NULL);
    return is_whole ? RELAIS_EXIT_OK : RELAIS_EXIT_FAILED;
}

/* ---- the command ---------------------------------------------------------------------------- */

static bool run(const relais_config *config, const request *wish, const relais_secrets *secrets,
                const relais_seal_key *key, relais_replay_counts *counts, relais_error *err)
{
    const relais_replay_options options = {.mappings = config->mappings_directory,
                                           .secrets = secrets,
                                           .key = key,
                                           .form = wish->form,
                                           .instance = wish->instance,
                                           .all = wish->all};
    heard said = {0};
    const relais_replay_listener listener = {hear_progress, hear_refused, &said};
    relais_store *store = NULL;
    bool ok = relais_store_open(config->store_conninfo, &store, err) &&
              relais_replay_run(store, &options, &listener, counts, err);

    relais_progress_end();
    relais_store_close(store);
    return ok;
}

static int replay(const relais_config *config, const request *wish)
{
    const relais_secret_files files = relais_config_secrets(config);
    relais_replay_counts counts = {0};
    relais_secrets secrets = {0};
    relais_seal_key *key = NULL;
    relais_error err = {0};
    int code;

    relais_log_set_level(RELAIS_LOG_ERROR); /* what mappings were read is the forwarder's news */
    if (relais_cli_key_read(wish->key, wish->passphrase_fd, &key, &err) &&
        relais_secrets_read(&files, &secrets, &err) &&
        run(config, wish, &secrets, key, &counts, &err))
        code = report(wish, &counts);
    else
        code = relais_say_error(&err);
    relais_secrets_free(&secrets);
    relais_seal_key_free(key);
    return relais_close_output(code);
}

int relais_command_replay(const relais_config *config, int argc, char **argv)
{
    request wish = {.passphrase_fd = RELAIS_CLI_TERMINAL};
    const relais_option options[] = {
        {"key", RELAIS_OPTION_TEXT, &wish.key, 0, 0},
        {"passphrase-fd", RELAIS_OPTION_NUMBER, &wish.passphrase_fd, 0, RELAIS_CLI_FD_MAX},
        {"form", RELAIS_OPTION_TEXT, &wish.form, 0, 0},
        {"instance", RELAIS_OPTION_TEXT, &wish.instance, 0, 0},
        {"all", RELAIS_OPTION_FLAG, &wish.all, 0, 0},
        {"json", RELAIS_OPTION_FLAG, &wish.as_json, 0, 0},
    };
    relais_operands operands =
        relais_options_read(options, sizeof options / sizeof options[0], argc, argv);

    if (operands.is_done)
        return operands.exit_code;
    if (operands.first < argc) {
        relais_say(_("replay takes no names; --form or --instance choose what is replayed"));
        return relais_usage_error(argv[0]);
    }
    if (wish.passphrase_fd != RELAIS_CLI_TERMINAL && wish.key == NULL) {
        relais_say(_("--passphrase-fd goes with --key"));
        return relais_usage_error(argv[0]);
    }
    return replay(config, &wish);
}
