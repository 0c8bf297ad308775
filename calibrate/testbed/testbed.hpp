#pragma once
// A cluster on one machine: network namespaces for hosts, bridges for switches, shaped cables between them.
#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "calibrate/testbed/build.hpp"
#include "calibrate/testbed/document.hpp"

namespace moesim::testbed {

struct Request {
    std::string topology;  // a file
    std::filesystem::path root = default_root;
    std::string name = "testbed";
    Settings settings;
    std::map<std::size_t, double> cpus;  // cores that a rank gets, by rank
    std::optional<double> cpus_of_all;   // that each gets which is not among these
    bool force = false;                  // even where the CPU has no room for full links
};

// The part of all cores that links may need at most were all of them full both ways, which no exchange makes them.
inline constexpr double most_cpu_of_links = 0.75;

// Builds it and gives back its document. Nothing is left where it throws, nor where SIGINT, SIGTERM or SIGHUP end the
// process meanwhile. Throws InputError for topologies that cannot be built so, and Error (machine_lacks) without the
// rights or programs, or where the CPU is too slow for the rates.
nlohmann::ordered_json up(const Request& request, Machine& machine);

// Removes one, whole or not, with all processes on its hosts.
void down(const std::filesystem::path& root, const std::string& name, Machine& machine);

// Throws InputError where there is none, or one that was not finished.
nlohmann::ordered_json document_of(const std::filesystem::path& root, const std::string& name);

// Becomes mpirun, with `command` on the first `ranks` hosts (0: on all). Throws where that cannot be.
[[noreturn]] void run(const nlohmann::ordered_json& document, std::size_t ranks,
                      const std::vector<std::string>& command);

}  // namespace moesim::testbed
