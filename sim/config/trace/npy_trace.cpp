#include "config/trace/npy_trace.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "config/trace/npy.hpp"

namespace moesim {

void add_npy(TraceBuilder& builder, std::string_view bytes, const std::string& where) {
    const NpyArray array(bytes, where);
    const auto& shape = array.shape();
    if (shape.size() != 3)
        throw InputError(
            fmt::format("{}: found {} dimensions, expected 3: [tokens][layers][top_k]", where, shape.size()));
    builder.expect(shape[0], shape[1], shape[2], where);
    builder.reserve(shape[0] * shape[1] * shape[2]);
    std::vector<std::int64_t> ids(shape[2]);
    for (std::size_t token = 0; token < shape[0]; ++token) {
        for (std::size_t layer = 0; layer < shape[1]; ++layer) {
            for (std::size_t k = 0; k < shape[2]; ++k) ids[k] = array.at(token, layer, k);
            builder.add_row(ids,
                            [&](std::size_t k) { return fmt::format("{}: [{}][{}][{}]", where, token, layer, k); });
        }
    }
}

RoutingTrace read_npy_trace(std::string_view bytes, const std::string& file, const TraceOptions& options) {
    TraceBuilder builder(file, options);
    add_npy(builder, bytes, file);
    return builder.finish();
}

}  // namespace moesim
