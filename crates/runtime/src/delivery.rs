//! Commits beside the job: what a sink says to a server that may be slow, or away.
//!
//! A sink that hands out a [`Committer`] gets a thread for it. Epochs are prepared between steps,
//! promised when their checkpoint is durable, and then delivered here, in order, however long that
//! takes. Until an epoch is known to be visible it is *pending*: every checkpoint names it, so that
//! a later run delivers it. Whoever has too much pending is [behind](Outlet::is_behind), and the
//! job stops reading what feeds it.

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rialto_engine::{CommitError, Committer, Delta, EngineError, Result, Sink};
use tracing::{info, warn};

use crate::crash::crash_at;

/// A sink with more bytes than this to deliver holds back what feeds it.
const BACKLOG_BYTES_MAX: usize = 64 << 20;
/// And one with more epochs.
const BACKLOG_EPOCHS_MAX: usize = 256;
/// How long the first and the longest pause is before an outside that was away is asked again.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
/// How long the end of a job waits for a call to the outside that is under way.
const GRACE: Duration = Duration::from_secs(1);
/// An outside that stays away is told of so often.
const WARNING_PAUSE: Duration = Duration::from_secs(60);

/// An epoch that is not known to be visible.
pub(crate) struct Pending {
    pub epoch: u64,
    /// What the sink has prepared.
    pub prepared: Arc<Vec<u8>>,
    /// The object that holds it; none until a checkpoint names it.
    pub object: Option<String>,
    promised: bool,
}

/// A sink, and who delivers what it prepares.
pub struct Outlet {
    sink: Box<dyn Sink>,
    delivery: Option<Delivery>,
}

/// How an outlet's deliveries stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Epochs that are not known to be visible.
    pub epochs: usize,
    /// Their bytes.
    pub bytes: usize,
    /// Why the outside does not take them, where it does not.
    pub away: Option<String>,
}

impl Outlet {
    /// An outlet of a table.
    pub fn new(name: &str, mut sink: Box<dyn Sink>) -> Result<Self> {
        let committer = sink.committer();
        let delivery = committer.map(|c| Delivery::start(name, c)).transpose()?;
        Ok(Self { sink, delivery })
    }

    /// Takes a step's change.
    pub(crate) fn write(&mut self, delta: &Delta, step: u64) -> Result<()> {
        self.sink.write(delta, step)
    }

    /// Whether it delivers beside the job.
    pub(crate) fn delivers(&self) -> bool {
        self.delivery.is_some()
    }

    /// Makes ready what was written. What is answered has to be kept by the checkpoint: for a sink
    /// that delivers it is pending as well.
    pub(crate) fn prepare(&mut self, epoch: u64) -> Result<Option<Arc<Vec<u8>>>> {
        let prepared = Arc::new(self.sink.prepare(epoch)?);
        let Some(delivery) = &mut self.delivery else { return Ok(Some(prepared)) };
        // Nothing was written: there is nothing to deliver.
        if prepared.is_empty() {
            return Ok(None);
        }
        delivery.push(epoch, Arc::clone(&prepared));
        Ok(Some(prepared))
    }

    /// Says by which object the checkpoint of an epoch keeps what was prepared for it.
    pub(crate) fn kept_as(&mut self, epoch: u64, object: &str) {
        let pending = self.delivery.iter_mut().flat_map(|d| &mut d.pending);
        for pending in pending.filter(|p| p.epoch == epoch) {
            pending.object = Some(object.to_owned());
        }
    }

    /// What is not known to be visible, oldest first.
    pub(crate) fn pending(&self) -> impl Iterator<Item = &Pending> {
        self.delivery.iter().flat_map(|delivery| &delivery.pending)
    }

    /// An epoch's checkpoint is durable: what was prepared for it is to become visible.
    pub(crate) fn promise(&mut self, epoch: u64) -> Result<()> {
        match &mut self.delivery {
            Some(delivery) => delivery.promise(epoch),
            None => self.sink.commit(epoch),
        }
    }

    /// Goes on from a checkpoint, from what the sink had `prepared` for it.
    pub(crate) fn recover(&mut self, epoch: u64, prepared: &[u8]) -> Result<()> {
        self.sink.recover(epoch, prepared)
    }

    /// Goes on from a checkpoint that names what was pending then.
    pub(crate) fn recover_pending(&mut self, pending: Vec<(u64, String, Vec<u8>)>) -> Result<()> {
        match &mut self.delivery {
            Some(delivery) => delivery.recover(pending),
            None => Ok(()),
        }
    }

    /// Has the committer begin, where no checkpoint has done so.
    pub(crate) fn begin(&mut self) -> Result<()> {
        self.delivery.as_mut().map_or(Ok(()), Delivery::begin)
    }

    /// Takes in what has become visible; fails where the outside refuses something.
    pub(crate) fn look(&mut self) -> Result<()> {
        self.delivery.as_mut().map_or(Ok(()), Delivery::look)
    }

    /// Whether it has so much to deliver that it should get no more.
    pub(crate) fn is_behind(&self) -> bool {
        self.delivery.as_ref().is_some_and(|delivery| {
            delivery.bytes() > BACKLOG_BYTES_MAX || delivery.pending.len() > BACKLOG_EPOCHS_MAX
        })
    }

    /// Waits until all that was promised is visible, as long as `patient` says so, who is told
    /// whether the outside is away. Answers whether it is.
    pub(crate) fn drain(&mut self, patient: &mut dyn FnMut(bool) -> bool) -> Result<bool> {
        self.delivery.as_mut().map_or(Ok(true), |delivery| delivery.drain(patient))
    }

    /// How the deliveries stand.
    pub fn backlog(&self) -> Backlog {
        self.delivery.as_ref().map_or_else(Backlog::default, |delivery| Backlog {
            epochs: delivery.pending.len(),
            bytes: delivery.bytes(),
            away: delivery.shared.state().away.clone(),
        })
    }
}

/// What a thread of deliveries is asked for.
enum Task {
    Recover(Vec<(u64, Vec<u8>)>),
    Commit(u64, Arc<Vec<u8>>),
}

/// A committer's thread, and what it has to do.
struct Delivery {
    work: Option<Sender<Task>>,
    shared: Arc<Shared>,
    pending: VecDeque<Pending>,
    begun: bool,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The newest epoch that is visible.
    visible: Option<u64>,
    away: Option<String>,
    refused: Option<EngineError>,
    stopped: bool,
    /// The thread has nothing more to do.
    ended: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a change, or for a time; answers whether to stop.
    fn pause(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        let mut state = self.state();
        while !state.stopped {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.stopped
    }
}

impl Delivery {
    fn start(name: &str, committer: Box<dyn Committer>) -> Result<Self> {
        let (work, inbox) = channel();
        let shared = Arc::new(Shared::default());
        let mut clerk = Clerk { name: name.to_owned(), committer, shared: Arc::clone(&shared) };
        let thread = std::thread::Builder::new()
            .name(format!("deliver {name}"))
            .spawn(move || {
                clerk.run(&inbox);
                clerk.shared.state().ended = true;
                clerk.shared.changed.notify_all();
            })
            .map_err(|e| EngineError::Internal(format!("cannot start a thread: {e}")))?;
        let (work, pending) = (Some(work), VecDeque::new());
        Ok(Self { work, shared, pending, begun: false, thread: Some(thread) })
    }

    fn push(&mut self, epoch: u64, prepared: Arc<Vec<u8>>) {
        self.pending.push_back(Pending { epoch, prepared, object: None, promised: false });
    }

    fn bytes(&self) -> usize {
        self.pending.iter().map(|p| p.prepared.len()).sum()
    }

    fn ask(&self, task: Task) -> Result<()> {
        let sent = self.work.as_ref().map(|work| work.send(task));
        match sent {
            Some(Ok(())) => Ok(()),
            // The thread has ended: it was refused, which `look` tells.
            _ => Err(self.shared.state().refused.take().unwrap_or_else(gone)),
        }
    }

    fn begin(&mut self) -> Result<()> {
        if self.begun { Ok(()) } else { self.recover(Vec::new()) }
    }

    fn promise(&mut self, epoch: u64) -> Result<()> {
        self.begin()?;
        let mut tasks = Vec::new();
        for pending in self.pending.iter_mut().filter(|p| p.epoch <= epoch && !p.promised) {
            pending.promised = true;
            tasks.push(Task::Commit(pending.epoch, Arc::clone(&pending.prepared)));
        }
        tasks.into_iter().try_for_each(|task| self.ask(task))
    }

    fn recover(&mut self, pending: Vec<(u64, String, Vec<u8>)>) -> Result<()> {
        self.begun = true;
        let tasks = pending.iter().map(|(epoch, _, bytes)| (*epoch, bytes.clone())).collect();
        for (epoch, object, prepared) in pending {
            let (prepared, object) = (Arc::new(prepared), Some(object));
            self.pending.push_back(Pending { epoch, prepared, object, promised: true });
        }
        self.ask(Task::Recover(tasks))
    }

    fn look(&mut self) -> Result<()> {
        let mut state = self.shared.state();
        if let Some(error) = state.refused.take() {
            return Err(error);
        }
        let visible = state.visible;
        drop(state);
        while self.pending.front().is_some_and(|p| Some(p.epoch) <= visible) {
            self.pending.pop_front();
        }
        Ok(())
    }

    fn drain(&mut self, patient: &mut dyn FnMut(bool) -> bool) -> Result<bool> {
        loop {
            self.look()?;
            if !self.pending.iter().any(|p| p.promised) {
                return Ok(true);
            }
            let away = self.shared.state().away.is_some();
            if !patient(away) {
                return Ok(false);
            }
            let state = self.shared.state();
            if state.refused.is_none() && state.visible < self.pending.front().map(|p| p.epoch) {
                // Whoever is asked whether to be patient is asked often.
                let _ = self.shared.changed.wait_timeout(state, Duration::from_millis(20));
            }
        }
    }
}

fn gone() -> EngineError {
    EngineError::Internal("a thread of deliveries is gone".into())
}

impl Drop for Delivery {
    fn drop(&mut self) {
        drop(self.work.take());
        let mut state = self.shared.state();
        state.stopped = true;
        self.shared.changed.notify_all();
        // A call to a server that does not answer takes as long as it takes. What it has not
        // delivered is in the last checkpoint, and half of it is nowhere, as after a kill.
        let until = Instant::now() + GRACE;
        while !state.ended {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.shared.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(state);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Does a committer's work, on its own thread.
struct Clerk {
    name: String,
    committer: Box<dyn Committer>,
    shared: Arc<Shared>,
}

impl Clerk {
    fn run(&mut self, inbox: &Receiver<Task>) {
        while let Ok(task) = inbox.recv() {
            let newest = match &task {
                Task::Recover(pending) => pending.last().map(|(epoch, _)| *epoch),
                Task::Commit(epoch, _) => Some(*epoch),
            };
            match self.carry_out(&task) {
                Some(Ok(())) => {
                    let mut state = self.shared.state();
                    state.visible = state.visible.max(newest);
                    state.away = None;
                }
                Some(Err(error)) => {
                    self.shared.state().refused = Some(error);
                    self.shared.changed.notify_all();
                    return;
                }
                None => return,
            }
            self.shared.changed.notify_all();
        }
    }

    /// Tries until it is done or refused; none where the job ends before.
    fn carry_out(&mut self, task: &Task) -> Option<Result<()>> {
        let (mut pause, began) = (PAUSE.0, Instant::now());
        let mut warned: Option<Instant> = None;
        loop {
            if self.shared.state().stopped {
                return None;
            }
            crash_at("deliver");
            let done = match task {
                Task::Recover(pending) => self.committer.recover(pending),
                Task::Commit(epoch, prepared) => self.committer.commit(*epoch, prepared),
            };
            let reason = match done {
                Ok(()) => {
                    crash_at("delivered");
                    if warned.is_some() {
                        let seconds = began.elapsed().as_secs();
                        info!(sink = self.name, "takes rows again after {seconds} s");
                    }
                    return Some(Ok(()));
                }
                Err(CommitError::Refused(error)) => return Some(Err(error)),
                Err(CommitError::Away(error)) => error.to_string(),
            };
            if warned.is_none_or(|at| at.elapsed() > WARNING_PAUSE) {
                warn!(sink = self.name, "{reason}; trying again");
                warned = Some(Instant::now());
            }
            self.shared.state().away = Some(reason);
            self.shared.changed.notify_all();
            if self.shared.pause(jittered(pause)) {
                return None;
            }
            pause = (pause * 2).min(PAUSE.1);
        }
    }
}

/// Between half of a pause and all of it: those who wait for one server do not come together.
fn jittered(pause: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish() % 1024;
    pause / 2 + pause / 2 * u32::try_from(random).unwrap_or(0) / 1024
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Gathers numbers of steps; its outside is away so many times.
    struct Numbers {
        rows: Vec<u8>,
        outside: Arc<Outside>,
    }

    #[derive(Default)]
    struct Outside {
        away: AtomicUsize,
        refuses: AtomicUsize,
        seen: Mutex<Vec<(u64, Vec<u8>)>>,
    }

    struct Telling(Arc<Outside>);

    impl Sink for Numbers {
        fn write(&mut self, _: &Delta, step: u64) -> Result<()> {
            self.rows.push(u8::try_from(step).unwrap());
            Ok(())
        }

        fn prepare(&mut self, _: u64) -> Result<Vec<u8>> {
            Ok(std::mem::take(&mut self.rows))
        }

        fn commit(&mut self, _: u64) -> Result<()> {
            unreachable!("a committer does it")
        }

        fn recover(&mut self, _: u64, _: &[u8]) -> Result<()> {
            unreachable!("a committer does it")
        }

        fn committer(&mut self) -> Option<Box<dyn Committer>> {
            Some(Box::new(Telling(Arc::clone(&self.outside))))
        }
    }

    impl Committer for Telling {
        fn commit(&mut self, epoch: u64, prepared: &[u8]) -> Result<(), CommitError> {
            if self.0.refuses.load(Ordering::Acquire) > 0 {
                return Err(CommitError::Refused(EngineError::sink("there", "never")));
            }
            let less = |n: usize| n.checked_sub(1);
            if self.0.away.fetch_update(Ordering::AcqRel, Ordering::Acquire, less).is_ok() {
                return Err(CommitError::Away(EngineError::sink("there", "nobody is in")));
            }
            self.0.seen.lock().unwrap().push((epoch, prepared.to_vec()));
            Ok(())
        }
    }

    fn outlet() -> (Outlet, Arc<Outside>) {
        let outside = Arc::new(Outside::default());
        let sink = Numbers { rows: vec![], outside: Arc::clone(&outside) };
        (Outlet::new("t", Box::new(sink)).unwrap(), outside)
    }

    fn write(outlet: &mut Outlet, step: u64) {
        let batch =
            arrow::array::RecordBatch::new_empty(Arc::new(arrow::datatypes::Schema::empty()));
        outlet.write(&Delta::insert_only(batch), step).unwrap();
    }

    #[test]
    fn epochs_go_out_in_order_when_they_are_promised_however_long_the_outside_is_away() {
        let (mut outlet, outside) = outlet();
        outside.away.store(3, Ordering::Release);
        for epoch in 1..=3 {
            write(&mut outlet, epoch);
            outlet.prepare(epoch).unwrap().unwrap();
        }
        assert_eq!(outlet.prepare(4).unwrap(), None, "nothing was written");
        outlet.promise(2).unwrap();
        assert!(outlet.drain(&mut |_| true).unwrap());
        assert_eq!(*outside.seen.lock().unwrap(), [(1, vec![1]), (2, vec![2])]);
        assert_eq!(outlet.backlog(), Backlog { epochs: 1, bytes: 1, away: None });
        outlet.promise(4).unwrap();
        assert!(outlet.drain(&mut |_| true).unwrap());
        assert_eq!(outside.seen.lock().unwrap().len(), 3);
    }

    #[test]
    fn what_was_pending_is_recovered_before_anything_new_is_delivered() {
        let (mut outlet, outside) = outlet();
        let pending = vec![(4, "a".to_owned(), vec![9]), (6, "b".to_owned(), vec![8])];
        outside.away.store(1, Ordering::Release);
        outlet.recover_pending(pending).unwrap();
        assert_eq!(outlet.pending().filter_map(|p| p.object.as_deref()).collect::<String>(), "ab");
        write(&mut outlet, 7);
        outlet.prepare(7).unwrap();
        outlet.promise(7).unwrap();
        assert!(outlet.drain(&mut |_| true).unwrap());
        let seen = outside.seen.lock().unwrap();
        assert_eq!(*seen, [(4, vec![9]), (6, vec![8]), (7, vec![7])]);
    }

    #[test]
    fn one_who_is_away_for_ever_is_behind_and_lets_go_when_the_job_ends() {
        let (mut outlet, outside) = outlet();
        outside.away.store(usize::MAX, Ordering::Release);
        for epoch in 1..=BACKLOG_EPOCHS_MAX as u64 + 1 {
            write(&mut outlet, 1);
            outlet.prepare(epoch).unwrap();
        }
        assert!(outlet.is_behind());
        outlet.promise(3).unwrap();
        let mut asked = 0;
        let mut patient = |_| {
            asked += 1;
            asked < 5
        };
        assert!(!outlet.drain(&mut patient).unwrap());
        let away = outlet.backlog().away.unwrap();
        assert!(away.contains("nobody is in"), "{away}");
        drop(outlet);
        assert!(outside.seen.lock().unwrap().is_empty());
    }

    /// Its outside says that it is asked, and does not answer before it is told to.
    struct Silent {
        asked: Sender<()>,
        answer: Receiver<()>,
    }

    impl Committer for Silent {
        fn commit(&mut self, _: u64, _: &[u8]) -> Result<(), CommitError> {
            self.asked.send(()).expect("the test waits for it");
            self.answer.recv().map_err(|_| CommitError::Away(EngineError::sink("there", "silence")))
        }
    }

    #[test]
    fn the_end_of_a_job_does_not_wait_for_one_who_does_not_answer() {
        let (answer, silence) = channel();
        let (asked, is_asked) = channel();
        let silent = Silent { asked, answer: silence };
        let mut delivery = Delivery::start("t", Box::new(silent)).unwrap();
        delivery.begun = true;
        delivery.push(1, Arc::new(vec![1]));
        delivery.promise(1).unwrap();
        let shared = Arc::clone(&delivery.shared);
        is_asked.recv().unwrap();
        // Would wait for ever if it waited for the answer, which comes behind it.
        drop(delivery);
        assert!(!shared.state().ended);
        drop(answer);
        let mut state = shared.state();
        while !state.ended {
            state = shared.changed.wait(state).unwrap();
        }
        assert_eq!(state.visible, None);
    }

    #[test]
    fn what_is_refused_stops_the_job() {
        let (mut outlet, outside) = outlet();
        outside.refuses.store(1, Ordering::Release);
        write(&mut outlet, 1);
        outlet.prepare(1).unwrap();
        outlet.promise(1).unwrap();
        let error = outlet.drain(&mut |_| true).unwrap_err().to_string();
        assert_eq!(error, "cannot write there: never");
    }
}
