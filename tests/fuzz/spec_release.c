// SEES: base decision spec
/* Fuzzes the readers of releases and artifact versions: what they accept keeps the rules, what they refuse
   has a reason. */
#include "base/json.h"
#include "spec/release.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct spec_release *release)
{
    int models = 0;
    if (!name_valid(release->name) || release->pins == 0 || release->pins > RELEASE_PINS_MAX) {
        abort();
    }
    for (size_t i = 0; i < release->pins; i++) {
        models += release->pin[i].kind == KIND_MODEL ? 1 : 0;
        if (!name_valid(release->pin[i].name) || release->pin[i].version < 1) {
            abort();
        }
    }
    if (models != 1 || release->parameters == NULL || strlen(release->changelog) > 80000) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_object *document = NULL;
    struct spec_release release;
    struct spec_version version;
    struct fault fault = {0};
    if (json_parse((const char *)data, size, &document, &fault) != STATUS_OK) {
        return 0;
    }
    if (spec_read_release(document, "", &release, &fault) == STATUS_OK) {
        check(&release);
        spec_release_free(&release);
    } else if (fault.errors == 0) {
        abort();
    }
    for (enum spec_kind kind = 0; kind < KIND_COUNT; kind++) {
        if (spec_read_version(document, kind, "", &version, NULL) == STATUS_OK && version.content == NULL) {
            abort();
        }
    }
    json_object_put(document);
    return 0;
}
