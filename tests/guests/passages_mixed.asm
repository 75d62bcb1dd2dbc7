; SPDX-License-Identifier: MIT
; Copyright (c) 2026 The RingOne authors
;
; passages.asm with a kernel that has other selectors after an interrupt than after SYSENTER.
    %define MIXED
    %include "passages.asm"
