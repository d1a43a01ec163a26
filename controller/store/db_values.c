/* Values in and out of statements: parameters as text, results as C types. */
#include "store/db.h"

#include "base/log.h"
#include "store/db_rows.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* --- parameters
 * -------------------------------------------------------------------------------------------------- */

void db_params_clear(struct db_params *params)
{
    params->count = 0;
}

static int next_param(struct db_params *params)
{
    if (params->count >= DB_PARAMS_MAX)
        abort(); /* our own statement has more parameters than the table: raise DB_PARAMS_MAX */
    params->length[params->count] = 0;
    params->format[params->count] = 0;
    return params->count++;
}

void db_text(struct db_params *params, const char *value)
{
    params->value[next_param(params)] = value;
}

void db_null(struct db_params *params)
{
    db_text(params, NULL);
}

void db_bool(struct db_params *params, bool value)
{
    db_text(params, value ? "t" : "f");
}

void db_integer(struct db_params *params, int64_t value)
{
    int at = next_param(params);
    snprintf(params->number[at], sizeof params->number[at], "%" PRId64, value);
    params->value[at] = params->number[at];
}

void db_number(struct db_params *params, double value)
{
    int at = next_param(params);
    if (isinf(value))
        snprintf(params->number[at], sizeof params->number[at], "%s", value > 0 ? "Infinity" : "-Infinity");
    else
        snprintf(params->number[at], sizeof params->number[at], "%.17g", value);
    params->value[at] = params->number[at];
}

void db_bytes(struct db_params *params, const void *data, size_t length)
{
    int at = next_param(params);
    params->value[at] = length == 0 ? "" : data;
    params->length[at] = (int)length;
    params->format[at] = 1;
}

void db_time(struct db_params *params, struct wall_time time)
{
    int at = next_param(params);
    int64_t second = time.us / 1000000, us = time.us % 1000000;
    if (us < 0) {
        us += 1000000;
        second--;
    }
    struct tm parts;
    time_t seconds = (time_t)second;
    gmtime_r(&seconds, &parts);
    size_t used = strftime(params->number[at], sizeof params->number[at], "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(params->number[at] + used, sizeof params->number[at] - used, ".%06dZ", (int)us);
    params->value[at] = params->number[at];
}

/* --- rows
 * -------------------------------------------------------------------------------------------------------- */

void db_rows_free(struct db_rows *rows)
{
    if (rows == NULL)
        return;
    PQclear(rows->result);
    free(rows);
}

int db_rows_count(const struct db_rows *rows)
{
    return PQntuples(rows->result);
}

int64_t db_rows_affected(const struct db_rows *rows)
{
    return strtoll(PQcmdTuples(rows->result), NULL, 10);
}

bool db_is_null(const struct db_rows *rows, int row, int column)
{
    return PQgetisnull(rows->result, row, column) != 0;
}

const char *db_get_text(const struct db_rows *rows, int row, int column)
{
    return PQgetvalue(rows->result, row, column);
}

int64_t db_get_integer(const struct db_rows *rows, int row, int column)
{
    return strtoll(db_get_text(rows, row, column), NULL, 10);
}

double db_get_number(const struct db_rows *rows, int row, int column)
{
    return strtod(db_get_text(rows, row, column), NULL);
}

bool db_get_bool(const struct db_rows *rows, int row, int column)
{
    return db_get_text(rows, row, column)[0] == 't';
}

struct wall_time db_get_time(const struct db_rows *rows, int row, int column)
{
    struct wall_time time = {0};
    char iso[64];
    if (db_is_null(rows, row, column))
        return time;
    /* "2026-11-23 20:19:51.000444+00" -> RFC 3339 */
    snprintf(iso, sizeof iso, "%s", db_get_text(rows, row, column));
    size_t length = strlen(iso);
    if (length > 10 && iso[10] == ' ')
        iso[10] = 'T';
    if (length > 3 && (iso[length - 3] == '+' || iso[length - 3] == '-') && length + 4 < sizeof iso)
        memcpy(iso + length, ":00", 4);
    if (!clock_parse(iso, &time))
        log_event(LOG_ERROR, "store", "unreadable time from the database", "value", iso, NULL);
    return time;
}

static int hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

size_t db_get_bytes(const struct db_rows *rows, int row, int column, void *out, size_t max)
{
    const char *text = db_get_text(rows, row, column);
    size_t length = strlen(text);
    unsigned char *bytes = out;
    if (db_is_null(rows, row, column) || length < 2 || text[0] != '\\' || text[1] != 'x' ||
        (length - 2) / 2 > max)
        return (size_t)-1;
    length = (length - 2) / 2;
    for (size_t i = 0; i < length; i++) {
        int high = hex_value(text[2 + 2 * i]), low = hex_value(text[3 + 2 * i]);
        if (high < 0 || low < 0)
            return (size_t)-1;
        bytes[i] = (unsigned char)(high << 4 | low);
    }
    return length;
}

size_t db_get_integers(const struct db_rows *rows, int row, int column, int64_t *out, size_t max)
{
    const char *at = db_get_text(rows, row, column);
    size_t count = 0;
    if (*at != '{')
        return 0;
    at++;
    while (*at != '}' && *at != '\0' && count < max) {
        char *end;
        out[count++] = strtoll(at, &end, 10);
        at = *end == ',' ? end + 1 : end;
    }
    return count;
}
