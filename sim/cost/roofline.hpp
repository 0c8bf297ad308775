#pragma once
// Time of one kernel from what it computes and moves: the larger of the two times (Williams, Waterman and Patterson,
// "Roofline", CACM 52(4), 2009), with tiles and waves on the compute side, plus the launch.
#include <cstdint>
#include <span>

#include "base/units.hpp"
#include "config/profile.hpp"

namespace moesim {

class Roofline {
  public:
    explicit Roofline(const Profile& profile) : profile_(profile) {}

    // Time to move bytes through the GPU's memory, without a launch: bytes / (bandwidth * efficiency).
    [[nodiscard]] Seconds memory(double bytes) const;

    // One kernel that only moves bytes: launch + memory(bytes).
    [[nodiscard]] Seconds streaming(double bytes) const;

    // One kernel of matrix products C_g[rows_g x n] = A_g[rows_g x k] B_g[k x n], one for each group with rows > 0:
    //   tiles   = sum_g ceil(rows_g / tile_m) * ceil(n / tile_n)
    //   parts   = 1, or with a split_depth max(1, min(floor(SMs / tiles), floor(k / split_depth)))
    //   compute = ceil(tiles / SMs) * SMs * 2 tile_m tile_n (k / parts) / (peak * efficiency)   (whole waves of tiles)
    //   memory  = (active groups * n k + sum_g rows_g (n + k)) * bytes(dtype) / (bandwidth * efficiency)
    //   time    = launch + max(compute, memory); 0 without rows.
    // The profile must have a peak for dtype.
    [[nodiscard]] Seconds matmul(const MatmulProfile& kind, Dtype dtype, std::span<const std::int64_t> rows,
                                 std::int64_t n, std::int64_t k) const;
    // Of kernels that share out the same products between them, some one's time is at least this: groups, rows and
    // tiles of tile_m rows are the means of the kernels. Compute: whole waves of as many tiles as some kernel must
    // have; or, as each kernel computes its own tiles at least and moves its own bytes, the larger of the means of the
    // two.
    struct Means {
        double groups = 0, rows = 0, tiles = 0;
    };
    [[nodiscard]] Seconds waves_at_least(const MatmulProfile& kind, Dtype dtype, const Means& mean, std::int64_t n,
                                         std::int64_t k) const;
    [[nodiscard]] Seconds mean_at_least(const MatmulProfile& kind, Dtype dtype, const Means& mean, std::int64_t n,
                                        std::int64_t k) const;
    // The same for a single product with the profile's dense figures.
    [[nodiscard]] Seconds dense(Dtype dtype, std::int64_t rows, std::int64_t n, std::int64_t k) const;

    // Fused attention: launch + max(flops / (peak * attention efficiency), memory(bytes)). Runs in bf16, or in fp8 on
    // a device without bf16.
    [[nodiscard]] Seconds attention(Flops flops, double bytes) const;

  private:
    [[nodiscard]] Seconds waves(const MatmulProfile& kind, Dtype dtype, std::int64_t tiles, std::int64_t k) const;
    Profile profile_;
};

}  // namespace moesim
