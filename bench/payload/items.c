/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 The RingOne authors */
#include "payload.h"
#include "straight_line.h"

const struct item items[] = {
    {"crc_bitwise", "identical", run_crc_bitwise, 0, 0},
    {"crc_table", "identical", run_crc_table, 0, 0},
    {"matrix_x87", "identical", run_matrix_x87, 0, 0},
    {"matrix_sse2", "identical", run_matrix_sse2, 0, 0},
    {"nbody_x87", "identical", run_nbody_x87, 0, 0},
    {"polynomial_x87", "identical", run_polynomial_x87, 0, 0},
    {"sort_callback", "sort", run_sort_callback, 0, 0},
    {"sort_inline", "sort", run_sort_inline, 0, 0},
    {"fibonacci", "calls", run_fibonacci, 0, 0},
    {"ackermann", "calls", run_ackermann, 0, 0},
    {"interpreter", "indirect", run_interpreter, 0, 0},
    {"function_table", "indirect", run_function_table, 0, 0},
    {"sieve", "branches", run_sieve, 0, 0},
    {"binary_search", "branches", run_binary_search, 0, 0},
    {"copy_rep", "memory", run_copy_rep, 0, 0},
    {"copy_words", "memory", run_copy_words, 0, 0},
    {"scan_loop", "memory", run_scan_loop, 0, 0},
    {"scan_rep", "memory", run_scan_rep, 0, 0},
    {"straight_line", "translation", run_straight_line, prepare_straight_line, STRAIGHT_LINE_INSTRUCTIONS},
};
const u32 item_count = sizeof items / sizeof items[0];
