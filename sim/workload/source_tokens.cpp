#include "workload/source_tokens.hpp"

#include <cmath>
#include <numeric>

#include "base/random.hpp"
#include "workload/purpose.hpp"

namespace moesim {

std::vector<Range> source_tokens(const Scenario& s) {
    const std::int64_t tokens = s.batch.tokens(), data = s.parallelism.data, first = s.batch.first_token;
    std::vector<Range> parts;
    if (s.batch.source_weights.empty() && s.batch.source_spread <= 0) {
        for (std::int64_t d = 0; d < data; ++d) parts.push_back(part_of({first, first + tokens}, data, d));
        return parts;
    }
    std::vector<double> weights = s.batch.source_weights;
    weights.resize(static_cast<std::size_t>(data), 1.0);
    for (std::size_t d = 0; d < weights.size(); ++d)
        weights[d] *=
            std::exp(s.batch.source_spread * RandomStream(stream_key(s.seed, purpose::source_tokens), d).normal());
    const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
    double before = 0;
    for (std::size_t d = 0; d < weights.size(); ++d) {
        before += weights[d];
        const std::int64_t begin = parts.empty() ? first : parts.back().end;
        const bool last = d + 1 == weights.size();
        parts.push_back({begin, first + (last ? tokens : std::llround(static_cast<double>(tokens) * (before / sum)))});
    }
    return parts;
}

}  // namespace moesim
