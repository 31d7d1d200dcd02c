-- What moved, each movement once.
--
-- An event that comes twice has the same event_id. A tagged piece is read by a gate more than once,
-- each time as another event: it is one movement for each tag, reference, place and direction (a
-- transfer leaves one place and comes to another under the same reference). The order is not that of
-- time: a movement that comes late, behind the watermark, has moved goods all the same. The greatest id
-- is kept, not the least, of which Flink would keep others too
-- (docs/divergences/flink-behaviours.md).
CREATE VIEW inventory_movement AS
SELECT
  event_id, event_time, action, biz_step, sku, location_id, quantity, epc, ref_type, ref_id
FROM (
  SELECT *, ROW_NUMBER() OVER (
      PARTITION BY CASE
        WHEN epc IS NULL THEN event_id
        ELSE epc || '/' || ref_id || '/' || action || '/' || location_id
      END
      ORDER BY event_id DESC
    ) AS nth
  FROM stock_movement
)
WHERE nth = 1;
SET 'rialto.share.inventory_movement' = 'true';

-- The minute and the day that it is, by the events themselves: no pack reads a clock.
CREATE VIEW inventory_now AS
SELECT MAX(FLOOR(event_time TO MINUTE)) AS now_minute
FROM (
  SELECT event_time FROM stock_movement
  UNION ALL
  SELECT event_time FROM reservation_event
);

CREATE VIEW inventory_today AS
SELECT MAX(CAST(event_time AS DATE)) AS today FROM stock_movement;
