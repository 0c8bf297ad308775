// A text is refused with an InputError, or it is JSON that reads back from its own dump.
#include "config/json_text.hpp"

#include <cstdint>
#include <cstdlib>

#include "base/error.hpp"

using namespace moesim;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    nlohmann::json json;
    try {
        json = parse_json({reinterpret_cast<const char*>(data), size}, "input");
    } catch (const InputError&) {
        return 0;
    }
    if (parse_json(json.dump(), "written") != json) std::abort();
    return 0;
}
