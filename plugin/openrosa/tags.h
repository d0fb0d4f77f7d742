/*
 * Whether libxml2 may be given these bytes: it compares each attribute of an element with all
 * that stand before it, so that one element of 450 KB takes it a quarter of a minute, and none of
 * its own limits ends that.
 *
 * Attributes are counted before they are parsed, in bytes where ASCII means itself. Two bytes a
 * character (UTF-16) cannot be told apart so, and there the whole document has one number; an
 * encoding of another kind (UTF-7, EBCDIC) is none that a phone writes.
 */
#ifndef RELAIS_OPENROSA_TAGS_H
#define RELAIS_OPENROSA_TAGS_H

#include <stdbool.h>
#include <stddef.h>

/* Attributes and namespaces that one element declares: a form's root has a dozen. */
#define RELAIS_ATTRIBUTES_MAX 100

/* '=' of a whole document in UTF-16: a third of a second, if all are one element's attributes. */
#define RELAIS_ATTRIBUTES_WIDE_MAX 10000

typedef struct relais_tags {
    bool is_wide; /* the first bytes are UTF-16's */
    bool is_begun;
    bool is_in_tag;
    bool is_first; /* the byte after '<' comes next */
    char quote;    /* 0 outside of a value */
    unsigned count;
} relais_tags;

/* Takes the next bytes of a document; begin with a zeroed *tags, and at least four bytes. Returns
 * how many there are before an element gets more attributes than above: `length` when none does. */
size_t relais_tags_pass(relais_tags *tags, const char *bytes, size_t length);

/* True when the document, which begins with these bytes, claims by BOM or declaration an encoding
 * in which relais_tags_pass can count. */
bool relais_tags_can_count(const char *bytes, size_t length);

#endif
