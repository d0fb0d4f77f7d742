/*
 * relais form encrypt: a form with the project's public key in it, for publication.
 */
#include "xform/encrypt.h"

#include "cli/command.h"
#include "cli/options.h"
#include "cli/speak.h"

#include <stdio.h>

static int encrypt(const char *key_file, const char *form_file)
{
    relais_error err = {0};
    relais_buffer form;
    int code = RELAIS_EXIT_OK;

    relais_buffer_init(&form, RELAIS_ENCRYPT_FORM_MAX);
    if (!relais_form_encrypt(form_file, key_file, &form, &err)) {
        code = relais_say_error(&err);
    } else {
        fwrite(form.data, 1, form.length, stdout);
        relais_say(_("raise the form's version before you publish it, or phones keep the form that "
                     "locks nothing."));
    }
    relais_buffer_free(&form);
    return relais_close_output(code);
}

static const char *const actions[] = {"encrypt"};

int relais_command_form(const relais_config *config, int argc, char **argv)
{
    relais_operands operands = relais_options_read(NULL, 0, argc, argv);
    int first = operands.first;

    (void)config;
    if (operands.is_done)
        return operands.exit_code;
    if (relais_action_choose(RELAIS_NAMES(actions), argc, argv, first) == NULL)
        return RELAIS_EXIT_USAGE;
    if (argc - first == 3)
        return encrypt(argv[first + 1], argv[first + 2]);
    relais_say(_("form encrypt takes a key and a form."));
    return relais_usage_error(argv[0]);
}
