#include "cli/execute.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/file.hpp"
#include "base/machine_lacks.hpp"
#include "calibrate/execute/reference.hpp"
#include "calibrate/execute/work_plan.hpp"
#include "calibrate/nccl/nccl_transport.hpp"
#include "calibrate/testbed/expect_topology.hpp"
#include "cli/ending_all.hpp"
#include "cli/output.hpp"
#include "cli/progress_bar.hpp"
#include "cli/rank_device.hpp"
#include "config/scenario_json.hpp"
#include "kernels/cpu/backend.hpp"
#include "result/trace.hpp"
#include "study/resolve.hpp"

namespace moesim {
namespace {

struct ExecuteArguments {
    ExecuteCommand command;
    std::optional<std::string> out, trace;
    double time_limit = 0;
    bool json = false;
};

bool is_first(const Transport& t) { return t.rank() == RankId(0); }

// What can go wrong before ranks depend on each other. All of them try; where some fail, all end with the exit code of
// the first that did, and rank 0 says why.
template <class Work>
auto together(Transport& transport, const Work& work) -> decltype(work()) {
    std::optional<decltype(work())> made;
    std::string failure;
    ExitCode code = ExitCode::done;
    try {
        made.emplace(work());
    } catch (const Error& e) {
        code = e.code();
        failure = e.what();
    } catch (const std::exception& e) {
        code = ExitCode::own_fault;
        failure = e.what();
    }
    std::string sent(1, static_cast<char>(code));
    sent += failure;
    std::vector<std::string> seen;
    int worst = 0;
    const auto all = transport.gather(std::as_bytes(std::span(sent)));
    for (const std::vector<std::byte>& part : all) {
        const std::string text(reinterpret_cast<const char*>(part.data()), part.size());
        if (text[0] == 0) continue;
        if (worst == 0) worst = std::to_integer<int>(part[0]);
        if (std::find(seen.begin(), seen.end(), text.substr(1)) == seen.end()) seen.push_back(text.substr(1));
    }
    transport.broadcast(std::as_writable_bytes(std::span(&worst, 1)));
    if (worst == 0) return std::move(*made);
    std::string what;
    for (const std::string& s : seen) what += (what.empty() ? "" : "; ") + s;
    throw Error(static_cast<ExitCode>(worst), what);
}

struct Prepared {
    Plan plan;
    RankDevice device;
};

Prepared prepare(const ExecuteCommand& o, const MpiSession& session, const Transport& transport) {
    RankDevice device = rank_device(o.backend, session.local_rank(), session.local_ranks());
    Scenario scenario = load_scenario(o.scenario);
    check_executable(scenario, o.scenario);
    testbed::expect_topology(scenario, o.scenario);
    const auto ranks = static_cast<std::size_t>(scenario.parallelism.ranks());
    if (ranks != transport.ranks())
        throw MachineLacks(fmt::format("{}: found {} started together, expected {}: mpirun -np {} moesim execute ...",
                                       o.scenario, transport.ranks(), ranks, ranks));
    return {resolve(std::move(scenario), o.scenario), std::move(device)};
}

// The work itself, in which ranks depend on each other.
std::optional<Execution> execute_prepared(const ExecuteCommand& o, Prepared& ready, MpiSession& session,
                                          const std::function<void(double)>& progress) {
    ExecuteOptions options = o.execute;
    const RankDevice& on = ready.device;
    const auto executed = [&](Transport& messages) {
        return ending_all(session,
                          [&] { return execute(std::move(ready.plan), messages, *on.backend, options, progress); });
    };
    if (!on.library) return executed(session.transport());
    options.rehearse = true;
    options.keep_tokens = o.check;
    NcclTransport messages(on.library->nccl(), session.transport(), *on.backend, on.number);
    return executed(messages);
}

std::vector<std::string> hosts_of(MpiSession& session) {
    std::vector<std::string> hosts;
    for (const auto& part : session.transport().gather(std::as_bytes(std::span(session.host()))))
        hosts.emplace_back(reinterpret_cast<const char*>(part.data()), part.size());
    return hosts;
}

void write_answer(const ExecuteArguments& o, const Executed& done) {
    const std::string document = to_json(done.run).dump(1) + "\n";
    std::optional<PendingFile> out, trace;
    if (o.out) out.emplace(*o.out, document);
    if (o.trace) trace.emplace(*o.trace, chrome_trace(done.execution.result));
    if (out) out->commit();
    if (trace) trace->commit();
    print(o.json ? document : table(done.run));
}

void execute_and_write(ExecuteArguments o) {
    o.command.execute.at_most = Seconds(o.time_limit);
    MpiSession session(o.command.execute.rank.computing);
    together(session.transport(), [&] {
        const bool writes = is_first(session.transport());
        if (writes && o.out) expect_writable(*o.out);
        if (writes && o.trace) expect_writable(*o.trace);
        return writes;
    });
    const auto done = execute_scenario(o.command, session);
    if (!done) return;
    write_answer(o, *done);
    require_reference(o.command, *done);
}

}  // namespace

std::optional<Executed> execute_scenario(const ExecuteCommand& command, MpiSession& session) {
    Transport& transport = session.transport();
    Prepared ready = together(transport, [&] { return prepare(command, session, transport); });
    const RankDevice& on = ready.device;
    RunFacts facts{std::string(on.backend->name()), on.backend->description(), session.version(), hosts_of(session),
                   "not checked"};
    if (on.library) facts.messages = fmt::format("NCCL {}, ranks by {}", on.library->nccl().version(), facts.messages);
    std::optional<std::uint64_t> expected;
    std::vector<float> expected_tokens;
    ProgressBar bar;
    std::optional<Execution> done;
    ending_all(session, [&] {
        if (command.check && is_first(transport)) {
            if (on.library)
                expected_tokens = reference_tokens(ready.plan, *kernels::make_cpu_backend());
            else
                expected = reference_checksum(ready.plan, *on.backend);
        }
        done = execute_prepared(command, ready, session, [&](double share) { bar.show("executing", share); });
    });
    bar.clear();
    if (!done) return std::nullopt;
    if (expected)
        facts.reference =
            *expected == done->checksum ? "the same as one process computes" : "not what one process computes";
    std::optional<Agreement> agreed;
    if (!expected_tokens.empty()) {
        agreed = agreement(done->result.plan.scenario, expected_tokens, done->tokens);
        facts.reference = said(*agreed);
    }
    MeasuredRun run = summarize(*done, std::move(facts));
    return Executed{std::move(*done), std::move(run), expected, agreed};
}

void require_reference(const ExecuteCommand& command, const Executed& done) {
    if (done.expected && *done.expected != done.execution.checksum)
        throw CheckFailed(fmt::format("{}: found checksum {:016x}, expected {:016x}, which one process computes",
                                      command.scenario, done.execution.checksum, *done.expected));
    if (done.agreement && !done.agreement->within())
        throw CheckFailed(fmt::format("{}: found tokens {}, expected those that one process computes on the CPU",
                                      command.scenario, said(*done.agreement)));
}

void add_execute_command(CLI::App& app, const RankOptions& rank) {
    auto options = std::make_shared<ExecuteArguments>();
    options->command.execute.rank = rank;
    CLI::App* command =
        app.add_subcommand("execute", "Runs a scenario's pipeline for real: mpirun -np RANKS moesim execute SCENARIO");
    command->add_option("SCENARIO", options->command.scenario, "moesim.scenario/1 file")->required();
    command->add_option("-o,--out", options->out, "a file for what was measured (moesim.run/1)");
    command->add_option("--trace", options->trace, "a file for the median run, as a simulation's trace.json has it");
    command->add_option("--backend", options->command.backend, "cpu: a rank a process; cuda: a rank a GPU")
        ->check(CLI::IsMember({"cpu", "cuda"}));
    command->add_option("--repeats", options->command.execute.repeats, "runs that are kept (5)")
        ->check(CLI::Range(1, 10'000));
    command->add_option("--warm-up", options->command.execute.warm_up, "runs before them (1)")
        ->check(CLI::Range(0, 10'000));
    command->add_option("--time-limit", options->time_limit, "seconds after which no other run begins (none)")
        ->check(CLI::Range(0.0, 1e6));
    command->add_flag_callback(
        "--one-thread", [options] { options->command.execute.rank.computing = Computing::between_messages; },
        "computes between messages, for an MPI that allows no threads; its clock is MPI_Wtime");
    command->add_flag("--check", options->command.check,
                      "computes the same in one process on the CPU, and exits with 1 where it differs: by a bit, or on "
                      "GPUs by more than another order of sums explains");
    command->add_flag("--json", options->json, "the document on stdout instead of the table");
    command->callback([options] { execute_and_write(*options); });
}

}  // namespace moesim
