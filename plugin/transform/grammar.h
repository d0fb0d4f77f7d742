/*
 * transforms/mapping.rng, byte for byte; the build makes grammar.c from it.
 */
#ifndef RELAIS_TRANSFORM_GRAMMAR_H
#define RELAIS_TRANSFORM_GRAMMAR_H

#include <stddef.h>

extern const unsigned char relais_grammar[];
extern const size_t relais_grammar_length;

#endif
