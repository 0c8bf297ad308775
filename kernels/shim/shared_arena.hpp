#pragma once
// The shared memory of one block. Each variable lies apart from the next; what is between may not be touched, and the
// address sanitizer is told so. Without it, writes there are found when the block has ended.
#include <cstddef>
#include <string>
#include <vector>

namespace moesim::shim {

class SharedArena {
  public:
    SharedArena();
    ~SharedArena();
    SharedArena(const SharedArena&) = delete;
    SharedArena& operator=(const SharedArena&) = delete;

    // A new block: nothing is left of what the last one declared. Memory starts out as `pattern`, byte by byte.
    void begin(std::size_t dynamic_bytes, unsigned char pattern);
    [[nodiscard]] void* dynamic() const { return variables_.front().begin; }
    // Null where the block would have more than largest_shared_bytes.
    void* variable(const void* key, std::size_t bytes, std::size_t alignment, const char* name);
    // The variable beside which something was written; empty where nothing was.
    [[nodiscard]] std::string overrun() const;

  private:
    struct Variable {
        const void* key;
        unsigned char* begin;
        std::size_t bytes;
        const char* name;
    };
    void* add(const Variable& variable, std::size_t alignment);

    std::vector<unsigned char> memory_;
    std::vector<Variable> variables_;  // as they lie; the first is the dynamic one
    std::size_t end_ = 0, bytes_ = 0;
    unsigned char pattern_ = 0;
};

}  // namespace moesim::shim
