/* google.rpc.Status and the responses to exports, as protobuf and as JSON. */
#include "gateway/otlp_answer.h"

#include "base/json.h"
#include "gateway/answer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define PROTOBUF "application/x-protobuf"
#define JSON     "application/json"

enum { MESSAGE_MAX = 1024 };

bool otlp_is_protobuf(const struct request *request)
{
    const char *type = request_header(request, MHD_HTTP_HEADER_CONTENT_TYPE);
    size_t length = strlen(PROTOBUF);
    return type != NULL && strncasecmp(type, PROTOBUF, length) == 0 && strchr("; \t", type[length]) != NULL;
}

static void put_varint(struct text *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        text_putc(out, (char)(value | 0x80));
    text_putc(out, (char)value);
}

static void put_bytes(struct text *out, char tag, const char *bytes, size_t length)
{
    text_putc(out, tag);
    put_varint(out, length);
    text_add(out, bytes, length);
}

/* The number that gRPC has for it. */
static int rpc_code(enum status status)
{
    switch (status_http(status)) {
    case 401:
        return 16; /* UNAUTHENTICATED */
    case 403:
        return 7; /* PERMISSION_DENIED */
    case 405:
        return 12; /* UNIMPLEMENTED */
    case 429:
        return 8; /* RESOURCE_EXHAUSTED */
    case 500:
        return 13; /* INTERNAL */
    case 503:
        return 14; /* UNAVAILABLE */
    case 504:
        return 4; /* DEADLINE_EXCEEDED */
    default:
        return 3; /* INVALID_ARGUMENT */
    }
}

const char *otlp_put_fault(const struct request *request, const struct fault *fault, struct text *out)
{
    char message[MESSAGE_MAX];
    snprintf(message, sizeof message, "%s%s%s", fault->detail, fault->next_step[0] != '\0' ? ". " : "",
             fault->next_step);
    if (otlp_is_protobuf(request)) {
        text_putc(out, 0x08);
        put_varint(out, (uint64_t)rpc_code(fault->status));
        put_bytes(out, 0x12, message, strlen(message));
        return PROTOBUF;
    }
    text_printf(out, "{\"code\":%d,\"message\":", rpc_code(fault->status));
    json_put_string(out, message, strlen(message));
    text_putc(out, '}');
    return JSON;
}

static void put_partial(bool protobuf, const struct otlp_result *result, const char *message,
                        struct text *out)
{
    struct text partial;
    if (!protobuf) {
        text_puts(out, "{\"partialSuccess\":{");
        if (result->rejected > 0)
            text_printf(out, "\"%s\":\"%" PRId64 "\",", result->field, result->rejected);
        text_puts(out, "\"errorMessage\":");
        json_put_string(out, message, strlen(message));
        text_puts(out, "}}");
        return;
    }
    text_init(&partial, MESSAGE_MAX + 32);
    if (result->rejected > 0) {
        text_putc(&partial, 0x08);
        put_varint(&partial, (uint64_t)result->rejected);
    }
    put_bytes(&partial, 0x12, message, strlen(message));
    if (text_status(&partial) == STATUS_OK)
        put_bytes(out, 0x0a, partial.data, partial.length);
    text_free(&partial);
}

const char *otlp_put_result(bool protobuf, const struct otlp_result *result, struct text *out)
{
    char message[MESSAGE_MAX];
    if (result->rejected > 0)
        snprintf(message, sizeof message, "%" PRId64 " %s were not counted; the first: %s", result->rejected,
                 result->plural, result->reason);
    else
        snprintf(message, sizeof message, "%s", result->reason);
    if (result->reason[0] != '\0')
        put_partial(protobuf, result, message, out);
    else if (!protobuf)
        text_puts(out, "{}");
    return protobuf ? PROTOBUF : JSON;
}
