#pragma once
// Recorded routings as files, made by hand.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace moesim::test {

// A .npy file of any header and data.
std::string npy_file(const std::string& header, const std::string& data, std::string_view version = {"\1\0", 2});

// One whose header is {'descr': ..., 'fortran_order': False, 'shape': ...}, as NumPy writes it.
std::string npy_array(const std::string& descr, const std::string& shape, const std::string& data);

// Little-endian elements of `width` bytes.
std::string elements(const std::vector<std::int64_t>& values, std::size_t width);

std::string base64(std::string_view bytes);

}  // namespace moesim::test
