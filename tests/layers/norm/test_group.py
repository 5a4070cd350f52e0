"""Group norm against torch."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compose import (
    group_norm,
)
from tests.cases.case import Case
from tests.cases.in_torch import prove
from tests.cases.norm import grouped

BOUNDED = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


SHAPES = st.lists(st.integers(1, 5), min_size=0, max_size=3)


@pytest.mark.slow
@given(SHAPES, st.integers(1, 4), st.integers(1, 3))
@BOUNDED
def test_any_group_norm_is_torch(x64, space, groups, each):
    if len(space) or each > 1:  # else nothing is averaged
        prove(Case(group_norm(groups), ((2, *space, groups * each),)), grouped(groups))
