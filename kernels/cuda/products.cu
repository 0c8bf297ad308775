#include "kernels/cuda/products.hpp"

#include <limits>

namespace moesim::kernels::by_nvcc {
namespace {

// Hopper's and later kernels ask for up to 32 MiB (cuBLAS documentation, cublasSetWorkspace).
constexpr std::size_t workspace_bytes = std::size_t{32} << 20;
// Ragged groups have ever new shapes: at so many, what was found is forgotten.
constexpr std::size_t most_algorithms = 4096;

cudaDataType_t type_of(Scalar scalar) { return scalar == Scalar::fp32 ? CUDA_R_32F : CUDA_R_16BF; }
std::size_t place(Scalar scalar) { return scalar == Scalar::fp32 ? 0 : 1; }

// The library counts along columns. A table as it sees it: columns for rows.
LayoutOwner layout(Scalar scalar, std::int64_t rows, std::int64_t cols, std::int64_t stride) {
    return owned<LayoutOwner>(cublasLtMatrixLayoutCreate, "cublasLtMatrixLayoutCreate", type_of(scalar),
                              static_cast<std::uint64_t>(cols), static_cast<std::uint64_t>(rows), stride);
}

}  // namespace

Products::Products(cudaStream_t stream, unsigned multiprocessors)
    : stream_(stream), multiprocessors_(multiprocessors), one_(owned<CublasLtOwner>(cublasLtCreate, "cublasLtCreate")),
      many_(owned<CublasOwner>(cublasCreate, "cublasCreate")), workspace_(stream), pointers_(stream) {
    check(cublasSetStream(many_.get(), stream_), "cublasSetStream");
    check(cublasSetWorkspace(many_.get(), workspace_.of_size(workspace_bytes), workspace_bytes), "cublasSetWorkspace");
}

void Products::multiply(std::span<const Product> products, const ProductRules& rules) {
    std::vector<Product> there;
    for (const Product& p : products) {
        if (p.m == 0 || p.n == 0) continue;
        if (p.k > 0) {
            there.push_back(p);
        } else if (!rules.accumulate) {
            const std::int64_t bytes = bytes_of(rules.out);
            check(cudaMemset2DAsync(p.c, static_cast<std::size_t>(p.c_stride * bytes), 0,
                                    static_cast<std::size_t>(p.n * bytes), static_cast<std::size_t>(p.m), stream_),
                  "cudaMemset2DAsync");
        }
    }
    if (!in_one_launch(there, multiprocessors_) || !multiply_grouped(there, rules)) multiply_each(there, rules);
}

// c = a b' by rows is c' = b a' by columns, where a, b and c by rows are a', b' and c' by columns.
void Products::multiply_each(std::span<const Product> products, const ProductRules& rules) {
    const auto operation =
        owned<OperationOwner>(cublasLtMatmulDescCreate, "cublasLtMatmulDescCreate", CUBLAS_COMPUTE_32F, CUDA_R_32F);
    constexpr cublasOperation_t turned = CUBLAS_OP_T;
    check(cublasLtMatmulDescSetAttribute(operation.get(), CUBLASLT_MATMUL_DESC_TRANSA, &turned, sizeof turned),
          "cublasLtMatmulDescSetAttribute");
    const float beta = rules.accumulate ? 1 : 0;
    for (const Product& p : products) {
        const LayoutOwner first = layout(rules.in, p.n, p.k, p.b_stride),
                          second = layout(rules.in, p.m, p.k, p.a_stride),
                          result = layout(rules.out, p.m, p.n, p.c_stride);
        const Shape shape = {p.m,
                             p.n,
                             p.k,
                             p.a_stride,
                             p.b_stride,
                             p.c_stride,
                             static_cast<std::int64_t>(rules.in),
                             static_cast<std::int64_t>(rules.out),
                             rules.accumulate};
        const cublasLtMatmulAlgo_t& by = algorithm(shape, operation.get(), first.get(), second.get(), result.get());
        check(cublasLtMatmul(one_.get(), operation.get(), &rules.alpha, p.b, first.get(), p.a, second.get(), &beta, p.c,
                             result.get(), p.c, result.get(), &by, workspace_.of_size(workspace_bytes), workspace_bytes,
                             stream_),
              "cublasLtMatmul");
    }
}

const cublasLtMatmulAlgo_t& Products::algorithm(const Shape& shape, cublasLtMatmulDesc_t operation,
                                                cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                                cublasLtMatrixLayout_t c) {
    const auto known = algorithms_.find(shape);
    if (known != algorithms_.end()) return known->second;
    if (algorithms_.size() >= most_algorithms) algorithms_.clear();

    const auto preference = owned<PreferenceOwner>(cublasLtMatmulPreferenceCreate, "cublasLtMatmulPreferenceCreate");
    const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t what, auto value) {
        check(cublasLtMatmulPreferenceSetAttribute(preference.get(), what, &value, sizeof value),
              "cublasLtMatmulPreferenceSetAttribute");
    };
    prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, workspace_bytes);
    constexpr std::uint32_t row_bytes = 16;
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, row_bytes);
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, row_bytes);
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, row_bytes);
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, row_bytes);
    cublasLtMatmulHeuristicResult_t found = {};
    int count = 0;
    check(cublasLtMatmulAlgoGetHeuristic(one_.get(), operation, a, b, c, c, preference.get(), 1, &found, &count),
          "cublasLtMatmulAlgoGetHeuristic");
    if (count == 0) throw DeviceFailure("cublasLtMatmulAlgoGetHeuristic: no algorithm for this product");
    return algorithms_.emplace(shape, found.algo).first->second;
}

bool Products::multiply_grouped(std::span<const Product> products, const ProductRules& rules) {
    bool& refused = refused_[place(rules.in)][place(rules.out)];
    if (refused) return false;
    const std::size_t count = products.size();
    std::vector<int> m, n, k, a_stride, b_stride, c_stride;
    bool fits = true;
    const auto add = [&](std::vector<int>& to, std::int64_t number) {
        fits = fits && number <= std::numeric_limits<int>::max();
        to.push_back(static_cast<int>(number));
    };
    // First all of b, which the library has first, then all of a, then all of c.
    std::vector<const void*> addresses(3 * count);
    for (std::size_t i = 0; i < count; ++i) {
        const Product& p = products[i];
        add(m, p.n);
        add(n, p.m);
        add(k, p.k);
        add(a_stride, p.b_stride);
        add(b_stride, p.a_stride);
        add(c_stride, p.c_stride);
        addresses[i] = p.b;
        addresses[count + i] = p.a;
        addresses[2 * count + i] = p.c;
    }
    if (!fits) return false;
    const std::size_t bytes = addresses.size() * sizeof(void*);
    auto* const there = static_cast<void**>(pointers_.of_size(bytes));
    // Memory that is not pinned is read before the call returns (CUDA Runtime API, "API synchronization behavior").
    check(cudaMemcpyAsync(there, addresses.data(), bytes, cudaMemcpyHostToDevice, stream_), "cudaMemcpyAsync");

    const std::vector<cublasOperation_t> turned(count, CUBLAS_OP_T), as_is(count, CUBLAS_OP_N);
    const std::vector<float> alpha(count, rules.alpha), beta(count, rules.accumulate ? 1.0F : 0.0F);
    const std::vector<int> one(count, 1);
    const cublasStatus_t status = cublasGemmGroupedBatchedEx(
        many_.get(), turned.data(), as_is.data(), m.data(), n.data(), k.data(), alpha.data(), there, type_of(rules.in),
        a_stride.data(), there + count, type_of(rules.in), b_stride.data(), beta.data(), there + 2 * count,
        type_of(rules.out), c_stride.data(), static_cast<int>(count), one.data(), CUBLAS_COMPUTE_32F);
    // What is wrong with the numbers themselves shows again when each product is asked for.
    if (status == CUBLAS_STATUS_NOT_SUPPORTED || status == CUBLAS_STATUS_INVALID_VALUE ||
        status == CUBLAS_STATUS_ARCH_MISMATCH) {
        refused = true;
        return false;
    }
    check(status, "cublasGemmGroupedBatchedEx");
    return true;
}

}  // namespace moesim::kernels::by_nvcc
