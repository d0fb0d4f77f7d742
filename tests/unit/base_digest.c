/*
 * Digests against the vectors of RFC 6234 section 8.5, RFC 1321 A.5 and RFC 3174 section 7.3;
 * name-based ids against Python's uuid.uuid5 over the same name text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/digest.h"
#include "base/text.h"
#include "base/uuid.h"

#include <string.h>

/* Digests `text` repeated, fed `step` bytes at a time, and compares in hex. */
#define CHECK(kind, SIZE, text, repeats, step, expected)                                           \
    do {                                                                                           \
        relais_digest_state state_;                                                                \
        uint8_t out_[(SIZE)];                                                                      \
        char hex_[2 * (SIZE) + 1];                                                                 \
        relais_##kind##_begin(&state_);                                                            \
        for (size_t r_ = 0; r_ < (repeats); r_++)                                                  \
            for (size_t i_ = 0, n_; i_ < strlen(text); i_ += n_) {                                 \
                n_ = strlen(text) - i_ < (step) ? strlen(text) - i_ : (step);                      \
                relais_##kind##_add(&state_, &(text)[i_], n_);                                     \
            }                                                                                      \
        relais_##kind##_end(&state_, out_);                                                        \
        relais_hex(out_, (SIZE), hex_);                                                            \
        assert_string_equal(hex_, expected);                                                       \
    } while (0)

#define TWO_BLOCKS "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"

static void test_sha256(void **state)
{
    (void)state;
    CHECK(sha256, RELAIS_SHA256_SIZE, "", 1, 1,
          "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(sha256, RELAIS_SHA256_SIZE, "abc", 1, 3,
          "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(sha256, RELAIS_SHA256_SIZE, TWO_BLOCKS, 1, 7,
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    CHECK(sha256, RELAIS_SHA256_SIZE, "aaaaaaaaaa", 100000, 10,
          "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void test_md5(void **state)
{
    (void)state;
    CHECK(md5, RELAIS_MD5_SIZE, "", 1, 1, "d41d8cd98f00b204e9800998ecf8427e");
    CHECK(md5, RELAIS_MD5_SIZE, "message digest", 1, 5, "f96b697d7cb7938d525a2f31aaf161d0");
    CHECK(md5, RELAIS_MD5_SIZE, "1234567890", 8, 3, "57edf4a22be3c955ac49da2e2107b67a");
}

static void test_sha1(void **state)
{
    (void)state;
    CHECK(sha1, RELAIS_SHA1_SIZE, "abc", 1, 1, "a9993e364706816aba3e25717850c26c9cd0d89d");
    CHECK(sha1, RELAIS_SHA1_SIZE, TWO_BLOCKS, 1, 9, "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    CHECK(sha1, RELAIS_SHA1_SIZE, "aaaaaaaaaa", 100000, 10,
          "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
}

static void assert_uuid(const char *const *parts, size_t count, const char *expected)
{
    char text[RELAIS_UUID_TEXT_SIZE];

    relais_uuid5(parts, count, text);
    assert_string_equal(text, expected);
}

/* uuid5(uuid5(NAMESPACE_DNS, "relais.bf"), "10:submission12:bf_tip_ident6:uuid:1") and so on */
static void test_uuid5(void **state)
{
    static const char *const three[] = {"submission", "bf_tip_ident", "uuid:1"};
    static const char *const ab_c[] = {"ab", "c"}, *const a_bc[] = {"a", "bc"};
    static const char *const accent[] = {"\xc3\xa9"};

    (void)state;
    assert_uuid(three, 3, "31f61b34-4a9b-580d-aa6f-61784d1f430f");
    assert_uuid(NULL, 0, "ce5808d2-7686-5f05-8c34-c4e62db8fa6b");
    assert_uuid(ab_c, 2, "251209be-2dd4-5a6f-8f25-c4183a168ba7");
    assert_uuid(a_bc, 2, "0715a4cf-5ff4-5f9b-8a67-68b90da1e3d3");
    assert_uuid(accent, 1, "2f41482a-7117-52ec-89dd-925bfdbe61fb");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha256),
        cmocka_unit_test(test_md5),
        cmocka_unit_test(test_sha1),
        cmocka_unit_test(test_uuid5),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
