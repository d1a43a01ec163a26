/* The route table against the contract: every operation of the control port has a row and every row an
   operation, and the roles are those that the contract states. */
#include "control/control.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(control_routes, .timeout = 10);

Test(control_routes, table_is_well_formed)
{
    struct fault fault = {.detail = ""};
    cr_assert_eq(http_routes_check(control_routes, control_route_count, &fault), STATUS_OK, "%s",
                 fault.detail);
}

struct operation {
    enum http_method method;
    char path[256], role[32];
    bool gateway;
};

static void take_role(const char *line, char role[32])
{
    const char *at = strstr(line, "Role ");
    if (at == NULL || role[0] != '\0')
        return;
    size_t length = strcspn(at + 5, " .;,\n");
    cr_assert(length < 32);
    memcpy(role, at + 5, length);
    role[length] = '\0';
}

/* Reads the operations by the file's indentation. */
static size_t read_contract(struct operation *out, size_t max)
{
    char line[1024], path[256] = "";
    size_t count = 0;
    FILE *file = fopen(SERIN_TESTS_DIR "/../api/openapi.yaml", "r");
    cr_assert_not_null(file);
    while (fgets(line, sizeof line, file) != NULL && strncmp(line, "components:", 11) != 0) {
        if (strncmp(line, "  /", 3) == 0) {
            snprintf(path, sizeof path, "%s", line + 2);
            path[strcspn(path, ":\n")] = '\0';
            continue;
        }
        if (strncmp(line, "    ", 4) == 0 && line[4] != ' ' && path[0] != '\0') {
            char word[16] = "";
            for (size_t i = 0; i + 1 < sizeof word && line[4 + i] >= 'a' && line[4 + i] <= 'z'; i++)
                word[i] = (char)(line[4 + i] - 'a' + 'A');
            enum http_method method = http_method_parse(word);
            if (method == HTTP_METHODS)
                continue;
            cr_assert(count < max);
            out[count] = (struct operation){.method = method};
            snprintf(out[count].path, sizeof out[count].path, "%s", path);
            count++;
        } else if (count > 0) {
            if (strstr(line, "tags: [gateway") != NULL)
                out[count - 1].gateway = true;
            take_role(line, out[count - 1].role);
        }
    }
    fclose(file);
    return count;
}

static const struct http_route *row_of(const struct operation *operation)
{
    for (size_t i = 0; i < control_route_count; i++)
        if (control_routes[i].method == operation->method &&
            strcmp(control_routes[i].pattern, operation->path) == 0)
            return &control_routes[i];
    return NULL;
}

Test(control_routes, table_is_the_contract)
{
    static struct operation operations[128];
    size_t count = read_contract(operations, 128), ours = 0;
    for (size_t i = 0; i < count; i++) {
        const struct operation *one = &operations[i];
        const struct http_route *row = row_of(one);
        if (one->gateway)
            continue;
        ours++;
        cr_assert_not_null(row, "%s %s has no handler", http_method_name(one->method), one->path);
        const char *role = one->role[0] != '\0' ? one->role : "viewer";
        cr_assert_str_eq(control_role_name(row->min_role), role, "%s %s", http_method_name(one->method),
                         one->path);
    }
    cr_assert_eq(ours, control_route_count, "%zu operations in the contract, %zu rows", ours,
                 control_route_count);
}

Test(control_routes, roles_are_named)
{
    cr_assert_str_eq(control_role_name(ROLE_VIEWER), "viewer");
    cr_assert_str_eq(control_role_name(ROLE_ADMIN), "admin");
    cr_assert_str_eq(control_role_name(-1), "unknown");
    cr_assert_str_eq(control_role_name(ROLE_COUNT), "unknown");
}
