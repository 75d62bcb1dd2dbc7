// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#pragma once

#include "translator/context.hpp"
#include "translator/cut_points.hpp"
#include "translator/decoder.hpp"
#include "translator/instruction_table.hpp"
#include "translator/options.hpp"
#include "translator/site_hints.hpp"

#include <boost/container/options.hpp>
#include <boost/container/static_vector.hpp>

#include <cstdint>

namespace ringone::translator {

/// What one instruction inside a block becomes. Independent of the target.
enum class StepKind : std::uint8_t {
    copy,         ///< runs as it is (re-encoded when the code segment is 16-bit)
    copy_via_fs,  ///< its GS or FS operand goes through FS, which already holds that segment
    swap_other,   ///< its operand's segment is the one FS does not hold: FS is switched around it
    swap_wrap,    ///< as copy_via_fs, for offsets that wrap at 4 GiB: FS holds that part of the segment meanwhile
    swap_code,    ///< its operand is in the code segment: FS reads that segment meanwhile
    cli,
    sti,
    pushf,
    popf,
    read_selector,
    load_selector, ///< MOV sreg, r/m16: inlined for selectors that were loaded before
    pop_selector,  ///< POP sreg, the same
};

struct Step {
    StepKind kind;
    std::uint8_t instruction;   ///< index into Plan::instructions
    bool interruptible = true;  ///< may an interrupt be taken before it (false in an STI's shadow)
};

/// How a block ends: a closed set.
enum class TerminalKind : std::uint8_t {
    jump,            ///< JMP rel: to `target`
    branch,          ///< Jcc: to `target`, else `next`
    counter_branch,  ///< LOOPcc, JCXZ: to `target`, else `next`
    call,            ///< CALL rel: pushes `next`
    indirect_jump,   ///< JMP r/m32
    indirect_call,   ///< CALL r/m32: pushes `next`
    ret,             ///< RET: `immediate` more bytes are popped
    enter_kernel,    ///< SYSENTER at CPL 3
    exit_kernel,     ///< SYSEXIT at CPL 0
    return_to_user,  ///< IRET at CPL 0, inlined for returns to CPL 3
    callout,         ///< the monitor executes the instruction and goes on where it says
    fault,           ///< the guest faults with `vector` at this instruction
    fall_through,    ///< the block was long enough: goes on at `next`
    step,            ///< one-instruction mode: back to the monitor, EIP = `next`
};

struct Terminal {
    TerminalKind kind = TerminalKind::fall_through;
    bool interruptible = true;
    std::uint8_t instruction = 0; ///< index into Plan::instructions (not for fall_through, step)
    std::uint8_t vector = 0;      ///< for fault
    std::uint16_t immediate = 0;  ///< for ret
    std::uint32_t eip = 0;        ///< guest EIP of the terminal instruction
    std::uint32_t target = 0;
    std::uint32_t next = 0;
};

/// A vector inside its owner. The planner keeps to the capacity, so it need not (and in ring 0 cannot) throw.
template <typename T, std::size_t capacity>
using BlockVector = boost::container::static_vector<
    T, capacity, boost::container::static_vector_options_t<boost::container::throw_on_overflow<false>>>;

/// One basic block, decoded and decided.
struct Plan {
    std::uint32_t eip = 0;
    CodeContext context;
    std::uint32_t length = 0; ///< guest bytes from eip, terminal included
    std::uint32_t identical = 0; ///< instructions that are copied byte for byte
    BlockVector<Step, kMaxBlockInstructions> steps;
    Terminal terminal;
    BlockVector<Instruction, kMaxBlockInstructions + 1> instructions;

    [[nodiscard]] std::uint32_t instruction_count() const {
        return static_cast<std::uint32_t>(instructions.size());
    }
};

/// The guest's code as the fetch unit sees it. Bytes come from a software walk, never through guest segments.
class CodeSource {
public:
    /// Copies up to `to.size()` bytes from guest-linear `linear` on, never past the end of its page (4 KiB).
    /// Returns how many; 0 when the page cannot be fetched.
    [[nodiscard]] virtual std::uint32_t fetch(std::uint32_t linear, std::span<std::uint8_t> to) = 0;
    /// Guest-physical page number behind a linear address that fetch() has just delivered bytes of.
    [[nodiscard]] virtual std::uint32_t physical_page(std::uint32_t linear) = 0;

protected:
    ~CodeSource() = default;
};

enum class PlanStatus : std::uint8_t {
    ok,
    not_fetchable,   ///< the first instruction lies (partly) on a page that cannot be fetched: `fault_linear`
    outside_segment, ///< the first instruction passes the code-segment limit: #GP(0)
};

struct PlanResult {
    PlanStatus status;
    std::uint32_t fault_linear = 0;
};

/// Decodes guest code into a block plan.
class Planner {
public:
    Planner(const Decoder& decoder, const Options& options, const SiteHints& hints, const CutPoints& cuts)
        : decoder_(decoder), options_(options), hints_(hints), cuts_(cuts) {}

    /// Plans the block at `eip`. `one_instruction` limits it to one (for single step and interrupt shadows); such a
    /// block ends with Terminal `step` unless its instruction is a terminal itself.
    [[nodiscard]] PlanResult plan(CodeSource& source, const CodeContext& context, std::uint32_t eip,
                                  bool one_instruction, Plan& out) const;

    enum class Fetched : std::uint8_t { ok, invalid, too_long, not_fetchable, outside_segment };
    struct FetchResult {
        Fetched status;
        std::uint32_t fault_linear = 0; ///< for not_fetchable
        std::uint32_t bytes = 0;        ///< for invalid, too_long: how many the verdict may depend on
    };
    /// Fetches and decodes one instruction.
    [[nodiscard]] FetchResult fetch(CodeSource& source, const CodeContext& context, std::uint32_t eip,
                                    Instruction& out) const;

private:
    [[nodiscard]] bool add(Plan& plan, const Instruction& instruction, bool in_shadow) const;

    const Decoder& decoder_;
    const Options& options_;
    const SiteHints& hints_;
    const CutPoints& cuts_;
};

} // namespace ringone::translator
