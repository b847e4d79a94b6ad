"""The fit that the router's scale comes from agrees with a published one."""

import numpy as np
import pytest
from harness.statistics.irt import fit
from students import rms, students


def test_it_agrees_with_girth():
    """girth 0.8 wants items in rows, and has the same scale: abilities N(0, 1), no factor 1.7, harder items
    with the larger difficulty. It has no prior of b, so that the comparison is of items that some solve and
    some do not."""
    girth = pytest.importorskip("girth", reason="the published fit comes with the extra 'dev'")
    truth = students(600, 25, 1, seed=5)
    ours = fit(truth.matrix)
    theirs = girth.twopl_mml(truth.matrix.passes.T.astype(int))
    share = truth.matrix.passes.mean(0)
    middle = (share > 0.1) & (share < 0.9)
    assert np.corrcoef(ours.items.b[middle], theirs["Difficulty"][middle])[0, 1] > 0.995
    assert rms(ours.items.b[middle] - theirs["Difficulty"][middle]) < 0.1
    assert rms(np.log(ours.items.a[middle] / theirs["Discrimination"][middle])) < 0.12
