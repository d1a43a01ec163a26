/* Bodies in chunks. libmicrohttpd 0.9.75 turns for ever over a chunk's line that does not end: the connection
   takes the time of its thread, and never reaches a handler. So chunks are taken only where a path asks for
   them, from a sender whose token was checked before the first of them, and a body that does not get on is
   cut. */
#pragma once

#include "gateway/parts.h"

/* From the first call of the handler, when there is a Transfer-Encoding. True: the body may come, and is
   watched. False: the request was answered, *out is the handler's result. */
bool chunks_begin(struct request *request, enum MHD_Result *out);
void chunks_progress(struct request *request);
void chunks_end(struct request *request); /* twice, or without a begin, is fine */
/* Closes the connections of those that have not got on for a while. Not from a callback of MHD. */
void chunks_cut(struct gateway_thread *thread);
