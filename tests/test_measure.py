"""What the measured repetitions are made into; the timings themselves are no tests."""

import pytest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from tools.measure import Frame, Row, Wanted, duration, ends_a_run, is_elsewhere, main, number, read_rollup, table
from tools.measure import verdict as verdict_of

AT_MOST_TWO = Wanted("≤", 2)


@pytest.mark.parametrize(
    ("values", "wanted", "verdict"),
    [
        ((1.0, 2.0), AT_MOST_TWO, "held"),
        ((1.0, 2.1), AT_MOST_TWO, "missed"),
        ((1.0, 1.5, 9.0), Wanted("≤", 2, of="median"), "held"),
        ((60.0, 29.0), Wanted("≥", 30), "missed"),
        ((60.0, 30.0), Wanted("≥", 30), "held"),
        ((0.0,), Wanted("≤", 0), "held"),
        ((1.0,), None, ""),
        ((), AT_MOST_TWO, "not measured"),
    ],
)
def test_a_bound_is_held_by_the_worst_repetition_unless_it_is_about_the_median(
    values: tuple[float, ...], wanted: Wanted | None, verdict: str
) -> None:
    assert verdict_of(Row("figure", values, "s", wanted)) == verdict


def test_the_table_shows_median_and_worst_and_says_why_a_figure_is_missing() -> None:
    rows = [
        Row("load", (1.0, 1.25, 3.0), "s", AT_MOST_TWO),
        Row("rate", (60.0, 41.5), "frames/s", Wanted("≥", 30)),
        Row("heap", (1234.4,), "MB"),
        Row("memory", (), "", note="only Linux tells"),
    ]
    assert table(rows).splitlines() == [
        "figure  median         worst          of  wanted",
        "load    1.25 s         3 s            3   worst ≤ 2 s          missed",
        "rate    50.8 frames/s  41.5 frames/s  2   worst ≥ 30 frames/s  held",
        "heap    1234 MB        1234 MB        1",
        "memory" + " " * 57 + "not measured · only Linux tells",
    ]


@pytest.mark.parametrize(("value", "said"), [(0, "0"), (2, "2"), (0.01234, "0.0123"), (99.95, "100"), (1000.4, "1000")])
def test_a_number_has_three_digits_and_no_power_of_ten(value: float, said: str) -> None:
    assert number(value) == said


def test_a_rerun_lasts_from_the_first_message_sent_to_the_end_of_the_run_after_it() -> None:
    earlier = Frame(1.0, sent=False, ends=True)
    sent = Frame(2.0, sent=True)
    assert duration([earlier]) is None
    assert duration([earlier, sent, Frame(2.1, sent=False)]) is None
    assert duration([earlier, sent, Frame(2.1, sent=False), Frame(2.25, sent=False, ends=True)]) == 0.25


@pytest.mark.parametrize(
    ("message", "ends"),
    [
        (ForwardMsg(script_finished=ForwardMsg.FINISHED_SUCCESSFULLY), True),
        (ForwardMsg(script_finished=ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY), True),
        (ForwardMsg(script_finished=ForwardMsg.FINISHED_EARLY_FOR_RERUN), False),
        (ForwardMsg(ref_hash="a"), False),
    ],
)
def test_a_run_that_was_broken_off_for_another_has_not_ended(message: ForwardMsg, ends: bool) -> None:
    assert ends_a_run(message.SerializeToString()) is ends


def test_private_memory_is_what_no_other_process_shares() -> None:
    text = """00010000-7ffe52cfc000 ---p 00000000 00:00 0    [rollup]
Rss:               73712 kB
Pss:                5000 kB
Pss_Dirty:          8787 kB
Shared_Clean:      54520 kB
Private_Clean:      1000 kB
Private_Dirty:      2000 kB
Private_Hugetlb:       0 kB
Swap:               1000 kB
SwapPss:             500 kB
"""
    assert read_rollup(text) == pytest.approx((4.096, 5.632))


@pytest.mark.parametrize(
    ("url", "elsewhere"),
    [
        ("http://127.0.0.1:8501/", False),
        ("ws://127.0.0.1:8501/_stcore/stream", False),
        ("data:image/png;base64,AA", False),
        ("blob:http://127.0.0.1:8501/1", False),
        ("https://example.org/font.woff2", True),
        ("wss://example.org/", True),
    ],
)
def test_a_request_to_any_other_machine_is_seen(url: str, elsewhere: bool) -> None:
    assert is_elsewhere(url) is elsewhere


def test_a_figure_that_does_not_exist_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--only", "speed"])
    assert end.value.code == 2
    assert "'speed'" in capsys.readouterr().err
