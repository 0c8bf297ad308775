#pragma once
// The busiest link of an exchange, for very many placements of the same experts: what a search asks.
#include <cstdint>
#include <span>
#include <vector>

#include "base/ids.hpp"
#include "base/matrix.hpp"
#include "network/message.hpp"
#include "topology/fabric.hpp"

namespace moesim {

class PlacementLoads {
  public:
    // `bytes`: what each rank sends to each expert, wherever that is.  [rank][expert]
    PlacementLoads(const Fabric& fabric, const MessageModel& messages, const Matrix<double>& bytes);

    // The time that the busiest link takes where expert e lives on rank home[e]: busiest_link_time() of all pairs'
    // messages, in some ranks x experts + links of all routes steps. What stays on a rank takes no link.
    [[nodiscard]] Seconds busiest(std::span<const RankId> home);

  private:
    std::size_t ranks_;
    Matrix<double> to_expert_;                // [expert][rank]
    Matrix<double> to_rank_;                  // [to][from], of the placement under study
    std::vector<std::uint32_t> route_begin_;  // [to * ranks + from]: where its links begin in route_links_
    std::vector<std::uint32_t> route_links_;
    std::vector<double> per_byte_;  // [link] seconds
    std::vector<double> load_;      // [link] bytes
};

}  // namespace moesim
