#pragma once
// The header of a .npy file: a Python dictionary literal with three keys.
#include <string>
#include <string_view>
#include <vector>

namespace moesim {

struct NpyHeader {
    std::size_t width = 0;  // bytes of an element: 1, 2, 4 or 8
    bool is_signed = false;
    bool fortran_order = false;
    std::vector<std::size_t> shape;
    std::string descr;  // as written: "<u2"
};

// Throws InputError ("WHERE: header: found ..., expected ...") for a broken header and for every type but the
// little-endian integers. One of Python objects is refused by name: those are pickled, and never unpickled here.
NpyHeader parse_npy_header(std::string_view text, const std::string& where);

}  // namespace moesim
