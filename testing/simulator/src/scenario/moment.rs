//! Moments that depend on when a call was created.

use chrono::{DateTime, Days, NaiveTime, SecondsFormat, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::clock::later;

/// `{"$time": {"after_secs": 7200}}` or `{"$time": {"days_after": 1, "at": "15:00"}}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Relative {
    #[serde(rename = "$time")]
    time: When,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum When {
    After {
        after_secs: u32,
    },
    Day {
        days_after: u32,
        #[serde(deserialize_with = "hour")]
        at: NaiveTime,
    },
}

/// The value itself, or the moment it stands for in RFC 3339, UTC, whole seconds.
pub fn resolve(value: &Value, created: DateTime<Utc>) -> Value {
    let Ok(relative) = Relative::deserialize(value) else {
        return value.clone();
    };
    let moment = match relative.time {
        When::After { after_secs } => {
            later(created, std::time::Duration::from_secs(after_secs.into()))
        }
        When::Day { days_after, at } => {
            let day = created.date_naive();
            let day = day.checked_add_days(Days::new(days_after.into()));
            day.unwrap_or(created.date_naive()).and_time(at).and_utc()
        }
    };
    json!(moment.to_rfc3339_opts(SecondsFormat::Secs, true))
}

fn hour<'de, D: serde::Deserializer<'de>>(source: D) -> Result<NaiveTime, D::Error> {
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
    fn a_span_is_added_to_the_creation() {
        let value = resolve(&json!({"$time": {"after_secs": 7200}}), created());
        assert_eq!(value, json!("2026-06-01T01:59:59Z"));
    }

    #[test]
    fn an_hour_falls_on_a_later_day() {
        let value = resolve(&json!({"$time": {"days_after": 1, "at": "15:00"}}), created());
        assert_eq!(value, json!("2026-06-01T15:00:00Z"));
    }

    #[test]
    fn any_other_value_stays_as_it_is() {
        assert_eq!(resolve(&json!("tomorrow"), created()), json!("tomorrow"));
    }
}
