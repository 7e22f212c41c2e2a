#!/usr/bin/env python3
"""Holds `cip run` to SQL: DuckDB reads the same source files and recomputes every table.

    pip install duckdb
    python3 scripts/check_sql.py target/release/cip SOURCE --mapping rees46|online-retail|streamflow

Compared, both ways and exactly, where the mapping gives them: the events of the store (read as any engine reads them) with the rows of the CSV,
fact_sessions with LAG and a running SUM, rfm_segments with NTILE and CASE, product_pairs with a self-join, features with a
cutoff in the middle of the data and a label window behind it (of a clickstream also those of examples/shop_features.toml, which has
every family of a specification), and a funnel (view, cart, purchase within a day; where there is a till
only, purchase, cancellation, purchase within 30 days) with its totals and abandoned carts; and paths of sessions and users, with
their order. Of a clickstream also the sessions of other rules, those of the source, and how the two lie in each other. Exit code
0 where all agree.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb

REES46 = """
    SELECT CAST(replace(event_time, ' UTC', '') AS TIMESTAMP) AS event_time, event_type, product_id, category_id,
           category_code, brand, price, user_id, user_session, NULL::BIGINT AS quantity, NULL::VARCHAR AS order_id
    FROM read_csv({files}, header = true, ignore_errors = true, columns = {{
        'event_time': 'VARCHAR', 'event_type': 'VARCHAR', 'product_id': 'BIGINT', 'category_id': 'BIGINT',
        'category_code': 'VARCHAR', 'brand': 'VARCHAR', 'price': 'DECIMAL(18, 2)', 'user_id': 'BIGINT',
        'user_session': 'UUID'}})
"""

ONLINE_RETAIL = """
    SELECT CAST(InvoiceDate AS TIMESTAMP) AS event_time,
           CASE WHEN InvoiceNo LIKE 'C%' THEN 'cancellation' WHEN InvoiceNo LIKE 'A%' THEN 'adjustment'
                ELSE 'purchase' END AS event_type,
           StockCode AS product_id, UnitPrice AS price, CAST(CAST(CustomerID AS DOUBLE) AS BIGINT) AS user_id,
           Quantity AS quantity, InvoiceNo AS order_id
    FROM read_csv({files}, header = true, columns = {{
        'InvoiceNo': 'VARCHAR', 'StockCode': 'VARCHAR', 'Description': 'VARCHAR', 'Quantity': 'BIGINT',
        'InvoiceDate': 'VARCHAR', 'UnitPrice': 'DECIMAL(18, 3)', 'CustomerID': 'VARCHAR', 'Country': 'VARCHAR'}})
"""

STREAMFLOW = """
    SELECT CAST(replace(replace("timestamp", 'T', ' '), 'Z', '') AS TIMESTAMP) AS event_time, event_type, user_id,
           session_id AS user_session, device_type, content_id, duration_seconds, page_url, referrer, country, plan_type,
           revenue, error_code, metadata,
           NULL::BIGINT AS product_id, NULL::DECIMAL(18, 2) AS price, NULL::BIGINT AS quantity
    FROM read_csv({files}, header = true, columns = {{
        'user_id': 'BIGINT', 'event_type': 'VARCHAR', 'timestamp': 'VARCHAR', 'session_id': 'UUID',
        'device_type': 'VARCHAR', 'content_id': 'VARCHAR', 'duration_seconds': 'BIGINT', 'page_url': 'VARCHAR',
        'referrer': 'VARCHAR', 'country': 'VARCHAR', 'plan_type': 'VARCHAR', 'revenue': 'DECIMAL(18, 2)',
        'error_code': 'VARCHAR', 'metadata': 'VARCHAR'}})
"""

SESSIONS = """
    WITH gaps AS (
        SELECT *, CASE WHEN event_time - lag(event_time) OVER w <= INTERVAL 30 MINUTE THEN 0 ELSE 1 END AS starts
        FROM source WHERE user_id IS NOT NULL WINDOW w AS (PARTITION BY user_id ORDER BY event_time)),
    numbered AS (
        SELECT *, sum(starts) OVER (PARTITION BY user_id ORDER BY event_time
                                    RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS session_seq
        FROM gaps)
    SELECT user_id, session_seq::BIGINT AS session_seq, min(event_time) AS session_start, max(event_time) AS session_end,
           epoch(max(event_time) - min(event_time))::BIGINT AS duration_seconds, count(*) AS events,
           count(*) FILTER (event_type = 'view') AS views, count(*) FILTER (event_type = 'cart') AS carts,
           count(*) FILTER (event_type = 'remove_from_cart') AS removes,
           count(*) FILTER (event_type = 'purchase') AS purchases, count(DISTINCT product_id) AS products,
           coalesce(sum(price * coalesce(quantity, 1)) FILTER (event_type = 'purchase'), 0) AS revenue
    FROM numbered GROUP BY user_id, session_seq
"""

# Sessions that also end at midnight, where the brand changes, and where a column changes that is never null. Of the sessions that
# times and that column give, each row's brand is compared with the last one before it: where they differ a session starts with a
# brand of its own.
RULES = """
    WITH timed AS (
        SELECT *, rowid AS place, coalesce(event_time - lag(event_time) OVER w > INTERVAL 30 MINUTE
                      OR {day} <> lag({day}) OVER w OR {also} <> lag({also}) OVER w, true) AS starts
        FROM source WHERE user_id IS NOT NULL WINDOW w AS (PARTITION BY user_id ORDER BY event_time, rowid)),
    stretches AS (
        SELECT *, sum(starts::INT) OVER (PARTITION BY user_id ORDER BY event_time, place ROWS UNBOUNDED PRECEDING) AS stretch
        FROM timed),
    branded AS (
        SELECT *, starts OR coalesce(brand <> last_value(brand IGNORE NULLS) OVER (
                      PARTITION BY user_id, stretch ORDER BY event_time, place
                      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), false) AS cuts
        FROM stretches),
    gaps AS (
        SELECT *, sum(cuts::INT) OVER (PARTITION BY user_id ORDER BY event_time, place ROWS UNBOUNDED PRECEDING) AS session_seq
        FROM branded)
    {facts} FROM gaps GROUP BY user_id, session_seq
"""

# Rows without a session of the source are cut by time, among themselves.
SOURCE_SESSIONS = """
    WITH timed AS (
        SELECT *, user_session IS NULL AND event_time - lag(event_time) OVER w > INTERVAL 30 MINUTE AS starts
        FROM source WHERE user_id IS NOT NULL WINDOW w AS (PARTITION BY user_id, user_session ORDER BY event_time)),
    gaps AS (
        SELECT * EXCLUDE (starts), 0 AS session_seq,
               sum(coalesce(starts, false)::INT) OVER (PARTITION BY user_id, user_session ORDER BY event_time) AS stretch
        FROM timed)
    {facts} FROM gaps GROUP BY user_id, session_seq, user_session, stretch
"""

# What the command says of all sessions of 30 minutes: how many are engaged, and how those of the source lie in them.
COMPARED = """
    WITH gaps AS (
        SELECT *, coalesce(event_time - lag(event_time) OVER w > INTERVAL 30 MINUTE, true) AS starts
        FROM source WHERE user_id IS NOT NULL WINDOW w AS (PARTITION BY user_id ORDER BY event_time)),
    events AS (
        SELECT user_id, user_session, sum(starts::INT) OVER (PARTITION BY user_id ORDER BY event_time) AS session_seq FROM gaps),
    pairs AS (SELECT user_id, session_seq, user_session, count(*) AS n FROM events GROUP BY ALL),
    ours AS (
        SELECT user_id, session_seq, sum(n) AS n, count(user_session) AS sources FROM pairs GROUP BY ALL),
    theirs AS (
        SELECT user_id, user_session, sum(n) AS n, count(*) AS parts, any_value(session_seq) AS session_seq
        FROM pairs WHERE user_session IS NOT NULL GROUP BY ALL)
    SELECT (SELECT count(*) FROM ours), (SELECT count(*) FROM theirs),
           (SELECT count(*) FROM theirs JOIN ours USING (user_id, session_seq) WHERE parts = 1 AND theirs.n = ours.n),
           (SELECT count(*) FROM theirs WHERE parts > 1), (SELECT count(*) FROM ours WHERE sources > 1),
           (SELECT count(*) FROM ours WHERE sources = 0)
"""

RFM = """
    WITH customers AS (
        SELECT user_id, date_diff('day', max(event_time)::DATE, DATE '{as_of}')::INTEGER AS recency_days,
               {frequency} AS frequency, sum(price * coalesce(quantity, 1)) AS monetary
        FROM source WHERE event_type = 'purchase' AND user_id IS NOT NULL AND event_time < TIMESTAMP '{as_of}'
        GROUP BY user_id),
    scored AS (
        SELECT *, ntile(5) OVER (ORDER BY recency_days DESC, user_id) AS r,
               CASE WHEN frequency >= 6 THEN 5 WHEN frequency >= 4 THEN 4 ELSE frequency END AS f,
               ntile(5) OVER (ORDER BY monetary, user_id) AS m
        FROM customers)
    SELECT *, CASE WHEN r >= 4 AND f >= 4 THEN 'Champions' WHEN r >= 3 AND f >= 3 THEN 'Loyal Customers'
                   WHEN r >= 4 AND f = 1 THEN 'New Customers' WHEN r >= 3 AND f = 1 THEN 'Promising'
                   WHEN r = 2 AND f >= 2 THEN 'Need Attention' WHEN r = 1 AND f >= 4 THEN 'Can''t Lose Them'
                   WHEN r = 1 AND f <= 2 THEN 'Hibernating' ELSE 'At Risk' END AS segment
    FROM scored
"""


PAIRS = """
    WITH entries AS (SELECT DISTINCT {basket} AS basket, product_id FROM source WHERE {present}),
    sized AS (SELECT basket FROM entries GROUP BY basket HAVING count(*) BETWEEN 2 AND 50),
    kept AS (SELECT basket, product_id FROM entries JOIN sized USING (basket)),
    counts AS (SELECT product_id, count(*) AS n FROM kept GROUP BY product_id)
    SELECT a.product_id AS product_a, b.product_id AS product_b, count(*) AS together,
           any_value(ca.n) AS count_a, any_value(cb.n) AS count_b,
           count(*) / (SELECT count(*) FROM sized)::DOUBLE AS support,
           count(*) / any_value(ca.n)::DOUBLE AS confidence_ab, count(*) / any_value(cb.n)::DOUBLE AS confidence_ba,
           count(*)::DOUBLE * (SELECT count(*) FROM sized) / (any_value(ca.n)::DOUBLE * any_value(cb.n)) AS lift
    FROM kept a JOIN kept b ON a.basket = b.basket AND a.product_id < b.product_id
    JOIN counts ca ON ca.product_id = a.product_id JOIN counts cb ON cb.product_id = b.product_id
    GROUP BY a.product_id, b.product_id HAVING count(*) >= 2
"""

FEATURES = """
    WITH w AS (SELECT TIMESTAMP '{start}' AS start, TIMESTAMP '{cutoff}' AS cutoff, TIMESTAMP '{until}' AS label_until),
    labelled AS (
        SELECT DISTINCT user_id FROM source, w
        WHERE user_id IS NOT NULL AND event_type = 'purchase' AND event_time >= cutoff AND event_time < label_until),
    known AS (
        SELECT source.*, coalesce(event_time - lag(event_time) OVER u > INTERVAL 30 MINUTE, true) AS starts
        FROM source, w WHERE user_id IS NOT NULL AND event_time >= start AND event_time < cutoff
        WINDOW u AS (PARTITION BY user_id ORDER BY event_time)),
    facts AS (
        SELECT user_id, count(*) AS events, count(*) FILTER (event_type = 'view') AS views,
               count(*) FILTER (event_type = 'cart') AS carts, count(*) FILTER (event_type = 'remove_from_cart') AS removes,
               count(*) FILTER (event_type = 'purchase') AS purchases,
               coalesce(sum(price * coalesce(quantity, 1)) FILTER (event_type = 'purchase'), 0)::DOUBLE AS spend,
               {sessions} AS sessions, count(DISTINCT product_id) AS products, {texts}
               sum((price * {one})::BIGINT)::DOUBLE / nullif(count(price) * {one}, 0)::DOUBLE AS avg_price,
               max(price)::DOUBLE AS max_price, min(event_time)::DATE AS first_day, max(event_time)::DATE AS last_day,
               count(DISTINCT event_time::DATE) AS active_days,
               count(*) FILTER (event_time < make_timestamp((epoch_us(start) + epoch_us(cutoff)) // 2)) AS h1,
               max(event_time) FILTER (event_type = 'cart')::DATE AS last_cart,
               max(event_time) FILTER (event_type = 'purchase')::DATE AS last_purchase, any_value(cutoff::DATE) AS today
        FROM known, w GROUP BY user_id)
    SELECT user_id, events, views, carts, removes, purchases, spend, sessions, products, {text_names}
           avg_price, max_price, date_diff('day', first_day, last_day) AS active_span_days, active_days,
           date_diff('day', last_day, today) AS recency_days, carts / nullif(views, 0)::DOUBLE AS view_to_cart_rate,
           purchases / nullif(carts, 0)::DOUBLE AS cart_to_purchase_rate, purchases / events::DOUBLE AS purchase_rate,
           events / nullif(sessions, 0)::DOUBLE AS events_per_session,
           (events - 2 * h1)::DOUBLE / events AS activity_trend,
           abs(events - 2 * h1)::DOUBLE / (events + 1) AS activity_volatility,
           date_diff('day', last_cart, today) AS days_since_last_cart,
           date_diff('day', last_purchase, today) AS days_since_last_purchase,
           (user_id IN (FROM labelled))::UTINYINT AS label
    FROM facts
"""

# Of a subscription service: days are whole elapsed days of 24 hours, and what never happened is 999 of them ago.
STREAMFLOW_FEATURES = """
    WITH w AS (SELECT TIMESTAMP '{start}' AS start, TIMESTAMP '{cutoff}' AS cutoff, TIMESTAMP '{until}' AS label_until),
    labelled AS (
        SELECT DISTINCT user_id FROM source, w
        WHERE user_id IS NOT NULL AND event_type = 'subscription_cancelled'
          AND event_time >= cutoff AND event_time < label_until),
    facts AS (
        SELECT user_id, count(*) AS events, count(*) FILTER (event_type = 'video_start') AS starts,
               count(*) FILTER (event_type = 'video_complete') AS completes,
               count(*) FILTER (event_type = 'search') AS searches,
               count(*) FILTER (event_type = 'support' OR event_type LIKE 'support\\_%' ESCAPE '\\') AS support,
               count(DISTINCT event_type) FILTER (event_type IN (
                   'page_view', 'video_start', 'search', 'feature_click', 'share', 'download')) AS breadth,
               count(*) FILTER (device_type = 'mobile') AS mobile, count(DISTINCT device_type) AS devices,
               coalesce(sum((revenue * 100)::BIGINT), 0)::DOUBLE AS cents,
               coalesce(sum(duration_seconds), 0)::DOUBLE AS seconds,
               count(*) FILTER (event_time < make_timestamp((epoch_us(start) + epoch_us(cutoff)) // 2)) AS h1,
               epoch_us(any_value(cutoff)) - epoch_us(max(event_time)) AS since_event,
               epoch_us(any_value(cutoff)) - epoch_us(max(event_time) FILTER (
                   event_type = 'support' OR event_type LIKE 'support\\_%' ESCAPE '\\')) AS since_support,
               epoch_us(any_value(cutoff)) - epoch_us(max(event_time) FILTER (
                   event_type IN ('video_start', 'video_complete'))) AS since_video,
               greatest((epoch_us(any_value(cutoff)) - epoch_us(any_value(start))) // 86400000000, 1) AS days
        FROM source, w WHERE user_id IS NOT NULL AND event_time >= start AND event_time < cutoff GROUP BY user_id)
    SELECT user_id, events / days::DOUBLE AS daily_avg_events,
           CASE WHEN starts > 0 THEN completes / starts::DOUBLE ELSE 0 END AS video_completion_rate,
           breadth AS feature_breadth, support / events::DOUBLE AS support_intensity,
           mobile / events::DOUBLE AS mobile_fraction, cents / (events * 100)::DOUBLE AS revenue_per_event,
           devices AS device_diversity, cents / 100 AS total_revenue,
           CASE WHEN starts > 0 THEN seconds / starts ELSE 0 END AS avg_video_duration,
           CASE WHEN starts > 0 THEN searches / starts::DOUBLE WHEN searches > 0 THEN 10 ELSE 0 END AS search_to_view_ratio,
           since_event // 86400000000 AS days_since_last_event,
           coalesce(since_support // 86400000000, 999) AS days_since_last_support,
           coalesce(since_video // 86400000000, 999) AS days_since_last_video,
           (events - 2 * h1)::DOUBLE / events AS activity_trend,
           abs(events - 2 * h1)::DOUBLE / (events + 1) AS activity_volatility,
           (user_id IN (FROM labelled))::UTINYINT AS label
    FROM facts
"""

# The features of examples/shop_features.toml, family by family, of the events in [start, cutoff). `back` is the start of a window of
# some days, which is never before that of the table.
SHOP_SPEC = """
    WITH w AS (SELECT TIMESTAMP '{start}' AS start, TIMESTAMP '{cutoff}' AS cutoff, TIMESTAMP '{until}' AS label_until),
    labelled AS (
        SELECT DISTINCT user_id FROM source, w
        WHERE user_id IS NOT NULL AND event_type = 'purchase' AND event_time >= cutoff AND event_time < label_until),
    known AS (
        SELECT source.*, source.rowid AS place, cutoff, greatest(start, cutoff - INTERVAL 1 DAY) AS back_1,
               greatest(start, cutoff - INTERVAL 7 DAY) AS back_7, greatest(start, cutoff - INTERVAL 14 DAY) AS back_14,
               greatest(start, cutoff - INTERVAL 30 DAY) AS back_30,
               make_timestamp((epoch_us(start) + epoch_us(cutoff)) // 2) AS middle
        FROM source, w WHERE user_id IS NOT NULL AND event_time >= start AND event_time < cutoff),
    halves AS (SELECT *, make_timestamp((epoch_us(back_14) + epoch_us(cutoff)) // 2) AS middle_14 FROM known),
    brands AS (SELECT user_id, brand, count(*) AS n FROM known WHERE brand IS NOT NULL GROUP BY ALL),
    loyalties AS (SELECT user_id, max(n) / sum(n)::DOUBLE AS loyalty FROM brands GROUP BY user_id),
    facts AS (
        SELECT user_id, {counts},
               count(*) FILTER (event_type = 'purchase') AS purchases,
               coalesce(sum(price * coalesce(quantity, 1)) FILTER (event_type = 'purchase'), 0)::DOUBLE AS spend,
               sum((price * 100)::BIGINT)::DOUBLE / nullif(count(price) * 100, 0)::DOUBLE AS mean_price,
               min(price)::DOUBLE AS least_price, max(price)::DOUBLE AS greatest_price,
               coalesce(stddev_samp(price::DOUBLE) FILTER (event_type IN ('view', 'cart')), 0) AS price_deviation,
               count(DISTINCT product_id) FILTER (event_time >= back_7) AS products_7d,
               count(DISTINCT product_id) FILTER (event_time >= back_30) AS products_30d, {brands}
               count(*) FILTER (brand = 'samsung') / nullif(count(brand), 0)::DOUBLE AS samsung,
               coalesce(date_diff('day', max(event_time) FILTER (event_type = 'cart')::DATE, any_value(cutoff)::DATE), 999)
                   AS days_since_cart,
               (epoch_us(any_value(cutoff)) - epoch_us(max(event_time))) // 86400000000 AS days_since_event,
               date_diff('day', min(event_time)::DATE, max(event_time)::DATE) AS span_days,
               count(DISTINCT event_time::DATE) FILTER (event_time >= back_7) AS active_days_7d,
               count(DISTINCT event_time::DATE) FILTER (event_time >= back_30) AS active_days_30d,
               count(*) FILTER (event_time >= back_14 AND event_time < middle_14) AS h1,
               count(*) FILTER (event_time >= middle_14) AS h2,
               count(*) FILTER (event_time < middle) AS early, count(*) AS events,
               count(*) FILTER (hour(event_time) >= 22 OR hour(event_time) < 6) / count(*)::DOUBLE AS night,
               count(*) FILTER (isodow(event_time) >= 6) / count(*)::DOUBLE AS weekend,
               list(event_type ORDER BY event_time DESC, place DESC)[:2] AS last_events
        FROM halves GROUP BY user_id)
    SELECT user_id, events_1d, events_7d, events_30d, views_7d, views_30d, carts_7d, carts_30d, purchases,
           carts_7d / nullif(views_7d, 0)::DOUBLE AS cart_rate_7d, carts_30d / nullif(views_30d, 0)::DOUBLE AS cart_rate_30d,
           spend, CASE WHEN purchases > 0 THEN spend / purchases ELSE 0 END AS spend_a_purchase, mean_price, least_price,
           greatest_price, {deviation}, products_7d, products_30d, {brand_names}
           loyalty, samsung, days_since_cart, days_since_event, span_days, active_days_7d, active_days_30d,
           (h2 - h1)::DOUBLE / nullif(h1 + h2, 0) AS trend, abs(events - 2 * early)::DOUBLE / (events + 1) AS volatility,
           night, weekend, list_position({kinds}, last_events[1]) AS last_event,
           CASE WHEN len(last_events) < 2 THEN 0 ELSE list_position({kinds}, last_events[2]) END AS event_before,
           (user_id IN (FROM labelled))::UTINYINT AS label
    FROM facts LEFT JOIN loyalties USING (user_id)
"""

# The values of a pivot: the most frequent ones, equal ones in the order of their bytes.
TOP_BRANDS = """
    SELECT brand FROM source WHERE user_id IS NOT NULL AND event_type = 'view' AND brand IS NOT NULL
      AND event_time >= TIMESTAMP '{start}' AND event_time < TIMESTAMP '{cutoff}'
    GROUP BY brand ORDER BY count(*) DESC, brand LIMIT 5
"""

# The three steps of every attempt: the first event of each next step behind the one before, in the order of the files. Of each user
# the attempt that comes furthest, and of those the first.
FUNNEL = """
    WITH w AS (SELECT INTERVAL {days} DAY AS within),
    ordered AS (
        SELECT user_id, event_time, event_type, row_number() OVER (ORDER BY user_id, event_time, rowid) AS place
        FROM source WHERE user_id IS NOT NULL AND event_type IN ('{a}', '{b}', '{c}')),
    linked AS (
        SELECT *, min(place) FILTER (event_type = '{b}') OVER behind AS next_b,
               min(place) FILTER (event_type = '{c}') OVER behind AS next_c
        FROM ordered WINDOW behind AS (
            PARTITION BY user_id ORDER BY place ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING)),
    attempts AS (
        SELECT a.user_id, a.place, a.event_time AS first_step_time, b.event_time AS second, c.event_time AS third,
               1 + (b.place IS NOT NULL)::BIGINT + (c.place IS NOT NULL)::BIGINT AS steps_reached
        FROM linked a CROSS JOIN w
        LEFT JOIN linked b ON b.place = a.next_b AND b.event_time <= a.event_time + within
        LEFT JOIN linked c ON c.place = b.next_c AND c.event_time <= a.event_time + within
        WHERE a.event_type = '{a}'),
    best AS (
        SELECT *, row_number() OVER (PARTITION BY user_id ORDER BY steps_reached DESC, place) AS choice FROM attempts)
    SELECT user_id, steps_reached, first_step_time,
           epoch(second - first_step_time)::BIGINT AS step_2_seconds, epoch(third - first_step_time)::BIGINT AS step_3_seconds
    FROM best WHERE choice = 1
"""

STEPS = """
    SELECT count(*), count(step_2_seconds), count(step_3_seconds), median(step_2_seconds),
           median(step_3_seconds - step_2_seconds), avg(step_2_seconds), avg(step_3_seconds - step_2_seconds)
    FROM ({funnel})
"""

CARTS = """
    SELECT session_start::DATE::VARCHAR, count(*), count(*) FILTER (purchases = 0) FROM ({sessions})
    WHERE carts > 0 GROUP BY ALL ORDER BY ALL
"""


def funnel(cip: Path, out: Path, db: duckdb.DuckDBPyConnection, mapping: str) -> tuple[str, str, str]:
    """Writes a funnel and compares what the command says of it; returns the check of its rows."""
    rees46 = mapping == "rees46"
    steps, days = (("view", "cart", "purchase"), 1) if rees46 else (("purchase", "cancellation", "purchase"), 30)
    command = [cip, "funnel", out / "store", "--steps", ",".join(steps), "--within", f"{days}d",
               "--out", out / "funnel.parquet", "--json"]
    said = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    sql = FUNNEL.format(days=days, **dict(zip("abc", steps)))
    *users, median_2, median_3, mean_2, mean_3 = db.execute(STEPS.format(funnel=sql)).fetchone()
    assert [step["users"] for step in said["steps"]] == users, (said, users)
    assert [step["median_seconds"] for step in said["steps"]] == [None, median_2, median_3], (said, median_2, median_3)
    for step, mean in zip(said["steps"][1:], [mean_2, mean_3]):
        assert step["mean_seconds"] == mean or abs(step["mean_seconds"] - mean) <= 1e-12 * mean, (step, mean)
    carts = db.execute(CARTS.format(sessions=SESSIONS)).fetchall()
    days_said = [(day["day"], day["cart_sessions"], day["abandoned"]) for day in said["abandonment"]["days"]]
    assert days_said == carts, (days_said, carts)
    ours = f"SELECT * REPLACE (first_step_time::TIMESTAMP AS first_step_time) FROM '{out}/funnel.parquet'"
    return "funnel", ours, sql


# Paths: the types of a session's or user's events in their order, repeats left out or not; the first ones, or the last ones up to a
# target.
PATHS = """
    WITH timed AS (
        SELECT user_id, event_time, event_type, rowid AS place,
               coalesce(event_time - lag(event_time) OVER w > INTERVAL 30 MINUTE, true) AS starts
        FROM source WHERE user_id IS NOT NULL WINDOW w AS (PARTITION BY user_id ORDER BY event_time, rowid)),
    numbered AS (
        SELECT *, sum(starts::INT) OVER (PARTITION BY user_id ORDER BY event_time, place ROWS UNBOUNDED PRECEDING) AS session
        FROM timed),
    marked AS (
        SELECT *, {each} OR event_type IS DISTINCT FROM lag(event_type) OVER (
            PARTITION BY {unit} ORDER BY event_time, place) AS step FROM numbered),
    units AS (
        SELECT user_id, count(DISTINCT session) AS sessions, bool_or(event_type = 'purchase') AS converts,
               list(event_type ORDER BY event_time, place) FILTER (step) AS names
        FROM marked GROUP BY {unit}),
    taken AS (SELECT *, {path} AS path FROM units)
    SELECT path, len(path)::BIGINT AS steps, sum(sessions)::BIGINT AS sessions, count(DISTINCT user_id) AS users,
           count(*) / (SELECT count(path) FROM taken)::DOUBLE AS share, count(*) FILTER (converts) AS conversions,
           count(*) FILTER (converts) / count(*)::DOUBLE AS conversion_rate
    FROM taken WHERE path IS NOT NULL GROUP BY path
"""


def paths(cip: Path, out: Path, mapping: str) -> list[tuple[str, str, str]]:
    """Writes paths of several kinds; returns the checks of their rows, place by place."""
    target = {"rees46": "purchase", "online-retail": "cancellation", "streamflow": "video_complete"}[mapping]
    first = lambda steps: f"names[:{steps}]"
    last = lambda steps: (f"CASE WHEN list_contains(names, '{target}') THEN names[greatest(list_position(names, '{target}') "
                          f"- {steps - 1}, 1):list_position(names, '{target}')] END")
    checks = []
    for name, options, kind in [
        ("paths", [], {"each": "false", "unit": "user_id, session", "path": first(5)}),
        ("paths to", ["--to", target, "--max-steps", "3"], {"each": "false", "unit": "user_id, session", "path": last(3)}),
        ("paths, users", ["--scope", "user", "--repeats", "keep", "--max-steps", "7"],
         {"each": "true", "unit": "user_id", "path": first(7)}),
        ("paths to, users", ["--scope", "user", "--repeats", "keep", "--max-steps", "4", "--to", target],
         {"each": "true", "unit": "user_id", "path": last(4)}),
    ]:
        table = out / f"{name}.parquet"
        subprocess.run([cip, "paths", out / "store", *options, "--top", "1000000", "--out", table, "--json"], check=True,
                       capture_output=True)
        taken = "users" if "user" in options else "sessions"
        place = lambda rows, order: f"SELECT row_number() OVER ({order}) AS place, * FROM ({rows})"
        checks.append((name, place(f"FROM '{table}'", ""),
                       place(PATHS.format(**kind), f"ORDER BY {taken} DESC, path")))
    return checks


def rules(cip: Path, out: Path, db: duckdb.DuckDBPyConnection) -> list[tuple[str, str, str]]:
    """Writes the sessions of other rules and compares what the command says; returns the checks of their rows."""
    facts = SESSIONS[SESSIONS.rindex("SELECT user_id, session_seq"):SESSIONS.rindex("FROM numbered")]
    checks = []
    fixed, zone = "(event_time + INTERVAL 2 HOUR)::DATE", "(event_time AT TIME ZONE 'UTC' AT TIME ZONE 'America/Nuuk')::DATE"
    for name, options, sql in [
        ("sessions, cut", ["--cut-at-midnight", "+02:00", "--cut-on", "brand", "--compare-source"],
         RULES.replace("{day}", fixed).replace("{also}", "true")),
        ("sessions, zone", ["--cut-at-midnight", "America/Nuuk", "--cut-on", "brand,category_id"],
         RULES.replace("{day}", zone).replace("{also}", "category_id")),
        ("source sessions", ["--by", "source"], SOURCE_SESSIONS),
        ("sessions", ["--compare-source"], None),
    ]:
        table = out / f"{name}.parquet"
        command = [cip, "sessions", out / "store", *options, "--out", table, "--json"]
        said = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        engaged = f"""SELECT count(*) FILTER (session_end - session_start > INTERVAL 10 SECOND OR views >= 2 OR purchases >= 1)
                      FROM '{table}'"""
        assert said["engaged_sessions"] == db.execute(engaged).fetchone()[0], said
        if sql is None:
            names = ["sessions", "source_sessions", "exact", "split", "merged", "without_source"]
            compared = dict(zip(names, db.execute(COMPARED).fetchone()))
            assert {key: said["source_comparison"][key] for key in names} == compared, (said, compared)
            continue
        # The source's sessions that start together stand in the order of their codes, which SQL does not know.
        seq = "0::BIGINT AS session_seq, " if sql is SOURCE_SESSIONS else ""
        ours = (f"SELECT * EXCLUDE (session_key) REPLACE ({seq}session_start::TIMESTAMP AS session_start, "
                f"session_end::TIMESTAMP AS session_end) FROM '{table}'")
        checks.append((name, ours, sql.format(facts=facts)))
        keys = db.execute(f"SELECT count(*) - count(DISTINCT session_key) FROM '{table}'").fetchone()[0]
        assert keys == 0, f"{keys} keys of {name} come twice"
    return checks


def features(cip: Path, out: Path, db: duckdb.DuckDBPyConnection, mapping: str) -> tuple[str, str, str]:
    """Writes the table of features with a cutoff in the middle of the data; compares what the command says, returns its check."""
    first, last = db.execute("SELECT min(event_time), max(event_time) FROM source").fetchone()
    cutoff, until = first + (last - first) / 2, first + (last - first) * 3 / 4
    table = out / "features.parquet"
    command = [cip, "features", out / "store", "--cutoff", f"{cutoff.isoformat()}Z", "--label-until", f"{until.isoformat()}Z",
               "--set", "streamflow" if mapping == "streamflow" else "commerce", "--out", table, "--json"]
    said = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    windows = {"start": first.date(), "cutoff": cutoff, "until": until}
    if mapping == "streamflow":
        sql, absent, count = STREAMFLOW_FEATURES.format(**windows), [], 15
    else:
        rees46 = mapping == "rees46"
        sql = FEATURES.format(
            **windows, one=100 if rees46 else 1000,
            sessions="count(DISTINCT user_session)" if rees46 else "count(*) FILTER (starts)",
            texts="count(DISTINCT category_id) AS categories, count(DISTINCT brand) AS brands," if rees46 else "",
            text_names="categories, brands," if rees46 else "")
        absent, count = [] if rees46 else ["categories", "brands"], 23
    assert list(said["absent"]) == absent and len(said["columns"]) == count - len(absent), said
    for name, column in said["report"].items():
        low, high = column["range"] or [None, None]
        outside = f"count(*) FILTER (NOT {name} BETWEEN {low} AND {high})" if column["range"] else "0"
        found = db.execute(f"SELECT count(*) - count({name}), min({name}), max({name}), {outside} FROM ({sql})").fetchone()
        assert (column["nulls"], column["min"], column["max"], column["outside"]) == found, (name, column, found)
    return "features", f"SELECT * FROM '{table}'", sql


def shop_spec(cip: Path, out: Path, db: duckdb.DuckDBPyConnection) -> tuple[str, str, str]:
    """Writes the features of the example's specification, with the cutoff of `features`; returns their check."""
    first, last = db.execute("SELECT min(event_time), max(event_time) FROM source").fetchone()
    cutoff, until = first + (last - first) / 2, first + (last - first) * 3 / 4
    windows = {"start": first.date(), "cutoff": cutoff, "until": until}
    spec, table = Path(__file__).parent.parent / "examples" / "shop_features.toml", out / "spec.parquet"
    command = [cip, "features", out / "store", "--cutoff", f"{cutoff.isoformat()}Z", "--label-until", f"{until.isoformat()}Z",
               "--spec", spec, "--out", table, "--json"]
    said = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    brands = [brand for (brand,) in db.execute(TOP_BRANDS.format(**windows)).fetchall()]
    count = lambda kind, days: (f"count(*) FILTER (event_time >= back_{days}" + (f" AND event_type = '{kind}'" if kind else "")
                                + f") AS {kind or 'event'}s_{days}d")
    counts = [count(kind, days) for kind, days in
              [("", 1), ("", 7), ("", 30), ("view", 7), ("view", 30), ("cart", 7), ("cart", 30)]]
    quoted = lambda text: "'" + text.replace("'", "''") + "'"
    views = [f'count(*) FILTER (event_type = \'view\' AND brand = {quoted(brand)}) AS "views_of_{brand}",' for brand in brands]
    # Two ways to a standard deviation differ in their last bits: they are compared rounded.
    deviation = "round(price_deviation, 6) AS price_deviation"
    sql = SHOP_SPEC.format(
        **windows, counts=", ".join(counts), brands=" ".join(views), deviation=deviation,
        brand_names="".join(f'"views_of_{brand}", ' for brand in brands),
        kinds="['view', 'cart', 'remove_from_cart', 'purchase']")
    assert said["columns"] == [name for (name, *_) in db.execute(f"DESCRIBE {sql}").fetchall()][1:-1], said["columns"]
    return "spec", f"SELECT * REPLACE ({deviation}) FROM '{table}'", sql


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cip", type=Path)
    parser.add_argument("source", type=Path)
    parser.add_argument("--mapping", required=True, choices=["rees46", "online-retail", "streamflow"])
    args = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "results"
        command = [args.cip, "run", args.source, "--mapping", args.mapping, "--out", out, "--json"]
        summary = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        files = sorted(str(path) for path in args.source.glob("*.csv*")) if args.source.is_dir() else [str(args.source)]
        db = duckdb.connect()
        db.execute("SET TimeZone = 'UTC'")
        source = {"rees46": REES46, "online-retail": ONLINE_RETAIL, "streamflow": STREAMFLOW}[args.mapping]
        db.execute(f"CREATE TABLE source AS {source.format(files=files)}")

        plain = ["event_time", "event_type", "user_id"] + {
            "rees46": ["product_id", "price", "category_id", "category_code", "brand"],
            "online-retail": ["product_id", "price", "quantity", "order_id"],
            "streamflow": ["device_type", "content_id", "duration_seconds", "page_url", "referrer", "country", "plan_type",
                           "revenue", "error_code", "metadata"],
        }[args.mapping]
        columns = ", ".join(plain).replace("event_time", "event_time::TIMESTAMP AS event_time")
        events = f"'{out}/store/commits/*/events-*.parquet'"
        if args.mapping != "online-retail":
            columns += ", user_session"
            dictionary = f"'{out}/store/commits/*/session_dictionary.parquet'"
            events = (f"(SELECT e.*, d.user_session FROM {events} e LEFT JOIN "
                      f"(SELECT source_session, user_session FROM {dictionary}) d USING (source_session))")
            plain.append("user_session")
        # Without prices there is no revenue of sessions, rather than none.
        facts = f"SELECT * REPLACE (NULL::DECIMAL(38, 0) AS revenue) FROM ({SESSIONS})" if args.mapping == "streamflow" else SESSIONS
        checks = [
            ("events", f"SELECT {columns} FROM {events}", f"SELECT {', '.join(plain)} FROM source"),
            ("fact_sessions",
             f"SELECT * EXCLUDE (session_key) REPLACE (session_start::TIMESTAMP AS session_start, "
             f"session_end::TIMESTAMP AS session_end) FROM '{out}/fact_sessions.parquet'", facts),
            features(args.cip, out, db, args.mapping),
        ]
        if args.mapping == "streamflow":
            assert sorted(summary["absent"]) == ["product_pairs.parquet", "rfm_segments.parquet"], summary["absent"]
        else:
            frequency = "count(DISTINCT order_id)" if args.mapping == "online-retail" else "count(*)"
            rfm = RFM.format(as_of=summary["rfm"]["as_of"], frequency=frequency)
            key = "user_session" if args.mapping == "rees46" else "order_id"
            pairs = PAIRS.format(basket=f"(user_id, {key})", present=f"{key} IS NOT NULL")
            checks.append(("rfm_segments", f"SELECT * FROM '{out}/rfm_segments.parquet'", rfm))
            checks.append(funnel(args.cip, out, db, args.mapping))
            checks.append(("product_pairs", f"SELECT * FROM '{out}/product_pairs.parquet'", pairs))
        checks.extend(paths(args.cip, out, args.mapping))
        if args.mapping == "rees46":
            checks.extend(rules(args.cip, out, db))
            checks.append(shop_spec(args.cip, out, db))
        failed = 0
        for name, ours, theirs in checks:
            rows = db.execute(f"SELECT count(*) FROM ({ours})").fetchone()[0]
            wrong = sum(
                db.execute(f"SELECT count(*) FROM (({a}) EXCEPT ALL ({b}))").fetchone()[0]
                for a, b in [(ours, theirs), (theirs, ours)]
            )
            print(f"{name:15} {rows:>12,} rows  {'agree' if wrong == 0 else f'{wrong:,} DIFFER'}")
            failed += wrong
        keys = db.execute(f"SELECT count(*) - count(DISTINCT session_key) FROM '{out}/fact_sessions.parquet'").fetchone()[0]
        print(f"{'session_key':15} {'unique' if keys == 0 else f'{keys:,} DUPLICATES'}")
        return 1 if failed or keys else 0


if __name__ == "__main__":
    sys.exit(main())
