//! Rows as clients write them, by the names under which they know the tables.

use anyhow::Result;
use sqlx::PgPool;

/// A user with everything that is needed to call on its behalf. Its plan, subscription and settings
/// are named after it.
#[derive(Clone, Debug)]
pub struct User {
    /// Its id.
    pub id: String,
    /// The zone of its calling window.
    pub zone: &'static str,
    /// When the window opens.
    pub opens: &'static str,
    /// When the window closes.
    pub closes: &'static str,
    /// What the agent is told for a first call.
    pub script: &'static str,
    /// Minutes left.
    pub minutes: i32,
    /// Whether its settings are there at all.
    pub has_settings: bool,
}

impl User {
    /// A user who may call from nine to five in New York.
    pub fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            zone: "America/New_York",
            opens: "2025-02-25 09:00:00",
            closes: "2025-02-25 17:00:00",
            script: "Hello {prospectName}, {userName} would like to meet you.",
            minutes: 600,
            has_settings: true,
        }
    }

    /// Writes its rows.
    pub async fn insert(&self, database: &PgPool) -> Result<()> {
        let id = &self.id;
        let user = r#"INSERT INTO "User" (id, name, email, clerkId, createdAt, updatedAt)
            VALUES ($1, 'User of ' || $1, $1 || '@example.com', $1, NOW(), NOW())"#;
        sqlx::query(user).bind(id).execute(database).await?;
        let plan = r#"INSERT INTO "Plan" (id, name, price, minutes, duration, perDay)
            VALUES ('plan-' || $1, 'Basic', 10.0, 600, 30, 10)"#;
        sqlx::query(plan).bind(id).execute(database).await?;
        let subscription = r#"INSERT INTO "Subscription" (id, userId, planId, minutesLeft, status)
            VALUES ('sub-' || $1, $1, 'plan-' || $1, $2, 'ACTIVE')"#;
        sqlx::query(subscription).bind(id).bind(self.minutes).execute(database).await?;
        if self.has_settings {
            self.insert_settings(database).await?;
        }
        Ok(())
    }

    async fn insert_settings(&self, database: &PgPool) -> Result<()> {
        let id = &self.id;
        let root =
            r#"INSERT INTO "Setting" (id, userId, theme) VALUES ('set-' || $1, $1, 'LIGHT')"#;
        sqlx::query(root).bind(id).execute(database).await?;
        let advanced = r#"INSERT INTO "AdvancedSetting" (id, settingId, timeZone, startAt, endAt)
            VALUES ('adv-' || $1, 'set-' || $1, $2, $3::text::time, $4::text::time)"#;
        let advanced = sqlx::query(advanced).bind(id).bind(self.zone).bind(self.opens);
        advanced.bind(self.closes).execute(database).await?;
        let script = r#"INSERT INTO "ScriptSetting" (id, settingId, initial, followUp)
            VALUES ('scr-' || $1, 'set-' || $1, $2, 'Hello again {prospectName}.')"#;
        sqlx::query(script).bind(id).bind(self.script).execute(database).await?;
        let agent = r#"INSERT INTO "AgentSetting" (id, settingId, language, voice, firstMessage)
            VALUES ('agt-' || $1, 'set-' || $1, 'en', 'female', 'Hi {prospectName}')"#;
        sqlx::query(agent).bind(id).execute(database).await?;
        Ok(())
    }
}

/// A prospect that nobody has called yet.
#[derive(Clone, Debug)]
pub struct Prospect {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its user.
    pub user_id: String,
    /// Its number; the last two digits tell the simulator how a call goes.
    pub phone: String,
    /// When it is to be called, if somebody promised that.
    pub rescheduled_for: Option<String>,
}

impl Prospect {
    /// A prospect of that user with that number.
    pub fn new(id: &str, user_id: &str, phone: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: format!("Name of {id}"),
            user_id: user_id.to_owned(),
            phone: phone.to_owned(),
            rescheduled_for: None,
        }
    }

    /// The same with a number for which the simulator knows how the call goes.
    pub fn with_ending(id: &str, user_id: &str, area: u32, ending: u32) -> Self {
        Self::new(id, user_id, &format!("+1{area:03}55501{ending:02}"))
    }

    /// The id of its first conversation.
    pub fn first_call(&self) -> String {
        format!("{}-1", self.id)
    }

    /// Writes its row.
    pub async fn insert(&self, database: &PgPool) -> Result<()> {
        let status = if self.rescheduled_for.is_some() { "RESCHEDULED" } else { "INITIAL" };
        let row = r#"INSERT INTO "Prospect"
            (id, name, phone, userId, status, lastContacted, rescheduledFor)
            VALUES ($1, $2, $3, $4, $5::text::prospect_status, NULL, $6::text::timestamptz)"#;
        let row = sqlx::query(row).bind(&self.id).bind(&self.name).bind(&self.phone);
        row.bind(&self.user_id).bind(status).bind(&self.rescheduled_for).execute(database).await?;
        Ok(())
    }
}
