#pragma once
// Strong types for the quantities that moesim computes with. SI base units throughout; 1 GB is 1e9 bytes.
#include <compare>
#include <cstdint>
#include <limits>

namespace moesim {

// A count of things that cannot be split. 64-bit, since a batch passes 2^32 bytes easily.
template <class Tag>
class Count {
  public:
    constexpr Count() = default;
    constexpr explicit Count(std::int64_t v) : value_(v) {}
    [[nodiscard]] constexpr std::int64_t value() const { return value_; }
    [[nodiscard]] constexpr double as_double() const { return static_cast<double>(value_); }
    constexpr auto operator<=>(const Count&) const = default;
    constexpr Count& operator+=(Count o) { return value_ += o.value_, *this; }
    friend constexpr Count operator+(Count a, Count b) { return Count(a.value_ + b.value_); }
    friend constexpr Count operator-(Count a, Count b) { return Count(a.value_ - b.value_); }
    friend constexpr Count operator*(Count a, std::int64_t n) { return Count(a.value_ * n); }

  private:
    std::int64_t value_ = 0;
};

// A measure on a continuous scale.
template <class Tag>
class Measure {
  public:
    constexpr Measure() = default;
    constexpr explicit Measure(double v) : value_(v) {}
    [[nodiscard]] constexpr double value() const { return value_; }
    constexpr auto operator<=>(const Measure&) const = default;
    constexpr Measure& operator+=(Measure o) { return value_ += o.value_, *this; }
    friend constexpr Measure operator+(Measure a, Measure b) { return Measure(a.value_ + b.value_); }
    friend constexpr Measure operator-(Measure a, Measure b) { return Measure(a.value_ - b.value_); }
    friend constexpr Measure operator*(Measure a, double f) { return Measure(a.value_ * f); }
    friend constexpr Measure operator*(double f, Measure a) { return Measure(a.value_ * f); }
    friend constexpr double operator/(Measure a, Measure b) { return a.value_ / b.value_; }

  private:
    double value_ = 0;
};

using Bytes = Count<struct BytesTag>;
using Seconds = Measure<struct SecondsTag>;
using BytesPerSecond = Measure<struct BytesPerSecondTag>;
using Flops = Measure<struct FlopsTag>;
using FlopsPerSecond = Measure<struct FlopsPerSecondTag>;

// The rate of what nothing limits.
inline constexpr BytesPerSecond unlimited{std::numeric_limits<double>::infinity()};

constexpr Seconds operator/(Bytes b, BytesPerSecond r) { return Seconds(b.as_double() / r.value()); }
constexpr Seconds operator/(Flops f, FlopsPerSecond r) { return Seconds(f.value() / r.value()); }

}  // namespace moesim
