// Broken files of recorded routings, each with the exact message that it gets.
#include "base/error.hpp"
#include "config/trace/read_trace.hpp"
#include "support/catch.hpp"
#include "support/trace_files.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

struct Broken {
    std::string bytes, message;
    TraceOptions options = {};
};

void check(const std::vector<Broken>& table) {
    for (const Broken& b : table) {
        std::string message = "nothing";
        try {
            parse_trace(b.bytes, "f", b.options);
        } catch (const InputError& error) {
            message = error.what();
        }
        CHECK(message == b.message);
    }
}

TraceOptions stated(std::optional<std::size_t> layers, std::optional<std::size_t> top_k,
                    std::optional<std::size_t> experts = {}, TraceFormat format = TraceFormat::by_content) {
    return {format, layers, top_k, experts};
}

TraceOptions as(TraceFormat format) { return stated({}, {}, {}, format); }

// A record of Megatron-Core; `step` and the like as they stand in JSON.
std::string record(const std::string& step, const std::string& layer, const std::string& tokens,
                   const std::string& top_k, const std::string& ids, const std::string& more = "") {
    return R"({"step": )" + step + R"(, "layer": )" + layer + R"(, "rank": 0, "num_tokens": )" + tokens +
           R"(, "topk": )" + top_k + R"(, "top_indices": )" + ids + more + "}\n";
}

std::string routed(const std::string& text) { return R"({"routed_experts": ")" + text + "\"}"; }

std::string zeros(std::size_t n) { return std::string(n, '\0'); }

}  // namespace

TEST_CASE("broken .npy files", "[trace-format]") {
    const std::string good = npy_array("<i2", "(1, 1, 2)", elements({1, 2}, 2));
    const auto header = [](const std::string& text) { return npy_file(text, zeros(4)); };
    check({
        {good.substr(0, 9), ""},
        {good.substr(0, 30), ""},
        {good.substr(0, good.size() - 1), ""},
        {good + "x", ""},
        {npy_file("", "", {"\4\0", 2}), ""},
        {npy_file("", "", {"\1\1", 2}), ""},
        {std::string("\x93NUMPY\2\0\xff\xff\xff\xff", 12), ""},
        {header(""), ""},
        {header("no dictionary"), ""},
        {header("{'descr': '<i2', 'fortran_order': False, 'shape': (1, 1, 2)} x"), ""},
        {header("{'descr': '<i2', 'fortran_order': False}"), ""},
        {header("{'fortran_order': False, 'shape': (1, 1, 2)}"), ""},
        {header("{'descr': '<i2', 'shape': (1, 1, 2)}"), ""},
        {header("{'descr': '<i2', 'descr': '<i2'}"), ""},
        {header("{'descr': '<i2', 'order': 'C'}"), ""},
        {header("{'descr': '<i2', 'fortran_order': 0}"), ""},
        {header("{'descr': '<i2', 'shape': (1)}"), ""},
        {header("{'descr': '<i2', 'shape': ()}"), ""},
        {header("{'descr': '<i2', 'shape': (1, 1, 1, 1)}"), ""},
        {header("{'descr': '<i2', 'shape': (-1, 1, 1)}"), ""},
        {header("{'descr': '<i2', 'shape': (99999999999999999999, 1, 1)}"), ""},
        {header("{'descr': '<i2"), ""},
        {header("{'descr': [('a', '<i2')]}"), ""},
        {npy_array("|O", "(1, 1, 2)", zeros(4)), ""},
        {npy_array("|b1", "(1, 1, 2)", zeros(4)), ""},
        {npy_array("<f4", "(1, 1, 2)", zeros(4)), ""},
        {npy_array(">i2", "(1, 1, 2)", zeros(4)), ""},
        {npy_array("|i2", "(1, 1, 2)", zeros(4)), ""},
        {npy_array("<i2", "(4611686018427387904, 4611686018427387904, 2)", zeros(4)), ""},
        {npy_array("<i2", "(1000000000, 24, 4)", zeros(4)), ""},
        {npy_array("<i2", "(2,)", zeros(4)), ""},
        {npy_array("<i2", "(0, 24, 4)", ""), ""},
        {npy_array("<i2", "(1, 0, 4)", ""), ""},
        {npy_array("<i2", "(1, 1, 300)", zeros(600)), ""},
        {npy_array("<i2", "(1, 5000, 1)", zeros(10000)), ""},
        {npy_array("<i2", "(1, 1, 2)", elements({5, -2}, 2)), ""},
        {npy_array("<u2", "(1, 1, 2)", elements({5, 65535}, 2)), ""},
        {npy_array("<u8", "(1, 1, 2)", elements({5, -1}, 8)), ""},
        {npy_array("<i2", "(1, 2, 2)", elements({0, 1, 7, 7}, 2)), ""},
        {npy_array("<i2", "(1, 1, 2)", elements({-1, -1}, 2)), ""},
        {good, "", stated(2, {})},
        {good, "", stated({}, 3)},
        {good, "", stated({}, {}, 2)},
        {good, "", stated({}, {}, 20000)},
        {good, "", stated(0, {})},
    });
}

TEST_CASE("broken traces of Megatron-Core", "[trace-format]") {
    const std::string good = record("0", "1", "1", "2", "[[0, 1]]");
    check({
        {good + "{\"step\": 0,", ""},
        {good + good.substr(0, 30), ""},
        {good + "[]", ""},
        {good + record("-1", "1", "1", "2", "[[0, 1]]"), ""},
        {record("0", "1.5", "1", "2", "[[0, 1]]"), ""},
        {record("0", "1", "2", "2", "[[0, 1]]"), ""},
        {record("0", "1", "1", "2", "[[0, 1, 2]]"), ""},
        {record("0", "1", "2", "2", "[[0, 1], [2]]"), ""},
        {record("0", "1", "1", "2", "[7]"), ""},
        {record("0", "1", "1", "2", "null"), ""},
        {record("0", "1", "1", "0", "[[]]"), ""},
        {record("0", "1", "1", "2", "[[0, NaN]]"), ""},
        {record("0", "1", "1", "2", "[[0, 1.0]]"), ""},
        {record("0", "1", "1", "2", "[[0, \"1\"]]"), ""},
        {record("0", "1", "1", "2", "[[0, -2]]"), ""},
        {record("0", "1", "1", "2", "[[0, 16384]]"), ""},
        {record("0", "1", "1", "2", "[[0, 18446744073709551615]]"), ""},
        {record("0", "1", "1", "2", "[[3, 3]]"), ""},
        {record("0", "1", "1", "2", "[[0, 1]]", ", \"step\": 0"), ""},
        {record("0", "1", "1", "2", "[[0, 1]]", ", \"block\": 4"), ""},
        {good + record("1", "2", "1", "2", "[[0, 1]]"), ""},
        {good + record("0", "2", "1", "2", "[[0, 1]]") + good, ""},
        {good + record("0", "2", "2", "2", "[[0, 1], [2, 3]]"), ""},
        {good + record("0", "2", "1", "1", "[[0]]"), ""},
        {record("0", "1", "1", "1", "[[0]]", ", \"stage\": \"a\"") +
             record("0", "1", "1", "1", "[[0]]", ", \"stage\": \"b\""),
         ""},
        {record("0", "1", "0", "2", "[]"), ""},
        {good, "", stated(2, {})},
        {good, "", stated({}, {}, 1)},
        {"{\"topk\": 2}", ""},
    });
}

TEST_CASE("broken responses of vLLM and SGLang", "[trace-format]") {
    const std::string flat = base64(elements({0, 1, 2, 3}, 4));
    const std::string npy = base64(npy_array("<i2", "(1, 1, 2)", elements({0, 1}, 2)));
    check({
        {routed("abc"), ""},
        {routed("ab*="), ""},
        {routed("ab=c"), ""},
        {routed("===="), ""},
        {routed("abd="), ""},
        {routed(flat), ""},
        {routed(flat), "", stated(1, {})},
        {routed(flat), "", stated(3, 1)},
        {routed(flat), "", as(TraceFormat::vllm)},
        {routed(npy), "", as(TraceFormat::sglang)},
        {routed(npy.substr(0, npy.size() - 4)), ""},
        {R"({"choices": [{"routed_experts": ")" + base64(npy_array("|O", "(1, 1, 2)", "")) + "\"}]}", ""},
        {"{\"choices\": []}", ""},
        {"{\"routed_experts\": null}", ""},
        {"{\"routed_experts\": 5}", ""},
        {"{\"routed_experts\": [5]}", ""},
        {"{\"routed_experts\": [[]]}", ""},
        {"{\"routed_experts\": [[[1, 2]], [[3]]]}", ""},
        {"{\"routed_experts\": [[[1, 2]], [[3, 4], [5, 6]]]}", ""},
        {routed(npy) + "\n" + "{\"routed_experts\": [[[1]]]}", ""},
        {routed(npy) + "\n" + "5", ""},
        {"[" + routed(npy) + ", 5]", ""},
        {"[" + routed(npy), ""},
        {routed(base64(elements({0, 0}, 4))), "", stated(1, 2)},
        {routed(base64(elements({0, 16384}, 4))), "", stated(1, 2)},
    });
}

TEST_CASE("broken logical counts", "[trace-format]") {
    check({
        {"[[1, 2], [3]]", ""},
        {"[[1, 2], 3]", ""},
        {"[[[1, 2]], [[3]]]", ""},
        {"[[[1, 2]], 5]", ""},
        {"[[1, -2]]", ""},
        {"[[1, NaN]]", ""},
        {"[[1, null]]", ""},
        {"[[0, 0]]", ""},
        {"[1, 2]", ""},
        {"{\"logical_count\": 5}", ""},
        {"{\"logical_count\": []}", ""},
        {"{\"logical_count\": [[]]}", ""},
        {"[[1, 2]]", "", stated({}, {}, 3)},
        {"[[1, 2]]", "", stated(2, {})},
        {"{}", "", as(TraceFormat::eplb)},
    });
}

TEST_CASE("broken comma-separated routings", "[trace-format]") {
    const std::string head = "token,layer,e0,e1\n";
    check({
        {"token,layer\n", ""},
        {"token,layer,e1\n", ""},
        {"token,layer,e0,e2\n", ""},
        {"layer,token,e0\n", "", as(TraceFormat::csv)},
        {head, ""},
        {head + "0,0,1\n", ""},
        {head + "0,0,1,2,3\n", ""},
        {head + "\n", ""},
        {head + "0,0,1,x\n", ""},
        {head + "0,0,1, 2\n", ""},
        {head + "0,0,1,nan\n", ""},
        {head + "0,0,1,99999999999999999999\n", ""},
        {head + "-1,0,1,2\n", ""},
        {head + "0,4096,1,2\n", ""},
        {head + "0,0,1,1\n", ""},
        {head + "0,0,1,16384\n", ""},
        {head + "0,0,1,2\n0,0,3,4\n", ""},
        {head + "0,0,1,2\n1,1,3,4\n", ""},
        {head + "2000000000,4000,1,2\n", ""},
        {head + "0,0,1,2\n", "", stated(2, {})},
    });
}

TEST_CASE("files that are no trace", "[trace-format]") {
    check({
        {"", ""},
        {" \n", ""},
        {"PK\x03\x04rest", ""},
        {"\x1f\x8brest", ""},
        {"\x80\x04rest", ""},
        {"hello", ""},
        {"{\"schema\": \"moesim.scenario/1\"}", ""},
        {"{\"schema\": ", ""},
        {"[]", ""},
        {"PK\x03\x04rest", "", as(TraceFormat::npy)},
    });
    CHECK_THROWS_WITH(read_trace("/nonexistent/trace.npy", {}),
                      "/nonexistent/trace.npy: cannot open: No such file or directory");
    CHECK_THROWS_WITH(read_trace("/tmp", {}), "/tmp: is a directory, expected a file");
}
