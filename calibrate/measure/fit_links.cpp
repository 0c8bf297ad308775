#include "calibrate/measure/fit_links.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <set>

#include "calibrate/fit.hpp"
#include "calibrate/measure/link_kinds.hpp"
#include "calibrate/rounding.hpp"
#include "calibrate/validate_table.hpp"
#include "network/transfer_time.hpp"

namespace moesim {
namespace {

constexpr double scale = 0.05;       // fit.hpp
constexpr double tolerance = 0.001;  // transfer_time.hpp
constexpr double doubtful = 0.5;     // p90 of held-out errors above which predictions say little

// A median that is known to a quarter. Single short messages on a machine with more ranks than cores are not, and would
// only tell when the ranks had a core.
bool well_known(const LinkTimes& t) { return (t.timing.high - t.timing.low).value() <= 0.5 * t.timing.median.value(); }

// Whether it is of single bytes over such links.
bool is_single_bytes(const Fabric& fabric, LinkKind kind, const LinkTimes& t) {
    return std::all_of(t.what.transfers.begin(), t.what.transfers.end(), [&](const Transfer& transfer) {
        return transfer.bytes <= Bytes(1) && link_kind(fabric, transfer.from, transfer.to) == kind;
    });
}

// Where a fit starts: the wire's own rate, and what a byte takes more than the wire.
void start(Profile& profile, const Fabric& fabric, LinkKind kind, const std::vector<LinkTimes>& times) {
    LinkProfile& l = links_of(profile, kind);
    l.efficiency.value = 0.7;
    l.half_size.value = Bytes(0);
    l.overhead.value = Seconds(1e-5);
    l.jitter.reset();
    l.residuals.reset();
    l.gap.reset();
    for (const LinkTimes& t : times) {
        if (!t.what.ping_pong || !is_single_bytes(fabric, kind, t)) continue;
        const Transfer& first = t.what.transfers.front();
        const Seconds wire = fabric.latency(fabric.route(first.from, first.to));
        l.overhead.value = Seconds(std::clamp(t.timing.median.value() - wire.value(), 1e-7, 1.0));
    }
}

// What a message more takes: single bytes to n others at once last n - 1 gaps longer than one byte and what the bytes
// take from each other on the links. Nothing where they do not, by a hundredth of one byte's time at least (no clock is
// better), or were not timed.
std::optional<Seconds> gap_of(const Fabric& fabric, const Profile& started, LinkKind kind,
                              const std::vector<LinkTimes>& times) {
    std::optional<Seconds> one, gap;
    Seconds one_predicted;
    for (const LinkTimes& t : times)
        if (t.what.ping_pong && is_single_bytes(fabric, kind, t) && t.timing.median >= one.value_or(Seconds{}))
            one = t.timing.median, one_predicted = predict_links(fabric, started, t.what);
    for (const LinkTimes& t : times)
        if (!t.what.ping_pong && one && is_single_bytes(fabric, kind, t)) {
            const Seconds sharing = predict_links(fabric, started, t.what) - one_predicted;
            gap = (t.timing.median - *one - sharing) * (1 / static_cast<double>(messages_of_one(t.what) - 1));
        }
    return gap && *gap >= 0.01 * *one ? gap : std::nullopt;
}

// What a fit to these times goes on from.
void begin_fit(Profile& profile, const Fabric& fabric, const std::set<LinkKind>& kinds,
               const std::vector<LinkTimes>& times, const std::string& how) {
    for (const LinkKind kind : kinds) start(profile, fabric, kind, times);
    const Profile started = profile;
    for (const LinkKind kind : kinds)
        if (const auto gap = gap_of(fabric, started, kind, times))
            links_of(profile, kind).gap = {Seconds(four_digits(gap->value())),
                                           how + " Single bytes to many ranks at once, against a single one."};
}

std::vector<Sample> samples_of(const Fabric& fabric, const std::vector<LinkTimes>& times) {
    std::vector<Sample> samples;
    samples.reserve(times.size());
    for (const LinkTimes& t : times)
        samples.push_back({[&fabric, &t](const Profile& p) { return predict_links(fabric, p, t.what).value(); },
                           t.timing.median.value()});
    return samples;
}

double error(const Fabric& fabric, const Profile& profile, const LinkTimes& t) {
    return predict_links(fabric, profile, t.what) / t.timing.median - 1;
}

// Of fits that held out a fifth of the shapes at a time: all-to-alls of many ranks take long to predict.
std::vector<double> held_out_errors(const Profile& profile, const Fabric& fabric, const std::set<LinkKind>& kinds,
                                    const std::vector<Figure>& figures, const std::vector<LinkTimes>& times) {
    constexpr std::size_t folds = 5;
    std::map<std::string, std::size_t> place;  // of a shape, in the order in which they were timed
    for (const LinkTimes& t : times) place.try_emplace(t.what.shape, place.size());
    std::vector<double> errors;
    for (std::size_t fold = 0; fold < folds; ++fold) {
        const auto held = [&](const LinkTimes& t) { return place[t.what.shape] % folds == fold; };
        std::vector<LinkTimes> others;
        std::remove_copy_if(times.begin(), times.end(), std::back_inserter(others), held);
        if (others.size() < figures.size()) continue;
        Profile p = profile;
        begin_fit(p, fabric, kinds, others, "");
        fit(p, figures, samples_of(fabric, others), scale);
        for (const LinkTimes& t : times)
            if (held(t)) errors.push_back(error(fabric, p, t));
    }
    return errors;
}

// Quantiles of a single byte's times over their median; empty where none was timed over such links.
std::vector<double> jitter_of(const Fabric& fabric, LinkKind kind, const std::vector<LinkTimes>& times) {
    std::vector<double> ratios;
    for (const LinkTimes& t : times) {
        if (!t.what.ping_pong || !is_single_bytes(fabric, kind, t)) continue;
        for (const Seconds s : t.timing.samples) ratios.push_back(std::min(s / t.timing.median, 1000.0));
    }
    return ratios.empty() ? ratios : twenty_quantiles(std::move(ratios));
}

std::string percent(double share) { return fmt::format("{:.1f}%", 100 * share); }

}  // namespace

Seconds predict_links(const Fabric& fabric, const Profile& profile, const LinkCase& what) {
    const MessageModel messages(fabric, profile);
    if (!what.ping_pong) return transfer_time(fabric, messages, what.transfers, tolerance);
    Seconds both;
    for (const Transfer& t : what.transfers) {
        const Route route = fabric.route(t.from, t.to);
        both += messages.latency(route) + t.bytes / messages.narrowest(route);
    }
    return both * (1 / static_cast<double>(what.transfers.size()));
}

std::vector<std::string> fit_links(Profile& profile, const Fabric& fabric, const std::vector<LinkTimes>& all,
                                   const std::string& how) {
    std::vector<LinkTimes> times;
    std::copy_if(all.begin(), all.end(), std::back_inserter(times), well_known);
    std::set<LinkKind> kinds;
    for (const LinkTimes& t : times)
        for (const Transfer& transfer : t.what.transfers) kinds.insert(link_kind(fabric, transfer.from, transfer.to));
    std::vector<Figure> figures;
    if (!profile.pcie) profile.pcie = profile.nvlink;
    for (const LinkKind kind : kinds)
        for (Figure& f : link_figures(kind)) figures.push_back(std::move(f));
    begin_fit(profile, fabric, kinds, times, how);
    if (times.size() < figures.size()) return {};
    const ErrorSummary held_out = summary(held_out_errors(profile, fabric, kinds, figures, times));
    fit(profile, figures, samples_of(fabric, times), scale);
    std::vector<double> ratios;
    ratios.reserve(times.size());
    for (const LinkTimes& t : times) ratios.push_back(1 / (1 + error(fabric, profile, t)));
    const std::vector<double> residuals = twenty_quantiles(std::move(ratios));
    const std::string worth = fmt::format(
        "{} cases; held-out shapes of messages: median {}, p90 {}, worst {} of {}; measured / predicted from "
        "{} (p5) to {} (p95)",
        times.size(), percent(held_out.median), percent(held_out.p90), percent(held_out.max), held_out.n, residuals[1],
        residuals[19]);
    std::vector<std::string> notes;
    if (times.size() < all.size())
        notes.push_back(
            fmt::format("left out  {} cases of messages, whose median is not known to 25%", all.size() - times.size()));
    for (const LinkKind kind : kinds) {
        LinkProfile& l = links_of(profile, kind);
        const std::string source = fmt::format("{} Fitted to ping-pongs and all-to-alls: {}.", how, worth);
        l.efficiency.source = source;
        l.overhead.source = source;
        l.half_size.source =
            "0: where a class of links has one rate it cannot be told from the overhead, which has it.";
        l.residuals = {residuals, source};
        if (auto jitter = jitter_of(fabric, kind, all); !jitter.empty())
            l.jitter = {std::move(jitter), how + " Ping-pongs of one byte."};
        notes.push_back(fmt::format(
            "fitted    links.{}: efficiency {:.3f}{}, overhead {:.1f} us{}; {}", name(kind), l.efficiency.value,
            l.efficiency.value > 1 ? " (faster than the topology says)" : "", l.overhead.value.value() * 1e6,
            l.gap ? fmt::format(", {:.2f} us between two messages of a rank", l.gap->value.value() * 1e6) : "", worth));
    }
    if (held_out.p90 > doubtful)
        notes.push_back(fmt::format(
            "doubtful  one in ten held-out messages is off by more than {}: other work beside the ranks, or "
            "links that the law does not fit; better by runs of pipelines (calibrate --from)",
            percent(doubtful)));
    return notes;
}

}  // namespace moesim
