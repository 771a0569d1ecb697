/* How much of a text is a passage: what alignment.py does with numpy and a library for strings, at once.

   A text is compared with many passages, most of them short, where every call into numpy costs more than what
   it does. What is returned is written into the caller's memory; the rest is taken for a call and given back. */

#include "rows.h"

/* As in alignment.py; costs in quarters of a token. */
enum {
    MIN_ABSTRACT_BLOCK = 6, MIN_EXACT_BLOCK = 5, FEWEST_MATCHED = 30, MIN_SEGMENT = 14, ENOUGH_CODE = 40,
    GRAM = 6, CONSISTENCY_CONTEXT = 12, TOKEN_COST = 4, PROSE_COST = 1, SHORTEST = 2, LARGEST_GAP = 80, BESIDE = 20
};
static const double GAP_COST = 0.35, ENOUGH_EXACT = 0.9;

typedef struct {
    const uint64_t *exact, *abstract;
    const uint8_t *kinds, *sizes;
    int64_t n;
} tokens;

typedef struct {
    int64_t text, source, size;
} block;

typedef struct {
    const int32_t *text, *source; /* numbers of equal tokens */
    int64_t n;
} stretch;

typedef struct {
    stretch *of;
    int64_t n;
} stretches;

/* As Segment in alignment.py, and where its places are. */
typedef struct {
    int64_t text_start, text_end, source_start, source_end, exact, abstract;
    double exact_share, abstract_share, consistency;
    int64_t exact_grams, abstract_grams, exact_run, abstract_run, left_out;
    double prose;
    int64_t n_matched, n_equal;
    int64_t straight;        /* whether it was found on the exact ids */
} segment;

/* ---- the longest common subsequence ---- */

static void put(table *into, int64_t number) {
    int32_t *head = slot(into, into->values[number]);
    into->before[number] = *head;
    *head = (int32_t)number;
}

typedef struct {
    const uint64_t *text, *source; /* ids */
    int64_t n_text, n_source;
    int64_t smallest;
    block open;              /* of grams, to which the next pair may belong */
    block *blocks;
    int64_t n;
} gathering;

/* The block with what is equal on either side of it. */
static block widened(const gathering *it, block of) {
    int64_t end = of.text + of.size, shift = of.source - of.text;
    while (of.text && of.source && it->text[of.text - 1] == it->source[of.source - 1]) of.text--, of.source--;
    while (end < it->n_text && end + shift < it->n_source && it->text[end] == it->source[end + shift]) end++;
    of.size = end - of.text;
    return of;
}

/* Where two blocks claim the same ids, the larger one keeps them. */
static void push(gathering *it, block next) {
    while (it->n) {
        block last = it->blocks[it->n - 1];
        int64_t here = last.text + last.size - next.text, there = last.source + last.size - next.source;
        int64_t shared = here > there ? here : there;
        if (shared <= 0) break;
        if (last.size >= next.size) {
            next = (block){next.text + shared, next.source + shared, next.size - shared};
            break;
        }
        it->n--;
        if (last.size > shared) {
            it->blocks[it->n++].size = last.size - shared;
            break;
        }
    }
    if (next.size > 0) it->blocks[it->n++] = next;
}

static void close_block(gathering *it) {
    block of = it->open;
    if (!of.size) return;
    of.size += it->smallest - 1;
    push(it, widened(it, of));
    it->open.size = 0;
}

static void pair(gathering *it, int64_t text, int64_t source, int64_t size) {
    block *open = &it->open;
    if (open->size && open->text + open->size == text && open->source + open->size == source) {
        open->size += size;
        return;
    }
    close_block(it);
    *open = (block){text, source, size};
}

/* The pairs of a longest common subsequence, from the last to the first; how many.

   Bit-parallel (Hyyro: "Bit-Parallel LCS-length Computation Revisited", 2004): of each row of the source one
   bit for each column of the text, 0 where the subsequence grows. Of equally long ones the same is taken as
   rapidfuzz takes. Rows and columns of what one side has alone are left out: nothing is decided there. */
static int64_t subsequence(
    memory *in, const uint64_t *text, int64_t n, const uint64_t *source, int64_t m, int32_t *ours, int32_t *theirs
) {
    table known = empty(in, text, n);
    int32_t *heads = take(in, m, sizeof *heads), *rows = take(in, m, sizeof *rows);
    int32_t *columns = take(in, n, sizeof *columns), *number = take(in, n, sizeof *number);
    int64_t height = 0, width = 0, found = 0;
    for (int64_t i = 0; i < n; i++) put(&known, i);
    memset(number, 0, (size_t)n * sizeof *number);
    for (int64_t i = 0; i < m; i++) {
        int32_t head = *slot(&known, source[i]);
        if (head < 0) continue;
        heads[height] = head;
        rows[height++] = (int32_t)i;
        if (number[head]) continue;
        for (; head >= 0; head = known.before[head]) number[head] = 1;
    }
    for (int64_t i = 0; i < n; i++)
        if (number[i]) {
            number[i] = (int32_t)width;
            columns[width++] = (int32_t)i;
        }
    if (!height) return 0;
    int64_t words = (width + 63) / 64;
    uint64_t *matrix = take(in, height * words, sizeof *matrix), *equal = take(in, words, sizeof *equal);
    memset(equal, 0, (size_t)words * sizeof *equal);
    for (int64_t row = 0; row < height; row++) {
        uint64_t *now = matrix + row * words, carry = 0;
        for (int32_t k = heads[row]; k >= 0; k = known.before[k])
            equal[number[k] >> 6] |= UINT64_C(1) << (number[k] & 63);
        for (int64_t w = 0; w < words; w++) {
            uint64_t old = row ? now[w - words] : ~UINT64_C(0), both = old & equal[w];
            uint64_t sum = old + carry, more = sum < old;
            sum += both;
            carry = more | (sum < both);
            now[w] = sum | (old - both);
        }
        for (int32_t k = heads[row]; k >= 0; k = known.before[k]) equal[number[k] >> 6] = 0;
    }
    int64_t row = height, column = width;
    while (row && column) {
        const uint64_t *now = matrix + (row - 1) * words;
        int64_t word = (column - 1) >> 6;
        int bit = (column - 1) & 63;
        if (now[word] >> bit & 1) {
            column--;
            continue;
        }
        row--;
        if (row && !((now - words)[word] >> bit & 1)) continue;
        column--;
        ours[found] = columns[column];
        theirs[found++] = rows[row];
    }
    return found;
}

typedef struct {
    uint64_t *ids;
    int32_t *at;             /* numbers of the tokens */
    int64_t n;
} selection;

/* Runs of at smaller `smallest` common ids, none crossing. */
static stretches common_runs(memory *in, selection ours, selection theirs, int smallest) {
    stretches made = {0, 0};
    if (ours.n < smallest || theirs.n < smallest) return made;
    int64_t most = ours.n < theirs.n ? ours.n : theirs.n;
    made.of = take(in, most + 2, sizeof *made.of);
    taken *since = in->last;
    uint64_t *text = take(in, ours.n, sizeof *text), *source = take(in, theirs.n, sizeof *source);
    int64_t n = grams(ours.ids, ours.n, smallest, text), m = grams(theirs.ids, theirs.n, smallest, source);
    int64_t head = 0, tail = 0;
    while (head < n && head < m && text[head] == source[head]) head++;
    while (tail < n - head && tail < m - head && text[n - 1 - tail] == source[m - 1 - tail]) tail++;
    int32_t *pairs = take(in, 2 * most, sizeof *pairs), *others = pairs + most;
    int64_t found = subsequence(in, text + head, n - head - tail, source + head, m - head - tail, pairs, others);
    gathering it = {ours.ids, theirs.ids, ours.n, theirs.n, smallest, {0, 0, 0}, 0, 0};
    it.blocks = take(in, found + 2, sizeof *it.blocks);
    if (head) pair(&it, 0, 0, head);
    while (found--) pair(&it, head + pairs[found], head + others[found], 1);
    if (tail) pair(&it, n - tail, m - tail, tail);
    close_block(&it);
    for (int64_t k = 0; k < it.n; k++)
        made.of[k] = (stretch){ours.at + it.blocks[k].text, theirs.at + it.blocks[k].source, it.blocks[k].size};
    made.n = it.n;
    give_back(in, since);
    return made;
}

/* The code of some tokens, or their prose. */
static selection selected(memory *in, const tokens *of, int prose, int abstract) {
    selection made = {take(in, of->n, sizeof *made.ids), take(in, of->n, sizeof *made.at), 0};
    const uint64_t *ids = abstract ? of->abstract : of->exact;
    for (int64_t i = 0; i < of->n; i++)
        if ((of->kinds[i] == PROSE) == prose) {
            made.ids[made.n] = ids[i];
            made.at[made.n++] = (int32_t)i;
        }
    return made;
}

/* Whether there is a name or a literal among some tokens. */
static int says(const tokens *of, const int32_t *at, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        uint8_t kind = of->kinds[at[i]];
        if (kind == NAME || kind == ARGUMENT || kind == NUMBER || kind == STRING) return 1;
    }
    return 0;
}

/* The next `n` of a selection from one place on, with their exact ids. */
static selection between(memory *in, const tokens *of, selection all, int64_t start, int64_t n) {
    selection made = {take(in, n, sizeof *made.ids), all.at + start, n};
    for (int64_t i = 0; i < made.n; i++) made.ids[i] = of->exact[made.at[i]];
    return made;
}

/* The stretches with shorter ones between and beside them that are equal token by token and say something. */
static stretches filled(
    memory *in, const tokens *text, const tokens *source, selection ours, selection theirs, stretches of
) {
    if (!of.n) return of;
    stretches made = {take(in, smaller(ours.n, theirs.n) + 2, sizeof *made.of), 0};
    int64_t here = larger(0, of.of[0].text - ours.at - BESIDE);
    int64_t there = larger(0, of.of[0].source - theirs.at - BESIDE);
    for (int64_t k = 0; k <= of.n; k++) {
        int last = k == of.n;
        int64_t end = last ? smaller(ours.n, here + BESIDE) : of.of[k].text - ours.at;
        int64_t other_end = last ? smaller(theirs.n, there + BESIDE) : of.of[k].source - theirs.at;
        int64_t n = end - here, m = other_end - there;
        if (smaller(n, m) >= SHORTEST && larger(n, m) <= LARGEST_GAP) {
            taken *since = in->last;
            selection left = between(in, text, ours, here, n), right = between(in, source, theirs, there, m);
            stretches found = common_runs(in, left, right, SHORTEST);
            for (int64_t i = 0; i < found.n; i++)
                if (says(text, found.of[i].text, found.of[i].n)) made.of[made.n++] = found.of[i];
            give_back(in, since);
        }
        if (last) break;
        made.of[made.n++] = of.of[k];
        here = end + of.of[k].n;
        there = other_end + of.of[k].n;
    }
    return made;
}

static stretches stretches_of(memory *in, const tokens *text, const tokens *source, int prose, int abstract) {
    selection ours = selected(in, text, prose, abstract), theirs = selected(in, source, prose, abstract);
    stretches found = common_runs(in, ours, theirs, abstract || prose ? MIN_ABSTRACT_BLOCK : MIN_EXACT_BLOCK);
    return prose ? found : filled(in, text, source, ours, theirs, found);
}

static int64_t n_tokens(stretches of) {
    int64_t n = 0;
    for (int64_t k = 0; k < of.n; k++) n += of.of[k].n;
    return n;
}

/* Both in the order of the text, without those of the lesser part that went elsewhere in the source. */
static stretches together(memory *in, stretches code, stretches prose) {
    int by_code = n_tokens(code) >= n_tokens(prose);
    stretches greater = by_code ? code : prose, lesser = by_code ? prose : code;
    stretches made = {take(in, code.n + prose.n, sizeof *made.of), 0};
    int64_t place = 0;
    for (int64_t k = 0; k < lesser.n; k++) {
        int32_t text = lesser.of[k].text[0], source = lesser.of[k].source[0];
        while (place < greater.n && greater.of[place].text[0] <= text) made.of[made.n++] = greater.of[place++];
        if ((!place || greater.of[place - 1].source[0] < source) &&
            (place == greater.n || source < greater.of[place].source[0]))
            made.of[made.n++] = lesser.of[k];
    }
    while (place < greater.n) made.of[made.n++] = greater.of[place++];
    return made;
}

/* ---- segments ---- */

typedef struct {
    memory *in;
    tokens text, source;
    uint64_t name_id;
    int64_t *text_passed, *source_passed; /* what the tokens before each one cost as a gap */
    segment *out;
    int64_t n;
    int64_t *matched, *partners, *equal; /* where the next are written */
} alignment;

static int64_t *passed(memory *in, const tokens *of) {
    int64_t *costs = take(in, of->n + 1, sizeof *costs);
    costs[0] = 0;
    for (int64_t i = 0; i < of->n; i++) costs[i + 1] = costs[i] + (of->kinds[i] == PROSE ? PROSE_COST : TOKEN_COST);
    return costs;
}

static int by_pair(const void *one, const void *other) {
    const uint64_t *a = one, *b = other;
    if (a[0] != b[0]) return a[0] < b[0] ? -1 : 1;
    return a[1] < b[1] ? -1 : a[1] > b[1];
}

static int by_partner(const void *one, const void *other) {
    const uint64_t *a = one, *b = other;
    return a[1] < b[1] ? -1 : a[1] > b[1];
}

/* Of rows of four, sorted by one column: into another the most that any row has in the third. */
static void note_most(uint64_t (*rows)[4], int64_t n, int by) {
    for (int64_t i = 0, end; i < n; i = end) {
        uint64_t most = 0;
        for (end = i; end < n && rows[end][by] == rows[i][by]; end++)
            if (rows[end][2] > most) most = rows[end][2];
        for (int64_t k = i; k < end; k++)
            if (rows[k][2] < most) rows[k][3] = 0;
    }
}

/* Share of aligned names that fit a one-to-one renaming. */
static double consistency(const alignment *it, const int32_t *ours, const int32_t *theirs, int64_t n) {
    uint64_t(*rows)[4] = take(it->in, n, sizeof *rows); /* name, partner, how often, whether both are best */
    int64_t names = 0, kinds = 0, fit = 0;
    for (int64_t i = 0; i < n; i++)
        if (it->text.abstract[ours[i]] == it->name_id && it->text.kinds[ours[i]] != ARGUMENT) {
            rows[names][0] = it->text.exact[ours[i]];
            rows[names++][1] = it->source.exact[theirs[i]];
        }
    if (names < CONSISTENCY_CONTEXT) return 1.0;
    qsort(rows, (size_t)names, sizeof *rows, by_pair);
    for (int64_t i = 0, end; i < names; i = end) {
        for (end = i; end < names && !by_pair(rows[end], rows[i]);) end++;
        memcpy(rows[kinds], rows[i], 2 * sizeof **rows);
        rows[kinds][2] = (uint64_t)(end - i);
        rows[kinds++][3] = 1;
    }
    note_most(rows, kinds, 0);
    qsort(rows, (size_t)kinds, sizeof *rows, by_partner);
    note_most(rows, kinds, 1);
    for (int64_t i = 0; i < kinds; i++) fit += rows[i][3] ? (int64_t)rows[i][2] : 0;
    return (double)fit / (double)names;
}

/* Different runs of six ids that cross no border and lie in what counts. */
static int64_t distinct_grams(
    const alignment *it, const uint64_t *ids, const int32_t *at, int64_t n, const uint8_t *begins, const uint8_t *counts
) {
    uint64_t *row = take(it->in, n, sizeof *row), *values = take(it->in, n, sizeof *values);
    int64_t run = 0, different = 0;
    for (int64_t i = 0; i < n; i++) row[i] = ids[at[i]];
    grams(row, n, GRAM, values);
    table seen = empty(it->in, values, n);
    for (int64_t i = 0; i < n; i++) {
        run = counts && !counts[i] ? 0 : begins[i] ? 1 : run + 1;
        if (run < GRAM) continue;
        int32_t *head = slot(&seen, values[i - GRAM + 1]);
        if (*head >= 0) continue;
        *head = (int32_t)(i - GRAM + 1);
        different++;
    }
    return different;
}

/* What one run of stretches is. */
static void take_segment(alignment *it, const stretch *run, int64_t n_run, int straight) {
    const tokens *text = &it->text, *source = &it->source;
    taken *since = it->in->last;
    int64_t n = 0, written = 0;
    for (int64_t k = 0; k < n_run; k++) {
        n += run[k].n;
        for (int64_t i = 0; i < run[k].n; i++) written += text->sizes[run[k].text[i]];
    }
    if (written < FEWEST_MATCHED) return;
    int32_t *ours = take(it->in, n, sizeof *ours), *theirs = take(it->in, n, sizeof *theirs);
    uint8_t *begins = take(it->in, n, 1), *same = take(it->in, n, 1), *exact = take(it->in, n, 1);
    segment made = {.text_start = INT64_MAX, .source_start = INT64_MAX, .abstract = written, .straight = straight};
    int64_t number = 0, matched_code = 0, code = 0, n_exact = 0, exact_code = 0;
    for (int64_t k = 0; k < n_run; k++) {
        if (run[k].n > made.abstract_run) made.abstract_run = run[k].n;
        for (int64_t i = 0; i < run[k].n; i++, number++) {
            int32_t here = run[k].text[i], there = run[k].source[i];
            ours[number] = here;
            theirs[number] = there;
            begins[number] = i == 0;
            same[number] = text->exact[here] == source->exact[there];
            matched_code += text->kinds[here] != PROSE;
            if (here < made.text_start) made.text_start = here;
            if (here >= made.text_end) made.text_end = here + 1;
            if (there < made.source_start) made.source_start = there;
            if (there >= made.source_end) made.source_end = there + 1;
        }
    }
    memset(exact, 0, (size_t)n);
    for (int64_t i = 0, end; i < n; i = end) {
        end = i + 1;
        if (!same[i]) continue;
        while (end < n && same[end] && !begins[end]) end++;
        if (end - i > made.exact_run) made.exact_run = end - i;
        int whole = begins[i] && (end == n || begins[end]);
        for (int64_t k = i; k < end && (whole || end - i >= MIN_EXACT_BLOCK); k++) {
            exact[k] = 1;
            n_exact++;
            exact_code += text->kinds[ours[k]] != PROSE;
            made.exact += text->sizes[ours[k]];
        }
    }
    for (int64_t i = made.text_start; i < made.text_end; i++) code += text->kinds[i] != PROSE;
    for (int64_t i = made.source_start; i < made.source_end; i++) made.left_out += source->kinds[i] != PROSE;
    made.left_out -= matched_code;
    made.prose = 1.0 - (double)matched_code / (double)n;
    double length = (double)(made.text_end - made.text_start);
    made.exact_share = (double)n_exact / length;
    made.abstract_share = (double)n / length;
    if (matched_code >= ENOUGH_CODE) {
        double of_exact = (double)exact_code / (double)code, of_all = (double)matched_code / (double)code;
        if (of_exact > made.exact_share) made.exact_share = of_exact;
        if (of_all > made.abstract_share) made.abstract_share = of_all;
    }
    made.consistency = consistency(it, ours, theirs, n);
    made.exact_grams = distinct_grams(it, text->exact, ours, n, begins, exact);
    made.abstract_grams = distinct_grams(it, text->abstract, ours, n, begins, 0);
    /* Code and prose that stand among each other come run by run; what is returned is in order. */
    int64_t reach = made.text_end - made.text_start;
    int32_t *order = take(it->in, reach, sizeof *order);
    memset(order, 0xFF, (size_t)reach * sizeof *order);
    for (int64_t i = 0; i < n; i++) order[ours[i] - made.text_start] = (int32_t)i;
    for (int64_t i = 0; i < reach; i++) {
        if (order[i] < 0) continue;
        it->matched[made.n_matched] = made.text_start + i;
        it->partners[made.n_matched++] = theirs[order[i]];
        if (same[order[i]]) it->equal[made.n_equal++] = made.text_start + i;
    }
    it->matched += made.n_matched;
    it->partners += made.n_matched;
    it->equal += made.n_equal;
    it->out[it->n++] = made;
    give_back(it->in, since);
}

/* Cuts stretches into runs that are dense: a gap, on either side, costs part of what as many tokens earn. */
static void take_segments(alignment *it, stretches code, stretches prose, int straight) {
    stretches all = together(it->in, code, prose);
    if (n_tokens(all) < MIN_SEGMENT) return;
    if (!it->text_passed) {
        it->text_passed = passed(it->in, &it->text);
        it->source_passed = passed(it->in, &it->source);
    }
    for (int64_t start = 0, best; start < all.n; start = best + 1) {
        stretch of = all.of[start];
        double score = (double)of.n, peak = score;
        int64_t text_end = of.text[of.n - 1] + 1, source_end = of.source[of.n - 1] + 1;
        best = start;
        for (int64_t k = start + 1; k < all.n; k++) {
            of = all.of[k];
            int64_t here = it->text_passed[of.text[0]] - it->text_passed[text_end];
            int64_t there = it->source_passed[of.source[0]] - it->source_passed[source_end];
            int64_t most = here > there ? here : there;
            double gap = GAP_COST * ((double)(most > 0 ? most : 0) / TOKEN_COST);
            if (gap >= score) break;
            score += (double)of.n - gap;
            if (of.text[of.n - 1] + 1 > text_end) text_end = of.text[of.n - 1] + 1;
            if (of.source[of.n - 1] + 1 > source_end) source_end = of.source[of.n - 1] + 1;
            if (score > peak) {
                peak = score;
                best = k;
            }
        }
        if (peak >= MIN_SEGMENT) take_segment(it, all.of + start, best + 1 - start, straight);
    }
}

/* The number of segments that both forms of the tokens have, or -1 where memory does not suffice. On the exact
   ids none are looked for where the others are exact. `skipped` tokens come before this part of the text.

   `out` holds one for every seven tokens of the text and two more; `places` three times two numbers for each
   token, of what matches, its partners, and what is equal. */
EXPORTED int64_t footnote_align(
    const uint64_t *exact, const uint64_t *abstract, const uint8_t *kinds, const uint8_t *sizes, int64_t n,
    int64_t skipped, const uint64_t *source_exact, const uint64_t *source_abstract, const uint8_t *source_kinds, int64_t m,
    uint64_t name_id, segment *out, int64_t *places
) {
    memory *in = calloc(1, sizeof *in); /* a variable might not be what it was after the jump */
    if (!in) return -1;
    if (setjmp(in->out)) return leave(in, -1);
    alignment it = {
        .in = in, .text = {exact, abstract, kinds, sizes, n},
        .source = {source_exact, source_abstract, source_kinds, 0, m}, .name_id = name_id, .out = out,
        .matched = places, .partners = places + 2 * n, .equal = places + 4 * n,
    };
    stretches prose = stretches_of(in, &it.text, &it.source, 1, 0);
    take_segments(&it, stretches_of(in, &it.text, &it.source, 0, 1), prose, 0);
    int all_exact = 1;
    for (int64_t k = 0; k < it.n; k++) all_exact &= out[k].exact_share >= ENOUGH_EXACT;
    if (!all_exact) take_segments(&it, stretches_of(in, &it.text, &it.source, 0, 0), prose, 1);
    for (int64_t k = 0; k < it.n; k++) {
        out[k].text_start += skipped;
        out[k].text_end += skipped;
    }
    for (int64_t *each = places; each < it.matched; each++) *each += skipped;
    for (int64_t *each = places + 4 * n; each < it.equal; each++) *each += skipped;
    return leave(in, it.n);
}
