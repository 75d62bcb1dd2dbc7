# SPDX-License-Identifier: MIT
# Copyright (c) 2026 The RingOne authors
#
# Zydis from its own source (scripts/setup fetches it), once hosted and once for ring 0, both without libc.

set(ZYDIS_SOURCE ${CMAKE_SOURCE_DIR}/.deps/zydis)
if(NOT EXISTS ${ZYDIS_SOURCE}/src/Decoder.c)
    message(FATAL_ERROR "Zydis's source is missing: run scripts/setup first")
endif()

set(ZYDIS_LIBC ${CMAKE_SOURCE_DIR}/cmake/zydis_libc.h)

set(ZYDIS_CORE Decoder DecoderData Encoder EncoderData MetaInfo Mnemonic Register Segment SharedData String Utils Zydis)
list(TRANSFORM ZYDIS_CORE PREPEND ${ZYDIS_SOURCE}/src/)
list(TRANSFORM ZYDIS_CORE APPEND .c)
set(ZYDIS_FORMATTER Disassembler Formatter FormatterATT FormatterBase FormatterBuffer FormatterIntel)
list(TRANSFORM ZYDIS_FORMATTER PREPEND ${ZYDIS_SOURCE}/src/)
list(TRANSFORM ZYDIS_FORMATTER APPEND .c)

function(ringone_zydis target)
    target_include_directories(${target} SYSTEM PUBLIC ${ZYDIS_SOURCE}/include)
    target_include_directories(${target} PRIVATE ${ZYDIS_SOURCE}/src)
    target_compile_definitions(${target} PUBLIC ZYAN_NO_LIBC ZYDIS_STATIC_BUILD ZYCORE_STATIC_BUILD)
endfunction()

add_library(ringone_zydis STATIC ${ZYDIS_CORE} ${ZYDIS_FORMATTER})
ringone_zydis(ringone_zydis)
target_compile_options(ringone_zydis PRIVATE -O2 ${RINGONE_HOSTED_CORE_FLAGS} "SHELL:-include ${ZYDIS_LIBC}")
target_link_libraries(ringone_zydis PUBLIC ringone_core_memory)

add_library(ringone_zydis_ring0 STATIC EXCLUDE_FROM_ALL ${ZYDIS_CORE})
ringone_zydis(ringone_zydis_ring0)
target_compile_definitions(ringone_zydis_ring0 PUBLIC ZYDIS_DISABLE_FORMATTER)
target_compile_options(ringone_zydis_ring0 PRIVATE ${RINGONE_RING0_FLAGS} "SHELL:-include ${ZYDIS_LIBC}")
set_target_properties(ringone_zydis_ring0 PROPERTIES POSITION_INDEPENDENT_CODE OFF)
set_property(GLOBAL APPEND PROPERTY RINGONE_RING0_LIBRARIES ringone_zydis_ring0)
