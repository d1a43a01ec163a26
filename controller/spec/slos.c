/* Service level objectives: JSON to struct and back. */
#include "spec/slos.h"

#include "spec/fields.h"

#include <string.h>

enum {
    PPM = 1000000,
    OBJECTIVE_DECIMALS = 4, /* of a percent: one ppm */
    PPM_OF_PERCENT = 10000,
    READ_MAX = 1000000000, /* read as a number, and then refused with the bounds */
    TIMEOUT_DEFAULT_MS = 60000,
    THRESHOLD_MAX_MS = 3600000,
    WINDOW_MIN_S = 3600,
    WINDOW_DEFAULT_S = 30 * 86400,
    WINDOW_MAX_S = 90 * 86400
};

static void read_threshold(struct json_fields *fields, enum sli sli, struct slo *slo)
{
    struct json_object *refused;
    switch (sli) {
    case SLI_TTFT:
    case SLI_LATENCY:
        json_fields_duration(fields, "threshold", JSON_REQUIRED, 1, THRESHOLD_MAX_MS, &slo->threshold_ms);
        return;
    case SLI_TIMEOUT:
        slo->threshold_ms = TIMEOUT_DEFAULT_MS;
        json_fields_duration(fields, "threshold", JSON_OPTIONAL, 1, THRESHOLD_MAX_MS, &slo->threshold_ms);
        return;
    default:
        if (json_fields_any(fields, "threshold", JSON_OPTIONAL, &refused)) {
            spec_wrong(fields, "threshold", "only ttft, latency and timeout have a threshold");
        }
    }
}

static enum status read_slo(struct json_object *value, enum sli sli, const char *pointer, struct slo *slo,
                            struct fault *fault)
{
    struct json_fields fields;
    int64_t ppm = 0;
    json_fields_open(&fields, value, pointer, fault);
    *slo = (struct slo){.used = true, .window_s = WINDOW_DEFAULT_S};
    if (spec_fields_decimal(&fields, "objective", JSON_REQUIRED, -READ_MAX, READ_MAX, OBJECTIVE_DECIMALS,
                            &ppm) &&
        (ppm <= 0 || ppm >= PPM)) {
        spec_wrong(&fields, "objective",
                   "must be above 0 and below 100: the percentage of requests that are good, such as 99.5");
        ppm = 0;
    }
    slo->objective_ppm = (int32_t)ppm;
    read_threshold(&fields, sli, slo);
    spec_fields_seconds(&fields, "window", WINDOW_MIN_S, WINDOW_MAX_S, &slo->window_s);
    return json_fields_close(&fields);
}

enum status spec_read_slos(struct json_object *value, const char *pointer, struct slos *out,
                           struct fault *fault)
{
    struct json_fields fields;
    int used = 0;
    memset(out, 0, sizeof *out);
    json_fields_open(&fields, value, pointer, fault);
    for (enum sli sli = 0; sli < SLI_COUNT; sli++) {
        struct json_object *slo;
        char at[128];
        if (!json_fields_any(&fields, sli_name(sli), JSON_OPTIONAL, &slo)) {
            continue;
        }
        json_fields_pointer(&fields, sli_name(sli), at);
        if (read_slo(slo, sli, at, &out->of[sli], fault) != STATUS_OK) {
            fields.failed = true;
        }
        used++;
    }
    enum status status = json_fields_close(&fields);
    if (status == STATUS_OK && used == 0) {
        status = fault_at(fault, pointer, "must have at least one SLI");
    }
    return status;
}

static struct json_object *write_slo(const struct slo *slo, enum sli sli)
{
    struct spec_writer writer;
    spec_writer_begin(&writer);
    spec_put_number(&writer, "objective", (double)slo->objective_ppm / PPM_OF_PERCENT);
    if (sli == SLI_TTFT || sli == SLI_LATENCY || sli == SLI_TIMEOUT) {
        spec_put_ms(&writer, "threshold", slo->threshold_ms);
    }
    spec_put_ms(&writer, "window", slo->window_s * 1000);
    return spec_writer_end(&writer);
}

struct json_object *spec_write_slos(const struct slos *slos)
{
    struct spec_writer writer;
    spec_writer_begin(&writer);
    for (enum sli sli = 0; sli < SLI_COUNT; sli++) {
        if (slos->of[sli].used) {
            spec_put(&writer, sli_name(sli), write_slo(&slos->of[sli], sli));
        }
    }
    return spec_writer_end(&writer);
}
