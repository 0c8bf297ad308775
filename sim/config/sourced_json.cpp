#include "config/sourced_json.hpp"

#include <cmath>

namespace moesim {
namespace {

template <class Read>
auto sourced(const JsonValue& value, Read read) {
    const JsonObject o(value, {"value", "source"});
    auto v = read(o["value"]);
    return Sourced<decltype(v)>{v, o["source"].text()};
}

using Out = nlohmann::ordered_json;
Out with_source(Out value, const std::string& source) { return {{"value", std::move(value)}, {"source", source}}; }

}  // namespace

Sourced<double> sourced_number(const JsonValue& value, double low, double high) {
    return sourced(value, [=](const JsonValue& v) { return v.number(low, high); });
}
Sourced<double> sourced_ratio(const JsonValue& value) { return sourced_number(value, 1e-3, 1); }
Sourced<std::int64_t> sourced_count(const JsonValue& value) {
    return sourced(value, [](const JsonValue& v) { return v.integer(1, 100'000); });
}
Sourced<Seconds> sourced_time(const JsonValue& value) {
    return sourced(value, [](const JsonValue& v) { return Seconds(v.quantity(Dimension::time, 0, 1)); });
}
Sourced<Bytes> sourced_size(const JsonValue& value, double low) {
    return sourced(value,
                   [=](const JsonValue& v) { return Bytes(std::llround(v.quantity(Dimension::bytes, low, 1e15))); });
}
Sourced<BytesPerSecond> sourced_bandwidth(const JsonValue& value) {
    return sourced(value,
                   [](const JsonValue& v) { return BytesPerSecond(v.quantity(Dimension::bandwidth, 1e6, 1e15)); });
}
Sourced<FlopsPerSecond> sourced_flop_rate(const JsonValue& value) {
    return sourced(value,
                   [](const JsonValue& v) { return FlopsPerSecond(v.quantity(Dimension::flop_rate, 1e6, 1e19)); });
}

Out to_json(const Sourced<double>& figure) { return with_source(figure.value, figure.source); }
Out to_json(const Sourced<std::int64_t>& figure) { return with_source(figure.value, figure.source); }
Out to_json(const Sourced<Seconds>& figure) {
    return with_source(format_quantity(figure.value.value(), Dimension::time), figure.source);
}
Out to_json(const Sourced<Bytes>& figure) {
    return with_source(format_quantity(figure.value.as_double(), Dimension::bytes), figure.source);
}
Out to_json(const Sourced<BytesPerSecond>& figure) {
    return with_source(format_quantity(figure.value.value(), Dimension::bandwidth), figure.source);
}
Out to_json(const Sourced<FlopsPerSecond>& figure) {
    return with_source(format_quantity(figure.value.value(), Dimension::flop_rate), figure.source);
}

}  // namespace moesim
