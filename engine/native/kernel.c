/* A Llama's forward pass for one sequence, with weights in eight bits.

   Compiled once for each kind of processor (engine/native/building.py). A small model is
   bound by what surrounds its arithmetic: here nothing does. Every row goes through the same
   operations in the same order whatever rows run with it, so that its scores are the same to the
   last bit: a cache may be taken up at any token, and guesses may run along.

   Weights: symmetric int8 with a scale for each output and each GROUP inputs (as Q8_0 of llama.cpp
   has one for 32), stored in panels in the order in which they are read. Activations: int8 with a
   scale for each GROUP. Sums are int32 within a group and float32 between groups. Keys and values
   are kept as float16; keys lie transposed in blocks of LANES, so that one product serves that
   many of them. */

#include "lanes.h"
#include "threads.h"
#include "matrices.h"
#include "attention.h"

typedef struct {
    matrix qkv, out, gate_up, down;
    float *attention_gain, *mlp_gain; /* [hidden] */
} layer;

typedef struct {
    int64_t vocabulary, hidden, layers, heads, kv_heads, head_dim, inner, positions;
    double epsilon;
} shape;

typedef struct {
    shape shape;
    matrix table, head; /* the head is empty where the table serves as both */
    float *gain, *cosines, *sines; /* [hidden]; [positions][head_dim / 2] */
    layer *layers;
    crew *crew;
    /* Room for BATCH rows; for one row and each worker; for the weights of each worker's keys. */
    float *rows, *wide, *seen, *normed, *weights;
    bytes bytes;
} model;

/* Root mean square normalisation (Zhang and Sennrich 2019, arXiv 1910.07467). */
static void normalise(const float *from, const float *gain, int64_t count, double epsilon, float *to) {
    floats squares = all(0);
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES) squares += read(from + i) * read(from + i);
    float sum = sum_of(squares);
    for (; i < count; i++) sum += from[i] * from[i];
    float scale = (float)(1.0 / sqrt((double)sum / (double)count + epsilon));
    for (i = 0; i < count; i++) to[i] = from[i] * scale * gain[i];
}

/* silu(gate) * up in the place of the gate. */
static void gated(float *gate, const float *up, int64_t count) {
    for (int64_t i = 0; i < count; i += LANES) {
        int64_t left = count - i;
        floats x = left < LANES ? read_some(gate + i, left) : read(gate + i);
        floats y = left < LANES ? read_some(up + i, left) : read(up + i);
        floats small = exponential(either(x < 0, x, -x)); /* of minus its size: never more than 1 */
        floats share = either(x < 0, small, all(1)) / (1.0f + small);
        write_some(gate + i, x * share * y, left);
    }
}

/* Whether this processor, and its system, have the instructions that this was compiled to. */
EXPORT int footnote_fits(void) {
#if defined(__AVX2__)
    unsigned a, b, c, d, first_c, low, high;
    if (!__get_cpuid(1, &a, &b, &first_c, &d) || !(first_c >> 27 & 1)) return 0; /* xgetbv */
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
    int fits = (low & 6) == 6 && (first_c >> 12 & 1) && (first_c >> 29 & 1) && (b >> 5 & 1);
#if defined(__AVX512VNNI__)
    fits = fits && (low & 0xe6) == 0xe6 && (b >> 16 & 1) && (b >> 17 & 1) && (b >> 30 & 1) && (b >> 31 & 1) && (c >> 11 & 1);
#elif defined(__AVXVNNI__)
    fits = fits && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 4 & 1);
#endif
    return fits;
#elif defined(__ARM_FEATURE_DOTPROD) && defined(__linux__)
    return getauxval(AT_HWCAP) >> 20 & 1; /* asimddp */
#else
    return 1;
#endif
}

EXPORT int64_t footnote_lanes(void) { return LANES; }
EXPORT int64_t footnote_panel(void) { return PANEL; }

/* Of scores, [count], the log-probability of one and the entropy of them all, in nats. */
EXPORT void footnote_certainty(const float *scores, int64_t count, int64_t one, double *found) {
    floats tops = all(-INFINITY);
    int64_t at = 0;
    for (; at + LANES <= count; at += LANES) tops = either(read(scores + at) > tops, read(scores + at), tops);
    float top = largest_of(tops);
    for (; at < count; at++) top = scores[at] > top ? scores[at] : top;
    double total = 0, mean = 0;
    for (int64_t start = 0; start < count; start += 4096) { /* floats add up well over so many */
        int64_t end = start + 4096 < count ? start + 4096 : count, i = start;
        floats sum = all(0), weighted = all(0);
        for (; i + LANES <= end; i += LANES) {
            floats below = read(scores + i) - top;
            below = either(below > -87, below, all(-87)); /* whatever is less likely counts for nothing */
            floats share = exponential(below);
            sum += share, weighted += share * below;
        }
        total += sum_of(sum), mean += sum_of(weighted);
        for (; i < end; i++) {
            double share = exp(scores[i] - top);
            total += share, mean += share * (scores[i] - top);
        }
    }
    found[0] = scores[one] - top - log(total);
    found[1] = fmax(0, log(total) - mean / total);
}

EXPORT void footnote_free(model *m) {
    if (!m) return;
    crew_free(m->crew);
    for (int64_t number = 0; m->layers && number < m->shape.layers; number++) {
        layer *l = m->layers + number;
        matrix *all_of_it[] = {&l->qkv, &l->out, &l->gate_up, &l->down};
        for (int i = 0; i < 4; i++) give_matrix_back(all_of_it[i]);
        give_back(l->attention_gain), give_back(l->mlp_gain);
    }
    give_matrix_back(&m->table), give_matrix_back(&m->head);
    void *rest[] = {m->gain, m->cosines, m->sines,   m->layers,     m->rows,         m->wide,
                    m->seen, m->normed,  m->weights, m->bytes.data, m->bytes.scales, m->bytes.sums};
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++) give_back(rest[i]);
    give_back(m);
}

/* How many floats each row of the model's own rooms takes. */
static int64_t hidden_of(const shape *s) { return padded(s->hidden, PANEL > GROUP ? PANEL : GROUP); }
static int64_t qkv_of(const shape *s) { return padded((s->heads + 2 * s->kv_heads) * s->head_dim, PANEL); }
static int64_t both_of(const shape *s) { return padded(2 * s->inner, PANEL); }
static int64_t seen_of(const shape *s) { return padded(s->heads * s->head_dim, GROUP); }
static int64_t weights_of(const shape *s) { return (s->positions + 2 * LANES) * QUERIES; }
static int64_t larger(int64_t one, int64_t other) { return one > other ? one : other; }

/* Room for a model of this shape; nothing where there is none. */
EXPORT model *footnote_new(const int64_t *sizes, double epsilon, int workers) {
    model *m = room(sizeof *m);
    if (!m) return 0;
    shape *s = &m->shape;
    *s = (shape){sizes[0], sizes[1], sizes[2], sizes[3], sizes[4], sizes[5], sizes[6], sizes[7], epsilon};
    int64_t widest = larger(qkv_of(s), both_of(s)) + LANES;
    int64_t most = larger(larger(hidden_of(s), seen_of(s)), padded(s->inner, GROUP));
    m->crew = crew_new(workers);
    m->layers = room(s->layers * (int64_t)sizeof(layer));
    m->gain = room(s->hidden * 4);
    m->cosines = room(s->positions * s->head_dim * 2);
    m->sines = room(s->positions * s->head_dim * 2);
    m->rows = room(BATCH * hidden_of(s) * 4);
    m->wide = room(BATCH * widest * 4);
    m->seen = room(BATCH * seen_of(s) * 4);
    m->normed = m->crew ? room(m->crew->workers * hidden_of(s) * 4) : 0;
    m->weights = m->crew ? room(m->crew->workers * weights_of(s) * 4) : 0;
    m->bytes.data = room(BATCH * most);
    m->bytes.scales = room(BATCH * most / GROUP * 4);
    m->bytes.sums = room(BATCH * most / GROUP * 4);
    if (m->crew && m->layers && m->gain && m->cosines && m->sines && m->rows && m->wide && m->seen && m->normed &&
        m->weights && m->bytes.data && m->bytes.scales && m->bytes.sums)
        return m;
    footnote_free(m);
    return 0;
}

static int copy(float **to, const float *from, int64_t used, int64_t count) {
    *to = *to ? *to : room(count * 4);
    if (!*to) return -1;
    memcpy(*to, from, (size_t)used * 4);
    return 0;
}

/* Take in one weight, [rows, columns] or [rows]; 0, or -1 where there is no memory for it. */
EXPORT int footnote_take(model *m, int name, int64_t number, const float *from, int64_t rows, int64_t columns) {
    layer *l = m->layers + number;
    int64_t turns = m->shape.positions * m->shape.head_dim / 2;
    switch (name) {
    case 0: return pack(&m->table, from, rows, columns);
    case 1: return pack(&m->head, from, rows, columns);
    case 2: return copy(&m->gain, from, rows, rows);
    case 3: return copy(&m->cosines, from, turns, turns);
    case 4: return copy(&m->sines, from, turns, turns);
    case 5: return pack(&l->qkv, from, rows, columns);
    case 6: return pack(&l->out, from, rows, columns);
    case 7: return pack(&l->gate_up, from, rows, columns);
    case 8: return pack(&l->down, from, rows, columns);
    case 9: return copy(&l->attention_gain, from, rows, rows);
    case 10: return copy(&l->mlp_gain, from, rows, rows);
    case 11: return copy(&l->qkv.bias, from, rows, padded(rows, PANEL));
    case 12: return copy(&l->out.bias, from, rows, padded(rows, PANEL));
    case 13: return copy(&l->gate_up.bias, from, rows, padded(rows, PANEL));
    case 14: return copy(&l->down.bias, from, rows, padded(rows, PANEL));
    default: return -1;
    }
}

/* A stage between two products: rows, each normalised or gated, then made bytes. */
typedef struct {
    model *m;
    const float *from, *gain; /* no gain: nothing is normalised */
    int64_t stride, count, rows, step;
    int gates;
} stage;

static void some_rows(void *what, int64_t task, int worker) {
    const stage *s = what;
    model *m = s->m;
    float *normed = m->normed + worker * hidden_of(&m->shape);
    for (int64_t row = task * s->step; row < (task + 1) * s->step && row < s->rows; row++) {
        const float *from = s->from + row * s->stride;
        if (s->gates) gated((float *)from, from + s->count, s->count);
        if (s->gain) normalise(from, s->gain, s->count, m->shape.epsilon, normed);
        quantise(s->gain ? normed : from, s->count, &m->bytes, row);
    }
}

static void to_bytes(model *m, const float *from, int64_t stride, int64_t rows, int64_t count, const float *gain, int gates) {
    stage s = {m, from, gain, stride, count, rows, 8, gates};
    share(m->crew, (rows + s.step - 1) / s.step, some_rows, &s);
}

/* Run `count` tokens, at most BATCH, at `position` and after it; the scores of the last `wanted` to
   [wanted, vocabulary padded to panels]. `keys` are [layers][kv_heads][capacity][head_dim] in size,
   `values` with the last padded to 2 * LANES, `capacity` a multiple of 2 * LANES. -1 when a token
   is none or something does not fit. */
EXPORT int footnote_run(model *m, const int64_t *tokens, int64_t count, int64_t position, half *keys, half *values,
                        int64_t capacity, int64_t wanted, float *scores) {
    const shape *s = &m->shape;
    int64_t hidden = hidden_of(s), narrow = s->heads * s->head_dim;
    if (count < 1 || count > BATCH || position < 0 || position + count > s->positions ||
        position + count > capacity || capacity % (2 * LANES) || s->head_dim > MOST_DIM || wanted < 0 ||
        wanted > count)
        return -1;
    for (int64_t row = 0; row < count; row++)
        if (tokens[row] < 0 || tokens[row] >= s->vocabulary) return -1;
    crew_starts(m->crew);
    for (int64_t row = 0; row < count; row++) unpack_row(&m->table, tokens[row], s->hidden, m->rows + row * hidden);
    for (int64_t number = 0; number < s->layers; number++) {
        layer *l = m->layers + number;
        int64_t kept = number * s->kv_heads * capacity;
        attending a = {
            .rows = count, .position = position, .capacity = capacity, .heads = s->heads, .kv_heads = s->kv_heads,
            .dim = s->head_dim, .stride = qkv_of(s), .seen_stride = seen_of(s), .cosines = m->cosines,
            .sines = m->sines, .wide = m->wide, .seen = m->seen, .weights = m->weights, .room = weights_of(s),
            .keys = keys + kept * s->head_dim, .values = values + kept * padded(s->head_dim, 2 * LANES),
        };
        to_bytes(m, m->rows, hidden, count, s->hidden, l->attention_gain, 0);
        multiply(m->crew, &m->bytes, &l->qkv, count, m->wide, qkv_of(s), 0);
        attention(m->crew, &a);
        to_bytes(m, m->seen, seen_of(s), count, narrow, 0, 0);
        multiply(m->crew, &m->bytes, &l->out, count, m->rows, hidden, 1);
        to_bytes(m, m->rows, hidden, count, s->hidden, l->mlp_gain, 0);
        multiply(m->crew, &m->bytes, &l->gate_up, count, m->wide, both_of(s), 0);
        to_bytes(m, m->wide, both_of(s), count, s->inner, 0, 1);
        multiply(m->crew, &m->bytes, &l->down, count, m->rows, hidden, 1);
    }
    const matrix *head = m->head.data ? &m->head : &m->table;
    to_bytes(m, m->rows + (count - wanted) * hidden, hidden, wanted, s->hidden, m->gain, 0);
    multiply(m->crew, &m->bytes, head, wanted, scores, head->outputs, 0);
    crew_rests(m->crew);
    return 0;
}
