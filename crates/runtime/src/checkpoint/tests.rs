//! Every point at which a checkpoint can be broken off, on a disk that crashes.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use rialto_engine::executor::CircuitProgress;
use rialto_engine::state::{Persist, StateWriter, TableImage};
use rialto_engine::view::View;
use rialto_engine::{Delta, Digest};
use rialto_storage::testing::{CrashFiles, WAYS_TO_END};
use rialto_storage::{Files, LocalStorage};

use super::CheckpointOptions;
use super::chain::MergePolicy;
use super::manifest::{Cuts, Manifest, OutputState};
use super::store::{CheckpointStore, object_name};
use super::writer::{Chains, Taken};
use crate::job::Summary;

const SLOTS: u32 = 40;
const EPOCHS: u64 = 9;
/// All kinds of merging come about.
const POLICY: MergePolicy = MergePolicy { objects_max: 3, changes_min: 1000 };

/// After epoch `e` slot `s` holds the last epoch that was not later and divides by `s + 1`.
fn expected(epoch: u64) -> Vec<(u32, u64)> {
    let value = |slot: u32| (1..=epoch).rev().find(|e| e % u64::from(slot % 4 + 1) == 0);
    (0..SLOTS).filter_map(|slot| Some((slot, value(slot)?))).collect()
}

fn taken(epoch: u64) -> Taken {
    let mut entries = Vec::new();
    for slot in (0..SLOTS).filter(|slot| epoch % u64::from(slot % 4 + 1) == 0) {
        slot.put(&mut entries);
        8_u32.put(&mut entries);
        epoch.put(&mut entries);
    }
    let image = TableImage { name: "t".into(), full: epoch == 1, entries: entries.into() };
    let object = object_name(epoch, "sink-0");
    let manifest = Manifest {
        epoch,
        rialto: "test".into(),
        taken_ms: 0,
        pause_us: 0,
        changed_bytes: 0,
        finished: false,
        shards: 1,
        nodes: vec![],
        sources: vec![],
        progress: CircuitProgress { step: epoch, ..CircuitProgress::default() },
        summary: Summary { steps: epoch, ..Summary::default() },
        state: vec![],
        views: vec![],
        outputs: vec![OutputState {
            name: "sink".into(),
            prepared: Some(object.clone()),
            ..OutputState::default()
        }],
        cuts: Cuts::default(),
    };
    let prepared = vec![(object, Arc::new(epoch.to_string().into_bytes()))];
    Taken { manifest, shards: vec![vec![(3, vec![image])]], views: vec![], prepared }
}

fn open(files: &Arc<CrashFiles>) -> Result<CheckpointStore, String> {
    let files: Arc<dyn Files> = files.clone();
    let storage = LocalStorage::open(files, "/state").map_err(|e| e.to_string())?;
    Ok(CheckpointStore::new(Arc::new(storage)))
}

/// What a writer does behind a checkpoint, without a thread of its own for it.
fn tidy(chains: &mut Chains, store: &CheckpointStore, epoch: u64) {
    chains.let_go(None);
    if let Some(Ok(merged)) = chains.due(epoch).map(|merge| merge.run(store, &|| false)) {
        chains.adopt(&merged);
    }
}

/// Writes checkpoints until one fails; answers the last that was acknowledged and the last that was
/// begun.
fn write(store: &CheckpointStore, from: u64) -> (u64, u64) {
    let newest = store.newest().ok().and_then(|found| found.manifest);
    let mut chains = Chains::new(store.clone(), 2, POLICY, newest.as_ref());
    for epoch in from + 1..=EPOCHS {
        if chains.write(taken(epoch)).is_err() {
            return (epoch - 1, epoch);
        }
        tidy(&mut chains, store, epoch);
    }
    (EPOCHS, EPOCHS)
}

/// What is there is the last acknowledged checkpoint, or the one that was being written; whole.
fn check(files: &Arc<CrashFiles>, (acknowledged, begun): (u64, u64), what: &str) {
    let store = open(files).unwrap();
    let found = store.newest().unwrap();
    let epoch = found.manifest.as_ref().map_or(0, |m| m.epoch);
    assert!((acknowledged..=begun).contains(&epoch), "{what}: {epoch} of {acknowledged}..={begun}");
    if let Some(loaded) = found.loaded {
        let part = loaded.circuit.shards[0].node(3).unwrap();
        let value = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap());
        let slots: Vec<(u32, u64)> = part.slots("t").map(|(slot, b)| (slot, value(b))).collect();
        assert_eq!(slots, expected(epoch), "{what}");
        assert_eq!(loaded.prepared, [Some(epoch.to_string().into_bytes())], "{what}");
    }
    // The next run goes on.
    let (last, _) = write(&store, epoch);
    assert_eq!(last, EPOCHS, "{what}: the next run goes on");
}

#[test]
fn a_checkpoint_that_was_acknowledged_survives_a_fault_at_any_call() {
    let files = Arc::new(CrashFiles::new());
    assert_eq!(write(&open(&files).unwrap(), 0), (EPOCHS, EPOCHS));
    let calls = files.calls();
    assert!(calls > 100, "there are {calls} points to break off at");
    let mut points = 0;
    for n in 0..calls {
        for (kind, way) in WAYS_TO_END.iter().enumerate() {
            let name = way.name;
            let files = Arc::new(CrashFiles::new());
            files.fail(n, way.fault);
            let state = match open(&files) {
                Ok(store) => write(&store, 0),
                Err(_) => (0, 0),
            };
            way.ends(&files, n * 31 + kind as u64);
            check(&files, state, &format!("{name} at call {n}"));
            // What the run after it has acknowledged is there as well when the power fails.
            files.crash(n);
            check(&files, (EPOCHS, EPOCHS), &format!("{name} at call {n}, and a power cut"));
            points += 1;
        }
    }
    let ways = WAYS_TO_END.len();
    println!("manifest path: {points} crash points, {calls} calls and {ways} ways to end at each");
}

#[test]
fn a_power_cut_between_two_checkpoints_loses_none() {
    for last in 1..=EPOCHS {
        for seed in 0..20 {
            let files = Arc::new(CrashFiles::new());
            let store = open(&files).unwrap();
            let mut chains = Chains::new(store.clone(), 2, POLICY, None);
            for epoch in 1..=last {
                chains.write(taken(epoch)).unwrap();
                if seed % 2 == 0 {
                    tidy(&mut chains, &store, epoch);
                }
            }
            files.crash(seed);
            check(&files, (last, last), &format!("a cut behind {last}, seed {seed}"));
        }
    }
}

/// A view of two rows as a checkpoint of it, and the digest of its changes.
fn view_of(rows: &[i64]) -> (Vec<TableImage>, Digest) {
    let column: ArrayRef = Arc::new(Int64Array::from(rows.to_vec()));
    let batch = RecordBatch::try_from_iter([("a", column)]).unwrap();
    let mut view = View::new(batch.schema()).unwrap();
    view.apply(&Delta::insert_only(batch)).unwrap();
    let mut writer = StateWriter::new();
    view.checkpoint(&mut writer).unwrap();
    (writer.finish(), view.digest())
}

#[test]
fn rows_that_are_not_what_their_changes_come_to_are_found() {
    let files = Arc::new(CrashFiles::new());
    let store = open(&files).unwrap();
    let mut chains = Chains::new(store.clone(), 3, POLICY, None);
    let (right, digest) = view_of(&[1, 2, 2]);
    let (wrong, other) = view_of(&[1, 2]);
    assert_ne!(digest, other);
    for (epoch, rows) in [(1, right), (2, wrong)] {
        let mut taken = taken(epoch);
        taken.manifest.outputs[0].digest = Some(digest);
        // What comes later adds to what is there: written whole, it is all that is there.
        let rows = rows.into_iter().map(|table| TableImage { full: true, ..table });
        taken.views = vec![(0, rows.collect())];
        chains.write(taken).unwrap();
    }
    assert_eq!(store.misfits(1).unwrap(), vec![]);
    assert_eq!(store.misfits(2).unwrap(), vec![("sink".to_owned(), digest, other)]);
}

#[test]
fn during_a_backlog_checkpoints_are_fewer() {
    let seconds = Duration::from_secs;
    let wait = |during_backlog: Option<u64>, took: u64| {
        let interval_during_backlog = during_backlog.map(seconds);
        let options = CheckpointOptions { interval_during_backlog, ..Default::default() };
        assert_eq!(options.wait(false, seconds(took)), seconds(1));
        options.wait(true, seconds(took))
    };
    assert_eq!(wait(None, 0), seconds(10));
    assert_eq!(wait(None, 3), seconds(30));
    assert_eq!(wait(None, 300), seconds(60));
    assert_eq!(wait(Some(5), 300), seconds(5));
    assert_eq!(wait(Some(0), 3), Duration::MAX, "none at all");
    let rare = CheckpointOptions { interval: seconds(600), ..Default::default() };
    assert_eq!(rare.wait(true, seconds(1)), seconds(600));
}
