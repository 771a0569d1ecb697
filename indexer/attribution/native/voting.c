/* What speaks for places of the corpus: what voting.py has beside numpy. */

#include "rows.h"

/* The numbers of votes by what speaks, in order. */
static int64_t *by_speaker(memory *in, const int64_t *what, int64_t n) {
    int64_t least = INT64_MAX, most = INT64_MIN, *order = take(in, n, sizeof *order);
    for (int64_t i = 0; i < n; i++) {
        least = smaller(least, what[i]);
        most = larger(most, what[i]);
    }
    int64_t range = n ? most - least + 1 : 0, before = 0, *next = take(in, range, sizeof *next);
    memset(next, 0, (size_t)range * sizeof *next);
    for (int64_t i = 0; i < n; i++) next[what[i] - least]++;
    for (int64_t k = 0, count; k < range; k++, before += count) {
        count = next[k];
        next[k] = before;
    }
    for (int64_t i = 0; i < n; i++) order[next[what[i] - least]++] = i;
    return order;
}

/* What was said for one place by those that came so far, and who spoke last: each counts once. */
typedef struct {
    int64_t count, last;
    double said;
} hearing;

static void hear(hearing *at, int64_t who, double bits) {
    if (at->count && at->last == who) return;
    at->count++;
    at->last = who;
    at->said += bits;
}

/* What speaks for places, one by one: where in the text it stands, and what it is. */
typedef struct {
    int64_t *at, *what;
    uint32_t *lines;
    double *bits;
    int64_t n;
} speakers;

static void speak(speakers *to, int64_t at, uint32_t line, int64_t what, double bits) {
    to->at[to->n] = at;
    to->what[to->n] = what;
    to->lines[to->n] = line;
    to->bits[to->n++] = bits;
}

/* The lines of a file in chunks: how far into one a line is. */
static uint32_t within_chunk(uint32_t line, const uint32_t *first_lines, int64_t n_files, uint32_t chunk) {
    return (line - first_lines[file_of(first_lines, n_files, line)]) % chunk;
}

/* As sharing in voting.py: stretches of the text, and behind `room` of them lines of the corpus, and what is said for
   both, where what speaks is `fewest` or more and comes to `enough`; how many, or -1 where memory does not suffice.
   Those for which there is no room are only counted. */
EXPORTED int64_t footnote_together(
    const int64_t *name_at, const int64_t *name, const int64_t *starts, const uint32_t *name_lines,
    const double *name_bits, int64_t n_at, const int64_t *hit_at, const uint32_t *hit_lines,
    const int64_t *families, int64_t n_hits, const uint32_t *first_lines, int64_t n_files, int64_t half, uint32_t chunk,
    int64_t fewest, double enough, int64_t hit_tokens, int64_t few_families, double hit_bits, int64_t *places,
    double *said, int64_t room
) {
    memory *in = calloc(1, sizeof *in);
    if (!in) return -1;
    if (setjmp(in->out)) return leave(in, -1);
    int64_t n = n_hits, size = 1, kept = 0, n_groups = 0, found = 0;
    for (int64_t i = 0; i < n_at; i++) n += starts[name[i] + 1] - starts[name[i]];
    speakers all = {take(in, n, 8), take(in, n, 8), take(in, n, 4), take(in, n, 8), 0};
    for (int64_t i = 0; i < n_at; i++)
        for (int64_t place = starts[name[i]]; place < starts[name[i] + 1]; place++)
            speak(&all, name_at[i], name_lines[place], name[i], name_bits[name[i]]);
    for (int64_t i = 0; i < n_hits; i++) {
        if (hit_lines[i] == STOP || families[i] >= few_families) continue;
        uint32_t line = hit_lines[i] - within_chunk(hit_lines[i], first_lines, n_files, chunk);
        /* A number that no name has; the grams of one run say the same. */
        speak(&all, hit_at[i], line, -1 - hit_at[i] / hit_tokens, hit_bits);
    }
    const int64_t *at = all.at, *what = all.what;
    const uint32_t *lines = all.lines;
    n = all.n;
    int64_t *order = by_speaker(in, what, n);
    /* Most votes stand alone, and are not heard in full. Chunks share what is counted of each, which is never too
       little; those in a row have numbers in a row, wherever their file begins. */
    while (size < 4 * n) size *= 2;
    hearing *near = take(in, size, sizeof *near);
    memset(near, 0, (size_t)size * sizeof *near);
    for (int64_t i = 0; i < n; i++) hear(near + (lines[order[i]] / chunk & (size - 1)), what[order[i]], 0);
    for (int64_t i = 0; i < n; i++) {
        int64_t place = lines[order[i]] / chunk;
        int64_t before = near[(place - 1) & (size - 1)].count, after = near[(place + 1) & (size - 1)].count;
        if (near[place & (size - 1)].count + larger(before, after) >= fewest || lines[order[i]] < 2 * chunk)
            order[kept++] = order[i];
    }
    uint64_t *keys = take(in, 4 * kept, sizeof *keys);
    hearing *groups = take(in, 4 * kept, sizeof *groups);
    table known = empty(in, keys, 4 * kept);
    for (int64_t i = 0; i < kept; i++) {
        int64_t vote = order[i];
        for (int k = 0; k < 4; k++) {
            uint64_t stretch = (uint64_t)larger(0, at[vote] / half - k / 2);
            uint64_t key = stretch << 32 | (uint64_t)larger(0, (int64_t)lines[vote] - (k % 2 ? chunk : 0));
            int32_t *head = slot(&known, key);
            if (*head < 0) {
                keys[n_groups] = key;
                groups[n_groups] = (hearing){0};
                *head = (int32_t)n_groups++;
            }
            hear(groups + *head, what[vote], all.bits[vote]);
        }
    }
    for (int64_t i = 0; i < n_groups; i++) {
        if (groups[i].count < fewest || groups[i].said < enough) continue;
        uint32_t line = (uint32_t)keys[i];
        /* Pairs of chunks from two files have no line at which a chunk begins. */
        if (within_chunk(line, first_lines, n_files, chunk)) continue;
        if (found < room) {
            places[found] = (int64_t)(keys[i] >> 32) * half;
            places[room + found] = line;
            said[found] = groups[i].said;
        }
        found++;
    }
    return leave(in, found);
}
