#pragma once
// Which figures of which profile are fitted to which timed calls, and which calls are held out.
#include <filesystem>
#include <string>
#include <vector>

#include "calibrate/fit.hpp"

namespace moesim {

struct GroupSample {
    Sample sample;
    std::string call;   // "8 GPUs, 1048576 B"
    std::string share;  // what is held out as a whole: "8 GPUs"
    bool fitted = true;
    bool large = false;  // NCCL from 1 MiB a rank: above the sizes at which single readings scatter
    std::string alike;   // the same for calls that differ in nothing that costs time; empty where none are known
};

struct Group {
    std::string name;     // "NCCL all-to-all, NVLink"
    std::string machine;  // the profile: "a100-sxm"
    std::string fitted_to;
    std::string held_out;
    std::vector<Figure> figures;  // none: the figures are those of another group, and all calls are held out
    std::vector<GroupSample> samples;
    double scale = 0.1;  // see fit()
};

// All groups whose tables are in the folder; empty where there are none. Groups of one machine come in the order in
// which they are to be fitted: later ones build on earlier ones' figures.
std::vector<Group> collective_groups(const std::filesystem::path& measurements);

}  // namespace moesim
