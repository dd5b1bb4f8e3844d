//! The calls as the database has them.

use anyhow::Context;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// One planned call.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Call {
    /// The conversation's id.
    pub id: String,
    /// The client's name.
    pub user_name: String,
    /// The callee's name.
    pub prospect_name: String,
    /// When it is due.
    pub slot: DateTime<Utc>,
    /// Its state.
    pub status: String,
    /// What came of it.
    pub outcome: Option<String>,
    /// Why, where the outcome alone does not say it.
    pub reason: Option<String>,
    /// Minutes charged.
    pub minutes: i64,
}

impl Call {
    /// Whether something will still happen to it.
    pub fn is_open(&self) -> bool {
        matches!(self.status.as_str(), "SCHEDULED" | "DIALING" | "IN_PROGRESS")
    }

    /// The outcome and the reason in one cell.
    pub fn result(&self) -> String {
        match (&self.outcome, &self.reason) {
            (Some(outcome), Some(reason)) => format!("{outcome} ({reason})"),
            (Some(text), None) | (None, Some(text)) => text.clone(),
            (None, None) => String::new(),
        }
    }
}

/// All calls, in the order in which they are due.
pub async fn all(database: &mut PgConnection) -> anyhow::Result<Vec<Call>> {
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
    use devstack::Postgres;
    use sqlx::Connection;

    use super::*;
    use crate::demo::data::{self, Clock};
    use crate::prepare;

    #[tokio::test]
    async fn a_call_is_read_with_its_names_and_the_minutes_it_cost() {
        let url = Postgres::shared().await.unwrap().fresh_database("demo").await.unwrap();
        prepare::migrate(&url).await.unwrap();
        let mut database = PgConnection::connect(&url).await.unwrap();
        data::load(&mut database, &Clock::at_three_in_the_afternoon()).await.unwrap();
        assert_eq!(all(&mut database).await.unwrap(), []);

        let settled = "
            insert into conversations
                (id, user_id, prospect_id, number, status, slot, plan_run, outcome, settled_at)
            values ('p1-id-1', 'user1-id', 'p1-id', 1, 'COMPLETED', now(), 'run', 'APPOINTMENT_SET', now());
            insert into minute_ledger (subscription_id, conversation_id, dial_id, kind, minutes)
            values ('sub1-id', 'p1-id-1', 'p1-id-1.1', 'reserve', -10),
                ('sub1-id', 'p1-id-1', 'p1-id-1.1', 'release', 10),
                ('sub1-id', 'p1-id-1', 'p1-id-1.1', 'charge', -4)";
        sqlx::raw_sql(settled).execute(&mut database).await.unwrap();

        let calls = all(&mut database).await.unwrap();
        let [call] = calls.as_slice() else { panic!("{calls:?}") };
        assert_eq!((call.user_name.as_str(), call.prospect_name.as_str()), ("User1", "Ada"));
        assert_eq!((call.result().as_str(), call.minutes), ("APPOINTMENT_SET", 4));
        assert!(!call.is_open());
    }
}
