// moesim calibrate --from and validate --table as programs.
#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "calibrate/base_profile.hpp"
#include "calibrate/predict.hpp"
#include "calibrate/tables/read_table.hpp"
#include "support/catch.hpp"
#include "support/expert_kernels.hpp"
#include "support/program.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

const std::string header =
    "device,framework,version,moe_dtype,num_tokens,hidden,inter,topk,num_experts,moe_tp,moe_ep,distribution,latency_"
    "ms\n";

// Times of a kernel of round figures near those of an H100, for two model shapes.
std::string made_up_table() {
    ExpertKernel k = round_kernel();
    k.tiles.value = {{{}, {}, {}, {}, 64, 128, 128, 32}};
    k.dtype = Dtype::fp8;
    k.launch.value = Seconds(30e-6), k.step.value = Seconds(1e-7), k.far_step.value = Seconds(3e-7);
    k.tile_rate.value = FlopsPerSecond(9e14), k.row_rate.value = FlopsPerSecond(2e15);
    k.weight_rate.value = BytesPerSecond(2.9e12), k.element_rate.value = BytesPerSecond(2e12);
    k.cache.value = Bytes(25'000'000), k.cache_gain.value = 0.5, k.overlap.value = 2, k.slowdown.value = 0.1;
    k.slowdown_time.value = Seconds(3e-3), k.choice_time.value = Seconds(1e-9), k.work_overlap.value = 2;
    k.element_slowdown.value = 0.05, k.element_span.value = Bytes(500'000'000);
    std::string text = header;
    for (const bool wide : {false, true})
        for (const std::int64_t ranks : {1, 4, 8})
            for (const std::int64_t tokens : {1, 16, 64, 256, 1024, 4096, 16384}) {
                ExpertRow r;
                r.op = "moe", r.tokens = tokens, r.top_k = wide ? 2 : 8, r.experts = wide ? 8 : 64, r.ranks = ranks;
                r.hidden = wide ? 4096 : 2048, r.inner = wide ? 14336 : 1024;
                const double s =
                    predict_experts(k, r,
                                    std::vector<std::int64_t>(static_cast<std::size_t>(r.experts / ranks),
                                                              std::max<std::int64_t>(1, tokens * r.top_k / r.experts)))
                        .value();
                text += fmt::format("NVIDIA H100,vllm,0.14.0,fp8_block,{},{},{},{},{},1,{},balanced,{}\n", tokens,
                                    r.hidden, r.inner, r.top_k, r.experts, ranks, s * 1e3);
            }
    return text;
}

}  // namespace

TEST_CASE("a profile is fitted to a table and held against it", "[calibrate]") {
    const Folder folder;
    const std::string table = folder.write("moe.csv", made_up_table()).string();
    const std::string profile = (folder.path() / "profile.json").string();
    const auto fitted = run_process({"calibrate", "--from", table, "-o", profile, "--date", "2026-11-23"});
    INFO(fitted.err);
    REQUIRE(fitted.exit_code == 0);
    CHECK(fitted.out.find("16 figures fitted to 42 calls") != std::string::npos);
    const auto written = nlohmann::json::parse(slurp(profile));
    CHECK(written["experts"]["stage"]["fp8"] == "vllm-fp8");
    const auto& kernel = written["experts"]["kernels"].back();
    CHECK(kernel["name"] == "vllm-fp8");
    CHECK(kernel["fit"]["rows"] == 42);
    CHECK(kernel["fit"]["held_out"] == 42);
    CHECK(kernel["fit"]["date"] == "2026-11-23");
    CHECK(kernel["fit"]["residuals"].size() == 21);

    const auto held = run_process({"validate", "--table", table, "--profile", profile, "--json"});
    REQUIRE(held.exit_code == 0);
    const auto report = nlohmann::json::parse(held.out);
    REQUIRE(report["groups"].size() == 3);
    std::size_t n = 0;
    for (const auto& g : report["groups"]) {
        CHECK(g["op"] == "experts.vllm");
        CHECK(g["median_ape"] <= 0.05);
        CHECK(g["skipped"] == 0);
        n += g["n"].get<std::size_t>();
    }
    CHECK(n == 42);
}

TEST_CASE("what cannot be predicted is counted with the reason, and bounds are held", "[calibrate]") {
    const Folder folder;
    const std::string profile = std::string(MOESIM_SOURCE_DIR) + "/topologies/profiles/h100-sxm.json";
    const std::string table =
        folder
            .write("nccl.csv",
                   "system,op,dtype,num_gpus,bytes,latency_us\nh100_sxm,alltoall,half,8,1048576,1\n"
                   "h100_sxm,all_gather,half,8,1024,9\na100_sxm,alltoall,half,8,1048576,30\n")
            .string();
    const auto held = run_process({"validate", "--table", table, "--profile", profile, "--json"});
    REQUIRE(held.exit_code == 0);
    const auto groups = nlohmann::json::parse(held.out)["groups"];
    REQUIRE(groups.size() == 2);
    CHECK(groups[0]["op"] == "nccl.all_gather");
    CHECK(groups[0]["n"] == 0);
    CHECK(groups[0]["median_ape"].is_null());
    CHECK(groups[0]["skipped"] == 1);
    CHECK(groups[0]["skipped_because"][0]["reason"] == "no law for all_gather, only for alltoall");
    CHECK(groups[1]["n"] == 1);
    CHECK(groups[1]["skipped_because"][0]["reason"] == "measured on A100, the profile is of H100");
    CHECK(run_process({"validate", "--table", table, "--profile", profile, "--max-error", "1000"}).exit_code == 0);
    CHECK(run_process({"validate", "--table", table, "--profile", profile, "--max-error", "0.1"}).exit_code == 1);
}

TEST_CASE("bad tables end with 2 and leave no profile", "[calibrate]") {
    const Folder folder;
    const std::string out = (folder.path() / "profile.json").string();
    const std::string broken = folder.write("broken.csv", header + "NVIDIA H100,vllm\n").string();
    const auto r = run_process({"calibrate", "--from", broken, "-o", out});
    CHECK(r.exit_code == 2);
    CHECK(r.err == "moesim: " + broken + ": line 2: found 2 cells, expected 13, one a column\n");
    CHECK_FALSE(std::filesystem::exists(out));
    const std::string two = folder
                                .write("two.csv",
                                       "system,op,dtype,num_gpus,bytes,latency_us\nh100_sxm,alltoall,half,8,1024,9\n"
                                       "a100_sxm,alltoall,half,8,1024,9\n")
                                .string();
    const auto several = run_process({"calibrate", "--from", two, "-o", out});
    CHECK(several.exit_code == 2);
    CHECK(several.err == "moesim: --gpu: found nothing, expected one of those that the tables name: A100, H100\n");
    CHECK(run_process({"calibrate", "--from", two, "--gpu", "H100", "-o", out}).exit_code ==
          2);  // two calls are too few
    CHECK_FALSE(std::filesystem::exists(out));
    // The base says which GPU it is of.
    const std::string base = std::string(MOESIM_SOURCE_DIR) + "/topologies/profiles/a100-sxm.json";
    const auto other = run_process({"calibrate", "--from", two, "--gpu", "H100", "--base", base, "-o", out});
    CHECK(other.exit_code == 2);
    CHECK(other.err == "moesim: --gpu: found \"H100\", expected A100, the GPU of --base\n");
    const auto of_base = run_process({"calibrate", "--from", two, "--base", base, "-o", out});
    CHECK(of_base.err.find("1 calls are too few for 8 figures") != std::string::npos);
    // A copy of a table has nothing new.
    const std::string copy = folder.write("copy.csv", slurp(two)).string();
    CHECK(run_process({"calibrate", "--from", two, copy, "--gpu", "H100", "-o", out}).err ==
          "moesim: --from: " + copy + ": found the very content of " + two + ", expected each measurement once\n");
    // Found before anything is done.
    CHECK(run_process({"calibrate", "--from", "/missing.csv", "-o", "/missing/p.json"}).err ==
          "moesim: /missing/p.json: cannot create: No such file or directory\n");
    const auto nowhere = run_process({"calibrate", "--backend", "cpu", "--quick", "-o", "/missing/p.json"});
    CHECK(nowhere.exit_code == 2);
    CHECK(nowhere.err == "moesim: /missing/p.json: cannot create: No such file or directory\n");
    CHECK_FALSE(std::filesystem::exists(out));
}

TEST_CASE("a row that names no device is of its system", "[calibrate]") {
    const Folder folder;
    const std::string table =
        folder
            .write("nccl.csv",
                   "system,device,op,dtype,num_gpus,bytes,latency_us\n"
                   "h100_sxm,,alltoall,half,8,1024,9\nh100_sxm,NVIDIA A100,alltoall,half,8,1024,9\n")
            .string();
    const auto rows = read_table(table).rows;
    REQUIRE(rows.size() == 2);
    CHECK(rows[0].device == "h100_sxm");
    CHECK(rows[1].device == "NVIDIA A100");
}
