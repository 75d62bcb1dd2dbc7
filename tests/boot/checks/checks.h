/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 The RingOne authors */
#pragma once

/// Instructions to single-step through (stepped.S), and the address of each in the order that it runs.
int checks_stepped(void);
enum { checks_stepped_count = 6, checks_stepped_result = 42 };
extern const void* const checks_stepped_at[checks_stepped_count];
