#pragma once
// The weights of the experts that one rank holds, one below the other in the order of the groups of rows that they get.
//
//   swiglu: y = down (silu(gate x) * (up x)),  silu(z) = z / (1 + exp(-z))    (Shazeer, arXiv:2002.05202)
//   gelu:   y = down gelu(up x),  gelu(z) = z / (1 + exp(-2 sqrt(2/pi) (z + 0.044715 z^3)))
//           (the tanh form of Hendrycks and Gimpel, arXiv:1606.08415)
//
// Matrices have a row for each output, as checkpoints have them: [out][in]. A matrix with the rows of one expert only
// is that of all groups: adapters beside one frozen expert.
#include <cstdint>

#include "kernels/view.hpp"

namespace moesim::kernels {

enum class Activation : unsigned char { swiglu, gelu };

// scale * b a x, added to what the frozen matrix gives (Hu et al., "LoRA", ICLR 2022; scale is its alpha / r).
struct AdapterView {
    ConstMatrixView a;  // [groups * r][in], of nothing where there is no adapter
    ConstMatrixView b;  // [groups * out][r]
    float scale = 1;
    [[nodiscard]] bool given() const { return a.rows > 0; }
};

struct ExpertWeightsView {
    Activation activation = Activation::swiglu;
    // [(groups or 1) * 2 inner][hidden]: of each expert the gate's rows, then those of up; gelu: [... * inner][hidden]
    ConstMatrixView gate_up;
    ConstMatrixView down;  // [(groups or 1) * hidden][inner]
    AdapterView gate_up_adapter, down_adapter;
};

}  // namespace moesim::kernels
