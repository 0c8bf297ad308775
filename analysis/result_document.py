"""Reads a moesim.result/1 document and checks everything that the pictures use of it."""
import json
from dataclasses import dataclass

SCHEMA = "moesim.result/1"


class InputError(Exception):
    """What is wrong with what the user gave; the message is one line and names the file."""


@dataclass(frozen=True)
class Slice:
    """A stage on one stream of one GPU, from start to finish in seconds."""

    rank: int
    stream: str
    stage: str
    start: float
    finish: float


@dataclass(frozen=True)
class Link:
    name: str
    link_class: str
    use_share: float  # of what it could have carried during the makespan


@dataclass(frozen=True)
class ResultDocument:
    name: str
    seed: int
    makespan: float  # seconds
    tokens_per_s: float
    topology: str
    nodes: int
    gpus_per_node: int
    network: str
    stragglers: int
    shared_cores: list  # (ranks, cores) of each group
    expert_time: list  # [rank], seconds in the stage "expert"
    expert_cv: float  # mean over layers
    expert_max_over_mean: float  # of the worst layer
    expert_tokens: list  # [layer][expert]
    traffic: list  # [from][to] bytes, between ranks or else between nodes
    traffic_of_ranks: bool
    links: list  # busiest first
    timeline_ranks: list
    slices: list

    @property
    def gpus(self):
        return len(self.expert_time)


class Value:
    """A JSON value that knows its file and path, so that each complaint can name both."""

    def __init__(self, json_value, file, path="$"):
        self.json, self.file, self.path = json_value, file, path

    def fail(self, problem):
        raise InputError(f"{self.file}: {self.path} {problem}")

    def expect(self, kind, what):
        if not isinstance(self.json, kind) or (isinstance(self.json, bool) and kind is not bool):
            self.fail(f"is {describe(self.json)}, expected {what}")
        return self.json

    def __getitem__(self, key):
        members = self.expect(dict, "an object")
        if key not in members:
            self.fail(f'has no key "{key}"')
        return Value(members[key], self.file, f"{self.path}.{key}")

    def find(self, key):
        """The member of that name, or None where it is absent."""
        return self[key] if key in self.expect(dict, "an object") else None

    def elements(self, at_least=0, count=None):
        array = self.expect(list, "an array")
        if count is not None and len(array) != count:
            self.fail(f"has {len(array)} elements, expected {count}")
        if len(array) < at_least:
            self.fail(f"has {len(array)} elements, expected at least {at_least}")
        return [Value(v, self.file, f"{self.path}[{i}]") for i, v in enumerate(array)]

    def text(self):
        # A picture's text is one line: line breaks and other control characters become spaces.
        characters = (c if c.isprintable() else " " for c in self.expect(str, "a string"))
        return " ".join("".join(characters).split())

    def integer(self, least=0):
        number = self.expect(int, "an integer")
        if not least <= number < 2**64:
            self.fail(f"is {number:.3g}, expected an integer of at least {least} that fits 64 bits"
                      if abs(number) < 1e300 else "does not fit 64 bits")
        return number

    def number(self):
        value = self.expect((int, float), "a number")
        # The range is that of any quantity here, and keeps sums and unit changes finite.
        if not 0 <= value < 1e30:
            self.fail("is out of range, expected a number from 0 to 1e30")
        return float(value)

    def numbers(self, count=None, at_least=0):
        return [v.number() for v in self.elements(at_least, count)]


def describe(value):
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    names = {dict: "an object", list: "an array", str: "a string"}
    return names.get(type(value), "a number")


def load(path):
    """The document in the file; raises InputError where it cannot be read or is not what it should be."""
    return parse(Value(read_json(path), path))


def read_json(path):
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: not JSON: line {error.lineno}, column {error.colno}: {error.msg}") from None
    except (ValueError, RecursionError) as error:  # not UTF-8, a number of too many digits, nested too deeply
        raise InputError(f"{path}: not JSON: {str(error).splitlines()[0]}") from None


def parse(root):
    schema = root["schema"]
    if schema.json != SCHEMA:
        found = json.dumps(schema.json) if isinstance(schema.json, str) else describe(schema.json)
        schema.fail(f'is {found[:60]}, expected "{SCHEMA}"')
    scenario, load_of = root["scenario"], root["load"]
    topology = scenario["topology"]
    expert_time = parse_expert_time(root["stages"])
    traffic, of_ranks = parse_traffic(root["traffic"], len(expert_time))
    ranks, slices = parse_timeline(root["timeline"], len(expert_time))
    nodes = topology.find("nodes")  # absent where the topology is a single node
    stragglers = scenario.find("stragglers")
    shared = scenario.find("shared_cores")
    return ResultDocument(
        name=root["name"].text(),
        seed=root["seed"].integer(),
        makespan=root["makespan_s"].number(),
        tokens_per_s=root["tokens_per_s"].number(),
        topology=topology["name"].text(),
        nodes=nodes.integer(1) if nodes else 1,
        gpus_per_node=topology["gpus_per_node"].integer(1),
        network=scenario["network"]["model"].text(),
        stragglers=len(stragglers.elements()) if stragglers else 0,
        shared_cores=[(len(s["ranks"].elements()), s["cores"].integer(1)) for s in shared.elements()] if shared else [],
        expert_time=expert_time,
        expert_cv=load_of["expert_cv"].number(),
        expert_max_over_mean=load_of["expert_max_over_mean"].number(),
        expert_tokens=parse_expert_tokens(load_of["layers"]),
        traffic=traffic,
        traffic_of_ranks=of_ranks,
        links=parse_links(root["links"]),
        timeline_ranks=ranks,
        slices=slices,
    )


def parse_expert_time(stages):
    for stage in stages.elements():
        if stage["stage"].text() == "expert":
            return stage["per_rank_s"].numbers(at_least=1)
    return stages.fail('has no stage "expert"')


def parse_expert_tokens(layers):
    rows = [layer["expert_tokens"] for layer in layers.elements(at_least=1)]
    experts = len(rows[0].elements(at_least=1))
    return [row.numbers(count=experts) for row in rows]


def parse_traffic(traffic, ranks):
    """The matrix between ranks, which large results leave out, or else that between nodes."""
    matrix = traffic.find("rank_to_rank_bytes")
    of_ranks = matrix is not None
    rows = matrix.elements(count=ranks) if of_ranks else traffic["node_to_node_bytes"].elements(at_least=1)
    return [row.numbers(count=len(rows)) for row in rows], of_ranks


def parse_links(links):
    found = [Link(v["link"].text(), v["class"].text(), v["use_share"].number()) for v in links.elements()]
    return sorted(found, key=lambda link: -link.use_share)


def parse_timeline(timeline, ranks):
    columns = [column.text() for column in timeline["columns"].elements()]
    for needed in ("rank", "stream", "stage", "start_s", "finish_s"):
        if needed not in columns:
            timeline["columns"].fail(f'has no column "{needed}"')
    chosen = [v.integer() for v in timeline["ranks"].elements(at_least=1)]
    if max(chosen) >= ranks:
        timeline["ranks"].fail(f"names rank {max(chosen)} of {ranks} ranks")
    at = {column: i for i, column in enumerate(columns)}
    return chosen, [parse_slice(row.elements(count=len(columns)), at) for row in timeline["rows"].elements()]


def parse_slice(row, at):
    found = Slice(row[at["rank"]].integer(), row[at["stream"]].text(), row[at["stage"]].text(),
                  row[at["start_s"]].number(), row[at["finish_s"]].number())
    if found.finish < found.start:
        row[at["finish_s"]].fail("is before the start")
    return found
