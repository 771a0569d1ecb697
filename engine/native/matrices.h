/* Matrices in eight bits, the rows that they are multiplied with, and their product. */

enum { GROUP = 128, PANEL = LANES * COLUMNS, BATCH = 128 };

typedef struct {
    int64_t outputs, inputs; /* padded to whole panels and groups */
    int8_t *data;            /* [panel][group][GROUP / 4][PANEL][4], OFFSET added; none: not loaded */
    float *scales;           /* [panel][group][PANEL] */
    float *bias;             /* [outputs], or none */
} matrix;

/* Rows in eight bits: [row][inputs], and for each group its scale and -OFFSET times its sum. */
typedef struct {
    int8_t *data;
    float *scales;
    int32_t *sums;
} bytes;

INLINE int64_t padded(int64_t count, int64_t step) { return (count + step - 1) / step * step; }

/* Zeros that begin where a line of the cache does: a load across two of them costs twice. */
static void *room(int64_t bytes) {
    char *whole = calloc(1, (size_t)(bytes > 0 ? bytes : 0) + 128);
    if (!whole) return 0;
    char *found = whole + 64 + (64 - (uintptr_t)whole % 64) % 64;
    memcpy(found - sizeof whole, &whole, sizeof whole);
    return found;
}

static void give_back(void *found) {
    char *whole;
    if (!found) return;
    memcpy(&whole, (char *)found - sizeof whole, sizeof whole);
    free(whole);
}

static void give_matrix_back(matrix *w) { give_back(w->data), give_back(w->scales), give_back(w->bias); }

/* Take in [outputs, inputs]; 0, or -1 where there is no memory. */
static int pack(matrix *to, const float *from, int64_t outputs, int64_t inputs) {
    to->outputs = padded(outputs, PANEL);
    to->inputs = padded(inputs, GROUP);
    int64_t groups = to->inputs / GROUP;
    to->data = room(to->outputs * to->inputs);
    to->scales = room(to->outputs * groups * 4);
    if (!to->data || !to->scales) return -1;
    memset(to->data, OFFSET ? -OFFSET : 0, (size_t)(to->outputs * to->inputs));
    for (int64_t output = 0; output < outputs; output++)
        for (int64_t group = 0; group < groups; group++) {
            int64_t start = group * GROUP, end = start + GROUP < inputs ? start + GROUP : inputs;
            const float *row = from + output * inputs;
            float largest = 0;
            for (int64_t i = start; i < end; i++) largest = fmaxf(largest, fabsf(row[i]));
            float scale = largest / 127.0f, inverse = largest > 0 ? 127.0f / largest : 0;
            int64_t place = output / PANEL * groups + group, lane = output % PANEL;
            to->scales[place * PANEL + lane] = scale;
            for (int64_t i = start; i < end; i++) {
                int64_t at = i - start;
                to->data[place * GROUP * PANEL + at / 4 * PANEL * 4 + lane * 4 + at % 4] =
                    (int8_t)(lrintf(row[i] * inverse) + OFFSET);
            }
        }
    return 0;
}

/* One row of a matrix as floats. */
static void unpack_row(const matrix *from, int64_t output, int64_t inputs, float *to) {
    int64_t groups = from->inputs / GROUP, lane = output % PANEL;
    for (int64_t i = 0; i < inputs; i++) {
        int64_t place = output / PANEL * groups + i / GROUP, at = i % GROUP;
        int8_t byte = from->data[place * GROUP * PANEL + at / 4 * PANEL * 4 + lane * 4 + at % 4];
        to[i] = (float)(int8_t)(byte - OFFSET) * from->scales[place * PANEL + lane];
    }
}

/* A row of floats as bytes, the padding zeros. */
static void quantise(const float *from, int64_t count, const bytes *to, int64_t row) {
    int64_t inputs = padded(count, GROUP), groups = inputs / GROUP;
    for (int64_t group = 0; group < groups; group++) {
        const float *values = from + group * GROUP;
        int8_t *found = to->data + row * inputs + group * GROUP;
        int64_t here = count - group * GROUP < GROUP ? count - group * GROUP : GROUP;
        float largest = 0;
        for (int64_t i = 0; i < here; i++) {
            float size = fabsf(values[i]);
            largest = size > largest ? size : largest;
        }
        float inverse = largest > 0 ? 127.0f / largest : 0;
        int32_t sum = 0;
        for (int64_t i = 0; i < here; i++) {
            float value = values[i] * inverse;
            found[i] = (int8_t)(int32_t)(value + (value < 0 ? -0.5f : 0.5f));
            sum += found[i];
        }
        memset(found + here, 0, (size_t)(GROUP - here));
        to->scales[row * groups + group] = largest / 127.0f;
        to->sums[row * groups + group] = sum * -OFFSET;
    }
}

/* `rows` rows, a number known when this is compiled, through one panel. */
INLINE void tile(const bytes *from, const matrix *w, int64_t panel, int64_t first, const int rows, float *to,
                 int64_t stride, int adds) {
    int64_t groups = w->inputs / GROUP;
    floats total[MOST_ROWS][COLUMNS];
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < COLUMNS; c++) {
            int64_t at = panel * PANEL + c * LANES;
            total[r][c] = adds ? read(to + (first + r) * stride + at) : all(0);
            if (w->bias) total[r][c] += read(w->bias + at);
        }
    for (int64_t group = 0; group < groups; group++) {
        const int8_t *weights = w->data + (panel * groups + group) * GROUP * PANEL;
        const int8_t *row = from->data + first * w->inputs + group * GROUP;
        ints sum[MOST_ROWS][COLUMNS];
        for (int r = 0; r < rows; r++)
            for (int c = 0; c < COLUMNS; c++) sum[r][c] = (ints){0} + from->sums[(first + r) * groups + group];
        for (int k = 0; k < GROUP; k += 4, weights += 4 * PANEL)
            for (int r = 0; r < rows; r++)
                for (int c = 0; c < COLUMNS; c++)
                    sum[r][c] = dot(sum[r][c], weights + 4 * LANES * c, row + r * w->inputs + k);
        for (int c = 0; c < COLUMNS; c++) {
            floats scale = read(w->scales + (panel * groups + group) * PANEL + c * LANES);
            for (int r = 0; r < rows; r++)
                total[r][c] += __builtin_convertvector(sum[r][c], floats) *
                               (scale * from->scales[(first + r) * groups + group]);
        }
    }
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < COLUMNS; c++)
            write(to + (first + r) * stride + panel * PANEL + c * LANES, total[r][c]);
}

typedef struct {
    const bytes *from;
    const matrix *w;
    float *to;
    int64_t rows, stride, panels; /* the panels of one task */
    int adds;
} product;

static void some_panels(void *what, int64_t task, int worker) {
    const product *p = what;
    int64_t end = (task + 1) * p->panels, all_of_them = p->w->outputs / PANEL;
    (void)worker;
    for (int64_t panel = task * p->panels; panel < end && panel < all_of_them; panel++) {
        int64_t first = 0;
        for (; first + MOST_ROWS <= p->rows; first += MOST_ROWS)
            tile(p->from, p->w, panel, first, MOST_ROWS, p->to, p->stride, p->adds);
        switch (p->rows - first) {
        case 1: tile(p->from, p->w, panel, first, 1, p->to, p->stride, p->adds); break;
        case 2: tile(p->from, p->w, panel, first, 2, p->to, p->stride, p->adds); break;
        case 3: tile(p->from, p->w, panel, first, 3, p->to, p->stride, p->adds); break;
#if defined(__AVX512VNNI__)
        case 4: tile(p->from, p->w, panel, first, 4, p->to, p->stride, p->adds); break;
        case 5: tile(p->from, p->w, panel, first, 5, p->to, p->stride, p->adds); break;
#endif
        default: break;
        }
    }
}

/* Rows of bytes times a matrix, to [rows, stride]; added to what is there where `adds`. */
static void multiply(crew *c, const bytes *from, const matrix *w, int64_t rows, float *to, int64_t stride, int adds) {
    int64_t panels = w->outputs / PANEL, tasks = 4 * c->workers;
    product p = {from, w, to, rows, stride, (panels + tasks - 1) / tasks, adds};
    share(c, (panels + p.panels - 1) / p.panels, some_panels, &p);
}
