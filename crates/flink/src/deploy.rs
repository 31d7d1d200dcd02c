//! Bringing a rendered project onto a cluster, once.

use std::path::Path;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::cluster::{Cluster, GONE, Stop, is_over};
use crate::gateway::Gateway;
use crate::record::Record;
use crate::render::{Part, Rendered};
use crate::trouble::Trouble;

/// How a project is brought onto a cluster.
#[derive(Debug, Clone)]
pub struct Options<'a> {
    /// The project, beside which its record is.
    pub project: &'a Path,
    /// The SQL Gateway.
    pub gateway: &'a str,
    /// The REST of the cluster; none: the gateway is asked.
    pub rest: Option<&'a str>,
    /// What becomes of the job that an earlier text has started.
    pub change: Change,
    /// Where savepoints go; none: where the cluster says.
    pub savepoints: Option<&'a str>,
    /// How long is waited for a job to run, or to stop.
    pub limit: Duration,
}

/// What becomes of the job that an earlier text has started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It stays, and the new text is refused.
    Refuse,
    /// It is stopped with a savepoint, from which the new one goes on.
    Upgrade,
    /// The same, and state that the new text has no place for is dropped.
    UpgradeAndDrop,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployed {
    /// Whether anything was to be done.
    pub is_new: bool,
    /// The job's id.
    pub job: String,
    /// Its state.
    pub state: String,
    /// The REST of the cluster.
    pub rest: String,
    /// The savepoint that it goes on from.
    pub savepoint: Option<String>,
}

/// Submits a project, unless what it says runs already.
pub fn deploy(rendered: &Rendered, options: &Options<'_>) -> Result<Deployed, Trouble> {
    let Some(set) = rendered.statement_set() else {
        let what = format!("'{}' has nothing to deploy", rendered.name);
        return Err(Trouble::new(what, "it has no INSERT and no materialized view").request());
    };
    let script = hash(rendered, &set);
    let record = Record::read(options.project)?.unwrap_or_default();
    let mut savepoint = record.savepoint.clone();
    if let Some(job) = &record.job {
        let cluster = Cluster::new(&record.rest)?;
        let state = cluster.state(job).map_err(|trouble| forgotten(trouble, options.project))?;
        let is_same = record.script == script && options.change == Change::Refuse;
        if is_same && (state == "FINISHED" || !is_over(&state)) {
            let (job, rest) = (job.clone(), record.rest.clone());
            return Ok(Deployed { is_new: false, job, state, rest, savepoint: None });
        }
        savepoint = match state.as_str() {
            GONE => return Err(gone(&record, job, options.project)),
            "FINISHED" => return Err(finished(&record, job, options.project)),
            state if is_over(state) => cluster.last_checkpoint(job)?.or(savepoint),
            _ if options.change == Change::Refuse => return Err(changed(&record, job)),
            _ => {
                let taken = cluster.savepoint(job, options.savepoints, Stop::Yes, options.limit)?;
                cluster.wait(job, &[], options.limit)?;
                Some(taken)
            }
        };
        // Whatever happens to the submission, the next one knows where to go on.
        let (job, savepoint) = (None, savepoint.clone());
        Record { job, savepoint, ..record.clone() }.write(options.project)?;
    }
    let (job, rest) = submit(rendered, &set, options, savepoint.as_deref())?;
    let name = rendered.name.clone();
    let gateway = options.gateway.to_owned();
    // Should the job fail before its first checkpoint, the next one begins where this one did.
    let (id, from) = (Some(job.clone()), savepoint.clone());
    let record = Record { gateway, rest, name, script, job: id, savepoint: from };
    record.write(options.project)?;
    let cluster = Cluster::new(&record.rest)?;
    let state = cluster.wait(&job, &["RUNNING"], options.limit)?;
    if state == "FAILED" {
        let why = cluster.exception(&job)?.unwrap_or_else(|| "it did not say why".into());
        return Err(Trouble::new(format!("the job {job} failed"), why));
    }
    Ok(Deployed { is_new: true, job, state, rest: record.rest, savepoint })
}

/// Runs a project that ends, once, and leaves no record of it.
pub(crate) fn to_the_end(
    rendered: &Rendered,
    gateway: &str,
    rest: Option<&str>,
    limit: Duration,
) -> Result<(), Trouble> {
    // Without a view or an insert there is nothing to run.
    let Some(set) = rendered.statement_set() else { return Ok(()) };
    let (change, savepoints) = (Change::Refuse, None);
    let options = Options { project: Path::new(""), gateway, rest, change, savepoints, limit };
    let (job, rest) = submit(rendered, &set, &options, None)?;
    let cluster = Cluster::new(&rest)?;
    match cluster.wait(&job, &[], limit) {
        Ok(state) if state == "FINISHED" => Ok(()),
        Ok(state) => {
            let why = cluster.exception(&job)?.unwrap_or_else(|| "it did not say why".into());
            Err(Trouble::new(format!("the job {job} is {state}"), why))
        }
        Err(trouble) => {
            // Nobody would ever read what it goes on to write; that it did not end is what counts.
            let _ = cluster.cancel(&job, limit);
            Err(trouble)
        }
    }
}

/// A cluster that is gone for good is not waited for.
fn forgotten(trouble: Trouble, project: &Path) -> Trouble {
    let file = crate::record::path(project);
    let hint = format!(
        "the project's job was deployed there; if that cluster is gone for good, remove {}",
        file.display()
    );
    Trouble::new("cannot ask about the job of the last deployment", trouble.why).hint(hint)
}

/// What is begun anew writes to its topics once more, so that is never done by itself.
const ANEW: &str = "delete the topics of its views, or take another topic-prefix, and";

fn gone(record: &Record, job: &str, project: &Path) -> Trouble {
    let what = format!("'{}' was job {job} on {}", record.name, record.rest);
    let file = crate::record::path(project);
    let hint = format!("to begin anew, {ANEW} remove {}", file.display());
    Trouble::new(what, "the cluster does not know it any more").hint(hint).request()
}

fn finished(record: &Record, job: &str, project: &Path) -> Trouble {
    let what = format!("'{}' was changed, and job {job} has finished", record.name);
    let file = crate::record::path(project);
    let hint = format!("to run it once more, {ANEW} remove {}", file.display());
    Trouble::new(what, "there is nothing to go on from").hint(hint).request()
}

fn changed(record: &Record, job: &str) -> Trouble {
    let what = format!("'{}' runs on {} with another text", record.name, record.rest);
    let why = format!("it was changed since job {job} was submitted");
    Trouble::new(what, why)
        .hint("`rialto deploy upgrade` goes on from a savepoint, `rialto deploy cancel` ends it")
        .request()
}

/// Runs the script in a session; a session that is lost before anything was started is no harm.
fn submit(
    rendered: &Rendered,
    set: &str,
    options: &Options<'_>,
    savepoint: Option<&str>,
) -> Result<(String, String), Trouble> {
    match submit_once(rendered, set, options, savepoint) {
        Err((trouble, Reached::Declared)) if trouble.is_lost_session => {
            submit_once(rendered, set, options, savepoint).map_err(|(trouble, _)| trouble)
        }
        other => other.map_err(|(trouble, _)| trouble),
    }
}

/// How far a submission came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reached {
    /// Nothing but declarations of a session was done.
    Declared,
    /// The job may have been started.
    Submitted,
}

fn submit_once(
    rendered: &Rendered,
    set: &str,
    options: &Options<'_>,
    savepoint: Option<&str>,
) -> Result<(String, String), (Trouble, Reached)> {
    let early = |trouble| (trouble, Reached::Declared);
    let gateway = Gateway::open(options.gateway, &rendered.name).map_err(early)?;
    let result = (|| {
        let rest = match options.rest {
            Some(rest) => rest.to_owned(),
            None => gateway.rest().map_err(early)?,
        };
        refuse_double(&Cluster::new(&rest).map_err(early)?, &rendered.name).map_err(early)?;
        for part in &rendered.declarations {
            gateway.run(&part.text, &place(part)).map_err(early)?;
        }
        if let Some(savepoint) = savepoint {
            let quoted = savepoint.replace('\'', "''");
            let mut settings = vec![format!("SET 'execution.state-recovery.path' = '{quoted}'")];
            if options.change == Change::UpgradeAndDrop {
                let key = "execution.state-recovery.ignore-unclaimed-state";
                settings.push(format!("SET '{key}' = 'true'"));
            }
            for setting in settings {
                gateway.run(&setting, "cannot go on from the savepoint").map_err(early)?;
            }
        }
        // Planned one by one first: a statement set does not say which of its members is wrong.
        for part in &rendered.inserts {
            let explain = format!("EXPLAIN CHANGELOG_MODE {}", part.text);
            let plan = gateway.run(&explain, &place(part)).map_err(early)?.text;
            if loses_updates(&plan, part.is_keyed) {
                return Err(early(updates_lost(part)));
            }
            if reads_twice(&plan) {
                return Err(early(read_twice(part)));
            }
        }
        let what = "cannot start the job";
        let answer = gateway.run(set, what).map_err(|trouble| (trouble, Reached::Submitted))?;
        let none = || {
            let trouble = Trouble::new(what, "the gateway named no job");
            let trouble = trouble.hint("`rialto jobs --gateway URL` says whether it runs");
            (trouble, Reached::Submitted)
        };
        Ok((answer.job.ok_or_else(none)?, rest))
    })();
    gateway.close();
    result
}

/// A job of this name that the record does not know is somebody's: two would write to one topic.
fn refuse_double(cluster: &Cluster, name: &str) -> Result<(), Trouble> {
    let jobs = cluster.jobs()?;
    let double = jobs.iter().find(|[_, known, state]| known == name && !is_over(state));
    match double {
        None => Ok(()),
        Some([id, ..]) => {
            let why = format!("job {id} has that name, and is not the one that was deployed here");
            let hint = "cancel it (`rialto deploy cancel --job ID --rest URL`), or give this one \
                        another name in flink.toml";
            Err(Trouble::new(format!("'{name}' runs already"), why).hint(hint).request())
        }
    }
}

/// Whether a plan has a ranking of which Flink believes that it only adds rows, though a better row
/// may come. Flink 2.3 does so wherever the first of rows that are only added is kept, unless it is
/// by one column, descending; by an event time alone, ascending, it is right, and by columns that
/// the rows are grouped by any row is as good as the first. What is computed of such a ranking has
/// every row in it that ever was the best. Only where nothing is computed of it does a sink with a
/// key put it right: there a new row takes the place of the old one.
fn loses_updates(plan: &str, is_keyed: bool) -> bool {
    let lines: Vec<&str> = plan.lines().collect();
    let is_lost = |line: &str| {
        let listed = |key: &str| {
            let (_, rest) = line.split_once(key)?;
            rest.split_once(']').map(|(list, _)| list.split(", ").collect::<Vec<&str>>())
        };
        let groups = listed("partitionBy=[").unwrap_or_default();
        let tells = |by: &&str| {
            !groups.iter().any(|g| by.strip_prefix(g).is_some_and(|r| r.starts_with(' ')))
        };
        let order: Vec<&str> =
            listed("orderBy=[").unwrap_or_default().into_iter().filter(tells).collect();
        let is_by_time = |by: &str| by.starts_with("ROWTIME ") || by.starts_with("PROCTIME ");
        line.contains("Rank(")
            && !line.contains("WindowRank(")
            && line.contains("changelogMode=[I]")
            && !order.is_empty()
            && !matches!(order.as_slice(), [by] if is_by_time(by))
    };
    let indent = |line: &str| line.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(line.len());
    let is_shown_as_it_is = |at: usize| {
        let mut inner = indent(lines[at]);
        lines[..at].iter().rev().take_while(|line| !line.is_empty()).all(|line| {
            if indent(line) >= inner {
                return true;
            }
            inner = indent(line);
            let node = &line[inner..];
            let passes = ["Sink(", "Exchange(", "Calc("].iter().any(|n| node.starts_with(n));
            passes && !node.contains("where=[") || node.starts_with("==")
        })
    };
    (0..lines.len()).any(|at| is_lost(lines[at]) && !(is_keyed && is_shown_as_it_is(at)))
}

/// Whether rows that stand in the query itself are read by a source that forgets that it has read
/// them (`constants.rs`).
fn reads_twice(plan: &str) -> bool {
    let last = plan.rsplit_once("\n== ").map_or(plan, |(_, last)| last);
    last.contains("Values(tuples=[[{")
}

fn read_twice(part: &Part) -> Trouble {
    let why = "it has rows of its own in a form that Flink reads once more when it goes on from an \
               early checkpoint, and the result would be wrong";
    Trouble::new(place(part), why)
        .hint("write these rows as VALUES (...), (...), which `deploy` has numbered")
        .request()
}

fn updates_lost(part: &Part) -> Trouble {
    let why = "it keeps the first row by several columns, or by one in ascending order; Flink then \
               takes no row back that was the first once, and the result would be wrong";
    let hint = "order by one column, DESC, such as `CAST(a AS STRING) || b`; where the rows are \
                shown as they are, PRIMARY KEY (...) NOT ENFORCED will do: with a key a new row \
                replaces the old one";
    Trouble::new(place(part), why).hint(hint).request()
}

/// What is said of an error in a statement: where the user wrote it.
fn place(part: &Part) -> String {
    match &part.place {
        Some((file, line)) => format!("{}:{line}: Flink refuses this statement", file.display()),
        None => format!("Flink refuses `{}`", part.text),
    }
}

/// Tells one text from another; where it stood in which file does not count.
fn hash(rendered: &Rendered, set: &str) -> String {
    let mut digest = Sha256::new();
    for part in &rendered.declarations {
        digest.update(&part.text);
        digest.update(";");
    }
    digest.update(set);
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The REST of the cluster behind a SQL Gateway; of a cluster itself, what was given.
pub fn rest_of(url: &str) -> Result<String, Trouble> {
    if let Ok(cluster) = Cluster::new(url)
        && cluster.jobs().is_ok()
    {
        return Ok(cluster.rest().to_owned());
    }
    let gateway = Gateway::open(url, "rialto jobs")?;
    let rest = gateway.rest();
    gateway.close();
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ranking_that_forgets_to_take_rows_back_is_seen() {
        let rank = |order: &str, mode: &str| {
            format!("Sink(a)\n+- Rank(strategy=[x], orderBy=[{order}], changelogMode=[{mode}])\n")
        };
        let loses = |plan: &str| loses_updates(plan, false);
        assert!(loses(&rank("price DESC, at ASC", "I")));
        assert!(loses(&rank("ROWTIME at DESC, id ASC", "I")));
        assert!(loses(&rank("id ASC", "I")));
        assert!(!loses(&rank("ROWTIME at ASC", "I")));
        let by_id = |plan: String| plan.replace("strategy=[x]", "partitionBy=[id, a]");
        assert!(!loses(&by_id(rank("id ASC", "I"))));
        assert!(!loses(&by_id(rank("ROWTIME at ASC, id ASC", "I"))));
        assert!(loses(&by_id(rank("id ASC, b ASC", "I"))));
        assert!(loses(&by_id(rank("idea ASC", "I"))));
        assert!(!loses(&rank("price DESC, at ASC", "I,UB,UA,D")));
        assert!(!loses(&rank("price DESC", "I").replace("Rank(", "WindowRank(")));
    }

    #[test]
    fn a_key_puts_right_what_is_shown_as_it_is() {
        let plan = |between: &str| {
            format!(
                "== Optimized Physical Plan ==\nSink(a)\n+- {between}\n   :- Other(b)\n   \
                 +- Rank(strategy=[x], orderBy=[a ASC, b ASC], changelogMode=[I])\n"
            )
        };
        assert!(!loses_updates(&plan("Calc(select=[a, b])"), true));
        assert!(loses_updates(&plan("Calc(select=[a, b])"), false));
        assert!(loses_updates(&plan("Calc(select=[a], where=[(b > 1)])"), true));
        assert!(loses_updates(&plan("GroupAggregate(groupBy=[a])"), true));
        assert!(loses_updates(&plan("Join(where=[a = b])"), true));
    }

    #[test]
    fn rows_of_a_query_that_are_read_twice_are_seen() {
        let plan = |ast: &str, last: &str| {
            format!("== Abstract Syntax Tree ==\n{ast}\n\n== Optimized Execution Plan ==\n{last}\n")
        };
        let values = "+- Values(tuples=[[{ 1, _UTF-16LE'a' }]])";
        assert!(reads_twice(&plan("", values)));
        assert!(!reads_twice(&plan(values, "+- Values(tuples=[[]])")));
        assert!(!reads_twice(&plan(values, "+- TableSourceScan(table=[[t]], fields=[n])")));
    }
}
