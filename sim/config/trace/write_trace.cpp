#include "config/trace/write_trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <ostream>

#include "config/trace/npy.hpp"

namespace moesim {
namespace {

constexpr std::size_t block_bytes = std::size_t{1} << 20;  // how much is held before it is written

int id_of(ExpertIndex expert) { return expert == no_expert ? -1 : expert; }

void flush(std::ostream& out, std::string& block) {
    out.write(block.data(), static_cast<std::streamsize>(block.size()));
    block.clear();
}

void append_row(std::string& line, std::span<const ExpertIndex> row) {
    for (std::size_t k = 0; k < row.size(); ++k)
        fmt::format_to(std::back_inserter(line), "{}{}", k == 0 ? "[" : ", ", id_of(row[k]));
    line += ']';
}

}  // namespace

void write_npy_trace(std::ostream& out, const RoutingTrace& trace) {
    const bool has_gaps = std::find(trace.choices.begin(), trace.choices.end(), no_expert) != trace.choices.end();
    write_npy_header(out, has_gaps ? "<i2" : "<u2", std::array{trace.tokens, trace.layers, trace.top_k});
    std::string block;
    for (const ExpertIndex expert : trace.choices) {
        append_npy(block, expert);  // no_expert has the bits of -1
        if (block.size() >= block_bytes) flush(out, block);
    }
    flush(out, block);
}

void write_megatron_trace(std::ostream& out, const RoutingTrace& trace) {
    std::string block;
    for (std::size_t source = 0; source < trace.source_begin.size(); ++source) {
        const std::size_t begin = trace.source_begin[source];
        const bool is_last = source + 1 == trace.source_begin.size();
        const std::size_t end = is_last ? trace.tokens : trace.source_begin[source + 1];
        for (std::size_t layer = 0; layer < trace.layers; ++layer) {
            fmt::format_to(std::back_inserter(block),
                           "{{\"step\": 0, \"stage\": \"pre_dispatch\", \"block\": \"decoder\", \"layer\": {}, "
                           "\"rank\": {}, \"num_tokens\": {}, \"topk\": {}, \"top_indices\": [",
                           layer, source, end - begin, trace.top_k);
            for (std::size_t token = begin; token < end; ++token) {
                if (token != begin) block += ", ";
                append_row(block, trace.at(token, layer));
                if (block.size() >= block_bytes) flush(out, block);
            }
            block += "]}\n";
        }
    }
    flush(out, block);
}

}  // namespace moesim
