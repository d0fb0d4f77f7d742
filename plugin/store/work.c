/*
 * Opening the forwarder's tools for one command. See work.h.
 */
#include "store/work.h"

#include "store/ledger.h"

bool relais_work_open(relais_work *work, relais_store *store, const char *mappings,
                      const relais_secrets *secrets, relais_error *err)
{
    work->store = store;
    work->secrets = secrets;
    relais_params_init(&work->params);
    work->batch = relais_arena_create(RELAIS_BATCH_MEMORY_MAX);
    work->settle = relais_arena_create(RELAIS_BATCH_MEMORY_MAX);
    work->scratch = relais_arena_create(RELAIS_SCRATCH_MEMORY_MAX);
    if (work->batch == NULL || work->settle == NULL || work->scratch == NULL)
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    return relais_mappings_open(mappings, secrets, &work->mappings, err) &&
           relais_ledger_check(store, err) && relais_mappings_bind(work->mappings, store, err);
}

void relais_work_close(relais_work *work)
{
    relais_mappings_close(work->mappings);
    relais_arena_destroy(work->scratch);
    relais_arena_destroy(work->settle);
    relais_arena_destroy(work->batch);
    relais_params_free(&work->params);
}
