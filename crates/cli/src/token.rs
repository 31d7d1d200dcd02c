//! `rialto token`: who may ask the server of a project.

use std::path::{Path, PathBuf};

use rialto_server::{Role, Token, Tokens, now_ms};
use serde_json::{Value, json};

use crate::args::{Answer, TokenCommand, TokenRole};
use crate::failure::{Failure, Result, tell};
use crate::output::Stdout;
use crate::project::{no_token, server_home, state_of};

/// Makes, lists or revokes tokens.
pub fn token(command: &TokenCommand, stdout: &Stdout) -> Result<()> {
    match command {
        TokenCommand::Create { name, role, expires, state, output } => {
            let tokens = tokens(state)?;
            let is_first = !tokens.exist();
            let (token, secret) =
                tokens.create(name, role_of(*role), *expires).map_err(no_token)?;
            match output {
                Answer::Json => {
                    let mut line = described(&token);
                    line["token"] = json!(secret);
                    stdout.line(&line.to_string())?;
                }
                Answer::Text => stdout.line(&secret)?,
            }
            let path = tokens.path();
            tell(&format!("shown this once: {} keeps a hash of it\n", path.display()));
            if is_first {
                tell("from now on the project's server answers nobody without a token\n");
            }
        }
        TokenCommand::List { state, output } => {
            for token in tokens(state)?.read().map_err(no_token)? {
                match output {
                    Answer::Json => stdout.line(&described(&token).to_string())?,
                    Answer::Text => stdout.line(&line(&token))?,
                }
            }
        }
        TokenCommand::Revoke { name, state } => {
            tokens(state)?.revoke(name).map_err(no_token)?;
            tell(&format!("revoked '{name}'; a running server refuses it within a second\n"));
        }
    }
    Ok(())
}

fn role_of(role: TokenRole) -> Role {
    match role {
        TokenRole::Admin => Role::Admin,
        TokenRole::Analyst => Role::Analyst,
        TokenRole::Viewer => Role::Viewer,
        TokenRole::Ingest => Role::Ingest,
    }
}

/// The tokens of a project, or of a state folder.
fn tokens(place: &Path) -> Result<Tokens> {
    let own = |folder: &Path| folder.join(".rialto");
    let has = |folder: &PathBuf| Tokens::at(folder).exist();
    if let Some(folder) = [place.to_path_buf(), own(place)].into_iter().find(has) {
        return Ok(Tokens::at(folder));
    }
    if let Ok(state) = state_of(place) {
        return Ok(Tokens::at(server_home(&state)));
    }
    if place.is_file() {
        return Ok(Tokens::at(own(place.parent().unwrap_or(Path::new(".")))));
    }
    let files = std::fs::read_dir(place).map_err(|e| {
        let hint = "name the project, or the folder of `rialto run --state`";
        Failure::request(format!("cannot read {}: {e}", place.display()), Some(hint))
    })?;
    let is_project = files.flatten().map(|file| file.file_name()).any(|name| {
        let name = Path::new(&name);
        name.extension().is_some_and(|e| e == "sql")
            || name == Path::new("rialto.toml")
            || name == Path::new("sql")
            || name == Path::new(".rialto")
    });
    Ok(Tokens::at(if is_project { own(place) } else { place.to_path_buf() }))
}

fn time(milliseconds: i64) -> String {
    let time = chrono::DateTime::from_timestamp_millis(milliseconds);
    time.map_or_else(String::new, |t| t.format("%F %T UTC").to_string())
}

fn described(token: &Token) -> Value {
    json!({
        "name": token.name, "role": token.role.name(), "created_ms": token.created_ms,
        "expires_ms": token.expires_ms, "expired": !token.holds(now_ms()),
    })
}

fn line(token: &Token) -> String {
    let end = match token.expires_ms {
        None => String::new(),
        Some(end) if token.holds(now_ms()) => format!(", expires {}", time(end)),
        Some(end) => format!(", EXPIRED {}", time(end)),
    };
    let (name, role) = (&token.name, token.role.name());
    format!("{name:<24}  {role:<8}  created {}{end}", time(token.created_ms))
}
