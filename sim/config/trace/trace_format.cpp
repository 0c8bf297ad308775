#include "config/trace/trace_format.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/error.hpp"
#include "config/json_text.hpp"
#include "config/trace/json_lines.hpp"
#include "config/trace/npy.hpp"
#include "config/trace/refuse.hpp"

namespace moesim {
namespace {

constexpr const char* a_trace = "a routing trace: .npy, CSV, or JSON of Megatron-Core, vLLM, SGLang or EPLB";

// Stops at the first key, or the first number outside of an object, that tells the format.
class Probe final : public nlohmann::json_sax<nlohmann::json> {
  public:
    std::optional<TraceFormat> format;

    bool null() override { return true; }
    bool boolean(bool) override { return true; }
    bool number_integer(number_integer_t) override { return number(); }
    bool number_unsigned(number_unsigned_t) override { return number(); }
    bool number_float(number_float_t, const string_t&) override { return number(); }
    bool string(string_t&) override { return true; }
    bool binary(binary_t&) override { return true; }
    bool start_object(std::size_t) override {
        in_object_ = true;
        return true;
    }
    bool start_array(std::size_t) override { return true; }
    bool end_object() override { return true; }
    bool end_array() override { return true; }
    bool key(string_t& k) override {
        constexpr std::pair<std::string_view, TraceFormat> known[] = {{"top_indices", TraceFormat::megatron},
                                                                      {"topk", TraceFormat::megatron},
                                                                      {"logical_count", TraceFormat::eplb},
                                                                      {"routed_experts", TraceFormat::vllm},
                                                                      {"prompt_routed_experts", TraceFormat::vllm},
                                                                      {"choices", TraceFormat::vllm},
                                                                      {"meta_info", TraceFormat::vllm},
                                                                      {"sglext", TraceFormat::vllm}};
        for (const auto& [name, of] : known)
            if (k == name) format = of;
        return !format;
    }
    bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

  private:
    bool number() {
        if (!in_object_) format = TraceFormat::eplb;
        return !format;
    }
    bool in_object_ = false;
};

TraceFormat format_of_json(std::string_view text, const std::string& file) {
    Probe probe;
    nlohmann::json::sax_parse(text, &probe, nlohmann::json::input_format_t::json, false);
    if (probe.format) return *probe.format;
    for_each_document(text, file, [](const auto&, const auto&) {});  // where it is broken, that is the better message
    throw InputError(fmt::format(
        "{}: $: found JSON with none of the keys top_indices, routed_experts and logical_count, expected {}", file,
        a_trace));
}

}  // namespace

void refuse_containers(std::string_view bytes, const std::string& file) {
    using namespace std::string_view_literals;
    constexpr std::pair<std::string_view, std::string_view> kinds[] = {
        {"PK\x03\x04"sv, "a zip archive, such as .npz or PyTorch's .pt"},
        {"\x1f\x8b"sv, "a gzip file"},
        {"BZh"sv, "a bzip2 file"},
        {"\xfd"
         "7zXZ"sv,
         "an xz file"},
        {"\x28\xb5\x2f\xfd"sv, "a Zstandard file"},
        {"\x80\x02"sv, "a Python pickle, which is never unpickled"},
        {"\x80\x03"sv, "a Python pickle, which is never unpickled"},
        {"\x80\x04"sv, "a Python pickle, which is never unpickled"},
        {"\x80\x05"sv, "a Python pickle, which is never unpickled"},
        {"PAR1"sv, "a Parquet file"},
        {"\x89HDF"sv, "an HDF5 file"}};
    if (bytes.find_first_not_of(" \t\r\n") == bytes.npos)
        throw InputError(fmt::format("{}: found an empty file, expected {}", file, a_trace));
    for (const auto& [magic, what] : kinds)
        if (bytes.substr(0, magic.size()) == magic) refuse(file, what, a_trace);
}

TraceFormat format_of(std::string_view bytes, const std::string& file) {
    refuse_containers(bytes, file);
    if (bytes.substr(0, npy_magic.size()) == npy_magic) return TraceFormat::npy;
    const char first = bytes[bytes.find_first_not_of(" \t\r\n")];
    if (first == '{' || first == '[') return format_of_json(bytes, file);
    if (bytes.substr(0, 6) == "token,") return TraceFormat::csv;
    throw InputError(
        fmt::format("{}: found `{}`, expected {}", file, clipped(std::string(bytes.substr(0, 24))), a_trace));
}

}  // namespace moesim
