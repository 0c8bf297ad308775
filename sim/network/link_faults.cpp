#include "network/link_faults.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"

namespace moesim {
namespace {

constexpr double never = std::numeric_limits<double>::infinity();

double end_of(const LinkFault& f) { return f.until ? f.until->value() : never; }

// The start of the period that t lies in. Both this and active() go by the same product, so that the two agree on
// which side of a period's start a time lies.
double period_start(const LinkFault& f, double t) {
    const double period = f.flapping->period.value();
    double n = std::floor((t - f.from.value()) / period);
    if (f.from.value() + (n + 1) * period <= t) ++n;
    if (f.from.value() + n * period > t) --n;
    return f.from.value() + n * period;
}

bool active(const LinkFault& f, double t) {
    if (t < f.from.value() || t >= end_of(f)) return false;
    return !f.flapping || t < period_start(f, t) + f.flapping->lasts.value();
}

double next_change_of(const LinkFault& f, double t) {
    if (t < f.from.value()) return f.from.value();
    if (t >= end_of(f)) return never;
    if (!f.flapping) return end_of(f);
    const double start = period_start(f, t), up = start + f.flapping->lasts.value();
    const double next = t < up ? up : start + f.flapping->period.value();
    return std::min(next > t ? next : std::nextafter(t, never), end_of(f));
}

// The link whose name begins as `name` does for the longest, of equals the one that also ends alike, then the first.
const std::string& likest(const std::string& name, const Fabric& fabric) {
    const auto alike = [&](const std::string& link) {
        const auto begin = std::mismatch(name.begin(), name.end(), link.begin(), link.end()).first - name.begin();
        const auto end = std::mismatch(name.rbegin(), name.rend(), link.rbegin(), link.rend()).first - name.rbegin();
        return std::pair(begin, end);
    };
    return std::max_element(fabric.links().begin(), fabric.links().end(),
                            [&](const Link& a, const Link& b) { return alike(a.name) < alike(b.name); })
        ->name;
}

}  // namespace

LinkFaults::LinkFaults(const FaultsSpec& spec, const Fabric& fabric, const std::string& origin) {
    for (std::size_t i = 0; i < spec.links.size(); ++i) {
        const std::string& name = spec.links[i].link;
        const std::size_t before = faults_.size();
        for (std::size_t l = 0; l < fabric.links().size(); ++l) {
            const std::string& link = fabric.links()[l].name;
            if (link == name || link == name + ".up" || link == name + ".down")
                faults_.push_back({LinkId(l), spec.links[i]});
        }
        if (faults_.size() == before)
            throw InputError(
                fmt::format("{}: $.network.faults.links[{}].link: found \"{}\", expected the name of a link of the "
                            "topology, such as \"{}\"",
                            origin, i, name, likest(name, fabric)));
    }
    for (const Fault& f : faults_) links_.push_back(f.link);
    std::sort(links_.begin(), links_.end());
    links_.erase(std::unique(links_.begin(), links_.end()), links_.end());
}

double LinkFaults::left(LinkId link, double t) const {
    double part = 1;
    for (const Fault& f : faults_)
        if (f.link == link && active(f.of, t)) part *= f.of.capacity;
    return part;
}

double LinkFaults::next_change(double t) const {
    double next = never;
    for (const Fault& f : faults_) next = std::min(next, next_change_of(f.of, t));
    return next;
}

}  // namespace moesim
