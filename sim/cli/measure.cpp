#include "cli/measure.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/machine_lacks.hpp"
#include "calibrate/measure/device_profile.hpp"
#include "calibrate/measure/measure_ranks.hpp"
#include "calibrate/mpi/session.hpp"
#include "calibrate/nccl/measured_gpu.hpp"
#include "calibrate/nccl/nccl_transport.hpp"
#include "calibrate/testbed/expect_topology.hpp"
#include "cli/ending_all.hpp"
#include "cli/output.hpp"
#include "cli/profile_file.hpp"
#include "cli/progress_bar.hpp"
#include "cli/rank_device.hpp"
#include "config/scenario_json.hpp"
#include "topology/fabric.hpp"

namespace moesim {
namespace {

// OpenMPI's mpirun, or another launcher that speaks PMI.
bool under_mpirun() { return std::getenv("OMPI_COMM_WORLD_SIZE") != nullptr || std::getenv("PMI_SIZE") != nullptr; }

class Command {
  public:
    explicit Command(const MeasureCommand& c) : c_(c) {
        options_.quick = c.quick;
        options_.date = c.date;
        options_.name = c.name.value_or("");
        options_.progress = [this](std::string_view phase, double share) {
            if (shows_) bar_.show(phase, share);
        };
        if (c.base) options_.base = load_profile(*c.base);
        if (c.scenario) scenario_ = load_scenario(*c.scenario);
    }

    void alone() {
        expect_outputs();
        on_ = rank_device(c_.backend, 0, 1);
        measure_kernels(this_machine().host, 1);
        measured_.notes.emplace_back(
            "left out  links: one process; under mpirun, a rank a GPU of the scenario's topology, "
            "they are measured as well");
        write({});
    }

    // One rank of several. Rank 0 times the operations while the others keep off the cores, then all time the links.
    void as_rank(MpiSession& session) {
        if (!scenario_)
            throw InputError(
                "SCENARIO: found nothing, expected a scenario under mpirun, since links are held against its "
                "topology");
        Transport& others = session.transport();
        if (const std::size_t gpus = build_fabric(scenario_->topology).ranks(); gpus != others.ranks())
            throw MachineLacks(
                fmt::format("ranks: found {} (of mpirun), expected {}, as many as the scenario's topology has GPUs",
                            others.ranks(), gpus));
        testbed::expect_topology(*scenario_, *c_.scenario);
        const bool first = others.rank() == RankId(0);
        if (first) expect_outputs();
        on_ = rank_device(c_.backend, session.local_rank(), session.local_ranks());
        shows_ = first;
        if (first) measure_kernels(session.host(), session.local_ranks());
        wait_for_first(others);
        if (on_.library) {
            NcclTransport messages(on_.library->nccl(), others, *on_.backend, on_.number);
            ending_all(session, [&] { measure_messages(messages, session); });
        } else {
            measure_messages(others, session);
        }
    }

  private:
    // By whoever writes them: other ranks may be on hosts without that folder.
    void expect_outputs() const {
        expect_writable(c_.out);
        if (c_.samples) expect_writable(*c_.samples);
    }
    void measure_kernels(const std::string& host, std::int64_t ranks_on_host) {
        const KernelGrid grid = scenario_ ? kernel_grid(*scenario_, c_.quick) : default_kernel_grid(c_.quick);
        const MeasuredDevice device = on_.library ? measured_gpu(*on_.library, on_.number, host, c_.date)
                                                  : measured_core(this_machine(), ranks_on_host, c_.date);
        measured_ = measure_device(*on_.backend, device, grid, options_);
    }
    void measure_messages(Transport& transport, const MpiSession& session) {
        const std::string how = fmt::format("Measured on {} ranks{}, {} of them on {}, {}.", transport.ranks(),
                                            on_.library ? " by NCCL " + on_.library->nccl().version() : std::string(),
                                            session.local_ranks(), session.host(), c_.date);
        const auto stream = on_.backend->make_stream();
        RankMeasurement links = measure_links(transport, *scenario_, c_.quick, how, piece_of_work(*stream),
                                              measured_.profile, options_.progress);
        if (transport.rank() != RankId(0)) return;
        measured_.notes.insert(measured_.notes.end(), links.notes.begin(), links.notes.end());
        write(link_samples_csv(links.times));
    }
    // Logits of the scenario's gate: some products on some rows.
    std::function<void()> piece_of_work(kernels::Stream& stream) {
        const auto cases = kernel_cases(kernel_grid(*scenario_, true), 0, 1 << 30);
        const auto gate = std::find_if(cases.begin(), cases.end(), [](const KernelCase& c) {
            return c.operation == KernelOperation::gate_logits &&
                   c.counts[static_cast<std::size_t>(KernelQuantity::flop)] > 1e6;
        });
        return [&stream, call = (gate == cases.end() ? cases.front() : *gate).make(*on_.backend, stream)] {
            call();
            stream.synchronize();
        };
    }
    void write(const std::string& link_samples) {
        bar_.clear();
        PendingFile profile(c_.out, profile_text(measured_.profile, c_.out));
        std::optional<PendingFile> samples;
        if (c_.samples) samples.emplace(*c_.samples, samples_csv(measured_.times) + link_samples);
        profile.commit();
        if (samples) samples->commit();
        print(fmt::format("{}\n\nwritten   {}{}\n", fmt::join(measured_.notes, "\n"), c_.out,
                          c_.samples ? ", " + *c_.samples : ""));
    }

    MeasureCommand c_;
    RankDevice on_;
    MeasureOptions options_;
    std::optional<Scenario> scenario_;
    DeviceMeasurement measured_;
    ProgressBar bar_;
    bool shows_ = true;
};

}  // namespace

void measure_machine(const MeasureCommand& command) {
    Command measuring(command);
    if (!under_mpirun()) {
        measuring.alone();
        return;
    }
    MpiSession session;
    ending_all(session, [&] { measuring.as_rank(session); });
}

}  // namespace moesim
