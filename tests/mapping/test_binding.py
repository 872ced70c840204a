from __future__ import annotations

import unicodedata

import pytest
from mapping.chunks import apply, assigned, breaches, fit, records, table, values

from replay.errors import MappingError
from replay.mapping import Mapping, bind


def refusal(header: list[str], *assignments: str) -> str:
    with pytest.raises(MappingError) as error:
        bind(assigned(*assignments), "table", tuple(header), "events.csv", None)
    assert "events.csv" in str(error.value)
    return str(error.value)


def unseen(record: object, *assignments: str) -> str:
    bound = fit(records(record), assigned(*assignments))
    bound.apply(records(record))
    return " ".join(bound.unseen().values())


@pytest.mark.parametrize(
    ("header", "source", "says"),
    [
        (["event_name"], "event_nmae", "did you mean 'event_name'?"),
        (["Event"], "event", "did you mean 'Event' (case counts)?"),
        ([" event "], "event", "did you mean ' event ' (the spaces around it count)?"),
        ([unicodedata.normalize("NFD", "이름")], "이름", "the file writes it in decomposed Unicode (NFD)"),
        (["이름"], unicodedata.normalize("NFD", "이름"), "the file writes it in composed Unicode (NFC)"),
        (["amount"], "amount:numbr", "it has 'amount', but 'numbr' is none of the types string, number"),
        (["amount"], "amont:number", "did you mean 'amount'?"),
        ([], "a", "It has: nothing."),
    ],
)
def test_a_missing_column_is_an_error_that_offers_what_looks_like_it(
    header: list[str], source: str, says: str
) -> None:
    assert says in refusal(header, f"event.key={source}")


def test_a_repeated_name_that_the_mapping_reads_is_an_error_with_its_places() -> None:
    assert "'a' stands over 2 columns (1, 3)" in refusal(["a", "b", "a"], "event.key=a")


def test_a_repeated_name_that_nothing_reads_does_no_harm() -> None:
    assert values(
        apply(table(["a", "b", "a"], ["1", "2", "3"]), assigned("event.key=b")), "event", "key"
    ) == {0: "2"}


@pytest.mark.parametrize(
    ("header", "says"),
    [(["k", "a", "a"], "stands over 2 columns (2, 3)"), (["k", ""], "column 2 has an empty name")],
)
def test_the_star_reads_no_repeated_and_no_empty_name(header: list[str], says: str) -> None:
    assert says in refusal(header, "event.key=k", "event.properties.*=*")


def test_a_header_that_itself_holds_the_text_wins_over_the_type() -> None:
    chunk = table(["amount:number", "amount"], ["x", "5"])
    mapped = apply(chunk, assigned("event.properties.p=amount:number"))
    assert values(mapped, "event", "properties", "p") == {0: "x"}


def test_a_member_that_itself_holds_the_text_wins_over_the_type() -> None:
    mapped = apply(records({"a:number": "x", "a": "5"}), assigned("event.properties.p=a:number"))
    assert values(mapped, "event", "properties", "p") == {0: "x"}


def test_in_a_table_a_literal_name_wins_over_a_path_into_a_json_cell() -> None:
    chunk = table(["a.b", "a"], ["literal", '{"b":"inside"}'])
    assert values(apply(chunk, assigned("event.key=a.b")), "event", "key") == {0: "literal"}


def test_a_path_goes_into_the_json_cells_of_a_table() -> None:
    chunk = table(["data", "p.q"], ['{"a":{"b.c":5}}', '{"r":1}'], ["", ""], ["null", "{}"], ["3", "{"])
    mapped = apply(chunk, assigned(r"event.properties.x=data.a.b\.c", "event.properties.y=p.q.r:string"))
    assert values(mapped, "event", "properties", "x") == {0: 5}
    assert values(mapped, "event", "properties", "y") == {0: "1"}
    assert breaches(mapped) == [("cast-failed", "event.properties.y", [3])]


def test_a_path_goes_into_records_and_an_escaped_dot_belongs_to_the_name() -> None:
    chunk = records({"a": {"b": 1}, "a.b": 2}, {"a": 5}, {"a": {"b": None}})
    mapped = apply(chunk, assigned("event.properties.x=a.b", r"event.properties.y=a\.b"))
    assert values(mapped, "event", "properties", "x") == {0: 1}
    assert values(mapped, "event", "properties", "y") == {0: 2}


def test_a_path_that_no_record_has_so_far_is_told_with_near_matches() -> None:
    says = unseen({"props": {"Amount": 1}, "_replay": {"id": 1}}, "event.properties.a=props.amount")
    assert "did you mean 'props.Amount' (case counts)?" in says
    assert "_replay" not in says


def test_a_member_that_comes_in_a_later_record_is_read_from_there_on() -> None:
    bound = fit(records({"e": "a"}), assigned("event.key=e", "event.properties.vip=vip"))
    bound.apply(records({"e": "a"}))
    assert list(bound.unseen()) == ["vip"]
    mapped = bound.apply(records({"e": "b", "vip": True}))
    assert bound.unseen() == {}
    assert values(mapped, "event", "properties", "vip") == {0: True}


def test_a_null_shows_that_a_member_exists() -> None:
    assert apply(records({"a": None}), assigned("event.key=a")).columns == {}


def test_the_star_takes_every_column_that_nothing_names_and_none_of_our_own() -> None:
    mapping = Mapping.parse(
        {
            "event": {"key": "e", "properties": {"amount": "a:number", "*": "*"}},
            "time": {"column": "ts", "timezone": "UTC"},
        },
        "m",
    )
    chunk = table(["e", "a", "x", "ts", "_replay_id", "y"], ["k", "1", "2", "2024-01-01", "id", ""])
    assert set(apply(chunk, mapping).columns) == {
        ("event", "key"),
        ("event", "properties", "amount"),
        ("event", "properties", "x"),
    }


def test_the_star_takes_every_member_of_a_record_that_nothing_names() -> None:
    chunk = records({"e": "k", "x": [1], "_replay": {}}, {"e": "k", "y": "", "z": True})
    mapped = apply(chunk, assigned("event.key=e", "event.properties.*=*", "user.properties.*=*"))
    assert values(mapped, "event", "properties", "x") == {0: [1]}
    assert values(mapped, "user", "properties", "z") == {1: True}
    assert len(mapped.columns) == 5


def test_a_named_target_wins_over_the_column_of_that_name() -> None:
    for chunk in (table(["a", "b"], ["1", "2"]), records({"a": "1", "b": "2"})):
        mapped = apply(chunk, assigned("event.properties.a=b", "event.properties.*=*"))
        assert values(mapped, "event", "properties", "a") == {0: "2"}


def test_a_time_takes_no_type_and_no_property_twice() -> None:
    for document, says in (
        ({"time": {"column": "ts:number"}}, "a time takes no type"),
        (
            {"event": {"properties": {"t": "a"}}, "time": {"column": "ts", "property": "t"}},
            "fills this property",
        ),
    ):
        with pytest.raises(MappingError, match=says):
            fit(table(["ts", "a"], ["1", "2"]), Mapping.parse(document, "m"))


def test_a_table_whose_headers_are_the_apis_paths_maps_itself() -> None:
    chunk = table(
        [
            "event.key",
            "event.value:number",
            "event.properties.a.b",
            "user.userId",
            "user.properties.age:number",
            "x",
        ],
        ["k", "5", "text", "007", "30", "left out"],
    )
    mapped = apply(chunk, None)
    assert {".".join(t): c.tolist() for t, c in mapped.columns.items()} == {
        "event.key": ["k"],
        "event.value": [5],
        "event.properties.a.b": ["text"],
        "user.userId": ["007"],
        "user.properties.age": [30],
    }
    assert breaches(mapped) == [("field-unknown", "x", [0])]


def test_our_own_columns_in_a_failed_file_are_not_unknown_fields() -> None:
    chunk = table(["event.key", "user.userId", "_replay_id"], ["k", "u", "1"])
    assert apply(chunk, Mapping.empty()).findings == []


def test_two_headers_for_one_target_are_an_error() -> None:
    header = ["event.key", "user.userId", "user.properties.a", "user.properties.a:number"]
    with pytest.raises(MappingError, match=r"two columns give user.properties.a"):
        fit(table(header), None)


@pytest.mark.parametrize("header", [["event", "user"], ["event.key"], ["user.userId"], []])
def test_any_other_table_says_how_to_draft_a_mapping(header: list[str]) -> None:
    with pytest.raises(MappingError) as error:
        bind(None, "table", tuple(header), "my events.csv", None)
    assert "replay map 'my events.csv' -o mapping.toml" in str(error.value)
    assert "--map mapping.toml" in str(error.value)
    assert "--set event.key=COLUMN" in str(error.value)


def test_records_of_another_shape_say_how_to_draft_a_mapping() -> None:
    with pytest.raises(MappingError, match=r"replay map events\.csv -o mapping\.toml"):
        fit(records({"event": "click"}), None)


def test_no_records_at_all_need_no_mapping() -> None:
    assert fit(records(), None).apply(records()).columns == {}
