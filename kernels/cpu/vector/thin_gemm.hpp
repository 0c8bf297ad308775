#pragma once
// Products of few rows. What the library does to `b` before it multiplies takes several times as long as reading it,
// which is all that one row should cost (measured: 1.1 ns a cache line, against 5). Here b is turned in registers, by
// the library's own functions, and used at once.
//
// The bits are gemm's. The library adds up most of its elements one product after the other in blocks of the depth, and
// then adds the block's sum to what there was; so does this, for those elements; the others are left to gemm. Which
// they are: what fills the library's two largest blocks of registers, three or two packets high.
#include "kernels/cpu/vector/gemm.hpp"

namespace moesim::kernels::MOESIM_CODE {

using Traits = Eigen::internal::gebp_traits<float, float>;
using Packet = Traits::LhsPacket;
inline constexpr std::int64_t packet = Traits::LhsProgress;

// Of n outputs, how many are such elements; never all but one, as gemm has another way with one.
inline std::int64_t thin_outputs(std::int64_t n) {
    constexpr std::int64_t three = Traits::mr, two = 2 * packet;
    static_assert(packet == 1 || three == 3 * packet || three == two);
    if (packet == 1) return 0;
    const std::int64_t in_threes = n / three * three, in_twos = in_threes + (n - in_threes) / two * two;
    if (n - in_twos != 1) return in_twos;
    return in_twos > in_threes ? in_threes : in_threes > 0 ? in_threes - three : 0;
}

// A packet of outputs.
template <int rows>
void thin_packet(std::int64_t k, std::int64_t block, const float* a, std::int64_t a_stride, const float* b,
                 std::int64_t b_stride, float* c, std::int64_t c_stride, bool accumulate) {
    using namespace Eigen::internal;
    for (std::int64_t begin = 0; begin < k; begin += block) {
        const std::int64_t end = begin + block < k ? begin + block : k;
        Packet sums[rows];
        for (Packet& sum : sums) sum = pset1<Packet>(0.0F);
        std::int64_t h = begin;
        for (; h + packet <= end; h += packet) {
            PacketBlock<Packet, packet> turned;
            for (std::int64_t i = 0; i < packet; ++i) turned.packet[i] = ploadu<Packet>(b + i * b_stride + h);
            ptranspose(turned);
            for (std::int64_t i = 0; i < packet; ++i)
                for (int r = 0; r < rows; ++r)
                    sums[r] = pmadd(turned.packet[i], pset1<Packet>(a[r * a_stride + h + i]), sums[r]);
        }
        for (; h < end; ++h) {
            float column[packet];
            for (std::int64_t i = 0; i < packet; ++i) column[i] = b[i * b_stride + h];
            for (int r = 0; r < rows; ++r)
                sums[r] = pmadd(ploadu<Packet>(column), pset1<Packet>(a[r * a_stride + h]), sums[r]);
        }
        for (int r = 0; r < rows; ++r) {
            float* const to = c + r * c_stride;
            const Packet before = begin == 0 && !accumulate ? pset1<Packet>(0.0F) : ploadu<Packet>(to);
            pstoreu(to, padd(before, sums[r]));
        }
    }
}

// As gemm, for 1 to most_thin_rows rows and some of the outputs, from the first on; returns how many.
inline std::int64_t thin_gemm(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, std::int64_t a_stride,
                              const float* b, std::int64_t b_stride, float* c, std::int64_t c_stride, bool accumulate) {
    fix_block_sizes();
    Eigen::Index block = k, any_rows = 512, any_cols = 512;  // the blocks of the depth do not depend on these
    Eigen::internal::computeProductBlockingSizes<float, float>(block, any_rows, any_cols);
    static_assert(most_thin_rows == 4);
    const auto of_rows = m == 1 ? thin_packet<1> : m == 2 ? thin_packet<2> : m == 3 ? thin_packet<3> : thin_packet<4>;
    const std::int64_t outputs = thin_outputs(n);
    for (std::int64_t j = 0; j < outputs; j += packet)
        of_rows(k, block, a, a_stride, b + j * b_stride, b_stride, c + j, c_stride, accumulate);
    return outputs;
}

}  // namespace moesim::kernels::MOESIM_CODE
