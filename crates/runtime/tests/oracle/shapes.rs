//! Generated queries that the two dialects write differently: the referee gets what they stand for.

use crate::data::{Kind, Table};
use crate::query::{From, Gen, Relation, Scope, Text, join2};

/// A call in both dialects, and the kind of its result.
type Call = (Text, Kind);

impl Gen<'_> {
    /// `GROUPING SETS`, `ROLLUP` and `CUBE`. The referee unites a grouping for each set. The empty
    /// set has no row over nothing: Flink groups by which set a row is of.
    pub(super) fn grouping_sets(&mut self, depth: usize) -> Relation {
        let input = self.relation(depth - 1);
        let From { text, scope } = self.from(&input);
        let a = self.tape.pick(&scope.columns).clone();
        let b = self.tape.pick(&scope.columns).clone();
        let (clause, sets): (String, &[&[usize]]) = match self.tape.below(5) {
            _ if a == b => (format!("GROUPING SETS (({}), ())", a.0), &[&[0], &[]]),
            0 => (format!("GROUPING SETS (({}), ({}))", a.0, b.0), &[&[0], &[1]]),
            1 => (format!("ROLLUP ({}, {})", a.0, b.0), &[&[0, 1], &[0], &[]]),
            2 => (format!("CUBE ({}, {})", a.0, b.0), &[&[0, 1], &[0], &[1], &[]]),
            3 => {
                let sets = format!("GROUPING SETS (({0}, {1}), ({1}), ())", a.0, b.0);
                (sets, &[&[0, 1], &[1], &[]])
            }
            _ => (format!("{}, ROLLUP ({})", a.0, b.0), &[&[0, 1], &[0]]),
        };
        let keys = if a == b { vec![a] } else { vec![a, b] };
        let mut calls = vec![self.call(&scope)];
        (0..self.tape.below(3)).for_each(|_| calls.push(self.call(&scope)));
        let filter = self.where_clause(&scope, 25);
        let ours: Vec<(String, Kind)> = keys.iter().chain(&calls).cloned().collect();
        let (items, columns) = self.items(ours.clone());
        let branch = |set: &&[usize]| {
            let item = |at: usize| match ours[at].1.sql() {
                kind if at < keys.len() && !set.contains(&at) => format!("CAST(NULL AS {kind})"),
                _ => ours[at].0.clone(),
            };
            let items: Vec<String> =
                (0..ours.len()).map(|at| format!("{} AS {}", item(at), columns[at].0)).collect();
            let by: Vec<&str> = set.iter().map(|&k| keys[k].0.as_str()).collect();
            let by = match by.is_empty() {
                true => " HAVING COUNT(*) > 0".into(),
                false => format!(" GROUP BY {}", by.join(", ")),
            };
            format!("SELECT {} FROM {}{filter}{by}", items.join(", "), text.theirs)
        };
        let theirs = sets.iter().map(branch).collect::<Vec<_>>().join(" UNION ALL ");
        let ours = format!("SELECT {items} FROM {}{filter} GROUP BY {clause}", text.ours);
        Relation { text: Text { ours, theirs }, columns, window: None }
    }

    /// Functions over the rows around each row. `ROWS` stands in a total order, or there would be
    /// several answers.
    pub(super) fn over(&mut self, depth: usize) -> Relation {
        let input = self.relation(depth - 1);
        let From { text, scope } = self.from(&input);
        let partition = match self.tape.below(3) {
            0 => String::new(),
            _ => format!("PARTITION BY {} ", self.tape.pick(&scope.columns).0),
        };
        let form = self.tape.below(6);
        let (order, frame) = match form {
            0 => (self.total_order(&scope), " ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"),
            1 => (self.total_order(&scope), " ROWS BETWEEN 1 PRECEDING AND CURRENT ROW"),
            2 => (self.total_order(&scope), " ROWS BETWEEN 3 PRECEDING AND CURRENT ROW"),
            3 => (format!("{} ASC NULLS FIRST", self.tape.pick(&scope.columns).0), ""),
            4 => self.range(&scope),
            _ => (self.total_order(&scope), ""),
        };
        let over = format!("OVER ({partition}ORDER BY {order}{frame})");
        let mut exprs: Vec<Call> = self.some_columns(&scope).into_iter().map(same).collect();
        for _ in 0..1 + self.tape.below(2) {
            let (call, kind) = match form {
                5 => self.positional_call(&scope),
                _ => self.frame_call(&scope),
            };
            exprs.push((join2(&call, &Text::same(&over), |c, o| format!("{c} {o}")), kind));
        }
        let (items, columns) = self.texts(exprs);
        let text = join2(&items, &text, |items, from| format!("SELECT {items} FROM {from}"));
        Relation { text, columns, window: None }
    }

    /// An order by one column and a frame that reaches back in its values.
    fn range(&mut self, scope: &Scope) -> (String, &'static str) {
        let numbers = scope.of(Kind::BigInt);
        let times = scope.of(Kind::Time);
        if !times.is_empty() && (numbers.is_empty() || self.tape.chance(50)) {
            let frame = " RANGE BETWEEN INTERVAL '7' SECOND PRECEDING AND CURRENT ROW";
            return (format!("{} ASC NULLS FIRST", self.tape.pick(&times)), frame);
        }
        let column =
            if numbers.is_empty() { &scope.columns[0].0 } else { self.tape.pick(&numbers) };
        let frame = match numbers.is_empty() {
            true => "",
            false => " RANGE BETWEEN 1 PRECEDING AND CURRENT ROW",
        };
        (format!("{column} ASC NULLS FIRST"), frame)
    }

    /// An aggregate over a frame.
    fn frame_call(&mut self, scope: &Scope) -> Call {
        let (argument, kind) = self.tape.pick(&scope.columns).clone();
        let numbers = scope.of(Kind::BigInt);
        let (call, kind) = match self.tape.below(6) {
            0 => ("COUNT(*)".into(), Kind::BigInt),
            1 if !numbers.is_empty() => {
                (format!("SUM({})", self.expression(scope, Kind::BigInt, 1)), Kind::BigInt)
            }
            2 if kind != Kind::Boolean => (format!("MIN({argument})"), kind),
            3 if kind != Kind::Boolean => (format!("MAX({argument})"), kind),
            _ => (format!("COUNT({argument})"), Kind::BigInt),
        };
        (Text::same(call), kind)
    }

    /// A function of the place among the rows.
    fn positional_call(&mut self, scope: &Scope) -> Call {
        let (argument, kind) = self.tape.pick(&scope.columns).clone();
        let (call, kind) = match self.tape.below(4) {
            0 => (format!("LAG({argument})"), kind),
            1 => (format!("LEAD({argument}, 2)"), kind),
            2 => (format!("LAG({argument}, 2)"), kind),
            _ => (format!("LEAD({argument})"), kind),
        };
        (Text::same(call), kind)
    }

    /// Some expressions under names of their own, in both dialects.
    fn texts(&mut self, exprs: Vec<Call>) -> (Text, Vec<(String, Kind)>) {
        let mut parts = Vec::new();
        let mut columns = Vec::new();
        for (expr, kind) in exprs {
            let name = self.name('x');
            parts.push(expr.map(|e| format!("{e} AS {name}")));
            columns.push((name, kind));
        }
        let all = |side: fn(&Text) -> &String| {
            parts.iter().map(|p| side(p).as_str()).collect::<Vec<_>>().join(", ")
        };
        (Text { ours: all(|t| &t.ours), theirs: all(|t| &t.theirs) }, columns)
    }

    /// `INTERSECT ALL` or `EXCEPT ALL` of two queries of these columns. The referee numbers equal
    /// rows, because DataFusion itself does not count them.
    pub(super) fn counted(
        operator: &str,
        left: &Text,
        right: &Text,
        names: &[Vec<String>; 2],
    ) -> Text {
        let numbered = |query: &str, columns: &[String]| {
            let columns = columns.join(", ");
            format!(
                "SELECT {columns}, ROW_NUMBER() OVER (PARTITION BY {columns}) AS n FROM ({query}) \
                 AS e"
            )
        };
        let theirs = format!(
            "SELECT {} FROM ({} {operator} {}) AS e",
            names[0].join(", "),
            numbered(&left.theirs, &names[0]),
            numbered(&right.theirs, &names[1])
        );
        Text { ours: format!("{} {operator} ALL {}", left.ours, right.ours), theirs }
    }

    /// Rows of two tables within a time of each other.
    pub(super) fn interval_join(&mut self) -> Relation {
        let (left, right) = (self.timed_table(), self.timed_table());
        let (l, r) = (self.from(&left.0), self.from(&right.0));
        let kind = *self.tape.pick(&["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]);
        let (lt, rt) = (&l.scope.columns[left.1].0, &r.scope.columns[right.1].0);
        let before = *self.tape.pick(&[0, 2, 5]);
        let after = *self.tape.pick(&[3, 0, 10]);
        let near = match self.tape.below(3) {
            0 => format!(
                "{lt} BETWEEN {rt} - INTERVAL '{before}' SECOND AND {rt} + INTERVAL '{after}' SECOND"
            ),
            1 => format!(
                "{rt} >= {lt} - INTERVAL '{before}' SECOND AND {rt} < {lt} + INTERVAL '{after}' \
                 SECOND"
            ),
            _ => format!("{lt} = {rt}"),
        };
        let rest = match self.tape.chance(20) {
            true => String::new(),
            false => format!("{} AND ", self.join_condition(&l.scope, &r.scope)),
        };
        let exprs = self.some_columns(&l.scope.with(&r.scope));
        let (items, columns) = self.items(exprs);
        let text = join2(&l.text, &r.text, |l, r| {
            format!("SELECT {items} FROM {l} {kind} {r} ON {rest}{near}")
        });
        Relation { text, columns, window: None }
    }

    /// All columns of a table with event time, and which it is.
    fn timed_table(&mut self) -> (Relation, usize) {
        let timed: Vec<Table> = self.tables.iter().filter(|t| t.time.is_some()).cloned().collect();
        let table = self.tape.pick(&timed).clone();
        (self.whole(&table), table.time.map_or(0, |t| t.column))
    }

    /// A table under a session window. The referee numbers the sessions of a partition.
    pub(super) fn session(&mut self) -> Relation {
        let timed: Vec<Table> = self.tables.iter().filter(|t| t.time.is_some()).cloned().collect();
        let table = self.tape.pick(&timed).clone();
        let time = &table.columns[table.time.map_or(0, |t| t.column)].name;
        let alias = self.name('w');
        let exprs = table.columns.iter().map(|c| (format!("{alias}.{}", c.name), c.kind));
        let mut exprs: Vec<(String, Kind)> = exprs.collect();
        let width = exprs.len();
        for part in ["window_start", "window_end", "window_time"] {
            exprs.push((format!("{alias}.{part}"), Kind::Time));
        }
        let (items, columns) = self.items(exprs);
        let gap = *self.tape.pick(&[5, 2, 10]);
        let key = match self.tape.chance(60) {
            true => Some(self.tape.pick(&table.columns[..width - 1]).name.clone()),
            false => None,
        };
        let (by, part) = match &key {
            Some(key) => (format!(" PARTITION BY {key}"), format!("PARTITION BY {key}")),
            None => (String::new(), String::new()),
        };
        let all = match &key {
            Some(key) => format!("PARTITION BY {key}, nth"),
            None => "PARTITION BY nth".into(),
        };
        let name = &table.name;
        let gap_text = format!("INTERVAL '{gap} seconds'");
        // A row opens a session if the one before it is further away than the gap.
        let opens = format!(
            "SELECT *, CASE WHEN {time} <= LAG({time}) OVER ({part} ORDER BY {time}) + {gap_text} \
             THEN 0 ELSE 1 END AS opens FROM {name}"
        );
        let numbered = format!(
            "SELECT *, SUM(opens) OVER ({part} ORDER BY {time}) AS nth FROM ({opens}) AS o"
        );
        let end = format!("MAX({time}) OVER ({all}) + {gap_text}");
        let theirs = format!(
            "SELECT {items} FROM (SELECT *, MIN({time}) OVER ({all}) AS window_start, {end} AS \
             window_end, {end} - INTERVAL '1 millisecond' AS window_time FROM ({numbered}) AS n) \
             AS {alias}"
        );
        let ours = format!(
            "SELECT {items} FROM TABLE(SESSION(TABLE {name}{by}, DESCRIPTOR({time}), INTERVAL \
             '{gap}' SECOND)) AS {alias}"
        );
        let window = Some((width, width + 1));
        Relation { text: Text { ours, theirs }, columns, window }
    }
}

fn same((expr, kind): (String, Kind)) -> Call {
    (Text::same(expr), kind)
}
