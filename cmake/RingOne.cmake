# SPDX-License-Identifier: MIT
# Copyright (c) 2026 The RingOne authors
#
# The kinds of target RingOne has.

set(RINGONE_WARNINGS -Wall -Wextra -Wshadow -Wconversion -Werror)

# What every part of the monitor obeys in both builds. The hosted build keeps to the general registers as well: the
# guest's x87/SSE state stays in the hardware registers while the monitor runs.
set(RINGONE_CORE_FLAGS -DBOOST_DISABLE_ASSERTS $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions> $<$<COMPILE_LANGUAGE:CXX>:-fno-rtti>
    $<$<COMPILE_LANGUAGE:CXX>:-fno-threadsafe-statics> -mgeneral-regs-only -fno-stack-protector)
set(RINGONE_RING0_FLAGS ${RINGONE_CORE_FLAGS} -ffreestanding -mno-red-zone -fno-pic -mcmodel=kernel
    -fno-asynchronous-unwind-tables -fcf-protection=none -O2)

if(RINGONE_SANITIZE)
    # The vptr check wants RTTI, which the core does without.
    set(RINGONE_SANITIZE_FLAGS -fsanitize=address,undefined -fno-sanitize=vptr -fno-sanitize-recover=undefined)
    add_link_options(-fsanitize=address,undefined)
elseif(RINGONE_SANITIZE_WORLD)
    include(SanitizedWorld)
endif()

set_property(GLOBAL PROPERTY RINGONE_RING0_LIBRARIES "")

# A hosted target of ours.
function(ringone_hosted target)
    target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR})
    target_compile_options(${target} PRIVATE ${RINGONE_WARNINGS} ${RINGONE_SANITIZE_FLAGS})
    get_target_property(type ${target} TYPE)
    if(RINGONE_SANITIZE_WORLD AND type STREQUAL EXECUTABLE)
        target_link_libraries(${target} PRIVATE ringone_sanitizer)
    endif()
endfunction()

# Memory functions that leave the vector registers alone, for the hosted build of the core.
set(RINGONE_CORE_MEMORY ${CMAKE_SOURCE_DIR}/vmm/worlds/hosted/core_memory)
add_library(ringone_core_memory STATIC ${RINGONE_CORE_MEMORY}.c)
target_include_directories(ringone_core_memory PRIVATE ${CMAKE_SOURCE_DIR})
target_compile_options(ringone_core_memory PRIVATE ${RINGONE_WARNINGS} ${RINGONE_CORE_FLAGS} -O2
    -fno-builtin -fno-tree-loop-distribute-patterns)
set(RINGONE_HOSTED_CORE_FLAGS ${RINGONE_CORE_FLAGS} "SHELL:-include ${RINGONE_CORE_MEMORY}.h")

# ringone_core_library(NAME SOURCES ... [DEPS ...]): NAME for the hosted world, NAME_ring0 freestanding.
function(ringone_core_library name)
    cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
    add_library(${name} STATIC ${arg_SOURCES})
    ringone_hosted(${name})
    target_compile_options(${name} PRIVATE ${RINGONE_HOSTED_CORE_FLAGS})
    target_link_libraries(${name} PUBLIC ringone_core_memory)
    add_library(${name}_ring0 STATIC EXCLUDE_FROM_ALL ${arg_SOURCES})
    target_include_directories(${name}_ring0 PUBLIC ${CMAKE_SOURCE_DIR})
    target_compile_options(${name}_ring0 PRIVATE ${RINGONE_WARNINGS} ${RINGONE_RING0_FLAGS})
    set_target_properties(${name}_ring0 PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    foreach(dep ${arg_DEPS})
        target_link_libraries(${name} PUBLIC ${dep})
        target_link_libraries(${name}_ring0 PUBLIC ${dep}_ring0)
    endforeach()
    set_property(GLOBAL APPEND PROPERTY RINGONE_RING0_LIBRARIES ${name}_ring0)
endfunction()

# ringone_reaches(OUT LIBRARY NAME...): whether one of the names is LIBRARY or links it.
function(ringone_reaches out library)
    set(${out} FALSE PARENT_SCOPE)
    foreach(name ${ARGN})
        set(found FALSE)
        if(name STREQUAL library)
            set(found TRUE)
        elseif(TARGET ${name})
            get_target_property(links ${name} INTERFACE_LINK_LIBRARIES)
            if(links)
                string(REGEX REPLACE "\\$<LINK_ONLY:([^>]*)>" "\\1" links "${links}")
                ringone_reaches(found ${library} ${links})
            endif()
        endif()
        if(found)
            set(${out} TRUE PARENT_SCOPE)
        endif()
    endforeach()
endfunction()

# Marks a test that runs guests in this host's process world. Their linear space is the low 4 GiB, where ASan has its
# shadow memory (from 0x7fff8000 on): the asan build shows such tests as disabled, and sanitized-boot runs them.
function(ringone_process_world_test name)
    set_property(TEST ${name} APPEND PROPERTY LABELS process-world)
    if(RINGONE_SANITIZE)
        set_property(TEST ${name} PROPERTY DISABLED TRUE)
    endif()
endfunction()

# ringone_add_test(NAME SOURCES ... [LIBS ...] [TIMEOUT SECONDS]): a GoogleTest program, one ctest entry.
function(ringone_add_test name)
    cmake_parse_arguments(arg "" "TIMEOUT" "SOURCES;LIBS" ${ARGN})
    find_package(GTest REQUIRED)
    add_executable(${name} ${arg_SOURCES})
    ringone_hosted(${name})
    target_link_libraries(${name} PRIVATE ${arg_LIBS} GTest::gtest_main)
    ringone_reaches(in_process_world ringone_world_process ${arg_LIBS})
    foreach(lib ${arg_LIBS})
        if(lib MATCHES "^ringone_" AND NOT TARGET ${lib} AND NOT in_process_world)
            message(FATAL_ERROR "${name}: ${lib} has to be added before: what it reaches decides where the test runs")
        endif()
    endforeach()
    ringone_reaches(of_sanitizer ringone_sanitized_faults ${arg_LIBS})
    if(RINGONE_SANITIZE_WORLD AND NOT in_process_world AND NOT of_sanitizer)
        # The asan build runs it.
        set_target_properties(${name} PROPERTIES EXCLUDE_FROM_ALL TRUE)
        return()
    endif()
    add_test(NAME ${name} COMMAND ${name} --gtest_output=xml:${CMAKE_BINARY_DIR}/test-results/${name}.xml)
    if(NOT arg_TIMEOUT)
        set(arg_TIMEOUT 600)
    endif()
    set_tests_properties(${name} PROPERTIES TIMEOUT ${arg_TIMEOUT})
    if(in_process_world)
        ringone_process_world_test(${name})
    endif()
endfunction()

# ringone_add_guest(NAME FILE): a multiboot image build/<preset>/guests/NAME.elf from a nasm source.
set(RINGONE_GUEST_DIR ${CMAKE_BINARY_DIR}/guests)
function(ringone_add_guest name file)
    file(MAKE_DIRECTORY ${RINGONE_GUEST_DIR})
    cmake_path(ABSOLUTE_PATH file OUTPUT_VARIABLE source)
    cmake_path(GET source PARENT_PATH folder)
    set(script ${CMAKE_SOURCE_DIR}/tests/guests/guest.ld)
    file(GLOB includes ${CMAKE_SOURCE_DIR}/tests/guests/*.inc)
    add_custom_command(
        OUTPUT ${RINGONE_GUEST_DIR}/${name}.elf
        COMMAND nasm -f elf32 -I ${CMAKE_SOURCE_DIR}/tests/guests/ -I ${folder}/ -o ${RINGONE_GUEST_DIR}/${name}.o ${source}
        COMMAND ${CMAKE_LINKER} -m elf_i386 --build-id=none -T ${script} -o ${RINGONE_GUEST_DIR}/${name}.elf
                ${RINGONE_GUEST_DIR}/${name}.o
        DEPENDS ${source} ${script} ${includes} VERBATIM)
    add_custom_target(guest_${name} ALL DEPENDS ${RINGONE_GUEST_DIR}/${name}.elf)
endfunction()

function(ringone_check_freestanding)
    get_property(libraries GLOBAL PROPERTY RINGONE_RING0_LIBRARIES)
    set(files)
    foreach(library ${libraries})
        list(APPEND files $<TARGET_FILE:${library}>)
    endforeach()
    add_custom_command(
        OUTPUT ${CMAKE_BINARY_DIR}/freestanding.ok
        COMMAND ${CMAKE_SOURCE_DIR}/scripts/check-freestanding --output ${CMAKE_BINARY_DIR}/monitor-ring0.o ${files}
        COMMAND ${CMAKE_COMMAND} -E touch ${CMAKE_BINARY_DIR}/freestanding.ok
        DEPENDS ${libraries} ${CMAKE_SOURCE_DIR}/scripts/check-freestanding
                ${CMAKE_SOURCE_DIR}/cmake/ring0-allowed-symbols.txt VERBATIM)
    add_custom_target(check_freestanding ALL DEPENDS ${CMAKE_BINARY_DIR}/freestanding.ok)
endfunction()
