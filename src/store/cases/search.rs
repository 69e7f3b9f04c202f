//! Finds the few cases that hold a word among very many.
//!
//! The index holds pairs of neighbouring characters, because Chinese words have no spaces and most have two
//! characters. It is derived from `cases.search` and only ever narrows a list: the list itself compares the words.

use std::collections::HashMap;

use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::{
    on_backend,
    store::{Db, StoreError, Tx},
};

/// A word in more cases than this is common: walking the list in its order finds a page of them at once.
const RARE: i64 = 2_000;
/// Cases that are taken into the index in one transaction at start.
const BATCH: i64 = 500;

/// Pairs of neighbouring letters, digits or Han characters.
fn grams(text: &str) -> Vec<String> {
    let counts = |c: char| c.is_ascii_alphanumeric() || matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}');
    let mut grams = Vec::new();
    for run in text.split(|c| !counts(c)) {
        let chars: Vec<char> = run.chars().collect();
        grams.extend(chars.windows(2).map(|pair| pair.iter().collect::<String>()));
    }
    grams.sort_unstable();
    grams.dedup();
    grams
}

/// First bytes of the text's hash: tells whether the index is up to date.
fn digest(text: &str) -> i64 {
    let hash = Sha256::digest(text.as_bytes());
    hash.iter().take(8).fold(0_i64, |all, byte| (all << 8) | i64::from(*byte))
}

/// Takes the text of a case into the index, if it is another one than before.
pub(super) async fn put(tx: &mut Tx, case_id: &str, text: &str) -> Result<(), StoreError> {
    const SQLITE: &str = "INSERT INTO case_search (case_id, digest) VALUES ($1, $2) \
        ON CONFLICT (case_id) DO UPDATE SET digest = excluded.digest WHERE digest <> excluded.digest RETURNING n";
    const SQLITE_GRAMS: &str = "INSERT OR REPLACE INTO case_grams (rowid, grams) VALUES ($1, $2)";
    const POSTGRES: &str = "INSERT INTO case_search AS s (case_id, digest, grams) \
        VALUES ($1, $2, array_to_tsvector(COALESCE(string_to_array(NULLIF($3, ''), ' '), CAST('{}' AS TEXT[])))) \
        ON CONFLICT (case_id) DO UPDATE SET digest = excluded.digest, grams = excluded.grams \
        WHERE s.digest <> excluded.digest";
    let digest = digest(text);
    match tx.backend() {
        crate::store::Backend::Sqlite(conn) => {
            let row: Option<(i64,)> =
                sqlx::query_as(SQLITE).bind(case_id).bind(digest).fetch_optional(&mut *conn).await?;
            if let Some((n,)) = row {
                sqlx::query(SQLITE_GRAMS).bind(n).bind(grams(text).join(" ")).execute(conn).await?;
            }
        }
        crate::store::Backend::Postgres(conn) => {
            sqlx::query(POSTGRES).bind(case_id).bind(digest).bind(grams(text).join(" ")).execute(conn).await?;
        }
    }
    Ok(())
}

/// Takes the texts of these cases (id and text) into the index where they are others than before.
pub(super) async fn put_changed(tx: &mut Tx, texts: &[(String, String)]) -> Result<(), StoreError> {
    const SQL: &str = "SELECT case_id, digest FROM case_search \
        WHERE case_id IN (SELECT value ->> 'id' FROM json_each($1))";
    if let [(id, text)] = texts {
        return put(tx, id, text).await;
    }
    let ids: Vec<_> = texts.iter().map(|(id, _)| json!({ "id": id })).collect();
    let known: Vec<(String, i64)> =
        on_backend!(tx, |conn| sqlx::query_as(SQL).bind(json!(ids).to_string()).fetch_all(conn).await?);
    let known: HashMap<String, i64> = known.into_iter().collect();
    for (id, text) in texts {
        if known.get(id) != Some(&digest(text)) {
            put(tx, id, text).await?;
        }
    }
    Ok(())
}

/// The cases that may hold all of these words, if they are few; `None`: the words are common, or too short to tell.
pub(super) async fn candidates(tx: &mut Tx, words: &[&str]) -> Result<Option<Vec<String>>, StoreError> {
    const SQLITE: &str = "SELECT s.case_id FROM case_grams g JOIN case_search s ON s.n = g.rowid \
        WHERE case_grams MATCH $1 LIMIT $2";
    const POSTGRES: &str = "SELECT case_id FROM case_search WHERE grams @@ CAST($1 AS TSQUERY) LIMIT $2";
    let mut all: Vec<String> = words.iter().flat_map(|word| grams(&word.to_lowercase())).collect();
    all.sort_unstable();
    all.dedup();
    if all.is_empty() {
        return Ok(None);
    }
    let rows: Vec<(String,)> = match tx.backend() {
        crate::store::Backend::Sqlite(conn) => {
            let query = all.iter().map(|gram| format!("\"{gram}\"")).collect::<Vec<_>>().join(" ");
            sqlx::query_as(SQLITE).bind(query).bind(RARE + 1).fetch_all(conn).await?
        }
        crate::store::Backend::Postgres(conn) => {
            let query = all.iter().map(|gram| format!("'{gram}'")).collect::<Vec<_>>().join(" & ");
            sqlx::query_as(POSTGRES).bind(query).bind(RARE + 1).fetch_all(conn).await?
        }
    };
    Ok((rows.len() as i64 <= RARE).then(|| rows.into_iter().map(|(id,)| id).collect()))
}

/// Takes cases into the index that are not in it: after an upgrade or a restore.
///
/// # Errors
/// `Database`.
pub async fn catch_up(db: &Db) -> Result<u64, StoreError> {
    const MISSING: &str = "SELECT CAST((SELECT COUNT(*) FROM cases) - (SELECT COUNT(*) FROM case_search) AS BIGINT)";
    const SQL: &str = "SELECT c.id, c.search FROM cases c WHERE c.id > $1 AND NOT EXISTS \
        (SELECT 1 FROM case_search s WHERE s.case_id = c.id) ORDER BY c.id LIMIT $2";
    let (missing,): (i64,) = {
        let mut tx = db.read().await?;
        on_backend!(&mut tx, |conn| sqlx::query_as(MISSING).fetch_one(conn).await?)
    };
    if missing <= 0 {
        return Ok(0);
    }
    let mut done = 0;
    let mut last = String::new();
    loop {
        let mut tx = db.write().await?;
        let rows: Vec<(String, String)> =
            on_backend!(&mut tx, |conn| sqlx::query_as(SQL).bind(last.as_str()).bind(BATCH).fetch_all(conn).await?);
        for (id, text) in &rows {
            put(&mut tx, id, text).await?;
            last.clone_from(id);
        }
        tx.commit().await?;
        done += rows.len() as u64;
        if (rows.len() as i64) < BATCH {
            return Ok(done);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_do_not_reach_over_punctuation() {
        assert_eq!(grams("消防 ab1，证"), ["ab", "b1", "消防"]);
        assert!(grams("证").is_empty());
    }

    crate::store_test! {
        async fn few_cases_are_named_and_many_are_not(db: Db) {
            const CASE: &str = "INSERT INTO cases (id, number, query_code, version, status, round, case_type, urgency, \
                channel, region, title, enterprise, policy, sealed, confidential, open, sort_due, labels, search, \
                original_words, detail, submitted_at, entered_at, changed_at) VALUES ($1, $1, '', 1, 'submitted', 0, '', \
                '', '', '', '', '', '', FALSE, FALSE, TRUE, 7, '', $2, '', '{}', 1, 2, 3)";
            let mut tx = db.write().await.unwrap();
            for n in 0..=RARE {
                let text = if n == 7 { "补贴 消防验收".to_owned() } else { format!("补贴 第{n}件") };
                on_backend!(&mut tx, |conn| sqlx::query(CASE).bind(format!("c{n:05}")).bind(text).execute(conn).await.map(|_| ()))
                    .unwrap();
            }
            tx.commit().await.unwrap();
            assert_eq!(catch_up(&db).await.unwrap(), RARE as u64 + 1);
            assert_eq!(catch_up(&db).await.unwrap(), 0);

            let mut tx = db.write().await.unwrap();
            let found = |ids: &[&str]| Some(ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>());
            assert_eq!(candidates(&mut tx, &["消防"]).await.unwrap(), found(&["c00007"]));
            assert_eq!(candidates(&mut tx, &["补贴", "防验"]).await.unwrap(), found(&["c00007"]));
            assert_eq!(candidates(&mut tx, &["环评"]).await.unwrap(), found(&[]));
            assert_eq!(candidates(&mut tx, &["补贴"]).await.unwrap(), None, "common");
            assert_eq!(candidates(&mut tx, &["证"]).await.unwrap(), None, "too short");
            assert_eq!(candidates(&mut tx, &["\"'%", ")(:*"]).await.unwrap(), None, "no letters");
            put(&mut tx, "c00007", "补贴").await.unwrap();
            put(&mut tx, "c00008", "").await.unwrap();
            assert_eq!(candidates(&mut tx, &["消防"]).await.unwrap(), found(&[]));
            tx.commit().await.unwrap();
        }
    }
}
