/*
 * A form definition, read for checking mappings and for knowing which answers are files.
 */
#ifndef RELAIS_XFORM_FORM_H
#define RELAIS_XFORM_FORM_H

#include "base/arena.h"

typedef enum {
    RELAIS_NODE_GROUP,  /* has children, occurs at most once in its parent */
    RELAIS_NODE_REPEAT, /* occurs any number of times */
    RELAIS_NODE_LEAF    /* holds an answer */
} relais_node_kind;

/* html/head/model/instance stand above the answers; libxml2 itself stops at 256. */
#define RELAIS_FORM_DEPTH_MAX 200

/* As xml.h counts them: a form of the largest size that is published, with the lists of choices
 * in it, has one for ten bytes. 200 MB, in commands alone. */
#define RELAIS_FORM_NODES_MAX 1600000

/* Both, as xml.h wants them. */
#define RELAIS_FORM_LIMITS                                                                         \
    ((relais_xml_limits){.depth = RELAIS_FORM_DEPTH_MAX, .nodes = RELAIS_FORM_NODES_MAX})

/* One node of the primary instance, in document order. */
typedef struct relais_form_node {
    const char *path; /* "/data/person/age", by local names */
    const char *type; /* the bind's type without prefix: "int", "date", "string", "binary", ... */
    relais_node_kind kind;
    long line;        /* in the form's file */
    bool required;    /* bind required="true()" */
    bool is_multiple; /* asked by <select>: space-separated choice names */
    bool is_asked;    /* a control of the body shows it */
    bool is_readonly; /* bind readonly="true()" */
    bool is_filled;   /* the form itself gives a value: default, calculation, preload, action */
} relais_form_node;

typedef struct relais_form {
    const char *file;
    const char *id;
    const char *version;
    const char *title;
    const char *root;  /* local name of the primary instance's root */
    bool is_encrypted; /* phones lock what it collects: <submission base64RsaPublicKey="..."> */
    const relais_form_node *nodes;
    size_t count;
} relais_form;

/* Reads a form file. RELAIS_ERR_SYNTAX or _CONFIG with file and line. */
RELAIS_MUST_USE bool relais_form_read(const char *file, relais_arena *arena, relais_form *out,
                                      relais_error *err);

/* True when a submission of this form can have a value here. A note, or a leaf that nothing asks
 * or fills, is always empty. */
bool relais_form_node_takes_answer(const relais_form_node *node);

/* The node at an absolute path, or NULL. */
const relais_form_node *relais_form_find(const relais_form *form, const char *path);

#endif
