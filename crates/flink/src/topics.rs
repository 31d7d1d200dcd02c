//! Topics that are there for a while: made for a check, and deleted behind it.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication, TopicResult};
use rdkafka::client::DefaultClientContext;
use rdkafka::types::RDKafkaErrorCode;

use crate::trouble::Trouble;

/// How long a broker is waited for.
const BROKER_MAX: Duration = Duration::from_secs(60);

/// Topics at a broker, which are deleted when this is dropped.
pub(crate) struct Topics {
    client: AdminClient<DefaultClientContext>,
    runtime: tokio::runtime::Runtime,
    names: Vec<String>,
}

impl Topics {
    /// Makes topics of one partition; `properties` are the client's, as in `flink.toml`.
    pub(crate) fn make(
        bootstrap: &str,
        properties: &BTreeMap<String, String>,
        names: Vec<String>,
    ) -> Result<Self, Trouble> {
        let failed = |why: String| {
            Trouble::new(format!("cannot make topics at {bootstrap}"), why).hint(
                "bootstrap-servers and [properties] of flink.toml say where the brokers are; the \
                 user must be allowed to make and delete topics",
            )
        };
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", bootstrap);
        for (key, value) in properties {
            if key == "sasl.jaas.config" {
                let why = "'sasl.jaas.config' is known to Java alone".to_owned();
                let hint = "for a check, write 'sasl.username' and 'sasl.password' beside it";
                if !properties.contains_key("sasl.username") {
                    return Err(failed(why).hint(hint).request());
                }
                continue;
            }
            config.set(key, value);
        }
        // What the broker does not answer is said below, not by the client's own log.
        config.set_log_level(rdkafka::config::RDKafkaLogLevel::Emerg);
        let client = config.create().map_err(|error| failed(error.to_string()))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| failed(error.to_string()))?;
        let topics = Self { client, runtime, names };
        let new = topics.names.iter().map(|n| NewTopic::new(n, 1, TopicReplication::Fixed(-1)));
        let new: Vec<NewTopic<'_>> = new.collect();
        let made = topics.client.create_topics(&new, &options());
        let made = topics.runtime.block_on(made).map_err(|error| failed(error.to_string()))?;
        is_well(made).map_err(failed)?;
        Ok(topics)
    }
}

impl Drop for Topics {
    fn drop(&mut self) {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        // What is left over does no harm, and there is nobody to tell.
        let _ = self.runtime.block_on(self.client.delete_topics(&names, &options()));
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(BROKER_MAX)).operation_timeout(Some(BROKER_MAX))
}

fn is_well(results: Vec<TopicResult>) -> Result<(), String> {
    for result in results {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => return Err(format!("{topic}: {code}")),
        }
    }
    Ok(())
}
