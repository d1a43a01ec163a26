/* gzip over zlib, a piece at a time. */
#include "base/gunzip.h"

#include <limits.h>
#include <stdint.h>
#include <zlib.h>

enum {
    PIECE = 16384,
    GZIP_ONLY = 16, /* added to the window bits: no zlib header, no raw deflate */
    MEMBERS_MAX = 64
};

static enum status refuse(struct fault *fault, enum status status, const char *detail, const char *next)
{
    fault_set(fault, status, "%s", detail);
    fault_next(fault, "%s", next);
    return status;
}

/* Inflates one member; the stream then stands behind it. */
static enum status inflate_member(z_stream *stream, struct text *out, struct fault *fault)
{
    char piece[PIECE];
    int result = Z_OK;
    while (result == Z_OK) {
        stream->next_out = (Bytef *)piece;
        stream->avail_out = PIECE;
        result = inflate(stream, Z_NO_FLUSH);
        text_add(out, piece, PIECE - stream->avail_out);
        if (out->broken)
            break;
    }
    if (out->broken && !out->no_memory)
        return refuse(fault, STATUS_TOO_LARGE, "The body is too large once it is unpacked",
                      "Send smaller batches.");
    if (out->broken || result == Z_MEM_ERROR)
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    if (result != Z_STREAM_END)
        return refuse(fault, STATUS_MALFORMED, "The body is not whole gzip",
                      "Leave Content-Encoding away for a body that is not compressed.");
    return STATUS_OK;
}

static enum status inflate_all(z_stream *stream, struct text *out, struct fault *fault)
{
    enum status status = inflate_member(stream, out, fault);
    for (int members = 1; status == STATUS_OK && stream->avail_in > 0; members++) {
        if (members == MEMBERS_MAX || inflateReset(stream) != Z_OK)
            return refuse(fault, STATUS_MALFORMED, "The body has too many gzip members",
                          "Compress the body in one piece.");
        status = inflate_member(stream, out, fault);
    }
    return status;
}

enum status gunzip(const char *data, size_t length, struct text *out, struct fault *fault)
{
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)data, .avail_in = (uInt)length};
    if (length > UINT_MAX)
        return refuse(fault, STATUS_TOO_LARGE, "The body is too large", "Send smaller batches.");
    if (inflateInit2(&stream, MAX_WBITS + GZIP_ONLY) != Z_OK)
        return fault_set(fault, STATUS_NO_MEMORY, "Out of memory");
    enum status status = inflate_all(&stream, out, fault);
    inflateEnd(&stream);
    if (status != STATUS_OK)
        text_free(out);
    return status;
}
