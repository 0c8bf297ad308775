#pragma once
// What any placement of a layer leaves on its busiest link.
#include <cstddef>

#include "planner/layer_time.hpp"

namespace moesim {

// Of the busiest link, in seconds for each byte of a row that is looked at (LayerTimeModel::dispatch_bytes and
// return_bytes make seconds of them).
struct LeastTraffic {
    double out = 0, back = 0;
    // Besides, of rows that are looked at: copies of tokens that positions receive, all together, local ones included;
    // and how many fewer copies than choices every position has, were it to have `slots` experts.
    double received = 0, shared = 0;
};

// No placement of one or more copies of each expert, at most `slots` a position, has less on its busiest link.
//
// Links that are alike (equal capacity, as many flows) are never busier on average than the busiest of them, so that a
// row has a price: of its flow's links, seconds a byte, over the number of alike links. Summed over rows that is a
// bound. Of a token whose experts are in h of the places that rows are counted by (GPUs, or nodes with dedup = node), a
// choice pays 1/h of the price, at least 2/(j+1) - x/(j(j+1)) with x = the other choices in its place, for every j = 1,
// 2, … (1/h is convex: chords through whole h), and at least 1/most with no more than `most` in a place. Then, either
// - without room for copies: each expert has one place and room - 1 others beside it there: the cheapest place, with
//   the others that it most often shares tokens with; or
// - each source has its best experts in its cheapest slots, and those pairs that share most tokens have a place
//   together, as many as there is room for.
// Besides, without room for copies, some place has each single expert, with all that this one brings to its links.
LeastTraffic least_traffic(const LayerTimeModel& model, LayerId layer, std::size_t slots);

}  // namespace moesim
