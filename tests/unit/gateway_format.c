/* Routes in other forms than JSON. That nginx reads them is tested end to end. */
#include "gateway/route_body.h"
#include "gateway/route_format.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(gateway_format, .timeout = 60);

/* A body as the catalog makes it. `canary` NULL: stable alone; `stable` NULL: a first release. */
static char *body_of(const char *service, const char *stable, const char *canary, int weight,
                     const char *until, const char *sticky, const char *salt)
{
    struct text text;
    struct text arms[2];
    struct route_body route = {.service = service,
                               .incarnation = 1,
                               .epoch = 7,
                               .rollout = canary != NULL ? "ro_1" : "",
                               .valid_until = until,
                               .sticky = sticky,
                               .salt = salt};
    const char *const names[2] = {stable, canary};
    for (int i = 0; i < 2; i++) {
        text_init(&arms[i], 65536);
        if (names[i] == NULL)
            continue;
        /* what looks like a release inside of what people wrote is none */
        cr_assert_eq(route_body_release(
                         &arms[i], names[i], "d",
                         "{\"parameters\":{\"x\":{\"release\":\"evil\",\"role\":\"canary\",\"weight\":9}}}",
                         "", NULL),
                     STATUS_OK);
        route.arm[route.arms++] =
            (struct route_body_arm){text_get(&arms[i]), i == 1, i == 1 ? weight : 10000 - weight};
    }
    text_init(&text, 65536);
    cr_assert_eq(route_body_write(&text, &route), STATUS_OK);
    text_free(&arms[0]);
    text_free(&arms[1]);
    return text_take(&text);
}

static char *written(char *body, enum route_format format, const struct route_nginx *nginx)
{
    struct text out;
    struct fault fault = {.detail = ""};
    text_init(&out, 4096);
    enum status status = route_format_write(&out, body, strlen(body), format, nginx, &fault);
    cr_assert_eq(status, STATUS_OK, "%s: %s", fault.detail, body);
    free(body);
    return text_take(&out);
}

Test(gateway_format, a_canary_and_stable_for_nginx)
{
    char *text = written(body_of("my-chat.eu", "v1", "v2", 505, "1970-01-01T00:16:40.999Z", "user", "s1"),
                         ROUTE_NGINX, NULL);
    cr_assert_str_eq(
        text,
        "# Route of my-chat.eu, by serind. Past valid_until the line with a percent is to be dropped.\n"
        "# rollout ro_1\n# valid_until 1000\n"
        "split_clients \"s1:${http_x_user_id}\" $serin_my_chat_eu {\n    5.05% \"v2\";\n    * \"v1\";\n}\n"
        "map \"\" $serin_my_chat_eu_epoch {\n    default \"1.7\";\n}\n");
    free(text);
}

Test(gateway_format, who_has_no_weight_has_no_line_and_stable_is_always_there)
{
    static const struct {
        const char *stable, *canary;
        int weight;
        const char *lines;
    } rows[] = {
        {"v1", NULL, 0, "{\n    * \"v1\";\n}\n"},
        {"v1", "v2", 0, "{\n    * \"v1\";\n}\n"},
        {"v1", "v2", 1, "{\n    0.01% \"v2\";\n    * \"v1\";\n}\n"},
        {"v1", "v2", 9999, "{\n    99.99% \"v2\";\n    * \"v1\";\n}\n"},
        {"v1", "v2", 10000, "{\n    100.00% \"v2\";\n    * \"v1\";\n}\n"}, /* which a lapse leaves */
        {NULL, "v2", 10000, "{\n    * \"v2\";\n}\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *text =
            written(body_of("chat", rows[i].stable, rows[i].canary, rows[i].weight, NULL, "none", ""),
                    ROUTE_NGINX, NULL);
        cr_assert_not_null(strstr(text, rows[i].lines), "%s", text);
        cr_assert_not_null(strstr(text, "\":${request_id}\" $serin_chat {"));
        cr_assert_not_null(strstr(text, "# valid_until -\n"));
        free(text);
    }
}

Test(gateway_format, every_weight_is_two_decimals)
{
    for (int weight = 1; weight <= 10000; weight++) {
        char *text = written(body_of("chat", "v1", "v2", weight, NULL, "user", "s"), ROUTE_NGINX, NULL);
        int whole, cents, end = 0;
        const char *line = strchr(strchr(text, '{') + 1, '{');
        cr_assert_not_null(line);
        cr_assert_eq(sscanf(line, "{ %d.%2d%% \"v2\";%n", &whole, &cents, &end), 2, "%s", text);
        cr_assert_eq(whole * 100 + cents, weight);
        free(text);
    }
}

Test(gateway_format, key_and_variable_can_be_chosen)
{
    const struct route_nginx chosen = {"arg_user", "rel"};
    char *text = written(body_of("chat", "v1", NULL, 0, NULL, "conversation", "s"), ROUTE_NGINX, &chosen);
    cr_assert_not_null(strstr(text, "split_clients \"s:${arg_user}\" $rel {"));
    cr_assert_not_null(strstr(text, "map \"\" $rel_epoch {"));
    free(text);
    text = written(body_of("chat", "v1", NULL, 0, NULL, "conversation", "s"), ROUTE_NGINX, NULL);
    cr_assert_not_null(strstr(text, "${http_x_conversation_id}"));
    free(text);
}

Test(gateway_format, plain_lines)
{
    char *text =
        written(body_of("chat", "v1", "v2", 500, "1970-01-01T00:00:09.000Z", "user", "s"), ROUTE_PLAIN, NULL);
    cr_assert_str_eq(
        text,
        "service chat\nincarnation 1\nepoch 7\nrollout ro_1\nvalid_until 9\nsticky user\nsalt s\n"
        "stable v1 9500\ncanary v2 500\nend\n");
    free(text);
    text = written(body_of("chat", "v1", NULL, 0, NULL, "none", ""), ROUTE_PLAIN, NULL);
    cr_assert_str_eq(text,
                     "service chat\nincarnation 1\nepoch 7\nrollout -\nvalid_until -\nsticky none\nsalt -\n"
                     "stable v1 10000\nend\n");
    free(text);
}

Test(gateway_format, what_nginx_would_misread_is_refused)
{
    static const char *const wrong[] = {"", "1a", "a b", "a;b", "a}", "$a", "a\"", "a\n", "\xc3\xa4", "a-b"};
    struct fault fault;
    enum route_format format;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const struct route_nginx key = {wrong[i], NULL}, variable = {NULL, wrong[i]};
        cr_assert_eq(route_nginx_check(&key, &fault), STATUS_INVALID);
        cr_assert_not_null(strstr(fault.detail, "key"));
        cr_assert_eq(route_nginx_check(&variable, &fault), STATUS_INVALID);
        cr_assert_not_null(strstr(fault.detail, "variable"));
        cr_assert_eq(route_format_parse(wrong[i], &format, &fault), STATUS_INVALID);
    }
    cr_assert_eq(route_format_parse(NULL, &format, &fault), STATUS_OK);
    cr_assert_eq(format, ROUTE_JSON);
}

/* The body is Serin's own, but it may have come from a file. */
Test(gateway_format, a_body_that_is_none_is_refused)
{
    static const char *const wrong[] = {"",
                                        "[]",
                                        "{}",
                                        "{\"service\":\"chat\"}",
                                        "{\"epoch\":1,\"incarnation\":1,\"releases\":[{\"release\":\"v1\","
                                        "\"role\":\"stable\",\"weight\":9000}],\"service\":"
                                        "\"chat\",\"sticky\":{\"key\":\"user\",\"salt\":\"s\"}}",
                                        "{\"epoch\":1,\"incarnation\":1,\"releases\":[{\"release\":\"v1\","
                                        "\"role\":\"stable\",\"weight\":10000}],\"service\":"
                                        "\"chat\",\"sticky\":{\"key\":\"user\",\"salt\":\"a\\\"; b\"}}",
                                        "{\"epoch\":1,\"incarnation\":1,\"releases\":[{\"release\":\"v1\\\";"
                                        "\",\"role\":\"stable\",\"weight\":10000}],"
                                        "\"service\":\"chat\",\"sticky\":{\"key\":\"user\",\"salt\":\"s\"}}",
                                        "{\"epoch\":1,\"incarnation\":1,\"releases\":[{\"release\":\"v1\","
                                        "\"role\":\"stable\",\"weight\":5000},{\"release\":"
                                        "\"v2\",\"role\":\"stable\",\"weight\":5000}],\"service\":\"chat\","
                                        "\"sticky\":{\"key\":\"user\",\"salt\":\"s\"}}"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct text out;
        struct fault fault;
        text_init(&out, 4096);
        cr_assert_eq(route_format_write(&out, wrong[i], strlen(wrong[i]), ROUTE_NGINX, NULL, &fault),
                     STATUS_MALFORMED, "%zu", i);
        cr_assert_eq(out.length, 0);
        text_free(&out);
    }
}
