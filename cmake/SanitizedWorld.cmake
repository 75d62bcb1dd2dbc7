# SPDX-License-Identifier: MIT
# Copyright (c) 2026 The RingOne authors
#
# Address and undefined-behaviour checks for a process that also runs guests. ASan's own shadow memory is in the low
# 4 GiB, the guest's linear space. The kernel's flavour of the instrumentation takes any place for it and calls
# functions that tests/sanitized/runtime provides.
set(RINGONE_SHADOW_OFFSET 0x100000000000)
set(RINGONE_SANITIZE_FLAGS -fsanitize=kernel-address -fasan-shadow-offset=${RINGONE_SHADOW_OFFSET}
    -fsanitize-address-use-after-scope
    "SHELL:--param asan-instrumentation-with-call-threshold=0" "SHELL:--param asan-globals=1"
    "SHELL:--param asan-stack=1" "SHELL:--param asan-instrument-allocas=1"
    -fsanitize=undefined -fno-sanitize=vptr -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
add_link_options(-fsanitize=undefined)

set(runtime ${CMAKE_SOURCE_DIR}/tests/sanitized/runtime)
add_library(ringone_sanitizer OBJECT ${runtime}/heap.cpp ${runtime}/instrumentation.cpp ${runtime}/report.cpp
    ${runtime}/shadow.cpp)
target_include_directories(ringone_sanitizer PRIVATE ${CMAKE_SOURCE_DIR})
# It runs under instrumented core code, with the guest's vector registers and FS base: no memset() made up, no TLS.
target_compile_options(ringone_sanitizer PRIVATE ${RINGONE_WARNINGS} ${RINGONE_CORE_FLAGS} -O2 -fno-builtin
    -fno-tree-loop-distribute-patterns)
target_compile_definitions(ringone_sanitizer PRIVATE RINGONE_SHADOW_OFFSET=${RINGONE_SHADOW_OFFSET})
target_link_options(ringone_sanitizer INTERFACE -rdynamic)
foreach(function memcpy memmove memset memcmp)
    target_link_options(ringone_sanitizer INTERFACE -Wl,--wrap=${function} -Wl,--wrap=ringone_${function})
endforeach()
target_link_libraries(ringone_sanitizer INTERFACE ringone_core_memory)
