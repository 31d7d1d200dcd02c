//! Patterns as small programs: instructions that a thread of the matcher walks through.

use crate::{EngineError, Result};

/// At most so many instructions, so that `(A{1000}){1000}` is an error and not a flood.
pub const PATTERN_INSTRUCTIONS_MAX: usize = 10_000;
/// At most so many variables in a pattern.
pub const PATTERN_VARIABLES_MAX: usize = 64;

/// A row pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// One row that fits the variable with this number.
    Variable(usize),
    /// One after the other.
    Concatenation(Vec<Pattern>),
    /// One of these; the first that fits is preferred.
    Alternation(Vec<Pattern>),
    /// So many times in a row.
    Repeat {
        /// What is repeated.
        pattern: Box<Pattern>,
        /// At least so often.
        min: u32,
        /// At most so often; none: no bound.
        max: Option<u32>,
        /// Whether more or fewer repetitions are preferred.
        preference: Preference,
    },
}

/// Whether a quantifier prefers more or fewer rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Preference {
    /// As many as possible.
    Greedy,
    /// As few as possible.
    Reluctant,
}

/// One instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Instruction {
    /// Takes one row that fits the variable.
    Take(usize),
    /// Goes on at both places, preferring the first.
    Split(usize, usize),
    Jump(usize),
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
                None => emit_loop(pattern, *preference, variables, program)?,
                Some(max) => {
                    let mut exits = Vec::new();
                    for _ in *min..*max {
                        exits.push(program.len());
                        program.push(Instruction::Accept);
                        emit(pattern, variables, program)?;
                    }
                    let end = program.len();
                    for exit in exits {
                        program[exit] = split(*preference, exit + 1, end);
                    }
                }
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

fn emit_loop(
    pattern: &Pattern,
    preference: Preference,
    variables: usize,
    program: &mut Vec<Instruction>,
) -> Result<()> {
    let start = program.len();
    program.push(Instruction::Accept);
    emit(pattern, variables, program)?;
    program.push(Instruction::Jump(start));
    program[start] = split(preference, start + 1, program.len());
    Ok(())
}

fn split(preference: Preference, inside: usize, after: usize) -> Instruction {
    match preference {
        Preference::Greedy => Instruction::Split(inside, after),
        Preference::Reluctant => Instruction::Split(after, inside),
    }
}
