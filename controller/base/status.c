/* Status codes: lookups in the one table of status.h. */
#include "base/status.h"

struct row {
    int http;
    const char *slug, *title;
    int retryable;
};

static const struct row rows[STATUS_COUNT] = {
#define X(name, http, slug, title, retry) [STATUS_##name] = {http, slug, title, retry},
    STATUS_TABLE(X)
#undef X
};

/* A number from outside the table is a fault of ours, and is shown as one. */
static const struct row *row_of(enum status status)
{
    return (unsigned)status < STATUS_COUNT ? &rows[status] : &rows[STATUS_INTERNAL];
}

int status_http(enum status status)
{
    return row_of(status)->http;
}

const char *status_slug(enum status status)
{
    return row_of(status)->slug;
}

const char *status_title(enum status status)
{
    return row_of(status)->title;
}

int status_retryable(enum status status)
{
    return row_of(status)->retryable;
}
