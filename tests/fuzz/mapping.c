/*
 * Any bytes as a mapping: reading must refuse or succeed, and what was read must run on a
 * submission, within its limits and without a word on standard error from libxml2.
 */
#include "transform/mapping.h"
#include "../unit/fake_target.h"

#include <libxml/parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ARENA_MAX = 64 * 1024 * 1024 };

static const char xml[] =
    "<data id='ident' version='2'><date>2026-03-02</date><a>A</a><b>B</b>"
    "<card><typed> </typed><made>123456789012</made></card>"
    "<consent><basis>co_self</basis><stats>oui</stats></consent>"
    "<person><sex>sx_f</sex><age>62.0</age><country>BFA</country></person>"
    "<acts>ac_recr ac_trpt</acts>"
    "<exploitation><form>ex_s</form><start>2025-11-17</start></exploitation>"
    "<exploitation><form>ex_s</form><start/><suffered>0</suffered></exploitation>"
    "<member kind='adult'><age>40</age><langs>mos dyu</langs><name>x</name></member>"
    "<photo>1.jpg</photo><meta><instanceID>uuid:1</instanceID></meta></data>";

static const relais_facts facts = {
    .submission = "00000000-0000-5000-8000-000000000001",
    .record = "uuid:1",
    .instance = "uuid:1",
    .form = "ident",
    .version = "2",
    .received = "2026-03-02T22:31:04.123Z",
    .user = "agent",
    .device = "collect:x",
};

static void run(relais_mapping *mapping)
{
    relais_arena *arena = relais_arena_create(ARENA_MAX);
    relais_submission submission = {0};
    relais_output output;
    relais_misfit misfit;
    relais_error err = {0};

    submission.doc = xmlReadMemory(xml, sizeof xml - 1, NULL, NULL, XML_PARSE_NONET);
    if (arena == NULL || submission.doc == NULL)
        abort();
    if (!relais_mapping_run(mapping, &submission, &facts, &fake_target, arena, &output, &misfit,
                            &err) &&
        err.code == RELAIS_ERR_DATA && (misfit.rule == NULL || misfit.path == NULL))
        abort();
    xmlFreeDoc(submission.doc);
    relais_arena_destroy(arena);
}

/* A secret that is none, and a certificate whose key nobody has: quick to seal to. */
static void read_secrets(relais_secrets *secrets)
{
    char name[] = "/tmp/relais-fuzz-secret-XXXXXX";
    const relais_secret_files files = {
        .keys = name, .key_version = 1, .certificate = RELAIS_SOURCE_DIR "/tests/fuzz/seal.crt"};
    relais_error err = {0};
    int fd = mkstemp(name);

    if (fd < 0 || write(fd, "0123456789abcdef0123456789abcdef", 32) != 32 || close(fd) != 0 ||
        !relais_secrets_read(&files, secrets, &err))
        abort();
    unlink(name);
}

static relais_secrets secrets;

int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    read_secrets(&secrets);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char file[64];
    relais_mapping *mapping;
    relais_error err = {0};
    FILE *stream;

    snprintf(file, sizeof file, "/dev/shm/relais-fuzz-mapping-%ld", (long)getpid());
    stream = fopen(file, "wbe");
    if (stream == NULL || fwrite(data, 1, size, stream) != size || fclose(stream) != 0)
        abort();
    if (relais_mapping_read(file, &mapping, &err)) {
        if (relais_mapping_bind(mapping, &fake_target, &secrets, &err))
            run(mapping);
        relais_mapping_free(mapping);
    } else if (err.code == RELAIS_ERR_NONE) {
        abort();
    }
    unlink(file);
    return 0;
}
