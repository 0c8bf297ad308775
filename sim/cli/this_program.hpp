#pragma once
#include <string>

namespace moesim {

// The program itself, for simulations in processes of their own.
std::string this_program();

}  // namespace moesim
