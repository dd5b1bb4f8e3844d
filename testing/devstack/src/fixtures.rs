//! Rows of users and prospects for tests, inserted through the users' own views.

use sqlx::PgPool;

/// A user with a subscription and all settings. The ids of the other rows are derived from `id`.
#[derive(Clone, Debug)]
pub struct User {
    pub id: String,
    /// Time zone of the calling window.
    pub time_zone: String,
    /// Start of the calling window; a date before the time is ignored.
    pub start_at: String,
    /// End of the calling window.
    pub end_at: String,
    /// Prompt of the agent in a first call.
    pub initial_script: String,
    /// Minutes left.
    pub minutes: i32,
    /// Calls per day.
    pub per_day: i32,
    pub has_settings: bool,
}

impl User {
    /// A user who may call from 9:00 to 17:00 in New York.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            time_zone: "America/New_York".to_owned(),
            start_at: "2025-02-25 09:00:00".to_owned(),
            end_at: "2025-02-25 17:00:00".to_owned(),
            initial_script: "Hello {prospectName}, {userName} would like to meet you.".to_owned(),
            minutes: 600,
            per_day: 10,
            has_settings: true,
        }
    }

    pub async fn insert(&self, database: &PgPool) -> Result<(), sqlx::Error> {
        let user = r#"INSERT INTO "User" (id, name, email, clerkId, createdAt, updatedAt)
            VALUES ($1, 'User of ' || $1, $1 || '@example.com', $1, NOW(), NOW())"#;
        sqlx::query(user).bind(&self.id).execute(database).await?;
        let plan = r#"INSERT INTO "Plan" (id, name, price, minutes, duration, perDay)
            VALUES ('plan-' || $1, 'Basic', 10.0, 600, 30, $2)"#;
        sqlx::query(plan).bind(&self.id).bind(self.per_day).execute(database).await?;
        let subscription = r#"INSERT INTO "Subscription" (id, userId, planId, minutesLeft, status)
            VALUES ('sub-' || $1, $1, 'plan-' || $1, $2, 'ACTIVE')"#;
        let subscription = sqlx::query(subscription).bind(&self.id).bind(self.minutes);
        subscription.execute(database).await?;
        if self.has_settings {
            self.insert_settings(database).await?;
        }
        Ok(())
    }

    async fn insert_settings(&self, database: &PgPool) -> Result<(), sqlx::Error> {
        let setting =
            r#"INSERT INTO "Setting" (id, userId, theme) VALUES ('set-' || $1, $1, 'LIGHT')"#;
        sqlx::query(setting).bind(&self.id).execute(database).await?;
        let advanced = r#"INSERT INTO "AdvancedSetting" (id, settingId, timeZone, startAt, endAt)
            VALUES ('adv-' || $1, 'set-' || $1, $2, $3::text::time, $4::text::time)"#;
        let advanced = sqlx::query(advanced).bind(&self.id).bind(&self.time_zone);
        advanced.bind(&self.start_at).bind(&self.end_at).execute(database).await?;
        let script = r#"INSERT INTO "ScriptSetting" (id, settingId, initial, followUp)
            VALUES ('scr-' || $1, 'set-' || $1, $2, 'Hello again {prospectName}.')"#;
        sqlx::query(script).bind(&self.id).bind(&self.initial_script).execute(database).await?;
        let agent = r#"INSERT INTO "AgentSetting" (id, settingId, language, voice, firstMessage)
            VALUES ('agt-' || $1, 'set-' || $1, 'en', 'female', 'Hi {prospectName}')"#;
        sqlx::query(agent).bind(&self.id).execute(database).await?;
        Ok(())
    }
}

impl Default for User {
    /// The user that owns [`Prospect::default`].
    fn default() -> Self {
        Self::new("user1-id")
    }
}

/// A prospect.
#[derive(Clone, Debug)]
pub struct Prospect {
    pub id: String,
    pub name: String,
    pub user_id: String,
    /// The last two digits select the simulator's scenario.
    pub phone: String,
    pub status: String,
    /// RFC 3339.
    pub last_contacted: Option<String>,
    /// RFC 3339.
    pub rescheduled_for: Option<String>,
    pub time_zone: Option<String>,
}

impl Prospect {
    /// A prospect of [`User::default`] who was never called, with a phone number derived from the id.
    pub fn new(id: impl Into<String>) -> Self {
        let id = id.into();
        let hash = id.bytes().fold(7_u32, |sum, byte| (sum * 31 + u32::from(byte)) % 10_000);
        Self {
            name: format!("Name of {id}"),
            user_id: User::default().id,
            phone: format!("+1212556{hash:04}"),
            status: "INITIAL".to_owned(),
            last_contacted: None,
            rescheduled_for: None,
            time_zone: None,
            id,
        }
    }

    pub fn of_user(self, user_id: impl Into<String>) -> Self {
        Self { user_id: user_id.into(), ..self }
    }

    /// Sets a fictitious number whose two last digits select the simulator's scenario.
    pub fn phone_ending(self, area_code: u32, last_two_digits: u32) -> Self {
        Self { phone: format!("+1{area_code:03}55501{last_two_digits:02}"), ..self }
    }

    /// Makes this a callback for that time (RFC 3339).
    pub fn callback_at(self, time: impl Into<String>) -> Self {
        Self { status: "RESCHEDULED".to_owned(), rescheduled_for: Some(time.into()), ..self }
    }

    /// The id of its first conversation.
    pub fn first_call_id(&self) -> String {
        format!("{}-1", self.id)
    }

    pub async fn insert(&self, database: &PgPool) -> Result<(), sqlx::Error> {
        let prospect = r#"INSERT INTO "Prospect"
            (id, name, phone, userId, status, lastContacted, rescheduledFor, timeZone)
            VALUES ($1, $2, $3, $4, $5::text::prospect_status,
                $6::text::timestamptz, $7::text::timestamptz, $8)"#;
        sqlx::query(prospect)
            .bind(&self.id)
            .bind(&self.name)
            .bind(&self.phone)
            .bind(&self.user_id)
            .bind(&self.status)
            .bind(&self.last_contacted)
            .bind(&self.rescheduled_for)
            .bind(&self.time_zone)
            .execute(database)
            .await?;
        Ok(())
    }
}

impl Default for Prospect {
    /// `p1-id` of [`User::default`].
    fn default() -> Self {
        Self { phone: "+1234567890".to_owned(), ..Self::new("p1-id") }
    }
}
