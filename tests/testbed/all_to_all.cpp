// all_to_all MESSAGE_BYTES REPEATS BUSIEST_S: an all-to-all of equal messages under MPI, how long each repeat took as a
// multiple of what the busiest link needs at least, and whether all bytes arrived. Rank 0 prints.
#include <mpi.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

unsigned char mark(int from, int to, int repeat) { return static_cast<unsigned char>(from * 31 + to * 7 + repeat); }

// Nonblocking, all at once, each sender beginning with its next neighbour. Gives back this rank's time.
double exchange(std::vector<std::vector<unsigned char>>& out, std::vector<std::vector<unsigned char>>& in, int rank) {
    const int n = static_cast<int>(out.size());
    std::vector<MPI_Request> requests;
    const double begin = MPI_Wtime();
    for (int step = 1; step < n; ++step) {
        auto& from = in[static_cast<std::size_t>((rank - step + n) % n)];
        MPI_Irecv(from.data(), static_cast<int>(from.size()), MPI_BYTE, (rank - step + n) % n, 0, MPI_COMM_WORLD,
                  &requests.emplace_back());
    }
    for (int step = 1; step < n; ++step) {
        auto& to = out[static_cast<std::size_t>((rank + step) % n)];
        MPI_Isend(to.data(), static_cast<int>(to.size()), MPI_BYTE, (rank + step) % n, 0, MPI_COMM_WORLD,
                  &requests.emplace_back());
    }
    MPI_Waitall(static_cast<int>(requests.size()), requests.data(), MPI_STATUSES_IGNORE);
    return MPI_Wtime() - begin;
}

}  // namespace

int main(int argc, char** argv) {
    MPI_Init(&argc, &argv);
    int rank = 0, n = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &n);
    const std::size_t bytes = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 1000;
    const int repeats = argc > 2 ? std::atoi(argv[2]) : 1;
    const double busiest = argc > 3 ? std::atof(argv[3]) : 0;
    std::vector<std::vector<unsigned char>> out(static_cast<std::size_t>(n)), in(out.size());
    std::vector<double> ratios;
    int wrong = 0;
    for (int repeat = -1; repeat < repeats; ++repeat) {  // the first one opens connections
        for (int to = 0; to < n; ++to) out[static_cast<std::size_t>(to)].assign(bytes, mark(rank, to, repeat));
        for (auto& message : in) message.assign(bytes, 0);
        MPI_Barrier(MPI_COMM_WORLD);
        double longest = 0;
        const double own = exchange(out, in, rank);
        MPI_Reduce(&own, &longest, 1, MPI_DOUBLE, MPI_MAX, 0, MPI_COMM_WORLD);
        for (int from = 0; from < n; ++from)
            if (from != rank && in[static_cast<std::size_t>(from)] != std::vector(bytes, mark(from, rank, repeat)))
                ++wrong;
        if (repeat >= 0 && busiest > 0) ratios.push_back(longest / busiest);
        if (repeat >= 0 && rank == 0) std::printf("%.4f s%s", longest, busiest > 0 ? "" : "\n");
        if (repeat >= 0 && rank == 0 && busiest > 0) std::printf("  %.4f of the busiest link's time\n", ratios.back());
    }
    int all_wrong = 0;
    MPI_Reduce(&wrong, &all_wrong, 1, MPI_INT, MPI_SUM, 0, MPI_COMM_WORLD);
    if (rank == 0) {
        std::sort(ratios.begin(), ratios.end());
        if (!ratios.empty())
            std::printf("ratio min %.4f median %.4f max %.4f\n", ratios.front(), ratios[ratios.size() / 2],
                        ratios.back());
        std::printf("%d ranks, messages of %zu bytes: %d wrong\n", n, bytes, all_wrong);
    }
    MPI_Finalize();
    return all_wrong == 0 ? 0 : 1;
}
