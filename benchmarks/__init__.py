"""The benchmark: what ships, beside named baselines, on labelled data. Runs as `faultline bench`.

`datasets` reads the data, `metrics` scores, `baselines` are the peers, `tasks` put the three together case by case,
`report` writes what came out. Every task calls the stage functions that `faultline run` calls. A method of your own
joins by an entry point: see docs/benchmarks.md.
"""
