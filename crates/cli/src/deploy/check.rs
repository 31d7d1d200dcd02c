//! `rialto deploy check`: the fixtures of a project, here and on a Flink cluster.

use std::path::Path;
use std::time::Duration;

use rialto_flink::check::{Checked, Place, Unchecked, check as compare};
use rialto_flink::{Config, Trouble};
use rialto_runtime::fixture::{Fixture, read};
use serde_json::json;

use super::arguments::Check;
use super::{name_of, told, told_report};
use crate::args::{Answer, JobArguments};
use crate::failure::{Failure, Result};
use crate::output::{Stdout, thousands};
use crate::project::{counted, open_with};
use crate::{sql, test};

/// Runs the fixtures of a project on both sides.
pub fn check(command: &Check, stdout: &Stdout) -> Result<()> {
    let (mut same, mut different) = (0, 0);
    for project in test::tested_projects(&command.project.project) {
        let config = Config::read(&project, command.config.as_deref());
        let config = config.map_err(|error| Failure::request(error, None))?;
        for path in test::files(&project)? {
            let shown = path.display().to_string();
            for fixture in read(&path).map_err(test::wrong)? {
                let wanted = |text: &String| shown.contains(text) || fixture.name.contains(text);
                if !command.only.as_ref().is_none_or(wanted) {
                    continue;
                }
                let checked = both(command, &project, &config, &fixture, stdout)?;
                if checked.differences.is_empty() {
                    same += 1;
                } else {
                    different += 1;
                }
                print(command.output, &shown, &fixture.name, &checked, stdout)?;
                stdout.flush()?;
            }
        }
    }
    if command.output == Answer::Text {
        let all = counted(same + different, "fixture", "fixtures");
        stdout.line(&format!("{all}: {same} the same on both sides, {different} different"))?;
    }
    match (same, different) {
        (0, 0) => Err(Failure::request("there is no such fixture", None)),
        (_, 0) => Ok(()),
        (_, n) => {
            let different = counted(n, "fixture differs", "fixtures differ");
            Err(Failure::Job(format!("error: {different}\n")))
        }
    }
}

fn both(
    command: &Check,
    project: &Path,
    config: &Config,
    fixture: &Fixture,
    stdout: &Stdout,
) -> Result<Checked> {
    let mut variables = fixture.variables();
    let said = command.project.variables.iter().map(|v| (v.0.clone(), v.1.clone()));
    variables.splice(0..0, said);
    let opened = open_with(project, &variables)?;
    let (given, _) = fixture.given().map_err(test::wrong)?;
    let runtime = || sql::runtime(&opened.base_dir, &JobArguments::default(), stdout);
    let place = Place {
        gateway: &command.gateway,
        rest: command.rest.as_deref(),
        config,
        limit: Duration::from_secs(command.timeout),
    };
    let checked = compare(&opened, &name_of(project), &given, &place, &runtime);
    checked.map_err(|unchecked| match unchecked {
        Unchecked::Refused(refused) => {
            Failure::sql(&refused.error, &refused.text, &refused.path.display().to_string())
        }
        Unchecked::NotPortable(rendered) => {
            told_report(&rendered);
            let hint = "only what is portable can be compared: change these statements";
            Failure::request("the project cannot go to Flink as it stands", Some(hint))
        }
        Unchecked::Trouble(trouble) => {
            let what = format!("fixture '{}': {}", fixture.name, trouble.what);
            told(Trouble { what, ..*trouble })
        }
    })
}

fn print(
    answer: Answer,
    file: &str,
    name: &str,
    checked: &Checked,
    stdout: &Stdout,
) -> std::io::Result<()> {
    let (local, flink) = (checked.local.as_secs_f64(), checked.flink.as_secs_f64());
    if answer == Answer::Json {
        let line = json!({
            "file": file, "name": name, "outputs": checked.outputs, "rows": checked.rows,
            "differences": checked.differences, "rialto_s": local, "flink_s": flink,
        });
        return stdout.line(&line.to_string());
    }
    let word = if checked.differences.is_empty() { "same   " } else { "DIFFERS" };
    let rows = thousands(checked.rows.unsigned_abs());
    let outputs = counted(checked.outputs, "output", "outputs");
    stdout.line(&format!(
        "{word} {file}: {name} ({outputs}, {rows} rows; {local:.2} s here, {flink:.2} s on Flink)"
    ))?;
    checked.differences.iter().try_for_each(|line| stdout.line(&format!("        {line}")))
}
