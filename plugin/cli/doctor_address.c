/*
 * The address as phones know it, asked as Collect asks: the certificate and its chain, the
 * form list, what HEAD submission announces, and whose clock is wrong.
 *
 * The chain is verified against this machine's authorities; a phone is stricter only where it
 * is older. protocol.md of the OpenRosa API: HEAD answers 204 with X-OpenRosa-Version.
 */
#include "cli/doctor.h"

#include "base/text.h"
#include "cli/speak.h"

#include <curl/curl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* A form list of hundreds of forms has some hundred kilobytes. */
enum { BODY_MAX = 8 * 1024 * 1024, SECONDS_MAX = 30, URL_MAX_BYTES = 4096 };

/* Collect's own clock is not used, but certificates and tokens are judged by it. */
#define SKEW_MAX 60.0

/* Let's Encrypt renews thirty days before the end; later than this something is stuck. */
enum { EXPIRY_DAYS = 14 };

/* One answer; headers that are not there are "". */
typedef struct answer {
    long status;
    relais_buffer body;
    char openrosa_version[16], accept_length[32], date[64], location[512], authenticate[128];
    char expires[64]; /* of the server's own certificate */
} answer;

/* ---- asking ------------------------------------------------------------------------------ */

static void take_header(answer *a, const char *name, const char *value, size_t length)
{
    const struct {
        const char *name;
        char *out;
        size_t size;
    } wanted[] = {
        {"x-openrosa-version", a->openrosa_version, sizeof a->openrosa_version},
        {"x-openrosa-accept-content-length", a->accept_length, sizeof a->accept_length},
        {"date", a->date, sizeof a->date},
        {"location", a->location, sizeof a->location},
        {"www-authenticate", a->authenticate, sizeof a->authenticate},
    };

    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        if (strcasecmp(wanted[i].name, name) == 0)
            snprintf(wanted[i].out, wanted[i].size, "%.*s", (int)length, value);
}

static size_t on_header(char *line, size_t size, size_t count, void *data)
{
    size_t length = size * count;
    const char *colon = memchr(line, ':', length), *value;
    char name[64];

    if (colon == NULL)
        return length;
    snprintf(name, sizeof name, "%.*s", (int)(colon - line), line);
    value = colon + 1;
    size = length - (size_t)(value - line);
    relais_trim(&value, &size);
    take_header(data, name, value, size);
    return length;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *data)
{
    answer *a = data;

    relais_buffer_append(&a->body, bytes, size * count);
    return a->body.failed == RELAIS_ERR_NONE ? size * count : 0;
}

static void take_expiry(CURL *curl, answer *a)
{
    struct curl_certinfo *chain = NULL;

    if (curl_easy_getinfo(curl, CURLINFO_CERTINFO, &chain) != CURLE_OK || chain == NULL ||
        chain->num_of_certs < 1)
        return;
    for (const struct curl_slist *line = chain->certinfo[0]; line != NULL; line = line->next)
        if (strncmp(line->data, "Expire date:", 12) == 0)
            snprintf(a->expires, sizeof a->expires, "%s", line->data + 12);
}

static CURLcode ask(const char *url, bool head, answer *a)
{
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = curl_slist_append(NULL, "X-OpenRosa-Version: 1.0");
    CURLcode code = CURLE_OUT_OF_MEMORY;

    memset(a, 0, sizeof *a);
    relais_buffer_init(&a->body, BODY_MAX);
    if (curl != NULL && headers != NULL) {
        curl_easy_setopt(curl, CURLOPT_URL, url);
        curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(curl, CURLOPT_NOBODY, head ? 1L : 0L);
        curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)SECONDS_MAX);
        if (getenv("SSL_CERT_FILE") != NULL) /* an authority of one's own, as for openssl */
            curl_easy_setopt(curl, CURLOPT_CAINFO, getenv("SSL_CERT_FILE"));
        curl_easy_setopt(curl, CURLOPT_CERTINFO, 1L);
        curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
        curl_easy_setopt(curl, CURLOPT_HEADERDATA, a);
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, a);
        code = curl_easy_perform(curl);
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &a->status);
        take_expiry(curl, a);
    }
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return code;
}

/* ---- judging ----------------------------------------------------------------------------- */

static void say_unreachable(relais_doctor *doctor, const char *url, CURLcode code)
{
    if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE) {
        relais_doctor_say(
            doctor, RELAIS_FINDING_FAULT,
            _("%s: the certificate's chain is not complete, not for this name, or out "
              "of date; phones refuse it."),
            url);
        relais_doctor_advise(doctor,
                             _("nginx: ssl_certificate must name the full chain (fullchain.pem)"));
        return;
    }
    relais_doctor_say(doctor, RELAIS_FINDING_FAULT, "%s: %s.", url, curl_easy_strerror(code));
}

static void check_expiry(relais_doctor *doctor, const answer *a)
{
    time_t until = a->expires[0] == '\0' ? -1 : curl_getdate(a->expires, NULL);
    double days = until < 0 ? 0 : difftime(until, time(NULL)) / 86400;

    if (until < 0)
        return;
    relais_doctor_say(doctor, days < EXPIRY_DAYS ? RELAIS_FINDING_WARN : RELAIS_FINDING_OK,
                      _("the certificate is whole and good for %.0f days."), days);
    if (days < EXPIRY_DAYS)
        relais_doctor_advise(doctor, "certbot renew --dry-run");
}

static void check_clock(relais_doctor *doctor, const answer *a)
{
    time_t said = a->date[0] == '\0' ? -1 : curl_getdate(a->date, NULL);
    double skew = said < 0 ? 0 : difftime(said, time(NULL));

    if (fabs(skew) <= SKEW_MAX)
        return;
    relais_doctor_say(doctor, RELAIS_FINDING_WARN,
                      _("the web server's clock is %.0f s from this machine's."), skew);
    relais_doctor_advise(doctor, "timedatectl set-ntp true");
}

static void check_names(relais_doctor *doctor, const char *url, const answer *a)
{
    bool is_basic = strncasecmp(a->authenticate, "Basic", 5) == 0;

    if (is_basic && strncasecmp(url, "https:", 6) != 0) {
        relais_doctor_say(doctor, RELAIS_FINDING_FAULT,
                          _("a name is asked for without https; Collect gives none there."));
        relais_doctor_advise(doctor, _("serve this address by https"));
        return;
    }
    relais_doctor_say(doctor, RELAIS_FINDING_OK,
                      _("it asks for a name; what it tells those who have one was not looked at."));
}

static void check_submission(relais_doctor *doctor, const char *url, const answer *a)
{
    if (a->status == 401) {
        check_names(doctor, url, a);
    } else if (a->status >= 300 && a->status < 400) {
        relais_doctor_say(
            doctor, RELAIS_FINDING_FAULT,
            _("HEAD is sent on to another address: %s. A phone does not follow a POST "
              "there."),
            a->location);
        relais_doctor_advise(doctor, _("give phones the last address"));
    } else if (a->status != 204 || a->openrosa_version[0] == '\0') {
        relais_doctor_say(doctor, RELAIS_FINDING_FAULT,
                          _("HEAD submission answers %ld%s; Collect wants 204 with "
                            "X-OpenRosa-Version."),
                          a->status,
                          a->openrosa_version[0] == '\0' ? _(" without X-OpenRosa-Version") : "");
    } else {
        relais_doctor_say(doctor, RELAIS_FINDING_OK,
                          _("submissions are taken, up to %s bytes of files in one request."),
                          a->accept_length[0] == '\0' ? "?" : a->accept_length);
    }
}

static void check_form_list(relais_doctor *doctor, const answer *a)
{
    const char *body = a->body.data == NULL ? "" : a->body.data;
    size_t forms = 0;

    if (a->status == 401)
        return;
    if (a->status != 200 || strstr(body, "xforms/xformsList") == NULL) {
        relais_doctor_say(doctor, RELAIS_FINDING_FAULT,
                          _("formList answers %ld, and is no form list: phones see no forms."),
                          a->status);
        return;
    }
    for (const char *at = body; (at = strstr(at, "<formID>")) != NULL; at++)
        forms++;
    relais_doctor_say(doctor, forms == 0 ? RELAIS_FINDING_WARN : RELAIS_FINDING_OK,
                      _("the form list has %zu forms."), forms);
}

static bool join(char *out, size_t size, const char *base, const char *leaf)
{
    size_t length = strlen(base);

    while (length > 0 && base[length - 1] == '/')
        length--;
    return (size_t)snprintf(out, size, "%.*s/%s", (int)length, base, leaf) < size;
}

void relais_doctor_address(relais_doctor *doctor)
{
    char url[URL_MAX_BYTES];
    answer a;
    CURLcode code;

    if (doctor->url == NULL) {
        relais_doctor_say(doctor, RELAIS_FINDING_NOTE,
                          _("the address that phones use was not looked at: --url https://…"));
        return;
    }
    if (!join(url, sizeof url, doctor->url, "submission"))
        return;
    code = ask(url, true, &a);
    if (code != CURLE_OK) {
        say_unreachable(doctor, url, code);
    } else {
        check_expiry(doctor, &a);
        check_clock(doctor, &a);
        check_submission(doctor, url, &a);
    }
    relais_buffer_free(&a.body);
    if (code != CURLE_OK || !join(url, sizeof url, doctor->url, "formList"))
        return;
    if (ask(url, false, &a) == CURLE_OK)
        check_form_list(doctor, &a);
    relais_buffer_free(&a.body);
}
