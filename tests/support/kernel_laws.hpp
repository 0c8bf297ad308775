#pragma once
#include "config/kernel_profile.hpp"

namespace moesim::test {

// A law of every operation but dense and attention, each with a launch of 1 us times the operation's place (from 1), 1
// ns a row, and for the rest the costs that are given; a cache of 1000 B.
KernelsProfile simple_laws(const PerQuantity& rest = {});

}  // namespace moesim::test
