/* The fields of an outcome. */
#include "demo/outcome.h"

#include <math.h>

static const struct {
    const char *name;
    bool of_answer;
} slis[] = {
#define X(name, text, of_answer) {text, of_answer},
    OUTCOME_SLI_TABLE(X)
#undef X
};

const char *outcome_sli_name(enum outcome_sli sli)
{
    return slis[sli].name;
}

bool outcome_sli_of_answer(enum outcome_sli sli)
{
    return slis[sli].of_answer;
}

struct outcome outcome_none(void)
{
    return (struct outcome){0, 0, -1, -1, -1, -1, -1, NAN};
}

void outcome_set(struct outcome *outcome, enum outcome_sli sli, bool bad)
{
    uint16_t bit = (uint16_t)(1u << sli);
    outcome->measured |= bit;
    if (bad) {
        outcome->bad |= bit;
    }
}
