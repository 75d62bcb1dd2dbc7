/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 The RingOne authors */
#define ELEMENT double
#define RUN run_matrix_sse2
#include "matrix.inc"
