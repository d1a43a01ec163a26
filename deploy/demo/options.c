/* The command line. */
#include "demo/options.h"

#include "base/id.h"

#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "Usage: serin-demo-gateway --url URL (--services NAME,... | --service-count N) [options]\n"
    "\n"
    "An example gateway with a simulated model, and the traffic for it: it polls Serin for the routes of "
    "its\n"
    "services, assigns requests to releases, and reports what came of them.\n"
    "\n"
    "Serin\n"
    "  --url URL             gateway port of Serin, http://127.0.0.1:8081 (or SERIN_GATEWAY_URL)\n"
    "  --token TOKEN         of role gateway (better in the environment: SERIN_GATEWAY_TOKEN or "
    "SERIN_TOKEN)\n"
    "  --control URL         control port: shows how soon a route is applied (clock scale 1)\n"
    "  --instance NAME       name of this gateway; default: a new one\n"
    "  --wait TIME           how long Serin may hold a poll; default 20s / clock scale; 0s: short polls\n"
    "  --poll TIME           interval of short polls; default 200ms\n"
    "  --report TIME         interval of the reports; default 250ms, or 2s of a scaled clock\n"
    "  --buffer N            reports of a service that may wait while Serin does not answer; default 50000\n"
    "  --no-content          do not fetch prompts and tools before a route is applied\n"
    "\n"
    "Traffic\n"
    "  --services A,B,...    or --service-count N and --service-prefix P: P1 ... PN\n"
    "  --rps N               requests a second of each service; default 10\n"
    "  --arrivals FILE       CSV of recorded arrivals, repeated and stretched to --rps; default: Poisson\n"
    "  --arrivals-column C   its column of seconds; default arrival_s\n"
    "  --users N             different users; default 100000\n"
    "  --seed N              of all random numbers; service number i has N + i; default 1\n"
    "  --clock-scale X       virtual seconds a real second, for a database whose clock runs as fast; default "
    "1\n"
    "\n"
    "The simulated model. By default a release behaves as its parameters say under \"simulate\", else those "
    "of its\n"
    "model: rates (0..1) of refusal, content_filter, error, timeout, schema_invalid, tool_error, "
    "empty_retrieval,\n"
    "truncated, rate_limited, lost; ttft_ms, ttft_sigma, latency_ms, latency_sigma, timeout_ms, "
    "input_tokens,\n"
    "output_tokens, cost_micros. In place of that:\n"
    "  --behaviour R=FILE    such an object (JSON) for release R, or SERVICE/R\n"
    "  --replay R=FILE       outcomes drawn from a CSV; columns: refusal ... rate_limited (0 or 1), "
    "ttft_ms,\n"
    "                        latency_ms, input_tokens, output_tokens, cost_micros, score; an empty cell: not "
    "measured\n"
    "\n"
    "  --duration TIME       of real time, then stop; default: until SIGINT or SIGTERM\n"
    "  --status FILE         counts as JSON, written anew every second and at the end\n"
    "  --show                a line a second for each service on standard output\n";

enum option_id {
    OPTION_URL = 1,
    OPTION_TOKEN,
    OPTION_CONTROL,
    OPTION_INSTANCE,
    OPTION_WAIT,
    OPTION_POLL,
    OPTION_REPORT,
    OPTION_BUFFER,
    OPTION_NO_CONTENT,
    OPTION_SERVICES,
    OPTION_SERVICE_COUNT,
    OPTION_SERVICE_PREFIX,
    OPTION_RPS,
    OPTION_ARRIVALS,
    OPTION_ARRIVALS_COLUMN,
    OPTION_USERS,
    OPTION_SEED,
    OPTION_CLOCK_SCALE,
    OPTION_BEHAVIOUR,
    OPTION_REPLAY,
    OPTION_DURATION,
    OPTION_STATUS,
    OPTION_SHOW,
    OPTION_HELP
};

static const struct option table[] = {
    {"url", required_argument, NULL, OPTION_URL},
    {"token", required_argument, NULL, OPTION_TOKEN},
    {"control", required_argument, NULL, OPTION_CONTROL},
    {"instance", required_argument, NULL, OPTION_INSTANCE},
    {"wait", required_argument, NULL, OPTION_WAIT},
    {"poll", required_argument, NULL, OPTION_POLL},
    {"report", required_argument, NULL, OPTION_REPORT},
    {"buffer", required_argument, NULL, OPTION_BUFFER},
    {"no-content", no_argument, NULL, OPTION_NO_CONTENT},
    {"services", required_argument, NULL, OPTION_SERVICES},
    {"service-count", required_argument, NULL, OPTION_SERVICE_COUNT},
    {"service-prefix", required_argument, NULL, OPTION_SERVICE_PREFIX},
    {"rps", required_argument, NULL, OPTION_RPS},
    {"arrivals", required_argument, NULL, OPTION_ARRIVALS},
    {"arrivals-column", required_argument, NULL, OPTION_ARRIVALS_COLUMN},
    {"users", required_argument, NULL, OPTION_USERS},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"clock-scale", required_argument, NULL, OPTION_CLOCK_SCALE},
    {"behaviour", required_argument, NULL, OPTION_BEHAVIOUR},
    {"replay", required_argument, NULL, OPTION_REPLAY},
    {"duration", required_argument, NULL, OPTION_DURATION},
    {"status", required_argument, NULL, OPTION_STATUS},
    {"show", no_argument, NULL, OPTION_SHOW},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

/* What is only understood once all options are read. */
struct raw {
    const char *services, *prefix;
    double count;
};

__attribute__((format(printf, 1, 2))) static bool wrong(const char *format, ...)
{
    va_list arguments;
    fputs("serin-demo-gateway: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputs("\n", stderr);
    return false;
}

static bool read_number(const char *name, const char *value, double min, double max, bool whole, double *out)
{
    char *end;
    double number = strtod(value, &end);
    if (end == value || *end != '\0' || !(number >= min && number <= max) ||
        (whole && number != floor(number))) {
        return wrong("--%s: \"%s\" is not a number from %g to %g", name, value, min, max);
    }
    *out = number;
    return true;
}

static bool read_ms(const char *name, const char *value, int64_t min_ms, int64_t max_ms, long *out)
{
    int64_t ms;
    if (!clock_parse_duration(value, &ms) || ms < min_ms || ms > max_ms) {
        return wrong("--%s: \"%s\" is not a time such as 250ms or 2m, or is out of range", name, value);
    }
    *out = (long)ms;
    return true;
}

static bool read_text(const char *name, const char *value, char *out, size_t size)
{
    int length = snprintf(out, size, "%s", value);
    if (length <= 0 || (size_t)length >= size || strpbrk(value, "\r\n") != NULL) {
        return wrong("--%s: empty, or longer than %zu bytes", name, size - 1);
    }
    return true;
}

static bool read_url(const char *name, const char *value, char *out, size_t size)
{
    if (!read_text(name, value, out, size)) {
        return false;
    }
    size_t length = strlen(out);
    if (out[length - 1] == '/') {
        out[length - 1] = '\0';
    }
    return true;
}

/* "release=FILE" or "service/release=FILE". */
static bool read_override(const char *name, const char *value, bool replay, struct options *out)
{
    struct fault fault = {0};
    const char *equals = strchr(value, '='), *slash = strchr(value, '/');
    if (out->overrides == OPTIONS_OVERRIDES_MAX) {
        return wrong("--%s: more than %d", name, OPTIONS_OVERRIDES_MAX);
    }
    struct override *override = &out->override[out->overrides];
    const char *release = slash != NULL && equals != NULL && slash < equals ? slash + 1 : value;
    if (equals == NULL || equals == release || equals - release > NAME_MAX_LENGTH ||
        release - value > NAME_MAX_LENGTH + 1) {
        return wrong("--%s: \"%s\" is not RELEASE=FILE or SERVICE/RELEASE=FILE", name, value);
    }
    snprintf(override->release, sizeof override->release, "%.*s", (int)(equals - release), release);
    if (release != value) {
        snprintf(override->service, sizeof override->service, "%.*s", (int)(release - 1 - value), value);
    }
    enum status status;
    if (replay) {
        override->behaviour = behaviour_default();
        override->behaviour.replay = &out->replay[out->overrides];
        status = replay_read_file(equals + 1, &out->replay[out->overrides], &fault);
    } else {
        status = behaviour_read_file(equals + 1, &override->behaviour, &fault);
    }
    if (status != STATUS_OK) {
        return wrong("--%s %s: %s %s", name, value, fault.detail,
                     fault.errors > 0 ? fault.error[0].detail : "");
    }
    out->overrides++;
    return true;
}

static bool read_connection(enum option_id id, const char *name, const char *value, struct connection *out)
{
    switch (id) {
    case OPTION_URL:
        return read_url(name, value, out->url, sizeof out->url);
    case OPTION_CONTROL:
        return read_url(name, value, out->control_url, sizeof out->control_url);
    case OPTION_TOKEN:
        return read_text(name, value, out->token, sizeof out->token);
    default:
        if (!name_valid(value)) {
            return wrong("--%s: \"%s\" is not a name", name, value);
        }
        return read_text(name, value, out->instance, sizeof out->instance);
    }
}

static bool read_one(enum option_id id, const char *name, const char *value, struct raw *raw,
                     struct options *out)
{
    double number = 0;
    bool good = true;
    switch (id) {
    case OPTION_URL:
    case OPTION_CONTROL:
    case OPTION_TOKEN:
    case OPTION_INSTANCE:
        return read_connection(id, name, value, &out->connection);
    case OPTION_WAIT:
        good = read_ms(name, value, 0, 60000, &out->wait_ms);
        break;
    case OPTION_POLL:
        good = read_ms(name, value, 10, 60000, &out->poll_ms);
        break;
    case OPTION_REPORT:
        good = read_ms(name, value, 10, 60000, &out->report_ms);
        break;
    case OPTION_DURATION:
        good = read_ms(name, value, 1, INT32_MAX, &out->duration_ms);
        break;
    case OPTION_BUFFER:
        good = read_number(name, value, 10, 1e7, true, &number);
        out->buffer = (size_t)number;
        break;
    case OPTION_SERVICE_COUNT:
        good = read_number(name, value, 1, OPTIONS_SERVICES_MAX, true, &raw->count);
        break;
    case OPTION_RPS:
        good = read_number(name, value, 0.001, 1e5, false, &out->rps);
        break;
    case OPTION_USERS:
        good = read_number(name, value, 1, 1e9, true, &number);
        out->users = (uint64_t)number;
        break;
    case OPTION_SEED:
        good = read_number(name, value, 0, 9007199254740992.0, true, &number);
        out->seed = (uint64_t)number;
        break;
    case OPTION_CLOCK_SCALE:
        good = read_number(name, value, 0.01, 10000, false, &out->clock_scale);
        break;
    case OPTION_SERVICES:
        raw->services = value;
        break;
    case OPTION_SERVICE_PREFIX:
        raw->prefix = value;
        break;
    case OPTION_ARRIVALS:
        out->arrivals_file = value;
        break;
    case OPTION_ARRIVALS_COLUMN:
        out->arrivals_column = value;
        break;
    case OPTION_BEHAVIOUR:
    case OPTION_REPLAY:
        return read_override(name, value, id == OPTION_REPLAY, out);
    case OPTION_STATUS:
        out->status_file = value;
        break;
    case OPTION_NO_CONTENT:
        out->fetch_content = false;
        break;
    default:
        out->show = true;
        break;
    }
    return good;
}

static bool add_service(struct options *out, const char *name)
{
    if (out->services == OPTIONS_SERVICES_MAX || !name_valid(name)) {
        return wrong("--services: \"%s\" is not a name, or there are more than %d", name,
                     OPTIONS_SERVICES_MAX);
    }
    snprintf(out->service[out->services++], ROUTE_NAME, "%s", name);
    return true;
}

static bool read_services(const struct raw *raw, struct options *out)
{
    char name[2 * ROUTE_NAME];
    out->service = calloc(OPTIONS_SERVICES_MAX, sizeof *out->service);
    if (out->service == NULL) {
        return wrong("out of memory");
    }
    for (const char *at = raw->services; at != NULL && *at != '\0'; at += strspn(at, ",")) {
        size_t length = strcspn(at, ",");
        snprintf(name, sizeof name, "%.*s", (int)(length < ROUTE_NAME ? length : ROUTE_NAME), at);
        if (!add_service(out, name)) {
            return false;
        }
        at += length;
    }
    for (int i = 1; i <= (int)raw->count; i++) {
        snprintf(name, sizeof name, "%.*s%d", ROUTE_NAME, raw->prefix != NULL ? raw->prefix : "service-", i);
        if (!add_service(out, name)) {
            return false;
        }
    }
    return out->services > 0 || wrong("name a service: --services NAME, or --service-count N (see --help)");
}

static bool read_environment(struct connection *connection)
{
    const char *url = getenv("SERIN_GATEWAY_URL"), *token = getenv("SERIN_GATEWAY_TOKEN");
    token = token != NULL ? token : getenv("SERIN_TOKEN");
    return (url == NULL ||
            read_url("url (SERIN_GATEWAY_URL)", url, connection->url, sizeof connection->url)) &&
           (token == NULL ||
            read_text("token (SERIN_TOKEN)", token, connection->token, sizeof connection->token));
}

static bool complete(const struct raw *raw, struct options *out)
{
    struct fault fault = {0};
    if (out->connection.url[0] == '\0') {
        return wrong("give the gateway port of Serin: --url http://127.0.0.1:8081 (see --help)");
    }
    /* a gateway that is silent for 60 s of the database's clock counts as gone */
    out->wait_ms = out->wait_ms < 0 ? lround(fmax(20000 / fmax(out->clock_scale, 1), 200)) : out->wait_ms;
    /* well within the age at which outcomes are counted */
    out->report_ms =
        out->report_ms < 0 ? lround(fmin(fmax(2000 / out->clock_scale, 50), 250)) : out->report_ms;
    if (out->arrivals_file != NULL &&
        trace_read_file(out->arrivals_file, out->arrivals_column, &out->trace, &fault) != STATUS_OK) {
        return wrong("--arrivals: %s", fault.detail);
    }
    return read_services(raw, out);
}

enum options_result options_read(int argc, char **argv, struct options *out)
{
    struct raw raw = {0};
    *out = (struct options){.rps = 10,
                            .clock_scale = 1,
                            .users = 100000,
                            .seed = 1,
                            .wait_ms = -1,
                            .poll_ms = 200,
                            .report_ms = -1,
                            .buffer = 50000,
                            .fetch_content = true,
                            .arrivals_column = "arrival_s"};
    id_new("demo", out->connection.instance);
    bool good = read_environment(&out->connection);
    for (int id, index = 0; good && (id = getopt_long(argc, argv, "", table, &index)) != -1;) {
        if (id == '?') {
            return OPTIONS_WRONG; /* getopt has said it */
        }
        if (id == OPTION_HELP) {
            fputs(usage, stdout);
            return OPTIONS_DONE;
        }
        good = read_one((enum option_id)id, table[index].name, optarg, &raw, out);
    }
    if (good && optind < argc) {
        good = wrong("\"%s\": not expected", argv[optind]);
    }
    return good && complete(&raw, out) ? OPTIONS_RUN : OPTIONS_WRONG;
}

void options_free(struct options *options)
{
    for (size_t i = 0; i < options->overrides; i++) {
        replay_free(&options->replay[i]);
    }
    trace_free(&options->trace);
    free(options->service);
    *options = (struct options){0};
}
