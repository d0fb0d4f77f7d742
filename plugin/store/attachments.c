/*
 * COPY relais.attachment in the binary format. See attachments.h; the format is that of
 * PostgreSQL's COPY page: signature, flags, then for each row the number of fields and each
 * field as length and bytes, all big-endian, and -1 at the end.
 */
#include "store/attachments.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <endian.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Large enough that reading and sending cost nothing beside the server's work. */
enum { PIECE_SIZE = 256 * 1024, ROW_HEAD_MAX = 16 * 1024, UUID_SIZE = 16 };

static const char copy_sql[] =
    "COPY relais.attachment (sub_id, name, sha256, size, media_type, expected, received_at, seal,"
    "                        bytes)"
    " FROM STDIN (FORMAT binary)";

enum { COPY_FIELDS = 9 };

static const char signature[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0"; /* and no flags, no extension */
enum { SIGNATURE_SIZE = 11 + 4 + 4 };

static bool send_bytes(relais_store *store, const void *bytes, size_t length, relais_error *err)
{
    if (PQputCopyData(store->conn, bytes, (int)length) == 1)
        return true;
    return relais_fault_set(store->conn, NULL, &store->fault, err);
}

static void append_field(relais_buffer *row, const void *bytes, size_t length)
{
    uint32_t size = htonl((uint32_t)length);

    relais_buffer_append(row, &size, sizeof size);
    relais_buffer_append(row, bytes, length);
}

static void append_uuid(relais_buffer *row, const char *text)
{
    char hex[2 * UUID_SIZE + 1] = "";
    uint8_t bytes[UUID_SIZE] = {0};
    size_t used = 0;

    for (; *text != '\0' && used < 2 * UUID_SIZE; text++)
        if (*text != '-')
            hex[used++] = *text;
    if (relais_unhex(hex, bytes, sizeof bytes))
        append_field(row, bytes, sizeof bytes);
    else
        row->failed = RELAIS_ERR_LIMIT; /* cannot be: sub_id is made by relais_uuid5 */
}

/* Microseconds since 2000-01-01, PostgreSQL's epoch; the ledger row beside it has had its own
 * look at the same text. */
static void append_time(relais_buffer *row, const char *iso)
{
    enum { EPOCH_2000 = 946684800 };
    struct tm tm = {0};
    const char *rest = strptime(iso, "%Y-%m-%dT%H:%M:%S", &tm);
    unsigned thousandths = 0;
    int64_t microseconds;

    if (rest != NULL && rest[0] == '.')
        for (int i = 1, unit = 100; i <= 3 && rest[i] >= '0' && rest[i] <= '9'; i++, unit /= 10)
            thousandths += (unsigned)((rest[i] - '0') * unit);
    microseconds = ((int64_t)(rest == NULL ? time(NULL) : timegm(&tm)) - EPOCH_2000) * 1000000 +
                   (int64_t)thousandths * 1000;
    microseconds = (int64_t)htobe64((uint64_t)microseconds);
    append_field(row, &microseconds, sizeof microseconds);
}

static void append_text(relais_buffer *row, const char *text)
{
    static const uint32_t null = 0xFFFFFFFF;

    if (text != NULL)
        append_field(row, text, strlen(text));
    else
        relais_buffer_append(row, &null, sizeof null);
}

/* Everything of a row but the `length` bytes kept of the file, which are announced at the end. */
static bool send_row_head(relais_store *store, const relais_item *item, const relais_file *file,
                          uint64_t length, relais_error *err)
{
    const relais_seal *seal = relais_item_file_seal(item, file);
    uint16_t fields = htons(COPY_FIELDS);
    uint64_t size = htobe64(file->size);
    uint32_t announced = htonl((uint32_t)length);
    relais_buffer row;
    bool ok;

    relais_buffer_init(&row, ROW_HEAD_MAX);
    relais_buffer_append(&row, &fields, sizeof fields);
    append_uuid(&row, item->sub_id);
    append_text(&row, file->name);
    append_field(&row, file->sha256, sizeof file->sha256);
    append_field(&row, &size, sizeof size);
    append_text(&row, file->media_type);
    append_field(&row, file->expected ? "\1" : "\0", 1);
    append_time(&row, item->received);
    append_text(&row, seal == NULL ? NULL : relais_seal_key_id(seal));
    relais_buffer_append(&row, &announced, sizeof announced);
    ok = relais_buffer_check(&row, "an attachment's description", err) &&
         send_bytes(store, row.data, row.length, err);
    relais_buffer_free(&row);
    return ok;
}

/* What sending the files of one item works with. */
struct sender {
    relais_store *store;
    const relais_item *item;
    const relais_parcel *parcel;
    char *piece; /* PIECE_SIZE bytes */
};

static bool send_plain(const struct sender *s, const relais_file *file, relais_error *err)
{
    uint64_t done = 0;

    if (!send_row_head(s->store, s->item, file, file->size, err))
        return false;
    while (done < file->size) {
        size_t length = file->size - done < PIECE_SIZE ? (size_t)(file->size - done) : PIECE_SIZE;
        if (!relais_parcel_read(s->parcel, file->offset + done, s->piece, length, err) ||
            !send_bytes(s->store, s->piece, length, err))
            return false;
        done += length;
    }
    return true;
}

/* ---- sealed ------------------------------------------------------------------------------- */

/* The length must be sent before the bytes and is known at their end only: a file is sealed twice,
 * once to be measured. Each time has a key of its own and the same length. Keeping the sealed
 * bytes instead would need room on a disk, and a full one is emptied by nobody but this process. */
struct sealing {
    const struct sender *sender;
    const relais_file *file;
    uint64_t done;   /* of the file */
    uint64_t length; /* of what is sealed */
};

static bool read_piece(void *data, char *bytes, size_t size, size_t *length, relais_error *err)
{
    struct sealing *s = data;
    uint64_t left = s->file->size - s->done;

    *length = left < size ? (size_t)left : size;
    if (*length > 0 &&
        !relais_parcel_read(s->sender->parcel, s->file->offset + s->done, bytes, *length, err))
        return false;
    s->done += *length;
    return true;
}

static bool measure_piece(void *data, const char *bytes, size_t length, relais_error *err)
{
    struct sealing *s = data;

    (void)bytes;
    (void)err;
    s->length += length;
    return true;
}

static bool send_piece(void *data, const char *bytes, size_t length, relais_error *err)
{
    struct sealing *s = data;

    s->length += length;
    return send_bytes(s->sender->store, bytes, length, err);
}

static bool seal_file(struct sealing *s, relais_seal_writer *write, relais_error *err)
{
    s->done = s->length = 0;
    return relais_seal_stream(relais_item_file_seal(s->sender->item, s->file), read_piece, s, write,
                              s, err);
}

static bool send_sealed(const struct sender *s, const relais_file *file, relais_error *err)
{
    struct sealing sealing = {.sender = s, .file = file};
    uint64_t measured;

    if (!seal_file(&sealing, measure_piece, err))
        return false;
    measured = sealing.length;
    if (!send_row_head(s->store, s->item, file, measured, err) ||
        !seal_file(&sealing, send_piece, err))
        return false;
    return sealing.length == measured ||
           relais_error_set(err, RELAIS_ERR_SYSTEM, "an attachment was sealed to another length");
}

/* ---- items -------------------------------------------------------------------------------- */

static bool has_new_files(const relais_item *item)
{
    for (size_t i = 0; i < item->file_count; i++)
        if (!item->files[i].stored)
            return true;
    return false;
}

static bool send_item(relais_store *store, relais_spool *spool, const relais_item *item,
                      relais_arena *scratch, relais_error *err)
{
    relais_parcel parcel;
    struct sender s = {.store = store, .item = item, .parcel = &parcel};

    if (!has_new_files(item))
        return true;
    relais_arena_reset(scratch);
    s.piece = relais_arena_alloc(scratch, PIECE_SIZE);
    if (s.piece == NULL)
        return relais_arena_error(scratch, err);
    if (!relais_spool_parcel(spool, &item->entry, scratch, &parcel, err))
        return false;
    for (size_t i = 0; i < item->file_count; i++) {
        const relais_file *file = &item->files[i];
        if (!file->stored &&
            !(relais_item_file_seal(item, file) == NULL ? send_plain(&s, file, err)
                                                        : send_sealed(&s, file, err)))
            return false;
    }
    return true;
}

static bool begin_copy(relais_store *store, relais_error *err)
{
    PGresult *result = PQexec(store->conn, copy_sql);
    bool ok = PQresultStatus(result) == PGRES_COPY_IN;

    if (!ok)
        relais_fault_set(store->conn, result, &store->fault, err);
    PQclear(result);
    return ok && send_bytes(store, signature, SIGNATURE_SIZE, err);
}

/* Ends the COPY, by force when something failed on this side, and reads its outcome. */
static bool end_copy(relais_store *store, bool ok, relais_error *err)
{
    static const uint16_t trailer = 0xFFFF;
    PGresult *result;

    ok = ok && send_bytes(store, &trailer, sizeof trailer, err);
    if (PQputCopyEnd(store->conn, ok ? NULL : "reading the parcel failed") != 1)
        return relais_fault_set(store->conn, NULL, &store->fault, err);
    while ((result = PQgetResult(store->conn)) != NULL) {
        if (PQresultStatus(result) != PGRES_COMMAND_OK)
            ok = relais_fault_set(store->conn, result, &store->fault, err);
        PQclear(result);
        if (!relais_pg_is_alive(store))
            break;
    }
    return ok;
}

bool relais_attachments_copy(relais_store *store, relais_spool *spool, relais_item *const *items,
                             size_t count, relais_arena *scratch, relais_error *err)
{
    bool ok, is_needed = false;

    for (size_t i = 0; i < count; i++)
        is_needed = is_needed || has_new_files(items[i]);
    if (!is_needed)
        return true;
    ok = begin_copy(store, err);
    if (!ok && PQtransactionStatus(store->conn) != PQTRANS_ACTIVE)
        return false;
    for (size_t i = 0; i < count && ok; i++)
        ok = send_item(store, spool, items[i], scratch, err);
    return end_copy(store, ok, err);
}
