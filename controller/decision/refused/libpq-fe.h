/* decision is pure: no I/O, no clock, no threads. This header shadows the real one and refuses. */
#error "controller/decision must not include <libpq-fe.h>"
