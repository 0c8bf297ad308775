#pragma once

namespace CLI {
class App;
}

namespace moesim {

// `moesim workload`: fit, describe, generate.
void add_workload_command(CLI::App& app);
void add_workload_fit(CLI::App& group);
void add_workload_describe(CLI::App& group);
void add_workload_generate(CLI::App& group);

}  // namespace moesim
