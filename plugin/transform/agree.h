/*
 * Whether the answers of a question can become values of a column.
 */
#ifndef RELAIS_TRANSFORM_AGREE_H
#define RELAIS_TRANSFORM_AGREE_H

#include "transform/target.h"

typedef enum {
    RELAIS_AGREE_ALWAYS, /* or so often that a warning would only be noise */
    RELAIS_AGREE_SOMETIMES,
    RELAIS_AGREE_NEVER
} relais_agreement;

/* `form_type` is the bind's type: "int", "date", "string", ... An unknown one agrees. */
relais_agreement relais_agree(const char *form_type, relais_type column_type);

#endif
