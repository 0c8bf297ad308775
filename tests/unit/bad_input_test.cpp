// Broken scenarios, topologies and profiles, each with the exact message that it gets.
#include <unistd.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.hpp"
#include "config/scenario_json.hpp"
#include "support/catch.hpp"
#include "support/program.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

json read_json(const std::string& path) { return json::parse(slurp(fs::path(MOESIM_SOURCE_DIR) / path)); }

std::string replaced(std::string text, const std::string& from, const std::string& to) {
    for (std::size_t at = 0; (at = text.find(from, at)) != text.npos; at += to.size())
        text.replace(at, from.size(), to);
    return text;
}

// A good scenario, "scenario.json", that names a good topology and a good profile beside it.
struct Inputs {
    std::map<std::string, json> documents = {{"scenario", read_json("scenarios/main/top2-64-experts-32-h100.json")},
                                             {"topology", read_json("topologies/h100-4-nodes.json")},
                                             {"profile", read_json("topologies/profiles/h100-sxm.json")}};
    Inputs() {
        documents["scenario"]["topology"] = "topology.json";
        documents["scenario"]["profile"] = "profile.json";
        documents["scenario"]["model"].erase("expert_kernel");  // messages count the lines of what is left
    }
    // The three texts with what a case does to the one of its kind: "patch" (RFC 6902), then "text" in its place, or
    // "replace" of a piece that occurs once.
    [[nodiscard]] std::map<std::string, std::string> broken(const json& a_case) const {
        const std::string kind = a_case.at("kind");
        auto changed = documents;
        changed[kind] = changed[kind].patch(a_case.value("patch", json::array()));
        changed["profile"] = changed["profile"].patch(a_case.value("profile_patch", json::array()));
        std::map<std::string, std::string> texts;
        for (const auto& [name, document] : changed) texts[name] = document.dump(1);
        if (a_case.contains("text")) texts[kind] = a_case["text"];
        if (a_case.contains("replace")) {
            const std::string from = a_case["replace"][0], to = a_case["replace"][1];
            const std::size_t at = texts[kind].find(from);
            REQUIRE(at != std::string::npos);
            REQUIRE(texts[kind].find(from, at + 1) == std::string::npos);
            texts[kind].replace(at, from.size(), to);
        }
        return texts;
    }
};

std::string message_of(const fs::path& path) {
    try {
        load_scenario(path);
    } catch (const InputError& e) {
        return e.what();
    }
    return "no error";
}

// Message of a scenario file of that text; the rest of the message is after "FILE: ".
std::string message_of_text(const std::string& text) {
    const Folder folder;
    const std::string file = folder.write("scenario.json", text).string(), message = message_of(file);
    REQUIRE(message.rfind(file + ": ", 0) == 0);
    return message.substr(file.size() + 2);
}

}  // namespace

TEST_CASE("the unbroken inputs are good", "[bad-input]") {
    const Folder folder;
    for (const auto& [name, text] : Inputs().broken({{"kind", "scenario"}})) folder.write(name + ".json", text);
    CHECK(message_of(folder.path() / "scenario.json") == "no error");
}

TEST_CASE("each broken input gets its exact message", "[bad-input]") {
    const json cases = read_json("tests/data/bad_inputs.json");
    REQUIRE(cases.size() >= 300);
    const Inputs inputs;
    const Folder folder;
    std::set<std::string> names;
    for (const json& c : cases) {
        const std::string name = c.at("name"), kind = c.at("kind");
        INFO(name);
        CHECK(names.insert(name).second);
        for (const auto& [document, text] : inputs.broken(c)) folder.write(document + ".json", text);
        const std::string file = (folder.path() / (c.value("file", kind) + ".json")).string();
        const std::string expected = file + ": " + replaced(c.at("message"), "{folder}", folder.path().string());
        const std::string scenario = (folder.path() / "scenario.json").string();
        CHECK(message_of(scenario) == expected);
        if (!c.value("program", false)) continue;
        const std::string out = (folder.path() / "out").string();
        const Ended ended = run_process({"run", scenario, "--out", out, "--json"});
        CHECK(ended.exit_code == 2);
        CHECK(ended.err == "moesim: " + expected + "\n");
        CHECK(ended.out.empty());
        CHECK_FALSE(fs::exists(out));
    }
}

TEST_CASE("bytes that are no text are refused, and not repeated on the terminal", "[bad-input]") {
    CHECK(message_of_text("{\"name\": \"\xff\xfe\"}") ==
          "$.name: found invalid string: ill-formed UTF-8 byte; last read: '\"?' in line 1, column 11, expected a JSON "
          "value");
    CHECK(message_of_text("{\"\x1b[31m\": 1}") ==
          "$: found invalid string: control character U+001B (ESC) must be escaped to \\u001B; last read: '\"<U+001B>' "
          "in line 1, column 3, expected string literal");
    CHECK(message_of_text("\xff\xfe{") ==
          "$: found invalid literal; last read: '?' in line 1, column 1, expected a JSON value");
    CHECK(
        message_of_text("\xef\xbb") ==
        "$: found invalid BOM; must be 0xEF 0xBB 0xBF if given; last read: '?\?' in line 1, column 3, expected a JSON "
        "value");
}

TEST_CASE("a zero byte does not end a document", "[bad-input]") {
    CHECK(message_of_text(std::string(4, '\0')) ==
          "$: found a zero byte in line 1, column 1, expected a JSON document");
    const std::string good = Inputs().broken({{"kind", "scenario"}})["scenario"];
    CHECK(message_of_text(good + std::string("\n\0garbage", 9)) ==
          "$: found a zero byte in line 55, column 1, expected a JSON document");
}

TEST_CASE("a byte order mark at the start is no error", "[bad-input]") {
    CHECK(message_of_text("\xef\xbb\xbf{}") == "$.schema: found nothing, expected \"moesim.scenario/1\"");
}

TEST_CASE("long and deep inputs get short messages", "[bad-input]") {
    const std::string million(1'000'000, 'x');
    CHECK(message_of_text("{\"" + million + "\": 1, \"" + million + "\": 2}") ==
          "$[\"" + std::string(76, 'x') + "...]: found the key twice, expected it once");
    CHECK(message_of_text("{\"schema\": \"" + million + "\"}") ==
          "$.schema: found \"" + std::string(76, 'x') + "..., expected \"moesim.scenario/1\"");
    CHECK(message_of_text("{\"schema\": \"" + million).size() < 400);
    CHECK(message_of_text(std::string(1'000'000, '[')).size() < 400);
}

TEST_CASE("a topology without read permission is named with the place that refers to it", "[bad-input]") {
    const Folder folder;
    for (const auto& [name, text] : Inputs().broken({{"kind", "scenario"}})) folder.write(name + ".json", text);
    fs::permissions(folder.path() / "topology.json", fs::perms::none);
    const std::string scenario = (folder.path() / "scenario.json").string();
    Conditions nobody;
    nobody.unprivileged = true;
    const Ended ended = run_process({"run", scenario}, nobody);
    CHECK(ended.exit_code == 2);
    CHECK(ended.err == "moesim: " + scenario + ": $.topology: found \"topology.json\" (" +
                           (folder.path() / "topology.json").string() +
                           ": cannot open: Permission denied), expected a path to a file, relative to this one, or "
                           "the object itself\n");
    CHECK(ended.out.empty());
}
