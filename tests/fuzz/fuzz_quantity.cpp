// A text is a quantity of a dimension or it is none; one that is, survives being written and read again.
#include <cstdint>
#include <cstdlib>

#include "config/quantity.hpp"

using namespace moesim;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    for (const Dimension d : {Dimension::time, Dimension::bytes, Dimension::bandwidth, Dimension::flop_rate}) {
        const auto value = parse_quantity(text, d);
        if (!value) continue;
        const std::string written = format_quantity(*value, d);
        const auto again = parse_quantity(written, d);
        if (again != value || format_quantity(*again, d) != written) std::abort();
    }
    return 0;
}
