//! `properties.*`: settings under the names of Kafka's Java client, for librdkafka.
//!
//! [`KNOWN`] is the whole table, which `docs/connectors.md` shows.

use std::time::Duration;

use rdkafka::ClientConfig;

use crate::error::{ConnectorError, Result};
use crate::options::{Options, nearest};

/// The ways to log in.
const MECHANISMS: &[&str] = &["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];

/// How long a broker is waited for that is asked something, unless the table says it.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the settings are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Consumer,
    Producer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum For {
    Both,
    Consumer,
    Producer,
    /// Understood by the connector itself, or without a meaning here: accepted.
    Nobody,
}

/// The Java client's name, librdkafka's name, and who has the setting.
const KNOWN: &[(&str, &str, For)] = &[
    ("bootstrap.servers", "bootstrap.servers", For::Both),
    ("client.id", "client.id", For::Both),
    ("client.rack", "client.rack", For::Consumer),
    ("client.dns.lookup", "client.dns.lookup", For::Both),
    ("metadata.max.age.ms", "metadata.max.age.ms", For::Both),
    ("connections.max.idle.ms", "connections.max.idle.ms", For::Both),
    ("reconnect.backoff.ms", "reconnect.backoff.ms", For::Both),
    ("reconnect.backoff.max.ms", "reconnect.backoff.max.ms", For::Both),
    ("retry.backoff.ms", "retry.backoff.ms", For::Both),
    ("retry.backoff.max.ms", "retry.backoff.max.ms", For::Both),
    ("request.timeout.ms", "socket.timeout.ms", For::Both),
    ("socket.connection.setup.timeout.ms", "socket.connection.setup.timeout.ms", For::Both),
    ("send.buffer.bytes", "socket.send.buffer.bytes", For::Both),
    ("receive.buffer.bytes", "socket.receive.buffer.bytes", For::Both),
    ("security.protocol", "security.protocol", For::Both),
    ("sasl.mechanism", "sasl.mechanisms", For::Both),
    ("ssl.endpoint.identification.algorithm", "", For::Nobody),
    ("ssl.cipher.suites", "ssl.cipher.suites", For::Both),
    ("ssl.key.password", "ssl.key.password", For::Both),
    ("ssl.keystore.key", "ssl.key.pem", For::Both),
    ("ssl.keystore.certificate.chain", "ssl.certificate.pem", For::Both),
    ("ssl.truststore.certificates", "ssl.ca.pem", For::Both),
    ("ssl.keystore.location", "", For::Nobody),
    ("ssl.keystore.password", "", For::Nobody),
    ("ssl.keystore.type", "", For::Nobody),
    ("ssl.truststore.location", "", For::Nobody),
    ("ssl.truststore.password", "", For::Nobody),
    ("ssl.truststore.type", "", For::Nobody),
    ("sasl.jaas.config", "", For::Nobody),
    ("group.id", "group.id", For::Consumer),
    ("isolation.level", "isolation.level", For::Consumer),
    ("fetch.min.bytes", "fetch.min.bytes", For::Consumer),
    ("fetch.max.bytes", "fetch.max.bytes", For::Consumer),
    ("fetch.max.wait.ms", "fetch.wait.max.ms", For::Consumer),
    ("max.partition.fetch.bytes", "fetch.message.max.bytes", For::Consumer),
    ("check.crcs", "check.crcs", For::Consumer),
    ("auto.offset.reset", "", For::Nobody),
    ("enable.auto.commit", "", For::Nobody),
    ("auto.commit.interval.ms", "", For::Nobody),
    ("partition.discovery.interval.ms", "", For::Nobody),
    ("max.poll.records", "", For::Nobody),
    ("max.poll.interval.ms", "", For::Nobody),
    ("session.timeout.ms", "", For::Nobody),
    ("heartbeat.interval.ms", "", For::Nobody),
    ("allow.auto.create.topics", "", For::Nobody),
    ("commit.offsets.on.checkpoint", "", For::Nobody),
    ("key.deserializer", "", For::Nobody),
    ("value.deserializer", "", For::Nobody),
    ("key.serializer", "", For::Nobody),
    ("value.serializer", "", For::Nobody),
    ("acks", "acks", For::Producer),
    ("linger.ms", "linger.ms", For::Producer),
    ("batch.size", "batch.size", For::Producer),
    ("compression.type", "compression.type", For::Producer),
    ("compression.zstd.level", "compression.level", For::Producer),
    ("compression.gzip.level", "compression.level", For::Producer),
    ("compression.lz4.level", "compression.level", For::Producer),
    ("max.request.size", "message.max.bytes", For::Producer),
    ("retries", "retries", For::Producer),
    ("delivery.timeout.ms", "delivery.timeout.ms", For::Producer),
    ("enable.idempotence", "enable.idempotence", For::Producer),
    (
        "max.in.flight.requests.per.connection",
        "max.in.flight.requests.per.connection",
        For::Producer,
    ),
    ("transaction.timeout.ms", "transaction.timeout.ms", For::Producer),
    ("default.api.timeout.ms", "", For::Nobody),
    ("transactional.id", "", For::Nobody),
    ("buffer.memory", "", For::Nobody),
    ("max.block.ms", "", For::Nobody),
];

/// The settings of a table.
#[derive(Debug, Clone)]
pub(super) struct Properties {
    table: String,
    pairs: Vec<(String, String)>,
}

impl Properties {
    pub fn read(options: &Options<'_>) -> Result<Self> {
        let pairs: Vec<(String, String)> = options
            .with_prefix("properties.")
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let properties = Self { table: options.table().to_owned(), pairs };
        for (name, _) in &properties.pairs {
            if !KNOWN.iter().any(|(known, ..)| known == name) {
                return Err(properties.unknown(name));
            }
        }
        options.required("properties.bootstrap.servers")?;
        properties.config(Side::Consumer)?;
        properties.config(Side::Producer)?;
        Ok(properties)
    }

    /// The value of a setting.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// How long a broker is waited for that is asked something.
    pub fn patience(&self) -> Duration {
        let given = self.get("default.api.timeout.ms").and_then(|ms| ms.trim().parse().ok());
        given.map_or(PATIENCE, Duration::from_millis)
    }

    /// The brokers to begin with.
    pub fn brokers(&self) -> &str {
        self.get("bootstrap.servers").unwrap_or_default()
    }

    fn unknown(&self, name: &str) -> ConnectorError {
        let names: Vec<&str> = KNOWN.iter().map(|(known, ..)| *known).collect();
        let error = ConnectorError::new(format!(
            "unknown option 'properties.{name}' of table '{}'",
            self.table
        ))
        .detail("it is none of the settings of Kafka's client that Rialto knows");
        match nearest(name, &names) {
            Some(near) => error.hint(format!("did you mean 'properties.{near}'?")),
            None => error.hint("docs/connectors.md lists those that there are"),
        }
    }

    /// The settings for a client.
    pub fn config(&self, side: Side) -> Result<ClientConfig> {
        let mut config = ClientConfig::new();
        for (name, value) in &self.pairs {
            let Some((_, native, who)) = KNOWN.iter().find(|(known, ..)| known == name) else {
                return Err(self.unknown(name));
            };
            let wanted = match who {
                For::Both => true,
                For::Consumer => side == Side::Consumer,
                For::Producer => side == Side::Producer,
                For::Nobody => false,
            };
            if wanted {
                config.set(*native, value.trim());
            }
        }
        if config.get("reconnect.backoff.max.ms").is_none() {
            // A broker that is back is noticed soon.
            config.set("reconnect.backoff.max.ms", "1000");
        }
        self.security(&mut config)?;
        config.create_native_config().map_err(|e| self.invalid(&e))?;
        Ok(config)
    }

    fn invalid(&self, error: &rdkafka::error::KafkaError) -> ConnectorError {
        let rdkafka::error::KafkaError::ClientConfig(_, reason, native, value) = error else {
            return ConnectorError::new(format!("the properties of table '{}'", self.table))
                .detail(error.to_string());
        };
        let name = KNOWN.iter().find(|(_, n, _)| n == native).map_or(native.as_str(), |k| k.0);
        ConnectorError::new(format!(
            "option 'properties.{name}' of table '{}' is not valid",
            self.table
        ))
        .detail(format!("'{value}': {reason}"))
    }

    /// What has another form in librdkafka than in the Java client.
    fn security(&self, config: &mut ClientConfig) -> Result<()> {
        if self.get("security.protocol").is_some_and(|p| p.trim().starts_with("SASL")) {
            let mechanism = self.get("sasl.mechanism").unwrap_or("GSSAPI, which is the default");
            if !MECHANISMS.contains(&mechanism.trim()) {
                let known = MECHANISMS.join("', '");
                return Err(self
                    .bad("sasl.mechanism", &format!("it is {mechanism}"))
                    .hint(format!("there are '{known}'")));
            }
        }
        if let Some(jaas) = self.get("sasl.jaas.config") {
            let (user, password) = jaas_login(jaas).map_err(|reason| {
                self.bad("sasl.jaas.config", &reason)
                    .hint("write '…ScramLoginModule required username=\"…\" password=\"…\";'")
            })?;
            config.set("sasl.username", user).set("sasl.password", password);
        }
        if let Some(algorithm) = self.get("ssl.endpoint.identification.algorithm") {
            let native = if algorithm.trim().is_empty() { "none" } else { algorithm.trim() };
            config.set("ssl.endpoint.identification.algorithm", native);
        }
        if let Some(path) = self.get("ssl.truststore.location") {
            self.pem_only("ssl.truststore", path)?;
            config.set("ssl.ca.location", path);
        }
        if let Some(path) = self.get("ssl.keystore.location") {
            let kind = self.get("ssl.keystore.type").unwrap_or_default();
            if kind.eq_ignore_ascii_case("PKCS12") || path.ends_with(".p12") {
                config.set("ssl.keystore.location", path);
                if let Some(password) = self.get("ssl.keystore.password") {
                    config.set("ssl.keystore.password", password);
                }
            } else {
                self.pem_only("ssl.keystore", path)?;
                config.set("ssl.certificate.location", path).set("ssl.key.location", path);
            }
        }
        Ok(())
    }

    /// A store of certificates has to be PEM: Java's own form is read by Java alone.
    fn pem_only(&self, store: &str, path: &str) -> Result<()> {
        let kind = self.get(&format!("{store}.type"));
        let pem = match kind {
            Some(kind) => kind.trim().eq_ignore_ascii_case("PEM"),
            None => [".pem", ".crt", ".cer"].iter().any(|end| path.ends_with(end)),
        };
        if pem {
            return Ok(());
        }
        let found = kind.unwrap_or("JKS, which is the default");
        Err(self.bad(&format!("{store}.location"), &format!("a store of type {found}")).hint(
            format!(
                "write it as PEM (keytool -exportcert -rfc) and set 'properties.{store}.type' = \
                 'PEM'"
            ),
        ))
    }

    fn bad(&self, name: &str, reason: &str) -> ConnectorError {
        ConnectorError::new(format!(
            "option 'properties.{name}' of table '{}' is not supported",
            self.table
        ))
        .detail(reason)
    }
}

/// The user and the password of a JAAS configuration of a PLAIN or SCRAM login.
fn jaas_login(text: &str) -> std::result::Result<(String, String), String> {
    let text = text.trim();
    let (module, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let name = module.rsplit('.').next().unwrap_or(module);
    if !matches!(name, "PlainLoginModule" | "ScramLoginModule") {
        return Err(format!("the login module '{name}' is neither PLAIN's nor SCRAM's"));
    }
    let (mut user, mut password) = (None, None);
    for (key, value) in jaas_pairs(rest)? {
        match key.as_str() {
            "username" => user = Some(value),
            "password" => password = Some(value),
            other => return Err(format!("it has '{other}', which nobody here understands")),
        }
    }
    match (user, password) {
        (Some(user), Some(password)) => Ok((user, password)),
        (None, _) => Err("there is no username".into()),
        (_, None) => Err("there is no password".into()),
    }
}

/// `required a="b" c="d";`, where a backslash makes the next character mean itself.
fn jaas_pairs(text: &str) -> std::result::Result<Vec<(String, String)>, String> {
    let text = text.trim();
    let mut rest = text.strip_prefix("required").unwrap_or(text).trim_start();
    let mut pairs = Vec::new();
    loop {
        rest = rest.trim_start();
        if rest.is_empty() || rest == ";" {
            return Ok(pairs);
        }
        let (key, after) = rest.split_once('=').ok_or("a name has no value")?;
        let after = after.trim_start();
        let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''));
        let quote = quote.ok_or("a value does not stand in quotes")?;
        let mut value = String::new();
        let mut end = None;
        let mut escaped = false;
        for (at, c) in after.char_indices().skip(1) {
            match c {
                _ if escaped => {
                    value.push(c);
                    escaped = false;
                }
                '\\' => escaped = true,
                c if c == quote => {
                    end = Some(at + c.len_utf8());
                    break;
                }
                c => value.push(c),
            }
        }
        let end = end.ok_or("a quoted value has no end")?;
        pairs.push((key.trim().to_owned(), value));
        rest = &after[end..];
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::Schema;

    use super::*;
    use crate::spec::TableSpec;

    fn read(pairs: &[(&str, &str)]) -> Result<Properties> {
        let mut all = vec![("properties.bootstrap.servers", "localhost:1")];
        all.extend(pairs);
        let spec = TableSpec::new("t", Arc::new(Schema::empty()), all);
        Properties::read(&Options::new(&spec))
    }

    #[test]
    fn names_are_those_of_the_java_client() {
        let properties = read(&[
            ("properties.fetch.max.wait.ms", "20"),
            ("properties.linger.ms", "7"),
            ("properties.group.id", "g"),
        ])
        .unwrap();
        let consumer = properties.config(Side::Consumer).unwrap();
        assert_eq!(consumer.get("fetch.wait.max.ms"), Some("20"));
        assert_eq!(consumer.get("linger.ms"), None);
        let producer = properties.config(Side::Producer).unwrap();
        assert_eq!((producer.get("linger.ms"), producer.get("group.id")), (Some("7"), None));
    }

    #[test]
    fn what_nobody_knows_is_refused_by_name() {
        let error = read(&[("properties.fetch.mim.bytes", "1")]).unwrap_err();
        assert_eq!(error.hint.as_deref(), Some("did you mean 'properties.fetch.min.bytes'?"));
        let error = read(&[("properties.isolation.level", "sometimes")]).unwrap_err();
        assert!(error.message.contains("'properties.isolation.level'"), "{error}");
    }

    #[test]
    fn a_login_is_read_from_jaas() {
        let jaas = "org.apache.kafka.common.security.scram.ScramLoginModule required \
                    username=\"al\\\"ice\" password='s; =1';";
        let properties = read(&[
            ("properties.security.protocol", "SASL_SSL"),
            ("properties.sasl.mechanism", "SCRAM-SHA-512"),
            ("properties.sasl.jaas.config", jaas),
        ])
        .unwrap();
        let config = properties.config(Side::Consumer).unwrap();
        assert_eq!(config.get("sasl.username"), Some("al\"ice"));
        assert_eq!(config.get("sasl.password"), Some("s; =1"));
        for (bad, reason) in [
            ("x.Krb5LoginModule required useKeyTab=\"true\";", "Krb5LoginModule"),
            ("x.PlainLoginModule required username=\"a\";", "no password"),
            ("x.PlainLoginModule required username=\"a", "no end"),
            ("x.PlainLoginModule required username=a;", "quotes"),
        ] {
            let error = read(&[("properties.sasl.jaas.config", bad)]).unwrap_err();
            assert!(error.to_string().contains(reason), "{error}");
        }
    }

    #[test]
    fn kerberos_is_refused() {
        let error = read(&[("properties.security.protocol", "SASL_SSL")]).unwrap_err();
        assert!(error.to_string().contains("GSSAPI"), "{error}");
    }

    #[test]
    fn stores_are_pem_or_pkcs12() {
        let error = read(&[("properties.ssl.truststore.location", "/x/trust.jks")]).unwrap_err();
        assert!(error.to_string().contains("PEM"), "{error}");
        let properties = read(&[
            ("properties.ssl.truststore.location", "/x/trust.pem"),
            ("properties.ssl.keystore.location", "/x/me.p12"),
            ("properties.ssl.keystore.password", "p"),
            ("properties.ssl.endpoint.identification.algorithm", ""),
        ])
        .unwrap();
        let config = properties.config(Side::Producer).unwrap();
        assert_eq!(config.get("ssl.ca.location"), Some("/x/trust.pem"));
        assert_eq!(config.get("ssl.keystore.location"), Some("/x/me.p12"));
        assert_eq!(config.get("ssl.endpoint.identification.algorithm"), Some("none"));
    }
}
