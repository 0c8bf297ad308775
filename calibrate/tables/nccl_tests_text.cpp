#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/error.hpp"
#include "calibrate/tables/nccl_tests.hpp"
#include "config/json_text.hpp"

namespace moesim {
namespace {

std::vector<std::string_view> words_of(std::string_view line) {
    std::vector<std::string_view> words;
    constexpr std::string_view space = " \t\r";
    for (;;) {
        const auto begin = line.find_first_not_of(space);
        if (begin == line.npos) return words;
        line.remove_prefix(begin);
        words.push_back(line.substr(0, line.find_first_of(space)));
        line.remove_prefix(words.back().size());
    }
}

// "alltoall" of the first "alltoall_perf" in the text.
std::string program_of(std::string_view text) {
    const auto end = text.find("_perf");
    if (end == text.npos) return {};
    const auto is_name = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
    auto begin = end;
    while (begin > 0 && is_name(text[begin - 1])) --begin;
    return std::string(text.substr(begin, end - begin));
}

// A line of numbers: size, count, type, redop, root, and twice time, algbw, busbw and #wrong; some versions print no
// redop or root. Times with an asterisk have several readings.
class Line {
  public:
    Line(std::vector<std::string_view> words, const std::string& file, std::size_t number)
        : words_(std::move(words)), file_(file), number_(number) {
        if (words_.size() < 11 || words_.size() > 13)
            throw InputError(
                fmt::format("{}: line {}: found {} words, expected size, count, type, redop, root and "
                            "twice time, algbw, busbw, #wrong",
                            file_, number_, words_.size()));
    }
    [[nodiscard]] std::int64_t size() const {
        std::int64_t v = 0;
        if (!parse(words_[0], v) || v < 0 || v > std::int64_t{1} << 50) refuse("size", words_[0], "a number of bytes");
        return v;
    }
    [[nodiscard]] std::string dtype() const { return std::string(words_[2]); }
    [[nodiscard]] double microseconds() const {
        const std::string_view word = words_[words_.size() - 8];
        double v = 0;
        if (!parse(word, v) || !(v > 0 && v < 1e12)) refuse("time", word, "a time in us above 0");
        return v;
    }

  private:
    template <class T>
    static bool parse(std::string_view word, T& value) {
        const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
        return error == std::errc() && end == word.data() + word.size();
    }
    [[noreturn]] void refuse(const char* column, std::string_view found, const char* expected) const {
        throw InputError(fmt::format("{}: line {}: $.{}: found `{}`, expected {}", file_, number_, column,
                                     clipped(std::string(found)), expected));
    }
    std::vector<std::string_view> words_;
    const std::string& file_;
    std::size_t number_;
};

}  // namespace

std::vector<MeasuredRow> read_nccl_tests_text(std::string_view text, const std::string& file) {
    const std::string op = program_of(text);
    if (op.empty())
        throw InputError(file +
                         ": found no name of a program, expected one in some line, such as \"# alltoall_perf\" "
                         "(nccl-tests' own output has it from version 2.16 on)");
    std::vector<MeasuredRow> rows;
    std::int64_t ranks = 0;
    std::string device, version;
    std::size_t number = 0;
    while (!text.empty()) {
        ++number;
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        const auto words = words_of(line);
        if (words.empty()) continue;
        if (words[0].front() == '#') {
            // "#  Rank  0 Group  0 Pid  1234 on host device  0 [0x07] NVIDIA H100 80GB HBM3"
            if (words.size() > 2 && words[1] == "Rank") {
                ++ranks;
                if (const auto at = line.find(']'); at != line.npos && device.empty()) {
                    for (const std::string_view w : words_of(line.substr(at + 1))) {
                        if (!device.empty()) device += ' ';
                        device += w;
                    }
                }
            }
            if (const auto at = line.find("nccl-library="); at != line.npos)
                for (const std::string_view w : words_of(line.substr(at + 13, 40))) {
                    version = "nccl-";
                    version += w;
                    break;
                }
            continue;
        }
        if (words[0].front() < '0' || words[0].front() > '9') continue;  // what a launcher or NCCL itself printed
        const Line row(words, file, number);
        if (row.size() == 0) continue;
        if (ranks == 0)
            throw InputError(
                fmt::format("{}: line {}: found a timed call, expected \"# Rank ...\" lines before it, "
                            "which tell the number of GPUs",
                            file, number));
        MeasuredRow& r = rows.emplace_back();
        r.line = number;
        r.device = device;
        r.version = version;
        r.measured = Seconds(row.microseconds() * 1e-6);
        r.call = NcclRow{op, row.dtype(), ranks, Bytes(row.size())};
    }
    return rows;
}

}  // namespace moesim
