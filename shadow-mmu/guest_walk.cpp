// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The RingOne authors
#include "shadow-mmu/guest_walk.hpp"

namespace ringone::mmu {

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
