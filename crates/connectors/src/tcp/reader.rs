//! Lines into rows.

use std::collections::VecDeque;
use std::sync::mpsc::TryRecvError;

use arrow::array::{Int64Array, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use rialto_engine::{DeadLetter, Delta, EngineError, Poll, Position, Reader};
use serde_json::json;

use super::options::TcpOptions;
use super::socket::{Message, Socket};
use crate::format::Decoder;

/// A line of this size may be refused only because the batch has no room for it.
const LINE_BYTES_LARGE: usize = 1 << 18;

/// Reads what a server sends.
pub(super) struct LineReader {
    options: TcpOptions,
    schema: SchemaRef,
    decoder: Box<dyn Decoder>,
    /// The connection is made with the first poll: a reader that is never polled takes nothing.
    socket: Option<Socket>,
    waiting: VecDeque<Vec<u8>>,
    /// How many lines came, also before a restart.
    lines: u64,
    ended: bool,
    dead: Vec<DeadLetter>,
}

impl LineReader {
    pub fn new(options: &TcpOptions, schema: SchemaRef, decoder: Box<dyn Decoder>) -> Self {
        Self {
            options: options.clone(),
            schema,
            decoder,
            socket: None,
            waiting: VecDeque::new(),
            lines: 0,
            ended: false,
            dead: Vec::new(),
        }
    }

    fn failed(&self, reason: impl ToString) -> EngineError {
        EngineError::source(self.options.place(), reason)
    }

    /// Takes what has come; `false` if that is nothing.
    fn fill(&mut self) -> rialto_engine::Result<bool> {
        if !self.waiting.is_empty() {
            return Ok(true);
        }
        if self.ended {
            return Ok(false);
        }
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => Socket::open(&self.options).map_err(|e| self.failed(e))?,
        };
        let message = self.socket.insert(socket).messages.try_recv();
        match message {
            Ok(Message::Lines(lines)) => self.waiting.extend(lines),
            Ok(Message::Bad(bytes, reason)) => {
                self.lines += 1;
                self.bury(bytes, reason)?;
            }
            Ok(Message::End) => self.ended = true,
            Err(TryRecvError::Empty) => return Ok(false),
            Err(TryRecvError::Disconnected) => {
                return Err(self.failed("the thread of the connection has ended"));
            }
        }
        Ok(!self.ended)
    }

    fn bury(&mut self, bytes: Vec<u8>, reason: String) -> rialto_engine::Result<()> {
        let position = format!("{}, line {}", self.options.place(), self.lines);
        if self.options.fail_on_error {
            return Err(EngineError::source(position, reason));
        }
        self.dead.push(DeadLetter { position, reason, bytes, beside: None });
        Ok(())
    }

    /// Decodes lines until enough rows wait; `false` where the batch has no room for the next.
    fn decode(&mut self, rows_max: usize) -> rialto_engine::Result<bool> {
        while self.decoder.rows() < rows_max {
            let Some(line) = self.waiting.pop_front() else { break };
            if line.is_empty() && self.options.format.name != "raw" {
                self.lines += 1;
                continue;
            }
            let before = self.decoder.rows();
            if let Err(reason) = self.decoder.decode_record(&line) {
                if before > 0 && line.len() > LINE_BYTES_LARGE {
                    // The batch may be full: its rows go first, and the line again.
                    self.waiting.push_front(line);
                    return Ok(false);
                }
                self.lines += 1;
                self.bury(line, reason)?;
                continue;
            }
            self.lines += 1;
        }
        Ok(true)
    }

    fn take_rows(&mut self) -> rialto_engine::Result<Delta> {
        let decoded = self.decoder.finish()?;
        let weights = self.decoder.take_weights();
        let options = RecordBatchOptions::new().with_row_count(Some(decoded.num_rows()));
        let columns = decoded.columns().to_vec();
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?;
        Ok(match weights {
            Some(weights) => Delta::weighted(batch, Int64Array::from(weights)),
            None => Delta::insert_only(batch),
        })
    }
}

impl Reader for LineReader {
    fn poll(&mut self, rows_max: usize) -> rialto_engine::Result<Poll> {
        let rows_max = rows_max.max(1);
        while self.decoder.rows() < rows_max && self.fill()? {
            if !self.decode(rows_max)? {
                break;
            }
        }
        if self.decoder.rows() > 0 {
            return self.take_rows().map(Poll::Rows);
        }
        Ok(if self.ended { Poll::End } else { Poll::Idle })
    }

    fn position(&self) -> Position {
        json!({ "lines": self.lines })
    }

    fn seek(&mut self, position: &Position) -> rialto_engine::Result<()> {
        // A socket cannot be asked for a line again: only the count goes on.
        let lines = position.get("lines").and_then(serde_json::Value::as_u64);
        let lines = lines.ok_or_else(|| {
            self.failed(format!("the position {position} is not one of a socket"))
        })?;
        self.lines += lines;
        Ok(())
    }

    fn take_dead_letters(&mut self) -> Vec<DeadLetter> {
        std::mem::take(&mut self.dead)
    }
}
