"""The README's recipes work on the exports that they are for."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from replay.mapping import Mapping
from replay.pipeline import as_read, check_job, find_stored, make_job, preview
from replay.settings import ReadSettings

HERE = Path(__file__).parent
README = (HERE.parents[1] / "README.md").read_text("utf-8")
RECIPES = dict(re.findall(r"^\*\*(\w+)\*\*.*?```toml\n(.*?)```", README, re.S | re.M))
EVENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "Adjust": (
        "adjust.csv.gz",
        {
            "event": {
                "key": "purchase",
                "properties": {
                    "revenue": 32000,
                    "currency": "KRW",
                    "itemNumber": "004",
                    "originalTime": "2024-03-01T04:05:05Z",
                },
            },
            "user": {"userId": "00123", "deviceId": "4f1c8a7d"},
        },
    ),
    "CleverTap": (
        "clevertap_page.json",
        {
            "event": {
                "key": "purchase",
                "properties": {"amount": 32000, "product": "커피", "originalTime": "2024-03-01T04:05:05Z"},
            },
            "user": {
                "userId": "00123",
                "deviceId": "a8ffcbc9-a747-4ee3-a791-c5e58ad03097",
                "properties": {"grade": "GOLD"},
            },
        },
    ),
    "Matomo": (
        "matomo_live_utf16.csv",
        {
            "event": {
                "key": "purchase",
                "properties": {
                    "category": "shop",
                    "name": "커피",
                    "value": 32000,
                    "originalTime": "2024-03-01T04:05:05Z",
                },
            },
            "user": {"userId": "00123", "deviceId": "a1b2c3d4e5f60718"},
        },
    ),
    "Shopify": (
        "shopify_orders.csv",
        {
            "event": {
                "key": "purchase",
                "value": 64000,
                "properties": {
                    "orderId": "5123456789012",
                    "orderName": "#1001",
                    "currency": "KRW",
                    "discountCode": "WELCOME",
                    "originalTime": "2024-03-01T04:05:00Z",
                },
            },
            "user": {"userId": "kim@example.com"},
        },
    ),
    "Stripe": (
        "stripe_payments.csv",
        {
            "event": {
                "key": "payment",
                "value": 32000.0,
                "properties": {
                    "paymentId": "ch_1",
                    "currency": "krw",
                    "originalTime": "2024-03-01T04:05:05Z",
                },
            },
            "user": {"userId": "00123", "identifiers": {"stripeCustomer": "cus_1"}},
        },
    ),
}


def sent(path: Path, mapping: Mapping, read: ReadSettings) -> list[Any]:
    job = make_job(find_stored([path], read, path.parent), mapping, read)
    assert check_job(job).rows["invalid"] == 0
    return [json.loads(body) for body in preview(job, 1000).bodies]


@pytest.mark.parametrize("vendor", EVENTS)
def test_a_recipe_makes_events_of_the_export_that_it_is_for(vendor: str, tmp_path: Path) -> None:
    name, event = EVENTS[vendor]
    mapping = Mapping.loads(RECIPES[vendor], "README")
    path = Path(shutil.copy(HERE / "examples" / name, tmp_path / name))
    assert sent(path, mapping, as_read(mapping, ReadSettings())) == [event]


def test_every_recipe_is_tried() -> None:
    assert set(RECIPES) == set(EVENTS)
