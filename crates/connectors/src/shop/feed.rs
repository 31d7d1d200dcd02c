//! One world for all tables of a job that ask for the same one.
//!
//! The world begins when the first of its tables is polled; by then all tables of the job have
//! joined. It trades hour by hour, as soon as one of them needs the next hour, and an hour is kept
//! until all have read it.
//!
//! **Positions.** A reader stands at a row of an hour. Nothing of the world itself is saved: after
//! a restart it trades again from its first hour to the oldest position, telling nobody, at about
//! forty days of a world of usual size in a second. Which decisions were known in which hour is a
//! part of every position, so that the same things happen again.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};
use std::time::Instant;

use rialto_shop::{Catalog, Event, TABLES, Table, World};

use super::decisions::{Decisions, Offsets};
use super::options::Settings;
use super::stage::Stage;

/// Events that wait for slower readers; a reader that is further ahead waits for them.
const WAITING_MAX: usize = 4_000_000;
/// So many hours may be made beyond that, so that nobody waits for a table that has no events.
const HOURS_AHEAD: u64 = 48;
const HOUR_MS: i64 = 3_600_000;
/// What the watermarks of the event model allow.
const DELAY_MS: i64 = 10_000;
/// The hour of a reader that has read all there will ever be.
const DONE: u64 = u64::MAX;

/// What the world was told, as a part of every position.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// The hours that had new decisions: those before these offsets.
    pub hours: BTreeMap<u64, Offsets>,
    /// The hours before this one have been traded: those that are not listed had nothing new.
    pub made: u64,
}

/// A world and its readers.
#[derive(Debug)]
pub(super) struct Feed {
    settings: Settings,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    world: Option<World>,
    decisions: Option<Decisions>,
    known: Known,
    /// The hours that somebody still has to read, the first of them, and how many there were.
    hours: VecDeque<[Arc<Vec<Event>>; TABLES]>,
    first: u64,
    made: u64,
    waiting: usize,
    seats: Vec<Option<Place>>,
    /// When the world began to move, and its time then.
    began: Option<(Instant, i64)>,
}

/// Where a reader stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub table: Table,
    pub hour: u64,
    pub row: usize,
    /// The arrival of the row that was read last.
    pub time: i64,
}

/// What a reader finds.
pub(super) enum Found {
    Rows { events: Arc<Vec<Event>>, from: usize, to: usize },
    Nothing,
    End,
}

/// A reader's place in a feed.
pub(super) struct Seat {
    feed: Arc<Feed>,
    number: usize,
}

fn feeds() -> &'static Mutex<HashMap<String, Weak<Feed>>> {
    static FEEDS: OnceLock<Mutex<HashMap<String, Weak<Feed>>>> = OnceLock::new();
    FEEDS.get_or_init(Mutex::default)
}

impl Feed {
    /// Joins the world of the settings, or a new one where it has begun without this reader.
    pub fn join(settings: &Settings) -> Seat {
        let mut feeds = feeds().lock().unwrap_or_else(|e| e.into_inner());
        feeds.retain(|_, feed| feed.strong_count() > 0);
        let key = settings.world_key();
        let waiting = feeds.get(&key).and_then(Weak::upgrade);
        let feed = waiting.filter(|feed| feed.state().world.is_none()).unwrap_or_else(|| {
            let feed = Arc::new(Feed::new(settings));
            feeds.insert(key, Arc::downgrade(&feed));
            feed
        });
        let place = Place { table: settings.table, hour: 0, row: 0, time: i64::MIN };
        let mut state = feed.state();
        state.seats.push(Some(place));
        let number = state.seats.len() - 1;
        drop(state);
        Seat { feed, number }
    }

    fn new(settings: &Settings) -> Self {
        let mut settings = settings.clone();
        if let Some(stage) = &settings.stage {
            settings.world = stage.config().clone();
        }
        let state = State {
            world: None,
            decisions: None,
            known: Known::default(),
            hours: VecDeque::new(),
            first: 0,
            made: 0,
            waiting: 0,
            seats: Vec::new(),
            began: None,
        };
        Self { settings, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn stage(&self) -> Option<&Stage> {
        self.settings.stage.as_deref()
    }

    /// Makes the world, and lets it trade up to the oldest position.
    fn begin(&self, state: &mut State) -> Result<(), String> {
        let mut wanted = [false; TABLES];
        for place in state.seats.iter().flatten() {
            wanted[place.table as usize] = true;
        }
        if let Some(folder) = &self.settings.decisions {
            state.decisions = Some(Decisions::open(folder, &state.known)?);
        }
        state.world = Some(World::new(self.settings.world.clone(), wanted));
        let hours = state.seats.iter().flatten().map(|place| place.hour);
        let oldest = hours.filter(|hour| *hour != DONE).min().unwrap_or(0);
        while state.made < oldest && state.trade(self.stage())? {
            state.forget();
        }
        Ok(())
    }
}

impl State {
    /// One hour more; `false` where there is none.
    fn trade(&mut self, stage: Option<&Stage>) -> Result<bool, String> {
        let Some(world) = &mut self.world else { return Ok(false) };
        if world.is_over() {
            return Ok(false);
        }
        let told = match (stage, &mut self.decisions) {
            (Some(stage), _) => stage.take_told(),
            (None, Some(decisions)) => decisions.of_hour(self.made, &mut self.known)?,
            (None, None) => Vec::new(),
        };
        world.hour(&told);
        if let Some(stage) = stage {
            stage.note(*world.truth());
        }
        let hour = Table::ALL.map(|table| {
            let mut events = Vec::new();
            world.take(table, &mut events);
            self.waiting += events.len();
            Arc::new(events)
        });
        self.hours.push_back(hour);
        self.made += 1;
        Ok(true)
    }

    /// Drops the hours that all have read.
    fn forget(&mut self) {
        let oldest = self.seats.iter().flatten().map(|place| place.hour).min();
        let oldest = oldest.unwrap_or(u64::MAX);
        while self.first < oldest {
            let Some(hour) = self.hours.pop_front() else { break };
            self.waiting -= hour.iter().map(|events| events.len()).sum::<usize>();
            self.first += 1;
        }
    }

    /// Whether somebody is so far behind that the next hour has to wait.
    fn must_wait(&self) -> bool {
        self.waiting > WAITING_MAX && self.made - self.first > HOURS_AHEAD
    }

    /// The world's time by the clock, which begins at `start` or where an earlier run was; all of
    /// it where there is no pace.
    fn due(&mut self, speed: Option<f64>, start: i64) -> i64 {
        let Some(speed) = speed else { return i64::MAX };
        let read = self.seats.iter().flatten().map(|place| place.time).max().unwrap_or(start);
        let (began, time) = *self.began.get_or_insert_with(|| (Instant::now(), read.max(start)));
        time.saturating_add((began.elapsed().as_secs_f64() * speed * 1000.0) as i64)
    }
}

impl Seat {
    /// What is there for the reader, at most so many rows.
    pub fn next(&self, rows_max: usize) -> Result<Found, String> {
        let mut state = self.feed.state();
        let state = &mut *state;
        if state.world.is_none() {
            self.feed.begin(state)?;
        }
        let world = &self.feed.settings.world;
        let clock_begins = world.start_ms.saturating_add(self.feed.settings.history_ms);
        let due = match self.feed.stage() {
            // What has arrived before the end of the hours that have passed.
            Some(stage) => midnight(world.start_ms) + stage.passed() as i64 * HOUR_MS - 1,
            None => state.due(self.feed.settings.speed, clock_begins),
        };
        loop {
            let Some(Some(mut place)) = state.seats.get(self.number).copied() else {
                return Ok(Found::End);
            };
            if place.hour > 0 && place.table.is_fixed() {
                // It ends at once, so that its watermark holds nobody back.
                state.seats[self.number] = Some(Place { hour: DONE, ..place });
                state.forget();
                return Ok(Found::End);
            }
            if place.hour >= state.made {
                let begins = midnight(world.start_ms) + state.made as i64 * HOUR_MS;
                if begins > due || state.must_wait() {
                    return Ok(Found::Nothing);
                }
                if !state.trade(self.feed.stage())? {
                    return Ok(Found::End);
                }
                continue;
            }
            let hour = &state.hours[(place.hour - state.first) as usize];
            let events = Arc::clone(&hour[place.table as usize]);
            let ready = events.partition_point(|event| event.arrival <= due);
            let (from, to) = (place.row, ready.min(place.row + rows_max.max(1)));
            if from < to {
                place.row = to;
                place.time = events[to - 1].arrival;
                state.seats[self.number] = Some(place);
                return Ok(Found::Rows { events, from, to });
            }
            if from < events.len() {
                return Ok(Found::Nothing);
            }
            // The next hour begins where this one has nothing more.
            state.seats[self.number] = Some(Place { hour: place.hour + 1, row: 0, ..place });
            state.forget();
        }
    }

    pub fn place(&self) -> Option<(Place, Known)> {
        let state = self.feed.state();
        // Before the world begins, what is known is what was sought.
        let made = state.made.max(state.known.made);
        Some(((*state.seats.get(self.number)?)?, Known { made, ..state.known.clone() }))
    }

    /// Goes on at a place of an earlier run; before the world begins.
    pub fn seek(&self, hour: u64, row: usize, time: i64, known: Known) -> Result<(), String> {
        let mut state = self.feed.state();
        if state.world.is_some() {
            return Err("the simulated shop has begun already".into());
        }
        if let Some(Some(place)) = state.seats.get_mut(self.number) {
            *place = Place { hour, row, time, ..*place };
        }
        // All readers of a checkpoint know the same.
        if known.made > state.known.made {
            state.known = known;
        }
        Ok(())
    }

    /// Before this moment no event will come any more: all that arrived before the reader's hour
    /// was read, and nothing takes longer than the model's watermark allows, but what is late by
    /// intention.
    pub fn watermark(&self) -> Option<i64> {
        let world = &self.feed.settings.world;
        let hour = self.feed.state().seats.get(self.number)?.as_ref()?.hour;
        let hour = i64::try_from(hour).ok().filter(|hour| *hour > 0 && world.late == 0.0)?;
        Some(midnight(world.start_ms) + hour.saturating_mul(HOUR_MS) - DELAY_MS)
    }

    /// What the shop sells, once it has begun.
    pub fn catalog(&self) -> Option<Arc<Catalog>> {
        self.feed.state().world.as_ref().map(World::catalog)
    }
}

fn midnight(time: i64) -> i64 {
    const DAY_MS: i64 = 24 * HOUR_MS;
    time.div_euclid(DAY_MS) * DAY_MS
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.feed.state();
        if let Some(seat) = state.seats.get_mut(self.number) {
            *seat = None;
        }
        state.forget();
    }
}
