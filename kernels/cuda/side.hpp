#pragma once
// The sources of this folder are compiled twice, by nvcc for the device and by the host's compiler against the shim,
// and one program may hold both: whatever differs between the two lives in a namespace of that side.
#ifdef __CUDACC__
#define MOESIM_CUDA_SIDE by_nvcc
#else
#define MOESIM_CUDA_SIDE on_shim
#endif
