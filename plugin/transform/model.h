/*
 * A mapping in memory, for the files of this folder only.
 *
 * It mirrors the file: a tree of items, each with the scope its expressions stand in. What
 * changes during a run (the context node, the values of <let>) lives in the scopes; nothing
 * else is written to after reading and binding.
 */
#ifndef RELAIS_TRANSFORM_MODEL_H
#define RELAIS_TRANSFORM_MODEL_H

#include "transform/cover.h"
#include "transform/mapping.h"
#include "transform/path.h"
#include "transform/pattern.h"

#include <libxml/xpath.h>

typedef struct relais_scope relais_scope;
typedef struct relais_let relais_let;
typedef struct relais_item relais_item;

/* A compiled expression and what it reads. */
typedef struct relais_expression {
    struct relais_expression *next; /* all of the mapping, in the order of reading */
    const char *text;
    long line;
    relais_scope *scope;
    relais_reading reading;
    const relais_path *origin; /* where its value comes from, for messages; NULL when nowhere */
    bool uses_token;
    relais_scope *depends; /* the innermost scope that its value depends on */
    xmlXPathCompExprPtr compiled;
} relais_expression;

struct relais_let {
    relais_let *next; /* of the same scope */
    const char *name;
    const char *text;
    long line;
    relais_scope *scope;
    relais_expression *select; /* NULL until something asks for it or reading ends */
    bool is_being_read;        /* to find a <let> that needs itself */
    bool is_used;
    xmlXPathObjectPtr value; /* in the present context; NULL until asked for */
};

/* Where relative paths start and which names are known: of the mapping, a row or a <when>. */
struct relais_scope {
    relais_scope *parent;
    relais_scope *next; /* all of the mapping */
    relais_let *lets;
    const relais_paths *context;
    int depth;             /* 0 for the root element's */
    bool iterates;         /* of a row with for-each or tokens */
    relais_item *anchored; /* rows whose clearance can be told here */
    bool has_token;
    /* In the present run: */
    xmlNodePtr node;
    int position, size;
    const char *token;
    xmlNodePtr token_node; /* of the answer that the token is one choice of */
};

typedef struct relais_list {
    struct relais_list *next;
    const char *name, *table, *column, *where, *is;
    const char *parent, *level; /* columns of a hierarchy, or NULL */
    const char *if_absent;      /* "hold": a code may still be added; else NULL or "refuse" */
    long line;
    bool is_used;
} relais_list;

/* A generalise() of the mapping: the level that it climbs to must be there. */
typedef struct relais_climb {
    struct relais_climb *next;
    const relais_list *list;
    const char *level;
    long line;
} relais_climb;

typedef struct relais_source {
    struct relais_source *next;
    relais_expression *select;
} relais_source;

typedef struct relais_filled { /* a <column>, or a <field> of a <seal> */
    const char *name;
    relais_source *sources;       /* in order: the first that has an answer */
    const char *fallback;         /* default="..." or NULL */
    relais_list *list;            /* or NULL */
    const char *place;            /* "tip.exploitation.form" */
    struct relais_filled *fields; /* of a <seal>, instead of sources; NULL when it is none */
    size_t field_count;
    long line;
} relais_filled;

typedef enum { RELAIS_ITEM_ROW, RELAIS_ITEM_WHEN, RELAIS_ITEM_FILE } relais_item_kind;

struct relais_item {
    relais_item_kind kind;
    struct relais_item *next;
    struct relais_item *children;
    relais_scope *scope;     /* of what stands inside */
    relais_expression *test; /* of a <when>; of a <file>, its path */
    size_t shape;            /* of a <row>, as the members below */
    relais_expression *for_each;
    relais_expression *tokens;
    relais_filled *columns;
    size_t column_count;
    const size_t *replace; /* indexes of the replace columns */
    size_t replace_count;
    relais_scope *anchor; /* the innermost scope that the replace columns depend on */
    relais_item *next_anchored;
    long line;
};

typedef struct relais_ignore {
    struct relais_ignore *next;
    relais_expression *select;
} relais_ignore;

struct relais_mapping {
    relais_arena *arena;
    const char *file;
    const char *text; /* the file's bytes */
    size_t length;
    uint8_t sha256[RELAIS_SHA256_SIZE];
    const char *form;
    long line; /* of the root element */
    const char *const *versions;
    size_t version_count;
    bool is_sensitive;
    bool is_encrypted;
    bool is_bound;

    relais_scope *scope; /* of the root element */
    relais_scope *scopes;
    relais_item *items;
    relais_list *lists;
    relais_climb *climbs;
    long keys_line, seal_line; /* where the mapping first needs the secret; 0 = nowhere */
    relais_ignore *ignores;
    relais_row_shape *shapes;
    size_t shape_count;

    relais_expression *expressions;
    relais_pattern *patterns;
    relais_cover *cover;

    xmlXPathContextPtr xpath;
    const relais_secrets *secrets; /* given when it was bound; the mapping's needs are in it */
    const relais_facts *facts;     /* of the present run */
    const relais_target *target;   /* of the present run */
    relais_error failure;          /* the machine's, met inside an expression of the run */
    struct relais_derivation *derivation; /* of the present run, or NULL: nobody asks */
    const relais_list *unlisted;          /* a code that generalise() met is not in this list */
    char unlisted_code[128];              /* its beginning, for its class in the message */
    relais_scope *running;                /* the scope of the expression that is being evaluated */
};

/* Reads the tree below the root element into the mapping. */
RELAIS_MUST_USE bool relais_mapping_build(relais_mapping *mapping, xmlNodePtr root,
                                          relais_error *err);

#endif
