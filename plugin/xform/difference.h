/*
 * Two submissions of one form held against each other, answer by answer, for a person who must
 * choose between them. What is returned are answers: it is shown to that person and to nobody else.
 */
#ifndef RELAIS_XFORM_DIFFERENCE_H
#define RELAIS_XFORM_DIFFERENCE_H

#include "xform/submission.h"

/* Paths are as in reasons: "/data/exploitation[2]/form", "/data/@version". NULL: the submission
 * has no such answer, which is another thing than an empty one. */
typedef struct relais_difference {
    const char *path, *one, *other;
} relais_difference;

typedef struct relais_differences {
    relais_difference *list;
    size_t count;
} relais_differences;

/* In the order of the first document, then what only the second has. Repeats are counted from the
 * first on: one that was taken out in the middle moves those after it. The instanceID and the
 * deprecatedID, which differ always between edits, are left out. */
RELAIS_MUST_USE bool relais_submission_differences(const relais_submission *one,
                                                   const relais_submission *other,
                                                   relais_arena *arena, relais_differences *out,
                                                   relais_error *err);

#endif
