#include "support/expert_kernels.hpp"

namespace moesim::test {

ExpertKernel round_kernel() {
    const std::string by = "a test";
    ExpertKernel k;
    k.name = "round";
    ExpertTile tile;
    tile.rows = tile.columns = 4, tile.depth = 2;
    k.tiles = {{tile}, by};
    k.launch = {Seconds(5e-6), by};
    k.step = {Seconds(1e-6), by};
    k.far_step = {Seconds(2e-6), by};
    k.tile_rate = {FlopsPerSecond(1e9), by};
    k.row_rate = {FlopsPerSecond(2e9), by};
    k.weight_rate = k.element_rate = {BytesPerSecond(1e9), by};
    k.cache = {Bytes(1), by};
    k.cache_gain = {3, by};
    k.element_slowdown = {0, by};
    k.element_span = {Bytes(1), by};
    k.choice_time = {Seconds(0), by};
    k.slowdown = {0, by};
    k.slowdown_time = {Seconds(1e-3), by};
    k.work_overlap = k.overlap = {1, by};
    k.fit = FitRecord{"a device", "2026-11-23", 20, 10, 0.01, 0.02, 0.05, 0.1, {0.9, 1, 1.1}};
    return k;
}

}  // namespace moesim::test
