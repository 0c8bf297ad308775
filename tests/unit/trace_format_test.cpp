// Recorded routings: a sample of each format with the ids that it holds, and what is written reads back.
#include <filesystem>
#include <sstream>

#include "base/error.hpp"
#include "config/trace/alltoallv.hpp"
#include "config/trace/base64.hpp"
#include "config/trace/read_trace.hpp"
#include "config/trace/write_trace.hpp"
#include "support/catch.hpp"
#include "support/trace_files.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

using Ids = std::vector<ExpertIndex>;

RoutingTrace read(const std::string& bytes, const TraceOptions& options = {}) {
    return std::get<RoutingTrace>(parse_trace(bytes, "f", options));
}

TraceOptions shape(std::size_t layers, std::size_t top_k) {
    TraceOptions options;
    options.layers = layers;
    options.top_k = top_k;
    return options;
}

// Two tokens, two layers, two experts; the last place is empty.
const RoutingTrace sample{"f", 2, 2, 2, 7, {0, 1, 2, 3, 4, 5, 6, no_expert}, {0}};
const std::vector<std::int64_t> sample_ids = {0, 1, 2, 3, 4, 5, 6, -1};

template <class Write>
std::string written(const Write& write, const RoutingTrace& trace) {
    std::ostringstream out;
    write(out, trace);
    return out.str();
}

}  // namespace

TEST_CASE("a .npy of routings, of any width and sign", "[trace-format]") {
    for (const std::size_t width : {std::size_t{1}, std::size_t{2}, std::size_t{4}, std::size_t{8}}) {
        CHECK(read(npy_array("<i" + std::to_string(width), "(2, 2, 2)", elements(sample_ids, width))) == sample);
        const RoutingTrace plain{"f", 1, 1, 2, 201, {200, 7}, {0}};
        CHECK(read(npy_array("<u" + std::to_string(width), "(1, 1, 2)", elements({200, 7}, width))) == plain);
    }
    CHECK(read(npy_array("|i1", "(2, 2, 2)", elements(sample_ids, 1))) == sample);
}

TEST_CASE("a .npy in Fortran order, with a header of another hand", "[trace-format]") {
    // The first index runs fastest: [0][0][0], [1][0][0], [0][1][0], [1][1][0], [0][0][1], ...
    const std::string data = elements({0, 4, 2, 6, 1, 5, 3, -1}, 2);
    CHECK(read(npy_file("{\"shape\":(2,2,2L),\"fortran_order\":True,\"descr\":\"<i2\"}", data)) == sample);
    CHECK(read(npy_file("{'descr': '<i2', 'fortran_order': True, 'shape': (2, 2, 2,)}\n", data, {"\2\0", 2})) ==
          sample);
    CHECK(read(npy_file("{'descr': '<i2', 'fortran_order': True, 'shape': (2, 2, 2), }", data, {"\3\0", 2})) == sample);
}

TEST_CASE("a trace of Megatron-Core", "[trace-format]") {
    // Lines in any order; keys that are not needed; an MTP head after the decoder; layers numbered as they like.
    const std::string text =
        R"({"step": 1, "stage": "pre_dispatch", "block": "decoder", "layer": 3, "rank": 0, "num_tokens": 1, "topk": 2, "top_indices": [[8, 9]], "hs_offset": 0}
{"step": 0, "stage": "pre_dispatch", "block": "mtp", "mtp_idx": 0, "layer": 1, "rank": 1, "num_tokens": 1, "topk": 2, "top_indices": [[6, -1]]}

{"step": 0, "stage": "pre_dispatch", "block": "decoder", "layer": 3, "rank": 1, "num_tokens": 1, "topk": 2, "top_indices": [[4, 5]]}
{"step": 0, "stage": "pre_dispatch", "block": "decoder", "layer": 3, "rank": 0, "num_tokens": 2, "topk": 2, "top_indices": [[0, 1], [10, 11]]}
{"step": 0, "stage": "pre_dispatch", "block": "mtp", "mtp_idx": 0, "layer": 1, "rank": 0, "num_tokens": 2, "topk": 2, "top_indices": [[2, 3], [12, 13]]}
{"step": 1, "stage": "pre_dispatch", "block": "mtp", "mtp_idx": 0, "layer": 1, "rank": 0, "num_tokens": 1, "topk": 2, "top_indices": [[7, 6]]}
)";
    // Tokens: step 0 rank 0 (two), step 0 rank 1, step 1 rank 0.
    const RoutingTrace expected{"f",      4, 2, 2, 14, {0, 1, 2, 3, 10, 11, 12, 13, 4, 5, 6, no_expert, 8, 9, 7, 6},
                                {0, 2, 3}};
    CHECK(read(text) == expected);
}

TEST_CASE("a layer that Megatron-Core records again in a step is of the next micro-batch", "[trace-format]") {
    const auto record = [](int layer, const std::string& ids) {
        return R"({"step": 0, "layer": )" + std::to_string(layer) + R"(, "rank": 0, "num_tokens": 1, "topk": 1, )" +
               R"("top_indices": [[)" + ids + "]]}\n";
    };
    const RoutingTrace expected{"f", 2, 2, 1, 4, {0, 1, 2, 3}, {0, 1}};
    CHECK(read(record(1, "0") + record(2, "1") + record(1, "2") + record(2, "3")) == expected);
}

TEST_CASE("a rank without tokens is no source", "[trace-format]") {
    const RoutingTrace expected{"f", 1, 1, 1, 6, {5}, {0}};
    CHECK(read(R"({"step":0,"layer":0,"rank":0,"num_tokens":0,"topk":1,"top_indices":[]}
{"step":0,"layer":0,"rank":1,"num_tokens":1,"topk":1,"top_indices":[[5]]})") == expected);
}

TEST_CASE("routings in the responses of vLLM", "[trace-format]") {
    // numpy.save of the sample as int16, base64.
    const std::string npy =
        "k05VTVBZAQB2AHsnZGVzY3InOiAnPGkyJywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsIDIsIDIpLCB9ICAgICAgICAgIC"
        "Ag"
        "ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAEAAgADAAQABQAGAP//";
    const std::string choice = R"({"index": 0, "routed_experts": ")" + npy + "\"}";
    CHECK(read(R"({"id": "x", "choices": [)" + choice + "]}") == sample);
    CHECK(read(R"({"routed_experts": ")" + npy + "\"}") == sample);
    RoutingTrace twice = sample;
    twice.tokens = 4;
    twice.choices.insert(twice.choices.end(), sample.choices.begin(), sample.choices.end());
    twice.source_begin = {0, 2};
    const std::string aborted = R"({"choices": [{"routed_experts": null}]})";
    CHECK(read(R"({"id": "x", "choices": [)" + choice + ", " + choice + "]}") == twice);
    CHECK(read("[" + choice + ", " + aborted + ", " + choice + "]") == twice);
    CHECK(read(choice + "\n" + aborted + "\n\n" + choice + "\n") == twice);
    CHECK(read("[\n" + choice + ",\n" + choice + "\n]\n") == twice);
}

TEST_CASE("vLLM's nested arrays: the prompt's tokens open the first choice's", "[trace-format]") {
    const RoutingTrace expected{"f", 4, 1, 2, 8, {0, 1, 2, 3, 4, 5, 6, 7}, {0, 3}};
    CHECK(read(R"({"prompt_routed_experts": [[[0, 1]], [[2, 3]]],
                   "choices": [{"routed_experts": [[[4, 5]]]}, {"routed_experts": [[[6, 7]]]}]})") == expected);
}

TEST_CASE("routings in the responses of SGLang have the shape of the options", "[trace-format]") {
    const std::string flat = R"("routed_experts": "AAAAAAEAAAACAAAAAwAAAAQAAAAFAAAABgAAAP////8=")";
    CHECK(read(R"({"text": "", "meta_info": {)" + flat + "}}", shape(2, 2)) == sample);
    CHECK(read(R"({"choices": [], "sglext": {)" + flat + "}}", shape(2, 2)) == sample);
    const RoutingTrace requests =
        read("[{\"meta_info\": {" + flat + "}}, {\"meta_info\": {" + flat + "}}]", shape(1, 4));
    CHECK(requests.tokens == 4);
    CHECK(requests.source_begin == std::vector<std::size_t>{0, 2});
}

TEST_CASE("logical counts are summed over their steps", "[trace-format]") {
    const auto load = [](const std::string& text) { return std::get<LoadTable>(parse_trace(text, "f", {})).load; };
    const std::vector<double> once = {1, 0, 2.5, 3, 4, 5};
    CHECK(load("[[1, 0, 2.5], [3, 4, 5]]").values() == once);
    CHECK(load(R"({"rank": 0, "logical_count": [[1, 0, 2.5], [3, 4, 5]]})").values() == once);
    const auto steps = load(R"({"logical_count": [[[1, 0, 2], [3, 4, 5]], [[1, 1, 1], [0, 0, 0]]]})");
    CHECK(steps.rows() == 2);
    CHECK(steps.cols() == 3);
    CHECK(steps.values() == std::vector<double>{2, 1, 3, 3, 4, 5});
}

TEST_CASE("comma-separated routings come in any order", "[trace-format]") {
    CHECK(read("token,layer,e0,e1\n1,1,6,-1\n0,0,0,1\n1,0,4,5\n0,1,2,3\n") == sample);
    CHECK(read("token,layer,e0,e1\r\n1,1,6,-1\r\n0,0,0,1\r\n1,0,4,5\r\n0,1,2,3") == sample);
}

TEST_CASE("the user states what a file does not", "[trace-format]") {
    TraceOptions options;
    options.experts = 64;
    CHECK(read("token,layer,e0\n0,0,5\n", options).experts == 64);
    options.format = TraceFormat::csv;
    CHECK_NOTHROW(read("token,layer,e0\n0,0,5\n", options));
    options.format = TraceFormat::npy;
    CHECK_THROWS_AS(read("token,layer,e0\n0,0,5\n", options), InputError);
}

TEST_CASE("what is written reads back", "[trace-format]") {
    RoutingTrace large{"f", 3000, 5, 3, 0, {}, {0, 7, 2500}};
    for (std::size_t i = 0; i < large.tokens * large.layers; ++i)
        for (const std::size_t k : {std::size_t{0}, std::size_t{1}, std::size_t{2}})
            large.choices.push_back(static_cast<ExpertIndex>((i * 7919 + k) % 16384));
    large.experts = 1 + *std::max_element(large.choices.begin(), large.choices.end());
    for (RoutingTrace trace : {sample, large}) {
        CHECK(read(written(write_megatron_trace, trace)) == trace);
        trace.source_begin = {0};  // a .npy does not tell the sources
        CHECK(read(written(write_npy_trace, trace)) == trace);
    }
}

TEST_CASE("a written .npy is as NumPy writes it", "[trace-format]") {
    const std::string bytes = written(write_npy_trace, sample);
    CHECK(bytes.size() == 128 + 16);  // the header is a multiple of 64
    CHECK(bytes.substr(0, 10) == std::string("\x93NUMPY\1\0\x76\0", 10));
    CHECK(bytes.substr(10, 62) == "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 2, 2), }");
    CHECK(bytes.substr(72, 56) == std::string(55, ' ') + "\n");
    RoutingTrace full = sample;
    full.choices.back() = 7;
    CHECK(written(write_npy_trace, full).find("'<u2'") != std::string::npos);
}

TEST_CASE("a written trace of Megatron-Core is one record a rank and layer", "[trace-format]") {
    const RoutingTrace trace{"f", 2, 1, 2, 4, {0, 1, 3, no_expert}, {0, 1}};
    CHECK(
        written(write_megatron_trace, trace) ==
        R"({"step": 0, "stage": "pre_dispatch", "block": "decoder", "layer": 0, "rank": 0, "num_tokens": 1, "topk": 2, "top_indices": [[0, 1]]}
{"step": 0, "stage": "pre_dispatch", "block": "decoder", "layer": 0, "rank": 1, "num_tokens": 1, "topk": 2, "top_indices": [[3, -1]]}
)");
}

TEST_CASE("a traffic matrix of alltoallv_perf", "[trace-format]") {
    Matrix<std::int64_t> bytes(2, 2);
    bytes(0, 1) = 4096;
    bytes(1, 0) = std::int64_t{1} << 40;
    std::ostringstream out;
    write_alltoallv_matrix(out, bytes);
    CHECK(out.str() == "0 4096\n1099511627776 0\n");
    bytes(0, 0) = -1;
    CHECK_THROWS_AS(write_alltoallv_matrix(out, bytes), InternalError);
    CHECK_THROWS_AS(write_alltoallv_matrix(out, Matrix<std::int64_t>(1, 2)), InternalError);
}

TEST_CASE("base64 of every length", "[trace-format]") {
    // RFC 4648, section 10.
    CHECK(decode_base64("", "f").empty());
    CHECK(decode_base64("Zg==", "f") == "f");
    CHECK(decode_base64("Zm8=", "f") == "fo");
    CHECK(decode_base64("Zm9v", "f") == "foo");
    CHECK(decode_base64("Zm9vYmFy", "f") == "foobar");
    std::string bytes;
    for (int i = 0; i < 256; ++i) {
        bytes.push_back(static_cast<char>(i));
        CHECK(decode_base64(base64(bytes), "f") == bytes);
    }
}

TEST_CASE("traces that others recorded", "[trace-format]") {
    const auto data = std::filesystem::path(MOESIM_SOURCE_DIR).parent_path() / "shared/data/routing-traces";
    if (!std::filesystem::exists(data)) {
        WARN("skipped: " << data << " is not there");
        return;
    }
    const auto law = std::get<RoutingTrace>(read_trace(data / "deepseek-ai__ESFT/law_topk.npy", {}));
    CHECK(law.tokens == 8327);
    CHECK(law.layers == 26);
    CHECK(law.top_k == 6);
    CHECK(law.experts == 64);
    const auto gpt = std::get<RoutingTrace>(
        read_trace(data / "AmanPriyanshu__GPT-OSS-MoE-ExpertFingerprinting/gpt-oss-20b_decode_topk.npy", {}));
    CHECK(gpt.tokens == 12651);
    CHECK(gpt.layers == 24);
    CHECK(gpt.top_k == 4);
    CHECK(gpt.experts == 32);
}
