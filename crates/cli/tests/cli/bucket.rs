//! A project whose checkpoints lie in a bucket: killed, and everything is exact.

use std::fs;
use std::path::Path;
use std::process::Output;

#[path = "../../../storage/tests/s3/server.rs"]
mod server;

use crate::restart::Dice;
use crate::running::{Ended, Running, wait_until};
use crate::{command, rialto, stderr, stdout};
use server::Server;

const JOB: &str = "
SET 'execution.checkpointing.interval' = '40 ms';
CREATE TABLE sales (id BIGINT, shop INT, price INT) WITH (
  'connector' = 'datagen', 'rows-per-second' = '20000', 'fields.id.kind' = 'sequence',
  'fields.id.start' = '1', 'fields.id.end' = '80000', 'fields.shop.min' = '1',
  'fields.shop.max' = '40', 'fields.price.min' = '1', 'fields.price.max' = '500');
CREATE TABLE dear (id BIGINT, shop INT) WITH (
  'connector' = 'filesystem', 'path' = 'dear', 'format' = 'csv');
INSERT INTO dear SELECT id, shop FROM sales WHERE price > 450;
CREATE MATERIALIZED VIEW totals AS
  SELECT shop, COUNT(*) AS n, COUNT(DISTINCT id) AS ids, SUM(price) AS paid
  FROM sales GROUP BY shop;
";

fn keys() -> [(&'static str, String); 2] {
    [("AWS_ACCESS_KEY_ID", server::KEY.into()), ("AWS_SECRET_ACCESS_KEY", "secret".into())]
}

fn sorted(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

fn files(folder: &Path) -> Vec<String> {
    let paths = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let visible = paths.filter(|p| !p.file_name().unwrap().to_string_lossy().starts_with('.'));
    sorted(&visible.map(|p| fs::read_to_string(p).unwrap()).collect::<String>())
}

struct Project<'a> {
    server: &'a Server,
    dir: &'a Path,
    url: String,
}

impl Project<'_> {
    fn start(&self, shards: &str) -> Running {
        let run = ["run", "job.sql", "--state", &self.url, "--shards", shards];
        Running::start_with(self.dir, &run, &keys())
    }

    fn output(&self, arguments: &[&str]) -> Output {
        command(self.dir, arguments).envs(keys()).output().unwrap()
    }

    /// The number of the newest checkpoint; none is older than `since`.
    fn newest(&self, since: u64) -> u64 {
        let is_there =
            |epoch: &u64| self.server.object(&format!("prod/one/manifests/{epoch:012}")).is_some();
        (since..since + 1000).filter(is_there).last().unwrap_or(since)
    }

    /// Kills a run that has written some checkpoints, with a service that is busy meanwhile.
    fn kill_one(&self, since: u64, dice: &mut Dice) -> (u64, Ended) {
        let running = self.start(["1", "2", "3"][dice.below(3) as usize]);
        wait_until("a checkpoint", || self.newest(since) > since);
        self.server.fail_next(3, 503);
        let then = self.newest(since);
        wait_until("one more", || self.newest(then) > then);
        std::thread::sleep(std::time::Duration::from_millis(dice.below(80)));
        let ended = running.kill();
        (self.newest(then), ended)
    }
}

#[test]
fn a_killed_project_goes_on_from_its_bucket() {
    let straight = tempfile::tempdir().unwrap();
    fs::write(straight.path().join("job.sql"), JOB).unwrap();
    let output = rialto(straight.path(), &["run", "job.sql", "-o", "csv", "--rows", "1000"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let expected = (sorted(&stdout(&output)), files(&straight.path().join("dear")));
    assert!(expected.0.len() > 40 && expected.1.len() > 1000, "{:?}", expected.0);

    let (server, dir) = (Server::start(), tempfile::tempdir().unwrap());
    fs::write(dir.path().join("job.sql"), JOB).unwrap();
    let address = server.address();
    let url = format!("s3://{}/prod/one?endpoint=http://{address}&allow-http=true", server::BUCKET);
    let project = Project { server: &server, dir: dir.path(), url };
    let (mut dice, mut newest) = (Dice(3), 0);
    for kill in 0..5 {
        let (then, ended) = project.kill_one(newest, &mut dice);
        newest = then;
        let goes_on = ended.said.contains("going on from checkpoint");
        assert_eq!(goes_on, kill > 0, "{}", ended.said);
    }
    assert!(server.failed() >= 15, "the service was busy {} times", server.failed());
    let last = ["run", "job.sql", "--state", &project.url, "-o", "csv", "--rows", "1000"];
    let output = project.output(&last);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = stderr(&output);
    assert!(said.contains(&format!("going on from checkpoint {newest}")), "{newest}: {said}");
    assert_eq!((sorted(&stdout(&output)), files(&dir.path().join("dear"))), expected);

    let listed = stdout(&project.output(&["checkpoints", &project.url]));
    assert!(listed.contains("80000 rows") && listed.contains("the input has ended"), "{listed}");
    // Nothing of a checkpoint lies on this machine.
    assert!(!dir.path().join(".rialto/checkpoints").exists());
    server.drop_bucket();
    let output = project.output(&last);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("no such bucket"), "{}", stderr(&output));
}
