/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 The RingOne authors */
#include "payload.h"

enum { COUNT = 20000, SMALL = 8 };
static u32 values[COUNT];

static void fill(void) {
    u32 state = 5;
    for (int i = 0; i < COUNT; ++i) values[i] = next_random(&state);
}

static u32 digest(void) {
    u32 sum = 0;
    for (int i = 0; i < COUNT; ++i) sum = mix(sum, values[i]);
    return sum;
}

static inline void swap(u32 *a, u32 *b) {
    const u32 t = *a;
    *a = *b;
    *b = t;
}

/* Quicksort (median of three, insertion sort for short runs), its comparison as a macro parameter: the two versions
 * differ in nothing else. */
#define QUICKSORT(name, LESS, PARAMETERS, ARGUMENTS)                                                                  \
    static __attribute__((noinline)) void name PARAMETERS {                                                           \
        while (last - first > SMALL) {                                                                                \
            u32 *middle = first + (last - first) / 2;                                                                 \
            if (LESS(middle, first)) swap(middle, first);                                                             \
            if (LESS(last, first)) swap(last, first);                                                                 \
            if (LESS(last, middle)) swap(last, middle);                                                               \
            u32 pivot = *middle;                                                                                      \
            u32 *low = first, *high = last;                                                                           \
            do {                                                                                                      \
                while (LESS(low, &pivot)) ++low;                                                                      \
                while (LESS(&pivot, high)) --high;                                                                    \
                if (low <= high) swap(low++, high--);                                                                 \
            } while (low <= high);                                                                                    \
            u32 *const end = last;                                                                                    \
            last = high;                                                                                              \
            name ARGUMENTS;                                                                                           \
            first = low;                                                                                              \
            last = end;                                                                                               \
        }                                                                                                             \
        for (u32 *i = first + 1; i <= last; ++i)                                                                      \
            for (u32 *j = i; j > first && LESS(j, j - 1); --j) swap(j, j - 1);                                        \
    }

typedef int (*comparator)(const void *, const void *);

static int compare(const void *a, const void *b) {
    const u32 x = *(const u32 *)a, y = *(const u32 *)b;
    return x < y ? -1 : x > y;
}
static comparator volatile chosen = compare;

#define LESS_CALLBACK(a, b) (order(a, b) < 0)
#define LESS_INLINE(a, b) (*(a) < *(b))
QUICKSORT(sort_callback, LESS_CALLBACK, (u32 *first, u32 *last, comparator order), (first, last, order))
QUICKSORT(sort_inline, LESS_INLINE, (u32 *first, u32 *last), (first, last))

u32 run_sort_callback(void) {
    fill();
    sort_callback(values, values + COUNT - 1, chosen);
    return digest();
}

u32 run_sort_inline(void) {
    fill();
    sort_inline(values, values + COUNT - 1);
    return digest();
}
