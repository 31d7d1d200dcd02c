#!/usr/bin/env python3
"""The funnel, what ads bring and to whom a purchase is owed, and the recommendations, counted a second
time: simulated shops, whose events come out of order and some of them twice, are read by the packs and
written to files; this program counts the files in the plainest way and must get the packs' rows.

RIALTO names the command."""

import collections
import datetime
import decimal
import itertools
import json
import math
import pathlib
import random
import subprocess
import sys
import tempfile
import time

import golden

D = decimal.Decimal
# Many customers in a few days before Christmas with many copies, fewer in more days with few copies.
SHOPS = ({"SHOP_SEED": 11, "SHOP_DAYS": 5, "SHOP_CUSTOMERS": 2000, "COPIES": 0.05},
         {"SHOP_SEED": 12, "SHOP_DAYS": 9, "SHOP_CUSTOMERS": 1200, "COPIES": 0.02},
         {"SHOP_SEED": 13, "SHOP_DAYS": 3, "SHOP_CUSTOMERS": 4000, "COPIES": 0.1,
          "SHOP_START": "2025-12-12"})
FEEDS = ("behavior_event", "ad_event", "sale_line")
DAY, SECOND = datetime.timedelta(days=1), datetime.timedelta(seconds=1)
SHOWN, POOL, POPULAR_WEIGHT = 10, 100, 0.7
# Of a session's list; the half-life is in seconds.
SESSION_POPULAR, SESSION_NEIGHBOURS, SESSION_HALF_LIFE = 30, 10, 180


def project(folder, shop):
    """The three packs over the shop, and what it says as files of one object a line."""
    packs = golden.ROOT / "packs"
    tables = (packs / "model/from_shop.sql").read_text(encoding="utf-8")
    tables = tables.replace("'connector' = 'shop'", "'connector' = 'shop', 'duplicates' = '${COPIES}'")
    (folder / "tables").mkdir()
    (folder / "dump").mkdir()
    (folder / "tables/shop.sql").write_text(
        "SET 'table.local-time-zone' = 'UTC';\n" + tables, encoding="utf-8")
    (folder / "dump/files.sql").write_text("".join(
        f"CREATE TABLE said_{feed} WITH ('connector' = 'filesystem', 'path' = 'said/{feed}',"
        f" 'format' = 'json') LIKE model.{feed} (EXCLUDING WATERMARKS);\n"
        f"INSERT INTO said_{feed} SELECT * FROM {feed};\n" for feed in FEEDS), encoding="utf-8")
    include(folder, ["tables", "dump"], ("behavior", "ads", "recommend"), shop)


def include(folder, mine, packs, variables):
    files = [f"{golden.ROOT}/packs/model/sql", *mine,
             *(f"{golden.ROOT}/packs/{pack}/sql" for pack in packs)]
    lines = [f"include = {json.dumps(files)}", "[variables]",
             *(f'{name} = "{value}"' for name, value in variables.items())]
    (folder / "rialto.toml").write_text("\n".join(lines), encoding="utf-8")


def crowd(folder, events):
    """The same purchases behind many clicks of their buyers, which are made up: few customers of the
    shop click twice in a week. The project reads them from files, some twice and out of order."""
    dice, clicks = random.Random(5), []
    for transaction, at, customer, _ in purchases(once(events["sale_line"])):
        for number in range(dice.randrange(8) if customer else 0):
            when = at - datetime.timedelta(seconds=dice.randrange(9 * 86400))
            clicks.append({"event_id": f"{transaction}/{number}", "kind": "click",
                           "event_time": when.isoformat(" ", "seconds") + "Z",
                           "campaign_id": f"ad-{dice.randrange(4)}", "imp_id": "none",
                           "click_id": f"{transaction}/{number}", "customer_id": customer})
    clicks += dice.sample(clicks, len(clicks) // 20)
    clicks.sort(key=moment)
    for at in range(1, len(clicks)):
        # Two that are less than the watermark's delay apart may change places.
        apart = moment(clicks[at]) - moment(clicks[at - 1])
        if apart < datetime.timedelta(seconds=9) and dice.random() < 0.5:
            clicks[at - 1], clicks[at] = clicks[at], clicks[at - 1]
    (folder / "clicks").mkdir()
    (folder / "clicks/all").write_text(
        "".join(json.dumps(row) + "\n" for row in clicks), encoding="utf-8")
    (folder / "none").mkdir()
    places = {"ad_event": "clicks", "campaign": "none", "sale_line": "said/sale_line",
              "behavior_event": "said/behavior_event"}
    (folder / "files").mkdir()
    (folder / "files/tables.sql").write_text(
        "SET 'table.local-time-zone' = 'UTC';\n" + "".join(
            f"CREATE TABLE {table} WITH ('connector' = 'filesystem', 'path' = '{place}',"
            f" 'format' = 'json') LIKE model.{table};\n" for table, place in places.items()),
        encoding="utf-8")
    include(folder, ["files"], ("ads",), {})
    found = attribution({**events, "ad_event": [{**row, "at": moment(row)} for row in clicks]})
    return views_of(folder), found


def moment(row):
    return datetime.datetime.fromisoformat(row["event_time"][:-1])


def views_of(folder):
    """The packs' rows by view."""
    arguments = [golden.command(), "run", str(folder), "-o", "json", "--rows", "1000000",
                 "--shards", "2"]
    done = subprocess.run(arguments, capture_output=True, text=True, encoding="utf-8")
    if done.returncode != 0:
        sys.exit(f"recount: FAILED: {' '.join(arguments)} ended with {done.returncode}\n"
                 f"{done.stderr}")
    views = collections.defaultdict(list)
    for line in done.stdout.splitlines():
        row = json.loads(line, parse_float=D)
        views[row["table"]].append(row["row"])
    return views


def said(folder):
    """The events by table, as often as they came."""
    events = {feed: [] for feed in FEEDS}
    for feed in FEEDS:
        for path in sorted((folder / "said" / feed).iterdir()):
            with path.open(encoding="utf-8") as file:
                for line in file:
                    row = json.loads(line, parse_float=D)
                    row["at"] = moment(row)
                    events[feed].append(row)
    return events


def once(rows):
    return list({row["event_id"]: row for row in rows}.values())


def percent(part, whole):
    return None if not whole else (D(100) * part / whole).quantize(D("0.01"), decimal.ROUND_HALF_UP)


# The funnel.

def funnel(events):
    """Sessions of each day that got to each step, a step being one that follows the step before."""
    steps = {"product_viewed": 1, "cart_added": 2, "checkout_started": 3, "checkout_step": 3}
    by_session = collections.defaultdict(list)
    for row in events["behavior_event"]:
        if row["session_id"] and row["action"] in steps:
            by_session[row["session_id"]].append((row["at"], steps[row["action"]]))
    for row in events["sale_line"]:
        if row["session_id"] and (row["txn_type"], row["line_type"]) == ("sale", "item"):
            by_session[row["session_id"]].append((row["at"], 4))
    days = collections.defaultdict(lambda: [0] * 5)
    for moments in by_session.values():
        reached, since = 0, datetime.datetime.min
        for step in (1, 2, 3, 4):
            fitting = [at for at, what in moments if what == step and at >= since]
            if not fitting:
                break
            reached, since = step, min(fitting)
            if step == 1:
                day = since.date().isoformat()
        for step in range(1, reached + 1):
            days[day][step] += 1
    return {(day, step): (of[step], percent(of[step], of[step - 1] if step > 1 else of[1]),
                          percent(of[step], of[1]))
            for day, of in days.items() for step in (1, 2, 3, 4)}


# Ads.

def by_campaign(ads):
    """Impressions, matched and other clicks, conversions, cost and revenue of a campaign's day."""
    days = collections.defaultdict(lambda: [0, 0, 0, 0, D(0), D(0)])
    shown = {row["imp_id"]: row for row in ads if row["kind"] == "impression"}
    clicks = {row["click_id"]: row for row in ads if row["kind"] == "click"}
    for row in ads:
        day = days[row["campaign_id"], row["at"].date().isoformat()]
        if row["kind"] in ("impression", "cost"):
            day[0] += row["kind"] == "impression"
            day[4] += D(row["price_micros"] or 0) / 1_000_000
        elif row["kind"] == "click":
            of = shown.get(row["imp_id"])
            day[1 if of and row["at"] - DAY <= of["at"] <= row["at"] else 2] += 1
        elif row["kind"] == "conversion" and row["click_id"] in clicks:
            click = clicks[row["click_id"]]
            if row["at"] - 7 * DAY <= click["at"] <= row["at"]:
                day = days[click["campaign_id"], click["at"].date().isoformat()]
                day[3] += 1
                day[5] += D(row["conversion_value"] or 0)
    return {key: tuple(of) for key, of in days.items() if any(of)}


def purchases(lines):
    receipts = collections.defaultdict(list)
    for row in lines:
        if row["txn_type"] in ("sale", "void") and row["line_type"] in ("item", "gift", "discount"):
            receipts[row["transaction_id"]].append(row)
    for transaction, rows in receipts.items():
        revenue = sum(D(row["line_total"]) for row in rows)
        if revenue > 0:
            customer = max((row["customer_id"] for row in rows if row["customer_id"]), default=None)
            yield transaction, min(row["at"] for row in rows), customer, revenue


def shares(revenue, touches):
    """What each model owes to each of so many touches, in their order."""
    def rounded(value):
        return value.quantize(D("0.0001"), decimal.ROUND_HALF_UP)
    rest = [D(0)] * (touches - 1)
    even, ends = rounded(revenue / touches), rounded(revenue * D("0.4"))
    between = rounded(revenue * D("0.2") / (touches - 2)) if touches > 2 else D(0)
    position = {1: [revenue], 2: [rounded(revenue / 2), revenue - rounded(revenue / 2)]}.get(
        touches, [ends, *[between] * (touches - 2), revenue - ends - between * (touches - 2)])
    return {"first": [revenue, *rest], "last": [*rest, revenue], "position": position,
            "linear": [even] * (touches - 1) + [revenue - even * (touches - 1)]}


def attribution(events):
    """Revenue and purchases by day, model and campaign."""
    whose = {}
    for row in sorted(once(events["behavior_event"]), key=lambda row: row["at"]):
        if row["anonymous_id"] and row["customer_id"]:
            whose[row["anonymous_id"]] = row["customer_id"]
    touches = collections.defaultdict(list)
    for row in once(events["ad_event"]):
        customer = row["customer_id"] or whose.get(row["anonymous_id"])
        if row["kind"] == "click" and customer:
            touches[customer].append((row["at"], row["event_id"], row["campaign_id"]))
    owed = collections.defaultdict(lambda: [D(0), set()])
    for transaction, at, customer, revenue in purchases(once(events["sale_line"])):
        path = sorted(touch for touch in touches.get(customer, ())
                      if at - 7 * DAY <= touch[0] <= at)[-20:]
        campaigns = [campaign for _, _, campaign in path] or ["none"]
        for model, credits in shares(revenue, len(campaigns)).items():
            for campaign, credit in zip(campaigns, credits):
                if credit > 0:
                    of = owed[at.date().isoformat(), model, campaign]
                    of[0] += credit
                    of[1].add(transaction)
    return {key: (revenue, len(of)) for key, (revenue, of) in owed.items()}


# Recommendations.

def with_others(baskets):
    """The twenty that are most often in a basket with each article."""
    pairs = collections.Counter(
        pair for skus in baskets for pair in itertools.permutations(sorted(skus), 2))
    by_sku = collections.defaultdict(list)
    for (sku, other), count in pairs.items():
        by_sku[sku].append((-count, other))
    return {(sku, other): (-count, place) for sku, others in by_sku.items()
            for place, (count, other) in enumerate(sorted(others)[:20], 1)}


def bought(events):
    return [row for row in once(events["sale_line"]) if row["sku"] and D(row["unit_price"]) > 0
            and (row["txn_type"], row["line_type"]) == ("sale", "item")]


def learned(found, day):
    """What counts of everybody: all before the last day; all where there is but one day."""
    days = {day(one) for one in found}
    return [one for one in found if len(days) == 1 or day(one) < max(days)]


def learned_sales(events):
    days = {row["business_date"] for row in events["sale_line"]}
    return [row for row in bought(events) if len(days) == 1 or row["business_date"] < max(days)]


def sessions(events):
    """The last five articles of each session, the newest first, and when it looked at them."""
    seen = collections.defaultdict(dict)
    for row in events["behavior_event"]:
        if row["action"] in ("product_viewed", "cart_added") and row["session_id"] and row["sku"]:
            at = seen[row["session_id"]].get(row["sku"], datetime.datetime.min)
            seen[row["session_id"]][row["sku"]] = max(at, row["at"])
    return {session: sorted(((at, sku) for sku, at in of.items()),
                            key=lambda item: (-item[0].timestamp(), item[1]))[:5]
            for session, of in seen.items()}


def just_bought(events):
    sold = bought(events)
    today = max(row["business_date"] for row in once(events["sale_line"]))
    return {(row["customer_id"], row["sku"]) for row in sold
            if row["customer_id"] and row["business_date"] == today}


def customer_lists(views, just):
    """The lists of all customers, from the counts that fade, which are checked apart."""
    popular = sorted(views["recommend_popular"], key=lambda row: row["place"])
    gone = {row["sku"] for row in views["recommend_out_of_stock"]}
    own = collections.defaultdict(dict)
    for row in views["recommend_repeat"]:
        own[row["customer_id"]][row["sku"]] = float(row["power"])
    lists = {}
    for customer, powers in own.items():
        most = max(powers.values())
        scores = collections.defaultdict(float)
        for sku, power in powers.items():
            scores[sku] += 2 ** (power - most)
        for row in popular:
            top = float(popular[0]["power"])
            scores[row["sku"]] += POPULAR_WEIGHT * 2 ** (float(row["power"]) - top)
        again = sorted((-round(score, 9), sku) for sku, score in scores.items()
                       if sku not in gone and (customer, sku) not in just)
        lists[customer, "buy_again"] = [sku for _, sku in again[:SHOWN]]
        new = [row["sku"] for row in popular if row["sku"] not in powers]
        lists[customer, "discover"] = new[:SHOWN]
    return {key: skus for key, skus in lists.items() if skus}


def session_lists(views, events, items, just):
    """What sessions are shown that are going on."""
    newest = max(of[0][0] for of in items.values())
    since = newest.replace(minute=0, second=0, microsecond=0) - datetime.timedelta(hours=1)
    who, viewed = collections.defaultdict(set), collections.defaultdict(dict)
    for row in events["behavior_event"]:
        if row["action"] in ("product_viewed", "cart_added") and row["session_id"] and row["sku"]:
            who[row["session_id"]].add(row["customer_id"])
            of, item = viewed[row["session_id"]], (row["customer_id"], row["sku"])
            of[item] = max(row["at"], of.get(item, row["at"]))
    gone = {row["sku"] for row in views["recommend_out_of_stock"]}
    beside = by_sku(views["recommend_goes_with"])
    lists = {}
    for session, seen in items.items():
        if seen[0][0] < since:
            continue
        scores, began = collections.Counter(), min(viewed[session].values())
        for at, sku in seen:
            weight = 2 ** min(36, (at - began) // SECOND / SESSION_HALF_LIFE)
            for row in beside.get(sku, ()):
                if row["place"] <= SESSION_NEIGHBOURS:
                    scores[row["with_sku"]] += int(row["score"] * weight)
        for row in views["recommend_popular"]:
            if row["place"] <= SESSION_POPULAR:
                scores[row["sku"]] += 100 - row["place"]
        own = {sku for _, sku in seen} | gone | {
            sku for customer, sku in just if customer in who[session]}
        best = sorted((-score, sku) for sku, score in scores.items() if sku not in own)
        lists[session] = [sku for _, sku in best[:SHOWN]]
    return lists


def goes_with(views):
    """The twenty that are most often bought or looked at with each article; a basket counts double."""
    scores = collections.defaultdict(collections.Counter)
    for weight, column, view in ((1000, "baskets", "recommend_bought_with"),
                                 (500, "sessions", "recommend_viewed_with")):
        for row in views[view]:
            scores[row["sku"]][row["with_sku"]] += weight * row[column]
    return {(sku, other): (-score, place) for sku, others in scores.items() for place, (score, other)
            in enumerate(sorted((-score, other) for other, score in others.items())[:20], 1)}


def by_sku(rows):
    found = collections.defaultdict(list)
    for row in rows:
        found[row["sku"]].append(row)
    return found


def popularity(events):
    """The logarithm of each article's fading count of baskets."""
    counts = collections.defaultdict(float)
    for sku, _, day in {(r["sku"], r["transaction_id"], r["business_date"])
                        for r in learned_sales(events)}:
        age = (datetime.date.fromisoformat(day) - datetime.date(2020, 1, 1)).days
        counts[sku] += 2 ** (age / 14)
    return {sku: math.log2(count) for sku, count in counts.items()}


def placed(rows, *key):
    lists = collections.defaultdict(list)
    for row in sorted(rows, key=lambda row: row["place"]):
        lists[tuple(row[column] for column in key)].append(row["sku"])
    return lists


def columns_of(rows, key, *values):
    return {tuple(row[k] for k in key): tuple(row[v] for v in values) for row in rows}


def check_crowd(views, found):
    touches = collections.Counter(row["touches"] for row in views["ads_touch_credit"])
    return {
        "to whom it is owed behind many clicks": found == columns_of(
            views["ads_attribution"], ("day", "model", "campaign_id"), "revenue", "purchases"),
        "there are many clicks": all(touches[count] > 10 for count in (1, 2, 3, 5)),
    }


def check(views, events):
    def columns(view, key, *values):
        return columns_of(views[view], key, *values)
    ads = once(events["ad_event"])
    items, just = sessions(events), just_bought(events)
    baskets = collections.defaultdict(set)
    for row in learned_sales(events):
        if row["line_no"] <= 20:
            baskets[row["transaction_id"]].add(row["sku"])
    looked = collections.defaultdict(set)
    seen = [(session, at, sku) for session, of in items.items() for at, sku in of]
    for session, _, sku in learned(seen, lambda one: one[1].date()):
        looked[session].add(sku)
    powers, popular = popularity(events), views["recommend_popular"]
    gone = {row["sku"] for row in views["recommend_out_of_stock"]}
    lists = placed(views["recommend_customer_list"], "customer_id", "list_id")
    going = placed(views["recommend_session_list"], "session_id")
    return {
        "some events come twice": all(len(once(rows)) < len(rows) for rows in events.values()),
        "the funnel": funnel(events) == columns(
            "behavior_funnel", ("funnel_day", "step_no"), "sessions", "step_conversion_percent",
            "total_conversion_percent"),
        "what ads bring": by_campaign(ads) == columns(
            "ads_by_campaign_day", ("campaign_id", "day"), "impressions", "clicks",
            "unmatched_clicks", "conversions", "cost", "revenue"),
        "to whom a purchase is owed": attribution(events) == columns(
            "ads_attribution", ("day", "model", "campaign_id"), "revenue", "purchases"),
        "some purchase is owed to an ad": any(
            row["campaign_id"] != "none" for row in views["ads_attribution"]),
        "what is bought together": with_others(baskets.values()) == columns(
            "recommend_bought_with", ("sku", "with_sku"), "baskets", "place"),
        "what is looked at together": with_others(looked.values()) == columns(
            "recommend_viewed_with", ("sku", "with_sku"), "sessions", "place"),
        "what goes together": goes_with(views) == columns(
            "recommend_goes_with", ("sku", "with_sku"), "score", "place"),
        "what is popular": len(popular) == min(POOL, len(powers.keys() - gone)) and all(
            abs(powers[row["sku"]] - float(row["power"])) < 1e-5 for row in popular)
            and sorted(powers[sku] for sku in powers.keys() - gone)[-POOL:][0]
            > min(powers[row["sku"]] for row in popular) - 1e-5,
        "what customers are shown": lists
            == {key: skus for key, skus in customer_lists(views, just).items()},
        "what sessions are shown": going
            == {(of,): skus for of, skus in session_lists(views, events, items, just).items()},
        "every list is as long as it should be": lists and going and all(
            len(skus) == SHOWN for skus in (*lists.values(), *going.values())),
        "nothing is shown that is not there": not gone & {
            sku for skus in (*lists.values(), *going.values()) for sku in skus},
    }


def recount(shop):
    """What is wrong in a shop, and how many events it had."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        project(folder, shop)
        views = views_of(folder)
        events = said(folder)
        checks = check(views, events) | check_crowd(*crowd(folder, events))
    wrong = [what for what, is_so in checks.items() if not is_so]
    return wrong, sum(map(len, events.values()))


def main():
    begun, wrong, count = time.monotonic(), [], 0
    for shop in SHOPS:
        found, events = recount(shop)
        wrong += [f"shop {shop['SHOP_SEED']}: {what}" for what in found]
        count += events
    print(f"recount: {'FAILED: ' + '; '.join(wrong) if wrong else 'ok'}: {len(SHOPS)} shops, "
          f"{count} events, {time.monotonic() - begun:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
