//! Long answers, made page by page: each page is read under a snapshot of its own, which is let go before its rows are sent, so
//! that a slow reader keeps no pages of the store alive.

use std::collections::VecDeque;

use serde_json::{Value, json};

use crate::http::admin::{OperatorError, OperatorRows};

/// Records looked at under one snapshot; few in tests, so that a list has several pages without much writing.
pub(super) const PAGE: usize = if cfg!(test) { 8 } else { 256 };

/// Part of an answer.
pub(super) struct Batch {
    /// Its rows, perhaps none.
    pub(super) rows: Vec<Value>,
    /// Whether there may be more behind them.
    pub(super) more: bool,
}

impl Batch {
    /// The end of an answer.
    pub(super) const fn end() -> Self {
        Self { rows: Vec::new(), more: false }
    }
}

struct Pages<F> {
    next_batch: F,
    rows: VecDeque<Value>,
    more: bool,
}

impl<F: FnMut() -> Result<Batch, OperatorError>> Iterator for Pages<F> {
    type Item = Value;

    fn next(&mut self) -> Option<Value> {
        while self.rows.is_empty() && self.more {
            match (self.next_batch)() {
                Ok(batch) => {
                    self.rows = batch.rows.into();
                    self.more = batch.more;
                }
                Err(error) => {
                    self.more = false;
                    // The answer has begun, so that its status can't tell any more.
                    return Some(json!({ "error": error.message }));
                }
            }
        }
        self.rows.pop_front()
    }
}

/// An answer of batches, `limit` rows at most. The first batch is made at once, so that what is wrong is said before anything is
/// sent; an error behind it becomes a last row `{"error": …}`.
pub(super) fn in_batches(
    limit: Option<u64>,
    mut next_batch: impl FnMut() -> Result<Batch, OperatorError> + Send + 'static,
) -> Result<OperatorRows, OperatorError> {
    let first = next_batch()?;
    let pages = Pages { next_batch, rows: first.rows.into(), more: first.more };
    let limit = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(Box::new(pages.take(limit)))
}

/// An answer of one row.
pub(super) fn one(row: Value) -> OperatorRows {
    Box::new(std::iter::once(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_follow_one_another_until_the_limit() {
        let batches = |limit| {
            let mut number = 0;
            let rows = in_batches(limit, move || {
                number += 1;
                let rows = if number == 2 { Vec::new() } else { vec![json!(number), json!(number)] };
                Ok(Batch { rows, more: number < 4 })
            });
            rows.unwrap().map(|row| row.as_u64().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(batches(None), [1, 1, 3, 3, 4, 4]);
        assert_eq!(batches(Some(3)), [1, 1, 3]);
        assert!(batches(Some(0)).is_empty());
    }

    #[test]
    fn an_error_on_the_way_is_the_last_row() {
        let mut number = 0;
        let broken = || OperatorError { status: 500, message: "the disk".to_owned() };
        let rows = in_batches(None, move || {
            number += 1;
            if number == 1 { Ok(Batch { rows: vec![json!(1)], more: true }) } else { Err(broken()) }
        });
        assert_eq!(rows.unwrap().collect::<Vec<_>>(), [json!(1), json!({"error": "the disk"})]);
        assert!(in_batches(None, move || Err(broken())).is_err());
    }
}
