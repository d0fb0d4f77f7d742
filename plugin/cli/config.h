/*
 * /etc/relais/relais.conf: INI, read by inih. One table of settings says name, type, default
 * and bounds; an unknown section or key is an error that lists what was possible.
 *
 *   [spool]     directory = /var/spool/relais      floor = 256M
 *   [store]     conninfo = service=relais
 *   [mappings]  directory = /usr/share/relais/transforms
 *   [forms]     directory = /usr/share/relais/xforms
 *   [keys]      secret = FILE   version = 1        (hmac() of the mappings; no file: none)
 *   [seal]      certificate = FILE                 (<seal> of the mappings; no file: none)
 *   [encryption] keys = DIRECTORY                 (of encrypted forms; nothing: none)
 *   [forward]   batch = 500   scan_seconds = 10   sweep_seconds = 3600
 *   [log]       level = info
 *   [source NAME]  kind = central   url = ...       (a server to pull from; see source_config.h)
 *
 * The file is the one given by --config, else $RELAIS_CONF, else /etc/relais/relais.conf. Only
 * the last may be missing: then the defaults hold.
 */
#ifndef RELAIS_CLI_CONFIG_H
#define RELAIS_CLI_CONFIG_H

#include "base/error.h"
#include "sources/source.h"
#include "transform/secrets.h"

#include <stddef.h>
#include <stdint.h>

typedef struct relais_config {
    char *file;
    char *spool_directory;
    uint64_t spool_floor;
    char *store_conninfo;
    char *mappings_directory; /* holds *.xml, codes/ and schema/ */
    char *forms_directory;
    char *keys_secret; /* "" when there is none */
    uint64_t keys_version;
    char *seal_certificate; /* "" when there is none */
    char *encryption_keys;  /* the same */
    uint64_t forward_batch;
    uint64_t forward_scan_seconds;
    uint64_t forward_sweep_seconds;
    char *log_level;
    relais_source *sources; /* in the order of the file */
    size_t source_count;
} relais_config;

/* `file` is what --config gave, or NULL. RELAIS_ERR_CONFIG with file and line. */
RELAIS_MUST_USE bool relais_config_read(const char *file, relais_config *out, relais_error *err);
void relais_config_free(relais_config *config);

/* Where the secrets are; valid as long as the configuration. */
relais_secret_files relais_config_secrets(const relais_config *config);

#endif
