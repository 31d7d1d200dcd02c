-- Did it help? Each experiment's variants beside its hold-out, by all who were drawn for it, whether
-- or not the decision was carried out: those without consent are on both sides.

-- Each subject once, with the variant that it is in.
CREATE VIEW ab_subject AS
SELECT experiment, variant, subject_id, MAX(CAST(propensity AS DECIMAL(9, 6))) AS propensity
FROM (
  SELECT COALESCE(experiment, policy, decision_type) AS experiment, variant, subject_id, propensity
  FROM decision_state
  WHERE variant IS NOT NULL AND subject_id IS NOT NULL)
GROUP BY experiment, variant, subject_id;

CREATE VIEW ab_arm AS
SELECT experiment, variant, COUNT(*) AS subjects FROM ab_subject GROUP BY experiment, variant;

-- What came of a subject, by kind and currency; and of all subjects of a variant.
CREATE VIEW ab_subject_outcome AS
SELECT experiment, variant, subject_id, kind, COALESCE(currency, '') AS currency,
  COUNT(*) AS outcomes, CAST(SUM(`value`) AS DECIMAL(18, 4)) AS total
FROM decision_outcome
WHERE variant IS NOT NULL AND subject_id IS NOT NULL
GROUP BY experiment, variant, subject_id, kind, COALESCE(currency, '');

CREATE VIEW ab_arm_outcome AS
SELECT experiment, variant, kind, currency, COUNT(*) AS subjects_with, SUM(outcomes) AS outcomes,
  SUM(total) AS total, SUM(total * total) AS squares
FROM ab_subject_outcome
GROUP BY experiment, variant, kind, currency;

-- Mean and variance over all subjects of a variant. A subject of which nothing came counts with
-- zero, a variant of which nothing came has a row of zeros.
CREATE VIEW ab_measure AS
SELECT experiment, variant, kind, currency, subjects, subjects_with, outcomes, total,
  CAST(total AS DOUBLE) / subjects AS mean,
  CASE WHEN subjects > 1 THEN GREATEST(
    (CAST(squares AS DOUBLE) - CAST(total AS DOUBLE) * CAST(total AS DOUBLE) / subjects)
      / (subjects - 1), CAST(0 AS DOUBLE)) END AS variance
FROM (
  SELECT a.experiment, a.variant, k.kind, k.currency, a.subjects,
    COALESCE(o.subjects_with, 0) AS subjects_with, COALESCE(o.outcomes, 0) AS outcomes,
    COALESCE(o.total, 0) AS total, COALESCE(o.squares, 0) AS squares
  FROM ab_arm AS a
  JOIN (SELECT DISTINCT experiment, kind, currency FROM ab_arm_outcome) AS k
  ON a.experiment = k.experiment
  LEFT JOIN ab_arm_outcome AS o
  ON a.experiment = o.experiment AND a.variant = o.variant AND k.kind = o.kind
    AND k.currency = o.currency);

-- Welch's comparison of a variant with the hold-out: the standard error and the degrees of freedom.
CREATE VIEW ab_comparison AS
SELECT *,
  CASE WHEN error_square > 0 THEN error_square * error_square
    / (part * part / (subjects - 1) + hold_out_part * hold_out_part / (hold_out_subjects - 1))
  END AS degrees
FROM (
  SELECT m.*, h.subjects AS hold_out_subjects, h.mean AS hold_out_mean,
    m.mean - h.mean AS difference,
    m.variance / m.subjects AS part, h.variance / h.subjects AS hold_out_part,
    m.variance / m.subjects + h.variance / h.subjects AS error_square
  FROM ab_measure AS m
  LEFT JOIN ab_measure AS h
  ON m.experiment = h.experiment AND m.kind = h.kind AND m.currency = h.currency
    AND h.variant = 'hold_out' AND m.variant <> 'hold_out');

-- Key: (experiment, kind, currency, variant). The 95 % interval is difference -/+ t * error, with t
-- of Student's distribution by its expansion around the normal one (Cornish and Fisher): right to
-- 0.8 % at 2 degrees of freedom, to 0.01 % from 5 on. Below 2 there is no interval, nor where nothing
-- differs on one side: of no sale in twenty one cannot say how many there would be in a thousand.
CREATE MATERIALIZED VIEW ab_report AS
SELECT experiment, kind, currency, variant, subjects, subjects_with, outcomes, total,
  ROUND(mean, 4) AS mean, ROUND(variance, 4) AS variance,
  hold_out_subjects, ROUND(hold_out_mean, 4) AS hold_out_mean,
  ROUND(difference, 4) AS difference,
  ROUND(difference - reach, 3) AS difference_low,
  ROUND(difference + reach, 3) AS difference_high,
  ROUND(100 * difference / NULLIF(hold_out_mean, 0), 2) AS lift_percent,
  ROUND(100 * (difference - reach) / NULLIF(ABS(hold_out_mean), 0), 2) AS lift_low_percent,
  ROUND(100 * (difference + reach) / NULLIF(ABS(hold_out_mean), 0), 2) AS lift_high_percent,
  ROUND(degrees, 4) AS degrees,
  CASE
    WHEN variant = 'hold_out' THEN 'this is what the others are compared with'
    WHEN hold_out_subjects IS NULL THEN 'there is no hold-out'
    WHEN reach IS NULL THEN 'too little to say'
    WHEN difference - reach > 0 THEN 'more than the hold-out'
    WHEN difference + reach < 0 THEN 'less than the hold-out'
    ELSE 'no difference can be seen'
  END AS verdict
FROM (
  SELECT *,
    CASE WHEN degrees >= 2 AND part > 0 AND hold_out_part > 0 THEN SQRT(error_square) * (1.959963984540054E0
      + 2.372271230298562E0 / degrees
      + 2.8224986157396112E0 / (degrees * degrees)
      + 2.555849679507722E0 / (degrees * degrees * degrees)
      + 1.5895340533938225E0 / (degrees * degrees * degrees * degrees)) END AS reach
  FROM ab_comparison);

-- Key: experiment. Are there as many in the hold-out as were to be drawn? If not, the variants differ
-- by more than the policy, and the report must not be believed. `chi_square` has one degree of
-- freedom: 10.83 is passed by chance in one experiment of a thousand.
CREATE MATERIALIZED VIEW ab_ratio_check AS
SELECT experiment, subjects, hold_out_subjects, hold_out_expected,
  CAST(ROUND(chi_square, 4) AS DOUBLE) AS chi_square,
  CASE
    WHEN spread IS NULL OR spread < 5 THEN 'too few to tell'
    WHEN chi_square > ${DECISIONS_RATIO_CHI_SQUARE:-10.83} THEN 'mismatch'
    ELSE 'ok'
  END AS verdict
FROM (
  SELECT experiment, subjects, hold_out_subjects, hold_out_expected, spread,
    CAST((hold_out_subjects - hold_out_expected) * (hold_out_subjects - hold_out_expected)
      AS DOUBLE) / NULLIF(CAST(spread AS DOUBLE), 0) AS chi_square
  FROM (
    SELECT experiment, COUNT(*) AS subjects,
      COUNT(*) FILTER (WHERE variant = 'hold_out') AS hold_out_subjects,
      SUM(share) AS hold_out_expected,
      SUM(CAST(share * (1 - share) AS DECIMAL(18, 9))) AS spread
    FROM (
      SELECT experiment, variant, subject_id,
        CASE WHEN variant = 'hold_out' THEN propensity ELSE 1 - propensity END AS share
      FROM ab_subject
      WHERE propensity IS NOT NULL)
    GROUP BY experiment));
