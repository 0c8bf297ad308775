#pragma once
#include <cstdint>

#include "kernels/backend.hpp"

namespace moesim {

// Random bf16 numbers in a backend's memory that all timed calls read their rows and weights from: making them anew for
// each call would take longer than timing it.
class CallNumbers {
  public:
    // At least so many bytes of rows, and of weights; before the first call is made.
    void need(std::int64_t row_bytes, std::int64_t weight_bytes);
    // Once a backend. Throws DeviceLacking where its memory is short.
    void make(kernels::Backend& backend, kernels::Stream& stream);

    [[nodiscard]] kernels::ConstMatrixView rows(std::int64_t count, std::int64_t cols) const;
    // The `turn`th of the tables of that size that lie one after the other, and then again.
    [[nodiscard]] kernels::ConstMatrixView weights(std::int64_t turn, std::int64_t count, std::int64_t cols) const;

  private:
    [[nodiscard]] kernels::ConstMatrixView table(std::int64_t at, std::int64_t count, std::int64_t cols) const;

    std::int64_t row_bytes_ = 0, weight_bytes_ = 0;
    kernels::Array<std::uint16_t> all_;
    const kernels::Backend* made_by_ = nullptr;
};

}  // namespace moesim
