/*
 * The <list>s of a mapping by name.
 */
#ifndef RELAIS_TRANSFORM_LIST_H
#define RELAIS_TRANSFORM_LIST_H

#include "transform/model.h"

/* NULL when there is none. */
relais_list *relais_list_find(const relais_mapping *mapping, const char *name);

/* The list, which counts as used from now on. NULL with err, which proposes what was meant. */
RELAIS_MUST_USE relais_list *relais_list_use(const relais_mapping *mapping, const char *name,
                                             relais_error *err);

#endif
