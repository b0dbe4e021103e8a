"""Solvers of linear maps with an L2 penalty, for `linear_probe`.

`targets` makes a task's values the solvers' targets; `problem` changes features to few coordinates. `ridge`, `hinge`
and `smooth` solve a problem by its loss, which `solvers` chooses; `layers` learns the shares of layers. `large` does
all of it for features that memory does not hold: `compact` where examples are few, `streaming` where they are many.
`calibration` fits what makes probabilities of left-out scores.
"""
