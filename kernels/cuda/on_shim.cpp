// The very sources that nvcc compiles, as C++ against the shim. One unit: names outside of functions are to be
// different.
#include "kernels/cuda/attention_operations.cu"
#include "kernels/cuda/deduplication_operations.cu"
#include "kernels/cuda/expert_operations.cu"
#include "kernels/cuda/routing_operations.cu"
#include "kernels/cuda/rows_operations.cu"
