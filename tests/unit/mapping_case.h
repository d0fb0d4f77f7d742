/*
 * A mapping and a submission from tests/cases/mapping, run, and the outcome as lines:
 *
 *   clear tip.exploitation identification_id=...
 *   row tip.exploitation[upsert] seq=1 form=ex_s
 *   file photo.jpg
 *   unmapped /data/x
 *   misfit /data/person/age tip.identification.age range: ...
 */
#ifndef RELAIS_TESTS_MAPPING_CASE_H
#define RELAIS_TESTS_MAPPING_CASE_H

#include "base/buffer.h"
#include "transform/mapping.h"

#include <libxml/parser.h>

struct mapping_case {
    const char *name;
    relais_arena *arena;
    relais_mapping *mapping;
    relais_submission submission;
    relais_output output;
    relais_misfit misfit;
    relais_error err;
    bool ok;
    relais_buffer lines;
};

extern const relais_facts mapping_case_facts;

/* What mappings are bound with; unless a test sets it, a certificate alone, which those that are
 * marked sensitive need. */
extern const relais_secrets *mapping_case_secrets;
const relais_secrets *mapping_case_default_secrets(void);

/* Reads and binds; fails the test when it cannot. */
void mapping_case_begin(struct mapping_case *subject, const char *name);
void mapping_case_begin_with(struct mapping_case *subject, const char *name, const char *map,
                             const char *xml);
void mapping_case_run(struct mapping_case *subject);
void mapping_case_print(struct mapping_case *subject);
void mapping_case_compare(struct mapping_case *subject);
void mapping_case_end(struct mapping_case *subject);

#endif
