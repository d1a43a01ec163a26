/* Following a rollout, in place or line by line. */
#include "cli/follow.h"

#include "base/clock.h"
#include "cli/explain.h"
#include "cli/output.h"
#include "cli/pick.h"
#include "cli/target.h"

#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { INTERVAL_MS = 1000, LOST_MS = 120000, APPLIED_MS = 60000, FRAME_MAX = 1 << 20 };

struct following {
    struct cli *cli;
    const struct follow *follow;
    struct mono_time start, answered, ended; /* `ended`: since when it is over */
    bool over;
    size_t lines;      /* of the frame on the terminal */
    struct text shown; /* what was last written, without the times */
    struct client_answer rollout, explanation;
};

bool follow_options(struct args *args, struct follow *out)
{
    out->until_paused = args_has(args, "until-paused");
    return args_duration(args, "timeout", &out->timeout_ms);
}

static bool over(const char *phase)
{
    return strcmp(phase, "completed") == 0 || strcmp(phase, "aborted") == 0 ||
           strcmp(phase, "rolled_back") == 0;
}

static int exit_code(const char *phase)
{
    return strcmp(phase, "completed") == 0 ? CLI_OK
           : strcmp(phase, "aborted") == 0 ? CLI_ABORTED
                                           : CLI_ROLLED_BACK;
}

static void drop_answers(struct following *following)
{
    client_answer_free(&following->rollout);
    client_answer_free(&following->explanation);
}

/* One GET. OK with JSON, or why not. *refused: the server said no, and will again. */
static enum status ask(struct following *following, const char *part, struct client_answer *answer,
                       struct fault *fault, bool *refused)
{
    struct text path;
    target_path(&path, following->follow->id, part);
    enum status status = cli_try(
        following->cli, &(struct client_call){.method = "GET", .path = text_get(&path)}, answer, fault);
    text_free(&path);
    if (status != STATUS_OK) {
        return status;
    }
    if (answer->http == 200 && answer->json != NULL) {
        return STATUS_OK;
    }
    *refused = answer->http >= 400 && answer->http < 500 && answer->http != 429;
    return fault_set(fault, STATUS_UNAVAILABLE, "the server answered %ld", answer->http);
}

/* The frame: at most as many lines as the terminal has, not broken by it. */
static void draw(struct following *following, struct text *frame)
{
    struct winsize size = {0};
    FILE *out = following->cli->out;
    size_t rows = ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_row > 2 ? size.ws_row : 24;
    const char *at = text_get(frame);
    if (following->lines > 0) {
        fprintf(out, "\033[%zuA\r\033[J", following->lines);
    }
    following->lines = 0;
    fputs("\033[?7l", out);
    while (*at != '\0' && following->lines + 1 < rows) {
        size_t length = strcspn(at, "\n");
        fwrite(at, 1, length, out);
        fputc('\n', out);
        following->lines++;
        at += length + (at[length] == '\n' ? 1 : 0);
    }
    fputs("\033[?7h", out);
    fflush(out);
}

static void put_applied(struct json_object *rollout, struct text *out)
{
    struct json_object *route = pick(rollout, "route");
    char since[OUTPUT_MAX];
    if (route != NULL) {
        text_printf(out, "Route %lld: ", (long long)pick_integer(route, "epoch"));
        if (pick_has(route, "applied_at")) {
            text_printf(out, "applied %s\n", output_since(pick_text(route, "applied_at"), since));
        } else {
            text_puts(out, "written, not yet applied by every gateway\n");
        }
    }
}

static void frame(struct following *following, const char *note)
{
    struct text out;
    text_init(&out, FRAME_MAX);
    explain_brief(following->explanation.json, following->cli->out_colors, &out);
    put_applied(following->rollout.json, &out);
    text_puts(&out, note);
    draw(following, &out);
    text_free(&out);
}

/* What a line says; equal lines are written once. */
static void describe(struct following *following, struct text *out)
{
    struct json_object *rollout = following->rollout.json;
    struct json_object *route = pick(rollout, "route");
    explain_where(rollout, out);
    text_puts(out, " [");
    output_clean(out, pick_text(rollout, "rule"), false);
    text_puts(out, "] ");
    output_clean(out, pick_text(rollout, "reason"), false);
    for (size_t i = 0; i < pick_length(following->explanation.json, "guardrails"); i++) {
        struct json_object *guardrail = pick_nth(following->explanation.json, "guardrails", i);
        text_puts(out, i == 0 ? " | " : ", ");
        output_clean(out, pick_text(guardrail, "sli"), false);
        text_putc(out, ' ');
        output_clean(out, pick_text(guardrail, "verdict"), false);
    }
    if (route != NULL) {
        text_puts(out, pick_has(route, "applied_at") ? " | applied" : " | being applied");
    }
}

static void line(struct following *following)
{
    struct text now;
    char time[CLOCK_TEXT_MAX];
    text_init(&now, FRAME_MAX);
    describe(following, &now);
    if (strcmp(text_get(&now), text_get(&following->shown)) != 0) {
        fprintf(following->cli->out, "%s %s\n", clock_format(clock_wall(), time), text_get(&now));
        fflush(following->cli->out);
        text_clear(&following->shown);
        text_puts(&following->shown, text_get(&now));
    }
    text_free(&now);
}

static void json_line(struct following *following)
{
    char version[32];
    snprintf(version, sizeof version, "%lld %d", (long long)pick_integer(following->rollout.json, "version"),
             pick_has(pick(following->rollout.json, "route"), "applied_at"));
    if (strcmp(version, text_get(&following->shown)) != 0) {
        fwrite(following->rollout.body, 1, following->rollout.length, following->cli->out);
        fputc('\n', following->cli->out);
        fflush(following->cli->out);
        text_clear(&following->shown);
        text_puts(&following->shown, version);
    }
}

static void show(struct following *following)
{
    if (following->cli->json) {
        json_line(following);
    } else if (following->cli->terminal) {
        frame(following, "");
    } else {
        line(following);
    }
}

/* The rollout and its explanation are there: is this the end? -1 = go on. */
static int judge(struct following *following)
{
    struct json_object *rollout = following->rollout.json;
    struct json_object *route = pick(rollout, "route");
    const char *phase = pick_text(rollout, "phase");
    if (following->follow->until_paused && strcmp(phase, "paused") == 0) {
        return CLI_PAUSED;
    }
    if (!over(phase)) {
        return -1;
    }
    if (!following->over) {
        following->over = true;
        following->ended = clock_mono();
    }
    bool applied = route == NULL || pick_has(route, "applied_at");
    if (!applied && clock_mono_since_ms(following->ended) < APPLIED_MS) {
        return -1;
    }
    if (!applied && !following->cli->json) {
        fputs("serin: ended, but not yet applied by every gateway: see serin gateways\n",
              following->cli->err);
    }
    return exit_code(phase);
}

/* One look. -1 = go on. */
static int look(struct following *following)
{
    struct fault fault = {0};
    bool refused = false;
    enum status status = ask(following, "", &following->rollout, &fault, &refused);
    if (status == STATUS_OK) {
        status = ask(following, "/explain", &following->explanation, &fault, &refused);
    }
    if (status == STATUS_OK) {
        following->answered = clock_mono();
        show(following);
        return judge(following);
    }
    if (refused) {
        return cli_problem(following->cli,
                           following->rollout.http != 200 ? &following->rollout : &following->explanation);
    }
    bool lasting =
        status != STATUS_PEER && status != STATUS_UNAVAILABLE; /* such as settings that cannot be read */
    if (lasting || clock_mono_since_ms(following->answered) > LOST_MS) {
        return cli_fault(following->cli, &fault) == CLI_REFUSED && lasting ? CLI_REFUSED : CLI_UNREACHABLE;
    }
    if (following->cli->terminal && !following->cli->json) {
        struct text note;
        text_init(&note, 1024);
        text_printf(&note, "(no answer just now: %s)\n", fault.detail);
        draw(following, &note);
        text_free(&note);
    }
    return -1;
}

int follow_run(struct cli *cli, const struct follow *follow)
{
    struct following following = {
        .cli = cli, .follow = follow, .start = clock_mono(), .answered = clock_mono()};
    int code;
    text_init(&following.shown, FRAME_MAX);
    for (;;) {
        code = look(&following);
        drop_answers(&following);
        if (code >= 0) {
            break;
        }
        int64_t left =
            follow->timeout_ms == 0 ? INTERVAL_MS : follow->timeout_ms - clock_mono_since_ms(following.start);
        if (left <= 0) {
            code = CLI_TIMED_OUT;
            fputs("serin: timed out waiting; the rollout goes on\n", cli->err);
            break;
        }
        int64_t wait = left < INTERVAL_MS ? left : INTERVAL_MS;
        nanosleep(&(struct timespec){.tv_sec = wait / 1000, .tv_nsec = wait % 1000 * 1000000}, NULL);
    }
    text_free(&following.shown);
    return code;
}
