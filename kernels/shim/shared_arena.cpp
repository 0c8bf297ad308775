#include "kernels/shim/shared_arena.hpp"

#include <algorithm>

#include "kernels/shim/launch.hpp"
#include "kernels/shim/sanitizers.hpp"

namespace moesim::shim {
namespace {

constexpr std::size_t margin = 128;  // at least, on both sides of a variable
constexpr unsigned char untouched = 0xa5;
constexpr std::size_t most_variables = 64;
// Variables begin at multiples of this at least, as nobody may count on less than they do on a device.
constexpr std::size_t least_alignment = 16;

}  // namespace

// The margins may need more than this; then a block has less than it could.
SharedArena::SharedArena() : memory_(largest_shared_bytes + (most_variables + 2) * 2 * margin, untouched) {
    variables_.reserve(most_variables);
    forbid(memory_.data(), memory_.size());
}

SharedArena::~SharedArena() { allow(memory_.data(), memory_.size()); }

void SharedArena::begin(std::size_t dynamic_bytes, unsigned char pattern) {
    const UnseenWrites unseen;
    pattern_ = pattern;
    allow(memory_.data(), end_);
    std::fill_n(memory_.begin(), end_, untouched);
    forbid(memory_.data(), end_);
    variables_.clear();
    end_ = bytes_ = 0;
    add({nullptr, nullptr, dynamic_bytes, "the dynamic shared memory"}, least_alignment);
}

void* SharedArena::add(const Variable& variable, std::size_t alignment) {
    const auto base = reinterpret_cast<std::size_t>(memory_.data());
    const std::size_t multiple = std::max(alignment, least_alignment);
    const std::size_t begin = (base + end_ + margin + multiple - 1) / multiple * multiple - base;
    const std::size_t end = begin + variable.bytes + margin;
    if (bytes_ + variable.bytes > largest_shared_bytes || end > memory_.size() || variables_.size() == most_variables)
        return nullptr;
    variables_.push_back(variable);
    variables_.back().begin = memory_.data() + begin;
    end_ = end;
    bytes_ += variable.bytes;
    allow(memory_.data() + begin, variable.bytes);
    std::fill_n(memory_.data() + begin, variable.bytes, pattern_);
    return memory_.data() + begin;
}

void* SharedArena::variable(const void* key, std::size_t bytes, std::size_t alignment, const char* name) {
    for (const Variable& v : variables_)
        if (v.key == key) return v.begin;
    const UnseenWrites unseen;
    return add({key, nullptr, bytes, name}, alignment);
}

std::string SharedArena::overrun() const {
    if (address_sanitizer()) return "";  // which has reported it
    const unsigned char* from = memory_.data();
    const auto clean = [](const unsigned char* begin, const unsigned char* end) {
        return std::all_of(begin, end, [](unsigned char c) { return c == untouched; });
    };
    for (const Variable& v : variables_) {
        // Half of what lies between two variables is the one's, half the other's.
        if (!clean(from, v.begin)) return v.name;
        from = v.begin + v.bytes;
        if (!clean(from, from + margin / 2)) return v.name;
        from += margin / 2;
    }
    return clean(from, memory_.data() + end_) ? "" : variables_.back().name;
}

}  // namespace moesim::shim
