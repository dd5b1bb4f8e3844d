use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};

use comfy_table::{Table, presets};

use super::calls::Call;

/// Table of calls: redrawn in place on a terminal, otherwise one line per change.
#[derive(Debug, Default)]
pub struct ProgressTable {
    shown: BTreeMap<String, Call>,
    height: usize,
}

impl ProgressTable {
    /// Prints the changes since the last update.
    pub fn update(&mut self, calls: &[Call]) {
        let changed: Vec<&Call> =
            calls.iter().filter(|call| self.shown.get(&call.id) != Some(call)).collect();
        if changed.is_empty() {
            return;
        }
        let text = if std::io::stdout().is_terminal() {
            let table = render_table(calls);
            let cursor_up = if self.height > 0 {
                format!("\x1b[{}A\x1b[J", self.height)
            } else {
                String::new()
            };
            self.height = table.lines().count();
            format!("{cursor_up}{table}\n")
        } else {
            changed.iter().map(|call| render_line(call)).collect()
        };
        // A closed standard output must not stop the calls.
        let _ = std::io::stdout().write_all(text.as_bytes());
        self.shown = calls.iter().map(|call| (call.id.clone(), call.clone())).collect();
    }
}

fn render_table(calls: &[Call]) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(["user", "prospect", "slot", "state", "outcome", "minutes"]);
    for call in calls {
        table.add_row(cells(call));
    }
    table.to_string()
}

fn render_line(call: &Call) -> String {
    let [user, prospect, slot, state, outcome, minutes] = cells(call);
    let line = format!("{user:<6} {prospect:<6} {slot}  {state:<12} {outcome:<32} {minutes}");
    format!("{}\n", line.trim_end())
}

fn cells(call: &Call) -> [String; 6] {
    let minutes = if call.is_open() { String::new() } else { call.minutes.to_string() };
    let slot = call.slot.format("%H:%M:%S").to_string();
    [
        call.user_name.clone(),
        call.prospect_name.clone(),
        slot,
        call.status.clone(),
        call.result(),
        minutes,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_contains_names_slot_state_and_outcome() {
        let call = Call {
            id: "p1-id-1".to_owned(),
            user_name: "User1".to_owned(),
            prospect_name: "Ada".to_owned(),
            slot: "2026-11-22T15:00:12Z".parse().unwrap(),
            status: "COMPLETED".to_owned(),
            outcome: Some("NO_RESPONSE".to_owned()),
            reason: Some("busy".to_owned()),
            minutes: 0,
        };
        let expected = "User1  Ada    15:00:12  COMPLETED    NO_RESPONSE (busy)               0\n";
        assert_eq!(render_line(&call), expected);
        assert!(render_table(&[call]).contains("NO_RESPONSE (busy)"));
    }
}
