/* Evidence as bytes: "SEV", version, number of SLIs, then every field one by one, little-endian, doubles as
   their bits. One list of the fields serves both ways. */
#include "decision/evidence.h"

#include <math.h>
#include <string.h>

enum { VERSION = 4, VERSION_READ = 2 /* and what came after */, HEADER = 5 };

struct codec {
    unsigned char *out;        /* writing */
    const unsigned char *data; /* reading; NULL when writing */
    size_t at, length;
    unsigned char version;
    bool bad;
};

static uint64_t word(struct codec *codec, uint64_t value, size_t bytes)
{
    if (codec->bad || bytes > codec->length - codec->at) {
        codec->bad = true;
        return value;
    }
    if (codec->data == NULL) {
        for (size_t i = 0; i < bytes; i++)
            codec->out[codec->at++] = (unsigned char)(value >> 8 * i);
        return value;
    }
    value = 0;
    for (size_t i = 0; i < bytes; i++)
        value |= (uint64_t)codec->data[codec->at++] << 8 * i;
    return value;
}

static void any(struct codec *codec, double *x)
{
    uint64_t bits;
    memcpy(&bits, x, sizeof bits);
    bits = word(codec, bits, sizeof bits);
    memcpy(x, &bits, sizeof bits);
}

static void number(struct codec *codec, double *x) /* finite */
{
    any(codec, x);
    codec->bad |= !isfinite(*x);
}

static void logarithm(struct codec *codec, double *x) /* finite or -inf */
{
    any(codec, x);
    codec->bad |= !isfinite(*x) && *x != -INFINITY;
}

static void numbers(struct codec *codec, double *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        number(codec, &x[i]);
}

static void int64(struct codec *codec, int64_t *x)
{
    uint64_t bits = word(codec, (uint64_t)*x, sizeof bits);
    memcpy(x, &bits, sizeof bits);
}

static void int32(struct codec *codec, int32_t *x)
{
    uint32_t bits = (uint32_t)word(codec, (uint32_t)*x, sizeof bits);
    memcpy(x, &bits, sizeof bits);
}

/* How often something was so: it goes on counting without overflow. */
static void counter(struct codec *codec, int64_t *x)
{
    int64(codec, x);
    codec->bad |= *x < 0 || *x > INT64_MAX / 2;
}

static void truth(struct codec *codec, bool *x)
{
    uint64_t value = word(codec, *x, 1);
    codec->bad |= value > 1;
    *x = value == 1;
}

/* One of 0 .. count - 1. */
static int choice(struct codec *codec, int value, int count)
{
    uint64_t read = word(codec, (uint64_t)value, 1);
    codec->bad |= read >= (uint64_t)count;
    return codec->bad ? 0 : (int)read;
}

static void counts(struct codec *codec, struct counts *x)
{
    int64(codec, &x->n_c);
    int64(codec, &x->k_c);
    int64(codec, &x->n_b);
    int64(codec, &x->k_b);
    codec->bad |= x->k_c < 0 || x->k_c > x->n_c || x->k_b < 0 || x->k_b > x->n_b;
}

/* Seven bits a byte, the lowest first; >= 0. */
static void small(struct codec *codec, int64_t *x)
{
    uint64_t value = (uint64_t)*x, read = 0;
    codec->bad |= codec->data == NULL && *x < 0;
    for (unsigned shift = 0; !codec->bad; shift += 7) {
        uint64_t byte = word(codec, codec->data != NULL ? 0 : (value & 0x7f) | (value > 0x7f ? 0x80 : 0), 1);
        if (codec->data == NULL)
            value >>= 7;
        else
            codec->bad |= shift > 56;
        read |= shift <= 56 ? (byte & 0x7f) << shift : 0;
        if ((byte & 0x80) == 0)
            break;
    }
    if (codec->data != NULL)
        *x = (int64_t)read;
}

static uint64_t bits_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* A number for each stratum; those at the end that are the same as the one before are left out. */
static void repeated(struct codec *codec, double x[STRATA_MAX])
{
    int64_t count = STRATA_MAX;
    while (codec->data == NULL && count > 1 && bits_of(x[count - 1]) == bits_of(x[count - 2]))
        count--;
    small(codec, &count);
    codec->bad |= count < 1 || count > STRATA_MAX;
    if (codec->bad)
        return;
    numbers(codec, x, (size_t)count);
    for (int64_t i = count; i < STRATA_MAX; i++)
        x[i] = x[count - 1];
}

static void strata(struct codec *codec, struct sli_counts *x)
{
    int32(codec, &x->strata);
    codec->bad |= x->strata < 0 || x->strata > STRATA_MAX;
    for (int32_t i = 0; !codec->bad && i < x->strata; i++)
        counts(codec, &x->stratum[i]);
    /* version 2 knew coverage of all strata together: its first is read, and what follows is by stratum */
    int32_t covered = codec->version > 2 && x->strata > 1 ? x->strata : 1;
    for (int32_t i = 0; !codec->bad && i < covered; i++)
        counts(codec, &x->coverage[i]);
}

/* Only the buckets that hold something. */
static void ring(struct codec *codec, struct burn_ring *x)
{
    int64_t used = 0;
    for (int i = 0; i < BURN_BUCKETS; i++)
        used += x->n[i] != 0;
    int64_t next = x->newest + 1;
    number(codec, &x->since);
    small(codec, &next);
    x->newest = next - 1;
    small(codec, &used);
    codec->bad |= used > BURN_BUCKETS || next < 0;
    for (int64_t left = used, place = 0; !codec->bad && left > 0; left--, place++) {
        while (codec->data == NULL && x->n[place] == 0)
            place++;
        small(codec, &place);
        codec->bad |= place >= BURN_BUCKETS;
        if (codec->bad)
            return;
        small(codec, &x->n[place]);
        small(codec, &x->k[place]);
        codec->bad |= x->n[place] < 1 || x->k[place] > x->n[place];
    }
}

static void mass(struct codec *codec, struct lane_mass *x)
{
    number(codec, &x->u);
    number(codec, &x->origin);
    number(codec, &x->t_prev);
    int32(codec, &x->steps_left);
}

static void lane(struct codec *codec, struct evidence_lane *x)
{
    for (int j = 0; j < EVIDENCE_GRID; j++)
        logarithm(codec, &x->log_m[j]);
    mass(codec, &x->mass);
}

static void sli_fields(struct codec *codec, struct sli_evidence *x)
{
    lane(codec, &x->relative);
    lane(codec, &x->absolute);
    numbers(codec, x->stable, EVIDENCE_GRID);
    numbers(codec, x->canary, EVIDENCE_GRID);
    numbers(codec, x->worse, EVIDENCE_GRID);
    numbers(codec, x->budget_y, EVIDENCE_BUDGET_GRID);
    number(codec, &x->budget_x);
    numbers(codec, x->ni_ratio, 2);
    number(codec, &x->ni_add);
    repeated(codec, x->ni_bad);
    repeated(codec, x->ni_seen);
    for (int i = 0; i < BURN_WINDOWS; i++)
        ring(codec, &x->burn[i]);
    lane(codec, &x->coverage);
    number(codec, &x->stable_bad);
    number(codec, &x->stable_seen);
    number(codec, &x->block_start);
    number(codec, &x->block_end);
    number(codec, &x->block_last);
    strata(codec, &x->open);
    number(codec, &x->closed_s);
    truth(codec, &x->open_step);
    truth(codec, &x->step_pending);
    number(codec, &x->shared_since);
    number(codec, &x->last_sick);
    truth(codec, &x->sick);
    truth(codec, &x->sick_before);
    int32(codec, &x->weight);
    int32(codec, &x->step);
    codec->bad |= x->step < -1 || x->step > INT32_MAX / 2;
    int32(codec, &x->weight_next);
    number(codec, &x->weight_seen);
    counts(codec, &x->total);
    counts(codec, &x->coverage_total);
    counts(codec, &x->step_total);
    number(codec, &x->last_tick);
    counter(codec, &x->invalid_ticks);
    int64(codec, &x->rows_dropped);
    codec->bad |= x->rows_dropped < 0;
    truth(codec, &x->failed);
}

static void split_fields(struct codec *codec, struct split_watch *x)
{
    for (int j = 0; j < SPLIT_GRID; j++)
        logarithm(codec, &x->split.log_m[j]);
    mass(codec, &x->split.mass);
    int32(codec, &x->split.planned_weights);
    codec->bad |= x->split.planned_weights < 1;
    number(codec, &x->block_start);
    number(codec, &x->last_tick);
    int64(codec, &x->n_c);
    int64(codec, &x->n);
    codec->bad |= x->n_c < 0 || x->n_c > x->n;
    number(codec, &x->w_lo);
    number(codec, &x->w_hi);
    truth(codec, &x->new_step);
    number(codec, &x->gap_from);
    number(codec, &x->gap_to);
    number(codec, &x->raise_seen);
    truth(codec, &x->crossed);
    truth(codec, &x->uncovered);
    counter(codec, &x->blocks);
    number(codec, &x->share);
}

static void rollout_fields(struct codec *codec, struct evidence *x)
{
    int32(codec, &x->weights);
    codec->bad |= x->weights < 0 || x->weights > EVIDENCE_WEIGHTS_MAX;
    for (int32_t i = 0; !codec->bad && i < x->weights; i++) {
        number(codec, &x->weight[i].at_s);
        int32(codec, &x->weight[i].weight);
        truth(codec, &x->weight[i].raised);
        number(codec, &x->weight[i].applied);
    }
    int32(codec, &x->planned_weights);
    codec->bad |= x->planned_weights < 1;
    number(codec, &x->tick_s);
    number(codec, &x->rps);
    number(codec, &x->rps_next);
    number(codec, &x->rps_tick);
    number(codec, &x->breach_since);
    number(codec, &x->now_s);
    number(codec, &x->canary_since);
    truth(codec, &x->coverage_crossed);
    split_fields(codec, &x->split);
    x->latched.action = (enum judgement_action)choice(codec, (int)x->latched.action, JUDGE_ROLLBACK + 1);
    x->latched.reason = (enum judgement_reason)choice(codec, (int)x->latched.reason, REASON_COUNT);
    x->latched.lead = (enum sli)choice(codec, (int)x->latched.lead, SLI_COUNT);
    number(codec, &x->latched.log_g_rel);
    number(codec, &x->latched.log_g_all);
}

size_t evidence_encode(const struct evidence *evidence, unsigned char out[EVIDENCE_CODEC_MAX])
{
    struct evidence copy = *evidence;
    struct codec codec = {.out = out, .length = EVIDENCE_CODEC_MAX, .version = VERSION};
    memcpy(out, (unsigned char[HEADER]){'S', 'E', 'V', VERSION, SLI_COUNT}, HEADER);
    codec.at = HEADER;
    rollout_fields(&codec, &copy);
    for (int i = 0; i < SLI_COUNT; i++)
        sli_fields(&codec, &copy.sli[i]);
    for (int i = 0; i < SLI_COUNT; i++)
        counts(&codec, &copy.sli[i].step_coverage);
    return codec.at;
}

bool evidence_decode(const unsigned char *data, size_t length, struct evidence *out)
{
    if (length < HEADER || memcmp(data, "SEV", 3) != 0 || data[3] < VERSION_READ || data[3] > VERSION ||
        data[4] > SLI_COUNT)
        return false;
    struct codec codec = {.data = data, .at = HEADER, .length = length, .version = data[3]};
    memset(out, 0, sizeof *out);
    rollout_fields(&codec, out);
    for (int i = 0; !codec.bad && i < SLI_COUNT; i++) {
        evidence_sli_init(&out->sli[i], out->planned_weights);
        if (i < data[4])
            sli_fields(&codec, &out->sli[i]);
        codec.bad |= out->sli[i].weight_next < 0 || out->sli[i].weight_next > out->weights;
    }
    /* at the end, so that a version before differs by nothing else */
    for (int i = 0; codec.version > 3 && !codec.bad && i < data[4]; i++)
        counts(&codec, &out->sli[i].step_coverage);
    return !codec.bad && codec.at == length;
}
