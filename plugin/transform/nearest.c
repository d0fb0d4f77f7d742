/*
 * The nearest known word by edit distance (Levenshtein, over bytes). See nearest.h.
 */
#include "transform/nearest.h"

#include <string.h>

enum { LONGEST = 200 }; /* paths longer than this are not compared: nobody retypes them */

void relais_nearest_init(relais_nearest *nearest, const char *word)
{
    /* A third of the letters wrong is a misspelling; more is another word. */
    *nearest = (relais_nearest){.word = word, .distance = strlen(word) / 3 + 2};
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t edit_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t row[LONGEST + 1];

    for (size_t j = 0; j <= b_length; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t changed = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = least(changed, least(row[j], row[j - 1]) + 1);
        }
    }
    return row[b_length];
}

void relais_nearest_consider(relais_nearest *nearest, const char *known)
{
    size_t word_length = strlen(nearest->word), known_length = strlen(known);
    size_t distance;

    if (word_length > LONGEST || known_length > LONGEST)
        return;
    distance = edit_distance(nearest->word, word_length, known, known_length);
    if (distance < nearest->distance) {
        nearest->distance = distance;
        nearest->best = known;
    }
}
