import pytest

from arn_keras.errors import ConfigError
from arn_keras.measure.sweep_rows import key
from arn_keras.sweep import grid


def test_the_default_is_the_letters_point_of_one_seed():
    points = [point for point in grid.Grid().plan() if point.knowledge]
    assert {(p.seed, p.psr_db, p.training_snr_db) for p in points} == {(0, -10.0, (10.0, 10.0))}


def test_every_combination_is_planned_once():
    plan = grid.Grid(("a", "b"), (0, 1, 1), snrs_db=(0, 10, 0), psrs_db=(-20, -10)).plan()
    pairs = [point for point in plan if point.knowledge]
    # 2 sets x 2 seeds x 2 knowledges x 2 budgets x 2 SNRs, each trained at its own SNR
    assert len(pairs) == 32
    assert len(plan) == 32 + 4
    assert all(len(plan[point]) == 4 for point in pairs)
    assert all(len(plan[point]) == 2 for point in plan if not point.knowledge)
    keys = [grid.row_key(point, *m) for point, measured in plan.items() for m in measured]
    assert len(keys) == len(set(keys)) == 32 * 4 + 4 * 2


def test_one_pair_over_a_range_serves_every_snr():
    plan = grid.Grid(snrs_db=(-5, 10, 25), trainings=("range", 10.0), cases=("paired",)).plan()
    assert {p.training_snr_db for p in plan} == {(-5.0, 25.0), (10.0, 10.0)}
    assert all([snr for _, _, snr in m] == [-5.0, 10.0, 25.0] for m in plan.values())


def test_only_a_black_box_has_substitutes():
    plan = grid.Grid(black_box="ensemble").plan()
    assert {(p.knowledge, p.black_box) for p in plan} == {
        (None, None),
        ("white", None),
        ("black", "ensemble"),
    }


def test_the_figures_share_the_pair_that_is_in_both():
    three, four = (
        grid.Grid(**grid.FIGURES[figure], knowledges=("white",)).plan() for figure in (3, 4)
    )
    shared = set(three) & set(four)
    assert {p.name for p in shared if p.knowledge} == {"white,snr=10,psr=-10"}
    both = grid.merge([three, four])
    assert len(both) == len(three) + len(four) - len(shared)
    assert sum(map(len, both.values())) < sum(map(len, [*three.values(), *four.values()]))
    assert len([p for p in three if p.knowledge]) == 8  # seven SNRs, and the range over them


def test_what_is_there_is_not_planned_again():
    plan = grid.Grid(snrs_db=(0, 10)).plan()
    point = next(p for p in plan if p.knowledge)
    done = {key(grid.identity(point, *m)) for m in plan[point][:3]}
    left = grid.remaining(plan, done)
    assert left[point] == plan[point][3:]
    assert sum(map(len, left.values())) == sum(map(len, plan.values())) - 3
    everything = {grid.row_key(p, *m) for p, measured in plan.items() for m in measured}
    assert grid.remaining(plan, everything) == {}


def test_the_plain_link_has_a_name_for_the_user_too():
    assert grid.Point("digits", 0).name == "no modules"


def test_names_of_pairs_tell_them_apart():
    plan = grid.Grid(snrs_db=(-5, 0.5), psrs_db=(-10, -10.5), trainings=("matched", "range")).plan()
    names = [p.name for p in plan if p.knowledge]
    assert len(set(names)) == len(names) == 2 * 2 * 3
    assert "black,single,snr=-5..0.5,psr=-10.5" in names


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"snrs_db": ()}, "at least one of snrs_db, got an empty list"),
        ({"seeds": ()}, "at least one of seeds"),
        ({"snrs_db": (float("nan"),)}, "--snr-db: expected a finite number of dB, got nan"),
        ({"psrs_db": (float("inf"),)}, "--psr-db: expected a finite"),
        ({"trainings": (float("nan"),)}, "--training-snr-db: expected a finite"),
    ],
)
def test_what_cannot_be_planned_is_refused(fields, message):
    with pytest.raises(ConfigError, match=message):
        grid.Grid(**fields)
