//! Users with their settings and subscription.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use domain::hours::DailyWindow;
use domain::ids::UserId;
use domain::weekdays::Weekdays;
use domain::{Block, BlockReason};
use sqlx::PgConnection;

use crate::StoreError;

struct Row {
    name: String,
    paused: bool,
    company_name: Option<String>,
    time_zone: Option<String>,
    start_at: Option<NaiveTime>,
    end_at: Option<NaiveTime>,
    /// Whether the end is 24:00, which [`NaiveTime`] does not have.
    ends_at_midnight: Option<bool>,
    max_attempts: Option<i32>,
    calling_days: Option<Vec<i32>>,
    days_off: Option<Vec<NaiveDate>>,
    max_concurrent_calls: Option<i32>,
    initial: Option<String>,
    follow_up: Option<String>,
    language: Option<String>,
    voice: Option<String>,
    first_message: Option<String>,
    subscription_id: Option<String>,
    minutes_left: Option<i32>,
    per_day: Option<i32>,
}

/// A user with valid settings and an active subscription.
#[derive(Debug)]
pub struct Profile {
    pub name: String,
    /// Whether the user or the whole service is paused; without its row the service is.
    pub paused: bool,
    pub company_name: Option<String>,
    /// The daily calling window.
    pub window: DailyWindow,
    /// Calls that may be in progress at once; `None` for the limit of the service.
    pub max_concurrent_calls: Option<i32>,
    /// Calls that may be made to one prospect.
    pub max_attempts: i32,
    /// The script of the first call.
    pub initial: String,
    /// The script of every later call.
    pub follow_up: String,
    /// A BCP 47 tag.
    pub language: String,
    /// The voice as stored.
    pub voice: String,
    /// Said if the callee stays silent.
    pub first_message: String,
    /// The active subscription.
    pub subscription_id: String,
    /// Its minutes that are not reserved.
    pub minutes_left: i32,
    /// Calls allowed per local day.
    pub per_day: i32,
}

/// A user at planning or admission.
#[derive(Debug)]
pub enum UserState {
    Ready(Box<Profile>),
    /// The user was deleted, or its settings or subscription are missing or invalid.
    Blocked(Block),
}

/// Reads a user and locks it and its active subscription until the end of the transaction, so that only one transaction
/// counts its minutes and daily calls, even if another subscription becomes the active one. Starts the periods that are
/// due first.
pub async fn lock_user_state(
    conn: &mut PgConnection,
    user_id: &UserId,
    now: DateTime<Utc>,
) -> Result<UserState, StoreError> {
    sqlx::query!("select id from users where id = $1 for no key update", user_id.as_str())
        .fetch_optional(&mut *conn)
        .await?;
    sqlx::query!(
        "select id from subscriptions where user_id = $1 and status = 'ACTIVE' for update",
        user_id.as_str()
    )
    .fetch_optional(&mut *conn)
    .await?;
    sqlx::query!(
        "select start_due_periods(array(
            select id from subscriptions where user_id = $1 and status = 'ACTIVE'), $2)",
        user_id.as_str(),
        now
    )
    .execute(&mut *conn)
    .await?;
    user_state(conn, user_id).await
}

/// Reads a user.
pub async fn user_state(
    conn: &mut PgConnection,
    user_id: &UserId,
) -> Result<UserState, StoreError> {
    let row = sqlx::query_as!(
        Row,
        r#"select u.name, u.company_name,
            (u.paused_at is not null
                or not exists (select 1 from service where paused_at is null)) as "paused!",
            a.time_zone as "time_zone?", a.start_at as "start_at?", a.end_at as "end_at?",
            a.end_at = '24:00' as "ends_at_midnight?",
            a.max_attempts as "max_attempts?", a.calling_days as "calling_days?",
            a.days_off as "days_off?", a.max_concurrent_calls, s.initial as "initial?",
            s.follow_up as "follow_up?", g.language as "language?", g.voice as "voice?",
            g.first_message as "first_message?", b.id as "subscription_id?",
            b.minutes_left as "minutes_left?", p.per_day as "per_day?"
        from users u
        left join settings t on t.user_id = u.id
        left join advanced_settings a on a.setting_id = t.id
        left join script_settings s on s.setting_id = t.id
        left join agent_settings g on g.setting_id = t.id
        left join subscriptions b on b.user_id = u.id and b.status = 'ACTIVE'
        left join plans p on p.id = b.plan_id
        where u.id = $1"#,
        user_id.as_str()
    )
    .fetch_optional(&mut *conn)
    .await?;
    Ok(match row.map(Row::into_profile) {
        Some(Ok(profile)) => UserState::Ready(Box::new(profile)),
        Some(Err(block)) => UserState::Blocked(block),
        None => UserState::Blocked(BlockReason::UserDeleted.into()),
    })
}

impl Row {
    fn into_profile(self) -> Result<Profile, Block> {
        let (Some(subscription_id), Some(minutes_left), Some(per_day)) =
            (self.subscription_id, self.minutes_left, self.per_day)
        else {
            return Err(BlockReason::NoActiveSubscription.into());
        };
        let (Some(time_zone), Some(start_at), Some(end_at), Some(max_attempts)) =
            (self.time_zone, self.start_at, self.end_at, self.max_attempts)
        else {
            return Err(missing("AdvancedSetting"));
        };
        let (Some(initial), Some(follow_up)) = (self.initial, self.follow_up) else {
            return Err(missing("ScriptSetting"));
        };
        let (Some(language), Some(voice), Some(first_message)) =
            (self.language, self.voice, self.first_message)
        else {
            return Err(missing("AgentSetting"));
        };
        let window = match self.ends_at_midnight {
            Some(true) => DailyWindow::until_midnight(&time_zone, start_at),
            _ => DailyWindow::new(&time_zone, start_at, end_at),
        };
        let window = window
            .and_then(|window| window.on(Weekdays::from_iso(self.calling_days.unwrap_or_default())))
            .map_err(|error| {
                let detail = format!("AdvancedSetting: {error}.");
                Block::with_detail(BlockReason::WindowInvalid, detail)
            })?
            .without(self.days_off.unwrap_or_default());
        Ok(Profile {
            name: self.name,
            paused: self.paused,
            company_name: self.company_name,
            window,
            max_concurrent_calls: self.max_concurrent_calls,
            max_attempts,
            initial,
            follow_up,
            language,
            voice,
            first_message,
            subscription_id,
            minutes_left,
            per_day,
        })
    }
}

fn missing(table: &str) -> Block {
    let detail = format!("The user has no {table}; insert one to have its prospects called.");
    Block::with_detail(BlockReason::SettingsMissing, detail)
}
