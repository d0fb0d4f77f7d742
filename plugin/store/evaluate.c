/*
 * Evaluating one version of a record: from the parcel in hand, from the ledger's bytes, or,
 * where these are sealed and no key is at hand, from the rows that were kept of it. What a phone
 * has encrypted is opened for it each time. See settlement.h.
 */
#include "store/settlement.h"

#include "store/encrypted.h"
#include "store/evaluated.h"

#include <stdlib.h>
#include <string.h>

static bool is_versions_fault(const relais_error *why)
{
    return why->code == RELAIS_ERR_DATA || why->code == RELAIS_ERR_SYNTAX ||
           why->code == RELAIS_ERR_LIMIT;
}

static void begin_refusal(const relais_settlement *s, const char *class_word, const char *text,
                          relais_refusal *refusal)
{
    memset(refusal, 0, sizeof *refusal);
    relais_reason_init(&refusal->reason);
    refusal->reason.form = s->form_id;
    refusal->reason.class_word = class_word;
    refusal->reason.text = text == NULL ? "" : text;
}

static void explain_misfit(const relais_settlement *s, const relais_misfit *misfit,
                           const relais_error *why, relais_refusal *refusal)
{
    relais_arena *arena = s->work->settle;

    begin_refusal(s, relais_error_word(why->code),
                  misfit->value_class == NULL
                      ? relais_arena_text(arena, why->text)
                      : relais_arena_format(arena, "%s : %s", misfit->value_class, misfit->rule),
                  refusal);
    if (misfit->path != NULL)
        refusal->reason.path = misfit->path;
    if (misfit->column != NULL)
        refusal->reason.column = misfit->column;
    if (misfit->rule != NULL)
        refusal->reason.rule = misfit->rule;
    refusal->is_held = misfit->is_held;
}

/* ---- from XML ------------------------------------------------------------------------------ */

static bool parse(const relais_settlement *s, const relais_stored *stored, relais_submission *out,
                  relais_error *why)
{
    int64_t offset;

    relais_arena_reset(s->work->scratch);
    return relais_submission_parse(stored->xml, stored->xml_length, s->work->scratch, out, &offset,
                                   why);
}

/* Runs the mapping; false with `misfit` or only `why`. */
static bool run(const relais_settlement *s, const relais_submission *submission,
                const relais_facts *facts, relais_output *out, relais_misfit *misfit,
                relais_error *why)
{
    return relais_mapping_run(s->binding->mapping, submission, facts,
                              relais_store_target(s->work->store), s->work->settle, out, misfit,
                              why);
}

static bool run_xml(const relais_settlement *s, const relais_stored *stored,
                    const relais_facts *facts, relais_output *out, relais_misfit *misfit,
                    relais_error *why)
{
    relais_submission submission;

    memset(misfit, 0, sizeof *misfit);
    return parse(s, stored, &submission, why) && run(s, &submission, facts, out, misfit, why);
}

static relais_facts facts_of(const relais_settlement *s, const relais_version *version,
                             const relais_stored *stored, const char *record)
{
    return (relais_facts){.submission = version->sub_id,
                          .record = record,
                          .instance = version->instance,
                          .form = s->form_id,
                          .version = stored->version,
                          .received = stored->received,
                          .user = stored->user,
                          .device = stored->device};
}

/* ---- from an encrypted submission ----------------------------------------------------------- */

static bool refuse_waiting(const relais_settlement *s, const relais_encrypted *opened,
                           relais_refusal *refusal, relais_error *err)
{
    begin_refusal(s, RELAIS_REASON_WAITING,
                  relais_translate("files of this encrypted submission have not come yet; it is "
                                   "opened when all are there"),
                  refusal);
    refusal->is_held = true;
    refusal->missing =
        relais_array_literal(s->work->settle, opened->missing, opened->missing_count);
    return refusal->missing != NULL || relais_arena_error(s->work->settle, err);
}

/* Puts what was locked in the place of the envelope; or *is_open is false, with `refusal`. */
static bool unlock(const relais_settlement *s, const char *sub_id, bool is_whole,
                   relais_submission *submission, bool *is_open, relais_refusal *refusal,
                   relais_error *err)
{
    relais_work *work = s->work;
    const relais_encrypted_source source = {work->store, &work->params,
                                            relais_mappings_form_keys(work->mappings), sub_id};
    relais_encrypted opened;

    *is_open = false;
    if (!relais_encrypted_open(&source, submission, is_whole, work->scratch, &opened, err))
        return false;
    if (opened.objection.class_word != NULL) {
        begin_refusal(s, opened.objection.class_word, opened.objection.text, refusal);
        return true;
    }
    if (opened.missing_count > 0)
        return refuse_waiting(s, &opened, refusal, err);
    *submission = opened.inner;
    *is_open = true;
    return true;
}

bool relais_settlement_open(const relais_settlement *s, bool *is_open, const char **deprecated,
                            relais_refusal *refusal, relais_error *err)
{
    const relais_item *item = s->item;
    relais_arena *arena = s->work->settle;
    const relais_stored stored = {.xml = item->xml, .xml_length = item->xml_length};
    relais_submission submission;

    if (!parse(s, &stored, &submission, err) ||
        !unlock(s, item->sub_id, true, &submission, is_open, refusal, err))
        return false;
    if (!*is_open)
        return true;
    *deprecated = strcmp(submission.deprecated_id, submission.instance_id) == 0
                      ? ""
                      : relais_arena_text(arena, submission.deprecated_id);
    return *deprecated != NULL || relais_arena_error(arena, err);
}

/* What came in the clear was refused at the door: a replay, with whatever key, is no way around. */
static bool is_plaintext(const relais_settlement *s, const relais_version *version,
                         const relais_submission *submission)
{
    return !submission->is_encrypted && relais_mapping_is_encrypted(s->binding->mapping) &&
           version->ledger_state == RELAIS_STATE_QUARANTINED &&
           strcmp(version->reason_class, RELAIS_REASON_PLAINTEXT) == 0;
}

static void refuse_plaintext(const relais_settlement *s, relais_refusal *refusal)
{
    const relais_objection objection = relais_encrypted_plaintext();

    begin_refusal(s, objection.class_word, objection.text, refusal);
}

static bool evaluate_xml(const relais_settlement *s, const relais_version *version,
                         const relais_stored *stored, const char *record, relais_output **out,
                         relais_refusal *refusal, relais_error *err)
{
    const relais_facts facts = facts_of(s, version, stored, record);
    relais_output *output = relais_arena_alloc(s->work->settle, sizeof *output);
    relais_submission submission;
    relais_misfit misfit = {0};
    relais_error why = {0};
    bool is_open = true;

    if (output == NULL)
        return relais_arena_error(s->work->settle, err);
    if (parse(s, stored, &submission, &why)) {
        if (is_plaintext(s, version, &submission)) {
            refuse_plaintext(s, refusal);
            return true;
        }
        if (submission.is_encrypted &&
            !unlock(s, version->sub_id, false, &submission, &is_open, refusal, err))
            return false;
        if (!is_open)
            return true;
        if (run(s, &submission, &facts, output, &misfit, &why)) {
            *out = output;
            return true;
        }
    }
    if (!is_versions_fault(&why)) {
        *err = why;
        return false;
    }
    explain_misfit(s, &misfit, &why, refusal);
    return true;
}

/* ---- from sealed XML ----------------------------------------------------------------------- */

static bool fits_key(const relais_settlement *s, const relais_stored *stored)
{
    return s->key != NULL && strcmp(relais_seal_key_id_of(s->key), stored->seal) == 0;
}

/* Opens what is sealed into `plain`, which the caller wipes, and points at that. */
static bool open_seal(const relais_settlement *s, relais_stored *stored, relais_buffer *plain,
                      relais_error *err)
{
    relais_buffer_init(plain, stored->xml_length);
    if (!relais_unseal_bytes(s->key, stored->xml, stored->xml_length, plain, err))
        return false;
    stored->xml = plain->data;
    stored->xml_length = plain->length;
    return true;
}

static void wipe(relais_buffer *plain)
{
    if (plain->data != NULL)
        explicit_bzero(plain->data, plain->length);
    relais_buffer_free(plain);
}

static bool evaluate_sealed(const relais_settlement *s, const relais_version *version,
                            relais_stored *stored, const char *record, relais_output **out,
                            relais_refusal *refusal, relais_error *err)
{
    relais_buffer plain;
    bool ok = open_seal(s, stored, &plain, err) &&
              evaluate_xml(s, version, stored, record, out, refusal, err);

    relais_arena_reset(s->work->scratch); /* the document */
    wipe(&plain);
    return ok;
}

/* ---- from what was kept --------------------------------------------------------------------- */

static void refuse_sealed(const relais_settlement *s, relais_refusal *refusal)
{
    begin_refusal(s, RELAIS_REASON_SEALED,
                  relais_translate("its answers are sealed, and its rows cannot be made without "
                                   "them: run `relais replay --key FILE`"),
                  refusal);
    refusal->is_held = true;
}

/* Codes that the version waits for. Its reason stays the one of the day when it came. */
static bool has_codes(const relais_settlement *s, const relais_output *output, bool *has,
                      relais_error *err)
{
    const relais_target *target = relais_store_target(s->work->store);

    *has = true;
    for (size_t i = 0; i < output->awaited_count && *has; i++)
        if (!relais_mapping_has_code(s->binding->mapping, target, &output->awaited[i], has, err))
            return false;
    return true;
}

static bool evaluate_kept(const relais_settlement *s, const relais_version *version,
                          const char *record, relais_output **out, const uint8_t **made_by,
                          relais_refusal *refusal, relais_error *err)
{
    relais_work *work = s->work;
    relais_kept *kept = relais_arena_alloc(work->settle, sizeof *kept);
    uint8_t mapping[RELAIS_SHA256_SIZE];
    const relais_mapping *present = s->binding->mapping;
    const char *json;
    bool fits = false, has;

    if (kept == NULL)
        return relais_arena_error(work->settle, err);
    if (!relais_evaluated_read(work->store, &work->params, version->sub_id, work->settle, &json,
                               mapping, err) ||
        (json != NULL && !relais_kept_read(present, json, work->settle, kept, &fits, err)))
        return false;
    if (!fits || (!kept->is_portable && strcmp(kept->record, record) != 0)) {
        refuse_sealed(s, refusal);
        return true;
    }
    if (!has_codes(s, &kept->output, &has, err))
        return false;
    if (!has) {
        begin_refusal(s, relais_error_word(RELAIS_ERR_DATA), "", refusal);
        refusal->is_held = true;
        return true;
    }
    if (!relais_output_rename(present, &kept->output, kept->record, record, work->settle, err))
        return false;
    memcpy(kept->mapping, mapping, sizeof kept->mapping);
    *made_by = kept->mapping;
    *out = &kept->output;
    return true;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static relais_stored item_stored(const relais_item *item)
{
    return (relais_stored){.version = item->version,
                           .received = item->received,
                           .user = item->user,
                           .device = item->device,
                           .xml = item->xml,
                           .xml_length = item->xml_length};
}

bool relais_settlement_evaluate(const relais_settlement *s, const relais_version *version,
                                const char *record, relais_output **out, const uint8_t **made_by,
                                relais_refusal *refusal, relais_error *err)
{
    relais_work *work = s->work;
    relais_stored stored;

    *out = NULL;
    *made_by = relais_mapping_sha256(s->binding->mapping);
    if (relais_settlement_is_item(s, version)) {
        stored = item_stored(s->item);
        return evaluate_xml(s, version, &stored, record, out, refusal, err);
    }
    if (!relais_versions_open(work->store, &work->params, version->sub_id, work->settle, &stored,
                              err))
        return false;
    if (stored.xml == NULL) {
        begin_refusal(s, relais_error_word(RELAIS_ERR_DATA),
                      relais_translate("the version's answers were erased"), refusal);
        return true;
    }
    if (stored.seal == NULL)
        return evaluate_xml(s, version, &stored, record, out, refusal, err);
    if (fits_key(s, &stored))
        return evaluate_sealed(s, version, &stored, record, out, refusal, err);
    return evaluate_kept(s, version, record, out, made_by, refusal, err);
}

/* ---- keeping -------------------------------------------------------------------------------- */

/* A name that no submission has, of the shape of Collect's. */
static const char *stand_in(const relais_version *version, relais_arena *arena)
{
    char id[RELAIS_UUID_TEXT_SIZE];

    relais_uuid5((const char *const[]){"relais.record", version->sub_id}, 2, id);
    return relais_arena_format(arena, "uuid:%s", id);
}

/* Evaluates under the name that stands in for the record's. What a mapping makes of the name by
 * other means than uuid5 shows when the rows are given back the name that they had: then `kept`
 * stays as it is, for that name only. */
static bool make_portable(const relais_settlement *s, const relais_version *version,
                          const relais_stored *stored, relais_kept *kept, const char **json,
                          relais_error *err)
{
    relais_arena *arena = s->work->settle;
    const relais_mapping *mapping = s->binding->mapping;
    relais_kept other = {.record = stand_in(version, arena), .is_portable = true};
    relais_misfit misfit;
    relais_error why = {0};
    relais_facts facts;

    if (other.record == NULL)
        return relais_arena_error(arena, err);
    facts = facts_of(s, version, stored, other.record);
    facts.is_for_keeping = true;
    if (!run_xml(s, stored, &facts, &other.output, &misfit, &why)) {
        if (is_versions_fault(&why))
            return true;
        *err = why;
        return false;
    }
    *json = relais_kept_json(mapping, &other, arena);
    if (*json == NULL)
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    if (!relais_output_rename(mapping, &other.output, other.record, kept->record, arena, err))
        return false;
    if (!relais_output_equals(mapping, &other.output, &kept->output))
        *json = NULL;
    return true;
}

static bool write_kept(const relais_settlement *s, const relais_version *version,
                       const relais_stored *stored, relais_kept *kept, relais_error *err)
{
    relais_work *work = s->work;
    const relais_mapping *mapping = s->binding->mapping;
    const char *json = NULL;

    if (!make_portable(s, version, stored, kept, &json, err))
        return false;
    if (json == NULL)
        json = relais_kept_json(mapping, kept, work->settle);
    if (json == NULL)
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left");
    return relais_evaluated_write(work->store, &work->params, version->sub_id,
                                  relais_mapping_sha256(mapping), json, err);
}

/* The rows of an item that was refused because a list has not its code yet, under its own name;
 * *is_whole is false when something else is amiss too. */
static bool complete(const relais_settlement *s, const relais_version *version,
                     const relais_stored *stored, relais_kept *kept, bool *is_whole,
                     relais_error *err)
{
    relais_facts facts = facts_of(s, version, stored, kept->record);
    relais_misfit misfit;
    relais_error why = {0};

    facts.is_for_keeping = true;
    *is_whole = run_xml(s, stored, &facts, &kept->output, &misfit, &why);
    if (*is_whole || is_versions_fault(&why))
        return true;
    *err = why;
    return false;
}

static bool keep_item(const relais_settlement *s, const relais_version *version, relais_error *err)
{
    const relais_item *item = s->item;
    const relais_stored stored = item_stored(item);
    bool is_whole = item->is_mapped;
    relais_kept kept = {
        .record = item->deprecated_id[0] != '\0' ? item->deprecated_id : item->instance_id,
        .output = item->output,
    };

    if (!item->is_mapped && !complete(s, version, &stored, &kept, &is_whole, err))
        return false;
    return !is_whole || write_kept(s, version, &stored, &kept, err);
}

/* With the key in hand: the present mapping's rows take the place of an older one's. */
static bool keep_opened(const relais_settlement *s, const relais_version *version,
                        const relais_output *output, relais_error *err)
{
    relais_work *work = s->work;
    relais_kept kept = {.record = version->root, .output = *output};
    relais_stored stored;
    relais_buffer plain;
    bool ok;

    if (!relais_versions_open(work->store, &work->params, version->sub_id, work->settle, &stored,
                              err))
        return false;
    if (stored.xml == NULL || stored.seal == NULL || !fits_key(s, &stored))
        return true;
    ok = open_seal(s, &stored, &plain, err) && write_kept(s, version, &stored, &kept, err);
    relais_arena_reset(work->scratch);
    wipe(&plain);
    return ok;
}

/* A record's name is settled once its first version is there: no earlier one can come. */
static bool has_first(const relais_settlement *s, const char *root)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->versions[i].instance, root) == 0 && s->versions[i].deprecated[0] == '\0')
            return true;
    return false;
}

/* True for a version whose rows may have to be loaded, now or under another name. */
static bool is_needed(const relais_settlement *s, const relais_version *version)
{
    if (version->state == RELAIS_STATE_HELD || version->state == RELAIS_STATE_CONFLICT)
        return true;
    if (version->role == RELAIS_ROLE_CONFLICT && version->state == RELAIS_STATE_SUPERSEDED)
        return true; /* a choice can be taken back */
    return relais_state_is_current(version->state) &&
           (version->choice > 0 || !has_first(s, version->root));
}

bool relais_settlement_keep(const relais_settlement *s, relais_error *err)
{
    relais_work *work = s->work;
    const char **settled = relais_arena_alloc(work->settle, s->count * sizeof *settled);
    size_t count = 0;
    bool ok = true;

    if (settled == NULL)
        return relais_arena_error(work->settle, err);
    for (size_t i = 0; i < s->count && ok; i++) {
        const relais_version *version = &s->versions[i];
        if (!version->is_sealed)
            continue;
        if (!is_needed(s, version))
            settled[count++] = version->sub_id;
        else if (relais_settlement_is_item(s, version))
            ok = keep_item(s, version, err);
        else if (s->key != NULL && s->outputs[i] != NULL)
            ok = keep_opened(s, version, s->outputs[i], err);
    }
    return ok && relais_evaluated_remove(work->store, &work->params, settled, count, err);
}
