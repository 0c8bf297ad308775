#include "calibrate/testbed/launch.hpp"

#include <fmt/format.h>

namespace moesim::testbed {

std::string host_file(const Plan& plan) {
    std::string text;
    for (const Host& h : plan.hosts) text += fmt::format("{} slots=1\n", h.name);
    return text;
}

std::string launch_agent(const Plan& plan) {
    std::string groups;
    for (const Host& h : plan.hosts)
        if (h.cpus) groups += fmt::format("  {}) echo $$ >{}/cgroup.procs ;;\n", h.name, h.cpu_group);
    if (!groups.empty()) groups = "case $host in\n" + groups + "esac\n";
    return fmt::format(
        "#!/bin/sh\n"
        "# agent HOST COMMAND...: runs a shell's command line on a host of the testbed\n"
        "set -e\n"
        "host=$1\n"
        "shift\n"
        "{}"
        "exec nsenter --net=/run/netns/moesim-{}-\"$host\" unshare --uts sh -c 'hostname \"$0\" && exec sh -c \"$*\"' "
        "\"$host\" \"$@\"\n",
        groups, plan.name);
}

std::vector<std::string> mpirun_arguments(const Plan& plan, const std::filesystem::path& folder) {
    const std::string eager = fmt::format("{}", plan.settings.eager.value());
    std::vector<std::string> all = {"mpirun", "--allow-run-as-root", "--bind-to",     "none", "--map-by",
                                    "slot",   "--hostfile",          folder / "hosts"};
    const auto set = [&](const std::string& key, const std::string& value) {
        all.insert(all.end(), {"--mca", key, value});
    };
    set("plm", "rsh");
    set("plm_rsh_agent", folder / "agent");
    set("plm_rsh_no_tree_spawn", "1");  // a host cannot enter another one's namespace by that one's name
    set("oob_tcp_if_include", plan.nets.at(1));
    set("orte_tmpdir_base", folder / "tmp");
    set("opal_if_do_not_resolve", "1");  // there are no name servers
    set("pml", "ob1");
    set("btl", "self,tcp");
    set("btl_tcp_if_include", plan.nets.at(0));
    // A message goes at once and whole, as the simulator's do: above this size sender and receiver first agree, and
    // the message goes in pieces that wait for MPI calls.
    set("btl_tcp_eager_limit", eager);
    set("btl_tcp_rndv_eager_limit", eager);
    set("btl_tcp_max_send_size", eager);
    set("btl_tcp_free_list_num", "2");  // of buffers of that size, as many at a time
    set("btl_tcp_free_list_inc", "2");
    set("mpi_yield_when_idle", "1");  // there are more ranks than cores
    all.insert(all.end(), {"-x", fmt::format("{}={}", environment_variable, (folder / testbed_document).string())});
    return all;
}

}  // namespace moesim::testbed
