"""How good a model is: on the validation rows of a build, and on benchmarks. Start with `run.evaluate`."""
