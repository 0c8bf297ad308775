// Placements as documents: ours and those of others.
#include <fmt/format.h>

#include "base/error.hpp"
#include "config/json_text.hpp"
#include "config/placement_formats/read_placement.hpp"
#include "config/placement_formats/write_placement.hpp"
#include "placement/document.hpp"
#include "support/catch.hpp"
#include "support/placements.hpp"
#include "support/program.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

using Layers = std::vector<std::vector<std::vector<std::uint32_t>>>;  // [layer][position][slot]

constexpr std::array formats = {PlacementFormat::moesim, PlacementFormat::eplb, PlacementFormat::sglang,
                                PlacementFormat::vllm_ascend};

ReadPlacement read_text(const std::string& text, std::optional<std::size_t> positions = {}) {
    return read_placement(parse_json(text, "in.json"), "in.json", "$", positions);
}

PlacementDocument small() {
    PlacementDocument d;
    d.name = "small";
    d.experts = 3;
    d.positions = 2;
    d.layers = {{{2, 0}, {0, 1}}, {{1, 1}, {0, 2}}};
    return d;
}

}  // namespace

TEST_CASE("moesim.placement/1 with all that it may say", "[placement-format]") {
    const auto [format, d] = read_text(R"({"schema": "moesim.placement/1", "name": "mine", "source": "a trace",
        "method": "by hand", "objective": {"name": "crossings a token", "value": 0.5, "bound": 0.25},
        "experts": 3, "positions": 2, "layers": [[[2, 0, 2], [1]], [[], [0, 1, 2]]]})");
    CHECK(format == PlacementFormat::moesim);
    CHECK(d.name == "mine");
    CHECK(d.source == "a trace");
    CHECK(d.method == "by hand");
    CHECK(d.objective == PlacementObjective{"crossings a token", 0.5, 0.25});
    CHECK(d.layers == Layers{{{2, 0, 2}, {1}}, {{}, {0, 1, 2}}});
    CHECK(d.copies(0) == 4);
    CHECK(read_text(placement_text(d, PlacementFormat::moesim)).document == d);
    // Expert 2 of the first layer twice on position 0.
    CHECK(to_placement(d) == Placement({{{0}, {1}, {0, 0}}, {{1}, {1}, {1}}}, 2));
}

TEST_CASE("EPLB's maps say the same in three ways", "[placement-format]") {
    // Two GPUs of two slots; layer 0: GPU 0 has experts 2 and 0, GPU 1 has 0 and 1.
    const Layers expected = {{{2, 0}, {0, 1}}, {{1, 1}, {0, 2}}};
    const std::string phy2log = R"("phy2log": [[2, 0, 0, 1], [1, 1, 0, 2]])";
    const std::string log2phy = R"("log2phy": [[[1, 2], [3, -1], [0, -1]], [[2, -1], [0, 1], [3, -1]]])";
    const std::string logcnt = R"("logcnt": [[2, 1, 1], [1, 2, 1]])";
    for (const std::string& text : {phy2log, log2phy, phy2log + "," + log2phy + "," + logcnt, log2phy + "," + logcnt}) {
        const auto [format, d] = read_text("{" + text + "}", 2);
        CHECK(format == PlacementFormat::eplb);
        CHECK(d.name == "in.json");
        CHECK(d.experts == 3);
        CHECK(d.layers == expected);
    }
    CHECK(nlohmann::json::parse(placement_text(small(), PlacementFormat::eplb)) ==
          nlohmann::json::parse("{" + phy2log + "," + log2phy + "," + logcnt + "}"));
}

TEST_CASE("SGLang's map, beside what its recorder leaves", "[placement-format]") {
    const auto [format, d] =
        read_text(R"({"physical_to_logical_map": [[2, 0, 0, 1], [1, 1, 0, 2]], "logical_count": [[1, 2, 3]]})", 2);
    CHECK(format == PlacementFormat::sglang);
    CHECK(d.layers == small().layers);
    CHECK(nlohmann::json::parse(placement_text(small(), PlacementFormat::sglang)) ==
          nlohmann::json::parse(R"({"physical_to_logical_map": [[2, 0, 0, 1], [1, 1, 0, 2]]})"));
}

TEST_CASE("vLLM-Ascend's map", "[placement-format]") {
    const std::string text = R"({"moe_layer_count": 2, "layer_list": [
        {"layer_id": 0, "device_count": 2, "device_list": [{"device_id": 0, "device_expert": [2, 0]},
                                                           {"device_id": 1, "device_expert": [0, 1]}]},
        {"layer_id": 1, "device_count": 2, "device_list": [{"device_id": 0, "device_expert": [1, 1]},
                                                           {"device_id": 1, "device_expert": [0, 2]}]}]})";
    const auto [format, d] = read_text(text);
    CHECK(format == PlacementFormat::vllm_ascend);
    CHECK(d.positions == 2);
    CHECK(d.experts == 3);
    CHECK(d.layers == small().layers);
    CHECK(nlohmann::json::parse(placement_text(small(), PlacementFormat::vllm_ascend)) == nlohmann::json::parse(text));
}

TEST_CASE("a layer is a line", "[placement-format]") {
    CHECK(placement_text(small(), PlacementFormat::moesim) ==
          "{\"schema\": \"moesim.placement/1\",\n \"name\": \"small\",\n \"experts\": 3,\n \"positions\": 2,\n"
          " \"layers\": [\n  [[2,0],[0,1]],\n  [[1,1],[0,2]]\n ]}\n");
}

TEST_CASE("what is written is read back as the same, in every format", "[placement-format]") {
    for (std::uint64_t i = 0; i < 200; ++i) {
        INFO("random_placement(" << i << ")");
        const std::size_t positions = 1 + i % 7, experts = 1 + i % 11;
        const Placement even = random_placement(i, 1 + i % 3, experts, positions, true);
        const PlacementDocument d = to_document(even, "in.json");
        CHECK(to_placement(d) == even);
        for (const PlacementFormat format : formats) {
            const ReadPlacement back = read_text(placement_text(d, format), positions);
            CHECK(back.format == format);
            CHECK(back.document == d);
        }
        const Placement uneven = random_placement(i, 1 + i % 3, experts, positions);
        const PlacementDocument u = to_document(uneven, "uneven");
        CHECK(to_placement(u) == uneven);
        CHECK(read_text(placement_text(u, PlacementFormat::moesim)).document == u);
    }
}

TEST_CASE("a table of slots needs as many at each position", "[placement-format]") {
    PlacementDocument d = small();
    d.layers[1][1].push_back(0);
    CHECK_THROWS_WITH(placement_text(d, PlacementFormat::vllm_ascend),
                      "placement \"small\": found 3 copies at position 1 of layer 1 and 2 at position 0 of layer 0, "
                      "expected equally many everywhere, since the format vllm-ascend has a table of them");
    CHECK(read_text(placement_text(d, PlacementFormat::moesim)).document == d);
}

TEST_CASE("each broken placement gets its exact message", "[placement-format][bad-input]") {
    const auto cases =
        nlohmann::json::parse(slurp(std::filesystem::path(MOESIM_SOURCE_DIR) / "tests/data/bad_placements.json"));
    CHECK(cases.size() >= 40);
    for (const auto& c : cases) {
        INFO(c.at("name"));
        std::optional<std::size_t> positions;
        if (c.contains("positions")) positions = c["positions"].get<std::size_t>();
        std::string message = "no error";
        try {
            read_text(c.at("text").get<std::string>(), positions);
        } catch (const InputError& e) {
            message = e.what();
        }
        CHECK(message == "in.json: " + c.at("message").get<std::string>());
    }
}
