/* A named SQL statement. They stand in the .sql file beside the .c that uses them and are compiled in. */
#pragma once

struct statement {
    const char *name; /* also its name as a prepared statement */
    const char *text; /* parameters $1 ..; one statement */
};
