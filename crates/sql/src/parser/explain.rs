//! `EXPLAIN`.

use sqlparser::tokenizer::Token;

use super::ast::{Explain, ExplainDetail, ExplainWatermark, ParsedStatement, Statement};
use super::cursor::{Parsed, eat_word, eat_words, expect_word, expected_error, peek_words, refuse};
use super::statement::StatementParser;

const DETAILS_HINT: &str = "before it may stand PLAN FOR, or CHANGELOG_MODE, ESTIMATED_COST, \
                            PLAN_ADVICE, JSON_EXECUTION_PLAN; WATERMARK says what is waited for";

impl StatementParser<'_> {
    /// `EXPLAIN [PLAN FOR | detail, …] statement`.
    pub(super) fn explain(&mut self) -> Parsed<Statement> {
        expect_word(&mut self.p, "EXPLAIN")?;
        if eat_word(&mut self.p, "WATERMARK") {
            return self.explain_watermark();
        }
        let mut details = Vec::new();
        if !eat_words(&mut self.p, &["PLAN", "FOR"]) {
            while let Some(detail) = self.explain_detail() {
                details.push(detail);
                if !self.p.consume_token(&Token::Comma) {
                    break;
                }
            }
        }
        let Some(statement) = self.explained()? else {
            return Err(refuse(
                expected_error(&self.p, "a query, INSERT or a statement set")
                    .with_hint(DETAILS_HINT),
            ));
        };
        Ok(Statement::Explain(Explain { details, statement: Box::new(statement) }))
    }

    /// `EXPLAIN WATERMARK [FOR] statement | name`.
    fn explain_watermark(&mut self) -> Parsed<Statement> {
        eat_word(&mut self.p, "FOR");
        let explained = match self.explained()? {
            Some(statement) => ExplainWatermark::Statement(Box::new(statement)),
            None => ExplainWatermark::Relation(self.name("a query, INSERT or the name of a view")?),
        };
        Ok(Statement::ExplainWatermark(explained))
    }

    /// The statement behind `EXPLAIN`, where there stands one.
    fn explained(&mut self) -> Parsed<Option<ParsedStatement>> {
        if peek_words(&self.p, &["STATEMENT", "SET"]) {
            let start = self.start();
            let statement = self.statement_set()?;
            let (text, span) = self.since(start);
            return Ok(Some(ParsedStatement { statement, text, span }));
        }
        if self.can_be_explained() { self.statement().map(Some) } else { Ok(None) }
    }

    fn explain_detail(&mut self) -> Option<ExplainDetail> {
        [
            ("ESTIMATED_COST", ExplainDetail::EstimatedCost),
            ("CHANGELOG_MODE", ExplainDetail::ChangelogMode),
            ("PLAN_ADVICE", ExplainDetail::PlanAdvice),
            ("JSON_EXECUTION_PLAN", ExplainDetail::JsonExecutionPlan),
        ]
        .into_iter()
        .find_map(|(word, detail)| eat_word(&mut self.p, word).then_some(detail))
    }

    fn can_be_explained(&self) -> bool {
        let words = ["SELECT", "WITH", "VALUES", "INSERT", "EXECUTE", "BEGIN", "CREATE", "TABLE"];
        words.iter().any(|word| peek_words(&self.p, &[word]))
            || self.p.peek_token_ref().token == Token::LParen
    }
}
