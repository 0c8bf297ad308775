#include "calibrate/execute/reference.hpp"

#include <numeric>

#include "base/as_size.hpp"
#include "calibrate/execute/attention_layers.hpp"
#include "calibrate/execute/kernel_work.hpp"
#include "calibrate/execute/packed_rows.hpp"
#include "workload/route_stream.hpp"

namespace moesim {
namespace {

// All tokens of the batch in one layer, with what each chose.
struct LayerRouting {
    std::size_t width = 0;
    std::vector<ExpertIndex> experts;  // [token][width]
    std::vector<float> gates;          // [token][width]
};

class Reference {
  public:
    Reference(const Plan& plan, kernels::Backend& backend)
        : s_(plan.scenario), backend_(backend), stream_(backend.make_stream()), ops_(backend.operations()), made_(s_),
          routes_(s_, plan.policy), tokens_(s_.batch.tokens()),
          attention_(s_, {{s_.batch.first_token, s_.batch.first_token + tokens_}}, backend, *stream_) {}

    std::vector<float> run() {
        std::vector<float> values;
        const std::int64_t first = s_.batch.first_token;
        for (std::int64_t t = 0; t < tokens_; ++t) made_.token(first + t, values);
        kernels::Matrix x = up(tokens_, s_.model.hidden, values);
        for (std::size_t l = 0; l < as_size(s_.model.moe_layers); ++l) layer(l, x);
        return kernels::download(*stream_, x.view());
    }

  private:
    kernels::Matrix up(std::int64_t rows, std::int64_t cols, const std::vector<float>& host) {
        return kernels::upload(backend_, *stream_, kernels::Scalar::bf16, rows, cols, host);
    }
    template <class T>
    kernels::Array<T> up(const std::vector<T>& host) {
        return kernels::upload(backend_, *stream_, std::span<const T>(host));
    }

    LayerRouting route(std::size_t l) {
        LayerRouting all;
        all.width = as_size(most_choices(s_));
        all.experts.assign(as_size(tokens_) * all.width, no_expert);
        all.gates.resize(all.experts.size());
        Routing sent;
        for (std::size_t m = 0; m < as_size(s_.schedule.micro_batches); ++m)
            for (std::size_t d = 0; d < routes_.sources(); ++d) {
                routes_.next(LayerId(l), m, d, sent, true);
                // Rows of one source are as wide as its own tokens need.
                for (std::size_t t = 0; t < sent.tokens(); ++t) {
                    const std::size_t at = (as_size(routes_.tokens(m, d).begin - s_.batch.first_token) + t) * all.width;
                    for (std::size_t i = 0; i < sent.width; ++i) {
                        all.experts[at + i] = sent.experts[t * sent.width + i];
                        all.gates[at + i] = sent.gates[t * sent.width + i];
                    }
                }
            }
        return all;
    }

    void layer(std::size_t l, kernels::Matrix& x) {
        attention_.run(backend_, *stream_, l, 0, x.view());
        const LayerRouting routing = route(l);
        const auto experts = as_size(s_.model.experts);
        std::vector<std::int64_t> begin(experts + 1);
        for (const ExpertIndex e : routing.experts)
            if (e != no_expert) ++begin[e + 1U];
        std::partial_sum(begin.begin(), begin.end(), begin.begin());
        const std::int64_t rows = begin.back();
        std::vector<std::int32_t> token_of(as_size(rows)), row_of(routing.experts.size(), -1);
        std::vector<float> weights(as_size(rows));
        std::vector<std::int64_t> next(begin.begin(), begin.end() - 1);
        for (std::size_t c = 0; c < routing.experts.size(); ++c) {
            if (routing.experts[c] == no_expert) continue;
            const std::int64_t row = next[routing.experts[c]]++;
            token_of[as_size(row)] = static_cast<std::int32_t>(c / routing.width);
            weights[as_size(row)] = routing.gates[c];
            row_of[c] = static_cast<std::int32_t>(row);
        }
        const kernels::Matrix results = compute(l, x, token_of, weights, begin);
        kernels::Matrix moe(backend_, kernels::Scalar::bf16, tokens_, s_.model.hidden);
        const auto slots = up(row_of);
        const auto ones = up(std::vector<float>(row_of.size(), 1.0F));
        ops_.combine(*stream_, results.view(), slots.view(), ones.view(), moe.view());
        if (s_.model.shared_experts > 0) add_shared(l, x, moe);
        ops_.add_residual(*stream_, x.view(), moe.view(), x.view());
        stream_->synchronize();
    }

    // Rounded products of weights and results.  [row][hidden]
    kernels::Matrix compute(std::size_t l, const kernels::Matrix& x, const std::vector<std::int32_t>& token_of,
                            const std::vector<float>& weights, const std::vector<std::int64_t>& begin) {
        const std::int64_t hidden = s_.model.hidden, rows = static_cast<std::int64_t>(token_of.size());
        const auto tokens = up(token_of);
        PackedRows sent(backend_, s_.dispatch.dtype, rows, hidden, ops_.row_alignment());
        ops_.pack(*stream_, x.view(), tokens.view(), 1, sent.view(0, rows));
        std::vector<std::int32_t> own(as_size(rows));
        std::iota(own.begin(), own.end(), 0);
        const auto same = up(own);
        kernels::Matrix restored(backend_, kernels::Scalar::bf16, rows, hidden);
        ops_.unpack(*stream_, sent.view(0, rows), same.view(), restored.view());
        std::vector<ExpertIndex> experts(as_size(s_.model.experts));
        std::iota(experts.begin(), experts.end(), ExpertIndex{0});
        const std::int64_t inner = (s_.model.gated ? 2 : 1) * s_.model.expert_ffn;
        const kernels::Matrix gate_up = up(s_.model.experts * inner, hidden, made_.gate_up(l, experts));
        const kernels::Matrix down = up(s_.model.experts * hidden, s_.model.expert_ffn, made_.down(l, experts));
        kernels::Matrix results(backend_, kernels::Scalar::bf16, rows, hidden);
        ops_.expert_forward(*stream_, restored.view(), begin, {activation(), gate_up.view(), down.view(), {}, {}},
                            results.view());
        const auto gates = up(weights);
        ops_.round_products(*stream_, gates.view(), result_step, result_limit(s_), results.view());
        stream_->synchronize();
        return results;
    }

    void add_shared(std::size_t l, const kernels::Matrix& x, kernels::Matrix& moe) {
        const std::int64_t inner = s_.model.shared_experts * s_.model.shared_ffn, hidden = s_.model.hidden;
        const kernels::Matrix gate_up = up((s_.model.gated ? 2 : 1) * inner, hidden, made_.shared_gate_up(l));
        const kernels::Matrix down = up(hidden, inner, made_.shared_down(l));
        kernels::Matrix shared(backend_, kernels::Scalar::bf16, tokens_, hidden);
        const std::int64_t begin[] = {0, tokens_};
        ops_.expert_forward(*stream_, x.view(), begin, {activation(), gate_up.view(), down.view(), {}, {}},
                            shared.view());
        ops_.add_residual(*stream_, moe.view(), shared.view(), moe.view());
        stream_->synchronize();
    }
    [[nodiscard]] kernels::Activation activation() const {
        return s_.model.gated ? kernels::Activation::swiglu : kernels::Activation::gelu;
    }

    const Scenario& s_;
    kernels::Backend& backend_;
    std::unique_ptr<kernels::Stream> stream_;
    kernels::Operations& ops_;
    MadeModel made_;
    RouteStream routes_;
    std::int64_t tokens_;
    AttentionLayers attention_;
};

}  // namespace

std::vector<float> reference_tokens(const Plan& plan, kernels::Backend& backend) {
    return Reference(plan, backend).run();
}

std::uint64_t reference_checksum(const Plan& plan, kernels::Backend& backend) {
    const std::vector<float> values = reference_tokens(plan, backend);
    return tokens_hash(plan.scenario.batch.first_token, values, plan.scenario.model.hidden);
}

}  // namespace moesim
