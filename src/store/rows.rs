//! Statements that take many rows of values at once: fewer round trips, and none of the cost of JSON in SQL.
//!
//! The texts are made once from constants, for a few fixed numbers of rows, so that each engine prepares a handful of
//! them; rows that are left over are NULL in every column, and the statement skips them. The texts differ in one point
//! only: SQLite counts `?` by position, while its named `$1` is searched by name at every bind; PostgreSQL knows `$1`
//! alone.

use std::fmt::Write as _;

/// Numbers of rows a text is made for.
const SIZES: [usize; 11] = [1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128];

/// One statement for several numbers of rows, in both notations.
pub(super) struct RowsSql([[String; 2]; SIZES.len()]);

/// Some of the rows with the statement for them.
pub(super) struct Part<'r, T> {
    /// The statement.
    pub(super) sql: &'static str,
    rows: &'r [T],
    size: usize,
}

impl<'r, T> Part<'r, T> {
    /// The rows as the statement wants them: `None` stands for a row of NULLs.
    pub(super) fn rows(&self) -> impl Iterator<Item = Option<&'r T>> + use<'r, T> {
        let rows = self.rows;
        (0..self.size).map(move |n| rows.get(n))
    }
}

impl RowsSql {
    /// `before`, the rows of so many `columns`, `after`. The statement must skip rows whose first column is NULL.
    pub(super) fn new(before: &str, columns: usize, after: &str) -> Self {
        let text = |rows: usize, sqlite: bool| {
            let mut text = before.to_owned();
            for value in 0..rows * columns {
                text.push_str(match (value % columns, value) {
                    (0, 0) => "(",
                    (0, _) => "), (",
                    _ => ", ",
                });
                if sqlite {
                    text.push('?');
                } else {
                    let _ = write!(text, "${}", value + 1);
                }
            }
            text.push(')');
            text.push_str(after);
            text
        };
        Self(SIZES.map(|rows| [text(rows, true), text(rows, false)]))
    }

    /// The rows in parts, each with the text for it.
    pub(super) fn parts<'r, T>(
        &'static self,
        sqlite: bool,
        rows: &'r [T],
    ) -> impl Iterator<Item = Part<'r, T>> + use<'r, T> {
        const MOST: usize = SIZES[SIZES.len() - 1];
        rows.chunks(MOST).map(move |rows| {
            let n = SIZES.iter().position(|size| *size >= rows.len()).unwrap_or(SIZES.len() - 1);
            Part { sql: self.0[n][usize::from(!sqlite)].as_str(), rows, size: SIZES[n] }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;

    #[test]
    fn every_row_is_in_exactly_one_part_and_each_part_fills_its_statement() {
        static SQL: LazyLock<RowsSql> =
            LazyLock::new(|| RowsSql::new("INSERT INTO t (a, b) VALUES ", 2, " RETURNING a"));
        for count in [0, 1, 3, 4, 5, 63, 64, 65, 128, 129, 300] {
            let rows: Vec<usize> = (0..count).collect();
            let mut seen = Vec::new();
            for part in SQL.parts(true, &rows) {
                let given: Vec<_> = part.rows().collect();
                assert_eq!(part.sql.matches('?').count(), 2 * given.len());
                assert!(given.len() < 2 * given.iter().flatten().count(), "at most half is left over");
                seen.extend(given.into_iter().flatten().copied());
            }
            assert_eq!(seen, rows);
        }
        assert_eq!(SQL.parts(false, &[1]).next().unwrap().sql, "INSERT INTO t (a, b) VALUES ($1, $2) RETURNING a");
        assert_eq!(
            SQL.parts(true, &[1, 2]).next().unwrap().sql,
            "INSERT INTO t (a, b) VALUES (?, ?), (?, ?) RETURNING a"
        );
    }
}
