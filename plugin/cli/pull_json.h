/*
 * What `relais pull` tells programs: one JSON document a round.
 */
#ifndef RELAIS_CLI_PULL_JSON_H
#define RELAIS_CLI_PULL_JSON_H

#include "sources/source.h"

#include <jansson.h>

/* Objects that are without memory are NULL, and what is added to them is dropped; printing then
 * fails. */
json_t *relais_pull_json_source(json_t *document, const relais_source *source);
json_t *relais_pull_json_form(json_t *source, const char *form);

void relais_pull_json_counts(json_t *form, const relais_pull_counts *counts);
void relais_pull_json_failed(json_t *form, const char *id, const relais_error *why);
void relais_pull_json_given_up(json_t *form, const char *id, const char *file);
void relais_pull_json_deleted(json_t *form, const char *id);

/* Of a form or a source. */
void relais_pull_json_error(json_t *object, const relais_error *why);

#endif
