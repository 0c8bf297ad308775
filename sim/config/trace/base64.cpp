#include "config/trace/base64.hpp"

#include <fmt/format.h>

#include <array>

#include "config/json_text.hpp"
#include "config/trace/refuse.hpp"

namespace moesim {
namespace {

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr unsigned no_digit = 64;

constexpr std::array<unsigned char, 256> digit_table() {
    std::array<unsigned char, 256> table{};
    for (auto& entry : table) entry = no_digit;
    for (std::size_t i = 0; i < alphabet.size(); ++i)
        table[static_cast<unsigned char>(alphabet[i])] = static_cast<unsigned char>(i);
    return table;
}
constexpr auto digits = digit_table();

}  // namespace

std::string decode_base64(std::string_view text, const std::string& where) {
    const auto fail = [&](const std::string& found, const std::string& expected) { refuse(where, found, expected); };
    if (text.size() % 4 != 0) fail(fmt::format("{} characters", text.size()), "base64, which has a multiple of 4");
    const std::size_t padding = text.size() - (text.find_last_not_of('=') + 1);  // npos + 1 is 0: all of it
    if (padding > 2) fail(fmt::format("{} padding characters", padding), "at most 2 at the end of base64");
    std::string bytes;
    bytes.reserve(text.size() / 4 * 3);
    unsigned held = 0, bits = 0;
    const std::string_view body = text.substr(0, text.size() - padding);
    for (std::size_t i = 0; i < body.size(); ++i) {
        const unsigned digit = digits[static_cast<unsigned char>(body[i])];
        if (digit == no_digit) fail(fmt::format("'{}' at character {}", clipped(std::string(1, body[i])), i), "base64");
        held = (held << 6 | digit) & 0xffffU;
        bits += 6;
        if (bits < 8) continue;
        bits -= 8;
        bytes.push_back(static_cast<char>((held >> bits) & 0xffU));
    }
    if ((held & ((1U << bits) - 1)) != 0) fail("bits beyond the last byte", "base64, which ends with zero bits");
    return bytes;
}

}  // namespace moesim
