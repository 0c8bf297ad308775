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
#include "calibrate/measure/cpu_profile.hpp"
#include "calibrate/measure/measure_ranks.hpp"
#include "calibrate/mpi/session.hpp"
#include "cli/output.hpp"
#include "cli/profile_file.hpp"
#include "cli/progress_bar.hpp"
#include "config/scenario_json.hpp"
#include "kernels/cpu/backend.hpp"

namespace moesim {
namespace {

std::unique_ptr<kernels::Backend> backend_of(const std::string& name) {
    if (name != "cpu")
        throw MachineLacks(fmt::format("--backend {}: this moesim was built without it; \"cpu\" is there", name));
    kernels::CpuOptions options;
    options.threads = 1;  // a rank is one core
    return kernels::make_cpu_backend(options);
}

// OpenMPI's mpirun, or another launcher that speaks PMI.
bool under_mpirun() { return std::getenv("OMPI_COMM_WORLD_SIZE") != nullptr || std::getenv("PMI_SIZE") != nullptr; }

class Command {
  public:
    explicit Command(const MeasureCommand& c) : c_(c), backend_(backend_of(c.backend)) {
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
        measure_kernels();
        measured_.notes.emplace_back(
            "left out  links: one process; under mpirun, a rank a GPU of the scenario's topology, "
            "they are measured as well");
        write({});
    }

    // One rank of several. Rank 0 times the operations while the others keep off the cores, then all time the links.
    void as_rank(Transport& transport, const std::string& host) {
        if (!scenario_)
            throw InputError(
                "SCENARIO: found nothing, expected a scenario under mpirun, since links are held against its "
                "topology");
        const bool first = transport.rank() == RankId(0);
        shows_ = first;
        const auto hosts = transport.gather(std::as_bytes(std::span(host.data(), host.size())));
        if (first) {
            options_.ranks_on_host = std::count(hosts.begin(), hosts.end(), hosts.front());
            measure_kernels();
        }
        wait_for_first(transport);
        const std::string how = fmt::format("Measured on {} ranks, {} of them on {}, {}.", transport.ranks(),
                                            options_.ranks_on_host, host, c_.date);
        const auto stream = backend_->make_stream();
        const auto work = piece_of_work(*stream);
        RankMeasurement links =
            measure_links(transport, *scenario_, c_.quick, how, work, measured_.profile, options_.progress);
        if (!first) return;
        measured_.notes.insert(measured_.notes.end(), links.notes.begin(), links.notes.end());
        write(link_samples_csv(links.times));
    }

  private:
    void measure_kernels() {
        const KernelGrid grid = scenario_ ? kernel_grid(*scenario_, c_.quick) : default_kernel_grid(c_.quick);
        measured_ = measure_cpu(*backend_, this_machine(), grid, options_);
    }
    // Logits of the scenario's gate: some products on some rows.
    std::function<void()> piece_of_work(kernels::Stream& stream) {
        const KernelGrid grid = kernel_grid(*scenario_, true);
        const auto cases = kernel_cases(grid, 0, 1 << 30);
        for (const KernelCase& c : cases)
            if (c.operation == KernelOperation::gate_logits &&
                c.counts[static_cast<std::size_t>(KernelQuantity::flop)] > 1e6)
                return c.make(*backend_, stream);
        return cases.front().make(*backend_, stream);
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
    std::unique_ptr<kernels::Backend> backend_;
    MeasureOptions options_;
    std::optional<Scenario> scenario_;
    CpuMeasurement measured_;
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
    try {
        measuring.as_rank(session.transport(), session.host());
    } catch (const Error& e) {
        // Others would wait for this rank for ever.
        fmt::print(stderr, "moesim: rank {}: {}\n", session.transport().rank().value(), e.what());
        session.abort(static_cast<int>(e.code()));
    }
}

}  // namespace moesim
