//! The two ways of the protocol to ask: a text of statements, and statements that are prepared.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arrow::array::{RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::common::ParamValues;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::sql::sqlparser::ast::Statement;
use datafusion_pg_catalog::sql::PostgresCompatibilityParser;
use futures_util::{Sink, StreamExt, stream};
use pgwire::api::auth::StartupHandler;
use pgwire::api::cancel::{CancelHandler, DefaultCancelHandler};
use pgwire::api::portal::{Format, Portal};
use pgwire::api::query::{ExtendedQueryHandler, SimpleQueryHandler};
use pgwire::api::results::{FieldInfo, QueryResponse, Response, Tag};
use pgwire::api::stmt::QueryParser;
use pgwire::api::store::PortalStore;
use pgwire::api::{
    ClientInfo, ClientPortalStore, ConnectionManager, PgWireServerHandlers,
    RandomPidSecretKeyGenerator, Type,
};
use pgwire::error::{PgWireError, PgWireResult};
use pgwire::messages::PgWireBackendMessage;
use tokio::time::{Instant, timeout_at};

use super::encode::{arrow_of, format_at, parameter, rows, type_of};
use super::login::{self, Login};
use super::statement::{self, Kind, error, failed, kind_of};
use super::tables::Base;
use crate::access::Access;
use crate::routes::Served;

/// What a session's settings are called among what is known of a client.
const SETTING: &str = "rialto.setting.";
/// The longest text of statements.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// Answers all connections.
pub struct Handlers {
    desk: Arc<Desk>,
    manager: Arc<ConnectionManager>,
    numbers: Arc<RandomPidSecretKeyGenerator>,
    cancel: Arc<DefaultCancelHandler>,
    needs_tls: bool,
}

/// Answers one.
pub struct Handler {
    desk: Arc<Desk>,
    login: Arc<Login>,
    cancel: Arc<DefaultCancelHandler>,
}

impl Handlers {
    /// Of the views, once the job runs.
    pub fn new(served: Arc<Served>, access: Arc<Access>, needs_tls: bool) -> Self {
        let manager = Arc::new(ConnectionManager::new());
        let numbers = Arc::new(RandomPidSecretKeyGenerator::default());
        let parser = Arc::new(PostgresCompatibilityParser::new());
        let base = OnceLock::new();
        let cancel = Arc::new(DefaultCancelHandler::new(Arc::clone(&manager)));
        let desk = Arc::new(Desk { served, access, base, parser });
        Self { desk, manager, numbers, cancel, needs_tls }
    }

    /// Of a new connection.
    pub fn connection(&self) -> Handler {
        let (access, manager) = (Arc::clone(&self.desk.access), Arc::clone(&self.manager));
        let numbers = Arc::clone(&self.numbers);
        let login = Arc::new(Login::new(access, manager, numbers, self.needs_tls));
        Handler { desk: Arc::clone(&self.desk), login, cancel: Arc::clone(&self.cancel) }
    }
}

impl PgWireServerHandlers for Handler {
    fn simple_query_handler(&self) -> Arc<impl SimpleQueryHandler> {
        Arc::clone(&self.desk)
    }

    fn extended_query_handler(&self) -> Arc<impl ExtendedQueryHandler> {
        Arc::new(Prepares(Arc::clone(&self.desk)))
    }

    fn startup_handler(&self) -> Arc<impl StartupHandler> {
        Arc::clone(&self.login)
    }

    fn cancel_handler(&self) -> Arc<impl CancelHandler> {
        Arc::clone(&self.cancel)
    }
}

struct Desk {
    served: Arc<Served>,
    access: Arc<Access>,
    base: OnceLock<Arc<Base>>,
    parser: Arc<PostgresCompatibilityParser>,
}

/// A statement that was prepared.
#[derive(Debug, Clone)]
pub struct Prepared {
    statement: Statement,
    kind: Kind,
    parameters: Vec<Type>,
    schema: SchemaRef,
}

fn fields(schema: &SchemaRef, format: &Format) -> Vec<FieldInfo> {
    let field = |(at, field): (usize, &Arc<Field>)| {
        let of = type_of(field.data_type());
        FieldInfo::new(field.name().clone(), None, None, of, format_at(format, at))
    };
    schema.fields().iter().enumerate().map(field).collect()
}

impl Desk {
    fn base(&self) -> PgWireResult<Arc<Base>> {
        let starting = || error("57P03", "the job is starting: no step has ended yet");
        let serving = self.served.get().ok_or_else(starting)?;
        if serving.range().is_none() {
            return Err(starting());
        }
        if let Some(base) = self.base.get() {
            return Ok(Arc::clone(base));
        }
        let base = Arc::new(Base::new(Arc::clone(serving)).map_err(|e| failed(&e))?);
        Ok(Arc::clone(self.base.get_or_init(|| base)))
    }

    fn parse(&self, text: &str) -> PgWireResult<Vec<Statement>> {
        if text.len() > TEXT_BYTES_MAX {
            let message = format!("a text of statements has at most {TEXT_BYTES_MAX} bytes");
            return Err(error("54000", message));
        }
        self.parser.parse(text).map_err(|e| error("42601", e.to_string()))
    }

    /// What a session says of a setting.
    fn show<C: ClientInfo>(&self, client: &C, name: &str) -> PgWireResult<String> {
        if let Some(said) = client.metadata().get(&format!("{SETTING}{name}")) {
            return Ok(said.clone());
        }
        statement::setting(name).map(str::to_owned).ok_or_else(|| {
            error("42704", format!("unrecognized configuration parameter \"{name}\""))
        })
    }

    /// Answers a statement.
    async fn answer<C: ClientInfo>(
        &self,
        client: &mut C,
        statement: &Statement,
        kind: &Kind,
        parameters: Option<ParamValues>,
        format: &Format,
    ) -> PgWireResult<Response> {
        login::check(&self.access, client)?;
        Ok(match kind {
            Kind::Query => {
                let said = client.metadata().get(&format!("{SETTING}statement_timeout"));
                let patience = statement::patience(said);
                self.query(statement, parameters, format, patience).await?
            }
            Kind::Said(tag) => Response::Execution(Tag::new(tag)),
            Kind::Set(name, value) => {
                client.metadata_mut().insert(format!("{SETTING}{name}"), value.clone());
                Response::Execution(Tag::new("SET"))
            }
            Kind::Show(name) => {
                let value = self.show(client, name)?;
                let schema = Arc::new(Schema::new(vec![Field::new(name, DataType::Utf8, true)]));
                let column = Arc::new(StringArray::from(vec![value]));
                let batch = RecordBatch::try_new(Arc::clone(&schema), vec![column]);
                let batch = batch.map_err(|e| error("XX000", e.to_string()))?;
                let shown = rows(&batch, format).map_err(|e| error("XX000", e))?;
                let shown = stream::iter(shown.into_iter().map(Ok));
                let mut response = QueryResponse::new(Arc::new(fields(&schema, format)), shown);
                response.set_command_tag("SHOW");
                Response::Query(response)
            }
            Kind::Begin => Response::TransactionStart(Tag::new("BEGIN")),
            Kind::End(tag) => Response::TransactionEnd(Tag::new(tag)),
        })
    }

    /// Answers a query over the newest snapshot. The first rows are there when it returns, so that
    /// whoever cancels a long computation ends it.
    async fn query(
        &self,
        statement: &Statement,
        parameters: Option<ParamValues>,
        format: &Format,
        patience: Duration,
    ) -> PgWireResult<Response> {
        let deadline = Instant::now() + patience;
        let context = self.base()?.at_one_step().map_err(|e| failed(&e))?;
        let begin = async {
            let plan = statement::plan(&context.state(), statement, parameters).await?;
            let schema: SchemaRef = Arc::new(plan.schema().as_arrow().clone());
            let frame = context.execute_logical_plan(plan).await?;
            let mut batches = frame.execute_stream().await?;
            let first = batches.next().await.transpose()?;
            Ok::<_, DataFusionError>((schema, first, batches))
        };
        let begun = timeout_at(deadline, begin).await.map_err(|_| too_long(patience))?;
        let (schema, first, batches) = begun.map_err(|e| failed(&e))?;
        let rest = Rest { batches, first, deadline, patience, format: format.clone() };
        let data = stream::unfold(Some(rest), |rest| async move {
            let mut rest = rest?;
            match rest.next().await {
                Ok(Some(rows)) => Some((stream::iter(rows), Some(rest))),
                Ok(None) => None,
                Err(error) => Some((stream::iter(vec![Err(error)]), None)),
            }
        });
        let fields = Arc::new(fields(&schema, format));
        Ok(Response::Query(QueryResponse::new(fields, data.flatten())))
    }
}

fn too_long(patience: Duration) -> PgWireError {
    let seconds = patience.as_secs_f64();
    error("57014", format!("canceling statement due to statement timeout ({seconds} s)"))
}

/// What of an answer is not sent yet.
struct Rest {
    batches: SendableRecordBatchStream,
    first: Option<RecordBatch>,
    deadline: Instant,
    patience: Duration,
    format: Format,
}

type Row = PgWireResult<pgwire::messages::data::DataRow>;

impl Rest {
    async fn next(&mut self) -> PgWireResult<Option<Vec<Row>>> {
        let batch = match self.first.take() {
            Some(first) => Some(first),
            None => {
                let next = timeout_at(self.deadline, self.batches.next()).await;
                let next = next.map_err(|_| too_long(self.patience))?;
                next.transpose().map_err(|e| failed(&e))?
            }
        };
        let Some(batch) = batch else { return Ok(None) };
        let rows = rows(&batch, &self.format).map_err(|e| error("22000", e))?;
        Ok(Some(rows.into_iter().map(Ok).collect()))
    }
}

#[async_trait]
impl SimpleQueryHandler for Desk {
    async fn do_query<C>(&self, client: &mut C, query: &str) -> PgWireResult<Vec<Response>>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let mut responses = Vec::new();
        for statement in self.parse(query)? {
            let kind = kind_of(&statement)?;
            let format = Format::UnifiedText;
            responses.push(self.answer(client, &statement, &kind, None, &format).await?);
        }
        Ok(responses)
    }
}

/// Prepares statements, and answers them.
struct Prepares(Arc<Desk>);

#[async_trait]
impl QueryParser for Desk {
    type Statement = Prepared;

    async fn parse_sql<C>(
        &self,
        client: &C,
        sql: &str,
        types: &[Option<Type>],
    ) -> PgWireResult<Option<Prepared>>
    where
        C: ClientInfo + Unpin + Send + Sync,
    {
        login::check(&self.access, client)?;
        let mut statements = self.parse(sql)?;
        let Some(statement) = statements.pop() else { return Ok(None) };
        if !statements.is_empty() {
            let message = "cannot insert multiple commands into a prepared statement";
            return Err(error("42601", message));
        }
        let kind = kind_of(&statement)?;
        let (mut parameters, mut schema) = (Vec::new(), Arc::new(Schema::empty()));
        match &kind {
            Kind::Query => {
                let context = self.base()?.at_one_step().map_err(|e| failed(&e))?;
                let plan = statement::plan(&context.state(), &statement, None).await;
                let plan = plan.map_err(|e| failed(&e))?;
                let found = plan.get_parameter_types().map_err(|e| failed(&e))?;
                parameters = types_of(&found, types);
                schema = Arc::new(plan.schema().as_arrow().clone());
            }
            Kind::Show(name) => {
                schema = Arc::new(Schema::new(vec![Field::new(name, DataType::Utf8, true)]));
            }
            _ => {}
        }
        Ok(Some(Prepared { statement, kind, parameters, schema }))
    }

    fn get_parameter_types(&self, prepared: &Prepared) -> PgWireResult<Vec<Type>> {
        Ok(prepared.parameters.clone())
    }

    fn get_result_schema(
        &self,
        prepared: &Prepared,
        format: Option<&Format>,
    ) -> PgWireResult<Vec<FieldInfo>> {
        Ok(fields(&prepared.schema, format.unwrap_or(&Format::UnifiedText)))
    }
}

/// The types of parameters: the client's, or else those that the query says; a text otherwise.
fn types_of(found: &HashMap<String, Option<DataType>>, given: &[Option<Type>]) -> Vec<Type> {
    let number = |name: &String| name.trim_start_matches('$').parse::<usize>().ok();
    let count = found.keys().filter_map(number).max().unwrap_or(0).max(given.len());
    let of = |at: usize| match given.get(at) {
        Some(Some(of)) if *of != Type::UNKNOWN => of.clone(),
        _ => match found.get(&format!("${}", at + 1)) {
            Some(Some(data_type)) => type_of(data_type),
            _ => Type::TEXT,
        },
    };
    (0..count).map(of).collect()
}

#[async_trait]
impl ExtendedQueryHandler for Prepares {
    type Statement = Prepared;
    type QueryParser = Desk;

    fn query_parser(&self) -> Arc<Desk> {
        Arc::clone(&self.0)
    }

    async fn do_query<C>(
        &self,
        client: &mut C,
        portal: &Portal<Prepared>,
        _: usize,
    ) -> PgWireResult<Response>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let prepared = &portal.statement.statement;
        if portal.parameters.len() < prepared.parameters.len() {
            let message = format!(
                "the statement has {} parameters, {} were given",
                prepared.parameters.len(),
                portal.parameters.len()
            );
            return Err(error("08P01", message));
        }
        let mut values = Vec::with_capacity(portal.parameters.len());
        for (at, bytes) in portal.parameters.iter().enumerate() {
            let of = prepared.parameters.get(at).unwrap_or(&Type::TEXT);
            if arrow_of(of).is_none() {
                let message = format!("parameters of the type {} are not supported", of.name());
                return Err(error("0A000", message));
            }
            let is_text = format_at(&portal.parameter_format, at).value() == 0;
            let value = parameter(bytes.as_deref(), of, is_text);
            values.push(value.map_err(|e| error("22P02", format!("parameter ${}: {e}", at + 1)))?);
        }
        let parameters = (!values.is_empty()).then(|| ParamValues::from(values));
        let format = &portal.result_column_format;
        let Prepared { statement, kind, .. } = prepared;
        self.0.answer(client, statement, kind, parameters, format).await
    }
}
