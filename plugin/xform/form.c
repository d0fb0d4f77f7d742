/*
 * Reading a form definition: file, model, primary instance, then what binds.c adds.
 * See form.h. Everything is found by local name, since prefixes are the author's choice.
 */
#include "xform/form.h"

#include "openrosa/forms.h"
#include "xform/binds.h"
#include "xform/xml.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the file --------------------------------------------------------------------------- */

static bool read_descriptor(int fd, const char *file, relais_buffer *out, relais_error *err)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return relais_error_system(err, errno, file, "the form cannot be read");
    if (!S_ISREG(st.st_mode))
        return relais_error_set(err, RELAIS_ERR_CONFIG, "the form is not a regular file");
    for (;;) {
        char chunk[16 * 1024];
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return relais_error_system(err, errno, file, "the form cannot be read");
        if (n == 0)
            return relais_buffer_check(out, "the form", err);
        relais_buffer_append(out, chunk, (size_t)n);
    }
}

static bool read_file(const char *file, relais_buffer *out, relais_error *err)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool ok;

    if (fd < 0)
        return relais_error_system(err, errno, file, "the form cannot be opened");
    ok = read_descriptor(fd, file, out, err);
    close(fd);
    return ok;
}

static bool parse_file(const char *file, relais_arena *arena, xmlDocPtr *doc, relais_error *err)
{
    relais_xml_fault fault;
    relais_buffer bytes;
    bool ok;

    relais_buffer_init(&bytes, RELAIS_FORM_XML_MAX);
    ok = read_file(file, &bytes, err) &&
         relais_xml_parse(bytes.data, bytes.length, &RELAIS_FORM_LIMITS, arena, doc, &fault, err);
    relais_buffer_free(&bytes);
    return ok;
}

/* ---- its parts -------------------------------------------------------------------------- */

static const xmlNode *find_first(const xmlNode *top, const char *name)
{
    for (const xmlNode *node = top; node != NULL; node = relais_xml_next(node, top))
        if (relais_xml_is(node, name))
            return node;
    return NULL;
}

static const xmlNode *first_element(const xmlNode *parent)
{
    const xmlNode *node = parent == NULL ? NULL : parent->children;

    while (node != NULL && node->type != XML_ELEMENT_NODE)
        node = node->next;
    return node;
}

/* The root of the primary instance: the first instance of the first model. */
static const xmlNode *find_root(const xmlNode *top, const xmlNode **model, relais_error *err)
{
    const xmlNode *instance, *root;

    *model = find_first(top, "model");
    if (*model == NULL) {
        relais_error_set(err, RELAIS_ERR_CONFIG, "this is not an XForm: it has no model");
        return NULL;
    }
    instance = relais_xml_child(*model, "instance");
    root = first_element(instance);
    if (root == NULL) {
        relais_error_set(err, RELAIS_ERR_CONFIG,
                         "the form's first instance is missing or empty; it must hold the "
                         "submission's elements");
        relais_error_at(err, NULL, xmlGetLineNo(*model));
    }
    return root;
}

static bool read_names(const xmlNode *top, const xmlNode *root, relais_arena *arena,
                       relais_form *out, relais_error *err)
{
    const xmlNode *head = find_first(top, "head");
    const xmlNode *title = relais_xml_child(head == NULL ? top : head, "title");

    out->id = relais_xml_attribute(root, "id", arena);
    out->version = relais_xml_attribute(root, "version", arena);
    out->title = relais_xml_text(title, arena);
    out->root = relais_arena_text(arena, relais_xml_local_name(root->name));
    if (out->id == NULL || out->version == NULL || out->title == NULL || out->root == NULL)
        return relais_arena_error(arena, err);
    if (out->id[0] == '\0') {
        relais_error_set(err, RELAIS_ERR_CONFIG,
                         "the primary instance's root has no id attribute; give the form one");
        relais_error_at(err, NULL, xmlGetLineNo(root));
        return false;
    }
    return true;
}

/* ODK XForms specification, "Encryption": by the key alone phones know. */
static bool read_encryption(const xmlNode *model, relais_arena *arena, relais_form *out,
                            relais_error *err)
{
    const xmlNode *submission = relais_xml_child(model, "submission");
    const char *key =
        submission == NULL ? "" : relais_xml_attribute(submission, "base64RsaPublicKey", arena);

    if (key == NULL)
        return relais_arena_error(arena, err);
    out->is_encrypted = key[0] != '\0';
    return true;
}

/* ---- the nodes -------------------------------------------------------------------------- */

static bool has_default(const xmlNode *element)
{
    for (const xmlNode *node = element->children; node != NULL; node = node->next)
        if ((node->type == XML_TEXT_NODE || node->type == XML_CDATA_SECTION_NODE) &&
            !xmlIsBlankNode(node))
            return true;
    return false;
}

/* Adds a node and those below it. A path that stands again (a repeat's jr:template and its
 * first instance) is one node, and is a leaf only if it is one everywhere. */
static bool add_nodes(const xmlNode *element, const char *parent, relais_node_table *table,
                      relais_error *err)
{
    const char *name = relais_xml_local_name(element->name);
    const char *path = relais_arena_format(table->arena, "%s/%s", parent, name);
    relais_form_node *node;

    if (path == NULL)
        return relais_arena_error(table->arena, err);
    node = xmlHashLookup(table->by_path, (const xmlChar *)path);
    if (node == NULL) {
        node = &table->nodes[table->count++];
        *node = (relais_form_node){.path = path,
                                   .type = "string",
                                   .kind = RELAIS_NODE_LEAF,
                                   .line = xmlGetLineNo(element)};
        if (xmlHashAddEntry(table->by_path, (const xmlChar *)path, node) != 0)
            return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left to read the form");
    }
    if (first_element(element) != NULL)
        node->kind = RELAIS_NODE_GROUP;
    node->is_filled = node->is_filled || has_default(element);
    for (const xmlNode *child = element->children; child != NULL; child = child->next)
        if (child->type == XML_ELEMENT_NODE && !add_nodes(child, path, table, err))
            return false;
    return true;
}

static size_t count_elements(const xmlNode *root)
{
    size_t count = 0;

    for (const xmlNode *node = root; node != NULL; node = relais_xml_next(node, root))
        count++;
    return count;
}

static bool fill_table(const xmlNode *top, const xmlNode *model, const xmlNode *root,
                       relais_node_table *table, relais_error *err)
{
    table->nodes = relais_arena_alloc(table->arena, count_elements(root) * sizeof *table->nodes);
    table->root = relais_arena_format(table->arena, "/%s", relais_xml_local_name(root->name));
    if (table->nodes == NULL || table->root == NULL)
        return relais_arena_error(table->arena, err);
    if (table->by_path == NULL || table->by_bind == NULL)
        return relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left to read the form");
    if (!add_nodes(root, "", table, err) || !relais_binds_apply(model, table, err))
        return false;
    relais_controls_apply(top, model, table);
    return true;
}

static bool read_nodes(const xmlNode *top, const xmlNode *model, const xmlNode *root,
                       relais_arena *arena, relais_form *out, relais_error *err)
{
    relais_node_table table = {
        .arena = arena, .by_path = xmlHashCreate(512), .by_bind = xmlHashCreate(64)};
    bool ok = fill_table(top, model, root, &table, err);

    xmlHashFree(table.by_path, NULL);
    xmlHashFree(table.by_bind, NULL);
    out->nodes = table.nodes;
    out->count = table.count;
    return ok;
}

/* ---- together --------------------------------------------------------------------------- */

bool relais_form_read(const char *file, relais_arena *arena, relais_form *out, relais_error *err)
{
    const xmlNode *top, *model, *root;
    xmlDocPtr doc;
    bool ok;

    memset(out, 0, sizeof *out);
    out->file = relais_arena_text(arena, file);
    if (out->file == NULL)
        return relais_arena_error(arena, err);
    ok = parse_file(file, arena, &doc, err);
    if (ok) {
        top = xmlDocGetRootElement(doc);
        root = find_root(top, &model, err);
        ok = root != NULL && read_names(top, root, arena, out, err) &&
             read_encryption(model, arena, out, err) &&
             read_nodes(top, model, root, arena, out, err);
    }
    if (!ok)
        relais_error_at(err, file, 0);
    return ok;
}

bool relais_form_node_takes_answer(const relais_form_node *node)
{
    return node->is_filled || (node->is_asked && !node->is_readonly);
}

const relais_form_node *relais_form_find(const relais_form *form, const char *path)
{
    for (size_t i = 0; i < form->count; i++)
        if (strcmp(form->nodes[i].path, path) == 0)
            return &form->nodes[i];
    return NULL;
}
