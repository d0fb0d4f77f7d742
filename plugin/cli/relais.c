/*
 * The command `relais`: options that stand before the command, the table of commands, help.
 */
#include "base/secret.h"
#include "cli/command.h"
#include "cli/names.h"
#include "cli/options.h"
#include "cli/speak.h"

#include <stdio.h>
#include <string.h>

static int run_help(const relais_config *config, int argc, char **argv);
static int run_version(const relais_config *config, int argc, char **argv);

static const relais_command commands[] = {
    {"forward", relais_command_forward, true, "[--once] [--batch N]",
     N_("turn received submissions into rows of the database"),
     N_("Takes parcels from the spool in order of arrival and writes them to the database, until\n"
        "SIGTERM or Ctrl-C. While the database is away it waits, for as long as it takes; a\n"
        "submission that fits no column goes to quarantine and holds up no other.\n"
        "\n"
        "  --once      deliver what is there, then end\n"
        "  --batch N   parcels in one transaction, 1 to 5000 (default: [forward] batch)\n"
        "\n"
        "One forwarder works on one spool. It writes its log to standard error.\n")},
    {"check", relais_command_check, true, "[--no-database] [FORM.xml|MAPPING.xml]...",
     N_("compare forms, mappings and the database"),
     N_("Without names, checks every form and every mapping of the configured directories. A "
        "named\n"
        "file takes the place of the one with the same form id there, so that a draft can be\n"
        "checked; with a form its mapping is checked as well.\n"
        "\n"
        "  --no-database   leave the database out\n"
        "\n"
        "Findings are lines \"file:line: error: text\" or \"file:line: warning: text\" on "
        "standard\n"
        "output. The exit code is 1 when there is an error, 3 when the database was away.\n")},
    {"plan", relais_command_plan, true, "[--list]", N_("print the SQL that the database lacks"),
     N_("Compares the files below schema/ and codes/ of the mappings' directory with the database\n"
        "and prints one script for psql: each schema file that was not applied, in a transaction\n"
        "of its own, then the rows of reference data that differ. Changes nothing itself.\n"
        "\n"
        "  --list   show what was applied and what is pending, instead of the script\n"
        "\n"
        "    relais plan > plan.sql; less plan.sql; psql service=relais-admin -f plan.sql\n"
        "\n"
        "A schema file that was changed after it was applied is an error: put the change into a\n"
        "new file with the next number.\n")},
    {"pull", relais_command_pull, true,
     "[NAME]... [--since DATE] [--form F] [--once | --every MINUTES] [--json]",
     N_("bring what is new on other servers into the spool"),
     N_("Asks the servers of the configuration, [source NAME], for submissions that are new or\n"
        "edited since the last time, and leaves them in the spool as if phones had sent them.\n"
        "What was received already is recognised by the forwarder. It may be ended at any moment\n"
        "and goes on where it was.\n"
        "\n"
        "  NAME             only these sources (default: all)\n"
        "  --since DATE     ask for what came since then instead: 2026-03-02\n"
        "  --form F         only this form\n"
        "  --once           one round, then end (the default)\n"
        "  --every MINUTES  a round, then again after so many minutes, until SIGTERM or Ctrl-C\n"
        "  --json           for programs: a line of JSON for each round\n"
        "\n"
        "A submission that cannot be had is asked for again next time, and the exit code is 1; it\n"
        "is 3 when a server was away.\n")},
    {"reconcile", relais_command_reconcile, true,
     "[NAME]... [--form F] [--since DATE] [--fill] [--json]",
     N_("compare what other servers have with what was received here"),
     N_("Lists every submission of the servers of the configuration, [source NAME], looks each up\n"
        "in the ledger, and shows by form and day how many are not there.\n"
        "\n"
        "  NAME         only these sources (default: all)\n"
        "  --form F     only this form\n"
        "  --since DATE only what came since then\n"
        "  --fill       pull exactly what is lacking\n"
        "  --json       for programs: all days, and the ids that are lacking\n"
        "\n"
        "What relais pull has stored of its place is not changed. The exit code is 1 when\n"
        "something is lacking and was not pulled.\n")},
    {"status", relais_command_status, true, "[--json | --prometheus] [--devices]",
     N_("show what waits, what was delivered, what needs a person"),
     N_("Shows the spool, the quarantine and, from the database's ledger, each form's counts.\n"
        "\"Received\" counts versions of submissions; \"delivered\" are those of them that need\n"
        "nothing more. Below stand the submissions that wait for something: a person or a case\n"
        "that no form has brought yet, a code that its list lacks, files that have not come;\n"
        "and what was too large for the web server, or came in the clear.\n"
        "\n"
        "  --json         for programs; times are UTC, a count that took too long is null\n"
        "  --prometheus   metrics for node_exporter's textfile collector; relais(1) names them\n"
        "  --devices      who sends: each device and user, when it was last heard, and its\n"
        "                 longest silence\n"
        "\n"
        "The exit code is 3 when the database cannot be reached; the spool is shown all the\n"
        "same.\n")},
    {"quarantine", relais_command_quarantine, true,
     "list [--json] [--class C] [--form F] |\n"
     "                         show NAME [--raw] [--key FILE [--passphrase-fd N]] |\n"
     "                         replay NAME...|--all|--class C|--form F [--key FILE "
     "[--passphrase-fd N]] |\n"
     "                         drop NAME... --yes",
     N_("list, show, replay or drop what could not be delivered"),
     N_("  list          the parcels with their reasons\n"
        "  show NAME     one parcel's reason, head and parts, without any answer\n"
        "  replay        give parcels back to the forwarder, once the mapping, the list or the\n"
        "                database is mended\n"
        "  drop NAME     remove parcels for good\n"
        "\n"
        "  --json        list for programs\n"
        "  --raw         show the original bytes, answers included, on standard output\n"
        "  --all         replay everything\n"
        "  --class C     only those of one class, as list shows it\n"
        "  --form F      only those of one form\n"
        "  --yes         drop, really\n"
        "  --key FILE    the private key (PEM) that opens sealed parcels; replay leaves them\n"
        "                without it\n"
        "  --passphrase-fd N   read the key's passphrase from this descriptor instead of the\n"
        "                terminal\n"
        "\n"
        "The beginning of a NAME suffices when no other parcel begins so. The exit code is 1 "
        "when\n"
        "parcels to be replayed stay for lack of their key.\n")},
    {"replay", relais_command_replay, true,
     "[--key FILE] [--passphrase-fd N] [--form F] [--instance ID] [--all] [--json]",
     N_("evaluate submissions of the database again with today's mappings"),
     N_("Takes from the ledger what waits or was refused there, and what another mapping than "
        "today's\n"
        "made rows of, evaluates it and writes its rows anew, each submission in a transaction.\n"
        "What is refused stays as it was. The forwarder may go on working.\n"
        "\n"
        "  --key FILE          private key in PEM form, for what is sealed; keep it elsewhere\n"
        "  --passphrase-fd N   read its passphrase from this file descriptor; otherwise it is\n"
        "                      asked for at the terminal\n"
        "  --form F            only submissions of this form\n"
        "  --instance ID       only this one, whichever mapping made its rows\n"
        "  --all               every one whose rows stand\n"
        "  --json              the counts for programs\n"
        "\n"
        "The exit code is 1 when something stays as it was: refused, or sealed for a key that "
        "was\n"
        "not given. Attached files of what was in quarantine come with their parcel: relais\n"
        "quarantine replay.\n")},
    {"conflict", relais_command_conflict, true,
     "list [--all] [--json] [--limit N] |\n"
     "                       show VERSION|RECORD [--with VERSION] [--key FILE [--passphrase-fd "
     "N]] [--json] |\n"
     "                       choose VERSION --by NAME [--reason TEXT] [--key FILE "
     "[--passphrase-fd N]]",
     N_("review versions of a submission that contradict each other"),
     N_("Two contents under one instanceID, or two edits of one version, are both kept; the one\n"
        "received first is current until a person chooses. A VERSION is its id, as list shows it.\n"
        "\n"
        "  list             what waits for a choice: each current version, and what contradicts "
        "it\n"
        "  show VERSION     all versions of its record, and in which answers this one and the\n"
        "                   current one differ; prints answers, for you alone; a record or\n"
        "                   instance id does as well\n"
        "  choose VERSION   make it the current one: its rows take the place of the others'\n"
        "\n"
        "  --all            list also what was decided\n"
        "  --json           list or show for programs\n"
        "  --limit N        list no more than N versions (default: 200)\n"
        "  --with VERSION   compare with this one\n"
        "  --by NAME        who chooses\n"
        "  --reason TEXT    why; no name of anybody who is recorded\n"
        "  --key FILE       the private key (PEM), for what is sealed\n"
        "  --passphrase-fd N   read its passphrase from this descriptor instead of the terminal\n"
        "\n"
        "Nothing is lost by a choice: choosing the other version takes it back. The exit code is "
        "1\n"
        "when answers could not be compared without the key, or the choice was refused.\n")},
    {"erase", relais_command_erase, true,
     "(--card CODE | --instance ID [--form FORM]) --reason TEXT\n"
     "                    [--key FILE [--passphrase-fd N]] [--dry-run | --yes]",
     N_("take a person or a submission out of database and spool"),
     N_("Removes identity, matching keys, raw answers and attached files from the database and "
        "the\n"
        "copies that wait in the spool or in quarantine. The anonymous rows stay for the counts.\n"
        "A copy that a phone sends again is acknowledged, and nothing comes of it.\n"
        "\n"
        "  --card CODE     the person of this card: all that was recorded of her or him\n"
        "  --instance ID   one submission, with its corrections\n"
        "  --form FORM     its form, when submissions of several forms have that id\n"
        "  --reason TEXT   why, for the log of accesses; ten characters or more, no name\n"
        "  --key FILE      the private key (PEM), to search sealed parcels in quarantine for the\n"
        "                  card as well; without it their number is said, and the exit code is 1\n"
        "  --passphrase-fd N   read its passphrase from this descriptor instead of the terminal\n"
        "  --dry-run       only show what would go\n"
        "  --yes           erase, without asking\n"
        "\n"
        "Criminal cases that name the card stay. If it is interrupted, run it again: it "
        "finishes.\n"
        "The login of conninfo must be of the coordination unit or the database's owner.\n")},
    {"link", relais_command_link, true,
     "list [--open | --all] [--json] [--limit N] | show PAIR |\n"
     "                   decide PAIR same|different|new_episode --by NAME [--reason TEXT] |\n"
     "                   undo PAIR --by NAME [--reason TEXT]",
     N_("decide which recordings are of one person"),
     N_("A PAIR is its number, as list shows it, or the ids of its two people.\n"
        "\n"
        "  list          pairs that may be one person, the likeliest first\n"
        "  show PAIR     what was recorded of both, never an identity\n"
        "  decide PAIR   same: they are one person; different: they are two; new_episode: one\n"
        "                person, exploited again, who counts again\n"
        "  undo PAIR     take a decision back, or a join that a document made\n"
        "\n"
        "  --all         list also what was decided (--open, the default, does not)\n"
        "  --json        list or show for programs\n"
        "  --limit N     list no more than N pairs (default: 50)\n"
        "  --by NAME     who decides\n"
        "  --reason TEXT why; no name\n"
        "\n"
        "All counts follow at once. The login of conninfo must be one that may link.\n")},
    {"device", relais_command_device, false,
     "sheet --url URL [--name PROJECT] [--user U --password-file F]\n"
     "                     [--text | --json | --png FILE]",
     N_("print the QR code that sets up ODK Collect"),
     N_("  --url URL           the server's address, as the phone is to use it, without /formList\n"
        "  --name PROJECT      the project's name in Collect (default: Relais)\n"
        "  --user U            the name that the phone gives to the server\n"
        "  --password-file F   file whose first line is the password\n"
        "  --text              print the code's text instead of the code\n"
        "  --json              print the settings that it carries, the password masked\n"
        "  --png FILE          write a picture for printing, readable by its owner only\n"
        "\n"
        "In Collect: Configure with QR code. The code carries the password as it is: whoever "
        "scans\n"
        "it may send submissions. It never carries an administrator's password.\n")},
    {"import", relais_command_import, true, "[--dry-run] [--json] FOLDER|ZIP...",
     N_("take submissions out of a phone's folder or a zip"),
     N_("Takes the folder instances/ of a phone (or the whole storage of Collect), a zip of it, "
        "or\n"
        "Briefcase's storage folder, and puts every submission with its files into the spool, as "
        "if\n"
        "a phone had sent it. What the database has already is recognised, so that importing "
        "twice\n"
        "is harmless. What cannot be taken is named, one line each; the rest is imported.\n"
        "\n"
        "  --dry-run   say what would be imported\n"
        "  --json      for programs\n"
        "\n"
        "Collect keeps unfinished forms in the same folder: finish or delete them on the phone\n"
        "first. The exit code is 1 when something was refused, 3 when the spool is full.\n")},
    {"form", relais_command_form, false, "encrypt KEY.pem FORM.xml",
     N_("write a public key into a form, so that phones lock what it collects"),
     N_("Prints the form with the key in <submission base64RsaPublicKey>. KEY.pem is the public "
        "key, "
        "a\n"
        "certificate, or the private key, whose public half is taken.\n"
        "\n"
        "    openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -aes256 -out "
        "project.pem\n"
        "    openssl pkey -in project.pem -pubout -out project.pub.pem\n"
        "    relais form encrypt project.pub.pem draft.xml > forms/bf_tip_ident.xml\n"
        "\n"
        "The forwarder needs the private key: [encryption] keys names the directory of them.\n")},
    {"doctor", relais_command_doctor, true,
     "[--url URL] [--nginx-dump FILE] [--web-user USER] [--json]",
     N_("look at an installation, and print the line to change"),
     N_("Looks at the web server's configuration, the spool, the keys, the database and the "
        "address\n"
        "that phones use. Changes nothing. Run it as root: only root may read certificates and "
        "try\n"
        "what the web server's user may do.\n"
        "\n"
        "  --url URL          the server's address, as phones use it, without /formList\n"
        "  --nginx-dump FILE  what `nginx -T` printed, for an nginx that is not on this machine\n"
        "  --web-user USER    whom the web server runs as (default: as nginx says, or www-data)\n"
        "  --json             for programs\n"
        "\n"
        "The exit code is 1 when there is a fault.\n")},
    {"help", run_help, false, "[COMMAND]", N_("explain a command"),
     N_("Explains one command, or lists them all.\n")},
    {"version", run_version, false, "", N_("print the version"),
     N_("Prints the version of Relais.\n")},
};

enum { COMMANDS = sizeof commands / sizeof commands[0] };

/* ---- names --------------------------------------------------------------------------------------
 */

static const relais_command *find_command(const char *word)
{
    return relais_names_find(RELAIS_NAMES(commands), word);
}

static void list_names(void)
{
    fputs(_("Commands: "), stderr);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(stderr, "%s%s", commands[i].name, i + 1 < COMMANDS ? ", " : "\n");
}

static int refuse_command(const char *word)
{
    const char *nearest = relais_names_nearest(RELAIS_NAMES(commands), word);

    if (nearest != NULL)
        relais_say(_("there is no command \"%s\". Did you mean %s?"), word, nearest);
    else
        relais_say(_("there is no command \"%s\"."), word);
    list_names();
    return RELAIS_EXIT_USAGE;
}

/* ---- help ---------------------------------------------------------------------------------------
 */

void relais_command_usage(FILE *out, const char *name)
{
    const relais_command *command = find_command(name);

    if (command == NULL)
        fputs(_("usage: relais [--config FILE] COMMAND [ARGUMENT]...\n"), out);
    else
        fprintf(out, _("usage: relais [--config FILE] %s%s%s\n"), command->name,
                command->arguments[0] == '\0' ? "" : " ", command->arguments);
}

static void print_overview(void)
{
    fputs(_("Relais: submissions of ODK Collect, from the web server's spool to the database.\n\n"),
          stdout);
    relais_command_usage(stdout, "");
    fputs(_("\nCommands:\n"), stdout);
    for (size_t i = 0; i < COMMANDS; i++)
        printf("  %-11s %s\n", commands[i].name, _(commands[i].summary));
    fputs(_("\nrelais help COMMAND explains one. The beginning of a name suffices.\n"
            "The configuration is --config FILE, else $RELAIS_CONF, else /etc/relais/relais.conf.\n"
            "Exit codes: 0 done, 1 something must be mended, 2 called wrongly, 3 the database or "
            "the spool is away.\n"),
          stdout);
}

void relais_command_help(const char *name)
{
    const relais_command *command = find_command(name);

    if (command == NULL || strcmp(command->name, name) != 0) {
        print_overview();
        return;
    }
    relais_command_usage(stdout, name);
    printf("\n%s", _(command->help));
}

static int run_help(const relais_config *config, int argc, char **argv)
{
    relais_operands operands = relais_options_read(NULL, 0, argc, argv);
    const relais_command *command;

    (void)config;
    if (operands.is_done)
        return operands.exit_code;
    if (operands.first == argc) {
        print_overview();
        return relais_close_output(RELAIS_EXIT_OK);
    }
    command = find_command(argv[operands.first]);
    if (command == NULL)
        return refuse_command(argv[operands.first]);
    relais_command_help(command->name);
    return relais_close_output(RELAIS_EXIT_OK);
}

static int print_version(void)
{
    puts("relais " RELAIS_VERSION);
    return relais_close_output(RELAIS_EXIT_OK);
}

static int run_version(const relais_config *config, int argc, char **argv)
{
    relais_operands operands = relais_options_read(NULL, 0, argc, argv);

    (void)config;
    return operands.is_done ? operands.exit_code : print_version();
}

/* ---- the whole
 * ------------------------------------------------------------------------------------ */

static int run_command(const relais_command *command, const char *file, int argc, char **argv)
{
    relais_config config = {0};
    relais_error err = {0};
    int code;

    argv[0] = (char *)command->name; /* messages use the whole name, never a prefix */
    if (!command->needs_config)
        return command->run(NULL, argc, argv);
    if (!relais_config_read(file, &config, &err))
        return relais_say_error(&err);
    code = command->run(&config, argc, argv);
    relais_config_free(&config);
    return code;
}

int main(int argc, char **argv)
{
    static char name[] = "relais";
    const char *file = NULL;
    bool wants_version = false;
    const relais_option options[] = {
        {"config", RELAIS_OPTION_TEXT, &file, 0, 0},
        {"version", RELAIS_OPTION_FLAG, &wants_version, 0, 0},
    };
    relais_operands operands;
    const relais_command *command;

    relais_secret_forbid_dumps();
    relais_speak_begin();
    if (argc == 0)
        return RELAIS_EXIT_USAGE;
    argv[0] = name;
    operands = relais_options_read_first(options, 2, argc, argv);
    if (operands.is_done)
        return operands.exit_code;
    if (wants_version)
        return print_version();
    if (operands.first == argc) {
        relais_say(_("say what to do."));
        list_names();
        return relais_usage_error("");
    }
    command = find_command(argv[operands.first]);
    if (command == NULL)
        return refuse_command(argv[operands.first]);
    return run_command(command, file, argc - operands.first, argv + operands.first);
}
