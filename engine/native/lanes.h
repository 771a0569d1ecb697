/* As many floats as the processor takes at a time, and what the kernels do with them. */

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__AVX2__) || defined(__AVX512VNNI__)
#include <cpuid.h>
#include <immintrin.h>
#elif defined(__ARM_FEATURE_DOTPROD)
#include <arm_neon.h>
#if defined(__linux__)
#include <sys/auxv.h>
#endif
#endif

#if defined(__AVX512VNNI__)
enum { LANES = 16, COLUMNS = 4, MOST_ROWS = 6, QUERIES = 8, OFFSET = 128 };
#elif defined(__AVXVNNI__)
enum { LANES = 8, COLUMNS = 2, MOST_ROWS = 4, QUERIES = 4, OFFSET = 128 };
#elif defined(__ARM_FEATURE_DOTPROD)
enum { LANES = 4, COLUMNS = 4, MOST_ROWS = 4, QUERIES = 8, OFFSET = 0 };
#else
enum { LANES = 8, COLUMNS = 2, MOST_ROWS = 4, QUERIES = 4, OFFSET = 0 };
#endif
enum { MOST_DIM = 256 }; /* numbers of a head */

#ifdef _WIN32
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif
#define INLINE static inline __attribute__((always_inline))

typedef float floats __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t ints __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

INLINE floats all(float value) { return (floats){0} + value; }
INLINE floats read(const float *from) { return *(const floats *)from; }
INLINE void write(float *to, floats value) { *(floats *)to = value; }
/* Where the mask is all ones the first, elsewhere the second. */
INLINE floats either(ints mask, floats first, floats second) {
    return (floats)((mask & (ints)first) | (~mask & (ints)second));
}
/* Fewer than LANES of them, the rest zeros. */
INLINE floats read_some(const float *from, int64_t count) {
    floats found = {0};
    memcpy(&found, from, (size_t)count * 4);
    return found;
}
INLINE void write_some(float *to, floats value, int64_t count) {
    if (count >= LANES) write(to, value);
    else if (count > 0) memcpy(to, &value, (size_t)count * 4);
}
INLINE float largest_of(floats value) {
    float found = value[0];
    for (int i = 1; i < LANES; i++) found = value[i] > found ? value[i] : found;
    return found;
}
INLINE float sum_of(floats value) {
    float found = 0;
    for (int i = 0; i < LANES; i++) found += value[i];
    return found;
}

/* float16, to and from. */
typedef uint16_t half;

INLINE floats widened(const half *from) {
#if defined(__AVX512VNNI__)
    return (floats)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)from));
#elif defined(__AVX2__)
    return (floats)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)from));
#elif defined(__ARM_FEATURE_DOTPROD)
    return (floats)vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(from)));
#else
    floats found;
    for (int i = 0; i < LANES; i++) {
        uint32_t bits = (uint32_t)(from[i] & 0x7fff) << 13;
        float value, scale = 5.192296858534828e33f; /* 2 to the 112th: the exponents' difference */
        memcpy(&value, &bits, 4);
        value *= scale;
        found[i] = from[i] & 0x8000 ? -value : value;
    }
    return found;
#endif
}

static half narrowed(float value) {
#if defined(__AVX2__)
    return (half)_mm_extract_epi16(_mm_cvtps_ph(_mm_set_ss(value), 0), 0);
#else
    float size = fminf(fabsf(value), 65504.0f) * 1.925929944387236e-34f; /* 2 to the -112th */
    uint32_t bits, sign = value < 0 ? 0x8000 : 0;
    memcpy(&bits, &size, 4);
    return (half)(sign | ((bits + 0xfff + (bits >> 13 & 1)) >> 13)); /* to the nearest, ties to even */
#endif
}

/* Four products of signed bytes added to each lane: `four` bytes of a row with each output's. */
INLINE ints dot(ints sum, const int8_t *weights, const int8_t *four) {
    int32_t packed;
    memcpy(&packed, four, 4);
#if defined(__AVX512VNNI__)
    return (ints)_mm512_dpbusd_epi32((__m512i)sum, _mm512_loadu_si512(weights), _mm512_set1_epi32(packed));
#elif defined(__AVXVNNI__)
    __m256i bytes = _mm256_loadu_si256((const __m256i *)weights);
    return (ints)_mm256_dpbusd_avx_epi32((__m256i)sum, bytes, _mm256_set1_epi32(packed));
#elif defined(__AVX2__)
    /* No pair of products overflows sixteen bits, for no byte is -128. */
    __m256i bytes = _mm256_loadu_si256((const __m256i *)weights);
    __m256i signs = _mm256_sign_epi8(_mm256_set1_epi32(packed), bytes);
    __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(bytes), signs);
    return sum + (ints)_mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
#elif defined(__ARM_FEATURE_DOTPROD)
    return (ints)vdotq_s32((int32x4_t)sum, vld1q_s8(weights), vreinterpretq_s8_s32(vdupq_n_s32(packed)));
#else
    (void)packed;
    for (int i = 0; i < LANES; i++)
        sum[i] += weights[4 * i] * four[0] + weights[4 * i + 1] * four[1] + weights[4 * i + 2] * four[2] +
                  weights[4 * i + 3] * four[3];
    return sum;
#endif
}

/* e to the power of x, for x at most 0; a relative error of some 1e-7. */
INLINE floats exponential(floats x) {
    floats low = all(-87.0f);
    x = either(x > low, x, low);
    floats power = x * 1.44269504f;
    ints whole = __builtin_convertvector(power - 0.5f, ints); /* towards 0, which is up here */
    floats part = (x - __builtin_convertvector(whole, floats) * 0.693359375f) -
                  __builtin_convertvector(whole, floats) * -2.12194440e-4f;
    floats value = all(1.9875691500e-4f); /* the coefficients of Cephes' expf */
    value = value * part + 1.3981999507e-3f;
    value = value * part + 8.3334519073e-3f;
    value = value * part + 4.1665795894e-2f;
    value = value * part + 1.6666665459e-1f;
    value = value * part + 5.0000001201e-1f;
    value = value * part * part + part + 1.0f;
    return value * (floats)((whole + 127) << 23);
}
