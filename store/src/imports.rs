//! Prospects from elsewhere.

use std::collections::BTreeSet;

use sqlx::PgConnection;

use crate::StoreError;

/// A prospect to be entered.
#[derive(Clone, Debug)]
pub struct NewProspect {
    /// Its id; one is made if there is none.
    pub id: Option<String>,
    /// Its name.
    pub name: String,
    /// Its number in E.164 form.
    pub phone: String,
    /// Its own time zone.
    pub time_zone: Option<String>,
    /// The state in which it is said to be, as `US-FL`.
    pub state: Option<String>,
    /// What is known of it.
    pub notes: Option<String>,
}

/// Whether there is a user.
pub async fn user_exists(conn: &mut PgConnection, user_id: &str) -> Result<bool, StoreError> {
    let found = sqlx::query_scalar!(
        r#"select exists (select 1 from users where id = $1) as "exists!""#,
        user_id
    );
    Ok(found.fetch_one(conn).await?)
}

/// Of these numbers those that a prospect of the user has already.
pub async fn known_numbers(
    conn: &mut PgConnection,
    user_id: &str,
    phones: &[String],
) -> Result<BTreeSet<String>, StoreError> {
    let known = sqlx::query_scalar!(
        "select distinct phone from prospects where user_id = $1 and phone = any($2)",
        user_id,
        phones
    );
    Ok(known.fetch_all(conn).await?.into_iter().collect())
}

/// Of these numbers those on a do-not-call list of the user, or of all.
pub async fn suppressed_numbers(
    conn: &mut PgConnection,
    user_id: &str,
    phones: &[String],
) -> Result<BTreeSet<String>, StoreError> {
    let listed = sqlx::query_scalar!(
        "select distinct phone from suppressions
        where phone = any($2) and (user_id is null or user_id = $1)",
        user_id,
        phones
    );
    Ok(listed.fetch_all(conn).await?.into_iter().collect())
}

/// Of these ids those that a prospect has already.
pub async fn known_ids(
    conn: &mut PgConnection,
    ids: &[String],
) -> Result<BTreeSet<String>, StoreError> {
    let known = sqlx::query_scalar!("select id from prospects where id = any($1)", ids);
    Ok(known.fetch_all(conn).await?.into_iter().collect())
}

/// Enters prospects in one statement.
pub async fn insert_prospects(
    conn: &mut PgConnection,
    user_id: &str,
    new: &[NewProspect],
) -> Result<(), StoreError> {
    let ids: Vec<Option<&str>> = new.iter().map(|p| p.id.as_deref()).collect();
    let names: Vec<&str> = new.iter().map(|p| p.name.as_str()).collect();
    let phones: Vec<&str> = new.iter().map(|p| p.phone.as_str()).collect();
    let zones: Vec<Option<&str>> = new.iter().map(|p| p.time_zone.as_deref()).collect();
    let states: Vec<Option<&str>> = new.iter().map(|p| p.state.as_deref()).collect();
    let notes: Vec<Option<&str>> = new.iter().map(|p| p.notes.as_deref()).collect();
    sqlx::query!(
        "insert into prospects (id, user_id, name, phone, time_zone, state, notes)
        select coalesce(t.id, gen_random_uuid()::text), $1, t.name, t.phone, t.time_zone, t.state, t.notes
        from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
            as t(id, name, phone, time_zone, state, notes)",
        user_id,
        &ids as _,
        &names as _,
        &phones as _,
        &zones as _,
        &states as _,
        &notes as _
    )
    .execute(conn)
    .await?;
    Ok(())
}
