#pragma once
// Random numbers that are the same on every machine and for every thread count: a counter-based generator, keyed
// by what the number is for (seed, layer, token), so that no draw depends on how many came before it.
#include <bit>
#include <cmath>
#include <cstdint>

namespace moesim {

// Bijective 64-bit mixer: the finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014; constants: Stafford's Mix13).
constexpr std::uint64_t mix64(std::uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
}

// A stream of random numbers for one purpose; streams of different keys are independent. Copying it copies its place.
class RandomStream {
  public:
    // The stream number `index` of a family; a family is named by its key (see stream_key).
    constexpr RandomStream(std::uint64_t key, std::uint64_t index) : state_(mix64(key ^ mix64(index + golden_gamma))) {}

    constexpr std::uint64_t next() { return mix64(state_ += golden_gamma); }

    // Uniform in [0, 1), a multiple of 2^-53.
    constexpr double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }

    // Uniform in [0, n) by multiplication (Lemire 2019, without the rejection step: bias below n / 2^32).
    constexpr std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(((next() >> 32) * n) >> 32); }

    // Standard normal by Box and Muller (1958); one of the pair, so that a draw takes a fixed count of numbers.
    double normal() {
        const double u = 1.0 - uniform();  // in (0, 1]: the logarithm is finite
        const double v = uniform();
        return std::sqrt(-2.0 * std::log(u)) * std::cos(6.283185307179586476925 * v);
    }

  private:
    static constexpr std::uint64_t golden_gamma = 0x9e3779b97f4a7c15ULL;
    std::uint64_t state_;
};

// Key of a family of streams: what the numbers are for.
constexpr std::uint64_t stream_key(std::uint64_t seed, std::uint64_t purpose, std::uint64_t part = 0) {
    return mix64(mix64(seed + 0x632be59bd9b4e019ULL * (purpose + 1)) ^ std::rotl(mix64(part), 17));
}

}  // namespace moesim
