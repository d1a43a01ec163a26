/* Names of artifact versions. */
#include "cli/ref.h"

#include "base/spelling.h"
#include "cli/pick.h"

#include <stdlib.h>
#include <string.h>

static bool read_kind(const char *text, size_t length, enum spec_kind *out, char *problem, size_t size)
{
    char word[24];
    snprintf(word, sizeof word, "%.*s", (int)(length < 20 ? length : 20), text);
    if (spec_kind_parse(word, out)) {
        return true;
    }
    const char *near = spelling_nearest(word, spec_kind_names(), KIND_COUNT);
    if (near != NULL) {
        snprintf(problem, size, "\"%s\" is no kind of artifact; did you mean %s?", word, near);
    } else {
        snprintf(problem, size, "\"%s\" is no kind of artifact: prompt, tool, corpus or model", word);
    }
    return false;
}

static bool read_version(const char *text, struct ref *out, char *problem, size_t size)
{
    size_t length = strlen(text);
    bool number = length > 0 && length < 10 && strspn(text, "0123456789") == length && text[0] != '0';
    if (!number && strcmp(text, "latest") != 0) {
        snprintf(problem, size, "\"%.20s\" is no version: a number from 1, or latest", text);
        return false;
    }
    snprintf(out->version, sizeof out->version, "%s", text);
    return true;
}

static bool read_name(const char *text, size_t length, struct ref *out, char *problem, size_t size)
{
    char word[NAME_MAX_LENGTH + 2];
    snprintf(word, sizeof word, "%.*s", (int)(length <= NAME_MAX_LENGTH ? length : NAME_MAX_LENGTH + 1),
             text);
    if (!name_valid(word)) {
        snprintf(problem, size, "\"%s\" is no name of an artifact", word);
        return false;
    }
    memcpy(out->name, word, sizeof out->name);
    return true;
}

bool ref_parse(const char *text, struct ref *out, char *problem, size_t size)
{
    memset(out, 0, sizeof *out);
    size_t kind = strcspn(text, "/");
    if (text[kind] != '/') {
        snprintf(problem, size, "\"%.60s\" must be KIND/NAME or KIND/NAME@VERSION, such as prompt/system@3",
                 text);
        return false;
    }
    const char *name = text + kind + 1;
    size_t length = strcspn(name, "@");
    return read_kind(text, kind, &out->kind, problem, size) && read_name(name, length, out, problem, size) &&
           (name[length] == '\0' || read_version(name + length + 1, out, problem, size));
}

bool ref_of_words(struct cli *cli, const char *const *words, size_t count, struct ref *out)
{
    char problem[160];
    bool ok;
    if (strchr(words[0], '/') != NULL) {
        ok = ref_parse(words[0], out, problem, sizeof problem);
        if (ok && count > 1) {
            ok = false;
            snprintf(problem, sizeof problem, "\"%.40s\" is one word too many", words[1]);
        }
    } else if (count < 2) {
        ok = false;
        snprintf(problem, sizeof problem, "give KIND NAME, or KIND/NAME");
    } else {
        memset(out, 0, sizeof *out);
        ok = read_kind(words[0], strlen(words[0]), &out->kind, problem, sizeof problem) &&
             read_name(words[1], strlen(words[1]), out, problem, sizeof problem) &&
             (count < 3 || read_version(words[2], out, problem, sizeof problem));
    }
    if (!ok) {
        cli_usage(cli, "%s", problem);
    }
    return ok;
}

void ref_path(struct text *path, const struct ref *ref, const char *version)
{
    text_puts(path, "/v1/artifacts");
    client_path(path, spec_kind_name(ref->kind));
    client_path(path, ref->name);
    text_puts(path, "/versions");
    if (version != NULL) {
        client_path(path, version);
    }
}

int ref_resolve(struct cli *cli, const struct ref *ref, int64_t *version)
{
    struct client_answer answer;
    struct text path;
    if (ref->version[0] >= '1' && ref->version[0] <= '9') {
        *version = strtoll(ref->version, NULL, 10);
        return CLI_OK;
    }
    text_init(&path, 1024);
    ref_path(&path, ref, "latest");
    int code = cli_get(cli, text_get(&path), &answer);
    text_free(&path);
    if (code == CLI_OK) {
        *version = pick_integer(answer.json, "version");
        client_answer_free(&answer);
        if (*version < 1) {
            code = cli_refuse(cli, NULL, "the server did not say which version is the newest");
        }
    }
    return code;
}

struct json_object *ref_pin(const struct ref *ref, int64_t version)
{
    struct json_object *pin = json_object_new_object();
    cli_add_text(&pin, "kind", spec_kind_name(ref->kind));
    cli_add_text(&pin, "name", ref->name);
    cli_add(&pin, "version", json_object_new_int64(version));
    return pin;
}
