/* Tests of requests, responses and problems, without a server. */
#include "base/json.h"
#include "http/message.h"
#include "http/problem.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(http_message, .timeout = 10);

Test(http_message, methods)
{
    for (int i = 0; i < HTTP_METHODS; i++) {
        cr_assert_eq((int)http_method_parse(http_method_name((enum http_method)i)), i);
    }
    cr_assert_eq(http_method_parse("HEAD"), HTTP_GET);
    cr_assert_eq(http_method_parse("get"), HTTP_METHODS);
    cr_assert_eq(http_method_parse("TRACE"), HTTP_METHODS);
    cr_assert_null(http_method_name(HTTP_METHODS));
}

Test(http_message, headers_whatever_their_case)
{
    const struct http_pair header[] = {{"Content-Type", "a/b"}, {"x-y", "1"}};
    const struct http_request request = {.header = header, .headers = 2};
    cr_assert_str_eq(http_header(&request, "content-TYPE"), "a/b");
    cr_assert_str_eq(http_header(&request, "X-Y"), "1");
    cr_assert_null(http_header(&request, "X"));
}

Test(http_message, unknown_query_parameters)
{
    static const char *const known[] = {"limit", "phase", NULL};
    static const char *const none[] = {NULL};
    struct fault fault = {0};
    struct http_query query;
    struct http_request request = {.query = &query};
    cr_assert_eq(http_query_parse(&query, "limit=1&phaze=x", &fault), STATUS_OK);
    cr_assert_str_eq(http_query(&request, "limit"), "1");
    cr_assert_null(http_query(&request, "phase"));
    cr_assert_eq(http_query_only(&request, known, &fault), STATUS_INVALID);
    cr_assert_str_eq(fault.detail, "unknown query parameter \"phaze\"");
    cr_assert_str_eq(fault.next_step, "Did you mean \"phase\"?");
    cr_assert_eq(http_query_only(&request, none, &fault), STATUS_INVALID);
    cr_assert_str_eq(fault.next_step, "This path takes no query parameters.");
    http_query_free(&query);
    request.query = NULL;
    cr_assert_eq(http_query_only(&request, none, &fault), STATUS_OK);
    cr_assert_null(http_query(&request, "limit"));
}

Test(http_message, request_ids)
{
    char id[70];
    memset(id, 'a', sizeof id);
    id[64] = '\0';
    cr_assert(http_request_id_valid(id));
    id[64] = 'a';
    id[65] = '\0';
    cr_assert(!http_request_id_valid(id));
    cr_assert(http_request_id_valid("A.b_c-9"));
    cr_assert(!http_request_id_valid(""));
    cr_assert(!http_request_id_valid("a b"));
    cr_assert(!http_request_id_valid("a\r\nb"));
}

Test(http_message, response_headers)
{
    char wide[600];
    struct http_response response;
    memset(wide, 'x', sizeof wide - 1);
    wide[sizeof wide - 1] = '\0';
    http_response_init(&response, 100);
    cr_assert_eq(http_response_header(&response, "Location", "/v1/rollouts/%s", "ro_1"), STATUS_OK);
    cr_assert_eq(http_response_header(&response, "LOCATION", "/v1/x"), STATUS_OK);
    cr_assert_eq(response.extras, 1);
    cr_assert_str_eq(http_response_extra(&response, "location"), "/v1/x");
    cr_assert_eq(http_response_header(&response, "X-A", "a%sb", "\r\nSet-Cookie: c"), STATUS_INTERNAL);
    cr_assert_eq(http_response_header(&response, "X-A", "%s", wide), STATUS_INTERNAL);
    cr_assert_eq(http_response_header(&response, wide, "a"), STATUS_INTERNAL);
    cr_assert_null(http_response_extra(&response, "X-A"));
    for (int i = 1; i < HTTP_EXTRA_MAX; i++) {
        char name[8] = {'X', (char)('a' + i), '\0'};
        cr_assert_eq(http_response_header(&response, name, "1"), STATUS_OK);
    }
    cr_assert_eq(http_response_header(&response, "One-More", "1"), STATUS_INTERNAL);
    http_response_free(&response);
}

Test(http_message, json)
{
    struct http_response response;
    struct fault fault = {0};
    struct json_object *value = json_object_new_object();
    json_object_object_add(value, "b", json_object_new_double(0.1));
    json_object_object_add(value, "a", NULL);
    http_response_init(&response, 100);
    text_puts(&response.body, "old");
    cr_assert_eq(http_respond_json(&response, 201, value, &fault), STATUS_OK);
    cr_assert_str_eq(text_get(&response.body), "{\"b\":0.1,\"a\":null}");
    cr_assert_eq(response.status, 201);
    cr_assert_str_eq(response.content_type, "application/json");
    http_response_free(&response);
    http_response_init(&response, 3);
    cr_assert_eq(http_respond_json(&response, 200, json_object_new_string("long"), &fault), STATUS_INTERNAL);
    http_response_free(&response);
}

Test(http_message, problem)
{
    struct text out;
    struct fault fault = {0};
    text_init(&out, 4096);
    fault_at(&fault, "/steps/0/weight", "must be \"more\"");
    fault_at(&fault, "", "odd");
    fault_next(&fault, "Mend it.");
    http_problem_put(&out, &fault, "req_1");
    cr_assert_str_eq(
        text_get(&out),
        "{\"type\":\"https://serin.dev/problems/invalid\",\"title\":\"The content breaks a rule\","
        "\"status\":422,\"detail\":\"2 fields break a rule\",\"instance\":\"req_1\",\"errors\":["
        "{\"pointer\":\"/steps/0/weight\",\"detail\":\"must be \\\"more\\\"\"},"
        "{\"pointer\":\"\",\"detail\":\"odd\"}],\"next_step\":\"Mend it.\"}");
    text_clear(&out);
    fault = (struct fault){.status = STATUS_TIMEOUT};
    http_problem_put(&out, &fault, NULL);
    cr_assert_str_eq(text_get(&out),
                     "{\"type\":\"https://serin.dev/problems/timeout\",\"title\":\"It took too long\","
                     "\"status\":504,\"detail\":\"It took too long\"}");
    text_free(&out);
}

Test(http_message, fault_as_response)
{
    struct http_response response;
    struct fault fault = {0};
    http_response_init(&response, 4096);
    strcpy(response.etag, "\"1\"");
    text_puts(&response.body, "half an answer");
    fault_set(&fault, STATUS_DATABASE, "no answer in 2 s");
    http_respond_fault(&response, &fault, "req_1");
    cr_assert_eq(response.status, 503);
    cr_assert_str_eq(response.content_type, "application/problem+json");
    cr_assert_str_eq(response.etag, "");
    cr_assert_str_eq(http_response_extra(&response, "Retry-After"), "1");
    cr_assert_null(strstr(text_get(&response.body), "half"));
    http_response_free(&response);
    http_response_init(&response, 4096);
    fault_set(&fault, STATUS_UNAUTHENTICATED, "no token");
    http_respond_fault(&response, &fault, NULL);
    cr_assert_str_eq(http_response_extra(&response, "WWW-Authenticate"), "Bearer");
    cr_assert_null(http_response_extra(&response, "Retry-After"));
    http_response_free(&response);
}
