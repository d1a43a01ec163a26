/* A growable text that is born with its maximum size. */
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 128 };

void text_init(struct text *text, size_t maximum)
{
    *text = (struct text){.maximum = maximum};
}

void text_free(struct text *text)
{
    free(text->data);
    text_init(text, text->maximum);
}

void text_clear(struct text *text)
{
    text->length = 0;
    text->broken = false;
    text->no_memory = false;
    if (text->data != NULL) {
        text->data[0] = '\0';
    }
}

/* Makes room for `more` bytes and a NUL. */
static bool reserve(struct text *text, size_t more)
{
    if (text->broken) {
        return false;
    }
    if (more > text->maximum - text->length) {
        text->broken = true;
        return false;
    }
    size_t need = text->length + more + 1;
    if (need <= text->capacity) {
        return true;
    }
    size_t capacity = text->capacity > 0 ? text->capacity * 2 : FIRST_CAPACITY;
    if (capacity < need) {
        capacity = need;
    }
    if (capacity - 1 > text->maximum) {
        capacity = text->maximum + 1;
    }
    char *data = realloc(text->data, capacity);
    if (data == NULL) {
        text->broken = true;
        text->no_memory = true;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void text_reserve(struct text *text, size_t more)
{
    if (text->broken || more > text->maximum - text->length || text->length + more + 1 <= text->capacity)
        return;
    char *data = realloc(text->data, text->length + more + 1);
    if (data == NULL)
        return;
    text->data = data;
    text->data[text->length] = '\0';
    text->capacity = text->length + more + 1;
}

void text_add(struct text *text, const char *data, size_t length)
{
    if (!reserve(text, length)) {
        return;
    }
    if (length > 0) {
        memcpy(text->data + text->length, data, length);
    }
    text->length += length;
    text->data[text->length] = '\0';
}

void text_puts(struct text *text, const char *string)
{
    text_add(text, string, strlen(string));
}

void text_putc(struct text *text, char c)
{
    text_add(text, &c, 1);
}

void text_integer(struct text *text, int64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        digits[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (value < 0) {
        digits[--at] = '-';
    }
    text_add(text, digits + at, sizeof digits - at);
}

void text_printf(struct text *text, const char *format, ...)
{
    va_list arguments, again;
    char small[256];
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(small, sizeof small, format, arguments);
    va_end(arguments);
    if (length < 0) {
        text->broken = true;
    } else if ((size_t)length < sizeof small) {
        text_add(text, small, (size_t)length);
    } else if (reserve(text, (size_t)length)) {
        vsnprintf(text->data + text->length, (size_t)length + 1, format, again);
        text->length += (size_t)length;
    }
    va_end(again);
}

const char *text_get(const struct text *text)
{
    return text->data != NULL ? text->data : "";
}

char *text_take(struct text *text)
{
    if (text->broken) {
        return NULL;
    }
    char *data = text->data != NULL ? text->data : calloc(1, 1);
    if (data != NULL) {
        text_init(text, text->maximum);
    }
    return data;
}

enum status text_status(const struct text *text)
{
    if (!text->broken) {
        return STATUS_OK;
    }
    return text->no_memory ? STATUS_NO_MEMORY : STATUS_TOO_LARGE;
}
