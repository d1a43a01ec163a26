/* What resources, spans, points and log records have in common: attributes become facts, and an identity. */
#pragma once

#include "sources/otlp.h"
#include "sources/otlp_message.h"

struct otlp_attributes {
    const struct otlp_body *body;
    const struct genai_names *names;
    struct genai_facts *facts;
    uint64_t *identity; /* two words, to which each attribute adds; NULL = not wanted */
};

/* One KeyValue. */
enum status otlp_take_attribute(const struct otlp_attributes *attributes,
                                const struct otlp_node *pair) MUST_CHECK;
/* One Resource, and one InstrumentationScope. */
enum status otlp_take_resource(const struct otlp_body *body, const struct genai_names *names,
                               const struct otlp_node *resource, struct otlp_origin *origin) MUST_CHECK;
enum status otlp_take_scope(const struct otlp_body *body, const struct otlp_node *scope,
                            struct otlp_origin *origin) MUST_CHECK;
/* An id of `bytes` bytes that is not all zeros. */
bool otlp_take_id(const struct otlp_value *value, uint8_t *out, size_t bytes);
