/* Numbers as ECMAScript writes them (Number::toString of its standard, radix 10). */
#include "base/json_number.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS_MAX = 17 /* that many always read back */ };

static bool reads_back(uint64_t digits, int power, double number)
{
    char text[48];
    snprintf(text, sizeof text, "%" PRIu64 "e%d", digits, power);
    return strtod(text, NULL) == number;
}

/* number = *digits * 10^*power with as few digits as possible. The decimal nearest to the number is tried
   first; where the doubles' spacing changes (at powers of two) only a neighbour of it may read back. */
static void shortest(double number, uint64_t *digits, int *power)
{
    char text[48];
    for (int count = 1; count <= DIGITS_MAX; count++) {
        uint64_t read = 0;
        char *at = text;
        snprintf(text, sizeof text, "%.*e", count - 1, number);
        for (; *at != 'e'; at++) {
            if (*at != '.') {
                read = read * 10 + (uint64_t)(*at - '0');
            }
        }
        *power = (int)strtol(at + 1, NULL, 10) - (count - 1);
        for (int i = 0; i < 3; i++) {
            *digits = i == 0 ? read : i == 1 ? read + 1 : read - 1;
            if (reads_back(*digits, *power, number)) {
                while (*digits % 10 == 0) {
                    *digits /= 10;
                    ++*power;
                }
                return;
            }
        }
    }
}

char *json_number(double number, char out[JSON_NUMBER_MAX])
{
    uint64_t digits;
    int power;
    char text[24];
    char *at = out;
    if (number == 0) {
        return strcpy(out, "0");
    }
    if (number < 0) {
        *at++ = '-';
        number = -number;
    }
    shortest(number, &digits, &power);
    int count = snprintf(text, sizeof text, "%" PRIu64, digits);
    int point = count + power; /* digits before the decimal point */
    size_t size = JSON_NUMBER_MAX - (size_t)(at - out);
    if (count <= point && point <= 21) {
        snprintf(at, size, "%s%.*s", text, point - count, "000000000000000000000");
    } else if (point > 0 && point <= 21) {
        snprintf(at, size, "%.*s.%s", point, text, text + point);
    } else if (point > -6 && point <= 0) {
        snprintf(at, size, "0.%.*s%s", -point, "000000", text);
    } else {
        int exponent = point - 1;
        snprintf(at, size, "%c%s%se%c%d", text[0], count > 1 ? "." : "", text + 1, exponent < 0 ? '-' : '+',
                 abs(exponent));
    }
    return out;
}
