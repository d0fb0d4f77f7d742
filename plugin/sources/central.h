/*
 * What the two halves of the kind "central" share: addresses of ODK Central's API.
 */
#ifndef RELAIS_SOURCES_CENTRAL_H
#define RELAIS_SOURCES_CENTRAL_H

#include "sources/kind.h"

/* "/v1/projects/P/forms/F", encoded; NULL without memory. */
const char *relais_central_form(const relais_worker *worker, relais_arena *arena);

/* central_list.c: what is new, edited or deleted. */
bool relais_central_open(relais_walk *walk, relais_error *err);
bool relais_central_close(relais_walk *walk, bool is_whole, relais_error *err);
bool relais_central_page(relais_walk *walk, relais_page *page, relais_error *err);

#endif
