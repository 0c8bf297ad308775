#include "config/trace/npy.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <limits>
#include <optional>
#include <ostream>

#include "config/trace/npy_header.hpp"
#include "config/trace/refuse.hpp"

namespace moesim {
namespace {

constexpr std::size_t max_header_bytes = 65536;

std::uint64_t little_endian(std::string_view bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
    return value;
}

// Bytes of the array, or nothing where no size_t holds their number.
std::optional<std::size_t> bytes_of(const NpyHeader& header) {
    for (const std::size_t n : header.shape)
        if (n == 0) return 0;
    std::size_t bytes = header.width;
    for (const std::size_t n : header.shape) {
        if (bytes > std::numeric_limits<std::size_t>::max() / n) return {};
        bytes *= n;
    }
    return bytes;
}

// Takes magic, version and length off the bytes and returns the text of the header, which it takes off as well.
std::string_view take_header(std::string_view& bytes, const std::string& where) {
    if (bytes.substr(0, npy_magic.size()) != npy_magic) refuse(where, "no NumPy magic", "a .npy file");
    if (bytes.size() < 10) refuse(where, fmt::format("{} bytes", bytes.size()), "a .npy file, which has 10 or more");
    const int major = static_cast<unsigned char>(bytes[6]), minor = static_cast<unsigned char>(bytes[7]);
    if (major < 1 || major > 3 || minor != 0)
        refuse(where, fmt::format("version {}.{} of the .npy format", major, minor), "1.0, 2.0 or 3.0");
    const std::size_t length_bytes = major == 1 ? 2 : 4;
    const std::size_t begin = 8 + length_bytes;
    const std::size_t length = little_endian(bytes.substr(8, length_bytes));
    if (length > max_header_bytes)
        refuse(where, fmt::format("a header of {} bytes", length), fmt::format("at most {}", max_header_bytes));
    if (bytes.size() < begin + length)
        refuse(where, fmt::format("the file's end inside a header of {} bytes", length), "all of the header");
    const std::string_view header = bytes.substr(begin, length);
    bytes.remove_prefix(begin + length);
    return header;
}

}  // namespace

NpyArray::NpyArray(std::string_view bytes, const std::string& where) {
    const NpyHeader header = parse_npy_header(take_header(bytes, where), where);
    const auto size = bytes_of(header);
    if (size != bytes.size())
        refuse(where, fmt::format("{} bytes after the header", bytes.size()),
               fmt::format("{} for the shape ({}) of '{}'", size ? std::to_string(*size) : "more than there can be",
                           fmt::join(header.shape, ", "), header.descr));
    shape_ = header.shape;
    data_ = bytes;
    width_ = header.width;
    is_signed_ = header.is_signed;
    std::size_t stride = 1;
    for (std::size_t n = 0; n < shape_.size(); ++n) {
        const std::size_t dimension = header.fortran_order ? n : shape_.size() - 1 - n;
        strides_[dimension] = stride;
        stride *= shape_[dimension];
    }
}

std::int64_t NpyArray::at(std::size_t i, std::size_t j, std::size_t k) const {
    const std::size_t element = i * strides_[0] + j * strides_[1] + k * strides_[2];
    const std::uint64_t raw = little_endian(data_.substr(element * width_, width_));
    constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
    if (!is_signed_) return raw > static_cast<std::uint64_t>(most) ? most : static_cast<std::int64_t>(raw);
    const auto shift = static_cast<int>(64 - 8 * width_);  // brings the sign to its place, and back
    return static_cast<std::int64_t>(raw << shift) >> shift;
}

void write_npy_header(std::ostream& out, std::string_view descr, std::span<const std::size_t> shape) {
    std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}{}), }}", descr,
                                     fmt::join(shape, ", "), shape.size() == 1 ? "," : "");
    // The data start at a multiple of 64 bytes; a line break ends the header.
    constexpr std::size_t before = 10, align = 64;
    const std::size_t whole = (before + header.size() + 1 + align - 1) / align * align;
    header.resize(whole - before - 1, ' ');
    header += '\n';
    std::string length;
    append_npy(length, static_cast<std::uint16_t>(header.size()));
    out << npy_magic << '\1' << '\0' << length << header;
}

}  // namespace moesim
