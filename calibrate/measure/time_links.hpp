#pragma once
// Times messages between ranks that really send them.
#include <functional>
#include <vector>

#include "calibrate/execute/transport.hpp"
#include "calibrate/measure/link_cases.hpp"
#include "calibrate/measure/timing_loop.hpp"

namespace moesim {

struct LinkTimes {
    LinkCase what;
    Timing timing;
};

struct LinkTiming {
    double share = 0.01;  // MedianWithin
    Seconds budget{60};   // of all cases
};

// All ranks call it with the same cases, and all take the same samples, for rank 0 says when there are enough. A sample
// is the time from when its ranks began, on average, to when the last of them was done, by one clock
// (Transport::clock_ahead). On rank 0 a time for each case, elsewhere nothing.
std::vector<LinkTimes> time_links(Transport& transport, const std::vector<LinkCase>& cases, const LinkTiming& options,
                                  const std::function<void(double)>& progress);

// Lines for samples_csv (time_kernels.hpp): "exchange" for the operation, nothing for what a call of one counts.
std::string link_samples_csv(const std::vector<LinkTimes>& times);

// One rank's part of a case, once: sends and receives what is its own, until all of it is there. How long it took, or
// of a ping-pong half of that; 0 on ranks without a part.
Seconds exchange_once(Transport& transport, const LinkCase& what);

// How many times as long an all-to-all takes while every rank computes, and computing (`work`, of one core) while
// messages are under way.
struct Interference {
    double compute = 1, communication = 1;
};
// All ranks call it; the answer is on rank 0.
Interference interference(Transport& transport, const LinkCase& exchange, const std::function<void()>& work,
                          Seconds budget);

}  // namespace moesim
