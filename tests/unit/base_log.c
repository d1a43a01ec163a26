/* Tests of the log: what really arrives on standard error. */
#include "base/json.h"
#include "base/log.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

TestSuite(base_log, .timeout = 10);

static int saved;
static FILE *file;
static char lines[65536];

static void capture(void)
{
    file = tmpfile();
    cr_assert_not_null(file);
    saved = dup(STDERR_FILENO);
    dup2(fileno(file), STDERR_FILENO);
}

static const char *captured(void)
{
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(file);
    lines[fread(lines, 1, sizeof lines - 1, file)] = '\0';
    fclose(file);
    return lines;
}

static struct json_object *only_line(void)
{
    struct json_object *line = NULL;
    const char *text = captured();
    cr_assert_eq(strchr(text, '\n'), text + strlen(text) - 1, "one line: %s", text);
    cr_assert_eq(json_parse(text, strlen(text), &line, NULL), STATUS_OK, "%s", text);
    return line;
}

static const char *member(struct json_object *line, const char *name)
{
    struct json_object *value = NULL;
    cr_assert(json_object_object_get_ex(line, name, &value), "%s", name);
    return json_object_get_string(value);
}

Test(base_log, event_is_a_line_of_json)
{
    capture();
    log_event(LOG_WARN, "store", "say \"so\"\n", "key", "caf\xC3\xA9", "none", (char *)NULL, NULL);
    struct json_object *line = only_line();
    cr_assert_str_eq(member(line, "level"), "warn");
    cr_assert_str_eq(member(line, "room"), "store");
    cr_assert_str_eq(member(line, "message"), "say \"so\"\n");
    cr_assert_str_eq(member(line, "key"), "caf\xC3\xA9");
    cr_assert_null(member(line, "none"));
    cr_assert_eq(strlen(member(line, "ts")), 24);
    json_object_put(line);
}

Test(base_log, levels_below_are_dropped)
{
    enum log_level level;
    capture();
    log_line(LOG_DEBUG, "x", "unseen");
    log_set_level(LOG_ERROR);
    log_line(LOG_WARN, "x", "unseen");
    log_event(LOG_WARN, "x", "unseen", NULL);
    log_line(LOG_ERROR, "x", "%d of %s", 3, "them");
    struct json_object *line = only_line();
    cr_assert_str_eq(member(line, "message"), "3 of them");
    json_object_put(line);
    cr_assert(log_parse_level("debug", &level) && level == LOG_DEBUG);
    cr_assert(log_parse_level("error", &level) && level == LOG_ERROR);
    cr_assert(!log_parse_level("ERROR", &level));
}

Test(base_log, too_long_is_cut_but_still_json)
{
    static char value[40000];
    memset(value, 'v', sizeof value - 1);
    capture();
    log_event(LOG_ERROR, "x", "big", "value", value, NULL);
    struct json_object *line = only_line();
    cr_assert_str_eq(member(line, "message"), "big");
    cr_assert_str_eq(member(line, "cut"), "true");
    json_object_put(line);
}
