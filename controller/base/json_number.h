/* Numbers as ECMAScript writes them, which RFC 8785 asks for. */
#pragma once

enum { JSON_NUMBER_MAX = 48 /* the longest has 25; the rest lets the compiler see that all fits */ };

/* Writes a finite double in the shortest form that reads back as the same double; of several the nearest. -0
   is "0". Returns `out`. */
char *json_number(double number, char out[JSON_NUMBER_MAX]);
