"""Which tasks there are: subjects, published labels, and the rules that select."""
