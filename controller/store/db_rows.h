/* What a result is made of; for db.c and db_values.c alone. */
#pragma once

#include <libpq-fe.h>

struct db_rows {
    PGresult *result;
};
