/* Settings: precedence, the file, tokens; and names of artifact versions. */
#include "cli/ref.h"
#include "cli/settings.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char home[64], path[128];
static struct settings settings;
static struct fault fault;

static void setup(void)
{
    snprintf(home, sizeof home, "/tmp/serin_home_XXXXXX");
    cr_assert_not_null(mkdtemp(home));
    setenv("XDG_CONFIG_HOME", home, 1);
    snprintf(path, sizeof path, "%s/serin", home);
    cr_assert_eq(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/serin/config", home);
    unsetenv("SERIN_URL");
    unsetenv("SERIN_TOKEN");
    unsetenv("SERIN_TOKEN_FILE");
    unsetenv("SERIN_CA_FILE");
    memset(&fault, 0, sizeof fault);
}

static void cleanup(void)
{
    unlink(path);
    snprintf(path, sizeof path, "%s/serin", home);
    rmdir(path);
    rmdir(home);
}

TestSuite(cli_settings, .init = setup, .fini = cleanup, .timeout = 10);

static void config(const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    fputs(text, file);
    fclose(file);
    cr_assert_eq(chmod(path, mode), 0);
}

Test(cli_settings, defaults_and_precedence)
{
    cr_assert_eq(settings_read(NULL, &settings, &fault), STATUS_OK, "%s", fault.detail);
    cr_assert_str_eq(settings.url, "http://127.0.0.1:8080");
    cr_assert_str_empty(settings.token);
    config("# mine\nurl = https://serin.example/base//\n\n token=abc\nca_file = /etc/ca.pem\n", 0600);
    cr_assert_eq(settings_read(NULL, &settings, &fault), STATUS_OK, "%s", fault.detail);
    cr_assert_str_eq(settings.url, "https://serin.example/base");
    cr_assert_str_eq(settings.token, "abc");
    cr_assert_str_eq(settings.ca_file, "/etc/ca.pem");
    cr_assert_str_empty(settings.warning);
    setenv("SERIN_URL", "http://env:1", 1);
    setenv("SERIN_TOKEN", "env", 1);
    cr_assert_eq(settings_read(NULL, &settings, &fault), STATUS_OK);
    cr_assert_str_eq(settings.url, "http://env:1");
    cr_assert_str_eq(settings.token, "env");
    cr_assert_eq(settings_read("unix:/run/serin.sock", &settings, &fault), STATUS_OK);
    cr_assert_str_eq(settings.socket, "/run/serin.sock");
    cr_assert_eq(settings_read("unix:///run/serin.sock", &settings, &fault), STATUS_OK);
    cr_assert_str_eq(settings.socket, "/run/serin.sock");
}

Test(cli_settings, token_file)
{
    char token[160];
    config("token = of-the-config\n", 0600);
    snprintf(token, sizeof token, "%s/token", home);
    FILE *file = fopen(token, "w");
    cr_assert_not_null(file);
    fputs("of-the-file\n", file);
    fclose(file);
    setenv("SERIN_TOKEN_FILE", token, 1);
    cr_assert_eq(settings_read(NULL, &settings, &fault), STATUS_OK, "%s", fault.detail);
    cr_assert_str_eq(settings.token, "of-the-file", "the environment goes before the configuration");
    unlink(token);
    cr_assert_eq(settings_read(NULL, &settings, &fault), STATUS_INVALID);
    cr_assert_not_null(strstr(fault.detail, "token file"), "%s", fault.detail);
}

Test(cli_settings, mistakes_are_told)
{
    config("url = http://x\nurll = y\n", 0600);
    cr_assert_eq(settings_read(NULL, &settings, &fault), STATUS_INVALID);
    cr_assert_not_null(strstr(fault.detail, "config:2: unknown setting \"urll\", did you mean url"), "%s",
                       fault.detail);
    config("just words\n", 0600);
    cr_assert_eq(settings_read(NULL, &settings, &fault), STATUS_INVALID);
    config("token = a b\n", 0600);
    cr_assert_eq(settings_read(NULL, &settings, &fault), STATUS_INVALID);
    config("token = abc\n", 0644);
    cr_assert_eq(settings_read(NULL, &settings, &fault), STATUS_OK);
    cr_assert_not_null(strstr(settings.warning, "chmod 600"));
    cr_assert_eq(settings_read("gopher://x", &settings, &fault), STATUS_INVALID);
    cr_assert_eq(settings_read("unix:relative", &settings, &fault), STATUS_INVALID);
}

Test(cli_settings, names_of_versions)
{
    struct ref ref;
    char problem[160];
    cr_assert(ref_parse("prompt/system@12", &ref, problem, sizeof problem));
    cr_assert(ref.kind == KIND_PROMPT && strcmp(ref.name, "system") == 0 && strcmp(ref.version, "12") == 0);
    cr_assert(ref_parse("model/main", &ref, problem, sizeof problem) && ref.version[0] == '\0');
    cr_assert(ref_parse("tool/a.b-c@latest", &ref, problem, sizeof problem));
    static const char *const wrong[] = {
        "system",       "promt/x",   "prompt/",    "prompt/x@", "prompt/x@0",      "prompt/x@-1",
        "prompt/x@1.5", "prompt/-x", "prompt/a/b", "/x",        "prompt/x@LATEST", "prompt/x@9999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        problem[0] = '\0';
        cr_assert_not(ref_parse(wrong[i], &ref, problem, sizeof problem), "%s", wrong[i]);
        cr_assert_str_not_empty(problem);
    }
    ref_parse("promt/x", &ref, problem, sizeof problem);
    cr_assert_not_null(strstr(problem, "did you mean prompt?"));
}
