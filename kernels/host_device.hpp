#pragma once
// What is plain arithmetic is compiled for both sides from one source.
#ifdef __CUDACC__
#define MOESIM_HOST_DEVICE __host__ __device__
#else
#define MOESIM_HOST_DEVICE
#endif
