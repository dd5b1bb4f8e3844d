//! Times in scenarios that are relative to the creation of the call.

use std::time::Duration;

use chrono::{DateTime, Days, NaiveTime, SecondsFormat, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::clock;

/// `{"$time": {"after_secs": 7200}}` or `{"$time": {"days_after": 1, "at": "15:00"}}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RelativeTime {
    #[serde(rename = "$time")]
    time: When,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum When {
    Later {
        after_secs: u32,
    },
    /// A time of day, UTC.
    OnDay {
        days_after: u32,
        #[serde(deserialize_with = "time_of_day")]
        at: NaiveTime,
    },
}

/// Replaces a relative time by its RFC 3339 form (UTC, whole seconds); returns other values as
/// they are.
pub fn resolve(value: &Value, created: DateTime<Utc>) -> Value {
    let Ok(relative) = RelativeTime::deserialize(value) else {
        return value.clone();
    };
    let time = match relative.time {
        When::Later { after_secs } => clock::add(created, Duration::from_secs(after_secs.into())),
        When::OnDay { days_after, at } => {
            let today = created.date_naive();
            let day = today.checked_add_days(Days::new(days_after.into()));
            day.unwrap_or(today).and_time(at).and_utc()
        }
    };
    json!(time.to_rfc3339_opts(SecondsFormat::Secs, true))
}

fn time_of_day<'de, D: serde::Deserializer<'de>>(source: D) -> Result<NaiveTime, D::Error> {
    let text = String::deserialize(source)?;
    NaiveTime::parse_from_str(&text, "%H:%M").map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn created() -> DateTime<Utc> {
        "2026-05-31T23:59:59.5Z".parse().unwrap()
    }

    #[test]
    fn seconds_are_added_to_the_creation() {
        let value = resolve(&json!({"$time": {"after_secs": 7200}}), created());
        assert_eq!(value, json!("2026-06-01T01:59:59Z"));
    }

    #[test]
    fn time_of_day_is_on_the_given_day_after_the_creation() {
        let value = resolve(&json!({"$time": {"days_after": 1, "at": "15:00"}}), created());
        assert_eq!(value, json!("2026-06-01T15:00:00Z"));
    }

    #[test]
    fn other_values_are_unchanged() {
        assert_eq!(resolve(&json!("tomorrow"), created()), json!("tomorrow"));
    }
}
