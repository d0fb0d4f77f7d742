/*
 * [source NAME] sections of the configuration: as many as there are servers to pull from.
 *
 *   [source ministry]
 *   kind = central                     central, briefcase, kobo or ona
 *   url = https://central.example.bf
 *   project = 3                        central: the project's number
 *   forms = bf_tip_ident bf_tip_assist nothing: all (kobo: asset ids)
 *   credentials = /etc/relais/ministry.credentials
 *   connections = 8   rate = 0   tries = 6   timeout = 60
 *   overlap = 10   recheck = 60   patience = 30   file_hosts =
 */
#ifndef RELAIS_CLI_SOURCE_CONFIG_H
#define RELAIS_CLI_SOURCE_CONFIG_H

#include "cli/config.h"

/* The NAME of a section "source NAME", or NULL when the section is another. */
const char *relais_source_section(const char *section);

/* Takes one setting of the source, which is made with its defaults when it is new. */
RELAIS_MUST_USE bool relais_source_take(relais_config *config, const char *source, const char *name,
                                        const char *value, relais_error *err);

/* The source of that name, or NULL. */
const relais_source *relais_source_find(const relais_config *config, const char *name);

/* False, and says so, when there is no source at all or none of an operand's name. */
bool relais_sources_named(const relais_config *config, int argc, char **argv, int first);

void relais_sources_config_free(relais_config *config);

#endif
