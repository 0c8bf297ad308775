#pragma once
// Runs the samples over odd shapes, and compares what they give with what they ought to.
#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "kernels/shim/launch.hpp"
#include "samples.cuh"

namespace moesim::samples {

// What differs; empty where all is right. `threads`: of a block, a multiple of 32.
inline std::string run_all(unsigned threads) {
    std::string wrong;
    const auto expect = [&](bool right, const std::string& what) {
        if (!right) wrong += what + ' ';
    };
    for (const int count : {1, 31, 1000}) {
        const std::string with = '/' + std::to_string(count);
        const auto n = static_cast<std::size_t>(count);
        const unsigned blocks = (static_cast<unsigned>(count) + threads - 1) / threads;
        std::vector<int> values(n);
        for (std::size_t i = 0; i < n; ++i) values[i] = static_cast<int>(i * 7919 % 101) - 40;

        std::vector<int> sums(blocks);
        shim::launch<block_sum<int>>({.grid = blocks, .block = threads}, values.data(), count, sums.data());
        expect(std::accumulate(sums.begin(), sums.end(), 0) == std::accumulate(values.begin(), values.end(), 0),
               "block_sum" + with);

        std::vector<int> bins(n), counts(13), expected(13);
        for (std::size_t i = 0; i < n; ++i) ++expected[static_cast<std::size_t>(bins[i] = (values[i] + 40) % 13)];
        shim::launch<histogram>({.grid = 3, .block = threads, .shared_bytes = 13 * sizeof(int)}, bins.data(), count, 13,
                                counts.data());
        expect(counts == expected, "histogram" + with);

        const int rows = count, columns = 5;
        std::vector<double> matrix(n * 5), turned(n * 5), turned_back(n * 5);
        std::iota(matrix.begin(), matrix.end(), 1.0);
        const auto tiles = [](int size) { return static_cast<unsigned>(size + 7) / 8; };
        shim::launch<transpose<double, 8>>({.grid = {tiles(columns), tiles(rows)}, .block = {8, 2}}, matrix.data(),
                                           rows, columns, turned.data());
        shim::launch<transpose<double, 8>>({.grid = {tiles(rows), tiles(columns)}, .block = {8, 2}}, turned.data(),
                                           columns, rows, turned_back.data());
        expect(turned_back == matrix && (count == 1 || turned != matrix), "transpose" + with);

        std::vector<float> row(n * 4), scaled(n * 4);
        std::iota(row.begin(), row.end(), 0.0F);
        shim::launch<scale>({.grid = 2, .block = threads}, row.data(), count * 4, 2.0F, scaled.data());
        std::transform(row.begin(), row.end(), row.begin(), [](float x) { return 2 * x; });
        expect(scaled == row, "scale" + with);

        std::vector<int> kept(n), positive;
        unsigned kept_count = 0;
        shim::launch<keep_positive>({.grid = blocks, .block = threads}, values.data(), count, kept.data(), &kept_count);
        std::copy_if(values.begin(), values.end(), std::back_inserter(positive), [](int v) { return v > 0; });
        kept.resize(kept_count);
        std::sort(kept.begin(), kept.end());
        std::sort(positive.begin(), positive.end());
        expect(kept == positive, "keep_positive" + with);

        std::vector<float> parts(5);
        unsigned done = 0;
        float total = 0;
        shim::launch<ordered_total>({.grid = 5, .block = 32}, row.data(), count * 4, parts.data(), &done, &total);
        expect(total == std::accumulate(row.begin(), row.end(), 0.0F) && done == 0, "ordered_total" + with);
    }
    for (const unsigned count : {1U, 2U, 33U, threads}) {
        std::vector<int> values(count, 3), sums(count), expected(count);
        std::exclusive_scan(values.begin(), values.end(), expected.begin(), 0);
        shim::launch<exclusive_scan>({.block = count, .shared_bytes = count * sizeof(int)}, values.data(), sums.data());
        expect(sums == expected, "exclusive_scan/" + std::to_string(count));
    }
    return wrong;
}

}  // namespace moesim::samples
