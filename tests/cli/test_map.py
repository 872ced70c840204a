"""`map` drafts a mapping that loads, fits and checks, finds the presets by itself, and overwrites nothing."""

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cli.desk import TOP

from replay import pipeline
from replay.settings import ReadSettings

EXAMPLES = TOP / "tests" / "mapping" / "examples"
CLEAN = {
    "amplitude.jsonl": "amplitude",
    "amplitude_export.zip": "amplitude",
    "snowplow_enriched.tsv": "snowplow",
    "mixpanel.jsonl": "mixpanel",
    "segment.jsonl": "segment",
    "segment.json.gz": "segment",
    "segment_tracks.csv": "segment-warehouse",
    "rudderstack.jsonl": "rudderstack",
    "ga4_bigquery.jsonl": "ga4",
    "posthog_batch_export.jsonl": "posthog",
    "posthog_ui.csv": "posthog",
    "appsflyer_in_app_events.csv": "appsflyer",
    "heap.csv": "heap",
    "braze_custom_http.jsonl": "braze",
    "adjust.csv": None,
    "google_sheets.csv": None,
    "hackle_data_import_shape.jsonl": None,
    "braze_currents_avro_json.jsonl": None,
}
"""Exports that become events by what `map` writes, as it stands; and the preset that it finds."""


def example(desk, name):
    return Path(shutil.copy(EXAMPLES / name, desk.folder / name)).name


def mapped(desk, source, *options):
    made = desk.type("map", source, "-o", "m.toml", *options)
    return made, desk.type("check", source, "--map", "m.toml", "--json")


@pytest.mark.parametrize("name", CLEAN)
def test_an_export_is_clean_by_what_map_writes(desk, name):
    made, checked = mapped(desk, example(desk, name))
    assert (made.code, made.out) == (0, "")
    preset = CLEAN[name]
    assert (f"the preset {preset} fits" in made.err) is (preset is not None)
    assert f"replay check {name} --map m.toml" in made.err
    assert (checked.code, checked.rows["invalid"], checked.rows["valid"] > 0) == (0, 0, True)


@pytest.mark.parametrize("name", ["shopify_orders.csv", "stripe_payments.csv", "matomo_live_utf16.csv"])
def test_an_export_that_needs_a_word_says_so_and_sends_nothing_until_it_has_it(desk, name):
    made, checked = mapped(desk, example(desk, name))
    assert "write the event's key into the mapping" in made.err
    assert (checked.code, checked.rows["valid"]) == (3, 0)
    assert {problem["rule"] for problem in checked.json["problems"]} >= {"event-key-missing"}


@pytest.mark.parametrize("name", ["purchases.csv", "purchases.jsonl", "messy.csv"])
def test_the_sample_data_can_be_mapped(desk, name):
    shutil.copy(TOP / "sample_data" / name, desk.folder / name)
    _, checked = mapped(desk, name)
    assert checked.code == (3 if name == "messy.csv" else 0)


def test_pages_of_records_keep_their_path_in_the_draft(desk):
    name = example(desk, "clevertap_page.json")
    made, checked = mapped(desk, name, "--records", "records")
    assert 'records = "records"' in (desk.folder / "m.toml").read_text("utf-8")
    assert "write the event's key into the mapping" in made.err
    assert (checked.code, checked.rows["read"]) == (3, 1)


def test_a_parquet_of_posthog_is_clean_by_its_preset(desk):
    record = json.loads((EXAMPLES / "posthog_batch_export.jsonl").read_text("utf-8"))
    texts = {name: json.dumps(record[name]) for name in ("properties", "person_properties")}
    pq.write_table(pa.Table.from_pylist([record | texts]), desk.folder / "events.parquet")
    made, checked = mapped(desk, "events.parquet")
    assert "the preset posthog fits" in made.err
    assert (checked.code, checked.rows["valid"]) == (0, 1)


def test_without_a_file_the_mapping_is_printed_and_nothing_is_written(desk):
    desk.csv("buy,u1,1,a")
    before = sorted(path.name for path in desk.folder.iterdir())
    made = desk.type("map", "rows.csv")
    assert 'userId = "user"' in made.out
    assert "Looked at the only row" in made.err
    assert sorted(path.name for path in desk.folder.iterdir()) == before
    assert desk.type("map", "rows.csv", "--quiet").err == ""


def test_a_file_that_exists_is_never_overwritten_without_force(desk):
    desk.csv("buy,u1,1,a")
    desk.write("m.toml", "# mine\n")
    refused = desk.type("map", "rows.csv", "-o", "m.toml")
    assert (refused.code, "the file exists" in refused.err) == (2, True)
    assert (desk.folder / "m.toml").read_text() == "# mine\n"
    assert desk.type("map", "rows.csv", "-o", "m.toml", "--force").code == 0
    assert "[event]" in (desk.folder / "m.toml").read_text()


def test_a_place_that_cannot_be_written_is_an_error_in_words(desk):
    desk.csv("buy,u1,1,a")
    ended = desk.type("map", "rows.csv", "-o", "nowhere/m.toml")
    assert (ended.code, "cannot be written" in ended.err) == (1, True)


def test_list_shows_every_preset_and_each_can_be_had_without_a_source(desk):
    listed = desk.type("map", "--list")
    names = [line.split()[0] for line in listed.out.splitlines()]
    assert {"amplitude", "mixpanel", "segment", "rudderstack", "ga4", "posthog"} <= set(names)
    assert {"snowplow", "appsflyer", "heap", "braze", "hackle"} <= set(names)
    for name in names:
        assert desk.type("map", "--preset", name, "-o", f"{name}.toml").code == 0
        assert "[event]" in (desk.folder / f"{name}.toml").read_text("utf-8")


def test_a_preset_that_is_named_is_used_and_must_fit(desk):
    example(desk, "rudderstack.jsonl")
    made = desk.type("map", "rudderstack.jsonl", "--preset", "segment")
    assert "# The preset segment, for rudderstack.jsonl." in made.out
    wrong = desk.type("map", "rudderstack.jsonl", "--preset", "amplitude")
    assert (wrong.code, "no member 'event_type'" in wrong.err) == (2, True)
    unknown = desk.type("map", "rudderstack.jsonl", "--preset", "segmnt")
    assert (unknown.code, "did you mean 'segment'" in unknown.err) == (2, True)


def test_neither_source_nor_preset_is_wrong_usage(desk):
    ended = desk.type("map")
    assert (ended.code, "--preset NAME" in ended.err) == (2, True)


def test_a_source_without_rows_gives_no_draft(desk):
    desk.write("rows.csv", "event,user\n")
    ended = desk.type("map", "rows.csv", "-o", "m.toml")
    assert (ended.code, "no row that can be read" in ended.err) == (2, True)
    assert not (desk.folder / "m.toml").exists()


def test_rows_that_cannot_be_read_are_told(desk):
    desk.csv("buy,u1,1,a", "short")
    assert "1 row could not be read" in desk.type("map", "rows.csv").err


def test_a_draft_over_several_files_fits_each_of_them(desk):
    desk.csv("buy,u1,1,a", name="one.csv")
    desk.write("two.csv", "event,user,extra\nbuy,u2,x\n")
    made = desk.type("map", "one.csv", "two.csv", "-o", "m.toml")
    assert made.code == 0
    assert desk.type("check", "one.csv", "two.csv", "--map", "m.toml").code == 0


def test_the_way_a_source_is_read_goes_into_the_draft(desk):
    desk.write("rows.csv", "이벤트;회원번호\n구매;1\n".encode("cp949"))
    assert desk.type("map", "rows.csv", "--encoding", "cp949", "-o", "m.toml").code == 0
    assert desk.type("check", "rows.csv", "--map", "m.toml").code == 0


def test_personal_data_that_a_preset_would_send_is_warned_of(desk):
    example(desk, "heap.csv")
    assert "user.userId looks like personal data: an e-mail address" in desk.type("map", "heap.csv").err


def test_a_look_that_takes_too_long_ends_and_says_how_far_it_came(desk):
    desk.numbered(90_000)
    moments = iter(range(1_000))
    looking = pipeline.Looking(ReadSettings(), lambda: float(next(moments)), seconds=2)
    draft = pipeline.draft(pipeline.find_stored(["rows.csv"], ReadSettings(), desk.folder), looking)
    assert "as many as 2 s allowed" in draft.text
    rows = int(draft.notes[0].split("the first ")[1].split(" ")[0].replace(",", ""))
    assert 0 < rows < 90_000


def test_what_a_header_holds_cannot_steer_a_terminal(desk):
    desk.write("rows.csv", "event,user,\x1b[31m\u202e\x9b\nbuy,u1,1\n")
    made = desk.type("map", "rows.csv")
    assert made.code == 0
    assert not {"\x1b", "\u202e", "\x9b"} & set(made.out + made.err)


def test_standard_input_can_be_looked_at(desk):
    desk.write("rows.jsonl", json.dumps({"event": "a", "userId": "u"}))
    with (desk.folder / "rows.jsonl").open("rb") as stdin:
        made = desk.alone("map", "-", "--format", "jsonl", stdin=stdin)
    assert (made.code, 'key = "event"' in made.out) == (0, True)


def test_sources_that_one_mapping_cannot_fit_are_refused(desk):
    desk.csv("buy,u1,1,a")
    names = [
        example(desk, name) for name in ("segment.jsonl", "mixpanel.jsonl", "hackle_data_import_shape.jsonl")
    ]
    shapes = desk.type("map", *names)
    assert (shapes.code, "different shapes (mixpanel, segment)" in shapes.err) == (2, True)
    kinds = desk.type("map", "rows.csv", names[2])
    assert (kinds.code, "some are JSON records" in kinds.err) == (2, True)
