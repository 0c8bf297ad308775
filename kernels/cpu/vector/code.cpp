// One level of vector instructions: the build compiles this once for each, with MOESIM_LEVEL being 1, 3 or 4.
#include "kernels/cpu/vector/attention.hpp"
#include "kernels/cpu/vector/gemm.hpp"
#include "kernels/cpu/vector/rows.hpp"
#include "kernels/cpu/vector/select_tokens.hpp"
#include "kernels/cpu/vector/thin_gemm.hpp"

namespace moesim::kernels {

const VectorCode* MOESIM_JOIN(vector_code_, MOESIM_LEVEL)() {
    using namespace MOESIM_CODE;
    static constexpr VectorCode code = {.copy = copy,
                                        .compress = {compress<float>, compress<bfloat16>},
                                        .expand = {expand<float>, expand<bfloat16>},
                                        .combine = {combine<float>, combine<bfloat16>},
                                        .add = {add<float>, add<bfloat16>},
                                        .round_products = {round_products<float>, round_products<bfloat16>},
                                        .widen = widen,
                                        .narrow = narrow,
                                        .round_to_bf16 = round_to_bf16,
                                        .swiglu = swiglu,
                                        .gelu = gelu,
                                        .gemm = gemm,
                                        .thin_gemm = thin_gemm,
                                        .gemm_by_rows = gemm_by_rows,
                                        .softmax_step = softmax_step,
                                        .multiply_by = multiply_by,
                                        .select = select,
                                        .scores = scores};
    return &code;
}

}  // namespace moesim::kernels
