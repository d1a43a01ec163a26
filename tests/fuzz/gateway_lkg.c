// SEES: gateway sources http store spec decision base
/* Any file of last known good routes is refused or usable, and what is usable is written back as it was read.
   The input lacks its checksum, which is put behind it, since no fuzzer finds one. */
#include "base/digest.h"
#include "gateway/lkg.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct wall_time wall = {1700000000000000};
    const struct mono_time mono = {1000000};
    struct snapshot *snapshot = NULL;
    struct text coded;
    struct digest sum = digest_sha256(data, size);
    char *file = malloc(size + sizeof sum.bytes);
    if (file == NULL)
        return 0;
    if (size > 0)
        memcpy(file, data, size);
    memcpy(file + size, sum.bytes, sizeof sum.bytes);
    if (lkg_decode(file, size + sizeof sum.bytes, wall, mono, &snapshot, NULL) == STATUS_OK) {
        for (size_t i = 0; i < snapshot->services; i++) {
            const struct service_view *view = snapshot->service[i];
            if (snapshot_find(snapshot, view->name) != view ||
                (view->routed && service_view_form(view, wall, mono)->fresh == NULL))
                abort();
        }
        text_init(&coded, 1 << 26);
        if (lkg_encode(snapshot, &coded) != STATUS_OK || coded.length != size + sizeof sum.bytes ||
            memcmp(coded.data, file, coded.length) != 0)
            abort();
        text_free(&coded);
    } else if (snapshot != NULL) {
        abort();
    }
    snapshot_unref(snapshot);
    free(file);
    return 0;
}
