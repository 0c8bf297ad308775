#include "network/library/library_call.hpp"

#include "config/scenario_library.hpp"
#include "network/library/deepep_low_latency_call.hpp"
#include "network/library/deepep_normal_call.hpp"
#include "network/library/nccl_call.hpp"

namespace moesim {
namespace {

template <class Phase>
const Phase& of(const BothWays<Phase>& both, Direction direction) {
    return direction == Direction::dispatch ? both.dispatch : both.combine;
}

}  // namespace

std::unique_ptr<const LibraryCall> make_library_call(const Scenario& s, Direction direction, const RankGrid& grid,
                                                     const Fabric& fabric) {
    const DispatchSpec& d = s.dispatch;
    if (d.library == Library::none || grid.expert() == 1) return nullptr;
    const CollectivesProfile& collectives = s.profile.collectives;
    const Dtype dtype = direction == Direction::dispatch ? d.dtype : d.return_dtype;
    if (d.library == Library::nccl)
        return std::make_unique<NcclLibraryCall>(collectives.nccl.value(), d.algorithm, direction,
                                                 Bytes(s.model.hidden * bytes_of(dtype)), grid, fabric);
    const bool across = groups_span_nodes(s);
    if (d.algorithm == Algorithm::low_latency) {
        // A row that is dispatched has a header of 16 bytes; one that comes back has none.
        const Bytes plain(s.model.hidden * bytes_of(dtype) + (direction == Direction::dispatch ? 16 : 0));
        const Bytes row = dtype == Dtype::fp8 ? low_latency_fp8_row(s.model.hidden) : plain;
        return std::make_unique<DeepEpLowLatencyLibraryCall>(of(collectives.deepep_low_latency.value(), direction),
                                                             DeepEpLowLatencyCall{s.model.experts, row, across});
    }
    const Bytes row = dtype == Dtype::fp8 ? fp8_row(s.model.hidden) : Bytes(2 * s.model.hidden);
    return std::make_unique<DeepEpNormalLibraryCall>(
        of(collectives.deepep_normal.value(), direction),
        DeepEpNormalCall{static_cast<double>(d.multiprocessors), row, across}, fabric);
}

}  // namespace moesim
