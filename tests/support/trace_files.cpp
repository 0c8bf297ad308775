#include "support/trace_files.hpp"

namespace moesim::test {

std::string elements(const std::vector<std::int64_t>& values, std::size_t width) {
    std::string bytes;
    for (const std::int64_t value : values)
        for (std::size_t byte = 0; byte < width; ++byte)
            bytes.push_back(static_cast<char>((static_cast<std::uint64_t>(value) >> (8 * byte)) & 0xffU));
    return bytes;
}

std::string npy_file(const std::string& header, const std::string& data, std::string_view version) {
    const auto length = static_cast<std::int64_t>(header.size());
    return "\x93NUMPY" + std::string(version) + elements({length}, version[0] == 1 ? 2 : 4) + header + data;
}

std::string npy_array(const std::string& descr, const std::string& shape, const std::string& data) {
    return npy_file("{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + shape + ", }\n", data);
}

std::string base64(std::string_view bytes) {
    constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        std::uint32_t three = 0;
        for (std::size_t j = 0; j < 3; ++j)
            three = three << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0U);
        for (std::size_t j = 0; j < 4; ++j) {
            const bool padding = i + j > bytes.size();
            text += padding ? '=' : digits[three >> (18 - 6 * j) & 63U];
        }
    }
    return text;
}

}  // namespace moesim::test
