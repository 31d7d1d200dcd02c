//! A real broker for the tests, and the other side of it.

use std::future::Future;
use std::io::Write;
use std::path::PathBuf;
use std::pin::pin;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

/// A running broker.
pub struct Broker {
    pub bootstrap: String,
    folder: String,
}

fn script() -> Command {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    Command::new(root.join("scripts/kafka.sh"))
}

/// The broker that the tests share, or `None`, said loudly, where this machine can have none.
pub fn broker() -> Option<&'static Broker> {
    static BROKER: OnceLock<Option<Broker>> = OnceLock::new();
    BROKER.get_or_init(up).as_ref()
}

/// A broker of a test's own.
pub fn up() -> Option<Broker> {
    let mut command = script();
    command.args(["up", "--for", &std::process::id().to_string()]);
    let output = command.stderr(Stdio::inherit()).output().expect("scripts/kafka.sh runs");
    if output.status.code() == Some(3) {
        // Past the capture of the test runner: nobody shall think that this was tested.
        let _ = writeln!(std::io::stderr(), "test: SKIPPED: there is no Kafka (see above)");
        return None;
    }
    assert!(output.status.success(), "scripts/kafka.sh up failed");
    let text = String::from_utf8(output.stdout).unwrap();
    let value = |name: &str| {
        let line = text.lines().find_map(|l| l.strip_prefix(name));
        line.and_then(|l| l.strip_prefix('=')).expect(name).to_owned()
    };
    Some(Broker { bootstrap: value("KAFKA_BOOTSTRAP"), folder: value("KAFKA_DIR") })
}

impl Broker {
    fn run(&self, what: &str) {
        let status = script().args([what, &self.folder]).status().unwrap();
        assert!(status.success(), "scripts/kafka.sh {what} failed");
    }

    pub fn stop(&self) {
        self.run("stop");
    }

    pub fn start(&self) {
        self.run("start");
    }

    pub fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap);
        config
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.config().create().unwrap()
    }

    /// Makes a topic of a name of its own.
    pub fn topic(&self, partitions: i32, settings: &[(&str, &str)]) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("topic-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.create(&name, partitions, settings);
        name
    }

    pub fn create(&self, name: &str, partitions: i32, settings: &[(&str, &str)]) {
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        for (key, value) in settings {
            topic = topic.set(key, value);
        }
        let made = wait(self.admin().create_topics([&topic], &AdminOptions::new())).unwrap();
        made.into_iter().for_each(|one| drop(one.unwrap()));
    }

    pub fn delete(&self, name: &str) {
        let gone = wait(self.admin().delete_topics(&[name], &AdminOptions::new())).unwrap();
        gone.into_iter().for_each(|one| drop(one.unwrap()));
    }

    pub fn grow(&self, name: &str, partitions: usize) {
        let more = NewPartitions::new(name, partitions);
        let done = wait(self.admin().create_partitions([&more], &AdminOptions::new())).unwrap();
        done.into_iter().for_each(|one| drop(one.unwrap()));
    }

    /// Removes the records before an offset.
    pub fn forget(&self, name: &str, partition: i32, before: i64) {
        let mut list = rdkafka::TopicPartitionList::new();
        list.add_partition_offset(name, partition, rdkafka::Offset::Offset(before)).unwrap();
        wait(self.admin().delete_records(&list, &AdminOptions::new())).unwrap();
    }

    pub fn producer(&self, settings: &[(&str, &str)]) -> BaseProducer {
        let mut config = self.config();
        config.set("linger.ms", "5");
        for (key, value) in settings {
            config.set(*key, *value);
        }
        config.create().unwrap()
    }

    /// Writes values to a partition.
    pub fn write(&self, topic: &str, partition: i32, values: &[&str]) {
        let producer = self.producer(&[]);
        for value in values {
            let record = BaseRecord::<[u8], str>::to(topic).partition(partition).payload(*value);
            producer.send(record).map_err(|(e, _)| e).unwrap();
        }
        producer.flush(Duration::from_secs(30)).unwrap();
    }

    /// Writes records with keys, `None` for a tombstone, in order.
    pub fn write_keyed(&self, topic: &str, records: &[(&str, Option<&str>)]) {
        let producer = self.producer(&[("partitioner", "murmur2_random")]);
        for (key, value) in records {
            let mut record = BaseRecord::<str, str>::to(topic).key(*key);
            record.payload = *value;
            producer.send(record).map_err(|(e, _)| e).unwrap();
        }
        producer.flush(Duration::from_secs(30)).unwrap();
    }
}

/// Waits for a future on this thread.
pub fn wait<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park_timeout(Duration::from_millis(100)),
        }
    }
}
