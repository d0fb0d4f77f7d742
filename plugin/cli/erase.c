/*
 * relais erase: takes a person, or one submission, out of the database and the spool.
 *
 * The database comes first, with the tombstones, and then the files: wherever this is
 * interrupted, nothing that was erased comes back, and the same command finishes the work.
 *
 * Sealed parcels in quarantine are found by a submission's id; whose card is in them can only
 * be seen with their key, and without it the command says how many it could not search.
 *
 * Guarantee: no answer, no name and no card's code is printed.
 */
#include "store/erase.h"

#include "cli/command.h"
#include "cli/key.h"
#include "cli/options.h"
#include "cli/remains.h"
#include "cli/speak.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CARD_DIGITS = 12,
    LABEL_WIDTH = 44,  /* the longest, in French */
    REASON_LEAST = 10, /* characters; the log of accesses asks for them */
    PASSES_MAX = 10    /* over the spool: a parcel may be moved while one is made */
};

#define UUID_PREFIX "uuid:"

typedef struct request {
    const char *card, *instance, *form, *reason, *key;
    uint64_t passphrase_fd;
    bool yes, dry_run;
} request;

typedef struct work {
    const request *wish;
    relais_spool *spool;
    relais_store *store;
    relais_arena *arena;
    relais_seal_key *key; /* or NULL */
} work;

/* ---- what is asked -------------------------------------------------------------------------- */

/* ISO 7064 MOD 97-10, as on the card. */
static bool is_card(const char *text)
{
    unsigned long long number;

    if (strlen(text) != CARD_DIGITS || strspn(text, "0123456789") != CARD_DIGITS)
        return false;
    number = strtoull(text, NULL, 10);
    return number % 97 == 1 && number % 100 >= 2 && number % 100 <= 98;
}

/* Bytes that begin a character; blanks at the ends do not count. */
static size_t count_characters(const char *text)
{
    size_t count = 0, used = 0;

    text += strspn(text, " \t\r\n");
    for (; *text != '\0'; text++) {
        count += ((unsigned char)*text & 0xC0) != 0x80;
        if (strchr(" \t\r\n", *text) == NULL)
            used = count;
    }
    return used;
}

static const char *find_mistake(const request *wish)
{
    if ((wish->card == NULL) == (wish->instance == NULL))
        return N_("say whom: either --card CODE or --instance ID");
    if (wish->card != NULL && wish->form != NULL)
        return N_("--form goes with --instance");
    if (wish->card != NULL && !is_card(wish->card))
        return N_("this is no card's code: it has twelve digits, and the last two must fit the "
                  "others");
    if (wish->instance != NULL && wish->instance[0] == '\0')
        return N_("--instance needs the submission's instanceID");
    if (wish->reason == NULL || count_characters(wish->reason) < REASON_LEAST)
        return N_("--reason says in ten characters or more why, for the log; name nobody in it");
    if (wish->key == NULL && wish->passphrase_fd != RELAIS_CLI_TERMINAL)
        return N_("--passphrase-fd goes with --key");
    if (wish->yes && wish->dry_run)
        return N_("give either --dry-run or --yes");
    if (!wish->yes && !wish->dry_run && (isatty(STDIN_FILENO) != 1 || isatty(STDERR_FILENO) != 1))
        return N_("erasing is for good; say --yes as well, or --dry-run to see what would go");
    return NULL;
}

/* ---- which submissions ---------------------------------------------------------------------- */

/* An instanceID is written with and without its prefix. */
static bool name_ids(const work *w, const char *ids[2], relais_error *err)
{
    const char *given = w->wish->instance;

    ids[0] = given;
    ids[1] = strncmp(given, UUID_PREFIX, strlen(UUID_PREFIX)) == 0
                 ? relais_arena_text(w->arena, given + strlen(UUID_PREFIX))
                 : relais_arena_format(w->arena, UUID_PREFIX "%s", given);
    return ids[1] != NULL || relais_arena_error(w->arena, err);
}

static void add_instance(relais_instances *to, const relais_instance *one)
{
    for (size_t i = 0; i < to->count; i++)
        if (strcmp(to->list[i].form, one->form) == 0 && strcmp(to->list[i].id, one->id) == 0)
            return;
    to->list[to->count++] = *one;
}

/* What the spool and the ledger know, each submission once, of one form when one is given. */
static bool join_instances(const work *w, const relais_remains *remains,
                           const relais_instances *known, relais_instances *out, relais_error *err)
{
    size_t most = remains->waiting + remains->quarantined + known->count;
    const char *form = w->wish->form;

    out->count = 0;
    out->list = relais_arena_alloc(w->arena, (most + 1) * sizeof *out->list);
    if (out->list == NULL)
        return relais_arena_error(w->arena, err);
    for (const relais_remain *one = remains->first; one != NULL; one = one->next)
        if (form == NULL || strcmp(form, one->instance.form) == 0)
            add_instance(out, &one->instance);
    for (size_t i = 0; i < known->count; i++)
        if (form == NULL || strcmp(form, known->list[i].form) == 0)
            add_instance(out, &known->list[i]);
    return true;
}

static bool check_one_form(const relais_instances *found, relais_error *err)
{
    if (found->count == 0)
        return relais_error_set(err, RELAIS_ERR_MISSING,
                                "neither the database nor the spool has this submission; look at "
                                "its instanceID and its form");
    for (size_t i = 1; i < found->count; i++)
        if (strcmp(found->list[i].form, found->list[0].form) != 0)
            return relais_error_set(err, RELAIS_ERR_CONFIG,
                                    "submissions of several forms have this id (%s, %s); say "
                                    "which by --form",
                                    found->list[0].form, found->list[i].form);
    return true;
}

static bool find_by_instance(const work *w, relais_instances *out, relais_error *err)
{
    const char *ids[2];
    relais_instance asked[2];
    relais_sought sought = {NULL, {asked, 2}, w->key};
    relais_remains remains;
    relais_instances known;

    if (!name_ids(w, ids, err))
        return false;
    asked[0] = (relais_instance){w->wish->form, ids[0]};
    asked[1] = (relais_instance){w->wish->form, ids[1]};
    return relais_remains_find(w->spool, &sought, w->arena, &remains, err) &&
           relais_erasure_find(w->store, ids, 2, w->arena, &known, err) &&
           join_instances(w, &remains, &known, out, err) && check_one_form(out, err);
}

/* The ledger finds a card's submissions itself; these are those that it may not know. */
static bool find_by_card(const work *w, relais_instances *out, relais_error *err)
{
    relais_sought sought = {w->wish->card, {NULL, 0}, w->key};
    relais_instances none = {NULL, 0};
    relais_remains remains;

    return relais_remains_find(w->spool, &sought, w->arena, &remains, err) &&
           join_instances(w, &remains, &none, out, err);
}

/* ---- what is said --------------------------------------------------------------------------- */

static void print_count(const char *label, long long count)
{
    size_t width = relais_text_columns(label);

    if (count > 0)
        printf("  %s%*s %6lld\n", label, width < LABEL_WIDTH ? (int)(LABEL_WIDTH - width) : 0, "",
               count);
}

static void print_erasure(const relais_erasure *erasure, const relais_remains *remains)
{
    print_count(_("rows of the person"), erasure->people);
    print_count(_("recordings, which stay without identity"), erasure->recordings);
    print_count(_("sealed identities"), erasure->identities);
    print_count(_("matching keys"), erasure->keys);
    print_count(_("submissions with their answers"), erasure->versions);
    print_count(_("attached files"), erasure->attachments);
    print_count(_("requests for erasure answered"), erasure->wishes);
    print_count(_("parcels waiting in the spool"), (long long)remains->waiting);
    print_count(_("parcels in quarantine"), (long long)remains->quarantined);
    if (erasure->cases > 0)
        printf(ngettext("%lld criminal case names this card and stays as it is.\n",
                        "%lld criminal cases name this card and stay as they are.\n",
                        (unsigned long)erasure->cases),
               erasure->cases);
    if (erasure->others > 0)
        printf(ngettext("%lld recording of this card is of another person and stays.\n",
                        "%lld recordings of this card are of other people and stay.\n",
                        (unsigned long)erasure->others),
               erasure->others);
}

static bool is_nothing(const relais_erasure *erasure, const relais_remains *remains)
{
    return erasure->identities + erasure->keys + erasure->versions + erasure->attachments +
                   erasure->wishes ==
               0 &&
           remains->waiting + remains->quarantined == 0;
}

static bool confirm(void)
{
    char answer[32] = "";

    fflush(stdout);
    fputs(_("This cannot be undone. Write \"yes\" to erase: "), stderr);
    if (fgets(answer, sizeof answer, stdin) == NULL)
        return false;
    answer[strcspn(answer, "\r\n")] = '\0';
    return strcmp(answer, "yes") == 0 || strcmp(answer, _("yes")) == 0;
}

/* ---- the work ------------------------------------------------------------------------------- */

static bool run_erasure(const work *w, const relais_instances *instances, bool is_trial,
                        relais_erasure *out, relais_error *err)
{
    relais_erasure_request asked = {w->wish->card, *instances, w->wish->reason, is_trial};

    return relais_erasure_run(w->store, &asked, w->arena, out, err);
}

static bool find_remains(const work *w, const relais_erasure *erasure, relais_remains *out,
                         relais_error *err)
{
    relais_sought sought = {w->wish->card, erasure->instances, w->key};

    return relais_remains_find(w->spool, &sought, w->arena, out, err);
}

/* Until a pass finds nothing: the forwarder may put a parcel aside meanwhile. */
static bool remove_remains(const work *w, const relais_erasure *erasure, relais_error *err)
{
    relais_remains remains;

    for (int pass = 0; pass < PASSES_MAX; pass++) {
        if (!find_remains(w, erasure, &remains, err))
            return false;
        if (remains.first == NULL)
            return true;
        if (!relais_remains_remove(w->spool, &remains, err))
            return false;
    }
    return relais_error_set(err, RELAIS_ERR_SYSTEM,
                            "the spool still receives parcels of this person; run the command "
                            "again");
}

static void say_unclear(size_t count)
{
    relais_say(
        ngettext("%zu parcel cannot be read, so that nobody can say whose it is. Look at it: "
                 "relais quarantine list",
                 "%zu parcels cannot be read, so that nobody can say whose they are. Look at "
                 "them: relais quarantine list",
                 count),
        count);
}

static void say_sealed(size_t count, bool has_key)
{
    if (has_key)
        relais_say(ngettext("%zu parcel in quarantine is sealed to another key and could not be "
                            "searched. Repeat the command with that key: --key FILE",
                            "%zu parcels in quarantine are sealed to another key and could not be "
                            "searched. Repeat the command with that key: --key FILE",
                            count),
                   count);
    else
        relais_say(ngettext("%zu sealed parcel in quarantine could not be searched. Repeat the "
                            "command with the private key: --key FILE",
                            "%zu sealed parcels in quarantine could not be searched. Repeat the "
                            "command with the private key: --key FILE",
                            count),
                   count);
}

/* Whether something was left unsearched, which a script must notice. */
static int end_unsearched(const work *w, const relais_remains *remains)
{
    if (remains->unclear > 0)
        say_unclear(remains->unclear);
    if (remains->sealed > 0)
        say_sealed(remains->sealed, w->key != NULL);
    return remains->unclear + remains->sealed > 0 ? RELAIS_EXIT_FAILED : RELAIS_EXIT_OK;
}

/* The database's part, then the files. */
static bool erase(const work *w, const relais_instances *instances, relais_error *err)
{
    relais_erasure erasure;

    if (!run_erasure(w, instances, false, &erasure, err) || !remove_remains(w, &erasure, err))
        return false;
    puts(_("Erased."));
    return true;
}

static bool act(const work *w, int *code, relais_error *err)
{
    relais_instances instances;
    relais_erasure trial;
    relais_remains remains;

    if (!(w->wish->card != NULL ? find_by_card(w, &instances, err)
                                : find_by_instance(w, &instances, err)) ||
        !run_erasure(w, &instances, true, &trial, err) || !find_remains(w, &trial, &remains, err))
        return false;
    *code = end_unsearched(w, &remains);
    if (trial.people == 0 && trial.instances.count == 0)
        return relais_error_set(err, RELAIS_ERR_MISSING,
                                "neither the database nor the spool knows this card");
    puts(is_nothing(&trial, &remains) ? _("Nothing is left to erase; this stays:")
         : w->wish->dry_run           ? _("This would be erased:")
                                      : _("To be erased:"));
    print_erasure(&trial, &remains);
    if (w->wish->dry_run)
        return true;
    if (w->wish->yes || confirm())
        return erase(w, &instances, err);
    puts(_("Nothing was erased."));
    *code = RELAIS_EXIT_FAILED;
    return true;
}

/* A database without the schema's last file, or a login that may not erase. */
static int say_failure(const relais_error *err)
{
    int code = relais_say_error(err);

    if (strcmp(err->sqlstate, "3F000") == 0 || strcmp(err->sqlstate, "42883") == 0)
        relais_say(_("the database cannot erase yet. Apply the schema: relais plan | psql"));
    if (strcmp(err->sqlstate, "42501") == 0)
        relais_say(_("only the coordination unit or the database's owner may erase; let the "
                     "conninfo of --config name such a login"));
    return code;
}

static int run(const relais_config *config, const request *wish)
{
    work w = {.wish = wish, .arena = relais_arena_create(RELAIS_REMAINS_MEMORY_MAX)};
    int code = RELAIS_EXIT_OK, failed = RELAIS_EXIT_FAILED;
    relais_error err = {0};

    if (w.arena == NULL)
        relais_error_set(&err, RELAIS_ERR_MEMORY, "no memory left");
    else if (!relais_spool_open(config->spool_directory, config->spool_floor, &w.spool, &err))
        failed = RELAIS_EXIT_LATER;
    else if (relais_cli_key_read(wish->key, wish->passphrase_fd, &w.key, &err) &&
             relais_store_open(config->store_conninfo, &w.store, &err) && act(&w, &code, &err))
        goto done;
    code = say_failure(&err);
    if (failed == RELAIS_EXIT_LATER)
        code = failed;

done:
    relais_seal_key_free(w.key);
    relais_store_close(w.store);
    relais_spool_close(w.spool);
    relais_arena_destroy(w.arena);
    return relais_close_output(code);
}

int relais_command_erase(const relais_config *config, int argc, char **argv)
{
    request wish = {.passphrase_fd = RELAIS_CLI_TERMINAL};
    const relais_option options[] = {
        {"card", RELAIS_OPTION_TEXT, &wish.card, 0, 0},
        {"instance", RELAIS_OPTION_TEXT, &wish.instance, 0, 0},
        {"form", RELAIS_OPTION_TEXT, &wish.form, 0, 0},
        {"reason", RELAIS_OPTION_TEXT, &wish.reason, 0, 0},
        {"key", RELAIS_OPTION_TEXT, &wish.key, 0, 0},
        {"passphrase-fd", RELAIS_OPTION_NUMBER, &wish.passphrase_fd, 0, RELAIS_CLI_FD_MAX},
        {"yes", RELAIS_OPTION_FLAG, &wish.yes, 0, 0},
        {"dry-run", RELAIS_OPTION_FLAG, &wish.dry_run, 0, 0},
    };
    relais_operands operands =
        relais_options_read(options, sizeof options / sizeof options[0], argc, argv);
    const char *mistake;

    if (operands.is_done)
        return operands.exit_code;
    if (operands.first < argc) {
        relais_say(_("erase takes options only, no other words."));
        return relais_usage_error(argv[0]);
    }
    mistake = find_mistake(&wish);
    if (mistake != NULL) {
        relais_say("%s", _(mistake));
        return relais_usage_error(argv[0]);
    }
    return run(config, &wish);
}
