/*
 * The table of answers and their rendering. See reply.h.
 *
 * The readers are enumerators with a phone in the field: each text says what happened to the
 * form, then what to do. French has U+2019, U+00A0 before ':' and U+202F before ';'.
 */
#include "openrosa/reply.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define APOS "\u2019"
#define NBSP "\u00A0"
#define THIN "\u202F"

#define KEEP_FR "Gardez-la sur le téléphone et prévenez votre superviseur."
#define KEEP_EN "Keep it on the phone and tell your supervisor."

/* Stands for the announced limit in megabytes. */
#define LIMIT_MARK "{limit}"

struct answer {
    unsigned status;
    const char *text[2]; /* by relais_language */
};

static const struct answer answers[RELAIS_REPLY_COUNT] = {
    [RELAIS_REPLY_RECEIVED] = {201, {"Fiche reçue.", "Form received."}},
    [RELAIS_REPLY_NOT_MULTIPART] =
        {400,
         {"L" APOS "envoi n" APOS "a pas la forme attendue et n" APOS "a pas été enregistré. "
          "Vérifiez l" APOS "adresse du serveur dans les paramètres de l" APOS "application.",
          "The upload does not have the expected shape and was not stored. "
          "Check the server address in the settings of the app."}},
    [RELAIS_REPLY_CUT] = {400,
                          {"L" APOS "envoi s" APOS "est interrompu avant la fin. "
                           "Renvoyez la fiche quand la connexion est meilleure.",
                           "The upload stopped before its end. "
                           "Send the form again when the connection is better."}},
    [RELAIS_REPLY_NO_XML] = {400,
                             {"L" APOS "envoi ne contient pas la fiche elle-même. "
                              "Renvoyez-la" THIN "; si cela se répète, prévenez votre superviseur.",
                              "The upload does not contain the form itself. "
                              "Send it again; if this happens again, tell your supervisor."}},
    [RELAIS_REPLY_BAD_XML] = {400,
                              {"Cette fiche est illisible et n" APOS
                               "a pas été enregistrée. " KEEP_FR,
                               "This form cannot be read and was not stored. " KEEP_EN}},
    [RELAIS_REPLY_DOCTYPE] =
        {400,
         {"Cette fiche contient une déclaration interdite (DOCTYPE) et n" APOS
          "a pas été enregistrée. " KEEP_FR,
          "This form contains a forbidden declaration (DOCTYPE) and was not stored. " KEEP_EN}},
    [RELAIS_REPLY_NO_ID] =
        {400,
         {"Cette fiche ne dit pas de quel formulaire elle vient et n" APOS
          "a pas été enregistrée. " KEEP_FR,
          "This form does not say which blank form it comes from and was not stored. " KEEP_EN}},
    [RELAIS_REPLY_UNKNOWN_FORM] =
        {404,
         {"Ce serveur ne connaît pas ce formulaire et n" APOS "a pas enregistré la fiche. " KEEP_FR,
          "This server does not know this form and did not store it. " KEEP_EN}},
    [RELAIS_REPLY_NOT_FOUND] = {404,
                                {"Rien n" APOS "existe à cette adresse du serveur. "
                                 "Vérifiez l" APOS "adresse dans les paramètres de l" APOS
                                 "application.",
                                 "There is nothing at this address of the server. "
                                 "Check the address in the settings of the app."}},
    [RELAIS_REPLY_METHOD] = {405,
                             {"Cette demande n" APOS "est pas possible à cette adresse. "
                              "Vérifiez l" APOS "adresse du serveur dans les paramètres de l" APOS
                              "application.",
                              "This request is not possible at this address. "
                              "Check the server address in the settings of the app."}},
    [RELAIS_REPLY_TIMEOUT] = {408,
                              {"L" APOS "envoi était trop lent et a été arrêté. "
                               "Renvoyez la fiche quand la connexion est meilleure.",
                               "The upload was too slow and was stopped. "
                               "Send the form again when the connection is better."}},
    [RELAIS_REPLY_TOO_LARGE] =
        {413,
         {"L" APOS "envoi dépasse la limite de " LIMIT_MARK NBSP "Mo. "
          "Raccourcissez la vidéo ou le son, ou reprenez une photo plus petite, "
          "puis renvoyez la fiche.",
          "The upload is larger than the limit of " LIMIT_MARK NBSP "MB. "
          "Shorten the video or sound, or take a smaller photo, then send the form again."}},
    [RELAIS_REPLY_UNAUTHORIZED] = {401,
                                   {"Le nom d" APOS "utilisateur ou le mot de passe n" APOS
                                    "est pas accepté. "
                                    "Corrigez-les dans les paramètres de l" APOS
                                    "application, puis réessayez.",
                                    "The username or password is not accepted. "
                                    "Correct them in the settings of the app, then try again."}},
    [RELAIS_REPLY_FORBIDDEN] =
        {403,
         {"Votre compte n" APOS "a pas accès à cette adresse. "
          "Demandez cet accès à votre superviseur.",
          "Your account has no access to this address. Ask your supervisor for it."}},
    [RELAIS_REPLY_BAD_REQUEST] = {400,
                                  {"Le serveur n" APOS "a pas compris la demande. "
                                   "Réessayez" THIN
                                   "; si cela se répète, prévenez votre superviseur.",
                                   "The server did not understand the request. "
                                   "Try again; if this happens again, tell your supervisor."}},
    [RELAIS_REPLY_FULL] = {503,
                           {"Le serveur n" APOS "a plus de place et n" APOS
                            "a pas enregistré la fiche. "
                            "Prévenez votre superviseur et renvoyez-la plus tard.",
                            "The server has no space left and did not store the form. "
                            "Tell your supervisor and send it again later."}},
    [RELAIS_REPLY_BUSY] =
        {503,
         {"Le serveur est occupé et n" APOS "a pas enregistré la fiche. "
          "Renvoyez-la dans quelques minutes.",
          "The server is busy and did not store the form. Send it again in a few minutes."}},
    [RELAIS_REPLY_BROKEN] = {500,
                             {"Le serveur est en panne et n" APOS "a pas enregistré la fiche. "
                              "Renvoyez-la plus tard" THIN
                              "; si cela se répète, prévenez votre superviseur.",
                              "The server has a fault and did not store the form. "
                              "Send it again later; if this happens again, tell your supervisor."}},
};

/* ---- language -------------------------------------------------------------------------- */

/* Weights in thousandths, as RFC 9110 section 12.4.2 has them; -1: not named. */
struct weights {
    int french;
    int english;
    int any;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static void trim(const char **text, size_t *length)
{
    while (*length > 0 && is_blank(**text)) {
        (*text)++;
        (*length)--;
    }
    while (*length > 0 && is_blank((*text)[*length - 1]))
        (*length)--;
}

/* "1", "0.8", "0.875"; what is malformed weighs nothing. */
static int read_weight(const char *text, size_t length)
{
    int weight, scale = 1000;

    trim(&text, &length);
    if (length == 0 || length > 5 || (text[0] != '0' && text[0] != '1'))
        return 0;
    weight = (text[0] - '0') * scale;
    if (length > 1 && text[1] != '.')
        return 0;
    for (size_t i = 2; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return 0;
        scale /= 10;
        weight += (text[i] - '0') * scale;
    }
    return weight > 1000 ? 0 : weight;
}

/* The weight among an item's parameters ";q=0.8"; 1 when there is none. */
static int weight_of(const char *parameters, size_t length)
{
    while (length > 0) {
        const char *next = memchr(parameters + 1, ';', length - 1);
        size_t size = next == NULL ? length : (size_t)(next - parameters);
        const char *text = parameters + 1;
        size_t text_length = size - 1;

        trim(&text, &text_length);
        if (text_length >= 2 && (text[0] == 'q' || text[0] == 'Q') && text[1] == '=')
            return read_weight(text + 2, text_length - 2);
        parameters += size;
        length -= size;
    }
    return 1000;
}

static bool is_language(const char *range, size_t length, const char *language)
{
    return length >= 2 && strncasecmp(range, language, 2) == 0 && (length == 2 || range[2] == '-');
}

static void weigh(const char *item, size_t length, struct weights *weights)
{
    const char *parameters = memchr(item, ';', length);
    size_t range_length = parameters == NULL ? length : (size_t)(parameters - item);
    int weight = parameters == NULL ? 1000 : weight_of(parameters, length - range_length);
    int *named = NULL;

    trim(&item, &range_length);
    if (is_language(item, range_length, "fr"))
        named = &weights->french;
    else if (is_language(item, range_length, "en"))
        named = &weights->english;
    else if (range_length == 1 && item[0] == '*')
        named = &weights->any;
    if (named != NULL && weight > *named)
        *named = weight;
}

relais_language relais_reply_language(const char *accept_language, size_t length)
{
    struct weights weights = {-1, -1, -1};

    while (accept_language != NULL && length > 0) {
        const char *comma = memchr(accept_language, ',', length);
        size_t size = comma == NULL ? length : (size_t)(comma - accept_language);

        weigh(accept_language, size, &weights);
        size += comma == NULL ? 0 : 1;
        accept_language += size;
        length -= size;
    }
    if (weights.french < 0)
        weights.french = weights.any;
    if (weights.english < 0)
        weights.english = weights.any;
    return weights.english > 0 && weights.english > weights.french ? RELAIS_ENGLISH : RELAIS_FRENCH;
}

/* ---- status and document --------------------------------------------------------------- */

unsigned relais_reply_status(relais_reply reply)
{
    return answers[reply].status;
}

relais_reply relais_reply_for_status(unsigned status)
{
    static const struct {
        unsigned status;
        relais_reply reply;
    } known[] = {
        {201, RELAIS_REPLY_RECEIVED},     {202, RELAIS_REPLY_RECEIVED},
        {401, RELAIS_REPLY_UNAUTHORIZED}, {403, RELAIS_REPLY_FORBIDDEN},
        {404, RELAIS_REPLY_NOT_FOUND},    {405, RELAIS_REPLY_METHOD},
        {408, RELAIS_REPLY_TIMEOUT},      {413, RELAIS_REPLY_TOO_LARGE},
        {429, RELAIS_REPLY_BUSY},         {502, RELAIS_REPLY_BUSY},
        {503, RELAIS_REPLY_BUSY},         {504, RELAIS_REPLY_BUSY},
        {507, RELAIS_REPLY_FULL},
    };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (known[i].status == status)
            return known[i].reply;
    }
    return status >= 400 && status < 500 ? RELAIS_REPLY_BAD_REQUEST : RELAIS_REPLY_BROKEN;
}

static void append_message(const char *text, unsigned limit_mb, relais_buffer *out)
{
    const char *mark = strstr(text, LIMIT_MARK);

    if (mark == NULL) {
        relais_buffer_append_xml(out, text);
        return;
    }
    relais_buffer_append(out, text, (size_t)(mark - text));
    relais_buffer_append_format(out, "%u", limit_mb);
    relais_buffer_append_xml(out, mark + strlen(LIMIT_MARK));
}

void relais_reply_render(relais_reply reply, relais_language language, unsigned limit_mb,
                         relais_buffer *out)
{
    relais_buffer_append_format(
        out,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<OpenRosaResponse xmlns=\"http://openrosa.org/http/response\"><message nature=\"%s\">",
        reply == RELAIS_REPLY_RECEIVED ? "submit_success" : "error");
    append_message(answers[reply].text[language], limit_mb, out);
    relais_buffer_append_text(out, "</message></OpenRosaResponse>\n");
}
