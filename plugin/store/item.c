/*
 * From a parcel to an item: read, identify, evaluate. See item.h.
 */
#include "store/item.h"

#include "base/log.h"
#include "base/text.h"
#include "store/encrypted.h"

#include <stdio.h>
#include <string.h>

/* A name of 1 KB is already four times what a file system takes; an index entry of PostgreSQL
 * takes 2.7 KB. */
enum { NAME_MAX_BYTES = 1024, FACT_MAX_BYTES = 1024 };

/* Beside the content: the head of the envelope with the sealed key. */
enum { SEAL_HEAD_MAX = 16 * 1024 };

/* PostgreSQL's largest value is 1 GB less some bytes for its head. */
#define FILE_SIZE_MAX ((uint64_t)1000 * 1000 * 1000)

static void append_safe(relais_buffer *out, const char *bytes, size_t length)
{
    bool is_utf8 = relais_utf8_valid(bytes, length);

    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c < 0x20 || c == 0x7f || (c >= 0x80 && !is_utf8))
            relais_buffer_append_format(out, "\\x%02X", c);
        else
            relais_buffer_append_char(out, (char)c);
    }
}

/* Cuts between characters and closes the text by the hash of the whole. */
static void cut_text(relais_buffer *text, size_t maximum)
{
    uint8_t sha256[RELAIS_SHA256_SIZE];
    char hex[2 * RELAIS_SHA256_SIZE + 1];
    relais_digest_state state;
    size_t length = maximum - sizeof hex;

    relais_sha256_begin(&state);
    relais_sha256_add(&state, text->data, text->length);
    relais_sha256_end(&state, sha256);
    relais_hex(sha256, sizeof sha256, hex);
    while (length > 0 && ((unsigned char)text->data[length] & 0xC0) == 0x80)
        length--;
    text->length = length;
    relais_buffer_append_char(text, '~');
    relais_buffer_append_text(text, hex);
}

char *relais_safe_text(relais_arena *arena, const char *bytes, size_t length, size_t maximum)
{
    relais_buffer text;
    char *copy = NULL;

    relais_buffer_init(&text, 4 * length + 2 * RELAIS_SHA256_SIZE + 2);
    append_safe(&text, bytes, length);
    if (text.length > maximum)
        cut_text(&text, maximum);
    if (text.failed == RELAIS_ERR_NONE)
        copy = relais_arena_copy(arena, text.data == NULL ? "" : text.data, text.length);
    relais_buffer_free(&text);
    return copy;
}

char *relais_item_file_name(relais_arena *arena, const char *name, size_t length)
{
    return relais_safe_text(arena, name, length, NAME_MAX_BYTES);
}

/* What has gone wrong with the parcel itself is a reason; the rest is somebody else's. */
static bool is_parcels_fault(const relais_error *err)
{
    switch (err->code) {
    case RELAIS_ERR_DAMAGED:
    case RELAIS_ERR_SYNTAX:
    case RELAIS_ERR_DATA:
    case RELAIS_ERR_LIMIT:
        return true;
    default:
        return false;
    }
}

static void refuse(relais_item *item, const char *class_word, const char *text)
{
    item->verdict = RELAIS_VERDICT_REFUSED;
    item->reason.class_word = class_word;
    item->reason.text = text;
}

static relais_read refuse_by_error(relais_item *item, relais_arena *arena, const relais_error *why,
                                   relais_error *err)
{
    refuse(item, relais_error_word(why->code), relais_arena_text(arena, why->text));
    item->reason.path = relais_arena_text(arena, why->path);
    item->reason.line = why->line;
    if (item->reason.text != NULL && item->reason.path != NULL)
        return RELAIS_READ_ITEM;
    relais_arena_error(arena, err);
    return RELAIS_READ_FAILED;
}

/* One text of the head, fit for the ledger. */
static bool copy_fact(relais_arena *arena, const char *text, const char **out)
{
    *out = relais_safe_text(arena, text, strlen(text), FACT_MAX_BYTES);
    return *out != NULL;
}

static bool copy_head(relais_item *item, const relais_parcel_head *head, relais_arena *arena)
{
    item->reason.form = relais_safe_text(arena, head->form, strlen(head->form), FACT_MAX_BYTES);
    return item->reason.form != NULL && copy_fact(arena, head->received, &item->received) &&
           copy_fact(arena, head->source, &item->source) &&
           copy_fact(arena, head->user, &item->user) &&
           copy_fact(arena, head->device, &item->device);
}

static const char *copy_instance(const relais_submission *submission, relais_arena *arena)
{
    char hex[2 * RELAIS_SHA256_SIZE + 1];

    if (submission->instance_id[0] != '\0')
        return relais_arena_text(arena, submission->instance_id);
    relais_hex(submission->xml_sha256, RELAIS_SHA256_SIZE, hex);
    return relais_arena_format(arena, "sha256:%s", hex);
}

static bool copy_submission(relais_item *item, const relais_submission *from, relais_arena *arena)
{
    bool is_own_parent = strcmp(from->deprecated_id, from->instance_id) == 0;
    char hex[2 * RELAIS_SHA256_SIZE + 1];

    item->form_id = relais_arena_text(arena, from->form_id);
    item->version = relais_arena_text(arena, from->version);
    item->deprecated_id = relais_arena_text(arena, is_own_parent ? "" : from->deprecated_id);
    item->instance_id = copy_instance(from, arena);
    item->repairs = relais_arena_text(arena, from->repairs);
    item->xml = relais_arena_copy(arena, from->xml, from->xml_length);
    item->xml_length = from->xml_length;
    memcpy(item->xml_sha256, from->xml_sha256, sizeof item->xml_sha256);
    if (item->form_id == NULL || item->version == NULL || item->deprecated_id == NULL ||
        item->instance_id == NULL || item->repairs == NULL || item->xml == NULL)
        return false;
    item->reason.form = item->form_id;
    relais_hex(from->xml_sha256, RELAIS_SHA256_SIZE, hex);
    relais_uuid5((const char *const[]){"submission", item->form_id, item->instance_id, hex}, 4,
                 item->sub_id);
    item->is_parsed = true;
    return true;
}

/* The same name and bytes twice in one parcel is one file. */
static bool is_repeated(const relais_item *item, const relais_file *file)
{
    for (const relais_file *other = item->files; other < file; other++)
        if (strcmp(other->name, file->name) == 0 &&
            memcmp(other->sha256, file->sha256, sizeof file->sha256) == 0)
            return true;
    return false;
}

static bool copy_file(relais_file *file, const relais_attachment *from, relais_arena *arena)
{
    file->raw = relais_arena_copy(arena, from->name, from->name_length);
    file->raw_length = from->name_length;
    file->name = relais_item_file_name(arena, from->name, from->name_length);
    file->media_type =
        relais_safe_text(arena, from->media_type, strlen(from->media_type), NAME_MAX_BYTES);
    file->offset = from->offset;
    file->size = from->size;
    memcpy(file->sha256, from->sha256, sizeof file->sha256);
    return file->raw != NULL && file->name != NULL && file->media_type != NULL;
}

static bool copy_files(relais_item *item, const relais_submission *from, relais_arena *arena)
{
    item->files = relais_arena_alloc(arena, from->attachment_count * sizeof *item->files);
    if (item->files == NULL)
        return false;
    item->file_count = from->attachment_count;
    for (size_t i = 0; i < from->attachment_count; i++) {
        relais_file *file = &item->files[i];
        if (!copy_file(file, &from->attachments[i], arena))
            return false;
        file->stored = is_repeated(item, file);
        if (file->size > FILE_SIZE_MAX) {
            item->is_parsed = false;
            refuse(item, relais_error_word(RELAIS_ERR_LIMIT),
                   "a file of the submission is larger than 1 GB, more than the database takes");
        }
    }
    return true;
}

/* Marks the files that answers name and lists the names that no file has. */
static bool match_files(relais_item *item, relais_arena *arena)
{
    const relais_output *output = &item->output;

    item->missing = relais_arena_alloc(arena, output->file_count * sizeof *item->missing);
    if (item->missing == NULL)
        return false;
    for (size_t i = 0; i < output->file_count; i++) {
        const char *name = output->files[i];
        bool has_come = false;
        for (size_t f = 0; f < item->file_count; f++) {
            relais_file *file = &item->files[f];
            if (!relais_filename_equal(name, strlen(name), file->raw, file->raw_length))
                continue;
            file->expected = has_come = true;
        }
        if (!has_come)
            item->missing[item->missing_count++] = name;
    }
    return true;
}

static void refuse_misfit(relais_item *item, const relais_misfit *misfit, relais_arena *arena)
{
    const char *text = relais_arena_format(arena, "%s : %s", misfit->value_class, misfit->rule);

    refuse(item, relais_error_word(RELAIS_ERR_DATA), text == NULL ? misfit->rule : text);
    item->reason.path = misfit->path;
    item->reason.column = misfit->column;
    item->reason.rule = misfit->rule;
    item->is_held = misfit->is_held;
}

static relais_read evaluate(const relais_reader *reader, relais_item *item,
                            const relais_submission *submission, relais_arena *arena,
                            relais_error *err)
{
    relais_facts facts = {
        .submission = item->sub_id,
        .record = item->deprecated_id[0] != '\0' ? item->deprecated_id : item->instance_id,
        .instance = item->instance_id,
        .form = item->form_id,
        .version = item->version,
        .received = item->received,
        .user = item->user,
        .device = item->device,
    };
    relais_misfit misfit = {0};
    relais_error why = {0};

    if (relais_mapping_run(item->binding->mapping, submission, &facts, reader->target, arena,
                           &item->output, &misfit, &why)) {
        item->is_mapped = true;
        if (match_files(item, arena))
            return RELAIS_READ_ITEM;
        relais_arena_error(arena, err);
        return RELAIS_READ_FAILED;
    }
    if (why.code == RELAIS_ERR_DATA) {
        refuse_misfit(item, &misfit, arena);
        return RELAIS_READ_ITEM;
    }
    *err = why;
    return RELAIS_READ_FAILED;
}

/* Without a seal not even the ledger may keep it. */
static void refuse_plaintext(relais_item *item)
{
    const relais_objection objection = relais_encrypted_plaintext();

    refuse(item, objection.class_word, objection.text);
    item->is_incident = true;
    item->is_parsed = item->seal != NULL;
}

/* Finds the mapping, or the reason why there is none. */
static relais_read choose_mapping(const relais_reader *reader, relais_item *item)
{
    bool unsure;

    item->binding = relais_mappings_find(reader->mappings, item->form_id, &unsure);
    if (item->binding == NULL && unsure)
        return RELAIS_READ_LATER;
    if (item->binding == NULL)
        refuse(item, "unknown-form",
               "no mapping knows this form; add one to the directory of mappings and replay");
    else if (relais_binding_is_stopped(item->binding))
        return RELAIS_READ_LATER;
    else if (item->verdict == RELAIS_VERDICT_REFUSED)
        return RELAIS_READ_ITEM; /* an envelope that cannot be opened */
    else if (relais_mapping_is_encrypted(item->binding->mapping) && !item->is_envelope)
        refuse_plaintext(item);
    else if (!relais_mapping_knows_version(item->binding->mapping, item->version))
        refuse(item, "unknown-version",
               "the mapping does not list this version of the form; add it and replay");
    return RELAIS_READ_ITEM;
}

static relais_read fail_arena(relais_arena *arena, relais_error *err)
{
    relais_arena_error(arena, err);
    return RELAIS_READ_FAILED;
}

/* By the form that is named, which may be no mapping's. */
static const relais_seal *choose_seal(const relais_reader *reader, const char *form_id)
{
    bool unsure;
    const relais_binding *binding = relais_mappings_find(reader->mappings, form_id, &unsure);

    if (binding != NULL && !relais_mapping_is_sensitive(binding->mapping) &&
        !relais_mapping_is_encrypted(binding->mapping))
        return NULL;
    return relais_mappings_seal(reader->mappings);
}

/* The ledger's copy of the XML. */
static bool keep_xml(relais_item *item, relais_arena *arena, relais_error *err)
{
    relais_buffer sealed;
    bool ok;

    item->kept = item->xml;
    item->kept_length = item->xml_length;
    if (item->seal == NULL)
        return true;
    relais_buffer_init(&sealed, item->xml_length + SEAL_HEAD_MAX);
    ok = relais_seal_bytes(item->seal, item->xml, item->xml_length, &sealed, err);
    if (ok) {
        item->kept = relais_arena_copy(arena, sealed.data, sealed.length);
        item->kept_length = sealed.length;
        ok = item->kept != NULL || relais_arena_error(arena, err);
    }
    relais_buffer_free(&sealed);
    return ok;
}

/* ---- encrypted ones ------------------------------------------------------------------------ */

static void mark_locked(relais_item *item, const relais_envelope *envelope)
{
    for (size_t i = 0; i < envelope->file_count; i++)
        for (size_t f = 0; f < item->file_count; f++) {
            relais_file *file = &item->files[f];
            if (relais_filename_equal(envelope->files[i], strlen(envelope->files[i]), file->raw,
                                      file->raw_length))
                file->expected = file->is_locked = true;
        }
}

/* Its files may be in other parcels: what is inside is for settle.c. */
static bool read_envelope(const relais_reader *reader, relais_item *item,
                          const relais_submission *submission, relais_error *err)
{
    relais_objection objection;
    relais_envelope envelope;

    if (!submission->is_encrypted)
        return true;
    if (!relais_encrypted_check(submission, relais_mappings_form_keys(reader->mappings),
                                reader->scratch, &envelope, &objection, err))
        return false;
    item->is_envelope = envelope.file_count > 0;
    mark_locked(item, &envelope);
    if (objection.class_word != NULL)
        refuse(item, objection.class_word, objection.text);
    else
        item->verdict = RELAIS_VERDICT_SETTLE;
    return true;
}

bool relais_item_is_readable(const relais_item *item)
{
    if (!item->is_envelope)
        return true;
    for (size_t i = 0; i < item->file_count; i++)
        if (!item->files[i].is_locked)
            return true;
    return false;
}

/* ---- the whole ----------------------------------------------------------------------------- */

static relais_read read_submission(const relais_reader *reader, const relais_parcel *parcel,
                                   relais_arena *arena, relais_item *item, relais_error *err)
{
    relais_submission submission;
    relais_error why = {0};
    int64_t offset = -1;
    relais_read read;

    if (!copy_head(item, &parcel->head, arena))
        return fail_arena(arena, err);
    if (!relais_submission_read(parcel, reader->scratch, &submission, &offset, &why)) {
        item->reason.offset = offset;
        if (is_parcels_fault(&why))
            return refuse_by_error(item, arena, &why, err);
        *err = why;
        return RELAIS_READ_FAILED;
    }
    if (!copy_submission(item, &submission, arena) || !copy_files(item, &submission, arena))
        return fail_arena(arena, err);
    if (item->verdict != RELAIS_VERDICT_REFUSED && !read_envelope(reader, item, &submission, err))
        return RELAIS_READ_FAILED;
    item->file_seal = choose_seal(reader, item->form_id);
    item->seal = item->is_envelope ? NULL : item->file_seal;
    if (!keep_xml(item, arena, err))
        return RELAIS_READ_FAILED;
    if (item->verdict == RELAIS_VERDICT_REFUSED && !submission.is_encrypted)
        return RELAIS_READ_ITEM;
    read = choose_mapping(reader, item);
    if (read != RELAIS_READ_ITEM || item->verdict == RELAIS_VERDICT_REFUSED || item->is_envelope)
        return read;
    if (item->deprecated_id[0] != '\0')
        item->verdict = RELAIS_VERDICT_SETTLE;
    return evaluate(reader, item, &submission, arena, err);
}

/* True when the head alone says that the parcel's form is stopped: cheaper than reading it. */
static bool is_stopped_form(const relais_reader *reader, const char *form_id)
{
    bool unsure;
    const relais_binding *binding = relais_mappings_find(reader->mappings, form_id, &unsure);

    return binding == NULL ? unsure : relais_binding_is_stopped(binding);
}

/* Somebody moved a parcel from quarantine back by hand. */
static relais_read refuse_sealed(relais_item *item, const relais_parcel_head *head,
                                 relais_arena *arena, relais_error *err)
{
    if (!copy_head(item, head, arena))
        return fail_arena(arena, err);
    refuse(item, "sealed",
           "this parcel is sealed, and the forwarder has no key: give it back by relais "
           "quarantine replay NAME --key FILE");
    return RELAIS_READ_ITEM;
}

const relais_seal *relais_item_file_seal(const relais_item *item, const relais_file *file)
{
    return file->is_locked ? NULL : item->file_seal;
}

const char *relais_item_seal_id(const relais_item *item)
{
    return item->seal == NULL ? NULL : relais_seal_key_id(item->seal);
}

const char *relais_item_id(const relais_item *item)
{
    return item->sub_id[0] == '\0' ? NULL : item->sub_id;
}

void relais_item_log_later(const relais_item *item, const relais_error *why)
{
    char text[1024];

    relais_log(RELAIS_LOG_ERROR, "parcel.later", "parcel", item->entry.name, "form", item->form_id,
               "submission", relais_item_id(item), "text",
               relais_error_format(why, text, sizeof text), NULL);
}

relais_read relais_item_read(const relais_reader *reader, const relais_spool_entry *entry,
                             relais_arena *arena, relais_item *out, relais_error *err)
{
    relais_error why = {0};
    relais_parcel parcel;

    memset(out, 0, sizeof *out);
    out->entry = *entry;
    out->seal = relais_mappings_seal(reader->mappings); /* until its form is known */
    relais_reason_init(&out->reason);
    relais_arena_reset(reader->scratch);
    if (!relais_spool_parcel(reader->spool, entry, reader->scratch, &parcel, &why)) {
        if (why.code == RELAIS_ERR_MISSING)
            return RELAIS_READ_GONE;
        if (is_parcels_fault(&why))
            return refuse_by_error(out, arena, &why, err);
        *err = why;
        return RELAIS_READ_FAILED;
    }
    if (parcel.head.sealed[0] != '\0')
        return refuse_sealed(out, &parcel.head, arena, err);
    if (is_stopped_form(reader, parcel.head.form))
        return RELAIS_READ_LATER;
    out->seal = choose_seal(reader, parcel.head.form);
    return read_submission(reader, &parcel, arena, out, err);
}
