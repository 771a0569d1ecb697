/* What is common in a text, and what of a segment can be counted: what counting.py has beside numpy. */

#include "rows.h"

/* Which tokens of a text lie under fingerprints that unrelated packages share: as written, as shapes, and those that any
   two share; row by row behind each other. -1 where memory does not suffice. */
EXPORTED int64_t footnote_common(
    const int64_t *starts, const int64_t *ends, const uint32_t *lines, const uint8_t *abstract, const int64_t *families,
    int64_t n, int64_t idiom, int64_t size, uint8_t *out
) {
    enum { EXACT, ABSTRACT, SHARED, ROWS };
    memory *in = calloc(1, sizeof *in);
    if (!in) return -1;
    if (setjmp(in->out)) return leave(in, -1);
    int32_t *depth = take(in, ROWS * (size + 1), sizeof *depth); /* how many begin less how many end there */
    memset(depth, 0, (size_t)(ROWS * (size + 1)) * sizeof *depth);
    for (int64_t i = 0; i < n; i++) {
        int stopped = lines[i] == STOP;
        int is_in[ROWS] = {
            stopped && !abstract[i], abstract[i] && (stopped || families[i] >= idiom),
            !abstract[i] && (stopped || families[i] > 1)
        };
        for (int row = 0; row < ROWS; row++) {
            depth[row * (size + 1) + starts[i]] += is_in[row];
            depth[row * (size + 1) + ends[i]] -= is_in[row];
        }
    }
    for (int row = 0; row < ROWS; row++)
        for (int64_t i = 0, over = 0; i < size; i++) out[row * size + i] = (over += depth[row * (size + 1) + i]) > 0;
    return leave(in, 0);
}

/* A text from the first token of a segment on, with what is known of each. */
typedef struct {
    const uint64_t *exact, *abstract;
    const uint8_t *kinds;
    const int32_t *lines;
    const uint8_t *idiom, *shared; /* whether it lies under what unrelated packages have */
    const double *rare;            /* bits that it says beyond any rare word */
} tokens;

/* The tokens that match, those of the source that they match, and the lines of these. */
typedef struct {
    const int64_t *at, *partners;
    const int32_t *lines;
    int64_t n;
} pairs;

/* How much tokens say, as in rarity.py: what is not in the table says `most`. */
typedef struct {
    const uint32_t *heads;
    const double *bits;
    int64_t n;
    double most, saying;
} rarity;

/* In the order of Counts in counting.py. */
typedef struct {
    int64_t blocks, replaced, idiom, shared, names, known_names, strings, runs, different_runs, rows, different_rows,
        commas, different_names, kept_words, ends_alike, ends, blank_lines;
} counts;

static int is_name(uint8_t kind) { return kind == NAME || kind == ARGUMENT; }

static int is_kept(uint8_t kind) { return kind == KEPT || kind == CALLED; }

static int is_word(uint8_t kind) { return is_name(kind) || is_kept(kind) || kind == NUMBER || kind == STRING; }

/* Whether a value is the first of its kind in a table. */
static int is_new(const table *in, int64_t number) {
    int32_t *head = slot(in, in->values[number]);
    if (*head >= 0) return 0;
    *head = (int32_t)number;
    return 1;
}

static int64_t different(memory *in, const uint64_t *values, int64_t n) {
    table seen = empty(in, values, n);
    int64_t found = 0;
    for (int64_t i = 0; i < n; i++) found += is_new(&seen, i);
    return found;
}

static double said(const rarity *of, uint64_t id) {
    uint32_t head = (uint32_t)(id >> 32);
    int64_t at = place_of(of->heads, of->n, head);
    return at < of->n && of->heads[at] == head ? of->bits[at] : of->most;
}

/* Between what matches: blocks, what stands there on both sides, and where lines end. */
static void count_gaps(const tokens *text, const pairs *found, counts *to) {
    int64_t at = -1, partner = 0; /* the pair of code before this one */
    for (int64_t i = 0; i < found->n; i++) {
        int64_t here = found->at[i], there = found->partners[i];
        if (text->kinds[here] != PROSE) {
            to->replaced += at >= 0 && here - at > 1 && there - partner > 1;
            at = here;
            partner = there;
        }
        if (!i) continue;
        int64_t moved = here - found->at[i - 1];
        to->blocks += moved > 1;
        if (moved != 1 || there - found->partners[i - 1] != 1) continue;
        int32_t ours = text->lines[here] - text->lines[here - 1], theirs = found->lines[i] - found->lines[i - 1];
        to->ends_alike += ours > 0 && theirs > 0;
        to->ends += ours > 0 || theirs > 0;
        to->blank_lines += ours > 1 && ours == theirs;
    }
}

/* Of the names that became others, and of words that stay what they are, how many different ones there are. */
static void count_words(memory *in, const tokens *text, const pairs *found, uint64_t name_id, counts *to) {
    uint64_t *names = take(in, found->n, sizeof *names), *kept = take(in, found->n, sizeof *kept);
    int64_t n_names = 0, n_kept = 0;
    for (int64_t i = 0; i < found->n; i++) {
        int64_t at = found->at[i];
        if (text->kinds[at] == PROSE) continue;
        if (text->abstract[at] == name_id) names[n_names++] = text->exact[at];
        if (is_kept(text->kinds[at])) kept[n_kept++] = text->abstract[at];
    }
    to->different_names = different(in, names, n_names);
    to->kept_words = different(in, kept, n_kept);
}

/* What the different tokens say that are the same on both sides; how much names of few passages say. */
static double count_equal(
    memory *in, const tokens *text, const int64_t *equal, int64_t n, const rarity *of, counts *to
) {
    double rare = 0;
    uint64_t *ids = take(in, n, sizeof *ids);
    for (int64_t i = 0; i < n; i++) ids[i] = text->exact[equal[i]];
    table seen = empty(in, ids, n);
    for (int64_t i = 0; i < n; i++) {
        if (!is_new(&seen, i)) continue;
        uint8_t kind = text->kinds[equal[i]];
        rare += text->rare[equal[i]];
        to->names += is_name(kind);
        to->known_names += is_name(kind) && said(of, ids[i]) >= of->saying;
        to->strings += kind == STRING && said(of, ids[i]) >= of->most;
    }
    return rare;
}

/* How many runs of the code are different, as written and by kinds. */
static void count_runs(memory *in, const tokens *text, int64_t n, int64_t run, int64_t row, counts *to) {
    uint64_t *ids = take(in, n, sizeof *ids), *kinds = take(in, n, sizeof *kinds), *hashes = take(in, n, sizeof *hashes);
    int64_t code = 0;
    for (int64_t i = 0; i < n; i++) {
        uint8_t kind = text->kinds[i];
        to->idiom += text->idiom[i];
        to->shared += text->shared[i];
        to->commas += kind == COMMA;
        if (kind == PROSE) continue;
        ids[code] = text->exact[i];
        kinds[code++] = is_word(kind) ? kind : text->exact[i];
    }
    to->runs = grams(ids, code, run, hashes);
    to->different_runs = different(in, hashes, to->runs);
    to->rows = grams(kinds, code, row, hashes);
    to->different_rows = different(in, hashes, to->rows);
}

/* Counts what a segment of `n` tokens shows, with runs and rows of some tokens; 0, or -1 where memory does not suffice. */
EXPORTED int64_t footnote_counts(
    const uint64_t *exact, const uint64_t *abstract, const uint8_t *kinds, const int32_t *lines, const uint8_t *idiom,
    const uint8_t *shared, const double *rare, int64_t n, const int64_t *at, const int64_t *partners,
    const int32_t *partner_lines, int64_t n_pairs, const int64_t *equal, int64_t n_equal, const uint32_t *heads,
    const double *bits, int64_t n_heads, double most, double saying, int64_t run, int64_t row, uint64_t name_id,
    int64_t start, int64_t *out, double *rare_out
) {
    const tokens text = {exact, abstract, kinds, lines, idiom, shared, rare};
    memory *in = calloc(1, sizeof *in);
    if (!in) return -1;
    if (setjmp(in->out)) return leave(in, -1);
    int64_t *places = take(in, n_pairs + n_equal, sizeof *places), *same = places + n_pairs;
    for (int64_t i = 0; i < n_pairs; i++) places[i] = at[i] - start;
    for (int64_t i = 0; i < n_equal; i++) same[i] = equal[i] - start;
    const pairs found = {places, partners, partner_lines, n_pairs};
    const rarity of = {heads, bits, n_heads, most, saying};
    counts *to = (counts *)out;
    memset(to, 0, sizeof *to);
    count_gaps(&text, &found, to);
    count_words(in, &text, &found, name_id, to);
    *rare_out = count_equal(in, &text, same, n_equal, &of, to);
    count_runs(in, &text, n, run, row, to);
    return leave(in, 0);
}
