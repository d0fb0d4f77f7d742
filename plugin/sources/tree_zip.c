/*
 * A zip as a tree, by libzip. Nothing is unpacked to disk; what an entry claims of its size is
 * not believed while it is read.
 */
#include "sources/tree_source.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <zip.h>

/* ---- opening ----------------------------------------------------------------------------- */

static bool refuse_archive(const char *path, int code, relais_error *err)
{
    zip_error_t error;

    zip_error_init_with_code(&error, code);
    switch (code) {
    case ZIP_ER_NOZIP:
        relais_error_set(err, RELAIS_ERR_DAMAGED,
                         "this is no zip, or its end is missing; copy it again");
        break;
    case ZIP_ER_INCONS:
        relais_error_set(err, RELAIS_ERR_DAMAGED, "this zip is damaged; copy it again");
        break;
    case ZIP_ER_MEMORY:
        relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left for the list of files");
        break;
    default:
        relais_error_set(err, RELAIS_ERR_SYSTEM, "the zip cannot be opened: %s",
                         zip_error_strerror(&error));
    }
    zip_error_fini(&error);
    relais_error_at(err, path, 0);
    return false;
}

static bool is_link(zip_t *zip, zip_uint64_t index)
{
    zip_uint8_t system;
    zip_uint32_t attributes;

    return zip_file_get_external_attributes(zip, index, 0, &system, &attributes) == 0 &&
           system == ZIP_OPSYS_UNIX && S_ISLNK(attributes >> 16);
}

static const char *find_fault(zip_t *zip, const zip_stat_t *is)
{
    if (is_link(zip, is->index))
        return relais_translate("it is a symbolic link, which is not followed");
    if (is->encryption_method != ZIP_EM_NONE)
        return relais_translate("it is encrypted; unpack the archive with its password first");
    if (!zip_compression_method_supported((zip_int32_t)is->comp_method, 0))
        return relais_translate("it is packed in a way that is not known");
    if (is->size > RELAIS_TREE_RATIO_FROM && is->size / RELAIS_TREE_RATIO_MAX > is->comp_size)
        return relais_translate("it unpacks to far more than it holds, as a zip bomb does");
    return NULL;
}

static bool add_entry(relais_tree *tree, zip_t *zip, zip_uint64_t index, uint64_t *packed,
                      relais_error *err)
{
    const zip_uint64_t wanted = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE |
                                ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    zip_stat_t is;
    size_t length;

    if (zip_stat_index(zip, index, 0, &is) != 0 || (is.valid & wanted) != wanted)
        return relais_tree_add(tree, "?", 0, index,
                               relais_translate("the archive does not say what it is"), err);
    *packed += is.comp_size;
    length = strlen(is.name);
    if (length > 0 && is.name[length - 1] == '/') /* a folder */
        return true;
    is.index = index;
    return relais_tree_add(tree, is.name, is.size, index, find_fault(zip, &is), err);
}

/* Entries that share their packed bytes are how a small archive holds petabytes. */
static bool check_overlap(const char *path, uint64_t packed, relais_error *err)
{
    struct stat is;

    if (stat(path, &is) != 0 || packed <= (uint64_t)is.st_size)
        return true;
    relais_error_set(err, RELAIS_ERR_LIMIT,
                     "the entries of this zip share their bytes, as in a zip bomb; it is refused");
    relais_error_at(err, path, 0);
    return false;
}

static bool list_entries(relais_tree *tree, zip_t *zip, const char *path, relais_error *err)
{
    zip_int64_t count = zip_get_num_entries(zip, 0);
    uint64_t packed = 0;

    for (zip_int64_t i = 0; i < count; i++)
        if (!add_entry(tree, zip, (zip_uint64_t)i, &packed, err))
            return false;
    return check_overlap(path, packed, err);
}

/* ---- reading ----------------------------------------------------------------------------- */

static bool refuse_entry(zip_file_t *file, zip_t *zip, relais_error *err)
{
    return relais_error_set(err, RELAIS_ERR_DAMAGED, "the entry cannot be read whole: %s",
                            file != NULL ? zip_file_strerror(file) : zip_strerror(zip));
}

static bool read_entry(relais_tree *tree, const relais_tree_entry *entry, relais_tree_take *take,
                       void *context, relais_error *err)
{
    zip_t *zip = tree->source;
    zip_file_t *file = zip_fopen_index(zip, entry->index, 0);
    uint64_t left = entry->size;
    bool ok = file != NULL || refuse_entry(NULL, zip, err);

    while (ok) {
        char piece[RELAIS_TREE_PIECE];
        zip_int64_t length = zip_fread(file, piece, sizeof piece);
        if (length == 0)
            break;
        if (length < 0)
            ok = refuse_entry(file, zip, err);
        else if ((uint64_t)length > left)
            ok = relais_error_set(err, RELAIS_ERR_DAMAGED,
                                  "the entry is longer than the %" PRIu64 " bytes it claims",
                                  entry->size);
        else
            ok = take(context, piece, (size_t)length, err);
        left -= ok ? (uint64_t)length : 0;
    }
    if (ok && left > 0)
        ok = relais_error_set(err, RELAIS_ERR_DAMAGED,
                              "the entry is shorter than the %" PRIu64 " bytes it claims",
                              entry->size);
    if (file != NULL)
        zip_fclose(file);
    return ok;
}

static void close_archive(relais_tree *tree)
{
    if (tree->source != NULL)
        zip_discard(tree->source);
}

bool relais_tree_open_zip(relais_tree *tree, const char *path, relais_error *err)
{
    int code = 0;
    zip_t *zip = zip_open(path, ZIP_RDONLY, &code);

    if (zip == NULL)
        return refuse_archive(path, code, err);
    tree->source = zip;
    tree->read = read_entry;
    tree->close = close_archive;
    return list_entries(tree, zip, path, err);
}
