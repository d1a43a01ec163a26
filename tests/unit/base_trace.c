#include "base/trace_export.h"

#include "base/digest.h"
#include "base/json.h"
#include "base/meter.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char event[] = "ev_01M8542PXF8MERP9SF4FRBSGA6";

static void set_up(void)
{
    cr_assert_eq(digest_start(), STATUS_OK);
}

TestSuite(base_trace, .timeout = 60, .init = set_up);

/* The digits read in base 32 by another program:
   python3 -c 'n=0
   for c in "01M8542PXF8MERP9SF4FRBSGA6": n=n*32+"0123456789ABCDEFGHJKMNPQRSTVWXYZ".index(c)
   print("%032x" % n)' */
Test(base_trace, the_trace_is_the_events_id_in_hex)
{
    char trace[TRACE_ID_MAX];
    cr_assert(trace_of_event(event, trace));
    cr_assert_str_eq(trace, "01a20a415baf451d8b272f23f0bcc146");
    cr_assert(trace_of_event("ev_7ZZZZZZZZZZZZZZZZZZZZZZZZZ", trace));
    cr_assert_str_eq(trace, "ffffffffffffffffffffffffffffffff");
    cr_assert(trace_of_event("ev_00000000000000000000000001", trace));
    cr_assert_str_eq(trace, "00000000000000000000000000000001");
    cr_assert_not(trace_of_event("ro_01M8542PXF8MERP9SF4FRBSGA6", trace));
    cr_assert_str_eq(trace, "");
    cr_assert_not(trace_of_event("ev_8ZZZZZZZZZZZZZZZZZZZZZZZZZ", trace), "130 bits");
    cr_assert_not(trace_of_event("", trace));
    cr_assert_not(trace_of_event(NULL, trace));
}

Test(base_trace, spans_of_one_name_differ_by_what_they_are_of)
{
    char trace[TRACE_ID_MAX], a[TRACE_SPAN_MAX], b[TRACE_SPAN_MAX], c[TRACE_SPAN_MAX];
    trace_of_event(event, trace);
    trace_span_id(trace, "gateway.apply", "gw-1", a);
    trace_span_id(trace, "gateway.apply", "gw-2", b);
    trace_span_id(trace, "gateway.apply", "gw-1", c);
    cr_assert_str_neq(a, b);
    cr_assert_str_eq(a, c);
    cr_assert_eq(strspn(a, "0123456789abcdef"), 16);
}

Test(base_trace, traceparent_names_the_root_span)
{
    char parent[TRACE_PARENT_MAX], trace[TRACE_ID_MAX], span[TRACE_SPAN_MAX], wanted[TRACE_PARENT_MAX];
    trace_of_event(event, trace);
    trace_span_id(trace, TRACE_ROOT, NULL, span);
    cr_assert(trace_parent(event, true, parent));
    snprintf(wanted, sizeof wanted, "00-%s-%s-01", trace, span);
    cr_assert_str_eq(parent, wanted);
    cr_assert(trace_parent(event, false, parent));
    cr_assert_str_eq(parent + 53, "00");
    cr_assert_not(trace_parent("", true, parent));
    cr_assert_str_eq(parent, "");
}

Test(base_trace, a_span_is_json_whatever_its_texts_are)
{
    struct text out;
    struct fault fault;
    struct json_object *root = NULL, *value;
    struct trace_attribute attributes[] = {
        {"serin.reason", "a \"b\"\n\\ ü", 0}, {"serin.none", "", 0}, {"serin.n", NULL, -5}};
    struct trace_span span = {.event = event,
                              .name = "rollout.commit",
                              .begin = {1000000},
                              .end = {999999}, /* a clock that was set back */
                              .attribute = attributes,
                              .attributes = 3};
    text_init(&out, 4096);
    cr_assert(trace_put_span(&span, &out));
    cr_assert_eq(json_parse(text_get(&out), out.length, &root, &fault), STATUS_OK);
    cr_assert(json_object_object_get_ex(root, "endTimeUnixNano", &value));
    cr_assert_str_eq(json_object_get_string(value), "1000000000");
    cr_assert(json_object_object_get_ex(root, "parentSpanId", &value));
    cr_assert(json_object_object_get_ex(root, "attributes", &value));
    cr_assert_eq(json_object_array_length(value), 2);
    json_object_put(root);
    text_clear(&out);
    span.name = TRACE_ROOT;
    cr_assert(trace_put_span(&span, &out));
    cr_assert_null(strstr(text_get(&out), "parentSpanId"));
    span.event = "nothing";
    text_clear(&out);
    cr_assert_not(trace_put_span(&span, &out));
    cr_assert_eq(out.length, 0);
    text_free(&out);
}

Test(base_trace, headers_that_cannot_be_read_are_refused_without_being_shown)
{
    static const char *const bad[] = {"secret",     "=secret",    "a b=secret", "x=secret%0d%0aY: z",
                                      "x=secret%4", "x=secret%zz"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct fault fault;
        cr_assert_eq(trace_export_start("http://127.0.0.1:1/", bad[i], &fault), STATUS_INVALID, "%s", bad[i]);
        cr_assert_null(strstr(fault.detail, "secret"));
        trace_export_stop();
    }
    struct fault fault;
    cr_assert_eq(trace_export_start("127.0.0.1:4318", "", &fault), STATUS_INVALID);
}

Test(base_trace, when_it_is_off_nothing_happens)
{
    struct trace_span span = {.event = event, .name = TRACE_ROOT};
    trace_export(&span);
    cr_assert_not(trace_export_on());
    cr_assert_str_eq(trace_export_instance(), "");
    trace_export_stop();
}

static long count_of(const char *result)
{
    struct text out;
    char line[64];
    text_init(&out, 1 << 20);
    meter_write(&out, NULL, NULL);
    snprintf(line, sizeof line, "serin_trace_spans_total{result=\"%s\"} ", result);
    const char *at = strstr(text_get(&out), line);
    long count = at != NULL ? strtol(at + strlen(line), NULL, 10) : -1;
    text_free(&out);
    return count;
}

/* A collector that takes connections and never answers. */
Test(base_trace, who_gives_a_span_never_waits_and_what_does_not_fit_is_counted)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    struct fault fault;
    char url[64];
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    cr_assert_eq(listen(listener, 16), 0);
    cr_assert_eq(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/v1/traces", ntohs(address.sin_port));
    cr_assert_eq(trace_export_start(url, "a=b,c=%20d", &fault), STATUS_OK);
    struct trace_span span = {.event = event, .name = TRACE_ROOT};
    enum { GIVEN = 3 * TRACE_QUEUE_MAX };
    for (int i = 0; i < GIVEN; i++)
        trace_export(&span);
    long dropped = count_of("dropped");
    /* besides the queue, one batch is under way at most: its request is not answered */
    cr_assert_geq(dropped, GIVEN - TRACE_QUEUE_MAX - TRACE_BATCH_MAX);
    cr_assert_leq(dropped, GIVEN - TRACE_QUEUE_MAX);
    trace_export_stop();
    cr_assert_eq(count_of("failed") + dropped, GIVEN);
    cr_assert_eq(count_of("exported"), 0);
    close(listener);
}
