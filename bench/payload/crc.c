/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 The RingOne authors */
#include "payload.h"

/* CRC-32 (IEEE 802.3, reflected) of a fixed buffer, bit by bit and by table. */
enum { BYTES = 1 << 16, BITWISE_BYTES = 1 << 17, TABLE_ROUNDS = 24 };
static const u32 POLYNOMIAL = 0xEDB88320u;

static u8 data[BITWISE_BYTES];
static u32 table[256];

static void fill(void) {
    u32 state = 1;
    for (u32 i = 0; i < sizeof data; ++i) data[i] = (u8)next_random(&state);
}

u32 run_crc_bitwise(void) {
    if (data[0] == 0 && data[1] == 0) fill();
    u32 crc = ~0u;
    for (u32 i = 0; i < BITWISE_BYTES; ++i) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (POLYNOMIAL & (0u - (crc & 1u)));
    }
    return ~crc;
}

u32 run_crc_table(void) {
    if (data[0] == 0 && data[1] == 0) fill();
    for (u32 i = 0; i < 256; ++i) {
        u32 entry = i;
        for (int bit = 0; bit < 8; ++bit) entry = entry >> 1 ^ (POLYNOMIAL & (0u - (entry & 1u)));
        table[i] = entry;
    }
    u32 crc = ~0u;
    for (int round = 0; round < TABLE_ROUNDS; ++round)
        for (u32 i = 0; i < BYTES; ++i) crc = crc >> 8 ^ table[(crc ^ data[i]) & 0xFF];
    return ~crc;
}
