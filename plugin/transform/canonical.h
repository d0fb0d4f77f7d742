/*
 * One way of writing for what people write in many: names, numbers of documents, telephones.
 * Keys are made over these, so a change here makes every stored key worthless: keys can be
 * made again only by whoever can open the sealed identities.
 */
#ifndef RELAIS_TRANSFORM_CANONICAL_H
#define RELAIS_TRANSFORM_CANONICAL_H

#include "base/buffer.h"

/* A name, for the spellings of Burkina Faso. In this order: upper case; NFKD without accents;
 * letters only; PH becomes F; H goes; OU before a vowel (A E I O U Y) becomes W; V becomes W;
 * Y becomes I; doubled letters are single. Appends nothing for a text without letters.
 *
 *     Ouédraogo, Wedraogo -> WEDRAOGO    Sawadogo, Savadogo -> SAWADOGO    Yaya, Iaia -> IAIA
 *
 * Known miss: OU before a consonant stays, so that Ousséni (OUSENI) is not Useni (USENI). */
void relais_canonical_name(const char *text, relais_buffer *out);

/* The number of a document or another code: upper case, NFKD without accents, letters and
 * digits only. */
void relais_canonical_code(const char *text, relais_buffer *out);

/* A telephone number in E.164: "+" and 8 to 15 digits. Blanks, dots, hyphens, slashes and
 * brackets do not count; "00" in front is "+". A number of `digits` digits without either is
 * one of the country with this calling code; so is one that has the code in front without "+".
 * Appends nothing for any other text. */
void relais_canonical_phone(const char *text, const char *country, size_t digits,
                            relais_buffer *out);

#endif
