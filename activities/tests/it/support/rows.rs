//! Rows as clients write them, by the names under which they know the tables.

use sqlx::PgPool;

/// A user with everything that is needed to call on its behalf.
#[derive(Clone, Debug)]
pub struct User {
    /// Its id; its plan, subscription and settings are named after it.
    pub id: &'static str,
    /// The zone of its calling window.
    pub zone: &'static str,
    /// When the window opens.
    pub opens: &'static str,
    /// When the window closes.
    pub closes: &'static str,
    /// What the agent is told for a first call.
    pub initial: &'static str,
    /// Minutes left.
    pub minutes: i32,
    /// Calls a day.
    pub per_day: i32,
}

impl Default for User {
    fn default() -> Self {
        Self {
            id: "user1-id",
            zone: "America/New_York",
            opens: "2025-02-25 09:00:00",
            closes: "2025-02-25 17:00:00",
            initial: "Hello {prospectName}, {userName} would like to meet you.",
            minutes: 600,
            per_day: 10,
        }
    }
}

impl User {
    /// A user with that id.
    pub fn named(id: &'static str) -> Self {
        Self { id, ..Self::default() }
    }

    /// Writes its rows.
    pub async fn insert(&self, database: &PgPool) {
        let user = r#"INSERT INTO "User" (id, name, email, clerkId, createdAt, updatedAt)
            VALUES ($1, 'User of ' || $1, $1 || '@example.com', $1, NOW(), NOW())"#;
        sqlx::query(user).bind(self.id).execute(database).await.unwrap();
        let plan = r#"INSERT INTO "Plan" (id, name, price, minutes, duration, perDay)
            VALUES ('plan-' || $1, 'Basic', 10.0, 600, 30, $2)"#;
        sqlx::query(plan).bind(self.id).bind(self.per_day).execute(database).await.unwrap();
        let subscription = r#"INSERT INTO "Subscription" (id, userId, planId, minutesLeft, status)
            VALUES ('sub-' || $1, $1, 'plan-' || $1, $2, 'ACTIVE')"#;
        sqlx::query(subscription).bind(self.id).bind(self.minutes).execute(database).await.unwrap();
        let root =
            r#"INSERT INTO "Setting" (id, userId, theme) VALUES ('set-' || $1, $1, 'LIGHT')"#;
        sqlx::query(root).bind(self.id).execute(database).await.unwrap();
        let advanced = r#"INSERT INTO "AdvancedSetting" (id, settingId, timeZone, startAt, endAt)
            VALUES ('adv-' || $1, 'set-' || $1, $2, $3::text::time, $4::text::time)"#;
        let advanced = sqlx::query(advanced).bind(self.id).bind(self.zone).bind(self.opens);
        advanced.bind(self.closes).execute(database).await.unwrap();
        let script = r#"INSERT INTO "ScriptSetting" (id, settingId, initial, followUp)
            VALUES ('scr-' || $1, 'set-' || $1, $2, 'Hello again {prospectName}.')"#;
        sqlx::query(script).bind(self.id).bind(self.initial).execute(database).await.unwrap();
        let agent = r#"INSERT INTO "AgentSetting" (id, settingId, language, voice, firstMessage)
            VALUES ('agt-' || $1, 'set-' || $1, 'en', 'female', 'Hi {prospectName}')"#;
        sqlx::query(agent).bind(self.id).execute(database).await.unwrap();
    }
}

/// A prospect that nobody has called yet.
#[derive(Clone, Debug)]
pub struct Prospect {
    /// Its id.
    pub id: String,
    /// Its user.
    pub user_id: &'static str,
    /// Its number; the last two digits tell the simulator how a call goes.
    pub phone: String,
    /// Where it stands.
    pub status: &'static str,
    /// The last contact.
    pub last_contacted: Option<&'static str>,
    /// When it is to be called, if somebody promised that.
    pub rescheduled_for: Option<&'static str>,
    /// Its own time zone.
    pub zone: Option<&'static str>,
}

impl Default for Prospect {
    fn default() -> Self {
        Self {
            id: "p1-id".to_owned(),
            user_id: "user1-id",
            phone: "+1234567890".to_owned(),
            status: "INITIAL",
            last_contacted: None,
            rescheduled_for: None,
            zone: None,
        }
    }
}

impl Prospect {
    /// A prospect with that id, and a number of its own.
    pub fn named(id: impl Into<String>) -> Self {
        let id = id.into();
        let hash = id.bytes().fold(7_u32, |sum, byte| (sum * 31 + u32::from(byte)) % 10_000);
        Self { phone: format!("+1212556{hash:04}"), id, ..Self::default() }
    }

    /// The same with a number for which the simulator knows how the call goes.
    pub fn ending(self, ending: u32) -> Self {
        Self { phone: format!("+121255501{ending:02}"), ..self }
    }

    /// Writes its row.
    pub async fn insert(&self, database: &PgPool) {
        let row = r#"INSERT INTO "Prospect"
            (id, name, phone, userId, status, lastContacted, rescheduledFor)
            VALUES ($1, 'Name of ' || $1, $2, $3, $4::text::prospect_status,
                $5::text::timestamptz, $6::text::timestamptz)"#;
        let row = sqlx::query(row).bind(&self.id).bind(&self.phone).bind(self.user_id);
        let row = row.bind(self.status).bind(self.last_contacted).bind(self.rescheduled_for);
        row.execute(database).await.unwrap();
        let zone = "update prospects set time_zone = $2 where id = $1";
        sqlx::query(zone).bind(&self.id).bind(self.zone).execute(database).await.unwrap();
    }
}
