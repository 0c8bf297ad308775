"""Runs plot_result.py as a user does: python3 -m unittest discover -s analysis"""
import contextlib
import copy
import io
import json
import os
import subprocess
import sys
import tempfile
import unittest

import plot_result

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "plot_result.py")
STAGES = ("attention", "gate", "select", "pack", "dispatch", "expert", "return", "unpack", "combine", "residual")


def small_result():
    """Two nodes of two GPUs, two layers, four experts; the numbers are made up, each of them possible."""
    ranks, layers = 4, 2
    rows = []
    for rank in range(ranks):
        for layer in range(layers):
            for i, stage in enumerate(STAGES):
                stream = stage if stage in ("dispatch", "return") else "compute"
                start = layer * 0.01 + i * 0.001
                rows.append([rank, stream, stage, layer, 0, 0, start, start + 0.0009])
    return {
        "schema": "moesim.result/1",
        "name": "four GPUs, $5 an hour",  # a dollar sign starts a formula in matplotlib
        "seed": 7,
        "makespan_s": 0.02,
        "tokens_per_s": 51200.0,
        "stages": [{"stage": s, "per_rank_s": [0.0018 + 0.0001 * r for r in range(ranks)]} for s in STAGES],
        "load": {
            "expert_cv": 0.31,
            "expert_max_over_mean": 1.5,
            "layers": [{"expert_tokens": [300, 200, 250, 274]}, {"expert_tokens": [150, 384, 260, 230]}],
        },
        "traffic": {
            "node_to_node_bytes": [[2000000, 3000000], [3000000, 2500000]],
            "rank_to_rank_bytes": [[0 if a == b else 500000 + 1000 * (4 * a + b) for b in range(4)] for a in range(4)],
        },
        "links": [
            {"link": "gpu0.nic.up", "class": "nic", "use_share": 0.25},
            {"link": "gpu0.nvlink.up", "class": "nvlink", "use_share": 0.02},
            {"link": "leaf0.up", "class": "uplink", "use_share": 0.125},
        ],
        "timeline": {
            "columns": ["rank", "stream", "stage", "layer", "micro_batch", "chunk", "start_s", "finish_s"],
            "ranks": list(range(ranks)),
            "rows": rows,
        },
        "scenario": {
            "topology": {"name": "two-nodes", "nodes": 2, "gpus_per_node": 2},
            "network": {"model": "simgrid"},
            "stragglers": [],
        },
    }


def many_layers(document, layers=100):
    """The same result with so many stages on each GPU that one picture cannot show all of them."""
    base = document["timeline"]["rows"][: 2 * len(STAGES)]
    document["timeline"]["rows"] = [row[:6] + [t + 0.02 * i for t in row[6:]] for i in range(layers) for row in base]
    document["makespan_s"] = 0.02 * layers


def single_gpu(document):
    document["stages"] = [{"stage": "expert", "per_rank_s": [0.002]}]
    document["timeline"]["ranks"] = [0]
    document["timeline"]["rows"] = [row for row in document["timeline"]["rows"] if row[0] == 0 and row[1] == "compute"]
    document["traffic"] = {"node_to_node_bytes": [[0]], "rank_to_rank_bytes": [[0]]}
    document["links"] = []
    document["scenario"]["topology"] = {"name": "one", "gpus_per_node": 1}


def without(path):
    """A change that removes the member at a path as "load.layers.0"."""
    def change(document):
        *parents, last = [int(word) if word.isdigit() else word for word in path.split(".")]
        for key in parents:
            document = document[key]
        del document[last]
    return change


def put(path, value):
    def change(document):
        *parents, last = [int(word) if word.isdigit() else word for word in path.split(".")]
        for key in parents:
            document = document[key]
        document[last] = value
    return change


class PlotResultTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, content, name="result.json"):
        if not isinstance(content, bytes):
            content = json.dumps(content).encode()
        with open(self.path(name), "wb") as file:
            file.write(content)
        return self.path(name)

    def changed(self, *changes):
        document = copy.deepcopy(small_result())
        for change in changes:
            change(document)
        return self.write(document)

    def run_script(self, *arguments):
        return subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True, check=False)

    def call_main(self, *arguments):
        """As run_script, in this process: many times faster, for tables of wrong inputs."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = plot_result.main(arguments)
        return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())

    def picture(self, *arguments, name="out.png"):
        done = self.run_script(*arguments, "-o", self.path(name))
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        with open(self.path(name), "rb") as file:
            return file.read()

    def assert_refused(self, done, *said):
        self.assertEqual(done.returncode, 2)
        self.assertEqual(done.stdout, "")
        self.assertRegex(done.stderr, r"\Aplot_result\.py: [^\n]+\n\Z")
        for words in said:
            self.assertIn(words, done.stderr)
        self.assertEqual([f for f in os.listdir(self.folder) if not f.endswith(".json")], [])

    def test_writes_a_png(self):
        picture = self.picture(self.write(small_result()))
        self.assertEqual(picture[:8], b"\x89PNG\r\n\x1a\n")
        self.assertEqual(int.from_bytes(picture[16:20], "big"), 1600)

    def test_writes_an_svg(self):
        picture = self.picture(self.write(small_result()), name="out.svg")
        self.assertTrue(picture.startswith(b"<?xml"))
        self.assertTrue(picture.rstrip().endswith(b"</svg>"))

    def test_puts_the_picture_beside_the_document_by_default(self):
        done = self.run_script(self.write(small_result()))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(sorted(os.listdir(self.folder)), ["result.json", "result.png"])

    def test_leaves_no_other_file_and_replaces_an_older_picture(self):
        self.write(b"old", "out.png")
        self.assertNotEqual(self.picture(self.write(small_result())), b"old")
        self.assertEqual(sorted(os.listdir(self.folder)), ["out.png", "result.json"])

    def test_two_runs_give_the_same_bytes(self):
        document = self.write(small_result())
        for ending in (".png", ".svg"):
            with self.subTest(ending):
                self.assertEqual(self.picture(document, name="a" + ending), self.picture(document, name="b" + ending))

    def test_the_order_of_the_chosen_ranks_does_not_matter(self):
        document = self.write(small_result())
        some = self.picture(document, "--ranks", "3,1")
        self.assertEqual(some, self.picture(document, "--ranks", "1,3,3"))
        self.assertNotEqual(some, self.picture(document))

    def test_draws_unusual_results(self):
        unusual = {
            "a single GPU": single_gpu,
            "more stages than fit": many_layers,
            "no traffic between ranks given": without("traffic.rank_to_rank_bytes"),
            "no traffic at all": put("traffic.rank_to_rank_bytes", [[0] * 4] * 4),
            "traffic of very different amounts": put("traffic.rank_to_rank_bytes.0.1", 10**12),
            "many experts": put("load.layers", [{"expert_tokens": list(range(256))}] * 58),
            "no tokens": put("load.layers", [{"expert_tokens": [0, 0]}]),
            "no time": put("makespan_s", 0),
            "a stage and stream of a later version": put("timeline.rows.0", [0, "copy", "move", 0, 0, 0, 0, 1e-3]),
            "a link class of a later version": put("links.0.class", "cxl"),
            "a name of many characters": put("name", "a\nlong_name^{ $ " * 40),
        }
        for what, change in unusual.items():
            with self.subTest(what):
                self.assertEqual(self.picture(self.changed(change))[:4], b"\x89PNG")

    def test_refuses_files_that_are_no_result(self):
        broken = {
            b"": "not JSON: line 1, column 1",
            b'{"schema": ': "not JSON: line 1",
            b"\xff\xfe\x00": "not JSON",
            b"[" * 100000: "not JSON",
            b"[]": "$ is an array, expected an object",
            b"{}": '$ has no key "schema"',
            b'{"schema": "moesim.scenario/1"}': '$.schema is "moesim.scenario/1", expected "moesim.result/1"',
            b'{"schema": 1}': "$.schema is a number",
        }
        for content, message in broken.items():
            with self.subTest(message):
                file = self.write(content)
                self.assert_refused(self.run_script(file, "-o", self.path("out.png")), file, message)

    def test_refuses_a_missing_file_and_a_folder(self):
        for file, message in ((self.path("no.json"), "No such file"), (self.folder, "Is a directory")):
            with self.subTest(message):
                self.assert_refused(self.run_script(file, "-o", self.path("out.png")), file, message)

    def test_names_a_missing_key(self):
        needed = ("name", "seed", "makespan_s", "tokens_per_s", "stages", "load", "traffic", "links", "timeline",
                  "scenario", "stages.0.stage", "stages.5.per_rank_s", "load.expert_cv", "load.expert_max_over_mean",
                  "load.layers", "load.layers.1.expert_tokens", "links.0.link", "links.0.class", "links.0.use_share",
                  "timeline.columns", "timeline.ranks", "timeline.rows", "scenario.topology", "scenario.topology.name",
                  "scenario.topology.gpus_per_node", "scenario.network", "scenario.network.model")
        for path in needed:
            with self.subTest(path):
                file = self.changed(without(path))
                message = f'has no key "{path.split(".")[-1]}"'
                self.assert_refused(self.call_main(file, "-o", self.path("out.png")), file, message)

    def test_names_a_wrong_value(self):
        wrong = {
            "$.makespan_s is a string, expected a number": put("makespan_s", "0.5"),
            "$.makespan_s is out of range": put("makespan_s", -1),
            "$.tokens_per_s is out of range": put("tokens_per_s", float("nan")),
            "$.tokens_per_s is true, expected a number": put("tokens_per_s", True),
            "$.seed does not fit": put("seed", 10**400),
            "$.stages has no stage": put("stages", []),
            "$.load.layers has 0 elements": put("load.layers", []),
            "$.load.layers[1].expert_tokens has 1 elements, expected 4": put("load.layers.1.expert_tokens", [3]),
            "$.load.layers[0].expert_tokens[2] is null": put("load.layers.0.expert_tokens.2", None),
            "$.traffic.rank_to_rank_bytes has 1 elements, expected 4": put("traffic.rank_to_rank_bytes", [[1]]),
            "$.traffic.rank_to_rank_bytes[3] has 0 elements, expected 4": put("traffic.rank_to_rank_bytes.3", []),
            "$.links is an object, expected an array": put("links", {}),
            "$.timeline.columns has no column \"finish_s\"": put("timeline.columns.7", "end"),
            "$.timeline.ranks names rank 9 of 4 ranks": put("timeline.ranks", [9]),
            "$.timeline.rows[0] has 1 elements, expected 8": put("timeline.rows.0", [1]),
            "$.timeline.rows[2][7] is before the start": put("timeline.rows.2.7", 0),
            "$.scenario.topology.gpus_per_node is 0": put("scenario.topology.gpus_per_node", 0),
        }
        for message, change in wrong.items():
            with self.subTest(message):
                file = self.changed(change)
                self.assert_refused(self.call_main(file, "-o", self.path("out.png")), file, message)

    def test_names_traffic_that_is_missing_altogether(self):
        file = self.changed(put("traffic", {}))
        self.assert_refused(self.call_main(file, "-o", self.path("out.png")), file, '"node_to_node_bytes"')

    def test_refuses_wrong_usage(self):
        file = self.write(small_result())
        out = ("-o", self.path("out.png"))
        for arguments, message in (
            ((), "RESULT.json"),
            ((file, "--colour"), "--colour"),
            ((file, *out, "--ranks", ""), '--ranks: "" is not a list of ranks'),
            ((file, *out, "--ranks", "1,two"), '--ranks: "1,two" is not a list of ranks'),
            ((file, *out, "--ranks", "0,4"), "rank 4 has no timeline; those that have: 0 to 3"),
            ((file, "-o", self.path("out.pdf")), "must end in .png or .svg"),
            ((file, "-o", self.path("no/out.png")), "No such file or directory"),
        ):
            with self.subTest(message):
                self.assert_refused(self.run_script(*arguments), message)

    def test_does_not_overwrite_the_document(self):
        file = self.write(small_result(), "result.png")
        before = os.path.getsize(file)
        done = self.run_script(file)
        self.assertEqual((done.returncode, os.path.getsize(file)), (2, before))
        self.assertIn("is the result document itself", done.stderr)


if __name__ == "__main__":
    unittest.main()
