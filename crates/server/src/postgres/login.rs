//! Coming in over PostgreSQL's protocol: a token's name is the user, the token the password.
//!
//! A connection has a login of its own. Whatever fails ends the connection, and a session that came
//! in otherwise (there is none) would be refused with its first statement: see [`check`].

use std::fmt::Debug;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{Sink, SinkExt};
use pgwire::api::auth::{
    DefaultServerParameterProvider, StartupHandler, finish_authentication, protocol_negotiation,
    save_startup_parameters_to_metadata,
};
use pgwire::api::{
    ClientInfo, ConnectionGuard, ConnectionHandle, ConnectionManager, METADATA_USER,
    PgWireConnectionState, PidSecretKeyGenerator, RandomPidSecretKeyGenerator,
};
use pgwire::error::{ErrorInfo, PgWireError, PgWireResult};
use pgwire::messages::startup::{Authentication, PasswordMessageFamily};
use pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage};

use crate::access::{Access, Caller, Exchange, Need, Refused, Role, ScramError};

/// The one way to show a token.
const SCRAM: &str = "SCRAM-SHA-256";
/// What is known of a session's token. What a client says under this name is forgotten.
const MARK: &str = "rialto.token";
/// How long who has failed too often waits for the answer.
const PENALTY: Duration = Duration::from_secs(1);

/// Where a login stands.
enum Stage {
    /// The client says what it would do.
    Begin,
    /// The client proves that it has the token.
    Prove(Box<Exchange>, Option<Caller>),
    /// There is nothing more to say.
    Ended,
}

/// The login of a connection.
pub struct Login {
    access: Arc<Access>,
    manager: Arc<ConnectionManager>,
    numbers: Arc<RandomPidSecretKeyGenerator>,
    needs_tls: bool,
    stage: Mutex<Stage>,
}

/// Ends the connection: a client that goes on after a lesser error would be let in.
fn fatal(code: &str, message: impl Into<String>) -> PgWireError {
    let info = ErrorInfo::new("FATAL".into(), code.into(), message.into());
    PgWireError::UserError(Box::new(info))
}

/// Whether a session may still ask: its token may have been revoked since it came in.
pub fn check<C: ClientInfo>(access: &Access, client: &C) -> PgWireResult<()> {
    if access.holds_mark(client.metadata().get(MARK).map(String::as_str)) {
        return Ok(());
    }
    Err(fatal("28000", "the session has no token, or it was revoked or has expired: log in again"))
}

impl Login {
    /// Of a new connection.
    pub fn new(
        access: Arc<Access>,
        manager: Arc<ConnectionManager>,
        numbers: Arc<RandomPidSecretKeyGenerator>,
        needs_tls: bool,
    ) -> Self {
        Self { access, manager, numbers, needs_tls, stage: Mutex::new(Stage::Begin) }
    }

    fn step(&self) -> Stage {
        let mut stage = self.stage.lock().unwrap_or_else(|e| e.into_inner());
        std::mem::replace(&mut stage, Stage::Ended)
    }

    fn goes_on(&self, next: Stage) {
        *self.stage.lock().unwrap_or_else(|e| e.into_inner()) = next;
    }

    /// The client's first message: answers what it is told.
    fn begin(&self, name: &str, said: PasswordMessageFamily) -> PgWireResult<String> {
        let said = said.into_sasl_initial_response().map_err(|_| wrong("no message of SASL"))?;
        if said.auth_method != SCRAM {
            return Err(wrong(&format!("{} is not supported", said.auth_method)));
        }
        let (verifier, caller) = self.access.verifier(name);
        let first = said.data.as_deref().unwrap_or_default();
        let exchange = Exchange::begin(first, verifier).map_err(|e| match e {
            ScramError::Message(why) => wrong(why),
            ScramError::Proof => wrong("the first message of SCRAM has no proof"),
        })?;
        let told = exchange.server_first().to_owned();
        self.goes_on(Stage::Prove(Box::new(exchange), caller));
        Ok(told)
    }

    /// The client's proof: who it is, and what it is told.
    async fn prove(
        &self,
        (name, from): (&str, IpAddr),
        exchange: &Exchange,
        caller: Option<Caller>,
        said: PasswordMessageFamily,
    ) -> PgWireResult<(Caller, String)> {
        let said = said.into_sasl_response().map_err(|_| wrong("no message of SASL"))?;
        let (caller, told) = match (exchange.end(&said.data), caller) {
            (Ok(told), Some(caller)) => (caller, told),
            (Err(ScramError::Message(why)), _) => return Err(wrong(why)),
            _ => {
                let refused = self.access.failed(from);
                if matches!(refused, Refused::TooOften(_)) {
                    tokio::time::sleep(PENALTY).await;
                }
                let message = format!(
                    "password authentication failed for user \"{name}\": the user is the name of \
                     a token, the password the token"
                );
                return Err(fatal("28P01", message));
            }
        };
        if !caller.role.may(Need::Ask) {
            let (role, enough) = (caller.role.name(), Role::enough_for(Need::Ask));
            let message = format!("the token '{name}' has the role {role}: SQL needs {enough}");
            return Err(fatal("28000", message));
        }
        Ok((caller, told))
    }

    /// The client is in.
    async fn enter<C>(&self, client: &mut C, caller: &Caller) -> PgWireResult<()>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        client.metadata_mut().insert(MARK.to_owned(), caller.mark());
        let (pid, key) = self.numbers.generate(client);
        client.set_pid_and_secret_key(pid, key);
        let (pid, key) = client.pid_and_secret_key();
        let (handle, guard) = self.manager.register(pid, key);
        client.session_extensions().insert::<Arc<ConnectionHandle>>(handle);
        client.session_extensions().insert::<ConnectionGuard>(guard);
        finish_authentication(client, &DefaultServerParameterProvider::default()).await
    }
}

fn user<C: ClientInfo>(client: &C) -> String {
    client.metadata().get(METADATA_USER).cloned().unwrap_or_default()
}

fn wrong(what: &str) -> PgWireError {
    fatal("08P01", format!("cannot log in: {what}"))
}

#[async_trait]
impl StartupHandler for Login {
    async fn on_startup<C>(
        &self,
        client: &mut C,
        message: PgWireFrontendMessage,
    ) -> PgWireResult<()>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        match message {
            PgWireFrontendMessage::Startup(ref startup) => {
                protocol_negotiation(client, startup).await?;
                save_startup_parameters_to_metadata(client, startup);
                client.metadata_mut().remove(MARK);
                if self.needs_tls && !client.is_secure() {
                    let message = "this server speaks TLS only: connect with sslmode=require";
                    return Err(fatal("28000", message));
                }
                if let Some(anybody) = self.access.anybody() {
                    self.step();
                    return self.enter(client, &anybody).await;
                }
                client.set_state(PgWireConnectionState::AuthenticationInProgress);
                let ways = Authentication::SASL(vec![SCRAM.to_owned()]);
                client.send(PgWireBackendMessage::Authentication(ways)).await?;
            }
            PgWireFrontendMessage::PasswordMessageFamily(said) => match self.step() {
                Stage::Begin => {
                    let told = self.begin(&user(client), said)?;
                    let told = Authentication::SASLContinue(told.into());
                    client.send(PgWireBackendMessage::Authentication(told)).await?;
                }
                Stage::Prove(exchange, caller) => {
                    let who = (user(client), client.socket_addr().ip());
                    let who = (who.0.as_str(), who.1);
                    let (caller, told) = self.prove(who, &exchange, caller, said).await?;
                    let told = Authentication::SASLFinal(told.into());
                    client.feed(PgWireBackendMessage::Authentication(told)).await?;
                    self.enter(client, &caller).await?;
                }
                Stage::Ended => return Err(wrong("a message comes too late")),
            },
            _ => {}
        }
        Ok(())
    }
}
