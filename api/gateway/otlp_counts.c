/* Services, releases and times of what OTLP sends. */
#include "gateway/otlp_counts.h"
#include "base/spelling.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void set_reason(struct otlp_counts *out, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

static void set_reason(struct otlp_counts *out, const char *format, va_list arguments)
{
    if (out->reason[0] == '\0')
        vsnprintf(out->reason, sizeof out->reason, format, arguments);
}

enum status otlp_reject(struct otlp_counts *out, const char *format, ...)
{
    va_list arguments;
    if (out->rejected++ == 0)
        out->reason[0] = '\0'; /* what is not counted at all goes before what is in part */
    va_start(arguments, format);
    set_reason(out, format, arguments);
    va_end(arguments);
    return STATUS_OK;
}

void otlp_warn(struct otlp_counts *out, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    set_reason(out, format, arguments);
    va_end(arguments);
}

static void say_no_sli(const char *name, char out[OTLP_WRONG_MAX])
{
    const char *known[SLI_COUNT], *near;
    for (int i = 0; i < SLI_COUNT; i++)
        known[i] = sli_name((enum sli)i);
    if ((near = spelling_nearest(name, known, SLI_COUNT)) != NULL)
        snprintf(out, OTLP_WRONG_MAX, "serin.sli.%s is no SLI; did you mean serin.sli.%s?", name, near);
    else
        snprintf(out, OTLP_WRONG_MAX, "serin.sli.%s is no SLI; deploy/handbook/policy.md lists them", name);
}

void otlp_say_wrong(const struct genai_wrong *wrong, char out[OTLP_WRONG_MAX])
{
    out[0] = '\0';
    switch (wrong->why) {
    case GENAI_ALL_RIGHT:
        break;
    case GENAI_OTHER_NAME:
        snprintf(out, OTLP_WRONG_MAX, "%s is not read; did you mean %s?", wrong->name, wrong->expected);
        break;
    case GENAI_NO_VALUE:
        snprintf(out, OTLP_WRONG_MAX, "%s says nothing: %s is expected", wrong->name, wrong->expected);
        break;
    case GENAI_NO_SLI:
        say_no_sli(wrong->name, out);
        break;
    case GENAI_NO_BOOL:
        snprintf(out, OTLP_WRONG_MAX, "serin.sli.%s is no bool, and says nothing; set it to true or false",
                 wrong->name);
        break;
    }
}

void otlp_warn_wrong(struct otlp_counts *out, const struct genai_facts *own)
{
    char text[OTLP_WRONG_MAX];
    const struct genai_wrong *wrong = genai_wrong(own);
    if (wrong == NULL)
        return;
    otlp_say_wrong(wrong, text);
    otlp_warn(out, "%s", text);
}

double otlp_age_ms(const struct otlp_setting *setting, uint64_t time_ns, uint64_t at_least_ns)
{
    if (time_ns == 0)
        return -1;
    double age_ms = (double)setting->wall.us / 1e3 - (double)time_ns / 1e6;
    double at_least_ms = (double)at_least_ns / 1e6;
    return (age_ms < at_least_ms ? at_least_ms : age_ms) * setting->rate;
}

static enum status part_of(const struct otlp_setting *setting, struct otlp_counts *out,
                           const struct service_view *view, struct otlp_part **part, struct fault *fault)
{
    *part = NULL;
    for (size_t i = 0; i < out->parts; i++) {
        if (out->part[i].view == view)
            *part = &out->part[i];
    }
    if (*part != NULL || out->parts == OTLP_SERVICES_MAX)
        return STATUS_OK;
    struct counts_delta *delta = counts_delta_new(setting->gateway, NULL, view->name);
    if (delta == NULL)
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    *part = &out->part[out->parts++];
    **part = (struct otlp_part){.view = view, .delta = delta};
    digest_begin(&(*part)->noted);
    digest_add(&(*part)->noted, view->name, strlen(view->name) + 1);
    return STATUS_OK;
}

static void note(struct otlp_part *part, const struct otlp_item *item)
{
    uint64_t length = item->noted_length; /* where one ends and the next begins */
    digest_add(&part->noted, &length, sizeof length);
    digest_add(&part->noted, item->noted, item->noted_length);
}

#define NAMES "a name is a string of 1 to 63 of A-Z a-z 0-9 . _ -, the first a letter or digit"

static enum status reject_service(const struct otlp_setting *setting, const struct otlp_item *item,
                                  struct otlp_counts *out)
{
    const char *value, *attribute = genai_no_service(setting->names, item->own, item->resource, &value);
    if (attribute != NULL)
        return otlp_reject(out, "%s \"%s\" names no service: " NAMES, attribute, value);
    return otlp_reject(out, "no service: neither %s nor service.name of the resource names one",
                       setting->names->service);
}

static enum status reject_release(const struct otlp_setting *setting, const struct otlp_item *item,
                                  struct otlp_counts *out)
{
    const char *value, *attribute = genai_no_release(setting->names, item->own, item->resource, &value);
    if (attribute != NULL)
        return otlp_reject(out, "%s \"%s\" names no release: " NAMES, attribute, value);
    return otlp_reject(out,
                       "no release: neither feature_flag.result.variant, %s nor service.version names one",
                       setting->names->release);
}

enum status otlp_find(const struct otlp_setting *setting, const struct otlp_item *item,
                      struct otlp_counts *out, struct otlp_whom *whom, struct fault *fault)
{
    const char *service = genai_service(item->own, item->resource);
    const char *release = genai_release(item->own, item->resource);
    const char *stratum = genai_stratum(item->own, item->resource);
    struct otlp_part *part;
    *whom = (struct otlp_whom){.part = NULL};
    if (service == NULL || service[0] == '\0')
        return reject_service(setting, item, out);
    const struct service_view *view = snapshot_find(setting->snapshot, service);
    if (view == NULL)
        return otlp_reject(out, "there is no service %s", service);
    enum status status = part_of(setting, out, view, &part, fault);
    if (status != STATUS_OK)
        return status;
    if (part == NULL)
        return otlp_reject(out, "one request holds %s of more than %d services", item->plural,
                           OTLP_SERVICES_MAX);
    note(part, item); /* also of what is rejected next: sent again, the others do not count twice */
    if (release == NULL || release[0] == '\0')
        return reject_release(setting, item, out);
    if (!rules_has_release(&view->rules, release))
        return otlp_reject(out, "service %s has no release %s", service, release);
    *whom = (struct otlp_whom){.part = part,
                               .release = release,
                               .stratum = rules_stratum(&view->rules, stratum != NULL ? stratum : "")};
    return STATUS_OK;
}

void otlp_place(const struct otlp_whom *whom, double age_ms, struct counts_effect *out)
{
    const struct rules *rules = &whom->part->view->rules;
    *out = (struct counts_effect){.sum = -1, .scale = 1};
    snprintf(out->release, sizeof out->release, "%s", whom->release);
    snprintf(out->stratum, sizeof out->stratum, "%s", whom->stratum);
    out->in_time = age_ms <= (double)rules->oldest_ms;
    for (int i = 0; i < SLI_COUNT; i++)
        out->mature |= age_ms > (double)rules->maturity_ms[i] ? 1u << i : 0;
}

void otlp_counts_seal(struct otlp_counts *out)
{
    char hex[DIGEST_HEX];
    size_t kept = 0;
    for (size_t i = 0; i < out->parts; i++) {
        struct otlp_part *part = &out->part[i];
        if (part->accepted == 0) {
            counts_delta_free(part->delta);
            continue;
        }
        struct digest noted = digest_end(&part->noted);
        snprintf(part->delta->key, sizeof part->delta->key, "otlp:%s", digest_hex(&noted, hex));
        out->part[kept++] = *part;
    }
    out->parts = kept;
}

void otlp_counts_free(struct otlp_counts *counts)
{
    for (size_t i = 0; i < counts->parts; i++)
        counts_delta_free(counts->part[i].delta);
    counts->parts = 0;
}
