/* The line of an agent-check, and weights as percents. */
#include "gateway/agent_line.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { WORDS_MAX = 3 };

struct word {
    const char *at;
    size_t length;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* How many words there are, at most one more than fit. */
static size_t split(const char *line, size_t length, struct word words[WORDS_MAX])
{
    size_t count = 0, at = 0;
    for (;;) {
        while (at < length && is_blank(line[at]))
            at++;
        if (at == length)
            return count;
        if (count == WORDS_MAX)
            return count + 1;
        words[count].at = line + at;
        while (at < length && !is_blank(line[at]))
            at++;
        words[count].length = (size_t)(line + at - words[count].at);
        count++;
    }
}

/* Copies a name. A NUL inside makes it none. */
static bool take_name(const char *at, size_t length, char out[NAME_MAX_LENGTH + 1])
{
    if (length > NAME_MAX_LENGTH || memchr(at, '\0', length) != NULL)
        return false;
    memcpy(out, at, length);
    out[length] = '\0';
    return name_valid(out);
}

static bool is_word(const char *at, size_t length, const char *word)
{
    return strlen(word) == length && memcmp(at, word, length) == 0;
}

static bool take_target(const char *at, size_t length, struct agent_ask *out)
{
    const char *slash = memchr(at, '/', length);
    if (slash == NULL || !take_name(at, (size_t)(slash - at), out->service))
        return false;
    const char *target = slash + 1;
    size_t left = length - (size_t)(target - at);
    if (is_word(target, left, "@stable"))
        out->target = AGENT_STABLE;
    else if (is_word(target, left, "@canary"))
        out->target = AGENT_CANARY;
    else
        return take_name(target, left, out->release);
    return true;
}

enum status agent_line_parse(const char *line, size_t length, struct agent_ask *out, struct fault *fault)
{
    struct word words[WORDS_MAX];
    size_t count = length <= AGENT_LINE_MAX ? split(line, length, words) : 0;
    memset(out, 0, sizeof *out);
    if (count >= 1 && count <= WORDS_MAX && take_target(words[0].at, words[0].length, out) &&
        (count < 2 || take_name(words[1].at, words[1].length, out->instance)) &&
        (count < 3 || take_name(words[2].at, words[2].length, out->server)))
        return STATUS_OK;
    fault_set(fault, STATUS_MALFORMED, "the agent-send string of a server is not what is asked for here");
    fault_next(fault,
               "Write agent-send \"SERVICE/RELEASE [INSTANCE [SERVER]]\\n\", or @stable or @canary for the "
               "release.");
    return STATUS_MALFORMED;
}

void agent_line_instance(const char *address, char out[NAME_MAX_LENGTH + 1])
{
    snprintf(out, NAME_MAX_LENGTH + 1, "haproxy-%s", address);
    for (char *at = out; *at != '\0'; at++) {
        if (!isalnum((unsigned char)*at) && *at != '.')
            *at = '-';
    }
}

int32_t agent_weight(const struct service_view *view, bool lapsed)
{
    for (size_t i = 0; i < view->weights; i++) {
        if (view->weight[i].canary && !lapsed)
            return view->weight[i].weight;
    }
    return 0;
}

int agent_percent(int32_t canary_weight)
{
    return (int)(canary_weight / AGENT_WEIGHT_STEP);
}

static bool is_asked_for(const struct agent_ask *ask, const struct route_weight *arm)
{
    switch (ask->target) {
    case AGENT_STABLE:
        return !arm->canary;
    case AGENT_CANARY:
        return arm->canary;
    case AGENT_RELEASE:
        break;
    }
    return strcmp(ask->release, arm->release) == 0;
}

int agent_share(const struct service_view *view, bool lapsed, const struct agent_ask *ask)
{
    int canary, percent = 0;
    bool found = false;
    if (view == NULL || !view->routed)
        return AGENT_UNKNOWN;
    canary = agent_percent(agent_weight(view, lapsed));
    for (size_t i = 0; i < view->weights; i++) {
        const struct route_weight *arm = &view->weight[i];
        if (!is_asked_for(ask, arm))
            continue;
        percent += arm->canary ? canary : AGENT_PERCENT_FULL - canary;
        found = true;
    }
    /* a role may stand empty; a release that the service does not have is a slip in a configuration, and what
       was read from a file knows no releases but those of its routes */
    if (!found && ask->target == AGENT_RELEASE && !rules_has_release(&view->rules, ask->release))
        return AGENT_UNKNOWN;
    return percent;
}
