//! The model of a disk itself, and what the storage above it promises.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::{CrashFiles, Fault};
use crate::files::{Files, SafeFile};
use crate::{LocalStorage, Storage, StorageError};

fn write(files: &CrashFiles, path: &str, bytes: &[u8]) -> Box<dyn crate::File> {
    let mut file = files.create(Path::new(path)).unwrap();
    file.write(bytes).unwrap();
    file
}

#[test]
fn what_was_synced_is_there_and_what_was_not_may_be_lost() {
    let (mut lost_name, mut lost_content, mut kept, mut torn) = (0, 0, 0, 0);
    for seed in 0..400 {
        let files = CrashFiles::new();
        let mut safe = write(&files, "/safe", b"safe");
        safe.sync().unwrap();
        files.sync_folder(Path::new("/")).unwrap();
        write(&files, "/volatile", &[1; 2000]);
        files.crash(seed);
        assert_eq!(files.read(Path::new("/safe")).unwrap(), b"safe");
        assert!(safe.write(b"!").is_err(), "the file was opened before the crash");
        match files.read(Path::new("/volatile")) {
            Err(_) => lost_name += 1,
            Ok(bytes) if bytes.is_empty() => lost_content += 1,
            Ok(bytes) if bytes == [1; 2000] => kept += 1,
            Ok(_) => torn += 1,
        }
    }
    let all = [lost_name, lost_content, kept, torn];
    assert!(all.iter().all(|&n| n > 10), "every kind of loss happens: {all:?}");
}

#[test]
fn a_failed_fsync_loses_what_it_promised_and_the_next_one_lies() {
    let mut lost = 0;
    for seed in 0..100 {
        let files = CrashFiles::new();
        // The calls before the fsync move the seed of what survives it.
        for n in 0..seed {
            write(&files, &format!("/other-{n}"), b"");
        }
        let mut file = write(&files, "/f", b"content");
        files.sync_folder(Path::new("/")).unwrap();
        files.fail(0, Fault::Eio);
        assert!(file.sync().is_err());
        assert_eq!(files.read(Path::new("/f")).unwrap(), b"content", "it is still seen");
        file.sync().unwrap();
        files.crash(seed);
        lost += u32::from(files.read(Path::new("/f")).unwrap() != b"content");
    }
    assert!(lost > 10, "lost {lost} times of 100");
}

#[test]
fn a_safe_file_never_tries_a_failed_fsync_again() {
    let files = CrashFiles::new();
    let mut file = SafeFile::new(files.create(Path::new("/f")).unwrap(), 0);
    file.write(b"one").unwrap();
    files.fail(0, Fault::Eio);
    let first = file.sync().unwrap_err().to_string();
    let calls = files.calls();
    assert_eq!(file.sync().unwrap_err().to_string(), first);
    assert_eq!(file.write(b"two").unwrap_err().to_string(), first);
    assert_eq!(files.calls(), calls, "the disk is not asked again");
}

#[test]
fn a_write_that_did_not_fit_leaves_nothing() {
    let files = CrashFiles::new();
    let mut file = SafeFile::new(files.create(Path::new("/f")).unwrap(), 0);
    file.write(b"one").unwrap();
    files.fail(0, Fault::ShortWrite);
    assert_eq!(file.write(b"twotwo").unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    assert_eq!(files.read(Path::new("/f")).unwrap(), b"one");
    file.write(b"three").unwrap();
    assert_eq!(files.read(Path::new("/f")).unwrap(), b"onethree");
    assert_eq!(file.len(), 8);
}

#[test]
fn a_lock_is_held_by_one_and_ends_with_the_machine() {
    let files = CrashFiles::new();
    let held = files.lock(Path::new("/lock")).unwrap();
    assert!(held.is_some());
    assert!(files.lock(Path::new("/lock")).unwrap().is_none());
    files.crash(1);
    let again = files.lock(Path::new("/lock")).unwrap();
    assert!(again.is_some());
    drop(held);
    assert!(files.lock(Path::new("/lock")).unwrap().is_none(), "the old guard frees nothing");
}

/// What is done to a storage.
#[derive(Debug, Clone)]
enum Step {
    Put { name: usize, len: usize },
    PutNew { name: usize, len: usize },
    Delete { name: usize },
    Fail { after: u64, fault: Fault },
    Crash { seed: u64 },
    Reopen,
}

const NAMES: [&str; 5] = ["a", "b", "deep/c", "deep/er/d", "deep/er/e"];

fn step() -> impl Strategy<Value = Step> {
    let name = 0..NAMES.len();
    let len = prop_oneof![0..40usize, 500..530usize, 1000..3000usize];
    let fault = prop_oneof![
        Just(Fault::Eio),
        Just(Fault::Enospc),
        Just(Fault::ShortWrite),
        Just(Fault::PowerOff)
    ];
    prop_oneof![
        6 => (name.clone(), len.clone()).prop_map(|(name, len)| Step::Put { name, len }),
        3 => (name.clone(), len).prop_map(|(name, len)| Step::PutNew { name, len }),
        2 => name.prop_map(|name| Step::Delete { name }),
        2 => (0..12u64, fault).prop_map(|(after, fault)| Step::Fail { after, fault }),
        2 => any::<u64>().prop_map(|seed| Step::Crash { seed }),
        1 => Just(Step::Reopen),
    ]
}

/// The objects that may be there: several where an answer was an error or a delete not durable.
#[derive(Debug, Default)]
struct Model {
    allowed: BTreeMap<usize, Vec<Option<Vec<u8>>>>,
    puts: u64,
}

impl Model {
    fn content(&mut self, len: usize) -> Vec<u8> {
        self.puts += 1;
        (0..len).map(|i| (i as u64 * 31 + self.puts * 7 + 1) as u8).collect()
    }

    fn allowed(&mut self, name: usize) -> &mut Vec<Option<Vec<u8>>> {
        self.allowed.entry(name).or_insert_with(|| vec![None])
    }

    /// Reads everything from a storage that was just opened: what is found is what stays.
    fn check(&mut self, storage: &dyn Storage) -> Result<(), TestCaseError> {
        for (name, text) in NAMES.iter().enumerate() {
            let found = match storage.get(text) {
                Ok(bytes) => Some(bytes),
                Err(StorageError::NotFound { .. }) => None,
                Err(error) => return Err(TestCaseError::fail(error.to_string())),
            };
            let allowed = self.allowed(name);
            let lens: Vec<_> = allowed.iter().map(|a| a.as_ref().map(Vec::len)).collect();
            prop_assert!(
                allowed.contains(&found),
                "{text} has {:?} bytes, allowed are {lens:?}",
                found.map(|f| f.len())
            );
            *allowed = vec![found];
        }
        let listed = storage.list("").map_err(|e| TestCaseError::fail(e.to_string()))?;
        for object in listed {
            let bytes =
                storage.get(&object.name).map_err(|e| TestCaseError::fail(e.to_string()))?;
            prop_assert_eq!(bytes.len() as u64, object.len);
            prop_assert!(NAMES.contains(&object.name.as_str()), "{} is not ours", object.name);
        }
        Ok(())
    }
}

fn run(steps: &[Step]) -> Result<(), TestCaseError> {
    let files = CrashFiles::new();
    let open = |files: &CrashFiles| LocalStorage::open(Arc::new(files.clone()), "/data");
    let mut model = Model::default();
    let mut storage = open(&files).map_err(|e| TestCaseError::fail(e.to_string()))?;
    let mut poisoned = false;
    for (at, step) in steps.iter().enumerate() {
        let result = match step {
            Step::Put { name, len } => {
                let content = model.content(*len);
                let result = storage.put(NAMES[*name], &content);
                let allowed = model.allowed(*name);
                match &result {
                    Ok(()) => *allowed = vec![Some(content)],
                    Err(_) => allowed.push(Some(content)),
                }
                result
            }
            Step::PutNew { name, len } => {
                let content = model.content(*len);
                let result = storage.put_new(NAMES[*name], &content);
                let allowed = model.allowed(*name);
                match &result {
                    Ok(()) => {
                        prop_assert!(allowed.contains(&None), "it replaced {}", NAMES[*name]);
                        *allowed = vec![Some(content)];
                    }
                    Err(StorageError::Exists { .. }) => {
                        prop_assert!(allowed.iter().any(Option::is_some));
                    }
                    Err(_) => allowed.push(Some(content)),
                }
                result
            }
            Step::Delete { name } => {
                let result = storage.delete(NAMES[*name]);
                model.allowed(*name).push(None);
                result
            }
            Step::Fail { after, fault } => {
                files.fail(*after, *fault);
                continue;
            }
            Step::Crash { seed } => {
                files.crash(seed.wrapping_add(at as u64));
                storage = open(&files).map_err(|e| TestCaseError::fail(e.to_string()))?;
                model.check(&storage)?;
                poisoned = false;
                continue;
            }
            Step::Reopen => {
                // A fault may hit the opening; then the old handle goes on.
                if let Ok(opened) = open(&files) {
                    storage = opened;
                    model.check(&storage)?;
                    poisoned = false;
                }
                continue;
            }
        };
        prop_assert!(!(poisoned && result.is_ok()), "a poisoned storage took something");
        poisoned |= matches!(result, Err(StorageError::Poisoned { .. }));
    }
    files.crash(steps.len() as u64);
    let storage = open(&files).map_err(|e| TestCaseError::fail(e.to_string()))?;
    model.check(&storage)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn what_was_acknowledged_survives_every_crash(
        steps in proptest::collection::vec(step(), 1..24)
    ) {
        run(&steps)?;
    }
}
