#include "calibrate/nccl/real_nccl.hpp"

#include <cstring>

namespace moesim {
namespace {

static_assert(sizeof(ncclUniqueId) == sizeof(NcclApi::UniqueId));

void require(ncclResult_t status, const char* what, ncclComm_t communicator = nullptr) {
    if (status == ncclSuccess || status == ncclInProgress) return;
    std::string text = std::string(what) + ": " + ncclGetErrorString(status);
    if (const char* const more = ncclGetLastError(communicator); more != nullptr && *more != '\0')
        text += std::string(" (") + more + ")";
    throw kernels::DeviceFailure(text);
}

ncclComm_t real(NcclCommunicator* communicator) { return reinterpret_cast<ncclComm_t>(communicator); }
cudaStream_t real(NcclStream* stream) { return reinterpret_cast<cudaStream_t>(stream); }
cudaEvent_t real(NcclEvent* event) { return reinterpret_cast<cudaEvent_t>(event); }

class RealNccl final : public NcclApi {
  public:
    [[nodiscard]] std::string version() const override {
        int number = 0;
        require(ncclGetVersion(&number), "ncclGetVersion");
        return std::to_string(number / 10000) + "." + std::to_string(number / 100 % 100) + "." +
               std::to_string(number % 100);
    }
    void use_device(int device) override { moesim::require(cudaSetDevice(device), "cudaSetDevice"); }

    UniqueId make_unique_id() override {
        ncclUniqueId made;
        require(ncclGetUniqueId(&made), "ncclGetUniqueId");
        UniqueId id;
        std::memcpy(id.bytes.data(), &made, sizeof made);
        return id;
    }
    NcclCommunicator* make_communicator(const UniqueId& id, int ranks, int rank) override {
        ncclUniqueId real_id;
        std::memcpy(&real_id, id.bytes.data(), sizeof real_id);
        ncclComm_t made = nullptr;
        require(ncclCommInitRank(&made, ranks, real_id, rank), "ncclCommInitRank");
        return reinterpret_cast<NcclCommunicator*>(made);
    }
    void destroy(NcclCommunicator* communicator) noexcept override { ncclCommDestroy(real(communicator)); }
    void abort(NcclCommunicator* communicator) noexcept override { ncclCommAbort(real(communicator)); }
    std::optional<std::string> asynchronous_error(NcclCommunicator* communicator) override {
        ncclResult_t status = ncclSuccess;
        require(ncclCommGetAsyncError(real(communicator), &status), "ncclCommGetAsyncError");
        if (status == ncclSuccess || status == ncclInProgress) return std::nullopt;
        std::string text = ncclGetErrorString(status);
        if (const char* const more = ncclGetLastError(real(communicator)); more != nullptr && *more != '\0')
            text += std::string(" (") + more + ")";
        return text;
    }

    void group_start() override { require(ncclGroupStart(), "ncclGroupStart"); }
    void group_end() override { require(ncclGroupEnd(), "ncclGroupEnd"); }
    void send(NcclCommunicator* c, int peer, const void* data, std::size_t bytes, NcclStream* stream) override {
        require(ncclSend(data, bytes, ncclUint8, peer, real(c), real(stream)), "ncclSend", real(c));
    }
    void receive(NcclCommunicator* c, int peer, void* data, std::size_t bytes, NcclStream* stream) override {
        require(ncclRecv(data, bytes, ncclUint8, peer, real(c), real(stream)), "ncclRecv", real(c));
    }

    NcclStream* make_stream() override {
        // Of the highest priority, so that messages need not wait for blocks of kernels that compute.
        int lowest = 0, highest = 0;
        moesim::require(cudaDeviceGetStreamPriorityRange(&lowest, &highest), "cudaDeviceGetStreamPriorityRange");
        cudaStream_t made = nullptr;
        moesim::require(cudaStreamCreateWithPriority(&made, cudaStreamNonBlocking, highest),
                        "cudaStreamCreateWithPriority");
        return reinterpret_cast<NcclStream*>(made);
    }
    void destroy(NcclStream* stream) noexcept override { cudaStreamDestroy(real(stream)); }
    NcclEvent* make_event() override {
        cudaEvent_t made = nullptr;
        moesim::require(cudaEventCreateWithFlags(&made, cudaEventDefault), "cudaEventCreateWithFlags");
        return reinterpret_cast<NcclEvent*>(made);
    }
    void destroy(NcclEvent* event) noexcept override { cudaEventDestroy(real(event)); }
    void record(NcclEvent* event, NcclStream* stream) override {
        moesim::require(cudaEventRecord(real(event), real(stream)), "cudaEventRecord");
    }
    bool ended(NcclEvent* event) override {
        const cudaError_t status = cudaEventQuery(real(event));
        if (status == cudaErrorNotReady) {
            cudaGetLastError();  // which is no error, but kept as one
            return false;
        }
        moesim::require(status, "messages of NCCL");
        return true;
    }
    Seconds between(NcclEvent* earlier, NcclEvent* later) override {
        float milliseconds = 0;
        moesim::require(cudaEventElapsedTime(&milliseconds, real(earlier), real(later)), "cudaEventElapsedTime");
        return Seconds(static_cast<double>(milliseconds) * 1e-3);
    }
};

}  // namespace

std::unique_ptr<NcclApi> make_real_nccl() { return std::make_unique<RealNccl>(); }

}  // namespace moesim
