/* Cuts text into the tokens of two normal forms, by tables: what patterns.py does with regular expressions.

   All memory is the caller's. A token, or a word of a comment, takes at least one byte of the text, so
   columns as long as the text hold all there can be; the second pass, which decides by neighbours, only
   moves tokens towards the front. Nothing is read outside text[0, size). */

#include <stdint.h>
#include <string.h>

#ifdef _WIN32
#define EXPORTED __declspec(dllexport)
#else
#define EXPORTED __attribute__((visibility("default")))
#endif

/* As in tokens.py. */
enum {
    DROPPED, COMMENT, NAME, KEPT, CALLED, NUMBER, STRING, PREFIX, COMMA, OPEN, CLOSE, DOT, MARK, COLON,
    PROSE, ARGUMENT, NOTHING
};

/* As in families.py. */
enum { PLAIN, SEPARATE, CHARACTER, PATTERN, HEREDOC, RAW };

#define HEAD 24          /* bytes of a string that its id depends on */
#define ITEMS 1500       /* of a regular expression, and of a class in one: bounds for texts of slashes */
#define CLASS_ITEMS 200
#define TAG 32           /* bytes of the word that ends a heredoc or a raw string */
#define ESCAPED 10       /* bytes of a character after its backslash and one more */

typedef struct {
    uint8_t opening[8], closing[8];
    uint8_t n_opening, n_closing, kind, escapes, doubles, lines, shape;
} span;

typedef struct {
    const span *spans;       /* those that begin with the same byte side by side */
    const uint64_t *ids;     /* reserved words, hashed openly; 0 is free */
    const uint8_t *kinds;
    uint64_t mask;
    uint64_t name_id, number_id, string_id;
    uint16_t first[256];     /* 1 + the number of the first span that begins with this byte */
    int32_t n_spans;
    uint8_t docstrings, renames, folds;
} family;

typedef struct {
    uint64_t *exact, *abstract;
    int32_t *lines, *starts, *ends;
    uint8_t *kinds, *sizes;
} columns;

typedef struct {
    const family *family;
    const uint8_t *text;
    int64_t size;
    columns out;
    int64_t n;
    int32_t line;
    int dropped;             /* written tokens since the last that was kept */
    int fresh;               /* whether a line began since then */
    int before;              /* its kind */
    int was_fresh, was_before; /* the same before that one */
} lexer;

/* ---- bytes ---- */

static int is_blank(uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static const uint8_t WORD[256] = {
    ['a' ... 'z'] = 1, ['A' ... 'Z'] = 1, ['0' ... '9'] = 1, ['_'] = 1, [0x80 ... 0xFF] = 1,
};

static int is_word(uint8_t c) { return WORD[c]; }

static uint8_t kind_of_mark(uint8_t c) {
    switch (c) {
    case ',': return COMMA;
    case '(': case '[': case '{': return OPEN;
    case ')': case ']': case '}': return CLOSE;
    case '.': return DOT;
    case ':': return COLON;
    case ';': case '\\': return DROPPED;
    default: return MARK;
    }
}

static uint64_t little(uint64_t value) {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return __builtin_bswap64(value);
#else
    return value;
#endif
}

/* Up to eight bytes, the first the lowest. */
static uint64_t chunk(const uint8_t *at, int64_t n, const uint8_t *end) {
    uint64_t value = 0;
    if (end - at >= 8) {
        memcpy(&value, at, 8);
        value = little(value);
        return n >= 8 ? value : value & ((UINT64_C(1) << (8 * n)) - 1);
    }
    for (int64_t k = 0; k < n && k < 8; k++) value |= (uint64_t)at[k] << (8 * k);
    return value;
}

static uint64_t lowered(uint64_t value) {
    uint64_t result = 0;
    for (int k = 0; k < 64; k += 8) {
        uint64_t c = value >> k & 255;
        result |= (c >= 'A' && c <= 'Z' ? c + 32 : c) << k;
    }
    return result;
}

/* As bytes_id in tokens.py; `end` is that of the buffer. */
static uint64_t hashed(const uint8_t *at, int64_t n, const uint8_t *end, int folds) {
    uint64_t value = (uint64_t)n * UINT64_C(0x9E3779B97F4A7C15);
    for (int64_t k = 0; k < n; k += 8) {
        uint64_t part = chunk(at + k, n - k, end);
        value = (value ^ (folds ? lowered(part) : part)) * UINT64_C(0xD6E8FEB86659FD93);
        value ^= value >> 32;
    }
    value = (value ^ value >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    value = (value ^ value >> 27) * UINT64_C(0x94D049BB133111EB);
    return value ^ value >> 31;
}

static int starts_with(const lexer *it, int64_t at, const uint8_t *what, int n) {
    if (it->size - at < n) return 0;
    for (int k = 0; k < n; k++)
        if (it->text[at + k] != what[k]) return 0;
    return 1;
}

/* The next line feed, or `end`. */
static int64_t line_feed(const lexer *it, int64_t at, int64_t end) {
    const uint8_t *found = at < end ? memchr(it->text + at, '\n', (size_t)(end - at)) : 0;
    return found ? found - it->text : end;
}

static int64_t end_of_line(const lexer *it, int64_t at) { return line_feed(it, at, it->size); }

/* ---- spans: strings, comments, and marks of several bytes ---- */

typedef struct {
    int64_t end;             /* 0: there is none here */
    int64_t inside, outside; /* what it holds: the bytes between its marks */
    int closed;
} extent;

static extent none(void) { return (extent){0, 0, 0, 0}; }

/* 'c', with an escape or without: in Rust a quote may also begin a lifetime, in C++ part a number. */
static extent character(const lexer *it, int64_t at) {
    const uint8_t *text = it->text;
    int64_t i = at + 1;
    if (i >= it->size || text[i] == '\'' || text[i] == '\n') return none();
    if (text[i] == '\\') {
        i++;
        if (i >= it->size || text[i] == '\n') return none();
        i++;
        for (int k = 0; k < ESCAPED && i < it->size; k++, i++)
            if (text[i] == '\'' || text[i] == '\\' || text[i] == '\n') break;
    } else if (text[i] >= 0xC0) {
        i++;
        for (int k = 0; k < 3 && i < it->size && (text[i] & 0xC0) == 0x80; k++) i++;
        if (i == at + 2) return none();
    } else if (text[i] >= 0x80) {
        return none();
    } else {
        i++;
    }
    if (i >= it->size || text[i] != '\'') return none();
    return (extent){i + 1, at + 1, i, 1};
}

/* What stands directly before a slash that begins a regular expression: no value. */
static int may_begin_pattern(const lexer *it, int64_t at) {
    static const uint8_t word[] = "return ";
    uint8_t c = at > 0 ? it->text[at - 1] : 0;
    if (c && strchr("=(,:[!&|?{};", c)) return 1;
    if (c != ' ' || at < 2) return 0;
    c = it->text[at - 2];
    return (c && strchr("=(,:[!&|?", c)) || (at >= 7 && starts_with(it, at - 7, word, 7));
}

static extent pattern(const lexer *it, int64_t at) {
    const uint8_t *text = it->text;
    int64_t i = at + 1;
    int items = 0;
    if (!may_begin_pattern(it, at) || i >= it->size || text[i] == '*' || text[i] == ' ') return none();
    for (; items < ITEMS && i < it->size && text[i] != '/' && text[i] != '\n'; items++) {
        if (text[i] == '\\') {
            if (i + 1 >= it->size || text[i + 1] == '\n') return none();
            i += 2;
        } else if (text[i] == '[') {
            i++;
            for (int k = 0; k < CLASS_ITEMS && i < it->size; k++) {
                if (text[i] == ']' || text[i] == '\n') break;
                if (text[i] == '\\') {
                    if (i + 1 >= it->size || text[i + 1] == '\n') return none();
                    i++;
                }
                i++;
            }
            if (i >= it->size || text[i] != ']') return none();
            i++;
        } else {
            i++;
        }
    }
    if (!items || i >= it->size || text[i] != '/') return none();
    i++;
    while (i < it->size && text[i] >= 'a' && text[i] <= 'z') i++;
    return (extent){i, at, i, 1};
}

/* <<TAG, perhaps quoted, to the line that holds TAG alone. */
static extent heredoc(const lexer *it, const span *rule, int64_t at) {
    const uint8_t *text = it->text;
    int64_t i = at + rule->n_opening;
    uint8_t quote = 0;
    if (i < it->size && (text[i] == '-' || text[i] == '~')) i++;
    if (i < it->size && (text[i] == '"' || text[i] == '\'')) quote = text[i++];
    int64_t tag = i;
    while (i < it->size && i - tag < TAG &&
           ((text[i] >= 'A' && text[i] <= 'Z') || text[i] == '_' || (i > tag && text[i] >= '0' && text[i] <= '9')))
        i++;
    int n = (int)(i - tag);
    if (!n || (i < it->size && (is_word(text[i])))) return none();
    if (quote && (i >= it->size || text[i] != quote)) return none();
    i = end_of_line(it, i);
    int64_t inside = i < it->size ? i + 1 : i;
    while (i < it->size) {
        i++;
        while (i < it->size && (text[i] == ' ' || text[i] == '\t')) i++;
        if (starts_with(it, i, text + tag, n) && (i + n >= it->size || !is_word(text[i + n])))
            return (extent){i + n, inside, i + n, 1};
        i = end_of_line(it, i);
    }
    return (extent){it->size, inside, it->size, 0};
}

/* R"tag( ... )tag" */
static extent raw(const lexer *it, const span *rule, int64_t at) {
    const uint8_t *text = it->text;
    int64_t tag = at + rule->n_opening, i = tag;
    while (i < it->size && i - tag < TAG && is_word(text[i])) i++;
    if (i >= it->size || text[i] != '(') return none();
    int n = (int)(i - tag);
    int64_t inside = ++i;
    for (; i < it->size; i++)
        if (text[i] == ')' && starts_with(it, i + 1, text + tag, n) && i + 1 + n < it->size &&
            text[i + 1 + n] == '"')
            return (extent){i + n + 2, inside, i, 1};
    return (extent){it->size, inside, it->size, 0};
}

static extent plain(const lexer *it, const span *rule, int64_t at) {
    const uint8_t *text = it->text;
    int64_t i = at + rule->n_opening, inside = i;
    if (!rule->n_closing) return (extent){i, i, i, 1};
    uint8_t closing = rule->closing[0];
    if (closing == '\n') {
        i = end_of_line(it, i);
        return (extent){i, inside, i, 1};
    }
    while (i < it->size) {
        uint8_t c = text[i];
        if (c == closing && starts_with(it, i, rule->closing, rule->n_closing)) {
            if (!rule->doubles || i + 1 >= it->size || text[i + 1] != closing)
                return (extent){i + rule->n_closing, inside, i, 1};
            i += 2;
        } else if (c == '\\' && rule->escapes) {
            if (i + 1 >= it->size) break;
            i += 2;
        } else if (c == '\n' && !rule->lines) {
            break;
        } else {
            i++;
        }
    }
    return (extent){i, inside, i, 0};
}

static extent extent_of(const lexer *it, const span *rule, int64_t at) {
    if (!starts_with(it, at, rule->opening, rule->n_opening)) return none();
    switch (rule->shape) {
    case SEPARATE:
        return at && !is_blank(it->text[at - 1]) ? none() : plain(it, rule, at);
    case CHARACTER: return character(it, at);
    case PATTERN: return pattern(it, at);
    case HEREDOC: return heredoc(it, rule, at);
    case RAW: return raw(it, rule, at);
    default: return plain(it, rule, at);
    }
}

/* The id of a string: of its head, whatever its quotes, layout and line breaks. Only the head counts because
   formatters split and join long literals. */
static uint64_t string_id(const lexer *it, extent of) {
    uint8_t head[HEAD + 10] = {0, 's'};
    int n = 0, blank = 0;
    for (int64_t i = of.inside; i < of.outside && n < HEAD; i++) {
        uint8_t c = it->text[i], next = i + 1 < of.outside ? it->text[i + 1] : 0;
        if (c == '\\' && (next == '\n' || next == 'n' || next == '\'' || next == '"')) {
            i++;
            if (next == '\n') continue;
            c = next == 'n' ? '\n' : next;
        }
        if (is_blank(c)) {
            blank = n > 0;
            continue;
        }
        if (blank) head[2 + n++] = ' ';
        blank = 0;
        if (n < HEAD) head[2 + n++] = c;
    }
    if (n == HEAD && head[1 + n] == ' ') n--;
    return hashed(head, n + 2, head + sizeof head, 0);
}

/* ---- the first pass: tokens in their order ---- */

static void push(lexer *it, int kind, uint64_t id, int64_t start, int64_t end) {
    columns *out = &it->out;
    int written = it->dropped + 1;
    out->exact[it->n] = id;
    out->lines[it->n] = it->line;
    out->starts[it->n] = (int32_t)start;
    out->ends[it->n] = (int32_t)end;
    out->kinds[it->n] = (uint8_t)kind;
    out->sizes[it->n] = (uint8_t)(written > 255 ? 255 : written);
    it->n++;
    it->dropped = 0;
    it->was_fresh = it->fresh;
    it->was_before = it->before;
    it->fresh = 0;
    it->before = kind;
}

static void push_prose(lexer *it, int64_t at, int64_t end, int escapes) {
    const uint8_t *text = it->text, *stop = text + it->size;
    columns *out = &it->out;
    while (at < end) {
        if (!is_word(text[at])) {
            at += escapes && text[at] == '\\' && at + 1 < end && text[at + 1] != '\n';
            it->line += text[at] == '\n';
            at++;
            continue;
        }
        int64_t start = at;
        while (at < end && is_word(text[at])) at++;
        out->exact[it->n] = hashed(text + start, at - start, stop, 0);
        out->lines[it->n] = it->line;
        out->starts[it->n] = (int32_t)start;
        out->ends[it->n] = (int32_t)at;
        out->kinds[it->n] = PROSE;
        out->sizes[it->n] = 1;
        it->n++;
    }
}

/* Whether a string that ends here has the rest of its line for itself. */
static int ends_line(const lexer *it, int64_t at) {
    while (at < it->size && it->text[at] != '\n' &&
           (is_blank(it->text[at]) || it->text[at] == ';' || it->text[at] == '\\'))
        at++;
    return at >= it->size || it->text[at] == '\n' || it->text[at] == '#';
}

static int is_docstring(const lexer *it, int64_t end) {
    int before = it->before;
    return it->fresh && before != OPEN && before != COMMA && before != MARK && before != DOT &&
           before != STRING && ends_line(it, end);
}

static void pass_lines(lexer *it, int64_t at, int64_t end) {
    for (int64_t i = line_feed(it, at, end); i < end; i = line_feed(it, i + 1, end)) it->line++;
}

/* What a long string says (a message, a shader, a query) is somebody's too: its words follow it. */
static void push_string(lexer *it, int64_t at, extent of) {
    if (it->n && it->out.kinds[it->n - 1] == PREFIX && it->out.ends[it->n - 1] == at) {
        it->n--;
        it->dropped = it->out.sizes[it->n];
        it->fresh = it->was_fresh;
        it->before = it->was_before;
    }
    if (it->family->docstrings && is_docstring(it, of.end)) {
        push_prose(it, of.inside, of.outside, 0);
        it->before = STRING;
        it->fresh = 0;
        it->dropped = 0;
        return;
    }
    push(it, STRING, string_id(it, of), at, of.end);
    if (of.outside - of.inside > HEAD) {
        pass_lines(it, at, of.inside);
        push_prose(it, of.inside, of.outside, 1);
        at = of.outside;
    }
    pass_lines(it, at, of.end);
}

/* The span that begins here, if one does, and its rule. */
static extent find_marked(const lexer *it, int64_t at, const span **rule) {
    const family *family = it->family;
    uint8_t c = it->text[at];
    for (int k = family->first[c] - 1; k < family->n_spans && family->spans[k].opening[0] == c; k++) {
        extent of = extent_of(it, family->spans + k, at);
        if (of.end) {
            *rule = family->spans + k;
            return of;
        }
    }
    return none();
}

/* The same: no more than a look at most bytes, at which none can begin. */
static inline extent find_span(const lexer *it, int64_t at, const span **rule) {
    return it->family->first[it->text[at]] ? find_marked(it, at, rule) : none();
}

static int is_open(const lexer *it, const span *rule, extent of) {
    return !of.closed && rule->lines && of.end == it->size;
}

static void take_span(lexer *it, const span *rule, int64_t at, extent of) {
    if (rule->kind == STRING)
        push_string(it, at, of);
    else if (rule->kind == COMMENT)
        push_prose(it, at, of.end, 0);
    else
        push(it, rule->kind, hashed(it->text + at, of.end - at, it->text + it->size, 0), at, of.end);
}

static int64_t take_word(lexer *it, int64_t at) {
    const uint8_t *text = it->text;
    const family *family = it->family;
    int64_t start = at;
    while (at < it->size && is_word(text[at])) at++;
    uint64_t id = hashed(text + start, at - start, text + it->size, family->folds);
    int kind = NAME;
    if (text[start] >= '0' && text[start] <= '9') {
        kind = NUMBER;
    } else {
        for (uint64_t k = id & family->mask; family->ids[k]; k = (k + 1) & family->mask)
            if (family->ids[k] == id) {
                kind = family->kinds[k];
                break;
            }
    }
    push(it, kind, id, start, at);
    return at;
}

static void first_pass(lexer *it) {
    const uint8_t *text = it->text;
    const span *rule = 0;
    int64_t at = 0;
    while (at < it->size) {
        uint8_t c = text[at];
        extent of = find_span(it, at, &rule);
        if (of.end) {
            take_span(it, rule, at, of);
            at = of.end;
        } else if (c == ' ') {
            at++; /* the most frequent by far */
        } else if (is_word(c)) {
            at = take_word(it, at);
        } else {
            int kind = kind_of_mark(c);
            if (c == '\n') {
                it->line++;
                it->fresh = 1;
            } else if (kind == DROPPED) {
                it->dropped++;
            } else if (!is_blank(c)) {
                push(it, kind, hashed(text + at, 1, text + it->size, 0), at, at + 1);
            }
            at++;
        }
    }
}

/* ---- the second pass: what depends on the neighbours ---- */

static int is_mark(const lexer *it, int64_t n, uint8_t c) {
    return n < it->n && it->out.ends[n] - it->out.starts[n] == 1 && it->text[it->out.starts[n]] == c;
}

static uint64_t abstracted(const family *family, int kind, uint64_t exact) {
    switch (kind) {
    case NAME: case CALLED: case PREFIX: return family->name_id;
    case NUMBER: return family->number_id;
    case STRING: return family->string_id;
    default: return exact;
    }
}

static void move(columns *out, int64_t from, int64_t to) {
    out->exact[to] = out->exact[from];
    out->lines[to] = out->lines[from];
    out->starts[to] = out->starts[from];
    out->ends[to] = out->ends[from];
}

static int64_t second_pass(const lexer *it) {
    static const uint8_t equals[] = "=";
    columns out = it->out;
    int64_t kept = 0;
    int before = NOTHING, carried = 0;
    for (int64_t r = 0; r < it->n; r++) {
        int kind = out.kinds[r];
        uint64_t exact = out.exact[r];
        if (kind == PROSE) {
            move(&out, r, kept);
            out.abstract[kept] = exact;
            out.kinds[kept] = PROSE;
            out.sizes[kept++] = 1;
            continue;
        }
        int64_t next = r + 1;
        while (next < it->n && out.kinds[next] == PROSE) next++;
        int after = next < it->n ? out.kinds[next] : NOTHING;
        int drops = (kind == COMMA && after == CLOSE) || (kind == STRING && before == STRING) ||
                    is_mark(it, r, '(') || is_mark(it, r, ')');
        int called = kind == CALLED && is_mark(it, next, '(');
        /* The name of an attribute is not the author's to rename, nor is a builtin that is called. */
        int own = (kind == NAME || kind == CALLED || kind == PREFIX) && before == DOT;
        int labels = (kind == NAME || kind == PREFIX) && (before == COMMA || before == OPEN) &&
                     (after == COLON || (is_mark(it, next, '=') && !starts_with(it, out.ends[next], equals, 1)));
        before = kind;
        carried += out.sizes[r];
        if (drops) continue;
        move(&out, r, kept);
        out.abstract[kept] =
            called || own || !it->family->renames ? exact : abstracted(it->family, kind, exact);
        out.kinds[kept] = labels ? ARGUMENT : kind == PREFIX ? NAME : (uint8_t)kind;
        out.sizes[kept++] = (uint8_t)(carried > 255 ? 255 : carried);
        carried = 0;
    }
    return kept;
}

/* One column behind the other, each as long as the text, the widest first. */
static columns columns_in(uint8_t *room, int64_t size) {
    uint64_t *ids = (uint64_t *)room;
    int32_t *numbers = (int32_t *)(ids + 2 * size);
    uint8_t *small = (uint8_t *)(numbers + 3 * size);
    return (columns){ids, ids + size, numbers, numbers + size, numbers + 2 * size, small, small + size};
}

/* The number of tokens; their columns are written into `room`, of 30 bytes for every byte of the text. */
EXPORTED int64_t footnote_lex(const family *family, const uint8_t *text, int64_t size, uint8_t *room) {
    lexer it = {.family = family, .text = text, .size = size, .fresh = 1, .before = NOTHING};
    it.out = columns_in(room, size);
    first_pass(&it);
    return second_pass(&it);
}

/* Where a string or comment begins that nothing closes, or -1. */
EXPORTED int64_t footnote_open(const family *family, const uint8_t *text, int64_t size) {
    lexer it = {.family = family, .text = text, .size = size};
    const span *rule = 0;
    int64_t at = 0;
    while (at < size) {
        extent of = find_span(&it, at, &rule);
        if (of.end) {
            if (is_open(&it, rule, of)) return at;
            at = of.end;
        } else {
            int word = is_word(text[at++]);
            while (word && at < size && is_word(text[at])) at++;
        }
    }
    return -1;
}
