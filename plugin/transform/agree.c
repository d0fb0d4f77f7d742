/*
 * The table of form types and column types. See agree.h.
 *
 * A choice is a string in a form, and "oui" fits a boolean: so strings agree with booleans,
 * and with nothing else that has a form of its own more than sometimes.
 */
#include "transform/agree.h"

#include <string.h>

enum { A = RELAIS_AGREE_ALWAYS, S = RELAIS_AGREE_SOMETIMES, N = RELAIS_AGREE_NEVER };

static const struct {
    const char *form_type;
    unsigned char agreement[RELAIS_TYPE_OTHER + 1]; /* in the order of relais_type */
} rows[] = {
    /* clang-format off */
    /*              text int num bool date tstz uuid bytea array other */
    {"string",      {A,  S,  S,  A,   S,   S,   S,   S,    A,    A}},
    {"barcode",     {A,  S,  S,  N,   N,   N,   S,   S,    A,    A}},
    {"int",         {A,  A,  A,  S,   N,   N,   N,   N,    A,    A}},
    {"integer",     {A,  A,  A,  S,   N,   N,   N,   N,    A,    A}},
    {"decimal",     {A,  S,  A,  N,   N,   N,   N,   N,    A,    A}},
    {"boolean",     {A,  N,  N,  A,   N,   N,   N,   N,    A,    A}},
    {"date",        {A,  N,  N,  N,   A,   N,   N,   N,    A,    A}},
    {"dateTime",    {A,  N,  N,  N,   A,   A,   N,   N,    A,    A}},
    {"time",        {A,  N,  N,  N,   N,   N,   N,   N,    A,    A}},
    {"geopoint",    {A,  N,  N,  N,   N,   N,   N,   N,    A,    A}},
    {"geotrace",    {A,  N,  N,  N,   N,   N,   N,   N,    A,    A}},
    {"geoshape",    {A,  N,  N,  N,   N,   N,   N,   N,    A,    A}},
    {"binary",      {A,  N,  N,  N,   N,   N,   N,   N,    A,    A}},
    /* clang-format on */
};

relais_agreement relais_agree(const char *form_type, relais_type column_type)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].form_type, form_type) == 0)
            return (relais_agreement)rows[i].agreement[column_type];
    return RELAIS_AGREE_ALWAYS;
}
