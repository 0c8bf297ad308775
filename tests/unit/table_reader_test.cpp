// Tables of timed calls, as their tools write them, and what is said of broken ones.
#include "calibrate/tables/read_table.hpp"

#include "base/error.hpp"
#include "calibrate/predict.hpp"
#include "support/catch.hpp"

using namespace moesim;

namespace {

std::string message_of(const std::string& text) {
    try {
        parse_table(text, "table");
    } catch (const InputError& e) {
        return e.what();
    }
    return "no error";
}

const std::string moe_header =
    "framework,version,device,op_name,kernel_source,moe_dtype,num_tokens,hidden_size,inter_size,topk,num_experts,"
    "moe_tp_size,moe_ep_size,distribution,latency\n";

}  // namespace

TEST_CASE("aiconfigurator's table of expert computation", "[tables]") {
    const MeasuredTable t = parse_table(
        moe_header +
            "VLLM,0.14.0,NVIDIA H100 80GB HBM3,moe,vllm_fused_moe,bfloat16,64,4096,14336,2,8,2,4,power_law_1.2,0.5\r\n",
        "table");
    REQUIRE(t.rows.size() == 1);
    CHECK(t.rows[0].line == 2);
    CHECK(t.rows[0].measured.value() == Approx(0.5e-3));
    CHECK(t.rows[0].version == "0.14.0");
    const auto& e = std::get<ExpertRow>(t.rows[0].call);
    CHECK((e.framework == "vllm" && e.tokens == 64 && e.hidden == 4096 && e.inner == 14336 && e.top_k == 2));
    CHECK((e.experts == 8 && e.tensor == 2 && e.ranks == 4 && !e.loads.balanced && e.loads.exponent == 1.2));
    CHECK(kernel_name(e) == "vllm-bf16");
}

TEST_CASE("aiconfigurator's tables of NCCL and of products", "[tables]") {
    const MeasuredTable nccl = parse_table(
        "nccl_dtype,num_gpus,message_size,op_name,kernel_source,latency\nhalf,8,1048576,alltoall,NCCL,25.5\n", "t");
    const auto& n = std::get<NcclRow>(nccl.rows.at(0).call);
    CHECK((n.op == "alltoall" && n.ranks == 8 && n.bytes == Bytes(1048576)));
    CHECK(nccl.rows[0].measured.value() == Approx(25.5e-6));
    const MeasuredTable gemm = parse_table(
        "framework,version,device,op_name,kernel_source,gemm_dtype,m,n,k,latency\nx,1,d,gemm,k,fp8,16,32,64,0.01\n",
        "t");
    const auto& g = std::get<GemmRow>(gemm.rows.at(0).call);
    CHECK((g.m == 16 && g.n == 32 && g.k == 64 && g.dtype == "fp8"));
}

TEST_CASE("DeepEP's tables give a dispatch and a combine a row", "[tables]") {
    const MeasuredTable t = parse_table(
        "node_num,hidden_size,num_token,num_topk,num_experts,dispatch_sms,dispatch_transmit_us,combine_sms,combine_"
        "transmit_us\n"
        "2,7168,128,8,256,20,40.5,24,50\n",
        "t");
    REQUIRE(t.rows.size() == 2);
    const auto& d = std::get<DeepEpRow>(t.rows[0].call);
    const auto& c = std::get<DeepEpRow>(t.rows[1].call);
    CHECK((!d.low_latency && !d.call.combine && d.call.nodes == 2 && d.call.multiprocessors == 20));
    CHECK((c.call.combine && c.call.multiprocessors == 24 && c.call.tokens == 128));
    CHECK(t.rows[0].measured.value() == Approx(40.5e-6));
    CHECK(t.rows[1].measured.value() == Approx(50e-6));
}

TEST_CASE("nccl-tests' output as text", "[tables]") {
    const MeasuredTable t = parse_table(
        "# Collective test starting: alltoall_perf\n"
        "# nccl-tests version 2.17.6 nccl-headers=22703 nccl-library=22703\n"
        "#  Rank  0 Group  0 Pid   1234 on     host device  0 [0x07] NVIDIA H100 80GB HBM3\n"
        "#  Rank  1 Group  0 Pid   1234 on     host device  1 [0x0b] NVIDIA H100 80GB HBM3\n"
        "#       size         count      type   redop    root     time   algbw   busbw  #wrong     time   algbw   "
        "busbw  #wrong\n"
        "#        (B)    (elements)                               (us)  (GB/s)  (GB/s)             (us)  (GB/s)  "
        "(GB/s)\n"
        "           0             0     float    none      -1     0.05    0.00    0.00       0     0.04    0.00    "
        "0.00     N/A\n"
        "     1048576        131072     float    none      -1    25.50   41.12   20.56       0    26.00   40.33   "
        "20.16     N/A\n"
        "# Out of bounds values : 0 OK\n",
        "log");
    REQUIRE(t.rows.size() == 1);
    const auto& n = std::get<NcclRow>(t.rows[0].call);
    CHECK((n.op == "alltoall" && n.ranks == 2 && n.bytes == Bytes(1048576) && n.dtype == "float"));
    CHECK(t.rows[0].measured.value() == Approx(25.5e-6));
    CHECK(t.rows[0].device == "NVIDIA H100 80GB HBM3");
    CHECK(t.rows[0].line == 8);
}

TEST_CASE("nccl-tests' output as JSON", "[tables]") {
    const MeasuredTable t = parse_table(
        R"({"version": 2, "args": ["/opt/build/alltoall_perf", "-g", "2"], "nccl_version": 22703,
            "devices": [{"rank": 0, "device_info": "NVIDIA A100-SXM4-80GB"}, {"rank": 1}],
            "results": [{"size": 4096, "count": 512, "type": "float", "out_of_place": null, "in_place": {"time": 9.5}},
                        {"size": 8192, "count": 1024, "type": "float", "out_of_place": {"time": 10.5, "nwrong": null}}]})",
        "t.json");
    REQUIRE(t.rows.size() == 2);
    CHECK(t.rows[0].measured.value() == Approx(9.5e-6));
    CHECK(t.rows[1].measured.value() == Approx(10.5e-6));
    CHECK(std::get<NcclRow>(t.rows[1].call).ranks == 2);
    CHECK(t.rows[1].version == "nccl-2.27.3");
}

TEST_CASE("the logs of DeepEP's tests", "[tables]") {
    const MeasuredTable normal = parse_table(
        "[config] num_tokens=4096, hidden=7168, num_topk=8\n"
        "[tuning] SMs 24, NVL chunk 4: 300.00 GB/s (NVL)\n"
        "[tuning] Best dispatch (FP8): SMs 24, NVL chunk 8, 320.11 GB/s (NVL), t: 510.25 us\n"
        "[tuning] Best dispatch (BF16): SMs 24, NVL chunk 8, 330.00 GB/s (NVL), t: 900.00 us\n"
        "[tuning] Best combine: SMs 20, NVL chunk 4: 310.00 GB/s (NVL), t: 950.50 us\n",
        "log");
    REQUIRE(normal.rows.size() == 2);
    const auto& d = std::get<DeepEpRow>(normal.rows[0].call);
    CHECK((d.call.tokens == 4096 && d.call.hidden == 7168 && d.call.top_k == 8 && d.call.multiprocessors == 24));
    CHECK(normal.rows[0].measured.value() == Approx(510.25e-6));
    CHECK(std::get<DeepEpRow>(normal.rows[1].call).call.multiprocessors == 20);
    CHECK(normal.rows[1].measured.value() == Approx(950.5e-6));

    const MeasuredTable across = parse_table(
        "[config] num_tokens=4096, hidden=7168, num_topk_groups=2, num_topk=8\n"
        "[tuning] Best dispatch (FP8): SMs 24, NVL chunk 20, RDMA chunk 28: 35 + 1500 us, 43.00 GB/s (RDMA), 80.00 "
        "GB/s (NVL)\n",
        "log");
    CHECK(across.rows.at(0).measured.value() == Approx(1500e-6));
    CHECK(std::get<DeepEpRow>(across.rows[0].call).call.nodes == 2);

    const MeasuredTable low = parse_table(
        "[rank 0] Dispatch bandwidth: 98.00 GB/s, avg_t=77.00 us | Combine bandwidth: 127.00 GB/s, avg_t=114.00 us\n"
        "[rank 9] Dispatch bandwidth: 98.00 GB/s, avg_t=79.00 us | Combine bandwidth: 127.00 GB/s, avg_t=116.00 us\n",
        "log");
    REQUIRE(low.rows.size() == 2);
    const auto& l = std::get<DeepEpRow>(low.rows[0].call);
    CHECK((l.low_latency && l.call.nodes == 2 && l.call.experts == 288 && l.call.tokens == 128));
    CHECK(low.rows[0].measured.value() == Approx(78e-6));
    CHECK(low.rows[1].measured.value() == Approx(115e-6));
}

TEST_CASE("InferSim's and Frontier's grouped products", "[tables]") {
    const MeasuredTable i = parse_table(
        "num_local_experts,hidden_size,intermediate_size,tokens_per_expert,up_proj_us,down_proj_us\n32,7168,2048,64,"
        "700,350\n",
        "t");
    const auto& up = std::get<GroupedGemmRow>(i.rows.at(0).call);
    CHECK((up.groups == 32 && up.m == 64 && up.n == 4096 && up.k == 7168));
    const auto& down = std::get<GroupedGemmRow>(i.rows.at(1).call);
    CHECK((down.n == 7168 && down.k == 2048));
    CHECK(i.rows[1].measured.value() == Approx(350e-6));
    const MeasuredTable f = parse_table(
        "time_stats.moe_expert_up_proj.median,time_stats.moe_expert_down_proj.median,num_tokens,num_experts,router_"
        "topk,"
        "hidden_dim,expert_hidden_dim,num_tensor_parallel_workers\n0.99,0.49,4096,8,2,4096,14336,1\n",
        "t");
    CHECK(std::get<GroupedGemmRow>(f.rows.at(0).call).m == 1024);
}

TEST_CASE("broken tables get their exact message", "[tables]") {
    CHECK(message_of("") == "table: found an empty file, expected a table of timed calls");
    CHECK(message_of("a,b\n1,2\n") ==
          "table: line 1: found `a,b`, expected the columns of a table of aiconfigurator (nccl, moe, DeepEP or gemm), "
          "InferSim or Frontier, or the output of nccl-tests or of DeepEP's tests");
    CHECK(message_of(moe_header) == "table: found no timed call (experts, CSV), expected some");
    const std::string good = "vllm,1,d,moe,k,bfloat16,64,4096,14336,2,8,1,4,";
    CHECK(message_of(moe_header + good + "balanced\n") == "table: line 2: found 14 cells, expected 15, one a column");
    CHECK(message_of(moe_header + good + "balanced,fast\n") ==
          "table: line 2: $.latency: found `fast`, expected a number from 1e-12 to 1000000000000");
    CHECK(message_of(moe_header + "\n" + good + "balanced,nan\n") ==
          "table: line 3: $.latency: found `nan`, expected a number from 1e-12 to 1000000000000");
    CHECK(
        message_of(moe_header + good + "zipf,1\n") ==
        "table: line 2: $.distribution: found `zipf`, expected balanced, uniform or power_law_ALPHA with ALPHA from 0 "
        "to 10, but not 1");
    CHECK(message_of(moe_header + "vllm,1,d,moe,k,bfloat16,64,4096,14336,2,8,1,3,balanced,1\n") ==
          "table: line 2: $.moe_ep_size: found `3`, expected a divisor of the experts");
    CHECK(message_of("num_gpus,num_gpus\n") == "table: line 1: found the column `num_gpus` twice, expected it once");
    CHECK(message_of("num_gpus,op\n") == "table: line 1: found no column `bytes` or `message_size`, expected one");
    CHECK(message_of("num_gpus,\"op\n") ==
          "table: line 1: found a quotation mark that does not end in its line, expected its end");
    CHECK(message_of(R"({"args": ["x_perf"], "results": []})") ==
          "table: $.devices: found nothing, expected an array of 1 to 65536 elements");
    CHECK(message_of("# alltoall_perf\n# size count type redop algbw\n 8 2 float\n") ==
          "table: line 3: found 3 words, expected size, count, type, redop, root and twice time, algbw, busbw, #wrong");
    CHECK(message_of("[tuning] Best dispatch (FP8): SMs 24, t: never us\n") ==
          "table: line 1: $., t: : found `[tuning] Best dispatch (FP8): SMs 24, t: never us`, expected a number there");
}

TEST_CASE("GPUs are told by their names", "[tables]") {
    CHECK(gpu_of("NVIDIA H100 80GB HBM3") == "H100");
    CHECK(gpu_of("NVIDIA A100-SXM4-80GB") == "A100");
    CHECK(gpu_of("h100_sxm") == "H100");
    CHECK(gpu_of("l40s") == "L40S");
    CHECK(gpu_of("NVIDIA GB200") == "GB200");
    CHECK(gpu_of("").empty());
}
