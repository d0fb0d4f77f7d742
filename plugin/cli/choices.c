/*
 * Values of choices, wherever they stand. See choices.h.
 */
#include "cli/choices.h"

#include "base/text.h"
#include "store/reference.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The longest national list, of places, has 20 KB. */
#define MEDIA_MAX (8 * 1024 * 1024)

#define CSV_SCHEME "jr://file-csv/"

static bool has_blank(const char *value)
{
    return value != NULL && value[strcspn(value, " \t\r\n")] != '\0';
}

static const char *content(const relais_choices *choices, xmlNodePtr node)
{
    xmlChar *text = xmlNodeGetContent(node);
    const char *bytes = text == NULL ? "" : (const char *)text;
    size_t length = strlen(bytes);
    const char *kept;

    relais_trim(&bytes, &length);
    kept = relais_arena_copy(choices->arena, bytes, length);
    xmlFree(text);
    return kept == NULL ? "" : kept;
}

static void check_value(const relais_choices *choices, xmlNodePtr value)
{
    const char *text = content(choices, value);

    if (has_blank(text))
        choices->blank(choices->context, value, NULL, 0, text);
}

/* <item><value>...</value></item> in the question itself. */
static void check_items(const relais_choices *choices, xmlNodePtr select)
{
    for (xmlNodePtr item = xmlFirstElementChild(select); item != NULL;
         item = xmlNextElementSibling(item)) {
        if (!xmlStrEqual(item->name, BAD_CAST "item"))
            continue;
        for (xmlNodePtr part = xmlFirstElementChild(item); part != NULL;
             part = xmlNextElementSibling(part))
            if (xmlStrEqual(part->name, BAD_CAST "value"))
                check_value(choices, part);
    }
}

/* ---- itemsets ----------------------------------------------------------------------------------
 */

/* "places" of "instance('places')/root/item[...]"; NULL when it is not of that shape. */
static const char *instance_name(const relais_choices *choices, const char *nodeset)
{
    const char *at = strstr(nodeset, "instance(");
    char quote;
    size_t length;

    if (at == NULL)
        return NULL;
    at += strlen("instance(");
    at += strspn(at, " \t\r\n");
    quote = *at;
    if (quote != '\'' && quote != '"')
        return NULL;
    at++;
    length = strcspn(at, quote == '"' ? "\"" : "'");
    return relais_arena_copy(choices->arena, at, length);
}

static xmlNodePtr find_instance(const relais_choices *choices, const char *name)
{
    xmlXPathObjectPtr all = xmlXPathEvalExpression(
        BAD_CAST "//*[local-name()='model']/*[local-name()='instance'][@id]", choices->xpath);
    xmlNodePtr found = NULL;

    for (int i = 0; all != NULL && all->nodesetval != NULL && i < all->nodesetval->nodeNr; i++) {
        xmlChar *id = xmlGetProp(all->nodesetval->nodeTab[i], BAD_CAST "id");
        if (xmlStrEqual(id, BAD_CAST name))
            found = all->nodesetval->nodeTab[i];
        xmlFree(id);
    }
    xmlXPathFreeObject(all);
    return found;
}

/* The elements called `reference` below an instance that is written in the form. */
static void check_inline(const relais_choices *choices, xmlNodePtr parent, const char *reference)
{
    for (xmlNodePtr node = xmlFirstElementChild(parent); node != NULL;
         node = xmlNextElementSibling(node)) {
        if (xmlFirstElementChild(node) == NULL && xmlStrEqual(node->name, BAD_CAST reference))
            check_value(choices, node);
        check_inline(choices, node, reference);
    }
}

/* "DIR/form-media/name.csv" of "DIR/form.xml" and "jr://file-csv/name.csv". */
static const char *media_path(const relais_choices *choices, const char *source)
{
    size_t stem = strlen(choices->form_file);

    if (stem > 4 && strcmp(choices->form_file + stem - 4, ".xml") == 0)
        stem -= 4;
    return relais_arena_format(choices->arena, "%.*s-media/%s", (int)stem, choices->form_file,
                               source + strlen(CSV_SCHEME));
}

static const char *read_media(const relais_choices *choices, const char *path, size_t *length)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    char *bytes = NULL;
    ssize_t got = -1;

    if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
        status.st_size <= MEDIA_MAX) {
        bytes = relais_arena_alloc(choices->arena, (size_t)status.st_size + 1);
        if (bytes != NULL)
            got = read(fd, bytes, (size_t)status.st_size);
        if (got != (ssize_t)status.st_size)
            bytes = NULL;
    }
    if (fd >= 0)
        close(fd);
    *length = got < 0 ? 0 : (size_t)got;
    return bytes;
}

static void check_rows(const relais_choices *choices, xmlNodePtr itemset, const char *path,
                       const relais_reference *list, const char *reference)
{
    for (size_t column = 0; column < list->column_count; column++) {
        if (strcmp(list->columns[column], reference) != 0)
            continue;
        for (size_t i = 0; i < list->row_count; i++)
            if (has_blank(list->rows[i].values[column]))
                choices->blank(choices->context, itemset, path, list->rows[i].line,
                               list->rows[i].values[column]);
    }
}

static void check_media(const relais_choices *choices, xmlNodePtr itemset, const char *source,
                        const char *reference)
{
    const char *path = media_path(choices, source);
    relais_error unreadable = {0};
    relais_reference list;
    size_t length;
    const char *bytes = path == NULL ? NULL : read_media(choices, path, &length);

    if (bytes == NULL ||
        !relais_reference_parse(path, "", bytes, length, choices->arena, &list, &unreadable))
        choices->missing(choices->context, itemset, path == NULL ? source : path);
    else
        check_rows(choices, itemset, path, &list, reference);
}

static const char *property(const relais_choices *choices, xmlNodePtr node, const char *name)
{
    xmlChar *value = node == NULL ? NULL : xmlGetProp(node, BAD_CAST name);
    const char *kept = value == NULL ? NULL : relais_arena_text(choices->arena, (char *)value);

    xmlFree(value);
    return kept;
}

static xmlNodePtr value_of(xmlNodePtr itemset)
{
    for (xmlNodePtr node = xmlFirstElementChild(itemset); node != NULL;
         node = xmlNextElementSibling(node))
        if (xmlStrEqual(node->name, BAD_CAST "value"))
            return node;
    return NULL;
}

static void check_itemset(const relais_choices *choices, xmlNodePtr itemset)
{
    const char *nodeset = property(choices, itemset, "nodeset");
    const char *reference = property(choices, value_of(itemset), "ref");
    const char *name = nodeset == NULL ? NULL : instance_name(choices, nodeset);
    xmlNodePtr instance = name == NULL ? NULL : find_instance(choices, name);
    const char *source = property(choices, instance, "src");

    if (instance == NULL || reference == NULL)
        return;
    if (source == NULL)
        check_inline(choices, instance, reference);
    else if (strncmp(source, CSV_SCHEME, strlen(CSV_SCHEME)) == 0)
        check_media(choices, itemset, source, reference);
}

void relais_choices_check(const relais_choices *choices, xmlNodePtr select)
{
    check_items(choices, select);
    for (xmlNodePtr node = xmlFirstElementChild(select); node != NULL;
         node = xmlNextElementSibling(node))
        if (xmlStrEqual(node->name, BAD_CAST "itemset"))
            check_itemset(choices, node);
}
