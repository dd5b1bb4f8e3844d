//! Importing prospects.

use std::collections::{BTreeMap, BTreeSet};

use domain::ids::UserId;
use serde_json::Value;
use sqlx::PgConnection;

use crate::StoreError;

#[derive(Clone, Debug)]
pub struct NewProspect {
    /// Generated if `None`.
    pub id: Option<String>,
    pub name: String,
    /// In E.164 form.
    pub phone: String,
    pub time_zone: Option<String>,
    /// Such as `US-FL`.
    pub state: Option<String>,
    pub notes: Option<String>,
    /// Columns of the user's own.
    pub custom: BTreeMap<String, String>,
}

pub async fn user_exists(conn: &mut PgConnection, user_id: &UserId) -> Result<bool, StoreError> {
    let found = sqlx::query_scalar!(
        r#"select exists (select 1 from users where id = $1) as "exists!""#,
        user_id.as_str()
    );
    Ok(found.fetch_one(conn).await?)
}

/// Returns the numbers that a prospect of the user has already.
pub async fn known_numbers(
    conn: &mut PgConnection,
    user_id: &UserId,
    phones: &[String],
) -> Result<BTreeSet<String>, StoreError> {
    let known = sqlx::query_scalar!(
        "select distinct phone from prospects where user_id = $1 and phone = any($2)",
        user_id.as_str(),
        phones
    );
    Ok(known.fetch_all(conn).await?.into_iter().collect())
}

/// Returns the numbers on a do-not-call list of the user or of all users.
pub async fn suppressed_numbers(
    conn: &mut PgConnection,
    user_id: &UserId,
    phones: &[String],
) -> Result<BTreeSet<String>, StoreError> {
    let listed = sqlx::query_scalar!(
        "select distinct phone from suppressions
        where phone = any($2) and (user_id is null or user_id = $1)",
        user_id.as_str(),
        phones
    );
    Ok(listed.fetch_all(conn).await?.into_iter().collect())
}

/// Returns the ids that a prospect has already.
pub async fn known_ids(
    conn: &mut PgConnection,
    ids: &[String],
) -> Result<BTreeSet<String>, StoreError> {
    let known = sqlx::query_scalar!("select id from prospects where id = any($1)", ids);
    Ok(known.fetch_all(conn).await?.into_iter().collect())
}

/// Inserts prospects in one statement.
pub async fn insert_prospects(
    conn: &mut PgConnection,
    user_id: &UserId,
    new: &[NewProspect],
) -> Result<(), StoreError> {
    let ids: Vec<Option<&str>> = new.iter().map(|p| p.id.as_deref()).collect();
    let names: Vec<&str> = new.iter().map(|p| p.name.as_str()).collect();
    let phones: Vec<&str> = new.iter().map(|p| p.phone.as_str()).collect();
    let zones: Vec<Option<&str>> = new.iter().map(|p| p.time_zone.as_deref()).collect();
    let states: Vec<Option<&str>> = new.iter().map(|p| p.state.as_deref()).collect();
    let notes: Vec<Option<&str>> = new.iter().map(|p| p.notes.as_deref()).collect();
    let custom = new.iter().map(|p| serde_json::to_value(&p.custom));
    let custom: Vec<Value> = custom.collect::<Result<_, _>>()?;
    sqlx::query!(
        "insert into prospects (id, user_id, name, phone, time_zone, state, notes, custom)
        select coalesce(t.id, gen_random_uuid()::text), $1, t.name, t.phone, t.time_zone, t.state,
            t.notes, t.custom
        from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::jsonb[])
            as t(id, name, phone, time_zone, state, notes, custom)",
        user_id.as_str(),
        &ids as _,
        &names as _,
        &phones as _,
        &zones as _,
        &states as _,
        &notes as _,
        &custom as _
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Inserts suppressions of a user, or of all users, in one statement; returns the number of new ones.
pub async fn insert_suppressions(
    conn: &mut PgConnection,
    user_id: Option<&UserId>,
    phones: &[String],
    reason: &str,
) -> Result<u64, StoreError> {
    let inserted = sqlx::query!(
        "insert into suppressions (user_id, phone, reason)
        select $1, phone, $3 from unnest($2::text[]) as t(phone)
        on conflict on constraint suppressions_once do nothing",
        user_id.map(UserId::as_str),
        phones,
        reason
    );
    Ok(inserted.execute(conn).await?.rows_affected())
}
