/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 The RingOne authors */
#include "linux_bench.h"

/* The compute payload's kernels (bench/payload): the same objects as without an operating system. */
u32 run_crc_table(void), run_crc_bitwise(void), run_matrix_sse2(void), run_matrix_x87(void), run_sort_callback(void),
    run_interpreter(void);

#define REPEATED(name)                                                                                                \
    static u32 name(u32 count) {                                                                                      \
        u32 checksum = 0;                                                                                             \
        for (u32 i = 0; i < count; ++i) checksum = run_##name();                                                      \
        return checksum;                                                                                              \
    }
REPEATED(crc_table)
REPEATED(crc_bitwise)
REPEATED(matrix_sse2)
REPEATED(matrix_x87)
REPEATED(sort_callback)
REPEATED(interpreter)

const struct linux_item compute_items[] = {
    {"crc_table", "compute", crc_table, 0, 0},
    {"crc_bitwise", "compute", crc_bitwise, 0, 0},
    {"matrix_sse2", "compute", matrix_sse2, 0, 0},
    {"matrix_x87", "compute", matrix_x87, 0, 0},
    {"sort_callback", "compute", sort_callback, 0, 0},
    {"interpreter", "compute", interpreter, 0, 0},
    {0},
};
