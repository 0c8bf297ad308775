// What held up what in an execution, from times as they were noted.
#include "calibrate/execute/execute.hpp"
#include "support/catch.hpp"

using namespace moesim;
using namespace moesim::test;

TEST_CASE("an end that was noted late is put back to what it caused") {
    TaskGraph graph;
    Task transfer, compute, join;
    transfer.kind = TaskKind::transfer;
    compute.kind = TaskKind::compute;
    const TaskId early = graph.add(transfer), late = graph.add(transfer), next = graph.add(compute);
    graph.wait(next, early);
    graph.wait(next, late);
    Task first = join;
    first.starts_with_first = true;
    const TaskId any = graph.add(first);
    graph.wait(any, early);
    graph.wait(any, next);

    // The second message ends at 3, is noted at 3.5, and what waits for it computes from 3 to 5.
    std::vector<TaskTime> times(4);
    times[early] = {Seconds(0), Seconds(2)};
    times[late] = {Seconds(1), Seconds(3.5)};
    times[next] = {Seconds(3), Seconds(5)};
    times[any] = {Seconds(2), Seconds(2)};
    set_causes(graph, times);
    CHECK(times[late].finish == Seconds(3));
    CHECK(times[early].finish == Seconds(2));
    CHECK(times[next].cause == late);
    CHECK(times[next].finish == Seconds(5));  // what waited for the first of two did not wait for it

    // Noted as begun before its cause began, by another clock: no time, but none of less than nothing.
    times[late] = {Seconds(3.2), Seconds(3.5)};
    set_causes(graph, times);
    CHECK(times[late].finish == Seconds(3.2));
}
