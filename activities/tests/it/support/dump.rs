//! The rows that a call leaves.

use serde_json::Value;

use super::Service;

/// Columns that differ between two runs: times, and ids of others.
const FLEETING: &str = "'{created_at, updated_at, recorded_at, answered_at, ended_at, intended_at,
    sent_at, closed_at, decided_at, last_contacted, outcome_time, appointment_time,
    rescheduled_for, provider_call_id, dial_deadline, next_call_at, period_started_at,
    period_ends_at, waiting_for_line_at, next_allowed, retry_at, not_found_at, transcript_read_at}'::text[]";

/// The rows of every table that a call changes, without times and ids of others.
pub async fn dump(service: &Service) -> Vec<(&'static str, Vec<Value>)> {
    let tables = [
        ("users", ""),
        ("prospects", ""),
        ("subscriptions", ""),
        ("conversations", ""),
        ("dials", ""),
        ("appointments", ""),
        ("minute_ledger", " - 'id'"),
        ("suppressions", " - 'id'"),
        ("plan_decisions", " - 'id' - 'priority'"),
    ];
    let mut dumped = Vec::new();
    for (table, less) in tables {
        let rows = format!(
            "select row from (select to_jsonb(t) - {FLEETING}{less} as row from {table} t) kept
            order by row::text"
        );
        dumped.push((table, service.rows(rows).await));
    }
    dumped
}
