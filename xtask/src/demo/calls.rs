//! Reads the calls from the database.

use anyhow::Context;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Call {
    /// Conversation id.
    pub id: String,
    pub user_name: String,
    pub prospect_name: String,
    pub slot: DateTime<Utc>,
    pub status: String,
    pub outcome: Option<String>,
    pub reason: Option<String>,
    /// Charged minutes.
    pub minutes: i64,
}

impl Call {
    pub fn is_open(&self) -> bool {
        matches!(self.status.as_str(), "SCHEDULED" | "DIALING" | "IN_PROGRESS")
    }

    /// Outcome and reason.
    pub fn result(&self) -> String {
        match (&self.outcome, &self.reason) {
            (Some(outcome), Some(reason)) => format!("{outcome} ({reason})"),
            (Some(text), None) | (None, Some(text)) => text.clone(),
            (None, None) => String::new(),
        }
    }
}

/// Returns all calls, ordered by slot.
pub async fn read_all(database: &mut PgConnection) -> anyhow::Result<Vec<Call>> {
    let statement = "
        select c.id, u.name as user_name, p.name as prospect_name, c.slot, c.status::text,
            c.outcome::text, c.reason, coalesce(charged.minutes, 0) as minutes
        from conversations c
        join users u on u.id = c.user_id
        join prospects p on p.id = c.prospect_id
        left join (
            select conversation_id, sum(-minutes) as minutes
            from minute_ledger where kind = 'charge' group by conversation_id
        ) charged on charged.conversation_id = c.id
        order by c.slot, c.id";
    sqlx::query_as(statement).fetch_all(database).await.context("could not read the calls")
}

#[cfg(test)]
mod tests {
    use sqlx::Connection;

    use super::*;
    use crate::demo::data::{self, Clock};

    #[tokio::test]
    async fn call_is_read_with_names_and_charged_minutes() {
        let url = devstack::create_migrated_database().await.unwrap();
        let mut database = PgConnection::connect(&url).await.unwrap();
        data::load(&mut database, &Clock::starting_at_15_utc()).await.unwrap();
        assert_eq!(read_all(&mut database).await.unwrap(), []);

        let recorded = "
            insert into conversations
                (id, user_id, prospect_id, sequence, status, slot, plan_run, outcome, recorded_at)
            values ('p1-id-1', 'user1-id', 'p1-id', 1, 'COMPLETED', now(), 'run', 'APPOINTMENT_SET', now());
            insert into minute_ledger (subscription_id, conversation_id, dial_id, kind, minutes)
            values ('sub1-id', 'p1-id-1', 'p1-id-1.1', 'reserve', -10),
                ('sub1-id', 'p1-id-1', 'p1-id-1.1', 'release', 10),
                ('sub1-id', 'p1-id-1', 'p1-id-1.1', 'charge', -4)";
        sqlx::raw_sql(recorded).execute(&mut database).await.unwrap();

        let calls = read_all(&mut database).await.unwrap();
        let [call] = calls.as_slice() else { panic!("{calls:?}") };
        assert_eq!((call.user_name.as_str(), call.prospect_name.as_str()), ("User1", "Ada"));
        assert_eq!((call.result().as_str(), call.minutes), ("APPOINTMENT_SET", 4));
        assert!(!call.is_open());
    }
}
