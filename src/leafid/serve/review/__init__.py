"""Review of results: a person confirms or corrects each answer, and the decisions are kept beside the result file."""
