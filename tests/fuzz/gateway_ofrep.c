// SEES: gateway sources http store spec decision base
/* The input is the body of an evaluation, and, after the first NUL, the body of a route as a damaged file may
   hold it. Any of them is refused or evaluated; a key always gets the same release, past the lease never the
   canary of two, and the same JSON reads back. */
#include "base/digest.h"
#include "base/json.h"
#include "gateway/flag.h"
#include "gateway/ofrep_request.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char route[] =
    "{\"epoch\":8,\"incarnation\":1,\"releases\":[{\"release\":\"v1\",\"role\":\"stable\",\"weight\":9000},"
    "{\"release\":\"v2\",\"role\":\"canary\",\"weight\":1000}],\"rollout\":\"ro_1\",\"sticky\":{\"salt\":"
    "\"s\"}}";

static void check(bool good)
{
    if (!good)
        abort();
}

static void evaluate(const struct flag *flag, bool own, const char *key, size_t length)
{
    struct text out;
    for (int i = 0; i < 4; i++) {
        struct flag_answer answer = {"chat", 1, 8, i % 2 == 1, i / 2 == 1};
        const struct flag_arm *arm = flag_choose(flag, answer.lapsed, key, length);
        check(arm == flag_choose(flag, answer.lapsed, key, length));
        check(arm == &flag->arm[0] || (arm == &flag->arm[1] && flag->arms == 2 && !answer.lapsed));
        check(flag->arms == 1 || !answer.lapsed || !arm->canary);
        text_init(&out, 1 << 24);
        flag_put(&out, flag, arm, &answer);
        check(text_status(&out) == STATUS_OK);
        if (own) {
            struct json_object *parsed = NULL;
            check(json_parse(text_get(&out), out.length, &parsed, NULL) == STATUS_OK);
            json_object_put(parsed);
        }
        text_free(&out);
    }
}

static void try_flag(const char *body, size_t length, bool own, const char *key, size_t key_length)
{
    struct flag flag;
    flag_read(body, length, &flag);
    check(!own || flag.arms == 2);
    int32_t sum = 0;
    for (size_t i = 0; i < flag.arms; i++) {
        sum += flag.arm[i].weight;
        check(name_valid(flag.arm[i].release));
        check(flag.arm[i].value >= body && flag.arm[i].value + flag.arm[i].value_length <= body + length);
    }
    check(flag.arms == 0 || sum == 10000);
    if (flag.arms > 0)
        evaluate(&flag, own, key, key_length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ofrep_request request;
    const char *code = NULL;
    struct fault fault = {.status = STATUS_OK};
    const uint8_t *nul = size > 0 ? memchr(data, '\0', size) : NULL;
    size_t first = nul != NULL ? (size_t)(nul - data) : size;
    check(digest_start() == STATUS_OK);
    if (ofrep_request_read((const char *)data, first, &request, &code, &fault) != STATUS_OK) {
        check(code != NULL && fault.status != STATUS_OK && request.body == NULL);
    } else {
        check(request.key_length > 0);
        try_flag(route, sizeof route - 1, true, request.key, request.key_length);
        ofrep_request_free(&request);
    }
    if (nul != NULL)
        try_flag((const char *)nul + 1, size - first - 1, false, "user-1", 6);
    return 0;
}
