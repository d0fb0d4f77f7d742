/*
 * relais forward: turns parcels of the spool into rows of the database, until stopped.
 */
#include "base/log.h"
#include "cli/command.h"
#include "cli/guard.h"
#include "cli/notify.h"
#include "cli/options.h"
#include "cli/speak.h"
#include "store/forwarder.h"

#include <stdio.h>
#include <string.h>

static void set_log_level(const char *word)
{
    static const char *const words[] = {
        [RELAIS_LOG_ERROR] = "error",
        [RELAIS_LOG_WARN] = "warn",
        [RELAIS_LOG_INFO] = "info",
        [RELAIS_LOG_DEBUG] = "debug",
    };

    for (int level = 0; level < (int)(sizeof words / sizeof words[0]); level++)
        if (strcmp(words[level], word) == 0)
            relais_log_set_level((relais_log_level)level);
}

static relais_forwarder_options forwarder_options(const relais_config *config,
                                                  const relais_secrets *secrets, uint64_t batch,
                                                  bool once)
{
    return (relais_forwarder_options){
        .conninfo = config->store_conninfo,
        .spool = config->spool_directory,
        .mappings = config->mappings_directory,
        .secrets = secrets,
        .floor = config->spool_floor,
        .batch = batch,
        .scan_seconds = (unsigned)config->forward_scan_seconds,
        .sweep_seconds = (unsigned)config->forward_sweep_seconds,
        .once = once,
        .alive = relais_notify_alive,
        .alive_seconds = relais_notify_seconds(),
    };
}

static void say_counts(const relais_forwarder_counts *counts)
{
    relais_say(_("%llu delivered, %llu known already, %llu quarantined, %llu held"),
               (unsigned long long)counts->delivered, (unsigned long long)counts->duplicates,
               (unsigned long long)counts->quarantined, (unsigned long long)counts->held);
}

static int run_forwarder(const relais_config *config, uint64_t batch, bool once)
{
    const relais_secret_files files = relais_config_secrets(config);
    relais_forwarder_counts counts = {0};
    relais_forwarder_options options;
    relais_secrets secrets;
    relais_error err = {0};
    bool ok;

    if (!relais_secrets_read(&files, &secrets, &err))
        return relais_say_error(&err);
    if (!relais_guard_check(config, secrets.seal, &err)) {
        relais_secrets_free(&secrets);
        return relais_say_error(&err);
    }
    options = forwarder_options(config, &secrets, batch, once);
    relais_notify_ready();
    ok = relais_forwarder_run(&options, &counts, &err);
    relais_notify_stopping();
    relais_secrets_free(&secrets);
    if (!ok)
        return relais_say_error(&err);
    if (once)
        say_counts(&counts);
    return RELAIS_EXIT_OK;
}

int relais_command_forward(const relais_config *config, int argc, char **argv)
{
    bool once = false;
    uint64_t batch = config->forward_batch;
    const relais_option options[] = {
        {"once", RELAIS_OPTION_FLAG, &once, 0, 0},
        {"batch", RELAIS_OPTION_NUMBER, &batch, 1, 5000},
    };
    relais_operands operands = relais_options_read(options, 2, argc, argv);

    if (operands.is_done)
        return operands.exit_code;
    if (operands.first < argc) {
        relais_say(_("forward takes no \"%s\"."), argv[operands.first]);
        return relais_usage_error(argv[0]);
    }
    set_log_level(config->log_level);
    return run_forwarder(config, batch, once);
}
