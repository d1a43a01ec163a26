/* Settings from the command line, the environment and one small file. */
#include "cli/settings.h"

#include "base/spelling.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const names[] = {"url", "token", "token_file", "ca_file"};

enum name { NAME_URL, NAME_TOKEN, NAME_TOKEN_FILE, NAME_CA_FILE, NAME_COUNT };

struct values {
    char of[NAME_COUNT][SETTINGS_PATH_MAX];
};

/* Cuts white space at both ends; returns the beginning. */
static char *trim(char *text)
{
    size_t length = strlen(text);
    while (length > 0 && strchr(" \t\r\n", text[length - 1]) != NULL) {
        text[--length] = '\0';
    }
    return text + strspn(text, " \t");
}

/* A setting that cannot be used, with what to do. */
__attribute__((format(printf, 3, 4))) static enum status wrong(struct fault *fault, const char *next,
                                                               const char *format, ...)
{
    char text[480];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fault_set(fault, STATUS_INVALID, "%s", text);
    fault_next(fault, "%s", next);
    return STATUS_INVALID;
}

static enum status read_line(struct values *values, char *line, const char *path, int number,
                             struct fault *fault)
{
    char *text = trim(line);
    if (text[0] == '\0' || text[0] == '#') {
        return STATUS_OK;
    }
    char *equals = strchr(text, '=');
    if (equals == NULL) {
        return wrong(fault, "Write it so, such as: url = https://serin.example.com",
                     "%s:%d: not of the form name = value", path, number);
    }
    *equals = '\0';
    const char *name = trim(text);
    const char *value = trim(equals + 1);
    for (int i = 0; i < NAME_COUNT; i++) {
        if (strcmp(names[i], name) == 0) {
            if (strlen(value) >= sizeof values->of[i]) {
                return wrong(fault, "Shorten it, or put a token into a file and name that with token_file.",
                             "%s:%d: the value is too long", path, number);
            }
            memcpy(values->of[i], value, strlen(value) + 1);
            return STATUS_OK;
        }
    }
    const char *near = spelling_nearest(name, names, NAME_COUNT);
    return wrong(fault, "Rename it, or put # before the line.",
                 "%s:%d: unknown setting \"%.40s\"%s%s; there are url, token, token_file and ca_file", path,
                 number, name, near != NULL ? ", did you mean " : "", near != NULL ? near : "");
}

static enum status read_file(struct values *values, struct settings *out, struct fault *fault)
{
    char path[SETTINGS_PATH_MAX], line[2 * SETTINGS_PATH_MAX];
    const char *folder = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    enum status status = STATUS_OK;
    struct stat about;
    if (folder != NULL && folder[0] == '/') {
        snprintf(path, sizeof path, "%s/serin/config", folder);
    } else if (home != NULL) {
        snprintf(path, sizeof path, "%s/.config/serin/config", home);
    } else {
        return STATUS_OK;
    }
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return errno == ENOENT || errno == ENOTDIR
                   ? STATUS_OK
                   : wrong(fault, "Make it readable for you, or remove it.", "%s: %s", path, strerror(errno));
    }
    for (int number = 1; status == STATUS_OK && fgets(line, sizeof line, file) != NULL; number++) {
        status = read_line(values, line, path, number, fault);
    }
    if (status == STATUS_OK && ferror(file)) {
        status = wrong(fault, "Make it a readable file, or remove it.", "%s: cannot be read", path);
    }
    if (values->of[NAME_TOKEN][0] != '\0' && fstat(fileno(file), &about) == 0 && (about.st_mode & 077) != 0) {
        snprintf(out->warning, sizeof out->warning, "%.120s holds a token and others can read it: chmod 600",
                 path);
    }
    fclose(file);
    return status;
}

static void from_environment(char *value, size_t size, const char *variable)
{
    const char *text = getenv(variable);
    if (text != NULL && text[0] != '\0') {
        snprintf(value, size, "%s", text);
    }
}

static enum status check_token(const char *token, const char *where, struct settings *out,
                               struct fault *fault)
{
    for (const char *at = token; *at != '\0'; at++) {
        if (*at <= ' ' || *at > '~') {
            return wrong(fault, "Give the token as 'serin token create' printed it, on one line.",
                         "%s holds something that cannot be a token", where);
        }
    }
    if (strlen(token) >= sizeof out->token) {
        return wrong(fault, "Give the token as 'serin token create' printed it, on one line.",
                     "%s: the token is too long", where);
    }
    memcpy(out->token, token, strlen(token) + 1);
    return STATUS_OK;
}

static enum status read_token_file(const char *path, struct settings *out, struct fault *fault)
{
    char line[2 * SETTINGS_TOKEN_MAX];
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return wrong(fault, "Name a file that you can read in SERIN_TOKEN_FILE.", "token file %s: %s", path,
                     strerror(errno));
    }
    bool ok = fgets(line, sizeof line, file) != NULL;
    fclose(file);
    if (!ok) {
        return wrong(fault, "Put the token into its first line.", "token file %s: empty or unreadable", path);
    }
    return check_token(trim(line), path, out, fault);
}

static enum status read_url(const char *url, struct settings *out, struct fault *fault)
{
    if (strncmp(url, "unix:", 5) == 0) {
        const char *path = url + 5 + (strncmp(url + 5, "///", 3) == 0 ? 2 : 0);
        if (path[0] != '/' || strlen(path) >= sizeof out->socket) {
            return wrong(fault, "Write unix: and the whole path of the socket, from / on.",
                         "the URL %.200s does not name a socket: unix:/path", url);
        }
        memcpy(out->socket, path, strlen(path) + 1);
        snprintf(out->url, sizeof out->url, "http://localhost");
        return STATUS_OK;
    }
    if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0) {
        return wrong(fault, "Write it whole, such as http://127.0.0.1:8080, in SERIN_URL or --url.",
                     "the URL %.200s must begin with http://, https:// or unix:", url);
    }
    size_t length = strlen(url);
    while (length > 0 && url[length - 1] == '/') {
        length--;
    }
    if (length >= sizeof out->url) {
        return wrong(fault, "Give the server's address alone, without a path.", "the URL is too long");
    }
    memcpy(out->url, url, length);
    out->url[length] = '\0';
    return STATUS_OK;
}

enum status settings_read(const char *url, struct settings *out, struct fault *fault)
{
    static const char *const variables[NAME_COUNT] = {"SERIN_URL", "SERIN_TOKEN", "SERIN_TOKEN_FILE",
                                                      "SERIN_CA_FILE"};
    struct values values = {0};
    *out = (struct settings){0};
    enum status status = read_file(&values, out, fault);
    if (status != STATUS_OK) {
        return status;
    }
    for (int i = 0; i < NAME_COUNT; i++) {
        from_environment(values.of[i], sizeof values.of[i], variables[i]);
    }
    if (getenv("SERIN_TOKEN_FILE") != NULL && getenv("SERIN_TOKEN") == NULL) {
        values.of[NAME_TOKEN][0] =
            '\0'; /* the environment's file goes before the token of the configuration */
    }
    status = read_url(url != NULL                      ? url
                      : values.of[NAME_URL][0] != '\0' ? values.of[NAME_URL]
                                                       : "http://127.0.0.1:8080",
                      out, fault);
    if (status == STATUS_OK && values.of[NAME_TOKEN][0] != '\0') {
        status = check_token(values.of[NAME_TOKEN], "SERIN_TOKEN or the configuration", out, fault);
    } else if (status == STATUS_OK && values.of[NAME_TOKEN_FILE][0] != '\0') {
        status = read_token_file(values.of[NAME_TOKEN_FILE], out, fault);
    }
    memcpy(out->ca_file, values.of[NAME_CA_FILE], sizeof out->ca_file);
    return status;
}
