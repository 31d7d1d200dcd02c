//! Generated queries, each as text for Flink SQL and for the referee.

use crate::data::{Kind, Table};
use crate::tape::Tape;

/// A text in both dialects.
#[derive(Debug, Clone)]
pub struct Text {
    /// Flink SQL.
    pub ours: String,
    /// What the referee reads.
    pub theirs: String,
}

impl Text {
    /// A text that is the same in both.
    pub fn same(text: impl Into<String>) -> Self {
        let ours = text.into();
        Self { theirs: ours.clone(), ours }
    }

    pub fn map(&self, f: impl Fn(&str) -> String) -> Self {
        Self { ours: f(&self.ours), theirs: f(&self.theirs) }
    }
}

/// Two texts in one.
pub fn join2(a: &Text, b: &Text, f: impl Fn(&str, &str) -> String) -> Text {
    Text { ours: f(&a.ours, &b.ours), theirs: f(&a.theirs, &b.theirs) }
}

/// A query and its columns.
#[derive(Debug, Clone)]
pub struct Relation {
    pub text: Text,
    /// Name and kind; names are unique in the whole query.
    pub columns: Vec<(String, Kind)>,
    /// The columns of its windows, where it has them: start and end.
    pub window: Option<(usize, usize)>,
}

/// Columns that an expression may read, as it writes them.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    pub columns: Vec<(String, Kind)>,
}

impl Scope {
    pub fn of(&self, kind: Kind) -> Vec<String> {
        let columns = self.columns.iter().filter(|(_, k)| *k == kind);
        columns.map(|(name, _)| name.clone()).collect()
    }

    pub fn any_kind(&self) -> Kind {
        self.columns.first().map_or(Kind::BigInt, |(_, kind)| *kind)
    }

    pub fn with(&self, other: &Scope) -> Scope {
        Scope { columns: self.columns.iter().chain(&other.columns).cloned().collect() }
    }
}

/// An item of a `FROM` clause.
pub struct From {
    pub text: Text,
    pub scope: Scope,
}

/// Makes queries out of decisions.
pub struct Gen<'a> {
    pub tape: Tape<'a>,
    pub tables: &'a [Table],
    names: usize,
}

/// What the outermost part of a query is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Project,
    Group,
    Join,
    BesideOne,
    Semi,
    SetOperation,
    Distinct,
    TopN,
    FirstRows,
    SharedPart,
    ScalarSubquery,
    GroupingSets,
    Over,
    IntervalJoin,
    Session,
}

const NESTED: [Shape; 13] = [
    Shape::Project,
    Shape::Group,
    Shape::Join,
    Shape::Distinct,
    Shape::SetOperation,
    Shape::TopN,
    Shape::Semi,
    Shape::FirstRows,
    Shape::SharedPart,
    Shape::ScalarSubquery,
    Shape::GroupingSets,
    Shape::Over,
    Shape::BesideOne,
];

impl<'a> Gen<'a> {
    pub fn new(numbers: &'a [u16], tables: &'a [Table]) -> Self {
        Self { tape: Tape::new(numbers), tables, names: 0 }
    }

    pub fn name(&mut self, prefix: char) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }

    /// Any query, at most `depth` parts deep.
    pub fn relation(&mut self, depth: usize) -> Relation {
        let timed = self.tables.iter().any(|t| t.time.is_some());
        if depth == 0 {
            return match self.tape.below(if timed { 8 } else { 1 }) {
                0 | 1 => self.table(),
                2 => self.session(),
                3 => self.interval_join(),
                _ => self.windowed(),
            };
        }
        let shape = *self.tape.pick(&NESTED);
        self.shaped(shape, depth)
    }

    /// A query whose outermost part is given.
    pub fn shaped(&mut self, shape: Shape, depth: usize) -> Relation {
        match shape {
            Shape::Project => self.project(depth),
            Shape::Group => self.group(depth),
            Shape::Join => self.join(depth),
            Shape::BesideOne => self.beside_one(depth),
            Shape::Semi => self.semi(depth),
            Shape::SetOperation => self.set_operation(depth),
            Shape::Distinct => self.distinct(depth),
            Shape::TopN => self.top_n(depth),
            Shape::FirstRows => self.first_rows(depth),
            Shape::SharedPart => self.shared_part(depth),
            Shape::ScalarSubquery => self.scalar_subquery(depth),
            Shape::GroupingSets => self.grouping_sets(depth),
            Shape::Over => self.over(depth),
            Shape::IntervalJoin => self.interval_join(),
            Shape::Session => self.session(),
        }
    }

    /// All columns of a table.
    fn table(&mut self) -> Relation {
        let table = self.tape.pick(self.tables).clone();
        self.whole(&table)
    }

    /// All columns of this table.
    pub fn whole(&mut self, table: &Table) -> Relation {
        let alias = self.name('q');
        let mut items = Vec::new();
        let mut columns = Vec::new();
        for column in &table.columns {
            let name = self.name('x');
            items.push(format!("{alias}.{} AS {name}", column.name));
            columns.push((name, column.kind));
        }
        let text = format!("SELECT {} FROM {} AS {alias}", items.join(", "), table.name);
        Relation { text: Text::same(text), columns, window: None }
    }

    pub fn from(&mut self, relation: &Relation) -> From {
        let alias = self.name('q');
        let column = |(name, kind): &(String, Kind)| (format!("{alias}.{name}"), *kind);
        let scope = Scope { columns: relation.columns.iter().map(column).collect() };
        From { text: relation.text.map(|t| format!("({t}) AS {alias}")), scope }
    }

    /// Some expressions under names of their own.
    pub fn items(&mut self, exprs: Vec<(String, Kind)>) -> (String, Vec<(String, Kind)>) {
        let mut items = Vec::new();
        let mut columns = Vec::new();
        for (expr, kind) in exprs {
            let name = self.name('x');
            items.push(format!("{expr} AS {name}"));
            columns.push((name, kind));
        }
        (items.join(", "), columns)
    }

    /// Some of the columns, at least one.
    pub fn some_columns(&mut self, scope: &Scope) -> Vec<(String, Kind)> {
        let mut some: Vec<(String, Kind)> =
            scope.columns.iter().filter(|_| !self.tape.chance(30)).cloned().collect();
        if some.is_empty() {
            some.push(scope.columns[0].clone());
        }
        some
    }

    pub fn where_clause(&mut self, scope: &Scope, percent: usize) -> String {
        match self.tape.chance(percent) {
            true => format!(" WHERE {}", self.predicate(scope, 2)),
            false => String::new(),
        }
    }

    fn project(&mut self, depth: usize) -> Relation {
        let input = self.relation(depth - 1);
        let From { text, scope } = self.from(&input);
        let mut exprs = self.some_columns(&scope);
        for _ in 0..self.tape.below(3) {
            let kind = *self.tape.pick(&[Kind::BigInt, Kind::Text, Kind::Boolean, Kind::Time]);
            exprs.push((self.expression(&scope, kind, 2), kind));
        }
        let (items, columns) = self.items(exprs);
        let filter = self.where_clause(&scope, 70);
        let text = text.map(|from| format!("SELECT {items} FROM {from}{filter}"));
        Relation { text, columns, window: None }
    }

    fn distinct(&mut self, depth: usize) -> Relation {
        let input = self.relation(depth - 1);
        let From { text, scope } = self.from(&input);
        let exprs = self.some_columns(&scope);
        let (items, columns) = self.items(exprs);
        let filter = self.where_clause(&scope, 30);
        let text = text.map(|from| format!("SELECT DISTINCT {items} FROM {from}{filter}"));
        Relation { text, columns, window: None }
    }

    /// `GROUP BY` of up to two keys, and the window where there is one.
    fn group(&mut self, depth: usize) -> Relation {
        let input = self.relation(depth - 1);
        let From { text, scope } = self.from(&input);
        let mut exprs = Vec::new();
        let mut window = None;
        if let Some((start, end)) = input.window
            && !self.tape.chance(15)
        {
            exprs.extend([scope.columns[start].clone(), scope.columns[end].clone()]);
            window = Some((0, 1));
        }
        for _ in 0..self.tape.below(3) {
            let key = self.tape.pick(&scope.columns).clone();
            if !exprs.contains(&key) {
                exprs.push(key);
            }
        }
        let keys: Vec<String> = exprs.iter().map(|(expr, _)| expr.clone()).collect();
        let mut calls = vec![self.call(&scope)];
        (0..self.tape.below(3)).for_each(|_| calls.push(self.call(&scope)));
        let having = match self.tape.chance(25) {
            true => format!(" HAVING {}", self.predicate(&Scope { columns: calls.clone() }, 0)),
            false => String::new(),
        };
        exprs.extend(calls);
        let (items, columns) = self.items(exprs);
        let filter = self.where_clause(&scope, 25);
        let by = match keys.is_empty() {
            true => String::new(),
            false => format!(" GROUP BY {}", keys.join(", ")),
        };
        let text = text.map(|from| format!("SELECT {items} FROM {from}{filter}{by}{having}"));
        Relation { text, columns, window }
    }

    /// An aggregate call and the kind of its result.
    pub fn call(&mut self, scope: &Scope) -> (String, Kind) {
        let (argument, kind) = self.tape.pick(&scope.columns).clone();
        let numbers = scope.of(Kind::BigInt);
        let (call, kind) = match self.tape.below(7) {
            0 => ("COUNT(*)".into(), Kind::BigInt),
            1 => (format!("COUNT({argument})"), Kind::BigInt),
            2 | 3 if !numbers.is_empty() => {
                let distinct = if self.tape.chance(25) { "DISTINCT " } else { "" };
                let argument = self.expression(scope, Kind::BigInt, 1);
                (format!("SUM({distinct}{argument})"), Kind::BigInt)
            }
            4 if kind != Kind::Boolean => (format!("MIN({argument})"), kind),
            5 if kind != Kind::Boolean => (format!("MAX({argument})"), kind),
            _ => (format!("COUNT(DISTINCT {argument})"), Kind::BigInt),
        };
        if self.tape.chance(25) {
            let condition = self.predicate(scope, 1);
            return (format!("{call} FILTER (WHERE {condition})"), kind);
        }
        (call, kind)
    }

    /// Columns of one kind, if the two sides have them, and how they are compared.
    fn equal_columns(
        &mut self,
        left: &Scope,
        right: &Scope,
    ) -> Option<(String, String, &'static str)> {
        let mut pairs = Vec::new();
        for (l, kind) in &left.columns {
            pairs.extend(right.of(*kind).into_iter().map(|r| (l.clone(), r)));
        }
        if pairs.is_empty() {
            return None;
        }
        let (l, r) = self.tape.pick(&pairs).clone();
        Some((l, r, if self.tape.chance(10) { "IS NOT DISTINCT FROM" } else { "=" }))
    }

    /// `l = r` for columns of one kind, if the two sides have them.
    fn equality(&mut self, left: &Scope, right: &Scope) -> Option<String> {
        self.equal_columns(left, right).map(|(l, r, same)| format!("({l} {same} {r})"))
    }

    /// One or two equalities, sometimes a further condition over both sides.
    pub fn join_condition(&mut self, left: &Scope, right: &Scope) -> String {
        let both = left.with(right);
        let mut parts: Vec<String> = self.equality(left, right).into_iter().collect();
        if self.tape.chance(25) {
            parts.extend(self.equality(left, right));
        }
        if parts.is_empty() || self.tape.chance(25) {
            parts.push(self.predicate(&both, 1));
        }
        parts.join(" AND ")
    }

    fn join(&mut self, depth: usize) -> Relation {
        let left = self.relation(depth - 1);
        let right = self.relation(depth - 1);
        let (l, r) = (self.from(&left), self.from(&right));
        let kind = *self.tape.pick(&["JOIN", "LEFT JOIN", "FULL JOIN", "RIGHT JOIN"]);
        let condition = match (left.window, right.window) {
            // A window join.
            (Some((ls, le)), Some((rs, re))) if !self.tape.chance(25) => {
                let rest = self.join_condition(&l.scope, &r.scope);
                let (l, r) = (&l.scope.columns, &r.scope.columns);
                format!("{} = {} AND {} = {} AND {rest}", l[ls].0, r[rs].0, l[le].0, r[re].0)
            }
            _ => self.join_condition(&l.scope, &r.scope),
        };
        let both = l.scope.with(&r.scope);
        let exprs = self.some_columns(&both);
        let (items, columns) = self.items(exprs);
        let filter = self.where_clause(&both, 20);
        let text = join2(&l.text, &r.text, |l, r| {
            format!("SELECT {items} FROM {l} {kind} {r} ON {condition}{filter}")
        });
        Relation { text, columns, window: None }
    }

    /// All rows beside a single one, which says them anew when it changes; often grouped then.
    fn beside_one(&mut self, depth: usize) -> Relation {
        let many = self.relation(depth - 1);
        let one = self.relation(0);
        let (many, one) = (self.from(&many), self.from(&one));
        let calls = vec![self.call(&one.scope), self.call(&one.scope)];
        let (items, columns) = self.items(calls);
        let one = Relation {
            text: one.text.map(|from| format!("SELECT {items} FROM {from}")),
            columns,
            window: None,
        };
        let one = self.from(&one);
        let both = many.scope.with(&one.scope);
        let mut exprs = self.some_columns(&many.scope);
        exprs.push((self.expression(&both, Kind::Boolean, 1), Kind::Boolean));
        let (items, columns) = self.items(exprs);
        let filter = self.where_clause(&both, 60);
        let distinct = if self.tape.chance(60) { "DISTINCT " } else { "" };
        let text = join2(&many.text, &one.text, |many, one| {
            format!("SELECT {distinct}{items} FROM {many} CROSS JOIN {one}{filter}")
        });
        Relation { text, columns, window: None }
    }

    /// `IN`, `EXISTS` and their negations.
    fn semi(&mut self, depth: usize) -> Relation {
        let left = self.relation(depth - 1);
        let right = self.relation(depth - 1);
        let (l, r) = (self.from(&left), self.from(&right));
        let exprs = self.some_columns(&l.scope);
        let (items, columns) = self.items(exprs);
        let of_kind: Vec<(String, Kind)> = r.scope.columns.clone();
        let (element, kind) = self.tape.pick(&of_kind).clone();
        let probes = l.scope.of(kind);
        let form = self.tape.below(4);
        let subquery = match form {
            0 | 1 if !probes.is_empty() => {
                let probe = self.tape.pick(&probes).clone();
                let filter = self.where_clause(&r.scope, 30);
                let correlated = match self.tape.chance(20) {
                    true => self.equality(&l.scope, &r.scope),
                    false => None,
                };
                let filter = match (filter.as_str(), correlated) {
                    (_, None) => filter,
                    ("", Some(equal)) => format!(" WHERE {equal}"),
                    (filter, Some(equal)) => {
                        format!(" WHERE ({}) AND {equal}", &filter[" WHERE ".len()..])
                    }
                };
                membership(&r.text, &probe, form == 1, &element, &filter)
            }
            _ => {
                let condition = self.join_condition(&l.scope, &r.scope);
                let not = if form == 3 { "NOT " } else { "" };
                r.text.map(|r| format!("{not}EXISTS (SELECT 1 FROM {r} WHERE {condition})"))
            }
        };
        let more = match self.tape.chance(25) {
            true => format!(" {} {}", self.tape.pick(&["AND", "OR"]), self.predicate(&l.scope, 1)),
            false => String::new(),
        };
        let text = join2(&l.text, &subquery, |l, subquery| {
            format!("SELECT {items} FROM {l} WHERE {subquery}{more}")
        });
        Relation { text, columns, window: None }
    }

    fn set_operation(&mut self, depth: usize) -> Relation {
        let left = self.relation(depth - 1);
        let right = self.relation(depth - 1);
        let (l, r) = (self.from(&left), self.from(&right));
        let kinds: Vec<Kind> =
            self.some_columns(&l.scope).iter().map(|(_, k)| *k).take(3).collect();
        let mut sides = Vec::new();
        let mut columns = Vec::new();
        let mut names: [Vec<String>; 2] = Default::default();
        for (side, names) in [&l, &r].into_iter().zip(&mut names) {
            let exprs: Vec<(String, Kind)> =
                kinds.iter().map(|&kind| (self.expression(&side.scope, kind, 0), kind)).collect();
            let (items, named) = self.items(exprs);
            *names = named.iter().map(|(name, _)| name.clone()).collect();
            if columns.is_empty() {
                columns = named;
            }
            let filter = self.where_clause(&side.scope, 20);
            sides.push(side.text.map(|from| format!("SELECT {items} FROM {from}{filter}")));
        }
        let operators =
            ["UNION ALL", "UNION", "EXCEPT", "INTERSECT", "EXCEPT ALL", "INTERSECT ALL"];
        let operator = *self.tape.pick(&operators);
        let text = match operator.strip_suffix(" ALL").filter(|o| *o != "UNION") {
            Some(operator) => Self::counted(operator, &sides[0], &sides[1], &names),
            None => join2(&sides[0], &sides[1], |l, r| format!("{l} {operator} {r}")),
        };
        Relation { text, columns, window: None }
    }

    /// All columns in some order, so that only equal rows tie.
    pub fn total_order(&mut self, scope: &Scope) -> String {
        let first = self.tape.below(scope.columns.len());
        let rotated = scope.columns[first..].iter().chain(&scope.columns[..first]);
        let part = |(name, _): &(String, Kind)| {
            let direction = *self.tape.pick(&["ASC", "DESC"]);
            let nulls = *self.tape.pick(&["FIRST", "LAST"]);
            format!("{name} {direction} NULLS {nulls}")
        };
        rotated.map(part).collect::<Vec<_>>().join(", ")
    }

    fn top_n(&mut self, depth: usize) -> Relation {
        let input = self.relation(depth - 1);
        let From { text, scope } = self.from(&input);
        let mut partition: Vec<String> = Vec::new();
        for _ in 0..self.tape.below(3) {
            let (column, _) = self.tape.pick(&scope.columns).clone();
            if !partition.contains(&column) {
                partition.push(column);
            }
        }
        let partition = match partition.is_empty() {
            true => String::new(),
            false => format!("PARTITION BY {} ", partition.join(", ")),
        };
        // Rows that tie share a rank, whatever their order.
        let (function, order) = match self.tape.chance(20) {
            true => {
                let column = self.tape.pick(&scope.columns).0.clone();
                let function = *self.tape.pick(&["RANK", "DENSE_RANK"]);
                (function, format!("{column} DESC NULLS LAST"))
            }
            false => ("ROW_NUMBER", self.total_order(&scope)),
        };
        let (items, inner) = self.items(scope.columns.clone());
        let (rank, alias) = (self.name('x'), self.name('q'));
        let mut outer: Vec<(String, Kind)> =
            inner.iter().map(|(name, kind)| (format!("{alias}.{name}"), *kind)).collect();
        if self.tape.chance(50) {
            outer.push((format!("{alias}.{rank}"), Kind::BigInt));
        }
        let (outer, columns) = self.items(outer);
        let n = 1 + self.tape.below(3);
        let limit = match self.tape.chance(15) {
            true => format!("BETWEEN {n} AND {}", n + 1),
            false => format!("<= {n}"),
        };
        let text = text.map(|from| {
            format!(
                "SELECT {outer} FROM (SELECT {items}, {function}() OVER ({partition}ORDER BY \
                 {order}) AS {rank} FROM {from}) AS {alias} WHERE {alias}.{rank} {limit}"
            )
        });
        Relation { text, columns, window: None }
    }

    fn first_rows(&mut self, depth: usize) -> Relation {
        let input = self.relation(depth - 1);
        let From { text, scope } = self.from(&input);
        let order = self.total_order(&scope);
        let (items, columns) = self.items(scope.columns.clone());
        let n = 1 + self.tape.below(4);
        let offset = match self.tape.chance(20) {
            true => format!(" OFFSET {}", 1 + self.tape.below(2)),
            false => String::new(),
        };
        let text = text
            .map(|from| format!("SELECT {items} FROM {from} ORDER BY {order} LIMIT {n}{offset}"));
        Relation { text, columns, window: None }
    }

    /// `WITH c AS (…)`, read twice.
    fn shared_part(&mut self, depth: usize) -> Relation {
        let shared = self.relation(depth - 1);
        let (name, left, right) = (self.name('c'), self.name('q'), self.name('q'));
        let scope = |alias: &str| Scope {
            columns: shared.columns.iter().map(|(n, k)| (format!("{alias}.{n}"), *k)).collect(),
        };
        let (l, r) = (scope(&left), scope(&right));
        let kind = *self.tape.pick(&["JOIN", "LEFT JOIN"]);
        let condition = self.join_condition(&l, &r);
        let exprs = self.some_columns(&l.with(&r));
        let (items, columns) = self.items(exprs);
        let text = shared.text.map(|shared| {
            format!(
                "WITH {name} AS ({shared}) SELECT {items} FROM {name} AS {left} {kind} {name} AS \
                 {right} ON {condition}"
            )
        });
        Relation { text, columns, window: None }
    }

    /// A subquery that is one value: alone, or for each row.
    fn scalar_subquery(&mut self, depth: usize) -> Relation {
        let left = self.relation(depth - 1);
        let right = self.relation(depth - 1);
        let (l, r) = (self.from(&left), self.from(&right));
        let (value, kind) = match self.tape.below(3) {
            0 => ("COUNT(*)".to_owned(), Kind::BigInt),
            n => {
                let columns: Vec<_> = r.scope.columns.clone();
                let (column, kind) = self.tape.pick(&columns).clone();
                match (n, kind) {
                    (1, kind) if kind != Kind::Boolean => (format!("MAX({column})"), kind),
                    _ => (format!("COUNT({column})"), Kind::BigInt),
                }
            }
        };
        let (from, subquery) = self.value_of(&l, &r, &value);
        let exprs = self.some_columns(&l.scope);
        let (items, mut columns) = self.items(exprs);
        let probes = l.scope.of(kind);
        if !probes.is_empty() && self.tape.chance(50) {
            let probe = self.tape.pick(&probes).clone();
            let operator = *self.tape.pick(&["<=", "=", ">"]);
            let text = join2(&from, &subquery, |l, s| {
                format!("SELECT {items} FROM {l} WHERE {probe} {operator} {s}")
            });
            return Relation { text, columns, window: None };
        }
        let name = self.name('x');
        let text =
            join2(&from, &subquery, |l, s| format!("SELECT {items}, {s} AS {name} FROM {l}"));
        columns.push((name, kind));
        Relation { text, columns, window: None }
    }

    /// The subquery of a value, alone or for each row of the left, and what is read with it. The
    /// referee reads a correlated subquery as the join that it stands for: DataFusion's own
    /// decorrelation takes `=` only.
    fn value_of(&mut self, l: &From, r: &From, value: &str) -> (Text, Text) {
        let correlated = match self.tape.chance(40) {
            true => self.equal_columns(&l.scope, &r.scope),
            false => None,
        };
        let Some((probe, key, same)) = correlated else {
            return (l.text.clone(), r.text.map(|r| format!("(SELECT {value} FROM {r})")));
        };
        let name = self.name('s');
        let same = *self.tape.pick(&[same, same, same, same, same, "<", ">=", "<>"]);
        let (left, right) = (&l.text.theirs, &r.text.theirs);
        let theirs = format!(
            "{left} LEFT JOIN (SELECT d.p AS k, {value} AS v FROM (SELECT DISTINCT {probe} AS p \
             FROM {left}) AS d JOIN {right} ON d.p {same} {key} GROUP BY d.p) AS {name} ON \
             {probe} IS NOT DISTINCT FROM {name}.k"
        );
        let missing = if value.starts_with("COUNT") { "0" } else { "NULL" };
        let subquery = Text {
            ours: format!("(SELECT {value} FROM {} WHERE ({probe} {same} {key}))", r.text.ours),
            theirs: format!("COALESCE({name}.v, {missing})"),
        };
        (Text { ours: l.text.ours.clone(), theirs }, subquery)
    }

    /// A table with event time under a window function.
    fn windowed(&mut self) -> Relation {
        let timed: Vec<Table> = self.tables.iter().filter(|t| t.time.is_some()).cloned().collect();
        if timed.is_empty() {
            return self.table();
        }
        let table = self.tape.pick(&timed).clone();
        let time = table.time.map_or(0, |t| t.column);
        let time = &table.columns[time].name;
        let (name, alias) = (&table.name, self.name('w'));
        let exprs = table.columns.iter().map(|c| (format!("{alias}.{}", c.name), c.kind));
        let mut exprs: Vec<(String, Kind)> = exprs.collect();
        let width = exprs.len();
        for part in ["window_start", "window_end", "window_time"] {
            exprs.push((format!("{alias}.{part}"), Kind::Time));
        }
        let (items, columns) = self.items(exprs);
        // The start of each of a row's windows, its size, and a condition on it.
        let slice = |s: i64| format!("date_bin(INTERVAL '{s} seconds', {time})");
        let (function, windows): (String, Vec<(String, i64)>) = match self.tape.below(3) {
            0 => {
                let size = *self.tape.pick(&[10, 5, 60]);
                (
                    format!(
                        "TUMBLE(TABLE {name}, DESCRIPTOR({time}), INTERVAL '{size}' SECOND(5))"
                    ),
                    vec![(slice(size), size)],
                )
            }
            1 => {
                let (slide, size) = *self.tape.pick(&[(5_i64, 10_i64), (5, 15), (2, 10)]);
                let start = |i: i64| format!("{} - INTERVAL '{} seconds'", slice(slide), i * slide);
                let function = format!(
                    "HOP(TABLE {name}, DESCRIPTOR({time}), INTERVAL '{slide}' SECOND(5), \
                     INTERVAL '{size}' SECOND(5))"
                );
                (function, (0..size / slide).map(|i| (start(i), size)).collect())
            }
            _ => {
                let (step, max) = *self.tape.pick(&[(5_i64, 10_i64), (5, 20)]);
                let function = format!(
                    "CUMULATE(TABLE {name}, DESCRIPTOR({time}), INTERVAL '{step}' SECOND(5), \
                     INTERVAL '{max}' SECOND(5))"
                );
                (function, (1..=max / step).map(|i| (slice(max), i * step)).collect())
            }
        };
        let branch = |(start, size): &(String, i64)| {
            let end = format!("{start} + INTERVAL '{size} seconds'");
            format!(
                "SELECT *, {start} AS window_start, {end} AS window_end, {end} - INTERVAL \
                 '1 millisecond' AS window_time FROM {name} WHERE {time} < {end}"
            )
        };
        let branches: Vec<String> = windows.iter().map(branch).collect();
        let text = Text {
            ours: format!("SELECT {items} FROM TABLE({function}) AS {alias}"),
            theirs: format!("SELECT {items} FROM ({}) AS {alias}", branches.join(" UNION ALL ")),
        };
        Relation { text, columns, window: Some((width, width + 1)) }
    }
}

/// `IN` and `NOT IN`. The referee reads `NOT IN` as what SQL says it is, no element that is equal
/// or may be: DataFusion forgets the nulls where the subquery is correlated or stands beside `OR`.
fn membership(from: &Text, probe: &str, negated: bool, element: &str, filter: &str) -> Text {
    if !negated {
        return from.map(|r| format!("{probe} IN (SELECT {element} FROM {r}{filter})"));
    }
    let and = match filter.strip_prefix(" WHERE ") {
        Some(filter) => format!(" AND ({filter})"),
        None => String::new(),
    };
    Text {
        ours: format!("{probe} NOT IN (SELECT {element} FROM {}{filter})", from.ours),
        theirs: format!(
            "NOT EXISTS (SELECT 1 FROM {} WHERE ({element} = {probe} OR {element} IS NULL OR {probe} \
             IS NULL){and})",
            from.theirs
        ),
    }
}
