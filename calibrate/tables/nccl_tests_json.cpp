#include <fmt/format.h>

#include "base/error.hpp"
#include "calibrate/tables/nccl_tests.hpp"
#include "config/json_object.hpp"
#include "config/json_text.hpp"

namespace moesim {
namespace {

// The documents have many keys that nothing here needs, and other versions have others: they are passed over.
JsonValue member(const JsonValue& value, const char* key) {
    if (!value.present() || !value.json->is_object()) value.fail("an object");
    return value.member(key);
}

// "alltoall" of "/opt/nccl-tests/build/alltoall_perf".
std::string program_of(const JsonValue& args) {
    const auto all = args.elements(1, 10'000);
    const std::string path = all.front().line(4096);
    const std::string name = path.substr(path.rfind('/') + 1);
    const auto end = name.find("_perf");
    if (end == name.npos || end == 0)
        all.front().fail("the path of a program of nccl-tests, such as \"alltoall_perf\"");
    return name.substr(0, end);
}

// 22703 is 2.27.3.
std::string version_of(const JsonValue& value) {
    if (!value.present()) return {};
    const std::int64_t v = value.integer(0, 10'000'000);
    return fmt::format("nccl-{}.{}.{}", v / 10000, v / 100 % 100, v % 100);
}

double time_of(const JsonValue& row) {
    JsonValue call = member(row, "out_of_place");
    if (!call.present() || call.json->is_null()) call = member(row, "in_place");
    JsonValue time = member(call, "time");
    if (!time.present()) time = member(call, "cpu_time");
    return time.number(1e-6, 1e12);
}

}  // namespace

std::vector<MeasuredRow> read_nccl_tests_json(std::string_view text, const std::string& file) {
    const nlohmann::json document = parse_json(text, file);
    const JsonValue root{&document, file, "$"};
    const std::string op = program_of(member(root, "args"));
    const std::string version = version_of(member(root, "nccl_version"));
    JsonValue devices = member(root, "devices");
    if (!devices.present() && member(root, "config").present()) devices = member(member(root, "config"), "devices");
    const auto gpus = devices.elements(1, 1 << 16);
    std::string device;
    if (const JsonValue info = member(gpus.front(), "device_info"); info.present()) device = info.line(1024);
    std::vector<MeasuredRow> rows;
    for (const JsonValue& row : member(root, "results").elements(0, 1'000'000)) {
        const std::int64_t size = member(row, "size").integer(0, std::int64_t{1} << 50);
        if (size == 0) continue;  // nothing is sent
        MeasuredRow& r = rows.emplace_back();
        r.line = rows.size();
        r.device = device;
        r.version = version;
        r.measured = Seconds(time_of(row) * 1e-6);
        r.call = NcclRow{op, member(row, "type").line(), static_cast<std::int64_t>(gpus.size()), Bytes(size)};
    }
    return rows;
}

}  // namespace moesim
