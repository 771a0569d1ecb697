/* Rotary positions, keys and values in float16, and attention. */

/* Rotary positions (Su et al. 2021, arXiv 2104.09864), the halves of a head as the pairs. */
static void turn(float *head, int64_t dim, const float *cosines, const float *sines) {
    int64_t half = dim / 2;
    for (int64_t i = 0; i < half; i++) {
        float first = head[i], second = head[i + half];
        head[i] = first * cosines[i] - second * sines[i];
        head[i + half] = second * cosines[i] + first * sines[i];
    }
}

/* Queries, a number known when this is compiled, each with the keys up to its own limit: softmax of
   products, then the values so weighted. `keys` is [block][dim][LANES] with an even number of
   blocks, `values` [key][dim padded to 2 * LANES], `weights` room for as many floats a key. */
typedef struct {
    const float *query[QUERIES];
    float *to[QUERIES];
    int64_t limit[QUERIES];
} asked;

INLINE void attend(const asked *a, const int count, const half *keys, const half *values, int64_t dim,
                   float *weights) {
    int64_t most = 0;
    for (int q = 0; q < count; q++) most = a->limit[q] > most ? a->limit[q] : most;
    int64_t pairs = (most + 2 * LANES - 1) / (2 * LANES), kept = padded(dim, 2 * LANES);
    ints lane;
    for (int i = 0; i < LANES; i++) lane[i] = i;
    floats highest[QUERIES], sums[QUERIES];
    for (int q = 0; q < count; q++) highest[q] = all(-INFINITY), sums[q] = all(0);
    float near[MOST_DIM * QUERIES]; /* [dim][query], so that one pointer finds them all */
    for (int q = 0; q < count; q++)
        for (int64_t d = 0; d < dim; d++) near[d * count + q] = a->query[q][d];
    for (int64_t pair = 0; pair < pairs; pair++) {
        const half *here = keys + pair * 2 * LANES * dim;
        floats score[QUERIES][2];
        for (int q = 0; q < count; q++) score[q][0] = score[q][1] = all(0);
        for (int64_t d = 0; d < dim; d++) {
            floats low = widened(here + d * LANES), high = widened(here + (dim + d) * LANES);
            for (int q = 0; q < count; q++) {
                score[q][0] += low * near[d * count + q];
                score[q][1] += high * near[d * count + q];
            }
        }
        for (int q = 0; q < count; q++)
            for (int i = 0; i < 2; i++) {
                int64_t left = a->limit[q] - (2 * pair + i) * LANES;
                left = left < 0 ? 0 : left < LANES ? left : LANES;
                floats seen = either(lane < (int32_t)left, score[q][i], all(-INFINITY));
                highest[q] = either(seen > highest[q], seen, highest[q]);
                write(weights + ((2 * pair + i) * count + q) * LANES, seen);
            }
    }
    float top[QUERIES];
    for (int q = 0; q < count; q++) top[q] = largest_of(highest[q]);
    for (int64_t block = 0; block < 2 * pairs; block++)
        for (int q = 0; q < count; q++) {
            float *at = weights + (block * count + q) * LANES;
            floats seen = read(at);
            floats weight = either(seen == -INFINITY, all(0), exponential(seen - top[q]));
            sums[q] += weight;
            write(at, weight);
        }
    for (int64_t d = 0; d < dim; d += 2 * LANES) {
        floats found[QUERIES][2];
        for (int q = 0; q < count; q++) found[q][0] = found[q][1] = all(0);
        for (int64_t block = 0; block < 2 * pairs; block++) {
            const half *here = values + block * LANES * kept + d;
            const float *weight = weights + block * count * LANES;
            for (int i = 0; i < LANES; i++) {
                floats low = widened(here + i * kept), high = widened(here + i * kept + LANES);
                for (int q = 0; q < count; q++) {
                    found[q][0] += low * weight[q * LANES + i];
                    found[q][1] += high * weight[q * LANES + i];
                }
            }
        }
        for (int q = 0; q < count; q++) {
            float share = 1.0f / sum_of(sums[q]);
            write_some(a->to[q] + d, found[q][0] * share, dim - d);
            write_some(a->to[q] + d + LANES, found[q][1] * share, dim - d - LANES);
        }
    }
}

static void attend_to(const asked *a, int count, const half *keys, const half *values, int64_t dim, float *weights) {
    switch (count) {
    case 1: attend(a, 1, keys, values, dim, weights); break;
    case 2: attend(a, 2, keys, values, dim, weights); break;
    case 3: attend(a, 3, keys, values, dim, weights); break;
    case 4: attend(a, 4, keys, values, dim, weights); break;
#if defined(__AVX512VNNI__) || defined(__ARM_FEATURE_DOTPROD)
    case 5: attend(a, 5, keys, values, dim, weights); break;
    case 6: attend(a, 6, keys, values, dim, weights); break;
    case 7: attend(a, 7, keys, values, dim, weights); break;
    case 8: attend(a, 8, keys, values, dim, weights); break;
#endif
    default: break;
    }
}

typedef struct {
    int64_t rows, position, capacity, heads, kv_heads, dim, stride, seen_stride, queries; /* of one task */
    const float *cosines, *sines;
    float *wide, *seen, *weights; /* the weights: `room` floats for each worker */
    int64_t room;
    half *keys, *values;
} attending;

/* Turn a new row's queries and keys, and keep its keys and values. */
static void keep(void *what, int64_t row, int worker) {
    const attending *a = what;
    int64_t dim = a->dim, kept = padded(dim, 2 * LANES), at = a->position + row;
    float *query = a->wide + row * a->stride, *key = query + a->heads * dim, *value = key + a->kv_heads * dim;
    const float *cosines = a->cosines + at * (dim / 2), *sines = a->sines + at * (dim / 2);
    float even = 1.0f / sqrtf((float)dim);
    (void)worker;
    for (int64_t head = 0; head < a->heads + a->kv_heads; head++) turn(query + head * dim, dim, cosines, sines);
    for (int64_t i = 0; i < a->heads * dim; i++) query[i] *= even;
    for (int64_t head = 0; head < a->kv_heads; head++) {
        half *block = a->keys + head * a->capacity * dim + at / LANES * LANES * dim + at % LANES;
        half *whole = a->values + (head * a->capacity + at) * kept;
        for (int64_t d = 0; d < dim; d++) {
            block[d * LANES] = narrowed(key[head * dim + d]);
            whole[d] = narrowed(value[head * dim + d]);
        }
    }
}

/* One task is some queries of one key/value head. */
static void look(void *what, int64_t task, int worker) {
    const attending *a = what;
    int64_t group = a->heads / a->kv_heads, all_of_them = a->rows * group;
    int64_t tasks = (all_of_them + a->queries - 1) / a->queries, head = task / tasks;
    int64_t first = task % tasks * a->queries, kept = padded(a->dim, 2 * LANES);
    asked q;
    int count = 0;
    for (; count < a->queries && first + count < all_of_them; count++) {
        int64_t row = (first + count) / group, own = head * group + (first + count) % group;
        q.query[count] = a->wide + row * a->stride + own * a->dim;
        q.to[count] = a->seen + row * a->seen_stride + own * a->dim;
        q.limit[count] = a->position + row + 1;
    }
    attend_to(&q, count, a->keys + head * a->capacity * a->dim, a->values + head * a->capacity * kept, a->dim,
              a->weights + worker * a->room);
}

/* From queries, keys and values in `wide` to what each query sees in `seen`. */
static void attention(crew *c, attending *a) {
    int64_t all_of_them = a->rows * (a->heads / a->kv_heads);
    /* No more in a task than leaves one for every worker: few queries are soon many enough. */
    a->queries = (all_of_them * a->kv_heads + c->workers - 1) / c->workers;
    a->queries = a->queries < QUERIES ? a->queries : QUERIES;
    if (a->rows < 8) for (int64_t row = 0; row < a->rows; row++) keep(a, row, 0);
    else share(c, a->rows, keep, a);
    share(c, (all_of_them + a->queries - 1) / a->queries * a->kv_heads, look, a);
}
