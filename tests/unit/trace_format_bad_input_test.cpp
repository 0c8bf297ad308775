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
        {good.substr(0, 9), "f: found 9 bytes, expected a .npy file, which has 10 or more"},
        {good.substr(0, 30), "f: found the file's end inside a header of 63 bytes, expected all of the header"},
        {good.substr(0, good.size() - 1),
         "f: found 3 bytes after the header, expected 4 for the shape (1, 1, 2) of '<i2'"},
        {good + "x", "f: found 5 bytes after the header, expected 4 for the shape (1, 1, 2) of '<i2'"},
        {npy_file("", "", {"\4\0", 2}), "f: found version 4.0 of the .npy format, expected 1.0, 2.0 or 3.0"},
        {npy_file("", "", {"\1\1", 2}), "f: found version 1.1 of the .npy format, expected 1.0, 2.0 or 3.0"},
        {std::string("\x93NUMPY\2\0\xff\xff\xff\xff", 12),
         "f: found a header of 4294967295 bytes, expected at most 65536"},
        {header(""), "f: header: found its end, expected `{`"},
        {header("no dictionary"), "f: header: found `no dictionary`, expected `{`"},
        {header("{'descr': '<i2', 'fortran_order': False, 'shape': (1, 1, 2)} x"),
         "f: header: found `x`, expected its end"},
        {header("{'descr': '<i2', 'fortran_order': False}"), "f: header: found no 'shape', expected it"},
        {header("{'fortran_order': False, 'shape': (1, 1, 2)}"), "f: header: found no 'descr', expected it"},
        {header("{'descr': '<i2', 'shape': (1, 1, 2)}"), "f: header: found no 'fortran_order', expected it"},
        {header("{'descr': '<i2', 'descr': '<i2'}"), "f: header: found 'descr' twice, expected it once"},
        {header("{'descr': '<i2', 'order': 'C'}"),
         "f: header: found the key 'order', expected 'descr', 'fortran_order' or 'shape'"},
        {header("{'descr': '<i2', 'fortran_order': 0}"), "f: header: found `0}`, expected True or False"},
        {header("{'descr': '<i2', 'shape': (1)}"), "f: header: found `)}`, expected `,`, since (1) is no tuple"},
        {header("{'descr': '<i2', 'shape': ()}"), "f: header: found no dimension, expected 1 to 3"},
        {header("{'descr': '<i2', 'shape': (1, 1, 1, 1)}"), "f: header: found more than 3 dimensions, expected 1 to 3"},
        {header("{'descr': '<i2', 'shape': (-1, 1, 1)}"), "f: header: found `-1, 1, 1)}`, expected a size"},
        {header("{'descr': '<i2', 'shape': (99999999999999999999, 1, 1)}"),
         "f: header: found `99999999999999999999, 1,`, expected a size"},
        {header("{'descr': '<i2"), "f: header: found `'<i2`, expected a type in quotes, such as '<u2'"},
        {header("{'descr': [('a', '<i2')]}"),
         "f: header: found a structured type, expected little-endian integers ('|u1', '<i2', ... '<i8')"},
        {npy_array("|O", "(1, 1, 2)", zeros(4)),
         "f: header: found the type '|O' (Python objects, pickled; they are never unpickled here), expected "
         "little-endian integers ('|u1', '<i2', ... '<i8')"},
        {npy_array("|b1", "(1, 1, 2)", zeros(4)),
         "f: header: found the type '|b1', expected little-endian integers ('|u1', '<i2', ... '<i8')"},
        {npy_array("<f4", "(1, 1, 2)", zeros(4)),
         "f: header: found the type '<f4', expected little-endian integers ('|u1', '<i2', ... '<i8')"},
        {npy_array(">i2", "(1, 1, 2)", zeros(4)),
         "f: header: found the type '>i2' (big-endian), expected little-endian integers ('|u1', '<i2', ... '<i8')"},
        {npy_array("|i2", "(1, 1, 2)", zeros(4)),
         "f: header: found the type '|i2', expected little-endian integers ('|u1', '<i2', ... '<i8')"},
        {npy_array("<i2", "(4611686018427387904, 4611686018427387904, 2)", zeros(4)),
         "f: found 4 bytes after the header, expected more than there can be for the shape (4611686018427387904, "
         "4611686018427387904, 2) of '<i2'"},
        {npy_array("<i2", "(1000000000, 24, 4)", zeros(4)),
         "f: found 4 bytes after the header, expected 192000000000 for the shape (1000000000, 24, 4) of '<i2'"},
        {npy_array("<i2", "(2,)", zeros(4)), "f: found 1 dimensions, expected 3: [tokens][layers][top_k]"},
        {npy_array("<i2", "(0, 24, 4)", ""), "f: found no tokens, expected one or more"},
        {npy_array("<i2", "(1, 0, 4)", ""), "f: found layers = 0, expected 1 to 4096"},
        {npy_array("<i2", "(1, 1, 300)", zeros(600)), "f: found top_k = 300, expected 1 to 256"},
        {npy_array("<i2", "(1, 5000, 1)", zeros(10000)), "f: found layers = 5000, expected 1 to 4096"},
        {npy_array("<i2", "(1, 1, 2)", elements({5, -2}, 2)),
         "f: [0][0][1]: found -2, expected an expert from 0 to 16383, or -1 for none"},
        {npy_array("<u2", "(1, 1, 2)", elements({5, 65535}, 2)),
         "f: [0][0][1]: found 65535, expected an expert from 0 to 16383, or -1 for none"},
        {npy_array("<u8", "(1, 1, 2)", elements({5, -1}, 8)),
         "f: [0][0][1]: found 9223372036854775807 or more, expected an expert from 0 to 16383, or -1 for none"},
        {npy_array("<i2", "(1, 2, 2)", elements({0, 1, 7, 7}, 2)),
         "f: [0][1][1]: found expert 7 for the second time, expected each expert once a token and layer"},
        {npy_array("<i2", "(1, 1, 2)", elements({-1, -1}, 2)),
         "f: found -1 everywhere, expected an expert for one token or more"},
        {good, "f: found layers = 1, expected 2, as the options say", stated(2, {})},
        {good, "f: found top_k = 2, expected 3, as the options say", stated({}, 3)},
        {good, "f: [0][0][1]: found 2, expected an expert from 0 to 1, as the options say, or -1 for none",
         stated({}, {}, 2)},
        {good, "f: found the option experts = 20000, expected 1 to 16384", stated({}, {}, 20000)},
        {good, "f: found the option layers = 0, expected 1 to 4096", stated(0, {})},
    });
}

TEST_CASE("broken traces of Megatron-Core", "[trace-format]") {
    const std::string good = record("0", "1", "1", "2", "[[0, 1]]");
    check({
        {good + "{\"step\": 0,", "f: line 2: $.step: found end of input in column 12, expected string literal"},
        {good + good.substr(0, 30), "f: line 2: $.rank: found end of input in column 31, expected ':'"},
        {good + "[]", "f: line 2: $: found an array, expected an object with step, layer, rank and top_indices"},
        {good + record("-1", "1", "1", "2", "[[0, 1]]"),
         "f: line 2: $.step: found -1, expected an integer from 0 to 9007199254740992"},
        {record("0", "1.5", "1", "2", "[[0, 1]]"),
         "f: line 1: $.layer: found 1.5, expected an integer from 0 to 1048576"},
        {record("0", "1", "2", "2", "[[0, 1]]"),
         "f: line 1: $.top_indices: found an array of 1, expected one of 2, as num_tokens says"},
        {record("0", "1", "1", "2", "[[0, 1, 2]]"),
         "f: line 1: $.top_indices[0]: found an array of 3, expected one of 2 (experts)"},
        {record("0", "1", "2", "2", "[[0, 1], [2]]"),
         "f: line 1: $.top_indices[1]: found an array of 1, expected one of 2 (experts)"},
        {record("0", "1", "1", "2", "[7]"), "f: line 1: $.top_indices[0]: found 7, expected an array of 2 (experts)"},
        {record("0", "1", "1", "2", "null"),
         "f: line 1: $.top_indices: found null, expected an array of 1, as num_tokens says"},
        {record("0", "1", "1", "0", "[[]]"), "f: line 1: $.topk: found 0, expected an integer from 1 to 256"},
        {record("0", "1", "1", "2", "[[0, NaN]]"),
         "f: line 1: $.top_indices[0][1]: found invalid literal; last read: '0, N' in column 84, expected a JSON "
         "value"},
        {record("0", "1", "1", "2", "[[0, 1.0]]"), "f: line 1: $.top_indices[0][1]: found 1.0, expected an integer"},
        {record("0", "1", "1", "2", "[[0, \"1\"]]"),
         R"(f: line 1: $.top_indices[0][1]: found "1", expected an integer)"},
        {record("0", "1", "1", "2", "[[0, -2]]"),
         "f: line 1: $.top_indices[0][1]: found -2, expected an expert from 0 to 16383, or -1 for none"},
        {record("0", "1", "1", "2", "[[0, 16384]]"),
         "f: line 1: $.top_indices[0][1]: found 16384, expected an expert from 0 to 16383, or -1 for none"},
        {record("0", "1", "1", "2", "[[0, 18446744073709551615]]"),
         "f: line 1: $.top_indices[0][1]: found 9223372036854775807 or more, expected an expert from 0 to 16383, or -1 "
         "for none"},
        {record("0", "1", "1", "2", "[[3, 3]]"),
         "f: line 1: $.top_indices[0][1]: found expert 3 for the second time, expected each expert once a token and "
         "layer"},
        {record("0", "1", "1", "2", "[[0, 1]]", ", \"step\": 0"),
         "f: line 1: $.step: found the key twice, expected it once"},
        {record("0", "1", "1", "2", "[[0, 1]]", ", \"block\": 4"), "f: line 1: $.block: found 4, expected a text"},
        {good + record("1", "2", "1", "2", "[[0, 1]]"),
         "f: line 1: $.layer: found no record of decoder layer 2 for step 0, rank 0, expected one, since the file has "
         "this layer elsewhere"},
        {good + record("0", "2", "1", "2", "[[0, 1]]") + good,
         "f: line 3: $.layer: found no record of decoder layer 2 for step 0, micro-batch 1, rank 0, expected one, "
         "since the file has this layer elsewhere"},
        {good + record("0", "2", "2", "2", "[[0, 1], [2, 3]]"),
         "f: line 2: $.num_tokens: found 2, expected 1, as decoder layer 1 has for step 0, rank 0"},
        {good + record("0", "2", "1", "1", "[[0]]"),
         "f: line 2: $.topk: found top_k = 1, expected 2, as before in the file"},
        {record("0", "1", "1", "1", "[[0]]", ", \"stage\": \"a\"") +
             record("0", "1", "1", "1", "[[0]]", ", \"stage\": \"b\""),
         R"(f: line 2: $.stage: found "b", expected "a", as before in the file)"},
        {record("0", "1", "0", "2", "[]"), "f: found no tokens, expected one or more"},
        {good, "f: found layers = 1, expected 2, as the options say", stated(2, {})},
        {good,
         "f: line 1: $.top_indices[0][1]: found 1, expected an expert from 0 to 0, as the options say, or -1 for none",
         stated({}, {}, 1)},
        {"{\"topk\": 2}", "f: line 1: $.step: found nothing, expected an integer from 0 to 9007199254740992"},
    });
}

TEST_CASE("broken responses of vLLM and SGLang", "[trace-format]") {
    const std::string flat = base64(elements({0, 1, 2, 3}, 4));
    const std::string npy = base64(npy_array("<i2", "(1, 1, 2)", elements({0, 1}, 2)));
    check({
        {routed("abc"), "f: $.routed_experts: found 3 characters, expected base64, which has a multiple of 4"},
        {routed("ab*="), "f: $.routed_experts: found '*' at character 2, expected base64"},
        {routed("ab=c"), "f: $.routed_experts: found '=' at character 2, expected base64"},
        {routed("===="), "f: $.routed_experts: found 4 padding characters, expected at most 2 at the end of base64"},
        {routed("abd="),
         "f: $.routed_experts: found bits beyond the last byte, expected base64, which ends with zero bits"},
        {routed(flat),
         "f: $.routed_experts: found ids without their shape, as SGLang gives them, expected the options layers and "
         "top_k beside the file"},
        {routed(flat),
         "f: $.routed_experts: found ids without their shape, as SGLang gives them, expected the options layers and "
         "top_k beside the file",
         stated(1, {})},
        {routed(flat), "f: $.routed_experts: found 16 bytes, expected a multiple of 12: int32, layers = 3, top_k = 1",
         stated(3, 1)},
        {routed(flat), "f: $.routed_experts: found no NumPy magic, expected a .npy file", as(TraceFormat::vllm)},
        {routed(npy), "f: $.routed_experts: found a .npy, expected plain int32, as SGLang gives them",
         as(TraceFormat::sglang)},
        {routed(npy.substr(0, npy.size() - 4)),
         "f: $.routed_experts: found 2 bytes after the header, expected 4 for the shape (1, 1, 2) of '<i2'"},
        {R"({"choices": [{"routed_experts": ")" + base64(npy_array("|O", "(1, 1, 2)", "")) + "\"}]}",
         "f: $.choices[0].routed_experts: header: found the type '|O' (Python objects, pickled; they are never "
         "unpickled here), expected little-endian integers ('|u1', '<i2', ... '<i8')"},
        {"{\"choices\": []}",
         "f: $: found no routed_experts that is not null, expected one; the server needs "
         "--enable-return-routed-experts"},
        {"{\"routed_experts\": null}",
         "f: $: found no routed_experts that is not null, expected one; the server needs "
         "--enable-return-routed-experts"},
        {"{\"routed_experts\": 5}", "f: $.routed_experts: found 5, expected base64 text"},
        {"{\"routed_experts\": [5]}",
         "f: $.routed_experts[0]: found 5, expected arrays [tokens][layers][top_k], none of them empty"},
        {"{\"routed_experts\": [[]]}",
         "f: $.routed_experts[0]: found an array, expected arrays [tokens][layers][top_k], none of them empty"},
        {"{\"routed_experts\": [[[1, 2]], [[3]]]}",
         "f: $.routed_experts[1][0]: found an array of 1, expected one of 2 (experts)"},
        {"{\"routed_experts\": [[[1, 2]], [[3, 4], [5, 6]]]}",
         "f: $.routed_experts[1]: found an array of 2, expected one of 1 (layers)"},
        {routed(npy) + "\n" + "{\"routed_experts\": [[[1]]]}",
         "f: line 2: $.routed_experts: found top_k = 1, expected 2, as before in the file"},
        {routed(npy) + "\n" + "5", "f: line 2: $: found 5, expected a response with routed_experts"},
        {"[" + routed(npy) + ", 5]", "f: $[1]: found 5, expected a response with routed_experts"},
        {"[" + routed(npy), "f: $[1]: found end of input in line 1, column 128, expected ',' or ']'"},
        {routed(base64(elements({0, 0}, 4))),
         "f: $.routed_experts: [0][0][1]: found expert 0 for the second time, expected each expert once a token and "
         "layer",
         stated(1, 2)},
        {routed(base64(elements({0, 16384}, 4))),
         "f: $.routed_experts: [0][0][1]: found 16384, expected an expert from 0 to 16383, or -1 for none",
         stated(1, 2)},
    });
}

TEST_CASE("broken logical counts", "[trace-format]") {
    check({
        {"[[1, 2], [3]]", "f: $[1]: found an array of 1, expected one of 2 (experts)"},
        {"[[1, 2], 3]", "f: $[1]: found 3, expected an array of 2 (experts)"},
        {"[[[1, 2]], [[3]]]", "f: $[1][0]: found an array of 1, expected one of 2 (experts)"},
        {"[[[1, 2]], 5]", "f: $[1]: found 5, expected an array of 1 (layers)"},
        {"[[1, -2]]", "f: $[0][1]: found -2, expected a number from 0 to 1e+18, as the sum over the steps"},
        {"[[1, NaN]]",
         "f: $[0][1]: found invalid literal; last read: '1, N' in line 1, column 6, expected a JSON value"},
        {"[[1, null]]", "f: $[0][1]: found null, expected a number from 0 to 1e+18, as the sum over the steps"},
        {"[[0, 0]]", "f: $: found 0 everywhere, expected a count above 0"},
        {"[1, 2]", "f: $: found an array, expected [layers][experts] or [steps][layers][experts], none of them empty"},
        {"{\"logical_count\": 5}",
         "f: $.logical_count: found 5, expected [layers][experts] or [steps][layers][experts], none of them empty"},
        {"{\"logical_count\": []}",
         "f: $.logical_count: found an array, expected [layers][experts] or [steps][layers][experts], none of them "
         "empty"},
        {"{\"logical_count\": [[]]}",
         "f: $.logical_count: found [1][0] (layers, experts), expected [1][1] to [4096][16384]"},
        {"[[1, 2]]", "f: $: found experts = 2, expected 3, as the options say", stated({}, {}, 3)},
        {"[[1, 2]]", "f: $: found layers = 1, expected 2, as the options say", stated(2, {})},
        {"{}",
         "f: $.logical_count: found nothing, expected [layers][experts] or [steps][layers][experts], none of them "
         "empty",
         as(TraceFormat::eplb)},
    });
}

TEST_CASE("broken comma-separated routings", "[trace-format]") {
    const std::string head = "token,layer,e0,e1\n";
    check({
        {"token,layer\n", "f: line 1: $: found `token,layer`, expected token,layer,e0,... with at most 256 experts"},
        {"token,layer,e1\n",
         "f: line 1: $: found `token,layer,e1`, expected token,layer,e0,... with at most 256 experts"},
        {"token,layer,e0,e2\n",
         "f: line 1: $: found `token,layer,e0,e2`, expected token,layer,e0,... with at most 256 experts"},
        {"layer,token,e0\n",
         "f: line 1: $: found `layer,token,e0`, expected token,layer,e0,... with at most 256 experts",
         as(TraceFormat::csv)},
        {head, "f: found no tokens, expected one or more"},
        {head + "0,0,1\n", "f: line 2: $: found 3 columns, expected 4"},
        {head + "0,0,1,2,3\n", "f: line 2: $: found 5 columns, expected 4"},
        {head + "\n", "f: line 2: $: found 0 columns, expected 4"},
        {head + "0,0,1,x\n", "f: line 2: $.e1: found `x`, expected an integer"},
        {head + "0,0,1, 2\n", "f: line 2: $.e1: found ` 2`, expected an integer"},
        {head + "0,0,1,nan\n", "f: line 2: $.e1: found `nan`, expected an integer"},
        {head + "0,0,1,99999999999999999999\n", "f: line 2: $.e1: found `99999999999999999999`, expected an integer"},
        {head + "-1,0,1,2\n", "f: line 2: $.token: found -1, expected an integer from 0 to 2147483647"},
        {head + "0,4096,1,2\n", "f: line 2: $.layer: found 4096, expected an integer from 0 to 4095"},
        {head + "0,0,1,1\n",
         "f: line 2: $.e1: found expert 1 for the second time, expected each expert once a token and layer"},
        {head + "0,0,1,16384\n", "f: line 2: $.e1: found 16384, expected an expert from 0 to 16383, or -1 for none"},
        {head + "0,0,1,2\n0,0,3,4\n",
         "f: line 3: $.token: found token 0 in layer 0 for the second time, expected it once"},
        {head + "0,0,1,2\n1,1,3,4\n",
         "f: found no row of token 0 in layer 1, expected one for each token up to 1 and layer up to 1"},
        {head + "2000000000,4000,1,2\n",
         "f: found no row of token 0 in layer 0, expected one for each token up to 2000000000 and layer up to 4000"},
        {head + "0,0,1,2\n", "f: found layers = 1, expected 2, as the options say", stated(2, {})},
    });
}

TEST_CASE("files that are no trace", "[trace-format]") {
    check({
        {"",
         "f: found an empty file, expected a routing trace: .npy, CSV, or JSON of Megatron-Core, vLLM, SGLang or EPLB"},
        {" \n",
         "f: found an empty file, expected a routing trace: .npy, CSV, or JSON of Megatron-Core, vLLM, SGLang or EPLB"},
        {"PK\x03\x04rest",
         "f: found a zip archive, such as .npz or PyTorch's .pt, expected a routing trace: .npy, CSV, or JSON of "
         "Megatron-Core, vLLM, SGLang or EPLB"},
        {"\x1f\x8brest",
         "f: found a gzip file, expected a routing trace: .npy, CSV, or JSON of Megatron-Core, vLLM, SGLang or EPLB"},
        {"\x80\x04rest",
         "f: found a Python pickle, which is never unpickled, expected a routing trace: .npy, CSV, or JSON of "
         "Megatron-Core, vLLM, SGLang or EPLB"},
        {"hello",
         "f: found `hello`, expected a routing trace: .npy, CSV, or JSON of Megatron-Core, vLLM, SGLang or EPLB"},
        {"{\"schema\": \"moesim.scenario/1\"}",
         "f: $: found JSON with none of the keys top_indices, routed_experts and logical_count, expected a routing "
         "trace: .npy, CSV, or JSON of Megatron-Core, vLLM, SGLang or EPLB"},
        {"{\"schema\": ", "f: $.schema: found end of input in line 1, column 12, expected '[', '{', or a literal"},
        {"[]",
         "f: $: found JSON with none of the keys top_indices, routed_experts and logical_count, expected a routing "
         "trace: .npy, CSV, or JSON of Megatron-Core, vLLM, SGLang or EPLB"},
        {"PK\x03\x04rest",
         "f: found a zip archive, such as .npz or PyTorch's .pt, expected a routing trace: .npy, CSV, or JSON of "
         "Megatron-Core, vLLM, SGLang or EPLB",
         as(TraceFormat::npy)},
    });
    CHECK_THROWS_WITH(read_trace("/nonexistent/trace.npy", {}),
                      "/nonexistent/trace.npy: cannot open: No such file or directory");
    CHECK_THROWS_WITH(read_trace("/tmp", {}), "/tmp: is a directory, expected a file");
}
