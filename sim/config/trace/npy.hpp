#pragma once
// NumPy's .npy files of integers: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#include <cstdint>
#include <iosfwd>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace moesim {

inline constexpr std::string_view npy_magic = "\x93NUMPY";

// An integer array of one to three dimensions. It refers to the file's bytes, which must outlive it.
class NpyArray {
  public:
    // Reads format 1.0, 2.0 or 3.0, in C or Fortran order. Throws InputError ("WHERE: found ..., expected ...") for
    // what is broken, of another type than a little-endian integer, or not exactly as long as its shape asks for.
    NpyArray(std::string_view bytes, const std::string& where);

    [[nodiscard]] const std::vector<std::size_t>& shape() const { return shape_; }
    // The element [i][j][k]; one beyond the range of the type, which only an unsigned 64-bit one can be, is INT64_MAX.
    [[nodiscard]] std::int64_t at(std::size_t i, std::size_t j = 0, std::size_t k = 0) const;

  private:
    std::vector<std::size_t> shape_, strides_ = {0, 0, 0};  // strides in elements
    std::string_view data_;
    std::size_t width_ = 0;  // bytes of an element
    bool is_signed_ = false;
};

// Writes format 1.0 in C order, to be followed by the elements. `descr` is NumPy's type: "<u2", "<i2", "<i4".
void write_npy_header(std::ostream& out, std::string_view descr, std::span<const std::size_t> shape);

// Appends one little-endian element.
template <class T>
void append_npy(std::string& bytes, T value) {
    using U = std::make_unsigned_t<T>;
    for (std::size_t byte = 0; byte < sizeof(T); ++byte)
        bytes.push_back(static_cast<char>((static_cast<U>(value) >> (8 * byte)) & 0xffU));
}

}  // namespace moesim
