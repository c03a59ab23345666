"""Whether a mix teaches: build, measure, train, measure again."""
