/*
 * relais device sheet: the QR code that sets up ODK Collect for this server.
 */
#include "cli/command.h"
#include "cli/options.h"
#include "cli/qr.h"
#include "cli/sheet.h"
#include "cli/speak.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* A code has 4,000 characters; everything around it fits many times. */
#define DEVICE_MEMORY_MAX ((size_t)1024 * 1024)

enum { PASSWORD_MAX = 256 };

typedef struct request {
    relais_sheet sheet;
    const char *password_file, *png;
    bool text, json;
} request;

/* The first line of the file. A file is asked for because command lines can be seen by every
 * user of the machine. */
static bool read_password(const char *file, char out[PASSWORD_MAX + 2], relais_error *err)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, out, PASSWORD_MAX + 1);
    int cause = errno;

    if (fd >= 0)
        close(fd);
    if (length < 0)
        return relais_error_system(err, cause, file, "the password cannot be read");
    out[length] = '\0';
    out[strcspn(out, "\r\n")] = '\0';
    if (out[0] != '\0' && strlen(out) <= PASSWORD_MAX)
        return true;
    relais_error_set(err, RELAIS_ERR_CONFIG,
                     "the password stands on the first line, with 1 to %d bytes", PASSWORD_MAX);
    relais_error_at(err, file, 0);
    return false;
}

/* Collect sends a password over https only, to whatever server asks for one. */
static void warn_plain_http(const relais_sheet *sheet)
{
    if (sheet->user != NULL && strncasecmp(sheet->url, "http:", 5) == 0)
        relais_say(_("warning: Collect answers a Basic password only over https, so this phone "
                     "will not be let in over http."));
}

static void warn_narrow_terminal(const char *text)
{
    struct winsize window;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0 &&
        window.ws_col < relais_qr_columns(text))
        relais_say(_("warning: this terminal has %d columns and the code needs %d; make it wider, "
                     "or use --png FILE."),
                   window.ws_col, relais_qr_columns(text));
}

static bool print_sheet(const request *wish, relais_arena *arena, relais_error *err)
{
    char *text = relais_sheet_text(&wish->sheet, arena, err);
    char *json;

    if (text == NULL)
        return false;
    warn_plain_http(&wish->sheet);
    if (wish->json) {
        json = relais_sheet_json(&wish->sheet, true, arena, err);
        return json != NULL && puts(json) >= 0;
    }
    if (wish->png != NULL)
        return relais_qr_png(text, wish->png, err);
    if (wish->text)
        return puts(text) >= 0;
    warn_narrow_terminal(text);
    return relais_qr_print(text, isatty(STDOUT_FILENO) == 1, stdout, err);
}

static int make_sheet(request *wish)
{
    char password[PASSWORD_MAX + 2] = "";
    relais_arena *arena = relais_arena_create(DEVICE_MEMORY_MAX);
    relais_error err = {0};
    bool ok = arena != NULL || relais_error_set(&err, RELAIS_ERR_MEMORY, "no memory left");

    if (ok && wish->password_file != NULL)
        ok = read_password(wish->password_file, password, &err);
    if (wish->password_file != NULL)
        wish->sheet.password = password;
    ok = ok && print_sheet(wish, arena, &err);
    relais_arena_destroy(arena);
    wish->sheet.password = NULL;
    explicit_bzero(password, sizeof password);
    return relais_close_output(ok ? RELAIS_EXIT_OK : relais_say_error(&err));
}

/* What is wrong with the request as it was typed, or NULL. */
static const char *find_mistake(const request *wish)
{
    if (wish->sheet.url == NULL)
        return N_("sheet needs --url URL, the address that Collect is to use");
    if ((wish->sheet.user == NULL) != (wish->password_file == NULL))
        return N_("--user and --password-file go together");
    if (wish->sheet.user != NULL && wish->sheet.user[0] == '\0')
        return N_("--user needs a name");
    if (wish->sheet.name[0] == '\0')
        return N_("--name needs a name");
    if (wish->text + wish->json + (wish->png != NULL) > 1)
        return N_("--text, --json and --png exclude each other");
    return NULL;
}

static const char *const actions[] = {"sheet"};

int relais_command_device(const relais_config *config, int argc, char **argv)
{
    request wish = {.sheet.name = "Relais"};
    const relais_option options[] = {
        {"url", RELAIS_OPTION_TEXT, &wish.sheet.url, 0, 0},
        {"name", RELAIS_OPTION_TEXT, &wish.sheet.name, 0, 0},
        {"user", RELAIS_OPTION_TEXT, &wish.sheet.user, 0, 0},
        {"password-file", RELAIS_OPTION_TEXT, &wish.password_file, 0, 0},
        {"text", RELAIS_OPTION_FLAG, &wish.text, 0, 0},
        {"json", RELAIS_OPTION_FLAG, &wish.json, 0, 0},
        {"png", RELAIS_OPTION_TEXT, &wish.png, 0, 0},
    };
    relais_operands operands =
        relais_options_read(options, sizeof options / sizeof options[0], argc, argv);
    relais_error err = {0};
    const char *mistake;

    (void)config;
    if (operands.is_done)
        return operands.exit_code;
    if (relais_action_choose(RELAIS_NAMES(actions), argc, argv, operands.first) == NULL)
        return RELAIS_EXIT_USAGE;
    if (operands.first + 1 < argc) {
        relais_say(_("device sheet takes no \"%s\"."), argv[operands.first + 1]);
        return relais_usage_error(argv[0]);
    }
    mistake = find_mistake(&wish);
    if (mistake != NULL || !relais_sheet_check_url(wish.sheet.url, &err)) {
        relais_say("%s", mistake != NULL ? _(mistake) : err.text);
        return relais_usage_error(argv[0]);
    }
    return make_sheet(&wish);
}
