#pragma once
// When there are samples enough.
#include <chrono>
#include <cstdint>
#include <span>
#include <utility>

#include "base/units.hpp"

namespace moesim {

enum class Verdict : unsigned char { more, settled, out_of_time };

class StopRule {
  public:
    virtual ~StopRule() = default;
    StopRule() = default;
    StopRule(const StopRule&) = delete;
    StopRule& operator=(const StopRule&) = delete;
    // Asked after every sample. samples: in the order in which they were taken; spent: on all of them, warm-up
    // included.
    [[nodiscard]] virtual Verdict after(std::span<const Seconds> samples, Seconds spent) const = 0;
};

// The places, from 0, of the two ordered samples of n between which the median lies with a probability of at least
// `confidence`: x[k] and x[n - 1 - k] with the largest k such that P(X <= k) <= (1 - confidence) / 2, X binomial of n
// tries at 1/2 (David and Nagaraja, "Order Statistics", 2003, section 7.1), whatever the distribution of the samples.
// Of few samples (up to 5 at 95%) even the extremes promise less, and are what is given. n >= 1.
std::pair<std::size_t, std::size_t> median_interval(std::size_t n, double confidence);

// Settled once the 95% interval of the median is within `share` of the median on both sides, from `least` samples on;
// out of time once `budget` is spent, from two samples on, or at `most` samples.
class MedianWithin final : public StopRule {
  public:
    MedianWithin(double share, Seconds budget, std::size_t least = 8, std::size_t most = 2000)
        : share_(share), budget_(budget), least_(least), most_(most) {}
    [[nodiscard]] Verdict after(std::span<const Seconds> samples, Seconds spent) const override;

  private:
    double share_;
    Seconds budget_;
    std::size_t least_, most_;
};

// Another rule, but out of time from two samples on once a moment has come, whatever the samples' own clock says.
class Until final : public StopRule {
  public:
    using Clock = std::chrono::steady_clock;
    Until(Clock::time_point end, const StopRule& rule) : end_(end), rule_(rule) {}  // refers to the rule
    [[nodiscard]] Verdict after(std::span<const Seconds> samples, Seconds spent) const override {
        const Verdict v = rule_.after(samples, spent);
        return v == Verdict::more && samples.size() >= 2 && Clock::now() >= end_ ? Verdict::out_of_time : v;
    }

  private:
    Clock::time_point end_;
    const StopRule& rule_;
};

}  // namespace moesim
