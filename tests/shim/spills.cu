// Kernels that check_resources has to complain of.

// Holds far more values than the 32 registers that a thread may have here.
__global__ void __launch_bounds__(1024, 2) spills(const float* from, float* to) {
    float values[96];
#pragma unroll
    for (int i = 0; i < 96; ++i) values[i] = from[i * 1024 + static_cast<int>(threadIdx.x)];
    __syncthreads();  // so that no value is loaded later, and again
#pragma unroll
    for (int i = 0; i < 96; ++i) to[(95 - i) * 1024 + static_cast<int>(threadIdx.x)] = values[i] * values[(i * 7) % 96];
}

// Indexes an array at run time, which registers cannot be.
__global__ void has_stack(const int* from, int count, int* to) {
    int counts[8] = {};
    for (int i = 0; i < count; ++i) ++counts[from[i] % 8];
    to[threadIdx.x] = counts[threadIdx.x % 8];
}
