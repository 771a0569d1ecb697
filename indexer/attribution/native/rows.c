/* Rows of ids and hashes, and where they are in the corpus: what compiled_rows.py has beside numpy.

   What is returned is written into the caller's memory. */

#include "rows.h"

enum { AHEAD = 8 };          /* hashes, from fetching what one needs to needing it */

static uint64_t mixed(uint64_t value) {
    value = (value ^ value >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    value = (value ^ value >> 27) * UINT64_C(0x94D049BB133111EB);
    return value ^ value >> 31;
}

/* As grams in fingerprints.py; how many there are. */
EXPORTED int64_t footnote_grams(const uint64_t *ids, int64_t n, int64_t k, uint64_t *out) {
    int64_t count = grams(ids, n, k, out);
    for (int64_t i = 0; i < count; i++) out[i] = mixed(out[i]);
    return count;
}

/* Where each different value stands first, and behind `n` of these for every value which of them it is; how many there
   are, or -1 where memory does not suffice. */
EXPORTED int64_t footnote_numbered(const uint64_t *values, int64_t n, int64_t *first) {
    int64_t found = 0, *which = first + n;
    memory *in = calloc(1, sizeof *in);
    if (!in) return -1;
    if (setjmp(in->out)) return leave(in, -1);
    table seen = empty(in, values, n);
    for (int64_t i = 0; i < n; i++) {
        int32_t *head = slot(&seen, values[i]);
        if (*head < 0) {
            *head = (int32_t)i;
            which[i] = found;
            first[found++] = i;
        } else {
            which[i] = which[*head];
        }
    }
    return leave(in, found);
}

/* Where in a sorted row of hashes each of some others would stand, before its equals. */
EXPORTED void footnote_seek(const uint32_t *row, int64_t n, const uint32_t *sought, int64_t count, int64_t *out) {
    for (int64_t i = 0; i < count; i++) out[i] = place_of(row, n, sought[i]);
}

/* For each id how long the longest run of `shortest` to `longest` ids is that ends with it and is in a table, which has
   the upper halves of their hashes; 1 where none is. `hashes` has room for as many as there are ids. */
EXPORTED void footnote_longest(
    const uint32_t *row, int64_t size, const uint64_t *ids, int64_t n, int64_t shortest, int64_t longest,
    uint64_t *hashes, uint8_t *out
) {
    memset(out, 1, (size_t)n);
    for (int64_t length = shortest; length <= longest; length++) {
        int64_t count = grams(ids, n, length, hashes);
        for (int64_t i = 0; i < count; i++) hashes[i] = mixed(hashes[i]) >> 32;
        for (int64_t i = 0; i < count; i++) {
            if (i + AHEAD < count) __builtin_prefetch(row + expected(size, (uint32_t)hashes[i + AHEAD]));
            int64_t at = place_of(row, size, (uint32_t)hashes[i]);
            if (at < size && row[at] == hashes[i]) out[i + length - 1] = (uint8_t)length;
        }
    }
}

/* As shape_grams in shapes.py; -1 where memory does not suffice. */
EXPORTED int64_t footnote_shapes(
    const uint64_t *exact, const uint64_t *abstract, int64_t n, int64_t k, uint64_t name_id, uint64_t *out
) {
    memory *in = calloc(1, sizeof *in);
    if (!in) return -1;
    if (setjmp(in->out)) return leave(in, -1);
    table last = empty(in, exact, n);
    int64_t *back = take(in, n, sizeof *back);
    for (int64_t i = 0; i < n; i++) {
        int32_t *head = slot(&last, exact[i]);
        back[i] = *head >= 0 && abstract[i] == name_id ? i - *head : 0;
        *head = (int32_t)i;
    }
    for (int64_t i = 0; i + k <= n; i++) {
        uint64_t hash = 0;
        for (int64_t place = 0; place < k; place++) {
            int64_t far = back[i + place];
            hash = hash * BASE + (far && far <= place ? mixed((uint64_t)far) : abstract[i + place]);
        }
        out[i] = mixed(hash);
    }
    return leave(in, 0);
}

/* Where some lines of a text begin and end, from 0 and the last excluded; the beginning is -1 where there are fewer. */
EXPORTED void footnote_line_span(const uint8_t *text, int64_t size, int64_t first, int64_t last, int64_t *out) {
    int64_t at = 0;
    out[0] = first ? -1 : 0;
    out[1] = size;
    for (int64_t line = 1; line <= larger(first, last); line++) {
        const uint8_t *found = memchr(text + at, '\n', (size_t)(size - at));
        if (!found) return;
        at = found - text + 1;
        if (line == first) out[0] = at;
        if (line == last) out[1] = at - 1;
    }
}

/* ---- places of the corpus ---- */

/* A table of postings.py, and which file and family each of its lines is in. */
typedef struct {
    const uint32_t *starts, *keys, *lines;
    int64_t size;
    const uint32_t *first_lines; /* of the files */
    const int64_t *families;     /* likewise */
    const uint8_t *hidden;       /* which of them are not to be found, or 0 */
    int64_t n_files, bits;
} postings;

/* The entries that a hash may have, and what of it tells them apart. */
typedef struct {
    int64_t start, end;
    uint32_t key;
} bucket;

static bucket bucket_of(const postings *of, uint64_t hash) {
    const uint32_t *starts = of->starts + (hash >> (64 - of->bits));
    int64_t start = smaller(starts[0], of->size), end = smaller(starts[1], of->size); /* a table may be damaged */
    return (bucket){start, larger(start, end), (uint32_t)(hash >> (32 - of->bits))};
}

/* Each hash is somewhere else in a table of many megabytes: what will be asked for soon is fetched before. */
static void fetch(const postings *of, const uint64_t *hashes, int64_t i, int64_t n) {
    if (i + 2 * AHEAD < n) __builtin_prefetch(of->starts + (hashes[i + 2 * AHEAD] >> (64 - of->bits)));
    if (i + AHEAD >= n) return;
    bucket next = bucket_of(of, hashes[i + AHEAD]);
    __builtin_prefetch(of->keys + next.start + expected(next.end - next.start, next.key));
}

/* Occurrences of grams, side by side in columns. */
typedef struct {
    int64_t *starts, *ends, *lines, *families;
    int64_t n, room;
} occurrences;

/* Adds the entries of one gram; how many there are. Those for which there is no room are only counted. */
static int64_t add(occurrences *to, const postings *of, int64_t entry, int64_t last, int64_t start, int64_t end) {
    int64_t from = to->n, different = 0;
    for (; entry < last; entry++) {
        uint32_t line = of->lines[entry];
        int64_t file = file_of(of->first_lines, of->n_files, line == STOP ? 0 : line);
        if (of->hidden && line != STOP && of->hidden[file]) continue;
        if (to->n < to->room) {
            to->starts[to->n] = start;
            to->ends[to->n] = end;
            to->lines[to->n] = line;
            to->families[to->n] = of->families[file];
        }
        to->n++;
    }
    if (to->n > to->room) return to->n - from;
    for (int64_t i = from, k; i < to->n; i++) {
        for (k = from; to->families[k] != to->families[i];) k++;
        different += k == i;
    }
    for (int64_t i = from; i < to->n; i++) to->families[i] = different;
    return to->n - from;
}

/* Where the grams of a text are in a table, and how many families of packages have each; how many places there are
   with the `before` that are already told, or -1 where memory does not suffice.

   Of the grams with one hash only the first `repeats` count; where the others begin and the first of them is told
   beside. `asked` says where grams may begin; 0 is everywhere. */
EXPORTED int64_t footnote_hits(
    const postings *of, const uint64_t *ids, const uint8_t *kinds, int64_t n, int prose, int64_t k,
    const uint8_t *asked, int64_t repeats, int64_t before, int64_t *out, int64_t room, int64_t *left_out,
    int64_t left_room, int64_t *n_left_out
) {
    memory *in = calloc(1, sizeof *in);
    if (!in) return -1;
    if (setjmp(in->out)) return leave(in, -1);
    uint64_t *row = take(in, n, sizeof *row), *hashes = take(in, n, sizeof *hashes);
    int64_t *at = take(in, n, sizeof *at), selected = 0, count, found = 0;
    for (int64_t i = 0; i < n; i++)
        if ((kinds[i] == PROSE) == prose) {
            row[selected] = ids[i];
            at[selected++] = i;
        }
    count = grams(row, selected, k, hashes);
    for (int64_t i = 0; i < count; i++) hashes[i] = mixed(hashes[i]);
    /* Of the grams that are there, in place of the ids: which, their hashes, and their entries. */
    int64_t *entries = take(in, 3 * count, sizeof *entries);
    for (int64_t i = 0; i < count; i++) {
        fetch(of, hashes, i, count);
        if (asked && !asked[at[i]]) continue;
        bucket here = bucket_of(of, hashes[i]);
        int64_t first = here.start + place_of(of->keys + here.start, here.end - here.start, here.key), last = first;
        while (last < here.end && of->keys[last] == here.key) last++;
        if (first == last) continue;
        row[found] = hashes[i];
        entries[3 * found] = i;
        entries[3 * found + 1] = first;
        entries[3 * found++ + 2] = last;
    }
    occurrences made = {out, out + room, out + 2 * room, out + 3 * room, before, room}, none = {.room = 0};
    table seen = empty(in, row, found);
    int64_t *times = take(in, found, sizeof *times);
    for (int64_t i = 0; i < found; i++) {
        int64_t gram = entries[3 * i], start = at[gram], end = at[gram + k - 1] + 1;
        int32_t *head = slot(&seen, row[i]);
        int more = *head >= 0 && times[*head] >= repeats;
        if (!add(more ? &none : &made, of, entries[3 * i + 1], entries[3 * i + 2], start, end)) continue;
        if (*head < 0) times[*head = (int32_t)i] = 0;
        times[*head]++;
        if (more) {
            left_out[(*n_left_out)++] = start;
            left_out[left_room + *n_left_out - 1] = at[entries[3 * *head]];
        }
    }
    return leave(in, made.n);
}

typedef struct {
    int64_t file, n, end, covered, families, as_written, as_shaped, text_line, line;
} chain;

typedef struct {
    int64_t file, start, end, text_line, line, families, number, chain;
    int abstract;
} hit;

static int by_place(const void *one, const void *other) {
    const hit *a = one, *b = other;
    if (a->file != b->file) return a->file < b->file ? -1 : 1;
    if (a->start != b->start) return a->start < b->start ? -1 : 1;
    return a->number < b->number ? -1 : a->number > b->number;
}

/* How far chains reach, as in regions.py. */
typedef struct {
    int64_t tokens, lines, lines_of_line, back;
} reach;

static int accepts(const chain *it, const hit *next, const reach *far) {
    int64_t moved = next->line - it->line, asked = next->text_line - it->text_line;
    return next->start - it->end <= far->tokens && -far->back <= moved &&
           moved <= far->lines + far->lines_of_line * asked;
}

static int64_t drift(const chain *it, const hit *next) {
    return llabs((next->line - it->line) - (next->text_line - it->text_line));
}

static void lengthen(chain *it, const hit *next) {
    int64_t from = larger(next->start, it->end);
    it->covered += larger(0, next->end - from);
    it->end = larger(it->end, next->end);
    it->families = it->n ? smaller(it->families, next->families) : next->families;
    it->as_shaped |= next->abstract;
    it->as_written |= !next->abstract;
    it->text_line = next->text_line;
    it->line = next->line;
    it->n++;
}

/* Moves those of the open chains that end before a place of the text to the others; how many stay open. */
static int64_t close_before(int64_t place, const chain *chains, int64_t *open, int64_t n, int64_t *over, int64_t *n_over) {
    int64_t still = 0;
    for (int64_t i = 0; i < n; i++)
        if (chains[open[i]].end < place)
            over[(*n_over)++] = open[i];
        else
            open[still++] = open[i];
    return still;
}

/* Hits of one file that follow each other both in the text and in the file, as regions.py chains them: how many
   chains of at least `fewest` there are, or -1 where memory does not suffice. Seven numbers of each are written,
   and where its hits begin and their lines in the file, chain by chain. */
EXPORTED int64_t footnote_chains(
    const int64_t *starts, const int64_t *ends, const uint32_t *lines, const uint8_t *abstract,
    const int64_t *families, int64_t n, const int32_t *text_lines, const uint32_t *first_lines, int64_t n_files,
    int64_t reach_tokens, int64_t reach_lines, int64_t lines_of_line, int64_t back, int64_t fewest,
    int64_t (*out)[7], int64_t *places
) {
    const reach far = {reach_tokens, reach_lines, lines_of_line, back};
    memory *in = calloc(1, sizeof *in);
    if (!in) return -1;
    if (setjmp(in->out)) return leave(in, -1);
    hit *hits = take(in, n, sizeof *hits);
    chain *chains = take(in, n, sizeof *chains);
    int64_t *open = take(in, n, sizeof *open), *over = take(in, n, sizeof *over), *at = take(in, n, sizeof *at);
    int64_t n_hits = 0, n_chains = 0, n_open = 0, n_over = 0, kept = 0, placed = 0;
    for (int64_t i = 0; i < n; i++) {
        if (lines[i] == STOP) continue;
        int64_t file = file_of(first_lines, n_files, lines[i]);
        int64_t line = (int64_t)lines[i] - first_lines[file];
        hits[n_hits++] = (hit){file, starts[i], ends[i], text_lines[starts[i]], line, families[i], i, 0, abstract[i]};
    }
    qsort(hits, (size_t)n_hits, sizeof *hits, by_place);
    for (int64_t i = 0; i < n_hits; i++) {
        hit *next = hits + i;
        int64_t nearest = -1;
        if (n_open && chains[open[0]].file != next->file)
            n_open = close_before(INT64_MAX, chains, open, n_open, over, &n_over);
        for (int64_t k = 0; k < n_open; k++)
            if (accepts(chains + open[k], next, &far) &&
                (nearest < 0 || drift(chains + open[k], next) < drift(chains + nearest, next)))
                nearest = open[k];
        if (nearest < 0) {
            n_open = close_before(next->start - far.tokens, chains, open, n_open, over, &n_over);
            chains[n_chains] = (chain){.file = next->file};
            open[n_open++] = nearest = n_chains++;
        }
        lengthen(chains + nearest, next);
        next->chain = nearest;
    }
    close_before(INT64_MAX, chains, open, n_open, over, &n_over);
    for (int64_t i = 0; i < n_over; i++) {
        const chain *it = chains + over[i];
        at[over[i]] = it->n < fewest ? -1 : placed;
        if (it->n < fewest) continue;
        const int64_t row[] = {it->file, it->n, it->end, it->covered, it->families, it->as_written, it->as_shaped};
        memcpy(out[kept++], row, sizeof row);
        placed += it->n;
    }
    for (int64_t i = 0; i < n_hits; i++) {
        int64_t *next = at + hits[i].chain;
        if (*next < 0) continue;
        places[*next] = hits[i].start;
        places[n + (*next)++] = hits[i].line;
    }
    return leave(in, kept);
}
