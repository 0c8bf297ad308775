#include "result/workload_report.hpp"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/error.hpp"
#include "result/shrunk.hpp"
#include "result/xml_text.hpp"
#include "support/catch.hpp"

using namespace moesim;

namespace {

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

HeatMap map_of(std::size_t rows, std::size_t cols) {
    HeatMap map{"a caption", "layer", "expert", "load", Matrix<double>(rows, cols), {}, {}};
    for (std::size_t r = 0; r < rows; ++r)
        for (std::size_t c = 0; c < cols; ++c) map.values(r, c) = static_cast<double>(r + c);
    return map;
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
}

// The cells of a text map: what stands between the bars.
std::vector<std::string> cells_of(const std::string& text) {
    std::vector<std::string> cells;
    for (const std::string& line : lines_of(text))
        if (!line.empty() && line.back() == '|') {
            const auto open = line.find(" |");
            cells.push_back(line.substr(open + 2, line.size() - open - 3));
        }
    return cells;
}

std::size_t count(const std::string& text, const std::string& what) {
    std::size_t n = 0;
    for (auto at = text.find(what); at != text.npos; at = text.find(what, at + what.size())) ++n;
    return n;
}

// What is wrong with the tags of a document; empty where each is closed in turn, in one root.
std::string tag_fault(const std::string& xml) {
    std::vector<std::string> open;
    std::size_t roots = 0;
    for (std::size_t at = 0; at < xml.size();) {
        const std::size_t begin = xml.find('<', at);
        const std::string between = xml.substr(at, begin - at);
        if (between.find('>') != between.npos) return "a stray >: " + between;
        for (auto amp = between.find('&'); amp != between.npos; amp = between.find('&', amp + 1))
            if (between.find(';', amp) == between.npos) return "a stray &: " + between;
        if (begin == xml.npos) break;
        const std::size_t end = xml.find('>', begin);
        if (end == xml.npos) return "a tag without an end";
        const std::string tag = xml.substr(begin + 1, end - begin - 1);
        if (count(tag, "\"") % 2 != 0) return "an open quote: " + tag;
        const std::string name = tag.substr(0, tag.find_first_of(" \n"));
        if (tag[0] == '/') {
            if (open.empty() || open.back() != tag.substr(1)) return "closes what is not open: " + tag;
            open.pop_back();
        } else {
            if (open.empty()) ++roots;
            if (tag.back() != '/') open.push_back(name);
        }
        at = end + 1;
    }
    if (!open.empty()) return "left open: " + open.back();
    return roots == 1 ? "" : "not one root";
}

// Layer 0 even over 4 experts, layer 1 with expert 0 after each first choice 0 or 1.
RoutingStatistics two_layers(std::size_t layers = 2) {
    RoutingStatistics s(layers, 4, {.transitions = true});
    const Routing first{1, {0, 1, 2, 2}, {}}, second{1, {0, 0, 1, 3}, {}};
    for (std::size_t l = 0; l < layers; ++l)
        s.add({LayerId(l), l % 2 == 0 ? first : second, l == 0 ? nullptr : l % 2 == 0 ? &second : &first, 4, 0});
    return s;
}

}  // namespace

TEST_CASE("shrinking takes the mean of blocks that cover all") {
    const Shrunk s = shrink(map_of(3, 4).values, 2, 2);
    // Rows 0-1 and 2, columns 0-1 and 2-3: (0 + 1 + 1 + 2) / 4, (2 + 3 + 3 + 4) / 4, (2 + 3) / 2, (4 + 5) / 2.
    CHECK(s.cells.values() == std::vector<double>{1, 3, 2.5, 4.5});
    CHECK(index_label(s.rows_of(0)) == "0-1");
    CHECK(index_label(s.rows_of(1)) == "2");
    CHECK(block_note(s, "cell", "layer", "expert") == "one cell is the mean of up to 2 x 2 cells (layer x expert)");
    CHECK(shrink(map_of(3, 4).values, 3, 9).whole());
    Matrix<double> holes(1, 4, unknown);
    holes(0, 1) = 5;
    const Shrunk h = shrink(holes, 1, 2);
    CHECK(h.cells(0, 0) == 5);
    CHECK(std::isnan(h.cells(0, 1)));
}

TEST_CASE("a text map of ten values uses each character once") {
    // 0 to 9, so a tenth of the scale each: 0.9 wide.
    const auto cells = cells_of(text(map_of(1, 10)));
    CHECK(cells == std::vector<std::string>{" .:-=+*#%@"});
    CHECK(text(map_of(1, 10)).find("'.' 0.9 to 1.8") != std::string::npos);
    HeatMap fixed = map_of(1, 3);
    fixed.low = 0, fixed.high = 20;  // 1 and 2 are below and at a tenth of it
    fixed.values(0, 0) = unknown;
    CHECK(cells_of(text(fixed)) == std::vector<std::string>{"? ."});
    CHECK(text(fixed).find("'?' nothing known") != std::string::npos);
}

TEST_CASE("a text map keeps to its size") {
    for (const auto& [rows, cols] : std::vector<std::pair<std::size_t, std::size_t>>{{1, 1}, {31, 64}, {61, 257}}) {
        const std::string out = text(map_of(rows, cols), {40, 12});
        const auto cells = cells_of(out);
        CHECK(cells.size() == std::min<std::size_t>(rows, 12));
        for (const std::string& line : cells) CHECK(line.size() == std::min<std::size_t>(cols, 40));
        CHECK((out.find("is the mean of up to") != out.npos) == (rows > 12 || cols > 40));
        for (const std::string& line : lines_of(out)) CHECK(line.size() <= 120);
    }
    CHECK(text(map_of(61, 257), {40, 12}).find("up to 6 x 7 cells (layer x expert)") != std::string::npos);
    CHECK(text(map_of(0, 0)).find("no cells") != std::string::npos);
    HeatMap flat = map_of(2, 2);
    flat.values = Matrix<double>(2, 2, 3.0);
    CHECK(text(flat).find("' ' 3\n") != std::string::npos);
}

TEST_CASE("text for XML") {
    CHECK(xml_text("a<b & \"c\">'d'") == "a&lt;b &amp; &quot;c&quot;&gt;&apos;d&apos;");
    CHECK(xml_text("\x01\x1b[2Jü\t") == "??[2Jü\t");
    // Not UTF-8: a lone lead, a lone continuation, an overlong slash, a surrogate, beyond the last plane, U+FFFE.
    CHECK(xml_text("\xc3") == "?");
    CHECK(xml_text("\x80x") == "?x");
    CHECK(xml_text("\xc0\xaf") == "??");
    CHECK(xml_text("\xed\xa0\x80") == "???");
    CHECK(xml_text("\xf4\x90\x80\x80") == "????");
    CHECK(xml_text("\xef\xbf\xbe") == "???");
    CHECK(xml_text("\xf0\x9f\x98\x80") == "\xf0\x9f\x98\x80");
}

TEST_CASE("an SVG is well-formed, whatever the titles") {
    CHECK(tag_fault("<a><b/></a>") == "");
    CHECK(tag_fault("<a><b></a>") != "");
    CHECK(tag_fault("<a>&</a>") != "");
    HeatMap map = map_of(3, 5);
    map.caption = "<script>&\"'\x02";
    map.row_title = "]]>";
    map.column_title = "--><b>";
    map.value_title = "a & b";
    map.values(1, 1) = unknown;
    const std::string out = svg(map);
    CHECK(tag_fault(out) == "");
    CHECK(out.find("<script") == out.npos);
    CHECK(out.find('\x02') == out.npos);
    CHECK(count(out, "<title>") == 1 + 15);
    CHECK(out.find("nothing known") != out.npos);
    CHECK(out.find("<title>]]&gt; 2, --&gt;&lt;b&gt; 4: 6</title>") != out.npos);
    CHECK(count(out, "http") == 1);  // the name of the format, not a reference
    CHECK(out == svg(map));
    CHECK(tag_fault(svg(map_of(0, 0))) == "");
    CHECK(tag_fault(svg(map_of(1, 1))) == "");
}

TEST_CASE("a large SVG is shrunk, a middling one goes without tooltips") {
    const auto cells = [](const std::string& s) { return count(s, "<rect") - 65; };  // background and colour bar
    const std::string full = svg(map_of(64, 64)), middling = svg(map_of(58, 256)), large = svg(map_of(300, 301));
    CHECK(cells(full) == 64 * 64);
    CHECK(count(full, "<title>") == 1 + 64 * 64);
    CHECK(cells(middling) == 58 * 256);
    CHECK(count(middling, "<title>") == 1);
    CHECK(cells(large) == 128 * 128);
    CHECK(large.find("up to 3 x 3 cells") != large.npos);
    CHECK(tag_fault(large) == "");
    CHECK(cells(svg(map_of(1, 5000))) == 384);
    CHECK(cells(svg(map_of(5000, 2))) == 768);
}

TEST_CASE("the table has a line a layer, and few for many layers") {
    const auto few = lines_of(workload_table(two_layers(), "a trace"));
    CHECK(few[0] == "a trace");
    CHECK(few[1] == "  4 tokens, 2 layers, 4 experts");
    CHECK(few[4].substr(0, 4) == "0   ");
    // From 1 1 2 0 to 2 1 0 1: 0 and 1 to 0, 2 to 1 or 3: of ln 2 nats.
    CHECK(few[4].find("       0.693 ") != std::string::npos);
    CHECK(few[5].find("           -           -") != std::string::npos);  // there is no next layer
    CHECK(few[6].substr(0, 5) == "mean ");
    const std::string many = workload_table(two_layers(40), "long");
    CHECK(many.find("(first)") != many.npos);
    CHECK(many.find("(median)") != many.npos);
    CHECK(many.find("39 (worst)") != many.npos);
    CHECK(lines_of(many).size() == 4 + 4 + 1 + 3);
    for (const std::string& line : lines_of(many)) CHECK(line.size() <= 140);
    CHECK(workload_table(LoadTable{"loads.json", Matrix<double>(2, 8, 1.0)}).find("8 experts") != std::string::npos);
    CHECK(workload_table(RoutingStatistics(0, 0), "none").find("no layers") != std::string::npos);
}

TEST_CASE("the document says what the table says") {
    const auto j = workload_json(two_layers(), "a trace", true);
    CHECK(j["schema"] == "moesim.workload-description/1");
    CHECK(j["origin"] == "a trace");
    CHECK(j["group_tokens"] == "batch");
    REQUIRE(j["layers"].size() == 2);
    CHECK(j["layers"][0]["expert_tokens"] == nlohmann::ordered_json({1, 1, 2, 0}));
    CHECK(j["layers"][0]["load_max_over_mean"] == 2.0);
    CHECK(j["layers"][0]["gate_entropy_nats"].is_null());
    CHECK(j["layers"][0]["unique_experts_per_group"] == 3.0);
    REQUIRE(j["transitions"].size() == 1);
    CHECK(j["transitions"][0]["to_layer"] == 1);
    CHECK(j["transitions"][0]["mutual_information_nats"].get<double>() == Approx(std::log(2)));
    CHECK(j["transitions"][0]["mutual_information_of_chance_nats"].get<double>() < std::log(4));
    CHECK(j["transitions"][0]["first_choice_counts"][2] == nlohmann::ordered_json({0, 1, 0, 1}));
    CHECK_FALSE(workload_json(two_layers(), "a trace")["transitions"][0].contains("first_choice_counts"));
    const auto loads = workload_json(LoadTable{"loads.json", Matrix<double>(2, 8, 0.5)});
    CHECK(loads["layers"][1]["load_entropy_share"] == 1.0);
    CHECK(loads["layers"][1]["expert_load"][7] == 0.5);
}

TEST_CASE("the pictures hold loads over the mean and shares of transitions") {
    const RoutingStatistics s = two_layers();
    CHECK(load_heat_map(s).values.values() == std::vector<double>{1, 1, 2, 0, 2, 1, 0, 1});
    const HeatMap t = transition_heat_map(s, LayerId(1));
    CHECK(t.values(0, 0) == 1);
    CHECK(t.values(2, 1) == 0.5);
    CHECK(t.values(2, 3) == 0.5);
    CHECK(std::isnan(t.values(3, 0)));
    CHECK_THROWS_AS(transition_heat_map(s, LayerId(0)), InputError);
    CHECK_THROWS_AS(transition_heat_map(s, LayerId(7)), InputError);
    CHECK(load_heat_map(LoadTable{"loads", Matrix<double>(1, 4, 7.0)}).values(0, 3) == 1);
}
