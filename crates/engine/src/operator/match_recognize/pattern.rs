//! Patterns as small programs: instructions that a thread of the matcher walks through.

use crate::{EngineError, Result};

/// At most so many instructions, so that `(A{1000}){1000}` is an error and not a flood.
pub const PATTERN_INSTRUCTIONS_MAX: usize = 10_000;
/// At most so many variables in a pattern.
pub const PATTERN_VARIABLES_MAX: usize = 64;

/// A row pattern.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// One row that fits the variable with this number.
    Variable(usize),
    /// One after the other.
    Concatenation(Vec<Pattern>),
    /// One of these.
    Alternation(Vec<Pattern>),
    /// So many times in a row.
    Repeat {
        /// What is repeated.
        pattern: Box<Pattern>,
        /// At least so often.
        min: u32,
        /// At most so often; none: no bound.
        max: Option<u32>,
        /// Whether the repetition keeps the rows that it can take.
        preference: Preference,
    },
}

/// Whether a repetition keeps the rows that it can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Preference {
    /// A row with which one more round could begin is never given to what follows, also after the
    /// last round. Without effect where the number of rounds is fixed.
    Greedy,
    /// What follows may take any row, so that the match ends as soon as it can.
    Reluctant,
}

/// One instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Instruction {
    /// Takes one row that fits the variable.
    Take(usize),
    /// Goes on at both places, the first one first.
    Split(usize, usize),
    Jump(usize),
    /// The next row must not fit any of these variables, one bit each.
    Guard(u64),
    Accept,
}

/// The program of a pattern over `variables` variables.
pub(super) fn compile(pattern: &Pattern, variables: usize) -> Result<Vec<Instruction>> {
    if variables > PATTERN_VARIABLES_MAX {
        return Err(EngineError::Data(format!(
            "a pattern of more than {PATTERN_VARIABLES_MAX} variables is not supported"
        )));
    }
    let mut program = Vec::new();
    emit(pattern, variables, &mut program)?;
    program.push(Instruction::Accept);
    Ok(program)
}

fn emit(pattern: &Pattern, variables: usize, program: &mut Vec<Instruction>) -> Result<()> {
    if program.len() > PATTERN_INSTRUCTIONS_MAX {
        return Err(EngineError::Data(format!(
            "the pattern is too large: its repetitions make more than \
             {PATTERN_INSTRUCTIONS_MAX} steps"
        )));
    }
    match pattern {
        Pattern::Variable(number) if *number < variables => {
            program.push(Instruction::Take(*number));
        }
        Pattern::Variable(number) => {
            return Err(EngineError::Internal(format!("there is no pattern variable {number}")));
        }
        Pattern::Concatenation(parts) => {
            parts.iter().try_for_each(|part| emit(part, variables, program))?;
        }
        Pattern::Alternation(parts) => emit_alternation(parts, variables, program)?,
        Pattern::Repeat { pattern, min, max, preference } => {
            for _ in 0..*min {
                emit(pattern, variables, program)?;
            }
            match max {
                None => emit_loop(pattern, variables, program)?,
                Some(max) => {
                    let mut exits = Vec::new();
                    for _ in *min..*max {
                        exits.push(program.len());
                        program.push(Instruction::Accept);
                        emit(pattern, variables, program)?;
                    }
                    let end = program.len();
                    for exit in exits {
                        program[exit] = Instruction::Split(exit + 1, end);
                    }
                }
            }
            if *preference == Preference::Greedy && *max != Some(*min) {
                program.push(Instruction::Guard(first_variables(pattern)));
            }
        }
    }
    Ok(())
}

fn emit_alternation(
    parts: &[Pattern],
    variables: usize,
    program: &mut Vec<Instruction>,
) -> Result<()> {
    let mut ends = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        let start = program.len();
        if at + 1 < parts.len() {
            program.push(Instruction::Accept);
        }
        emit(part, variables, program)?;
        if at + 1 < parts.len() {
            ends.push(program.len());
            program.push(Instruction::Accept);
            program[start] = Instruction::Split(start + 1, program.len());
        }
    }
    let end = program.len();
    ends.into_iter().for_each(|at| program[at] = Instruction::Jump(end));
    Ok(())
}

fn emit_loop(pattern: &Pattern, variables: usize, program: &mut Vec<Instruction>) -> Result<()> {
    let start = program.len();
    program.push(Instruction::Accept);
    emit(pattern, variables, program)?;
    program.push(Instruction::Jump(start));
    program[start] = Instruction::Split(start + 1, program.len());
    Ok(())
}

/// The variables that the first row of a pattern can be, one bit each.
pub(super) fn first_variables(pattern: &Pattern) -> u64 {
    match pattern {
        Pattern::Variable(number) => 1_u64.checked_shl(*number as u32).unwrap_or(0),
        Pattern::Concatenation(parts) => {
            let reached =
                parts.iter().position(|p| !may_be_empty(p)).map_or(parts.len(), |p| p + 1);
            parts[..reached].iter().fold(0, |all, p| all | first_variables(p))
        }
        Pattern::Alternation(parts) => parts.iter().fold(0, |all, p| all | first_variables(p)),
        Pattern::Repeat { max: Some(0), .. } => 0,
        Pattern::Repeat { pattern, .. } => first_variables(pattern),
    }
}

/// Whether a pattern fits no rows at all.
fn may_be_empty(pattern: &Pattern) -> bool {
    match pattern {
        Pattern::Variable(_) => false,
        Pattern::Concatenation(parts) => parts.iter().all(may_be_empty),
        Pattern::Alternation(parts) => parts.iter().any(may_be_empty),
        Pattern::Repeat { pattern, min, .. } => *min == 0 || may_be_empty(pattern),
    }
}
