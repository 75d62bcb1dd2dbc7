// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "shadow-mmu/guest_walk.hpp"

namespace ringone::mmu {

Translation combine(const PagingContext& context, std::uint64_t directory_entry, std::uint64_t table_entry,
                    GuestVirtual linear) {
    const bool large = is_large(context, directory_entry);
    const std::uint64_t both = directory_entry & table_entry;
    const std::uint64_t either = directory_entry | table_entry;
    const std::uint64_t page = large ? context.large_page_base(directory_entry, linear)
                                     : PagingContext::page_base(table_entry);
    return {.page = {page},
            .directory_entry = directory_entry,
            .write = (both & entry::kWrite) != 0,
            .user = (both & entry::kUser) != 0,
            .execute = !context.no_execute || (either & entry::kNoExecute) == 0,
            .global = (table_entry & entry::kGlobal) != 0,
            .accessed = (both & entry::kAccessed) != 0,
            .dirty = (table_entry & entry::kDirty) != 0,
            .large = large};
}

bool allows(const PagingContext& context, const Translation& translation, Access access) {
    if (access.user && !translation.user) return false;
    switch (access.type) {
    case AccessType::fetch:
        return translation.execute && (access.user || !translation.user || !context.smep);
    case AccessType::write:
        if (!translation.write && (access.user || context.write_protect)) return false;
        break;
    case AccessType::read: break;
    }
    return access.user || !translation.user || !context.smap || access.smap_override;
}

std::uint32_t access_code(const PagingContext& context, Access access) {
    std::uint32_t code = access.user ? fault_code::kUser : 0;
    if (access.type == AccessType::write) code |= fault_code::kWrite;
    if (access.type == AccessType::fetch && (context.no_execute || context.smep)) code |= fault_code::kFetch;
    return code;
}

Translation identity(GuestVirtual linear) {
    return {.page = {linear.address & ~(kPageBytes - 1)},
            .directory_entry = 0,
            .write = true,
            .user = true,
            .execute = true,
            .global = false,
            .accessed = true,
            .dirty = true,
            .large = true};
}

} // namespace ringone::mmu
