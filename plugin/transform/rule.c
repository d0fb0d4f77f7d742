/*
 * The rules in words, and the classes of values. See rule.h.
 */
#include "transform/rule.h"

#include "base/text.h"
#include "transform/decimal.h"
#include "transform/moment.h"

#include <string.h>

/* "%N" stands for the rule's number, "%X" for its maximum, "%S" for its name. */
static const struct {
    const char *code, *french, *english;
} rules[] = {
    [RELAIS_RULE_REQUIRED] = {"required", "une réponse est obligatoire ici",
                              "an answer is required here"},
    [RELAIS_RULE_SINGLE] = {"single", "une seule réponse est attendue, il y en a plusieurs",
                            "one answer is expected, there are several"},
    [RELAIS_RULE_LENGTH] = {"length", "un texte de %N caractères au plus",
                            "a text of at most %N characters"},
    [RELAIS_RULE_INTEGER] = {"integer", "un nombre entier", "a whole number"},
    [RELAIS_RULE_RANGE] = {"range", "un nombre entier de %N à %X", "a whole number from %N to %X"},
    [RELAIS_RULE_NUMERIC] = {"number", "un nombre, avec un point décimal",
                             "a number, with a decimal point"},
    [RELAIS_RULE_BOOLEAN] = {"boolean", "oui ou non (oui/non, yes/no, true/false, 1/0)",
                             "yes or no (oui/non, yes/no, true/false, 1/0)"},
    [RELAIS_RULE_DATE] = {"date", "une date du calendrier, AAAA-MM-JJ",
                          "a date of the calendar, YYYY-MM-DD"},
    [RELAIS_RULE_TIME] = {"time", "une date et une heure, AAAA-MM-JJThh:mm:ss et le décalage",
                          "a date and time, YYYY-MM-DDThh:mm:ss and the offset"},
    [RELAIS_RULE_OFFSET] = {"offset", "une heure avec son décalage (Z ou ±hh:mm)",
                            "a time with its offset (Z or ±hh:mm)"},
    [RELAIS_RULE_UUID] = {"uuid", "un identifiant UUID", "a UUID"},
    [RELAIS_RULE_HEX] = {"hex", "des octets en hexadécimal", "bytes in hexadecimal"},
    [RELAIS_RULE_LIST] = {"list", "un code de la liste « %S »", "a code of the list \"%S\""},
    [RELAIS_RULE_TOKENS] = {"tokens", "%N choix au plus dans une réponse",
                            "at most %N choices in one answer"},
    [RELAIS_RULE_ROWS] = {"rows", "%N lignes au plus pour une fiche",
                          "at most %N rows from one submission"},
    [RELAIS_RULE_FILES] = {"files", "%N fichiers nommés au plus dans une fiche",
                           "at most %N files named in one submission"},
    [RELAIS_RULE_SEALED] = {"sealed", "%N octets au plus à sceller ensemble",
                            "at most %N bytes to seal together"},
    [RELAIS_RULE_EXPRESSION] = {"expression",
                                "l'expression de la ligne %N de la correspondance doit pouvoir "
                                "être calculée pour cette fiche",
                                "the expression on line %N of the mapping can be computed for "
                                "this submission"},
};

/* No sentence of the table is longer, with a list's name in it. */
enum { SENTENCE_MAX = 1024 };

static const char *word_rule(const char *pattern, const relais_rule *rule, relais_arena *arena)
{
    relais_buffer text;
    const char *copy;

    relais_buffer_init(&text, SENTENCE_MAX);
    for (const char *p = pattern; *p != '\0'; p++) {
        if (p[0] != '%') {
            relais_buffer_append_char(&text, *p);
            continue;
        }
        p++;
        if (*p == 'N')
            relais_buffer_append_format(&text, "%lld", rule->number);
        else if (*p == 'X')
            relais_buffer_append_format(&text, "%lld", rule->maximum);
        else
            relais_buffer_append_text(&text, rule->name);
    }
    copy = text.failed == RELAIS_ERR_NONE ? relais_arena_copy(arena, text.data, text.length)
                                          : relais_arena_text(arena, pattern);
    relais_buffer_free(&text);
    return copy;
}

static void name_class(const char *value, size_t length, const char **french, const char **english)
{
    relais_moment moment;
    relais_decimal decimal;

    *french = *english = NULL;
    if (value == NULL || length == 0) {
        *french = "vide";
        *english = "empty";
    } else if (relais_moment_read(value, length, &moment)) {
        *french = moment.has_time ? "date et heure" : "date";
        *english = moment.has_time ? "date and time" : "date";
    } else if (relais_decimal_read(value, length, &decimal)) {
        *french = decimal.is_whole ? "nombre entier" : "nombre décimal";
        *english = decimal.is_whole ? "whole number" : "decimal number";
    }
}

bool relais_rule_describe(const relais_rule *rule, const char *value, size_t length,
                          relais_arena *arena, relais_misfit *out, relais_error *err)
{
    name_class(value, length, &out->value_class, &out->value_class_en);
    if (out->value_class == NULL) {
        size_t count = relais_utf8_count(value, length);
        out->value_class =
            relais_arena_format(arena, "texte de %zu caractère%s", count, count > 1 ? "s" : "");
        out->value_class_en =
            relais_arena_format(arena, "text of %zu character%s", count, count > 1 ? "s" : "");
    }
    out->code = rules[rule->kind].code;
    out->rule = word_rule(rules[rule->kind].french, rule, arena);
    out->rule_en = word_rule(rules[rule->kind].english, rule, arena);
    if (out->value_class == NULL || out->value_class_en == NULL || out->rule == NULL ||
        out->rule_en == NULL)
        return relais_arena_error(arena, err);
    return true;
}
