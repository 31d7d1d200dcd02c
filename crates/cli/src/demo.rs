//! `rialto demo`: everything at once, on a simulated shop; or the real data set Online Retail.

use std::path::Path;

use clap::Parser;
use rust_embed::RustEmbed;

use crate::args::{Arguments, Command, Demo, Init, SourceOfRows};
use crate::failure::{Failure, Result, tell};
use crate::output::Stdout;
use crate::{init, project};

/// The project over the real data, as a user reads it in the repository.
#[derive(RustEmbed)]
#[folder = "../../examples/online-retail"]
struct OnlineRetail;

/// Makes the project where it is not there yet, and runs it.
pub fn demo(command: &Demo, stdout: &Stdout) -> Result<()> {
    let folder = command.project.display().to_string();
    let Some(data) = &command.data else {
        if !command.project.join("rialto.toml").is_file() {
            make(&command.project)?;
        }
        let (serve, postgres) = (command.serve.to_string(), command.postgres.to_string());
        let state = command.project.join(".rialto/state").display().to_string();
        tell(&format!(
            "a simulated shop: nothing in it was ever sold\n\
             console and API  http://{serve}/\n\
             psql             psql -h {host} -p {port} -d rialto\n\
             the project      {folder}: change a rule, and run this again\n\
             Ctrl-C stops it; it goes on where it was. Planning takes a moment.\n",
            host = command.postgres.ip(),
            port = command.postgres.port(),
        ));
        let line = ["--serve", &serve, "--postgres", &postgres, "--state", &state];
        return run(&folder, &line, stdout);
    };
    if !data.is_dir() {
        let message = format!("there is no folder {}", data.display());
        return Err(Failure::request(message, Some("--data names the folder of the CSV files")));
    }
    let folder = format!("{folder}-online-retail");
    for path in OnlineRetail::iter() {
        let file = OnlineRetail::get(&path).map(|file| file.data).unwrap_or_default();
        init::write(Path::new(&folder), &path, &file)?;
    }
    let data = std::path::absolute(data).unwrap_or_else(|_| data.clone());
    let (data, speed) = (format!("DATA={}", data.display()), format!("SPEED={}", command.speed));
    run(&folder, &["-D", &data, "-D", &speed], stdout)
}

fn make(folder: &Path) -> Result<()> {
    let command = Init {
        project: Some(folder.to_path_buf()),
        packs: init::all_packs(),
        from: SourceOfRows::Shop,
        map: Vec::new(),
        list: false,
    };
    init::write_project(folder, &command).map(|_| ())
}

/// As if `rialto run FOLDER …` had been typed.
fn run(folder: &str, options: &[&str], stdout: &Stdout) -> Result<()> {
    let line = ["rialto", "run", folder].into_iter().chain(options.iter().copied());
    let arguments = Arguments::try_parse_from(line).map_err(|e| Failure::request(e, None))?;
    match &arguments.command {
        Command::Run(command) => project::run(command, stdout),
        _ => Ok(()),
    }
}
