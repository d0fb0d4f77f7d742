/*
 * libcurl's easy interface behind a small door. See transfer.h.
 *
 * Each of the pulling threads has a handle of its own, so that a submission is fetched by
 * straight-line code and its parcel is written while other threads wait for the network;
 * durable writes are as slow as requests, and one event loop would do them one by one.
 */
#include "sources/transfer.h"

#include "openrosa/header.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* What is read of an answer that is not wanted, so that the connection can be used again. */
enum { UNWANTED_MAX = 256 * 1024 };

enum { CONNECT_SECONDS = 30 };

struct relais_transfer {
    const relais_site *site;
    CURL *easy;
    bool is_private;
    char text[CURL_ERROR_SIZE];
    /* of the transfer in hand: */
    const relais_ask *ask;
    const char *media_type;
    uint64_t received;
    bool is_judged, is_wanted;
    relais_error taking; /* what ask->take said, or why the answer is not wanted */
};

/* ---- callbacks --------------------------------------------------------------------------- */

static long status_of(const relais_transfer *transfer)
{
    long status = 0;

    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

static bool refuse_page(relais_transfer *transfer)
{
    return relais_error_set(&transfer->taking, RELAIS_ERR_DATA,
                            "the server answers a web page to %s; look whether url is right, and "
                            "whether a login or maintenance page stands in front",
                            transfer->ask->what);
}

/* With the first byte of the body, when status and headers are known. */
static void judge_headers(relais_transfer *transfer)
{
    char *media_type = NULL;

    curl_easy_getinfo(transfer->easy, CURLINFO_CONTENT_TYPE, &media_type);
    transfer->media_type = media_type == NULL ? "" : media_type;
    transfer->is_judged = true;
    transfer->is_wanted = status_of(transfer) == 200;
    if (transfer->is_wanted && transfer->ask->expect != RELAIS_EXPECT_PAGE &&
        relais_media_type_is(transfer->media_type, "text/html")) {
        refuse_page(transfer);
        transfer->is_wanted = false;
    }
}

static bool take_wanted(relais_transfer *transfer, const char *bytes, size_t length)
{
    const relais_ask *ask = transfer->ask;

    transfer->received += length;
    if (transfer->received > ask->maximum)
        return relais_error_set(&transfer->taking, RELAIS_ERR_LIMIT,
                                "the server's answer to %s is longer than %llu bytes", ask->what,
                                (unsigned long long)ask->maximum);
    return ask->take == NULL ||
           ask->take(ask->context, bytes, length, transfer->media_type, &transfer->taking);
}

/* libcurl's CURLOPT_WRITEFUNCTION: another number than `length` ends the transfer. */
static size_t take_bytes(char *bytes, size_t size, size_t count, void *context)
{
    relais_transfer *transfer = context;
    size_t length = size * count;

    if (!transfer->is_judged)
        judge_headers(transfer);
    if (transfer->is_wanted)
        return take_wanted(transfer, bytes, length) ? length : 0;
    transfer->received += length;
    return transfer->received <= UNWANTED_MAX ? length : 0;
}

/* libcurl's CURLOPT_XFERINFOFUNCTION: not 0 ends the transfer. */
static int is_to_stop(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const relais_transfer *transfer = context;

    (void)a, (void)b, (void)c, (void)d;
    return relais_site_is_stopped(transfer->site);
}

/* ---- the handle -------------------------------------------------------------------------- */

static void initialize_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static bool set_lasting(relais_transfer *transfer)
{
    CURL *easy = transfer->easy;
    const relais_source *source = transfer->site->source;

    return curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_USERAGENT, "relais/" RELAIS_VERSION) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)source->timeout) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->text) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_bytes) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, is_to_stop) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_XFERINFODATA, transfer) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L) == CURLE_OK;
}

relais_transfer *relais_transfer_create(const relais_site *site)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    relais_transfer *transfer = calloc(1, sizeof *transfer);

    if (transfer == NULL)
        return NULL;
    pthread_once(&once, initialize_curl);
    transfer->site = site;
    transfer->is_private = relais_address_is_private(site->source->url);
    transfer->easy = curl_easy_init();
    if (transfer->easy != NULL && set_lasting(transfer))
        return transfer;
    relais_transfer_destroy(transfer);
    return NULL;
}

void relais_transfer_destroy(relais_transfer *transfer)
{
    if (transfer == NULL)
        return;
    curl_easy_cleanup(transfer->easy);
    free(transfer);
}

/* ---- a request --------------------------------------------------------------------------- */

static bool add_line(struct curl_slist **lines, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*lines, line);

    if (longer == NULL)
        return false;
    *lines = longer;
    return true;
}

static bool make_lines(const relais_ask *ask, const char *authorization, struct curl_slist **lines)
{
    static const char *const accepts[] = {
        [RELAIS_EXPECT_JSON] = "Accept: application/json",
        [RELAIS_EXPECT_XML] = "Accept: application/xml, text/xml;q=0.9, */*;q=0.8",
        [RELAIS_EXPECT_PAGE] = "Accept: */*",
        [RELAIS_EXPECT_FILE] = "Accept: */*",
    };

    /* Without the OpenRosa header Aggregate speaks the form list of before 2011; the others do
     * not mind it. */
    return add_line(lines, accepts[ask->expect]) && add_line(lines, "X-OpenRosa-Version: 1.0") &&
           (ask->post == NULL || add_line(lines, "Content-Type: application/json")) &&
           (ask->post == NULL || add_line(lines, "Expect:")) &&
           (authorization[0] == '\0' || add_line(lines, authorization));
}

/* The lines hold a token. */
static void wipe_lines(struct curl_slist *lines)
{
    for (struct curl_slist *one = lines; one != NULL; one = one->next)
        explicit_bzero(one->data, strlen(one->data));
    curl_slist_free_all(lines);
}

/* User and password are libcurl's to show where there is no token: it answers challenges. */
static bool set_password(relais_transfer *transfer, bool is_shown)
{
    const relais_credentials *credentials = &transfer->site->credentials;
    bool has_own =
        is_shown && transfer->site->auth != RELAIS_AUTH_SESSION && credentials->token == NULL;
    long schemes =
        transfer->is_private ? (long)(CURLAUTH_BASIC | CURLAUTH_DIGEST) : (long)CURLAUTH_DIGEST;

    /* Where tokens are usual there is no challenge to wait for. */
    if (transfer->site->auth == RELAIS_AUTH_TOKEN)
        schemes = (long)CURLAUTH_BASIC;
    return curl_easy_setopt(transfer->easy, CURLOPT_HTTPAUTH, schemes) == CURLE_OK &&
           curl_easy_setopt(transfer->easy, CURLOPT_USERNAME, has_own ? credentials->user : NULL) ==
               CURLE_OK &&
           curl_easy_setopt(transfer->easy, CURLOPT_PASSWORD,
                            has_own ? credentials->password : NULL) == CURLE_OK;
}

static bool set_request(relais_transfer *transfer, const relais_address *address,
                        struct curl_slist *lines)
{
    const relais_ask *ask = transfer->ask;
    CURL *easy = transfer->easy;
    bool is_post = ask->post != NULL;

    /* A list shrinks to a tenth; what is kept byte for byte comes as it is. */
    return curl_easy_setopt(easy, CURLOPT_URL, address->url) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HTTPHEADER, lines) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING,
                            ask->expect == RELAIS_EXPECT_JSON ? "gzip" : NULL) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_POSTFIELDS, ask->post) == CURLE_OK &&
           curl_easy_setopt(easy, is_post ? CURLOPT_POST : CURLOPT_HTTPGET, 1L) == CURLE_OK &&
           set_password(transfer, address->is_own && !ask->is_login);
}

/* ---- the answer -------------------------------------------------------------------------- */

static const char *header(const relais_transfer *transfer, const char *name)
{
    struct curl_header *found;

    return curl_easy_header(transfer->easy, name, 0, CURLH_HEADER, -1, &found) == CURLHE_OK
               ? found->value
               : NULL;
}

/* Retry-After in seconds; a date there is read against the server's own clock. */
static double read_retry_after(const char *value, time_t date)
{
    char *end;
    double seconds;

    if (value == NULL)
        return 0;
    seconds = strtod(value, &end);
    if (end != value)
        return seconds > 0 ? seconds : 0;
    seconds = date == 0 ? 0 : difftime(curl_getdate(value, NULL), date);
    return seconds > 0 ? seconds : 0;
}

/* In HTTP/1 a body without a length and without chunks ends when the connection does, whether
 * it was whole or not. */
static bool has_known_end(const relais_transfer *transfer)
{
    curl_off_t length = -1;
    long version = 0;

    curl_easy_getinfo(transfer->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    curl_easy_getinfo(transfer->easy, CURLINFO_HTTP_VERSION, &version);
    return length >= 0 || version >= CURL_HTTP_VERSION_2_0 ||
           header(transfer, "Transfer-Encoding") != NULL;
}

static void read_reception(const relais_transfer *transfer, relais_reception *got)
{
    const char *date = header(transfer, "Date");
    time_t at = date == NULL ? 0 : curl_getdate(date, NULL);

    got->status = status_of(transfer);
    got->location = header(transfer, "Location");
    got->date = at > 0 ? at : 0;
    got->retry_after = read_retry_after(header(transfer, "Retry-After"), got->date);
}

static relais_transfer_end lose(const relais_transfer *transfer, relais_error *err)
{
    relais_error_set(err, RELAIS_ERR_TRANSIENT,
                     "the server does not answer to %s: %s; what has come so far is kept, pull "
                     "again later",
                     transfer->ask->what, transfer->text);
    return RELAIS_TRANSFER_LOST;
}

static relais_transfer_end lose_cut(const relais_transfer *transfer, relais_error *err)
{
    relais_error_set(err, RELAIS_ERR_TRANSIENT,
                     "the server's answer to %s is cut, or does not say where it ends; pull again "
                     "later",
                     transfer->ask->what);
    return RELAIS_TRANSFER_LOST;
}

static relais_transfer_end refuse_certificate(const relais_transfer *transfer, relais_error *err)
{
    relais_error_set(err, RELAIS_ERR_CONFIG,
                     "the server's certificate is not to be trusted: %s; install the authority's "
                     "certificate on this machine, or mend the server's",
                     transfer->text);
    return RELAIS_TRANSFER_REFUSED;
}

static relais_transfer_end judge(relais_transfer *transfer, CURLcode code, relais_error *err)
{
    if (transfer->taking.code != RELAIS_ERR_NONE) {
        *err = transfer->taking;
        return RELAIS_TRANSFER_REFUSED;
    }
    switch (code) {
    case CURLE_OK:
        if (status_of(transfer) == 200 && !has_known_end(transfer))
            return lose_cut(transfer, err);
        return RELAIS_TRANSFER_ANSWERED;
    case CURLE_WRITE_ERROR: /* enough was read of what nobody wants */
        return RELAIS_TRANSFER_ANSWERED;
    case CURLE_ABORTED_BY_CALLBACK:
        return RELAIS_TRANSFER_STOPPED;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        return refuse_certificate(transfer, err);
    case CURLE_PARTIAL_FILE:
    case CURLE_BAD_CONTENT_ENCODING:
        return lose_cut(transfer, err);
    default:
        return lose(transfer, err);
    }
}

relais_transfer_end relais_transfer_run(relais_transfer *transfer, const relais_ask *ask,
                                        const relais_address *address, const char *authorization,
                                        relais_reception *got, relais_error *err)
{
    struct curl_slist *lines = NULL;
    relais_transfer_end end;
    CURLcode code;

    memset(got, 0, sizeof *got);
    transfer->ask = ask;
    transfer->received = 0;
    transfer->is_judged = transfer->is_wanted = false;
    transfer->text[0] = '\0';
    relais_error_clear(&transfer->taking);
    if (!make_lines(ask, authorization, &lines) || !set_request(transfer, address, lines)) {
        relais_error_set(err, RELAIS_ERR_MEMORY, "no memory left for a request");
        wipe_lines(lines);
        return RELAIS_TRANSFER_REFUSED;
    }
    code = curl_easy_perform(transfer->easy);
    if (transfer->text[0] == '\0')
        strncpy(transfer->text, curl_easy_strerror(code), sizeof transfer->text - 1);
    read_reception(transfer, got);
    end = judge(transfer, code, err);
    curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, NULL);
    wipe_lines(lines);
    return end;
}
