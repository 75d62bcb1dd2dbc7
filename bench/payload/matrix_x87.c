/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 The RingOne authors */
#define ELEMENT float
#define RUN run_matrix_x87
#include "matrix.inc"
