#include "support/kernel_laws.hpp"

namespace moesim::test {

KernelsProfile simple_laws(const PerQuantity& rest) {
    KernelsProfile k{"a core", "moesim", "2026-11-23", "1000 MHz throughout", {}, {}};
    for (std::size_t o = 0; o < static_cast<std::size_t>(KernelOperation::dense); ++o) {
        KernelLaw law;
        law.operation = static_cast<KernelOperation>(o);
        law.seconds_per = rest;
        law.seconds_per[static_cast<std::size_t>(KernelQuantity::call)] = 1e-6 * static_cast<double>(o + 1);
        law.seconds_per[static_cast<std::size_t>(KernelQuantity::row)] = 1e-9;
        law.cache = Bytes(1000);
        law.fit = {"a core", "2026-11-23", 8, 8, 0.01, 0.02, 0.05, 0.1, {0.9, 1, 1.1}};
        k.laws.push_back(law);
    }
    return k;
}

}  // namespace moesim::test
