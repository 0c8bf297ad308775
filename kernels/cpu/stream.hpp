#pragma once
// The CPU's streams: work is done when the call returns, so that there is nothing to keep but memory.
#include <cstddef>
#include <vector>

#include "kernels/stream.hpp"

namespace moesim::kernels {

class CpuStream final : public Stream {
  public:
    void synchronize() override {}
    std::unique_ptr<Event> record() override;
    void copy_in(void* to, const void* from_host, std::int64_t bytes) override { copy(to, from_host, bytes); }
    void copy_out(void* to_host, const void* from, std::int64_t bytes) override { copy(to_host, from, bytes); }
    void copy(void* to, const void* from, std::int64_t bytes) override;
    void fill_bytes(void* to, unsigned char value, std::int64_t bytes) override;

    // Room for so many floats of a purpose, numbered from 0; what it held is lost. Throws DeviceLacking.
    float* scratch(std::size_t purpose, std::int64_t floats);

  private:
    std::vector<std::vector<float>> scratch_;
};

}  // namespace moesim::kernels
