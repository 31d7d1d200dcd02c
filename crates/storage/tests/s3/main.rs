//! Objects in a bucket: what a storage promises, over HTTP against a small server that speaks as
//! much of S3 as is needed.

mod server;

use rialto_storage::{RemoteStorage, Storage, StorageError};
use server::Server;

fn variables(secret: &str) -> Vec<(String, String)> {
    let pairs = [("AWS_ACCESS_KEY_ID", server::KEY), ("AWS_SECRET_ACCESS_KEY", secret)];
    pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
}

fn url(server: &Server, bucket: &str) -> String {
    format!("s3://{bucket}/run/one?endpoint=http://{}&allow-http=true", server.address())
}

fn open(server: &Server) -> RemoteStorage {
    RemoteStorage::s3(&url(server, server::BUCKET), variables("secret")).unwrap()
}

#[test]
fn a_bucket_obeys_the_contract_of_a_storage() {
    let server = Server::start();
    let storage = open(&server);
    assert!(matches!(storage.get("a/b"), Err(StorageError::NotFound { .. })));
    storage.put("a/b", b"one").unwrap();
    storage.put("a/b", b"second").unwrap();
    assert_eq!(storage.get("a/b").unwrap(), b"second");
    assert_eq!(server.object("run/one/a/b").as_deref(), Some(b"second".as_slice()));
    assert!(matches!(storage.put_new("a/b", b"x"), Err(StorageError::Exists { .. })));
    assert_eq!(storage.get("a/b").unwrap(), b"second", "what was there is untouched");
    storage.put_new("a/bc", b"").unwrap();
    storage.put("z", b"zz").unwrap();
    assert_eq!(storage.get_range("a/b", 1..3).unwrap(), b"ec");
    assert_eq!(storage.get_range("a/b", 4..100).unwrap(), b"nd");
    assert_eq!(storage.get_range("a/b", 50..60).unwrap(), b"");
    let names = |prefix: &str| -> Vec<(String, u64)> {
        storage.list(prefix).unwrap().into_iter().map(|o| (o.name, o.len)).collect()
    };
    let all = [("a/b".to_owned(), 6), ("a/bc".to_owned(), 0), ("z".to_owned(), 2)];
    assert_eq!(names(""), all, "a listing of several pages is one");
    assert_eq!(names("a/bc"), all[1..2]);
    storage.delete("a/b").unwrap();
    storage.delete("a/b").unwrap();
    assert_eq!(names("a/b"), all[1..2]);
    // Another handle, as after a restart, finds the same.
    assert_eq!(open(&server).get("z").unwrap(), b"zz");
}

#[test]
fn of_many_that_put_a_new_object_at_once_one_succeeds() {
    let server = Server::start();
    let won: Vec<u8> = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..8_u8)
            .map(|i| {
                let server = &server;
                scope.spawn(move || open(server).put_new("manifests/7", &[i]).map(|()| i))
            })
            .collect();
        tries.into_iter().filter_map(|t| t.join().unwrap().ok()).collect()
    });
    assert_eq!(won.len(), 1, "{won:?}");
    assert_eq!(server.object("run/one/manifests/7"), Some(won));
}

#[test]
fn a_busy_service_is_asked_again() {
    let server = Server::start();
    let storage = open(&server);
    server.fail_next(3, 503);
    storage.put("busy", b"x").unwrap();
    server.fail_next(2, 500);
    assert_eq!(storage.get("busy").unwrap(), b"x");
    assert!(server.failed() >= 5);
}

#[test]
fn what_is_wrong_with_a_bucket_is_said_at_once() {
    let server = Server::start();
    let missing = RemoteStorage::s3(&url(&server, "nobody"), variables("secret")).unwrap_err();
    let text = missing.to_string();
    assert!(text.contains("s3://nobody/run/one") && text.contains("no such bucket"), "{text}");
    let mut stranger = variables("secret");
    stranger[0].1 = "stranger".into();
    let text = RemoteStorage::s3(&url(&server, server::BUCKET), stranger).unwrap_err().to_string();
    assert!(text.contains("access is denied") && text.contains("InvalidAccessKeyId"), "{text}");
    let storage = open(&server);
    server.drop_bucket();
    for error in [storage.put("a", b"x").unwrap_err(), storage.get("a").unwrap_err()] {
        assert!(error.to_string().contains("no such bucket"), "{error}");
        assert!(!matches!(error, StorageError::NotFound { .. }), "an empty place: {error}");
    }
}
