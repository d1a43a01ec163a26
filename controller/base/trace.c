/* Ids of traces and spans, and a span as OTLP/JSON. */
#include "base/trace.h"

#include "base/digest.h"
#include "base/id.h"
#include "base/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char base32[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ", hex[] = "0123456789abcdef";

static void put_hex(const uint8_t *bytes, size_t count, char *out)
{
    for (size_t i = 0; i < count; i++) {
        *out++ = hex[bytes[i] >> 4];
        *out++ = hex[bytes[i] & 15];
    }
    *out = '\0';
}

bool trace_of_event(const char *event, char out[TRACE_ID_MAX])
{
    uint8_t bytes[16] = {0};
    out[0] = '\0';
    if (event == NULL || !id_valid("ev", event))
        return false;
    for (const char *at = event + 3; *at != '\0'; at++) { /* 26 digits of 5 bits; the first two bits are 0 */
        unsigned carry = (unsigned)(strchr(base32, *at) - base32);
        for (size_t i = sizeof bytes; i-- > 0;) {
            carry |= (unsigned)bytes[i] << 5;
            bytes[i] = (uint8_t)carry;
            carry >>= 8;
        }
    }
    put_hex(bytes, sizeof bytes, out);
    return true;
}

char *trace_span_id(const char *trace, const char *name, const char *which, char out[TRACE_SPAN_MAX])
{
    char whole[512];
    int length = snprintf(whole, sizeof whole, "%s %s %s", trace, name, which != NULL ? which : "");
    struct digest digest =
        digest_sha256(whole, (size_t)length < sizeof whole ? (size_t)length : sizeof whole - 1);
    put_hex(digest.bytes, 8, out);
    return out;
}

bool trace_parent(const char *event, bool sampled, char out[TRACE_PARENT_MAX])
{
    char trace[TRACE_ID_MAX], span[TRACE_SPAN_MAX];
    out[0] = '\0';
    if (!trace_of_event(event, trace))
        return false;
    snprintf(out, TRACE_PARENT_MAX, "00-%s-%s-%s", trace, trace_span_id(trace, TRACE_ROOT, NULL, span),
             sampled ? "01" : "00");
    return true;
}

static void put_attributes(const struct trace_span *span, struct text *out)
{
    bool first = true;
    text_puts(out, "\"attributes\":[");
    for (size_t i = 0; i < span->attributes; i++) {
        const struct trace_attribute *attribute = &span->attribute[i];
        if (attribute->text != NULL && attribute->text[0] == '\0')
            continue;
        text_printf(out, "%s{\"key\":\"%s\",\"value\":{", first ? "" : ",", attribute->name);
        if (attribute->text != NULL) {
            text_puts(out, "\"stringValue\":");
            json_put_string(out, attribute->text, strlen(attribute->text));
        } else {
            text_printf(out, "\"intValue\":\"%" PRId64 "\"", attribute->number);
        }
        text_puts(out, "}}");
        first = false;
    }
    text_putc(out, ']');
}

bool trace_put_span(const struct trace_span *span, struct text *out)
{
    char trace[TRACE_ID_MAX], id[TRACE_SPAN_MAX], parent[TRACE_SPAN_MAX];
    if (!trace_of_event(span->event, trace))
        return false;
    bool root = strcmp(span->name, TRACE_ROOT) == 0;
    trace_span_id(trace, span->name, span->which, id);
    trace_span_id(trace, span->parent != NULL ? span->parent : TRACE_ROOT, span->parent_which, parent);
    text_printf(out, "{\"traceId\":\"%s\",\"spanId\":\"%s\",", trace, id);
    if (!root)
        text_printf(out, "\"parentSpanId\":\"%s\",", parent);
    text_printf(out,
                "\"name\":\"%s\",\"kind\":1,\"startTimeUnixNano\":\"%" PRId64
                "000\",\"endTimeUnixNano\":\"%" PRId64 "000\",",
                span->name, span->begin.us, span->end.us > span->begin.us ? span->end.us : span->begin.us);
    put_attributes(span, out);
    text_putc(out, '}');
    return true;
}
