/* What aligner.c, rows.c, features.c and voting.c are made of: memory that is given back together, hashes of ids, and tables of them. */

#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef _WIN32
#define EXPORTED __declspec(dllexport)
#else
#define EXPORTED __attribute__((visibility("default")))
#endif

/* As in tokens.py. */
enum { NAME = 2, KEPT = 3, CALLED = 4, NUMBER = 5, STRING = 6, COMMA = 8, PROSE = 14, ARGUMENT = 15 };

/* As in fingerprints.py. */
static const uint64_t BASE = UINT64_C(0x9E3779B97F4A7C15), INVERSE = UINT64_C(0xF1DE83E19937733D);

/* As in postings.py. */
static const uint32_t STOP = UINT32_MAX;

static int64_t smaller(int64_t one, int64_t other) { return one < other ? one : other; }
static int64_t larger(int64_t one, int64_t other) { return one > other ? one : other; }

/* ---- memory ---- */

typedef struct taken {
    struct taken *before;
    uint64_t aligned;
} taken;

typedef struct {
    taken *last;
    jmp_buf out;
} memory;

static void *take(memory *of, int64_t n, size_t size) {
    taken *got = n < 0 || (uint64_t)n > SIZE_MAX / size - sizeof *got ? 0 : malloc(sizeof *got + (size_t)n * size);
    if (!got) longjmp(of->out, 1);
    got->before = of->last;
    of->last = got;
    return got + 1;
}

/* Gives back what was taken since. */
static void give_back(memory *of, taken *since) {
    while (of->last != since) {
        taken *before = of->last->before;
        free(of->last);
        of->last = before;
    }
}

static int64_t leave(memory *of, int64_t result) {
    give_back(of, 0);
    free(of);
    return result;
}

/* ---- rows of ids ---- */

/* A number for every k consecutive ids; how many there are. */
static int64_t grams(const uint64_t *ids, int64_t n, int64_t k, uint64_t *out) {
    uint64_t value = 0, last = 1;
    if (n < k) return 0;
    for (int64_t i = 0; i < k; i++) {
        value += ids[i] * last;
        if (i < k - 1) last *= INVERSE;
    }
    out[0] = value;
    for (int64_t i = 1; i + k <= n; i++) {
        value = (value - ids[i - 1]) * BASE + ids[i + k - 1] * last;
        out[i] = value;
    }
    return n - k + 1;
}

/* Values, each found by itself: of the equal ones the last, from which `before` leads to the others. */
typedef struct {
    const uint64_t *values;
    int32_t *heads, *before; /* -1: none */
    int shift;
} table;

static int32_t *slot(const table *of, uint64_t value) {
    uint64_t mask = (UINT64_C(1) << (64 - of->shift)) - 1, at = (value * BASE) >> of->shift;
    while (of->heads[at] >= 0 && of->values[of->heads[at]] != value) at = (at + 1) & mask;
    return of->heads + at;
}

static table empty(memory *in, const uint64_t *values, int64_t n) {
    table made = {values, 0, 0, 63};
    while (made.shift > 1 && INT64_C(1) << (64 - made.shift) < 2 * n) made.shift--;
    size_t size = (size_t)1 << (64 - made.shift);
    made.heads = take(in, (int64_t)size, sizeof *made.heads);
    memset(made.heads, 0xFF, size * sizeof *made.heads);
    made.before = take(in, n, sizeof *made.before);
    return made;
}

/* ---- sorted rows ---- */

/* Where in a part of a sorted row, from low up to high, a value would stand, before its equals. */
static inline int64_t first_of(const uint32_t *row, int64_t low, int64_t high, uint32_t value) {
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (row[middle] < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Hashes lie evenly in their order, so each is looked for from where it should be. */
static inline int64_t expected(int64_t n, uint32_t value) { return (int64_t)((uint64_t)value * (uint64_t)n >> 32); }

static inline int64_t place_of(const uint32_t *row, int64_t n, uint32_t value) {
    int64_t low = expected(n, value), high = low, step = 8;
    while (low > 0 && row[low - 1] >= value) {
        high = low - 1;
        low = low > step ? low - step : 0;
        step *= 2;
    }
    while (high < n && row[high] < value) {
        low = high + 1;
        high = high + step < n ? high + step : n;
        step *= 2;
    }
    return first_of(row, low, high, value);
}

/* The file of a line, of files by their first lines. */
static inline int64_t file_of(const uint32_t *first_lines, int64_t n, uint32_t line) {
    int64_t low = 0, high = n;
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (first_lines[middle] <= line)
            low = middle;
        else
            high = middle;
    }
    return low;
}
